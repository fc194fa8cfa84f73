//! How a verb ends, and what it says when it could not do what was asked.

use std::error::Error;
use std::process::ExitCode;

use deconflict_protocol::NameError;
use deconflict_registry::Error as RegistryError;
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
        let (exit, reason) = match &error {
            RegistryError::Name(_) => (Exit::Usage, "name"),
            RegistryError::UnknownSession { .. } => (Exit::Usage, "unknown-session"),
            RegistryError::EndedSession { .. } => (Exit::Usage, "ended-session"),
            RegistryError::TooLarge { .. } => (Exit::Usage, "too-large"),
            RegistryError::SessionTaken { .. } => (Exit::Refused, "session-taken"),
            RegistryError::Missing { .. } => (Exit::Failed, "inactive"),
            RegistryError::ReadOnly { .. } => (Exit::Failed, "read-only"),
            RegistryError::Full { .. } => (Exit::Failed, "full"),
            RegistryError::TooManyFiles { .. } => (Exit::Failed, "too-many-files"),
            RegistryError::Busy { .. } => (Exit::Failed, "busy"),
            RegistryError::Unsafe { .. } => (Exit::Failed, "unsafe"),
            RegistryError::Damaged { .. } => (Exit::Failed, "damaged"),
            _ => (Exit::Failed, "io"),
        };
        Self::new(exit, reason, sentence(&error.to_string()))
    }
}

impl From<DiscoveryError> for Failure {
    fn from(error: DiscoveryError) -> Self {
        let (exit, reason) = match &error {
            DiscoveryError::DoesNotContain { .. } => (Exit::Usage, "outside-workspace"),
            DiscoveryError::NoParent { .. } | DiscoveryError::NotOne { .. } => (Exit::Usage, "no-directory"),
            DiscoveryError::Unsuitable { .. } => (Exit::Failed, "unsuitable"),
            DiscoveryError::NoWorkspace { .. } => (Exit::Failed, "io"),
        };
        let advice = match error {
            DiscoveryError::Unsuitable { .. } => " If you trust it, name it with `--dir` or `DECONFLICT_DIR`.",
            _ => "",
        };
        Self::new(exit, reason, sentence(&error.to_string()) + advice)
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
        Self::new(exit, reason, sentence(&error.to_string()))
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::new(Exit::Usage, "name", sentence(&error.to_string()))
    }
}

/// Makes a sentence of an error's words: a capital at its beginning, unless that is a path, and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let first_word = words.split_whitespace().next().unwrap_or_default();
    let starts_with_a_word = !first_word.is_empty() && first_word.chars().all(|c| c.is_ascii_lowercase());
    let mut sentence = words.to_owned();
    if starts_with_a_word {
        sentence[..1].make_ascii_uppercase();
    }
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_sentences() {
        for (words, expected) in [
            ("could not read a: no", "Could not read a: no."),
            ("/a/b is a file", "/a/b is a file."),
            ("is this it?", "Is this it?"),
            ("src/a is a file", "src/a is a file."),
        ] {
            assert_eq!(sentence(words), expected);
        }
    }
}
