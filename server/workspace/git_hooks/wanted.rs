//! That somebody added the guard to a repository's hooks, kept in its configuration: hooks are written anew by others.

use std::path::Path;

use deconflict_platform::canonical;

use crate::Repository;
use crate::git::{GitError, Surroundings, answer, command_in, run};

const KEY: &str = "deconflict.guard";
const SECTION: &str = "deconflict";
const VARIABLE: &str = "guard";
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

/// The policy with which it was added; `None` if it was not. The configuration is read here, for verbs ask this where they
/// must not wait for git.
pub fn wanted(folder: &Path) -> Option<bool> {
    let repository = Repository::containing(&canonical(folder).ok()?).ok().flatten()?;
    repository.configuration().value(SECTION, VARIABLE).map(|said| said == DENY)
}
