//! Why no commit was made.

use std::io;
use std::path::{Path, PathBuf};

use crate::git::GitError;

/// Why no commit was made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file of git's, or one that was made for the commit, could not be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This folder is the root of no worktree.
    #[error("{} is not the root of a git worktree", .0.display())]
    NoWorktree(PathBuf),
    /// Git is in the middle of something else.
    #[error("git is in the middle of a {0} here")]
    UnderWay(&'static str),
    /// A hook of the repository's stopped it, and has said why.
    #[error("the hook {0} of this repository stopped the commit")]
    Hook(&'static str),
    /// The editor ended with an error.
    #[error("the editor `{0}` ended with an error")]
    Editor(String),
    /// Nobody wrote a message.
    #[error("the commit message is empty")]
    NoMessage,
    /// These paths have something staged that does not go together with what is committed.
    #[error("what is staged conflicts with what is being committed")]
    Staged(Vec<PathBuf>),
    /// Somebody else is writing the index.
    #[error("another git process is writing the index: {} is there", .0.display())]
    Locked(PathBuf),
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CommitError {
    move |source| CommitError::Io { action, path: path.to_owned(), source }
}
