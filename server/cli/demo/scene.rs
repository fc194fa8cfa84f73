//! Where the demonstration takes place: a scratch git repository that goes when it ends, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{INVOICES, ORDERS, Problem};

/// The scratch repository, with a home directory beside it so that nobody's settings or other clones play a part.
pub(super) struct Scene {
    folder: PathBuf,
    program: PathBuf,
    interrupted: Arc<AtomicBool>,
}

impl Scene {
    /// Makes the repository with a few files and a coordination directory.
    pub(super) fn set(program: &Path) -> Result<Self, Problem> {
        let scene =
            Self { folder: scratch_folder()?, program: program.to_owned(), interrupted: watch_for_interruption() };
        let make = |path: &Path| fs::create_dir_all(path).map_err(|cause| Problem::io("make a folder", cause));
        make(&scene.repository().join("src"))?;
        make(&scene.home())?;
        for (file, text) in [
            (ORDERS, "pub fn total(prices: &[u64]) -> u64 {\n    prices.iter().sum()\n}\n"),
            (INVOICES, "pub fn number(year: u32, count: u32) -> String {\n    format!(\"{year}-{count:05}\")\n}\n"),
        ] {
            fs::write(scene.repository().join(file), text).map_err(|cause| Problem::io("write a file", cause))?;
        }
        scene.git_init()?;
        let begun = scene.run("alice", &["init"])?;
        if begun.status.success() {
            Ok(scene)
        } else {
            Err(Problem::Refused { who: "alice", what: "deconflict init".to_owned(), message: words(&begun) })
        }
    }

    /// The root of the repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("shop")
    }

    /// The coordination directory.
    pub(super) fn directory(&self) -> PathBuf {
        self.repository().join("COORDINATION")
    }

    /// True once the user pressed Ctrl-C.
    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// The program with some arguments, in the repository, as a user of that name.
    pub(super) fn command(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.settle(&mut command);
        command.env("USER", user);
        command
    }

    /// Runs a verb of the terminal to its end.
    pub(super) fn run(&self, user: &str, arguments: &[&str]) -> Result<Output, Problem> {
        let run = self.command(user, arguments).stdin(Stdio::null()).output();
        run.map_err(|cause| Problem::io("run this program", cause))
    }

    fn git_init(&self) -> Result<(), Problem> {
        let mut git = Command::new("git");
        git.args(["init", "--quiet", "--template="]).stdin(Stdio::null());
        self.settle(&mut git);
        let ended = git.output().map_err(|cause| Problem::io("run git, which the demonstration needs", cause))?;
        if ended.status.success() {
            return Ok(());
        }
        Err(Problem::Refused { who: "git", what: "git init".to_owned(), message: words(&ended) })
    }

    /// Lets a program see this place only, and none of what the caller's environment names.
    fn settle(&self, command: &mut Command) {
        let names_something_else = |name: &str| name.starts_with("GIT_") || name.starts_with("DECONFLICT_");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(names_something_else) {
                command.env_remove(name);
            }
        }
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"] {
            command.env_remove(name);
        }
        command.current_dir(self.repository()).env("HOME", self.home()).env("USERPROFILE", self.home());
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Nothing can be done about what the system does not let go.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn scratch_folder() -> Result<PathBuf, Problem> {
    let unsuitable = |cause| Problem::io("make a scratch folder", cause);
    // Without symbolic links, as editors give paths: macOS has one in front of its temporary folder.
    let place = fs::canonicalize(std::env::temp_dir()).map_err(unsuitable)?;
    let folder = place.join(format!("deconflict-demo-{}", std::process::id()));
    fs::create_dir(&folder).map_err(unsuitable)?;
    Ok(folder)
}

/// The first line of what a program said: the fact, without the advice that follows.
pub(super) fn first_line(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    String::from_utf8_lossy(said).lines().next().unwrap_or_default().to_owned()
}

/// All that a program said, on one line.
pub(super) fn words(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    String::from_utf8_lossy(said).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Ctrl-C ends the demonstration in order, so that nothing of it stays behind.
fn watch_for_interruption() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&interrupted);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime
            && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
        {
            noticed.store(true, Ordering::Relaxed);
        }
    });
    interrupted
}
