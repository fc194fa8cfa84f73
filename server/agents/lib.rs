//! Coding agents take part through their hooks: one event comes in, one answer goes out, and nothing stays running.
//!
//! Each agent has a file that reads its events into one neutral [`Event`] and writes one neutral [`Answer`] in that
//! agent's documented form. What is done at which event is the same for all of them, in `desk/`. Nothing here knows how
//! a record is stored; nothing reads a process table or standard input, which is the caller's.

#![allow(clippy::format_push_string, reason = "answers are short, and read best in the order in which they are told")]

mod answer;
mod claude_code;
mod codex;
mod cursor;
mod desk;
mod event;
mod file_state;
mod gemini;
mod names;
mod opencode;
mod patch;
mod shell;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use answer::Answer;
pub use desk::{Afterwards, respond, too_late};
pub use event::{Event, Happening, Helper, Unreadable};
pub use names::session_id;
pub use words::message_line;

use deconflict_platform::Process;
use deconflict_platform::clock::Clock;
use event::Fields;

/// A coding agent whose hooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Cursor.
    Cursor,
    /// opencode, and any agent that speaks the form of our plugin for it.
    OpenCode,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ClaudeCode, Self::Codex, Self::Gemini, Self::Cursor, Self::OpenCode];

    /// What it is called on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
            Self::OpenCode => "opencode",
        }
    }

    /// Reads an event as this agent writes it; `None` for one that is nothing to us. `own_folder` is where the hook
    /// runs, for an event that doesn't say where the agent works.
    ///
    /// # Errors
    /// When it is no JSON object, or lacks what every event of this agent has.
    pub fn read(self, input: &[u8], own_folder: &Path) -> Result<Option<Event>, Unreadable> {
        let fields = Fields::parse(input)?;
        match self {
            Self::ClaudeCode => claude_code::read(&fields, own_folder),
            Self::Codex => codex::read(&fields, own_folder),
            Self::Gemini => gemini::read(&fields, own_folder),
            Self::Cursor => cursor::read(&fields, own_folder),
            Self::OpenCode => opencode::read(&fields, own_folder),
        }
    }

    /// True if an answer to an event of this name can say something to the model, as far as the agent's documentation
    /// promises. What cannot be said there has to wait for an event that can.
    pub fn takes_context(self, event: &str) -> bool {
        match self {
            Self::ClaudeCode => claude_code::takes_context(event),
            Self::Codex => codex::takes_context(event),
            Self::Gemini => gemini::takes_context(event),
            Self::Cursor => cursor::takes_context(event),
            // Its plugin keeps a text until it can say it.
            Self::OpenCode => true,
        }
    }

    /// True if its sub-agents work in sessions of their own that don't say who started them.
    fn hides_parents(self) -> bool {
        self == Self::Cursor
    }

    /// Writes the answer to an event of this name as this agent expects it on standard output; it may be empty.
    pub fn write(self, event: &str, answer: &Answer) -> String {
        match self {
            Self::ClaudeCode => claude_code::write(event, answer),
            Self::Codex => codex::write(event, answer),
            Self::Gemini => gemini::write(event, answer),
            Self::Cursor => cursor::write(event, answer),
            Self::OpenCode => opencode::write(answer),
        }
    }
}

/// What is done where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A shell command that would touch what another session holds.
    pub shell: ShellPolicy,
    /// An edit of which nobody can tell whether it touches what another session holds.
    pub when_unsure: UnsurePolicy,
}

/// What becomes of a shell command that would touch what another session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellPolicy {
    /// It is refused.
    Deny,
    /// It runs, and the model and the user are told.
    Warn,
    /// Commands are not looked at.
    Off,
}

/// What becomes of an edit when it cannot be told whether somebody holds the file. It is never silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsurePolicy {
    /// It is made, with a warning.
    Allow,
    /// It is refused.
    Deny,
}

/// The processes behind an agent's hook.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// The agent's own process, whose end is the end of its session. `None` if it cannot be told for sure.
    pub agent: Option<Process>,
    /// The editor in which the agent runs.
    pub editor: Option<u32>,
}

/// What an answer depends on besides the event.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Which agent it is.
    pub agent: Agent,
    /// What is done where there is a choice.
    pub policy: Policy,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The coordination directory that the caller names.
    pub named_directory: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Looks for the processes behind the hook. It is asked only where a session begins or goes on.
    pub processes: fn(Agent) -> Processes,
}
