//! Which branch is checked out, for whoever asks again and again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::Repository;
use super::when_written::{WhenWritten, when_written};

/// The branches of worktrees. What was read is kept until the `HEAD` it came from changes.
#[derive(Debug, Default)]
pub struct Branches(Mutex<HashMap<PathBuf, (WhenWritten, Option<String>)>>);

impl Branches {
    /// Nothing is read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The branch that is checked out, `None` if it is no branch but a commit.
    pub fn of(&self, repository: &Repository) -> Option<String> {
        let head = repository.git_directory().join("HEAD");
        let stamp = when_written(&head)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, branch)) = known.get(&head).filter(|(of, _)| *of == stamp) {
            return branch.clone();
        }
        let branch = repository.branch();
        known.insert(head, (stamp, branch.clone()));
        branch
    }
}
