//! Why something could not be kept or had back.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::content_id::ContentId;

/// What went wrong, with the path and the cause. None of it hinders anybody's work.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused or failed.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write` …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own reason.
        source: io::Error,
    },
    /// A content was never kept, was removed in time, or was lost.
    #[error("{} does not have the content {content} (any more)", journal.display())]
    NoContent {
        /// The journal's folder.
        journal: PathBuf,
        /// What was asked for.
        content: ContentId,
    },
    /// A content is there, but is not what it was.
    #[error("the content {content} is damaged in {}", journal.display())]
    Damaged {
        /// The journal's folder.
        journal: PathBuf,
        /// What was asked for.
        content: ContentId,
    },
    /// A larger content than is kept.
    #[error("{length} bytes are more than is kept of one file")]
    TooLarge {
        /// How long it is, in bytes.
        length: u64,
    },
    /// Bytes that were made so that others have the same name.
    #[error("the content was made to be mistaken for another one, and is not kept")]
    Collision,
    /// The beginning of an entry's name that several have.
    #[error("several entries begin with \"{0}\"")]
    Ambiguous(String),
    /// The system gives no random numbers, so an entry could not be named.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Adds what was tried, and on what, to the system's reason.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}
