//! Running git, for what is not read from its files here.
//!
//! Git is asked only for plain facts, with commands that run no program from anyone's configuration: no filter, no
//! external or converting diff, no hook, no monitor, no fetch of missing objects. Only where a user commits something,
//! takes it back or asks whose its lines are does git what that user has configured ([`Surroundings::OfUser`]). Whoever calls
//! waits for git, so an editor's loop does it from a thread of its own, and nobody does it on the way to a claim.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Output, Stdio};
use std::thread;

/// Why git's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git is not there.
    #[error("could not run git: {0}")]
    NoGit(#[from] io::Error),
    /// Git failed at what was asked, and said why.
    #[error("git could not tell {0}: {1}")]
    Failed(&'static str, String),
    /// Git answered in a form that is not known here to this question.
    #[error("git's answer about {0} could not be understood")]
    NotUnderstood(&'static str),
}

/// Git knows this as the empty file on every system.
pub(super) const NOTHING: &str = "/dev/null";

/// How much of the caller's `GIT_…` variables reaches git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// None: answers must not depend on what the caller's environment points git to.
    Own,
    /// Those that say which repository and which index are meant, as git sets them for a hook.
    OfHook,
    /// All others, and the user's language: git does something of the user's, as they have it configured. Which
    /// repository and which index are meant is for the caller to say.
    OfUser,
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
    if surroundings != Surroundings::OfUser {
        let only_read = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_NO_LAZY_FETCH", "1")];
        git.envs(only_read).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    }
    git
}

/// A git command in a folder of the repository that it is about, which runs neither a monitor nor a hook.
pub(super) fn command_in(folder: &Path, surroundings: Surroundings) -> Command {
    let mut git = command(surroundings);
    git.current_dir(folder).args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
    git
}

fn is_passed_on(name: &str, surroundings: Surroundings) -> bool {
    match surroundings {
        Surroundings::Own => false,
        // Where its configuration is also says which repositories git trusts.
        Surroundings::OfHook => OF_HOOK.contains(&name) || name.starts_with("GIT_CONFIG"),
        Surroundings::OfUser => !OF_HOOK.contains(&name) && name != "GIT_PREFIX",
    }
}

/// What git prints, if it succeeds, with this standard input. `what` says what is asked.
pub(super) fn answer(git: Command, what: &'static str, input: &[u8]) -> Result<Vec<u8>, GitError> {
    let output = run(git, input)?;
    if output.status.success() { Ok(output.stdout) } else { Err(failed(what, &output)) }
}

/// The error of a command that failed.
pub(super) fn failed(what: &'static str, output: &Output) -> GitError {
    GitError::Failed(what, String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Runs git to its end with this standard input.
pub(super) fn run(mut git: Command, input: &[u8]) -> io::Result<Output> {
    if input.is_empty() {
        return git.stdin(Stdio::null()).output();
    }
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

/// Reads what git prints while it prints it, so that not all of it need be kept. What is left unread is not waited for.
pub(super) fn stream<T>(
    mut git: Command,
    what: &'static str,
    input: &[u8],
    read: impl FnOnce(&mut BufReader<ChildStdout>) -> io::Result<T>,
) -> Result<T, GitError> {
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (result, said) = thread::scope(|scope| {
        // Git may answer, and say what is wrong, before it has read everything.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // If git ends early it says why, which is better than a broken pipe.
                let _ = stdin.write_all(input);
            }
        });
        let said = scope.spawn(move || {
            let mut said = String::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.read_to_string(&mut said);
            }
            said
        });
        let result =
            stdout.ok_or_else(|| io::ErrorKind::BrokenPipe.into()).and_then(|out| read(&mut BufReader::new(out)));
        (result, said.join().unwrap_or_default())
    });
    let status = child.wait()?;
    let result = result?;
    if status.success() { Ok(result) } else { Err(GitError::Failed(what, said.trim().to_owned())) }
}

/// A path as git prints it with `-z`: bytes on Unix, UTF-8 elsewhere, where what is none leads nowhere.
pub(super) fn path_from(bytes: &[u8]) -> &Path {
    #[cfg(unix)]
    return Path::new(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes));
    #[cfg(not(unix))]
    return Path::new(std::str::from_utf8(bytes).map_or_else(|_| OsStr::new("?"), OsStr::new));
}
