//! The extension in VS Code and its relatives: put in and taken out by the editor's own command, which alone keeps the
//! editor's lists in order.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::Error;
use crate::package::{PROGRAM, Package};
use crate::record::ExtensionRecord;
use deconflict_protocol::text::one_line;

/// How long an editor's command may take. It starts a whole editor without its windows.
const PATIENCE: Duration = Duration::from_mins(2);

/// An extension for one editor.
#[derive(Debug, Clone)]
pub struct Extension {
    pub(super) record: ExtensionRecord,
    pub(super) program: PathBuf,
    pub(super) package: Package,
    /// Where the package is put for the editor.
    pub(super) package_place: PathBuf,
}

impl Extension {
    /// The extension's id, as `publisher.name`.
    pub fn id(&self) -> String {
        self.record.id.clone()
    }

    /// The extension's version.
    pub fn version(&self) -> String {
        self.package.text("/version").to_owned()
    }

    /// True if the editor has just this one.
    pub(super) fn is_installed(&self) -> bool {
        let Some(folder) = installed_in(&self.record.folder, &self.record.id) else { return false };
        let has = |name: &str, content: &[u8]| fs::read(folder.join(name)).is_ok_and(|found| found == content);
        // The editor writes notes of its own into the manifest.
        let mut files = self.package.files.iter().filter(|(name, _)| name != "package.json");
        files.all(|(name, content)| has(name, content))
            && fs::read(&self.program).is_ok_and(|program| has(PROGRAM, &program))
    }

    /// Has the editor's own command install it, in place of any other version.
    pub(super) fn install(&self) -> Result<(), Error> {
        let package = self.package.around(&self.program)?;
        fs::write(&self.package_place, package).map_err(Error::io("write", &self.package_place))?;
        let mut command = Command::new(&self.record.command);
        command.arg("--install-extension").arg(&self.package_place).arg("--force");
        let installed = run(&self.record.command, command);
        fs::remove_file(&self.package_place).map_err(Error::io("remove", &self.package_place))?;
        installed
    }
}

pub(super) fn uninstall(editor: &Path, id: &str) -> Result<(), Error> {
    let mut command = Command::new(editor);
    command.arg("--uninstall-extension").arg(id);
    run(editor, command)
}

/// The folder of an installed extension in an editor's folder of extensions.
pub(super) fn installed_in(extensions: &Path, id: &str) -> Option<PathBuf> {
    let list = fs::read(extensions.join("extensions.json")).ok()?;
    let list: Vec<Value> = serde_json::from_slice(&list).ok()?;
    let is_it = |entry: &&Value| entry["identifier"]["id"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(id));
    let entry = list.iter().find(is_it)?;
    let folder = match (entry["relativeLocation"].as_str(), entry["location"]["path"].as_str()) {
        (Some(relative), _) => extensions.join(relative),
        (None, path) => PathBuf::from(path?),
    };
    folder.is_dir().then_some(folder)
}

/// Runs an editor's program, with patience that ends.
pub(super) fn run(editor: &Path, mut command: Command) -> Result<(), Error> {
    let failed = Error::io("run", editor);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(&failed)?;
    let (output, complaint) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(&failed)? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            // It may have ended in this very moment; either way it is over.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Silent(editor.to_owned(), PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(10));
    };
    if status.success() {
        return Ok(());
    }
    let said = [complaint.join().unwrap_or_default(), output.join().unwrap_or_default()];
    let said = said.iter().map(|said| said.trim()).find(|said| !said.is_empty()).unwrap_or("it said nothing");
    Err(Error::Command(editor.to_owned(), status, one_line(error_in(said), 400)))
}

/// The line that names an error, where there is one among much else: editors print their own source, and stacks.
fn error_in(said: &str) -> &str {
    let names_error = |line: &&str| line.split(' ').next().is_some_and(|word| word.to_lowercase().ends_with("error:"));
    said.lines().map(str::trim).find(names_error).unwrap_or(said)
}

fn listen(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read until then is all that can be told.
            let _ = pipe.read_to_end(&mut said);
        }
        String::from_utf8_lossy(&said).into_owned()
    })
}
