//! Why a verb of the registry could not be carried out. A refusal is no error: it is an outcome.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::store::Key;
use deconflict_platform as platform;
use deconflict_protocol::{NameError, RecordError, SessionId};

/// What went wrong, with the path and the cause, in words for people.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no coordination directory.
    #[error("there is no coordination directory at {}", directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
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
    /// The directory can be read, but not written.
    #[error(
        "{} cannot be written ({source}), so nothing can be claimed or sent",
        directory.display()
    )]
    ReadOnly {
        /// The coordination directory.
        directory: PathBuf,
        /// The system's own reason.
        source: io::Error,
    },
    /// There is no room for another record.
    #[error("the disk that holds {} is full ({source}), so nothing can be claimed or sent", directory.display())]
    Full {
        /// The coordination directory.
        directory: PathBuf,
        /// The system's own reason.
        source: io::Error,
    },
    /// This process or the whole system has too many files open.
    #[error("the coordination directory could not be read, because too many files are open ({source})")]
    TooManyFiles {
        /// The file or folder.
        path: PathBuf,
        /// The system's own reason.
        source: io::Error,
    },
    /// Another process kept the lock for over 2 seconds.
    #[error(
        "{} has been locked by another process{} for over 2 seconds",
        path.display(),
        holder.as_ref().map_or_else(String::new, |holder| format!(" ({holder})"))
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where the system tells.
        holder: Option<String>,
    },
    /// Something wrote there again and again while it was decided what to write.
    #[error("other programs went on writing there for over 2 seconds")]
    Contended,
    /// The team's registry gave no answer in time, or cannot be reached. Whatever was to be written may have been written.
    #[error("the team's etcd at {place} gave no answer: {reason}")]
    CutOff {
        /// The address.
        place: String,
        /// What happened to the question.
        reason: String,
    },
    /// The team's registry answered, and would not do it.
    #[error("the team's etcd at {place} did not do it: {reason}")]
    Declined {
        /// The address.
        place: String,
        /// Its own reason.
        reason: String,
    },
    /// A claim was gone as soon as it was written, because somebody takes no lock.
    #[error("the record {key} was removed as soon as it was written")]
    Vanished {
        /// The record.
        key: Key,
    },
    /// Something that a record must not be: a link, a device, a huge file.
    #[error("{} was left alone: {reason}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        reason: &'static str,
    },
    /// A record that cannot be understood.
    #[error("the record {key} is damaged: {source}")]
    Damaged {
        /// The record.
        key: Key,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A record that cannot be written as JSON.
    #[error("the record {key} could not be put into words: {source}")]
    Unwritable {
        /// The record.
        key: Key,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A new record that cannot be written as JSON.
    #[error("a record could not be put into words: {0}")]
    Wordless(#[source] RecordError),
    /// A name that cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No session has this id.
    #[error("no session is called {id} here")]
    UnknownSession {
        /// The id that was asked for.
        id: SessionId,
    },
    /// The session has ended.
    #[error("session {id} has ended")]
    EndedSession {
        /// The id that was asked for.
        id: SessionId,
    },
    /// The id belongs to a session already.
    #[error("there is already a session called {id}")]
    SessionTaken {
        /// The id that was asked for.
        id: SessionId,
    },
    /// A message that is too long to be read again.
    #[error("the message is {size} bytes long; the limit is 1 MiB")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The system has no randomness to give.
    #[error("the system gave no random numbers: {0}")]
    NoRandomness(String),
    /// The system has no thread to give.
    #[error("the system gave no thread to watch with: {0}")]
    NoThread(#[source] io::Error),
    /// The directory cannot be watched.
    #[error("{} cannot be watched ({reason}); it is checked every few seconds instead", path.display())]
    Unwatchable {
        /// The folder.
        path: PathBuf,
        /// The system's own reason.
        reason: String,
    },
}

impl Error {
    /// True if a session's record is gone or cannot be understood, which its owner puts right by going on with it
    /// ([`Registry::resume`](super::Registry::resume)).
    pub fn is_about_record_of(&self, session: &SessionId) -> bool {
        match self {
            Self::UnknownSession { id } | Self::Damaged { key: Key::Session(id), .. } => id == session,
            _ => false,
        }
    }

    /// True for what keeps a verb from writing now and may be over in a while, so that whoever waits goes on waiting.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Contended
            | Self::CutOff { .. }
            | Self::Full { .. }
            | Self::TooManyFiles { .. } => true,
            // The directory is being deleted, and will be made again.
            _ => self.is_not_found(),
        }
    }

    /// True if a file or folder was not there that there is in every directory.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// For `map_err` after a call to the operating system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            if platform::means_too_many_files(&source) {
                Self::TooManyFiles { path, source }
            } else {
                Self::Io { action, path, source }
            }
        }
    }
}
