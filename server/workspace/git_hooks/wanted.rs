//! That somebody added the guard to a repository's hooks, kept in its configuration: hooks are written anew by others.

use std::path::Path;

use crate::git::{GitError, Surroundings, answer, command_in, run};

const KEY: &str = "deconflict.guard";
const DENY: &str = "deny";

/// Remembers it, with what becomes of a commit of which it cannot be told: true to hold it up.
pub fn remember(repository: &Path, deny_when_unsure: bool) -> Result<(), GitError> {
    let mut git = command_in(repository, Surroundings::OfHook);
    git.args(["config", "--local", KEY, if deny_when_unsure { DENY } else { "allow" }]);
    answer(git, "that the guard is wanted", b"").map(drop)
}

/// Forgets it.
pub fn forget(repository: &Path) -> Result<(), GitError> {
    // Git says by its exit code that there was none.
    let mut git = command_in(repository, Surroundings::OfHook);
    git.args(["config", "--local", "--unset-all", KEY]);
    run(git, b"")?;
    Ok(())
}

/// The policy with which it was added; `None` if it was not.
pub fn wanted(repository: &Path) -> Option<bool> {
    let mut git = command_in(repository, Surroundings::OfHook);
    git.args(["config", "--local", "--get", KEY]);
    answer(git, "whether the guard is wanted", b"").ok().map(|said| said.trim_ascii() == DENY.as_bytes())
}
