//! What a repository is known by on every machine: the commit with which its history began.

use std::path::Path;

use super::git::{self, GitError, Surroundings};

/// Where a history began, as far as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCommit {
    /// With this commit: of several the oldest.
    Known(String),
    /// Nobody has committed anything yet.
    Nothing,
    /// Only its end is here, in a shallow clone.
    Shallow,
}

impl RootCommit {
    /// That of the repository at this root. Git reads its whole history.
    pub fn of(root: &Path) -> Result<Self, GitError> {
        let ask = |arguments: &[&str]| {
            let mut command = git::command_in(root, Surroundings::Own);
            command.args(arguments);
            let answer = git::answer(command, "with which commit the history began", b"")?;
            Ok::<_, GitError>(String::from_utf8_lossy(&answer).trim().to_owned())
        };
        if ask(&["rev-parse", "--is-shallow-repository"])? == "true" {
            return Ok(Self::Shallow);
        }
        // What hangs on no branch, such as notes, begins later.
        let roots = ask(&["rev-list", "--max-parents=0", "--date-order", "--all"])?;
        Ok(roots.lines().last().map_or(Self::Nothing, |oldest| Self::Known(oldest.to_owned())))
    }
}
