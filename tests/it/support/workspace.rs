//! Scratch workspaces, and the coordination directory in them as another program would read and write it.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::environment::clean_environment;
use super::repository;
use super::wait::{DEADLINE, wait_for};

/// A folder that people work in, with a home directory beside it. Both vanish with the value.
pub(crate) struct Workspace {
    root: PathBuf,
    home: PathBuf,
    _scratch: TempDir,
}

impl Workspace {
    /// A git repository with a handful of committed files.
    pub(crate) fn small() -> Self {
        let workspace = Self::plain();
        workspace.git(&["init", "--quiet"]);
        workspace.write(".gitignore", "/target\n*.log\n");
        workspace.write("Cargo.lock", "version = 4\n");
        workspace.write("README.md", "# Small\n\nA few files.\n");
        workspace.write("src/lib.rs", "pub mod parser;\n");
        workspace.write("src/main.rs", "fn main() {\n    println!(\"hello\");\n}\n");
        workspace.write("src/parser.rs", "pub fn parse() {}\n");
        workspace.commit_all("Start");
        workspace
    }

    /// A git repository like a real project's: more than 200 files in nested folders, names with spaces and beyond
    /// ASCII, symlinks, ignored files and some history.
    pub(crate) fn realistic() -> Self {
        let workspace = Self::plain();
        repository::fill(&workspace);
        workspace
    }

    /// An empty folder that no version control knows.
    pub(crate) fn plain() -> Self {
        let scratch = tempfile::Builder::new().prefix("deconflict-it-").tempdir().unwrap();
        // Resolved once, because temporary directories are behind a symlink on some systems.
        let base = deconflict_platform::canonical(scratch.path()).unwrap();
        let root = base.join("project");
        let home = base.join("home");
        fs::create_dir(&root).unwrap();
        fs::create_dir(&home).unwrap();
        fs::write(
            home.join(".gitconfig"),
            "[user]\n\tname = Tester\n\temail = tester@example.org\n[init]\n\tdefaultBranch = main\n\
             [commit]\n\tgpgSign = false\n[advice]\n\tdetachedHead = false\n",
        )
        .unwrap();
        Self { root, home, _scratch: scratch }
    }

    /// The folder that an editor opens.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The scratch home directory of whoever works here.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The folder that holds the workspace and the home directory: a place for other roots and linked worktrees.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.parent().unwrap().join(name)
    }

    /// The absolute path of a file in the workspace. An absolute `relative` stays as it is.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The URI of a file in the workspace.
    pub(crate) fn uri(&self, relative: impl AsRef<Path>) -> String {
        file_uri(&self.path(relative))
    }

    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub(crate) fn remove(&self, relative: impl AsRef<Path>) {
        fs::remove_file(self.path(relative)).unwrap();
    }

    /// Runs git at the root and returns what it printed.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.root, arguments)
    }

    /// Runs git in `folder` and returns what it printed.
    #[track_caller]
    pub(crate) fn git_in(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        clean_environment(&mut command, &self.home);
        let output = command.args(arguments).current_dir(folder).output().unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?} in {}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Adds a linked worktree beside the workspace, on a new branch of the same name, and returns its folder.
    pub(crate) fn add_worktree(&self, name: &str) -> PathBuf {
        let folder = self.beside(name);
        self.git(&["worktree", "add", "--quiet", "-b", name, folder.to_str().unwrap()]);
        folder
    }

    /// A bare repository beside the workspace.
    pub(crate) fn bare_repository(&self, name: &str) -> PathBuf {
        let folder = self.beside(&format!("{name}.git"));
        self.git(&["init", "--quiet", "--bare", folder.to_str().unwrap()]);
        folder
    }

    /// Adds a bare repository as a remote, and returns its folder.
    pub(crate) fn add_remote(&self, name: &str) -> PathBuf {
        let folder = self.bare_repository(name);
        self.git(&["remote", "add", name, folder.to_str().unwrap()]);
        folder
    }

    /// The coordination directory of this workspace, whether it exists yet or not.
    pub(crate) fn coordination(&self) -> Coordination {
        Coordination::at(&self.root.join("COORDINATION"))
    }
}

/// The coordination directory, read and written with nothing but files and JSON, as a foreign script would do it.
#[derive(Clone)]
pub(crate) struct Coordination {
    directory: PathBuf,
}

impl Coordination {
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn exists(&self) -> bool {
        self.directory.exists()
    }

    /// Makes the directory as the original document lays it out.
    pub(crate) fn create(&self) -> &Self {
        for folder in ["sessions", "heartbeats", "claims", "messages/broadcast", "messages/direct", "handoffs"] {
            fs::create_dir_all(self.directory.join(folder)).unwrap();
        }
        self
    }

    /// Deletes the directory with everything in it.
    pub(crate) fn delete(&self) {
        // Somebody may be writing into it: what they add meanwhile is deleted too.
        wait_for("the coordination directory to be deleted", || {
            let _ = fs::remove_dir_all(&self.directory);
            (!self.directory.exists()).then_some(())
        });
    }

    /// Every claim that can be read as JSON.
    pub(crate) fn claims(&self) -> Vec<Value> {
        self.records("claims", "claim")
    }

    /// The names of the claim files, sorted.
    pub(crate) fn claim_files(&self) -> Vec<String> {
        self.files("claims", "claim")
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    /// The claim on the resource of this name, whatever its type.
    pub(crate) fn claim(&self, resource_name: &str) -> Option<Value> {
        self.claims().into_iter().find(|claim| claim["resource_name"] == resource_name)
    }

    /// Who holds the resource of this name.
    /// How long ago the record of a claim was written.
    pub(crate) fn age_of_claim(&self, resource_name: &str) -> Duration {
        let written = fs::metadata(self.claim_path("file", resource_name)).and_then(|file| file.modified());
        written.map(|written| written.elapsed().unwrap_or_default()).unwrap_or_default()
    }

    pub(crate) fn holder(&self, resource_name: &str) -> Option<String> {
        self.claim(resource_name).map(|claim| claim["claimed_by"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn wait_for_claim(&self, resource_name: &str) -> Value {
        self.wait_for(&format!("a claim on {resource_name}"), |here| here.claim(resource_name))
    }

    /// Waits until `session` holds the resource of this name.
    #[track_caller]
    pub(crate) fn wait_for_holder(&self, resource_name: &str, session: &str) -> Value {
        self.wait_for(&format!("{session} to hold {resource_name}"), |here| {
            here.claim(resource_name).filter(|claim| claim["claimed_by"] == session)
        })
    }

    #[track_caller]
    pub(crate) fn wait_for_no_claim(&self, resource_name: &str) {
        self.wait_for(&format!("the claim on {resource_name} to go"), |here| {
            here.claim(resource_name).is_none().then_some(())
        });
    }

    /// Waits until `probe` finds what it looks for, and shows the whole directory when it never does.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut probe: impl FnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = probe(self) {
                return found;
            }
            assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain for {what}. The directory:\n{self:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The file that the claim on this resource has by the protocol's encoding.
    pub(crate) fn claim_path(&self, resource_type: &str, resource_name: &str) -> PathBuf {
        self.directory.join("claims").join(format!("{resource_type}-{}.claim", encode(resource_name)))
    }

    /// Every session record.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        self.records("sessions", "json")
    }

    pub(crate) fn session(&self, id: &str) -> Option<Value> {
        self.sessions().into_iter().find(|session| session["session_id"] == id)
    }

    /// The heartbeats of a session, oldest first.
    pub(crate) fn heartbeats(&self, session: &str) -> Vec<Value> {
        let mut heartbeats = self.records("heartbeats", "json");
        heartbeats.retain(|heartbeat| heartbeat["session_id"] == session);
        heartbeats
    }

    /// The messages to `to`, a session or `broadcast`, oldest first.
    pub(crate) fn messages_to(&self, to: &str) -> Vec<Value> {
        let folder = if to == "broadcast" { "messages/broadcast".to_owned() } else { format!("messages/direct/{to}") };
        self.records(&folder, "json")
    }

    pub(crate) fn handoffs(&self) -> Vec<Value> {
        self.records("handoffs", "json")
    }

    /// The text of the status board; empty while there is none.
    pub(crate) fn board(&self) -> String {
        fs::read_to_string(self.directory.join("STATUS_BOARD.md")).unwrap_or_default()
    }

    /// Registers a session as the original start script does, with `fields` on top.
    pub(crate) fn write_session(&self, id: &str, fields: Value) {
        self.create();
        let mut record = json!({
            "session_id": id,
            "started_at": timestamp(Utc::now()),
            "status": "active",
            "current_work": null,
            "last_heartbeat": timestamp(Utc::now()),
        });
        overlay(&mut record, fields);
        self.write(&format!("sessions/{id}.json"), &record);
    }

    /// Claims as the original claim script does, four hours from now, with `fields` on top.
    pub(crate) fn write_claim(&self, session: &str, resource_type: &str, resource_name: &str, fields: Value) {
        self.create();
        let mut record = json!({
            "claimed_by": session,
            "claimed_at": timestamp(Utc::now()),
            "resource_type": resource_type,
            "resource_name": resource_name,
            "expires_at": timestamp(Utc::now() + TimeDelta::hours(4)),
        });
        overlay(&mut record, fields);
        self.write(&format!("claims/{resource_type}-{}.claim", encode(resource_name)), &record);
    }

    /// Deletes a claim as the original release script does: without asking whose it is.
    pub(crate) fn remove_claim(&self, resource_type: &str, resource_name: &str) {
        fs::remove_file(self.claim_path(resource_type, resource_name)).unwrap();
    }

    /// Sends a message as the original script does, with `fields` on top.
    pub(crate) fn write_message(&self, from: &str, to: &str, subject: &str, message: &str, fields: Value) {
        self.create();
        let now = Utc::now();
        let mut record = json!({
            "from": from, "to": to, "timestamp": timestamp(now), "subject": subject, "message": message,
        });
        overlay(&mut record, fields);
        let folder = if to == "broadcast" { "messages/broadcast".to_owned() } else { format!("messages/direct/{to}") };
        // Two messages within a millisecond get two names, as the protocol has it.
        let name = (0..1_000)
            .map(|later| (now + TimeDelta::milliseconds(later)).format("%Y-%m-%d_%H-%M-%S%.3f"))
            .map(|stamp| format!("{folder}/{stamp}-{from}.json"))
            .find(|name| !self.directory.join(name).exists())
            .unwrap();
        self.write(&name, &record);
    }

    /// Writes any record in place, as `cat >` does, and makes the folders above it.
    pub(crate) fn write(&self, relative: &str, record: &Value) {
        self.write_text(relative, &serde_json::to_string_pretty(record).unwrap());
    }

    /// Writes any text in place, and makes the folders above it.
    pub(crate) fn write_text(&self, relative: &str, text: &str) {
        let path = self.directory.join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a file look as if it had last been written `age` ago.
    pub(crate) fn age(&self, relative: &str, age: Duration) {
        fs::File::options()
            .write(true)
            .open(self.directory.join(relative))
            .unwrap()
            .set_modified(SystemTime::now() - age)
            .unwrap();
    }

    fn records(&self, folder: &str, extension: &str) -> Vec<Value> {
        self.files(folder, extension)
            .iter()
            .filter_map(|path| serde_json::from_str(&fs::read_to_string(path).ok()?).ok())
            .collect()
    }

    fn files(&self, folder: &str, extension: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.directory.join(folder)) else {
            return Vec::new();
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
            // Tests put links to devices and pipes there, which would never be read to their end.
            .filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()))
            .collect();
        files.sort();
        files
    }
}

/// Every record, for the report of a failed test.
impl fmt::Debug for Coordination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (folder, extension) in [("sessions", "json"), ("claims", "claim"), ("messages/broadcast", "json")] {
            for path in self.files(folder, extension) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
                writeln!(formatter, "{}: {line}", path.display())?;
            }
        }
        Ok(())
    }
}

/// A time as every record has it.
pub(crate) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The `file:` URI of a path, encoded as editors do it.
pub(crate) fn file_uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    let path = path.to_str().unwrap();
    // A drive's letter stands behind a slash.
    let path = if cfg!(windows) { format!("/{}", path.replace('\\', "/")) } else { path.to_owned() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => write!(uri, "%{byte:02X}").unwrap(),
        }
    }
    uri
}

/// The protocol's encoding of a resource name, written from its text and not from the product's code. Names that
/// are cut for their length are not handled.
fn encode(name: &str) -> String {
    let mut encoded = String::new();
    for (index, character) in name.char_indices() {
        let at_an_end = index == 0 || index + character.len_utf8() == name.len();
        let forbidden = r#"%/\:*?"<>|"#.contains(character) || character.is_control();
        if forbidden || (at_an_end && matches!(character, '.' | ' ')) {
            for byte in character.to_string().bytes() {
                write!(encoded, "%{byte:02X}").unwrap();
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

fn overlay(record: &mut Value, fields: Value) {
    if let Value::Object(fields) = fields {
        record.as_object_mut().unwrap().extend(fields);
    }
}
