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
    /// Another set-up of this user is at work.
    #[error("another setup is at work{}", description(*process, command))]
    Busy {
        /// Its process, as far as it told.
        process: Option<u32>,
        /// How it was called.
        command: String,
    },
    /// What stands at a path is not what was planned for, a moment later.
    #[error("somebody changed {} in this very moment, so it was left alone", path.display())]
    Changed {
        /// The file or link.
        path: PathBuf,
    },
    /// Where a file belongs there is a link, and what it leads to is not there.
    #[error("{} is a link that leads nowhere, so it was left alone", path.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
    },
    /// A file of the user's that has to be understood before it is touched.
    #[error("{} was left alone, because it cannot be understood: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        reason: String,
    },
    /// The record of what was set up is damaged, so nobody knows what belongs to whom.
    #[error("{} is damaged ({reason}), so it is not known what was set up here", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is the matter with it.
        reason: String,
    },
    /// Only an editor's own command can install the extension, and it is not here.
    #[error("the command {command} of {editor} is not on the PATH, and only that can install an extension")]
    NoCommand {
        /// The editor as people call it.
        editor: &'static str,
        /// The name of its command.
        command: &'static str,
    },
    /// An editor's own command did not do what it was asked to.
    #[error("{} failed ({status}): {said}", command.display())]
    Command {
        /// The editor's command.
        command: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        said: String,
    },
    /// An editor's own command did not end.
    #[error("{} did not end within {seconds} seconds", command.display())]
    Silent {
        /// The editor's command.
        command: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl Error {
    /// Makes an error of what the system said about a path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn description(process: Option<u32>, command: &str) -> String {
    process.map_or_else(String::new, |process| format!(": {command} (process {process})"))
}
