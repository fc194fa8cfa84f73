//! Why something could not be set up.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

/// What went wrong, with the path and the cause, in words for people.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody says whose set-up this is.
    #[error("your home directory is not known; set HOME to its absolute path")]
    NoHome,
    /// The operating system refused or failed at what was tried (`read`, `write` …) with a file or folder.
    #[error("could not {0} {1}: {2}")]
    Io(&'static str, PathBuf, #[source] io::Error),
    /// Another set-up of this user is at work: its process, as far as it told, and how it was called.
    #[error("another setup is at work{}", .0.map_or_else(String::new, |process| format!(": {} (process {process})", .1)))]
    Busy(Option<u32>, String),
    /// What stands at a path is not what was planned for, a moment later.
    #[error("somebody changed {0} at this very moment, so it was left alone")]
    Changed(PathBuf),
    /// Where a file belongs there is a link, and what it leads to is not there.
    #[error("{0} is a link that leads nowhere, so it was left alone")]
    DanglingLink(PathBuf),
    /// A file of the user's has to be understood before it is touched, and cannot be for a reason.
    #[error("{0} was left alone, because it can't be read: {1}")]
    Unreadable(PathBuf, String),
    /// The record of what was set up is damaged, for a reason, so nobody knows what belongs to whom.
    #[error("{0} is damaged ({1}), so it is not known what was set up here")]
    Record(PathBuf, String),
    /// Only an editor's own command can install the extension, and it is not here.
    #[error("the command {command} of {editor} is not on the PATH, and only that can install an extension")]
    NoCommand {
        /// The editor as people call it.
        editor: &'static str,
        /// The name of its command.
        command: &'static str,
    },
    /// An editor's own command did not do what it was asked to: how it ended, and the end of what it said.
    #[error("{0} failed ({1}): {2}")]
    Command(PathBuf, ExitStatus, String),
    /// An editor's own command did not end in so many seconds.
    #[error("{0} did not end within {1} seconds")]
    Silent(PathBuf, u64),
}

impl Error {
    /// Makes an error of what the system said about a path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl Fn(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io(action, path.clone(), source)
    }
}
