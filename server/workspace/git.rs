//! Running git, for what is not read from its files here.
//!
//! Git is asked only for plain facts, with commands that run no program from anyone's configuration: no filter, no
//! external or converting diff, no hook, no monitor, no fetch of missing objects. Whoever calls waits for git, so an
//! editor's loop does it from a thread of its own, and nobody does it on the way to a claim.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

/// Git knows this as the empty file on every system.
pub(super) const NOTHING: &str = "/dev/null";

/// How much of the caller's `GIT_…` variables reaches git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// None: answers must not depend on what the caller's environment points git to.
    Own,
    /// Those that say which repository and which index are meant, as git sets them for a hook.
    OfHook,
}

/// The variables that a hook must pass on to mean the same repository and the same next commit.
const OF_HOOK: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// A git command that is still to get its arguments.
pub(super) fn command(surroundings: Surroundings) -> Command {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("GIT_") && !is_passed_on(name, surroundings)) {
            git.env_remove(name);
        }
    }
    git.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    git
}

/// A git command in a folder of the repository that it is about, which runs neither a monitor nor a hook.
pub(super) fn command_in(folder: &Path, surroundings: Surroundings) -> Command {
    let mut git = command(surroundings);
    git.current_dir(folder).args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
    git
}

fn is_passed_on(name: &str, surroundings: Surroundings) -> bool {
    // Where its configuration is also says which repositories git trusts.
    surroundings == Surroundings::OfHook && (OF_HOOK.contains(&name) || name.starts_with("GIT_CONFIG"))
}

/// Runs git to its end with this standard input.
pub(super) fn run(mut git: Command, input: &[u8]) -> io::Result<Output> {
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // Git may answer before it has read everything, so both must go on at once.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // If git ends early it says why, which is better than a broken pipe.
                let _ = stdin.write_all(input);
            }
        });
        child.wait_with_output()
    })
}

/// What git complained of.
pub(super) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// A path as git prints it with `-z`: bytes on Unix, UTF-8 elsewhere.
#[cfg(unix)]
pub(super) fn path_from(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(OsStr::from_bytes(bytes))
}

/// A path as git prints it with `-z`: bytes on Unix, UTF-8 elsewhere. What is none leads nowhere.
#[cfg(not(unix))]
pub(super) fn path_from(bytes: &[u8]) -> &Path {
    Path::new(std::str::from_utf8(bytes).map_or_else(|_| OsStr::new("?"), OsStr::new))
}
