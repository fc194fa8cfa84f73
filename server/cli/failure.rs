//! How a verb ends, and what it says when it could not do what was asked.

use std::error::Error;
use std::process::ExitCode;

use deconflict_protocol::{DIRECTORY_NAME, NameError};
use deconflict_registry::Error as RegistryError;
pub(super) use deconflict_words::sentence;
use deconflict_words::{FEWER_OPEN_FILES, remedy};
use deconflict_workspace::{DiscoveryError, NamingError};
use serde_json::{Map, Value};

/// How a verb ended; a script can always tell "refused" from "failed".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// Another session stands against it.
    Refused,
    /// It was asked for something that makes no sense.
    Usage,
    /// It could not tell, or could not do it.
    Failed,
}

impl Exit {
    /// The code that the process ends with.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Failed => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb did not do what was asked, for people and for programs.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) exit: Exit,
    /// One word for programs; it never changes.
    pub(super) reason: &'static str,
    /// What is the matter, in whole sentences.
    pub(super) message: String,
    /// What can be done next, a line each.
    pub(super) advice: Vec<String>,
    /// More facts for programs.
    pub(super) facts: Box<Map<String, Value>>,
}

impl Failure {
    /// Another session stands against it.
    pub(crate) fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, reason, message)
    }

    /// The command line asks for something that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// It could not be told, or not be done.
    pub(crate) fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, reason, message)
    }

    /// Something on this machine kept us from doing `what`.
    pub(crate) fn could_not(what: &str, error: &dyn Error) -> Self {
        let mut message = format!("Could not {what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::failed("io", message)
    }

    /// Gives the word for programs.
    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// Adds something that can be done next.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Adds a fact for programs.
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// The document for programs.
    pub(super) fn document(&self) -> Value {
        let mut document = Map::new();
        document.insert("ok".to_owned(), false.into());
        document.insert("reason".to_owned(), self.reason.into());
        document.insert("message".to_owned(), self.message.clone().into());
        if !self.advice.is_empty() {
            document.insert("advice".to_owned(), self.advice.clone().into());
        }
        document.extend(self.facts.as_ref().clone());
        Value::Object(document)
    }

    fn new(exit: Exit, reason: &'static str, message: impl Into<String>) -> Self {
        Self { exit, reason, message: message.into(), advice: Vec::new(), facts: Box::default() }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let (exit, reason, advice) = match &error {
            RegistryError::Name(_) => (Exit::Usage, "name", None),
            RegistryError::UnknownSession { .. } => {
                (Exit::Usage, "unknown-session", Some("Who is here: deconflict status"))
            }
            RegistryError::EndedSession { .. } => {
                (Exit::Usage, "ended-session", Some("Begin a new one: deconflict start"))
            }
            RegistryError::SessionTaken { .. } => (Exit::Refused, "session-taken", Some("Choose another id, or none.")),
            RegistryError::Missing { .. } => (Exit::Failed, "inactive", Some("To make it: deconflict init")),
            RegistryError::TooLarge { .. } => (Exit::Usage, "too-large", remedy(&error)),
            RegistryError::ReadOnly { .. } => (Exit::Failed, "read-only", remedy(&error)),
            RegistryError::Full { .. } => (Exit::Failed, "full", remedy(&error)),
            RegistryError::TooManyFiles { .. } => (Exit::Failed, "too-many-files", remedy(&error)),
            RegistryError::Busy { .. } => (Exit::Failed, "busy", remedy(&error)),
            RegistryError::Unsafe { .. } => (Exit::Failed, "unsafe", None),
            RegistryError::Damaged { .. } => (Exit::Failed, "damaged", None),
            _ => (Exit::Failed, "io", None),
        };
        let failure = Self::new(exit, reason, sentence(&error.to_string()));
        advice.into_iter().fold(failure, Self::advise)
    }
}

impl From<DiscoveryError> for Failure {
    fn from(error: DiscoveryError) -> Self {
        let (exit, reason) = match &error {
            DiscoveryError::DoesNotContain { .. } => (Exit::Usage, "outside-workspace"),
            DiscoveryError::NoParent { .. } | DiscoveryError::NotOne { .. } => (Exit::Usage, "no-directory"),
            DiscoveryError::Unsuitable { .. } => (Exit::Failed, "unsuitable"),
            DiscoveryError::TooManyFiles { .. } => (Exit::Failed, "too-many-files"),
            DiscoveryError::NoWorkspace { .. } => (Exit::Failed, "io"),
        };
        let failure = Self::new(exit, reason, sentence(&error.to_string()));
        match error {
            DiscoveryError::Unsuitable { .. } => {
                failure.advise("If you trust it, name it with `--dir` or `DECONFLICT_DIR`.")
            }
            DiscoveryError::DoesNotContain { .. } => failure.advise("Name one whose parent contains that folder."),
            DiscoveryError::NotOne { .. } => {
                failure.advise(format!("Name one, or a folder {DIRECTORY_NAME} that is to be made."))
            }
            DiscoveryError::TooManyFiles { .. } => failure.advise(FEWER_OPEN_FILES),
            DiscoveryError::NoParent { .. } | DiscoveryError::NoWorkspace { .. } => failure,
        }
    }
}

impl From<NamingError> for Failure {
    fn from(error: NamingError) -> Self {
        let (exit, reason) = match &error {
            NamingError::Outside { .. } => (Exit::Usage, "outside-workspace"),
            NamingError::IsDirectory { .. } => (Exit::Usage, "is-directory"),
            NamingError::IsFile { .. } => (Exit::Usage, "is-file"),
            NamingError::DanglingLink { .. } => (Exit::Usage, "dangling-link"),
            NamingError::NotUtf8 { .. } => (Exit::Usage, "not-utf8"),
            NamingError::Name(_) => (Exit::Usage, "name"),
            NamingError::Unresolvable { .. } => (Exit::Failed, "io"),
        };
        let failure = Self::new(exit, reason, sentence(&error.to_string()));
        match error {
            NamingError::IsDirectory { .. } => failure.advise("Use `directory` instead of `file`."),
            NamingError::IsFile { .. } => failure.advise("Use `file` instead of `directory`."),
            NamingError::DanglingLink { .. } => failure.advise("Name the file that it should lead to."),
            _ => failure,
        }
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::new(Exit::Usage, "name", sentence(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_went_wrong_and_what_helps_are_told_apart() {
        let (directory, source) = (PathBuf::from("/x"), || io::Error::other("no"));
        let id = deconflict_protocol::SessionId::foreign("ada").unwrap();
        for (error, message, advice) in [
            (RegistryError::Missing { directory: directory.clone() }, "There is no ", "deconflict init"),
            (RegistryError::EndedSession { id: id.clone() }, "Session ada has ended.", "deconflict start"),
            (RegistryError::UnknownSession { id: id.clone() }, "No session is called ada", "deconflict status"),
            (RegistryError::SessionTaken { id }, "There is already", "Choose another id"),
            (RegistryError::ReadOnly { directory: directory.clone(), source: source() }, "/x cannot be", "permissions"),
            (RegistryError::Full { directory: directory.clone(), source: source() }, "The disk ", "Make room"),
            (RegistryError::TooManyFiles { path: directory.clone(), source: source() }, "The coordination", "ulimit"),
            (RegistryError::Busy { path: directory, holder: None }, "/x has been locked", "Try again"),
            (RegistryError::TooLarge { size: 2 << 20 }, "The message is", "Send a shorter one"),
        ] {
            let failure = Failure::from(error);
            assert!(failure.message.starts_with(message) && failure.message.ends_with('.'), "{failure:?}");
            assert!(failure.advice.concat().contains(advice), "{failure:?}");
            assert!(!failure.message.contains(advice), "{failure:?}");
        }
    }
}
