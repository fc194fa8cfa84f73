//! How a verb ends, and what it says when it could not do what was asked.

use std::error::Error;
use std::process::ExitCode;

use deconflict_changes::Error as ChangesError;
use deconflict_journal::Error as JournalError;
use deconflict_protocol::NameError;
use deconflict_protocol::text::{one_line, shell_word};
use deconflict_registry::Error as RegistryError;
pub(super) use deconflict_words::sentence;
use deconflict_words::{FEWER_OPEN_FILES, remedy};
use deconflict_workspace::committing::CommitError;
use deconflict_workspace::{DiscoveryError, GitError, NamingError};
use serde_json::{Map, Value, json};

/// How a verb ended, by its exit code; a script can always tell "refused" from "failed".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// Another session stands against it.
    Refused = 1,
    /// It was asked for something that makes no sense.
    Usage = 2,
    /// It could not tell, or could not do it.
    Failed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb failed while another process kept the lock.
const BUSY: &str = "busy";

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

    /// Another process kept the lock.
    pub(super) fn is_busy(&self) -> bool {
        self.reason == BUSY
    }

    /// It could not be told, or not be done.
    pub(crate) fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, reason, message)
    }

    /// Something on this machine kept us from doing `what`.
    pub(crate) fn could_not(what: &str, error: &dyn Error) -> Self {
        let mut message = format!("Could not {what}: {error}");
        for cause in std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string) {
            if !message.contains(&cause) {
                message.push_str(&format!(": {cause}"));
            }
        }
        Self::failed("io", message)
    }

    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn document(&self) -> Value {
        let mut document = json!({"ok": false, "reason": self.reason, "message": self.message});
        if !self.advice.is_empty() {
            document["advice"] = self.advice.clone().into();
        }
        for (name, value) in self.facts.iter() {
            document[name] = value.clone();
        }
        document
    }

    fn of(error: &dyn Error, exit: Exit, reason: &'static str, advice: Option<&str>) -> Self {
        advice.into_iter().fold(Self::new(exit, reason, sentence(&error.to_string())), Self::advise)
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
            RegistryError::SessionTaken { .. } => {
                (Exit::Refused, "session-taken", Some("Choose another id, or leave it out."))
            }
            RegistryError::Missing { .. } => (Exit::Failed, "inactive", Some("To make it: deconflict init")),
            RegistryError::TooLarge { .. } => (Exit::Usage, "too-large", remedy(&error)),
            RegistryError::ReadOnly { .. } => (Exit::Failed, "read-only", remedy(&error)),
            RegistryError::Full { .. } => (Exit::Failed, "full", remedy(&error)),
            RegistryError::TooManyFiles { .. } => (Exit::Failed, "too-many-files", remedy(&error)),
            RegistryError::Busy { .. } => (Exit::Failed, BUSY, remedy(&error)),
            RegistryError::CutOff { .. } => (Exit::Failed, "cut-off", remedy(&error)),
            RegistryError::Declined { .. } => (Exit::Failed, "team-declined", remedy(&error)),
            RegistryError::Unsafe { .. } => (Exit::Failed, "unsafe", None),
            RegistryError::Damaged { .. } => (Exit::Failed, "damaged", None),
            _ => (Exit::Failed, "io", None),
        };
        Self::of(&error, exit, reason, advice)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let (exit, reason, advice) = match &error {
            JournalError::Ambiguous(_) => (Exit::Usage, "ambiguous", Some("Write more of its name.")),
            _ => (Exit::Failed, "journal", Some("See what is kept, and where: deconflict doctor")),
        };
        Self::of(&error, exit, reason, advice)
    }
}

impl From<ChangesError> for Failure {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Journal(error) => error.into(),
            ChangesError::Registry(error) => error.into(),
            ChangesError::Git(_) => Self::of(&error, Exit::Failed, "git", None),
            ChangesError::NotKept { .. } => {
                Self::of(&error, Exit::Failed, "not-kept", Some("See what is kept: deconflict history"))
            }
            ChangesError::InTheWay { ref path } => {
                let path = shell_word(&path.display().to_string());
                let advice = format!("Move it out of the way first: mv {path} {path}.away");
                Self::of(&error, Exit::Failed, "in-the-way", Some(&advice))
            }
            ChangesError::File { .. } => Self::of(&error, Exit::Failed, "io", None),
        }
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::of(&error, Exit::Failed, "git", None)
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        let (exit, reason, advice) = match &error {
            CommitError::Git(_) => (Exit::Failed, "git", None),
            CommitError::Io { .. } | CommitError::NoWorktree(_) => (Exit::Failed, "io", None),
            CommitError::Locked(_) => (Exit::Failed, "busy", Some("If git is not running here, remove that file.")),
            CommitError::Editor(_) => (Exit::Failed, "editor", Some("Give the message on the command line: -m TEXT")),
            CommitError::UnderWay(_) => (Exit::Refused, "under-way", Some("Finish it with git, or give it up.")),
            CommitError::Hook(_) => (Exit::Refused, "hook", None),
            CommitError::NoMessage => (Exit::Refused, "no-message", Some("Give one: -m TEXT")),
            CommitError::Staged(paths) => {
                let listed = paths.iter().map(|path| path.display().to_string());
                let failure = Self::of(&error, Exit::Refused, "staged", None).fact("paths", listed.collect::<Vec<_>>());
                let lines = paths.iter().map(|path| one_line(&path.display().to_string(), 200));
                return lines
                    .fold(failure, Self::advise)
                    .advise("Commit what is staged there first, or take it out: git restore --staged PATH");
            }
        };
        Self::of(&error, exit, reason, advice)
    }
}

impl From<DiscoveryError> for Failure {
    fn from(error: DiscoveryError) -> Self {
        let (exit, reason, advice) = match &error {
            DiscoveryError::DoesNotContain { .. } => {
                (Exit::Usage, "outside-workspace", Some("Name one whose parent contains that folder."))
            }
            DiscoveryError::NoParent { .. } => (Exit::Usage, "no-directory", None),
            DiscoveryError::NotOne { .. } => {
                (Exit::Usage, "no-directory", Some("Name one, or a folder COORDINATION that is to be made."))
            }
            DiscoveryError::Unsuitable { .. } => {
                (Exit::Failed, "unsuitable", Some("If you trust it, name it with `--dir` or `DECONFLICT_DIR`."))
            }
            DiscoveryError::TooManyFiles { .. } => (Exit::Failed, "too-many-files", Some(FEWER_OPEN_FILES)),
            DiscoveryError::NoWorkspace { .. } => (Exit::Failed, "io", None),
        };
        Self::of(&error, exit, reason, advice)
    }
}

impl From<NamingError> for Failure {
    fn from(error: NamingError) -> Self {
        let (exit, reason, advice) = match &error {
            NamingError::Outside { .. } => (Exit::Usage, "outside-workspace", None),
            NamingError::IsDirectory { .. } => {
                (Exit::Usage, "is-directory", Some("Use `directory` instead of `file`."))
            }
            NamingError::IsFile { .. } => (Exit::Usage, "is-file", Some("Use `file` instead of `directory`.")),
            NamingError::DanglingLink { .. } => {
                (Exit::Usage, "dangling-link", Some("Name the file that it should lead to."))
            }
            NamingError::NotUtf8 { .. } => {
                (Exit::Usage, "not-utf8", Some("Give it a name in UTF-8; in git by: git mv OLD NEW"))
            }
            NamingError::Name(_) => (Exit::Usage, "name", None),
            NamingError::Unresolvable { .. } => (Exit::Failed, "io", None),
        };
        Self::of(&error, exit, reason, advice)
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::of(&error, Exit::Usage, "name", None)
    }
}
