//! The list of what was written, which a server keeps for agents' hooks: nothing is missing in it, whatever is done to files
//! and folders; and where it is not kept, or too much happened, that is known.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use deconflict_workspace::{
    ChangedFile, Ignored, Repository, WrittenFiles, WrittenFilesWatch, changed_among, changed_since,
};

use super::support::{CodingAgent, GitMonitor, Workspace, wait_for};

const ROUNDS: u64 = 60;

/// A clone whose list is kept, in a repository with some folders.
fn kept(workspace: &Workspace) -> (Repository, WrittenFiles, WrittenFilesWatch) {
    for number in 0..40 {
        workspace.write(format!("src/{}/{}/{number}.txt", number % 4, number % 3), format!("{number}\n"));
    }
    workspace.write(".gitignore", "ignored/\n");
    workspace.commit_all("Files");
    let repository = Repository::containing(workspace.root()).unwrap().unwrap();
    let files = WrittenFiles::of(&workspace.root().join("COORDINATION"), &repository).unwrap();
    let watch = WrittenFilesWatch::start(files.clone(), repository.clone()).unwrap();
    wait_for("the list to be kept", || {
        files.begin("first").unwrap();
        files.since("first", None).unwrap()
    });
    (repository, files, watch)
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn of<'a>(&mut self, all: &'a [PathBuf]) -> Option<&'a PathBuf> {
        let most = u64::try_from(all.len()).unwrap();
        (most > 0).then(|| &all[usize::try_from(self.below(most)).unwrap()])
    }
}

/// All files and folders below one, git's own aside.
fn walk(folder: &Path, files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name() == ".git" || entry.file_name() == "COORDINATION" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&path, files, folders);
            folders.push(path);
        } else {
            files.push(path);
        }
    }
}

/// Does something to a file or a folder.
fn change(workspace: &Workspace, chance: &mut Chance, number: u64) {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    walk(workspace.root(), &mut files, &mut folders);
    let (Some(file), Some(folder)) = (chance.of(&files), chance.of(&folders)) else { return };
    let other = folders[usize::try_from(chance.below(folders.len() as u64)).unwrap()].clone();
    let new = format!("new-{number}-{}", chance.below(1000));
    match chance.below(14) {
        0..3 => fs::write(file, &new).unwrap(),
        3 => fs::remove_file(file).unwrap(),
        4 => drop(fs::rename(file, folder.join(&new))),
        5 => fs::write(folder.join(&new), "new\n").unwrap(),
        6 => {
            let deep = folder.join(&new).join("deep/er");
            fs::create_dir_all(&deep).unwrap();
            fs::write(deep.join("new.txt"), "new\n").unwrap();
        }
        7 if !other.starts_with(folder) => drop(fs::rename(folder, other.join(&new))),
        8 if number.is_multiple_of(5) => fs::remove_dir_all(folder).unwrap(),
        9 => drop(std::os::unix::fs::symlink("nowhere", folder.join(&new))),
        10 => {
            fs::write(folder.join(&new), "over\n").unwrap();
            fs::rename(folder.join(&new), file).unwrap();
        }
        11 => {
            workspace.git(&["add", "-A"]);
            workspace.git(&["commit", "-qm", "More", "--allow-empty"]);
        }
        12 => drop(workspace.git(&["checkout", "-q", "HEAD", "--", "."])),
        13 => {
            fs::create_dir_all(workspace.path("ignored/deep")).unwrap();
            fs::write(workspace.path("ignored/deep/new.txt"), &new).unwrap();
        }
        _ => {}
    }
}

/// What was written since a mark; `None` where that is not known, as a hook would look at everything.
fn known_since(files: &WrittenFiles, mark: &str) -> Option<Vec<PathBuf>> {
    // A hook asks once; here the machine may be busy.
    (0..100).find_map(|_| files.since(mark, None).unwrap())
}

/// A time of the file system's own clock before which everything is that was written until now.
fn file_time(workspace: &Workspace, after: SystemTime) -> SystemTime {
    let probe = workspace.beside("probe");
    wait_for("the clock of the file system to go on", || {
        fs::write(&probe, "").unwrap();
        Some(fs::metadata(&probe).unwrap().modified().unwrap()).filter(|now| *now > after)
    })
}

#[test]
fn nothing_that_was_changed_is_missing_in_the_list() {
    let workspace = Workspace::small();
    let (repository, files, watch) = kept(&workspace);
    let ignored = Ignored::new();
    let mut chance = Chance(7);
    let (mut known, mut found) = (0, 0);
    for round in 0..ROUNDS {
        let mark = format!("mark-{round}");
        let last = file_time(&workspace, SystemTime::UNIX_EPOCH);
        let began = file_time(&workspace, last);
        let mut were_there = Vec::new();
        walk(workspace.root(), &mut were_there, &mut Vec::new());
        files.begin(&mark).unwrap();
        for number in 0..=chance.below(6) {
            change(&workspace, &mut chance, round * 10 + number);
        }
        // What was gone before is found again when something else changes where it was.
        let is_new = |file: &ChangedFile| !file.is_deleted || were_there.contains(&file.path);
        let all: BTreeSet<PathBuf> =
            changed_since(&repository, &ignored, began).unwrap().into_iter().filter(is_new).map(|it| it.path).collect();
        let Some(written) = known_since(&files, &mark) else { continue };
        known += 1;
        let among = changed_among(&repository, &ignored, began, &written).unwrap();
        let among: BTreeSet<PathBuf> = among.into_iter().map(|file| file.path).collect();
        let missing: Vec<&PathBuf> = all.difference(&among).collect();
        assert_eq!(missing, Vec::<&PathBuf>::new(), "round {round}: {written:?}");
        found += among.len();
    }
    assert!(watch.is_running());
    assert!(known > ROUNDS / 2 && found > 50, "{known} rounds, {found} files");
}

#[test]
fn where_nobody_keeps_the_list_nothing_is_taken_for_known() {
    let workspace = Workspace::small();
    let (_, files, watch) = kept(&workspace);
    files.begin("one").unwrap();
    workspace.write("src/0/0/0.txt", "new\n");
    let written = known_since(&files, "one").unwrap();
    assert_eq!(written, [workspace.path("src/0/0/0.txt")]);
    // A mark from before its time says nothing.
    assert_eq!(files.since("another", None).unwrap(), None);
    // So much that the list begins anew.
    files.begin("two").unwrap();
    for number in 0..9000 {
        fs::write(workspace.path(format!("src/0/0/a-long-name-that-fills-the-list-{number}.txt")), "").unwrap();
    }
    assert_eq!(known_since(&files, "two"), None);
    drop(watch);
    wait_for("the list to be kept no more", || {
        files.begin("three").unwrap();
        files.since("three", None).unwrap().is_none().then_some(())
    });
    assert!(!workspace.path(".git/deconflict").join("three").exists());
}

/// A hook's command beside a server.
#[test]
fn what_a_command_changed_beside_a_server_is_found_by_its_list() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "agent");
    agent.edit("README.md", "changed\n").expect_no_denial();
    let editor = super::journal_editors::editor_of(&workspace, "Ada");
    editor.wait_for_session();
    let repository = Repository::containing(workspace.root()).unwrap().unwrap();
    let files = WrittenFiles::of(&workspace.root().join("COORDINATION"), &repository).unwrap();
    wait_for("the server to keep the list", || {
        files.begin("first").unwrap();
        files.since("first", None).unwrap()
    });
    // By another name, of which no watch tells, a file that somebody holds.
    let hard = workspace.beside("hard.txt");
    fs::hard_link(workspace.path("src/lib.rs"), &hard).unwrap();
    let holder = CodingAgent::on(&workspace, "holder");
    holder.start();
    holder.shell().run(["claim", "file", "src/lib.rs"]).expect_code(0);
    agent.before_command("sh gen.sh").expect_no_denial();
    workspace.write("src/main.rs", "fn main() { generated(); }\n");
    workspace.write("new/deep/file.txt", "new\n");
    fs::write(&hard, "by another name\n").unwrap();
    let told = agent.after_command("sh gen.sh");
    assert!(told.context().contains("src/lib.rs"), "{told:?}");
    let entries = agent.shell().run(["history", "--json"]).expect_code(0).json()["entries"].clone();
    for path in ["src/main.rs", "new/deep/file.txt", "src/lib.rs"] {
        let entry = entries.as_array().unwrap().iter().find(|entry| entry["path"] == path).unwrap();
        assert_eq!(entry["session"], agent.id().as_str(), "{entry}");
    }
}

/// A watcher that answers as git's own does, which git has not on every system. It says of what is written only what it is
/// told to.
struct Watcher {
    written: Arc<Mutex<Vec<u8>>>,
}

impl Watcher {
    fn start(workspace: &Workspace) -> Self {
        let written = Arc::new(Mutex::new(Vec::new()));
        let listener = UnixListener::bind(workspace.path(".git/fsmonitor--daemon.ipc")).unwrap();
        let told = Arc::clone(&written);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Whoever asks may not wait for the answer.
                let _ = answer(&mut stream.unwrap(), &told.lock().unwrap());
            }
        });
        Self { written }
    }

    /// What it says from now on after the name of the moment.
    fn says(&self, written: &[u8]) {
        written.clone_into(&mut self.written.lock().unwrap());
    }
}

fn answer(stream: &mut UnixStream, told: &[u8]) -> io::Result<()> {
    let question = read_line(stream)?.unwrap_or_default();
    assert_eq!(read_line(stream)?, None);
    // Of a moment that it doesn't know it says that everything may have been written.
    let written = if question == b"builtin:watcher:7" { told } else { b"/\0" };
    for part in [&b"builtin:watcher:7\0"[..], written].concat().chunks(10) {
        stream.write_all(format!("{:04x}", part.len() + 4).as_bytes())?;
        stream.write_all(part)?;
    }
    stream.write_all(b"0000")
}

/// A line as git's programs send it to each other; `None` for the one that ends all.
fn read_line(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
    let Some(length) = length.checked_sub(4) else { return Ok(None) };
    let mut line = vec![0; length];
    stream.read_exact(&mut line)?;
    Ok(Some(line))
}

#[test]
fn what_a_command_changed_is_found_where_gits_own_monitor_watches() {
    let workspace = Workspace::small();
    let Some(_monitor) = GitMonitor::start(&workspace) else { return };
    let agent = CodingAgent::on(&workspace, "agent");
    // The first edit makes the directory, and with it the journal.
    agent.edit("src/main.rs", "fn main() { changed(); }\n").expect_no_denial();
    agent.before_command("sh gen.sh").expect_no_denial();
    workspace.write("README.md", "changed\n");
    workspace.write("new/deep/file.txt", "new\n");
    fs::remove_file(workspace.path("src/lib.rs")).unwrap();
    agent.after_command("sh gen.sh");
    let entries = agent.shell().run(["history", "--json"]).expect_code(0).json()["entries"].clone();
    for path in ["README.md", "new/deep/file.txt", "src/lib.rs"] {
        let entry = entries.as_array().unwrap().iter().find(|entry| entry["path"] == path).unwrap();
        assert_eq!(entry["session"], agent.id().as_str(), "{entry}");
    }
}

#[test]
fn what_a_command_changed_is_asked_of_gits_own_watcher() {
    let workspace = Workspace::small();
    let agent = CodingAgent::on(&workspace, "agent");
    agent.edit("README.md", "changed\n").expect_no_denial();
    let watcher = Watcher::start(&workspace);
    let mut rounds = 0;
    // What is said of this round's files, of which the name of its folder stands for `ROUND`.
    let mut found_of = |said: &str| {
        rounds += 1;
        let command = format!("sh gen.sh {rounds}");
        agent.before_command(&command).expect_no_denial();
        let files = ["told.txt", "folder/in-a-folder.txt", "silent.txt"].map(|name| format!("{rounds}/{name}"));
        for file in &files {
            workspace.write(file, "new\n");
        }
        watcher.says(said.replace("ROUND", &rounds.to_string()).as_bytes());
        agent.after_command(&command);
        let entries = agent.shell().run(["history", "--json"]).expect_code(0).json()["entries"].clone();
        let paths: Vec<String> =
            entries.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect();
        files.map(|file| paths.contains(&file))
    };
    // A hook waits for a moment only, and looks for itself then; here the machine may be busy.
    let told = |found: [bool; 3], told: [bool; 3]| (found == told || found == [true; 3]).then_some(found == told);
    let mut is_asked = |said: &str, expected| (0..30).any(|_| told(found_of(said), expected).unwrap());
    assert!(is_asked("ROUND/told.txt\0ROUND/folder/\0", [true, true, false]));
    // It was started anew, or had too much to tell.
    assert!(is_asked("/\0", [true; 3]));
    assert!(is_asked("ROUND/told.txt\0", [true, false, false]));
    // It is gone, but for its socket.
    let socket = workspace.path(".git/fsmonitor--daemon.ipc");
    fs::remove_file(&socket).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(found_of("ROUND/told.txt\0"), [true; 3]);
    // It hangs.
    fs::remove_file(&socket).unwrap();
    let _silent = UnixListener::bind(&socket).unwrap();
    assert_eq!(found_of(""), [true; 3]);
}
