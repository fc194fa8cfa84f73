//! Where the demonstration takes place: a scratch git repository that goes when it ends, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::problem::Problem;

pub(super) const ORDERS: &str = "src/orders.rs";
pub(super) const INVOICES: &str = "src/invoices.rs";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The scratch repository, with a home directory beside it so that nobody's settings or other clones play a part.
pub(super) struct Scene {
    folder: PathBuf,
    program: PathBuf,
}

pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
    pub(super) took: Duration,
}

impl Scene {
    /// Makes the repository with a few files and a coordination directory.
    pub(super) fn set(program: &Path) -> Result<Self, Problem> {
        watch_for_interruption();
        let scene = Self { folder: scratch_folder()?, program: program.to_owned() };
        let make = |path: &Path| fs::create_dir_all(path).map_err(|cause| Problem::Io("make a folder", cause));
        make(&scene.repository().join("src"))?;
        make(&scene.home())?;
        for (file, text) in [
            (ORDERS, "pub fn total(prices: &[u64]) -> u64 {\n    prices.iter().sum()\n}\n"),
            (INVOICES, "pub fn number(year: u32, count: u32) -> String {\n    format!(\"{year}-{count:05}\")\n}\n"),
        ] {
            fs::write(scene.repository().join(file), text).map_err(|cause| Problem::Io("write a file", cause))?;
        }
        let mut git = Command::new("git");
        git.args(["init", "--quiet", "--template="]);
        scene.settle(&mut git);
        end(git, "run git, which the demonstration needs")?.check("git", "git init")?;
        scene.run("alice", &["init"])?.check("alice", "deconflict init")?;
        Ok(scene)
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("shop")
    }

    /// The program with some arguments, in the repository, as a user of that name.
    pub(super) fn command(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.settle(&mut command);
        command.env("USER", user);
        command
    }

    pub(super) fn run(&self, user: &str, arguments: &[&str]) -> Result<Ended, Problem> {
        end(self.command(user, arguments), "run this program")
    }

    /// Lets a program see this place only, and none of what the caller's environment names.
    fn settle(&self, command: &mut Command) {
        let names_something_else = |name: &str| {
            name.starts_with("GIT_")
                || name.starts_with("DECONFLICT_")
                || matches!(name, "XDG_CONFIG_HOME" | "XDG_STATE_HOME" | "XDG_CACHE_HOME" | "LOCALAPPDATA")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(names_something_else)) {
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

impl Ended {
    /// The first line of what a program said: the fact, without the advice that follows.
    pub(super) fn first_line(&self) -> &str {
        self.said().lines().next().unwrap_or_default()
    }

    /// Fails if the program did.
    pub(super) fn check(self, who: &'static str, what: &str) -> Result<Self, Problem> {
        if self.code == Some(0) {
            return Ok(self);
        }
        let message = self.said().split_whitespace().collect::<Vec<_>>().join(" ");
        Err(Problem::Refused { who, what: what.to_owned(), message })
    }

    fn said(&self) -> &str {
        if self.errors.is_empty() { &self.output } else { &self.errors }
    }
}

/// True once the user gave up.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

fn end(mut command: Command, action: &'static str) -> Result<Ended, Problem> {
    let start = Instant::now();
    let run = command.stdin(Stdio::null()).output().map_err(|cause| Problem::Io(action, cause))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (output, errors) = (text(&run.stdout), text(&run.stderr));
    Ok(Ended { code: run.status.code(), output, errors, took: start.elapsed() })
}

fn scratch_folder() -> Result<PathBuf, Problem> {
    let unsuitable = |cause| Problem::Io("make a scratch folder", cause);
    // Without symbolic links, as editors give paths: macOS has one in front of its temporary folder.
    let place = fs::canonicalize(std::env::temp_dir()).map_err(unsuitable)?;
    let folder = place.join(format!("deconflict-demo-{}", std::process::id()));
    fs::create_dir(&folder).map_err(unsuitable)?;
    Ok(folder)
}

/// Ctrl-C ends the demonstration in order, so that nothing of it stays behind.
fn watch_for_interruption() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
}
