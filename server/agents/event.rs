//! What happened in a coding agent, the same for all of them, and reading it from their JSON.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEvent {
    /// The agent's own name of the event; its answer has to repeat it.
    pub name: String,
    /// The agent's own id of the session.
    pub session: String,
    /// The sub-agent in which it happened, if it was in one.
    pub sub_agent: Option<SubAgent>,
    /// The folder that the agent works in. Relative paths count from it.
    pub folder: PathBuf,
    /// What happened.
    pub kind: EventKind,
}

/// A sub-agent: a part of a session that works by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAgent {
    /// The agent's own id of it.
    pub id: String,
    /// What kind it is, such as `Explore`.
    pub kind: Option<String>,
}

/// A sub-agent that was started, and whose session is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedSubAgent {
    /// The agent's own id of it, which that session doesn't know.
    pub id: String,
    /// What kind it is.
    pub kind: Option<String>,
    /// False while a tool was only asked to start it.
    pub has_begun: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A session began, was resumed or starts over.
    SessionStarted,
    /// The user said something.
    Prompted,
    /// A tool is about to change, make, move or delete these files.
    BeforeEdit(Vec<PathBuf>),
    /// A shell command is about to run in this folder.
    BeforeCommand {
        /// The command line.
        command: String,
        /// Where it runs.
        folder: PathBuf,
    },
    /// A tool changed these files.
    AfterEdit(Vec<PathBuf>),
    /// A shell command ended.
    AfterCommand {
        /// The command line, where that is told again.
        command: String,
    },
    /// A tool read these files.
    AfterRead(Vec<PathBuf>),
    /// The agent wants the variables of its shell.
    ShellStarted,
    /// The agent's turn ended.
    TurnEnded,
    /// A sub-agent began.
    SubAgentStarted,
    /// A sub-agent is done.
    SubAgentEnded,
    /// A sub-agent is about to work in a session of its own, whose events don't say who started it.
    SubAgentExpected(ExpectedSubAgent),
    /// Such a sub-agent is done.
    SubAgentDone {
        /// The agent's own id of it, where that is told.
        id: Option<String>,
        /// The agent's own id of the session that it worked in, where that is told.
        session: Option<String>,
        /// True if only the tool that was asked to start it has ended; the sub-agent may work on without it.
        is_tools_end: bool,
    },
    /// The session ended.
    SessionEnded,
}

/// Why an event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON object.
    #[error("the event on standard input is not a JSON object: {0}")]
    NotJson(String),
    /// Something that every event has is missing.
    #[error("the event on standard input has no `{0}`")]
    Missing(&'static str),
}

/// What a tool does, before and after it runs.
pub(super) enum ToolUse {
    Edit(Vec<PathBuf>),
    Command { command: String, folder: PathBuf },
    Read(Vec<PathBuf>),
}

impl ToolUse {
    pub(super) fn before(self) -> Option<EventKind> {
        match self {
            Self::Edit(paths) => Some(EventKind::BeforeEdit(paths)),
            Self::Command { command, folder } => Some(EventKind::BeforeCommand { command, folder }),
            Self::Read(_) => None,
        }
    }

    pub(super) fn after(self) -> EventKind {
        match self {
            Self::Edit(paths) => EventKind::AfterEdit(paths),
            Self::Command { command, .. } => EventKind::AfterCommand { command },
            Self::Read(paths) => EventKind::AfterRead(paths),
        }
    }

    /// A command that failed may have changed files before it did.
    pub(super) fn failed(self) -> Option<EventKind> {
        matches!(self, Self::Command { .. }).then(|| self.after())
    }
}

/// The fields of an event. What is missing, or of another type than it should be, is not there.
#[derive(Debug, Clone)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an event as it came.
    pub(super) fn parse(input: &[u8]) -> Result<Self, Unreadable> {
        // Some systems put a byte-order mark before the first brace.
        let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
        match serde_json::from_slice(input) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Unreadable::NotJson("it is another JSON value".to_owned())),
            Err(error) => Err(Unreadable::NotJson(error.to_string())),
        }
    }

    /// The event, with what `kind` makes of its name; `None` for one that is nothing to us. The first of the names of a
    /// session's field is the usual one.
    pub(super) fn event(
        &self,
        name: &'static str,
        session: &[&'static str],
        folder: &Path,
        kind: impl FnOnce(&str) -> Option<EventKind>,
    ) -> Result<Option<HookEvent>, Unreadable> {
        let name = self.text(name).ok_or(Unreadable::Missing(name))?;
        let Some(kind) = kind(name) else { return Ok(None) };
        let session = self.first_text(session).ok_or(Unreadable::Missing(session[0]))?.to_owned();
        Ok(Some(HookEvent { name: name.to_owned(), session, sub_agent: None, folder: folder.to_owned(), kind }))
    }

    /// A command line, and where it runs: what the arguments say, else the agent's folder.
    pub(super) fn command(&self, command: &[&str], folders: &[&str], folder: &Path) -> ToolUse {
        let command = self.first_text(command).unwrap_or_default().to_owned();
        ToolUse::Command { command, folder: self.folder(folders, folder) }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The first of these that is there.
    pub(super) fn first_text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).filter(|text| !text.is_empty()).collect()
    }

    /// An object; empty if there is none. Some agents write it as a text that holds JSON.
    pub(super) fn object(&self, name: &str) -> Self {
        match self.0.get(name) {
            Some(Value::Object(fields)) => Self(fields.clone()),
            Some(Value::String(text)) => Self::parse(text.as_bytes()).unwrap_or_else(|_| Self(Map::new())),
            _ => Self(Map::new()),
        }
    }

    /// The objects of a list.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_object).map(|fields| Self(fields.clone())).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// The folder that the agent works in: what the event says, else the hook's own.
    pub(super) fn folder(&self, names: &[&str], own: &Path) -> PathBuf {
        self.first_text(names).map_or_else(|| own.to_owned(), |folder| own.join(folder))
    }

    /// The paths that a tool's arguments name, seen from a folder.
    pub(super) fn paths(&self, names: &[&str], folder: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for name in names {
            for path in self.text(name).into_iter().chain(self.texts(name)) {
                let path = folder.join(path);
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }
}
