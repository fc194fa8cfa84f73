//! The coding agents: each is a file that reads its events and writes its answers.

use std::path::Path;

use super::answer::Answer;
use super::event::{Fields, HookEvent, Unreadable};
use super::{claude_code, codex, cursor, gemini, opencode};

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
    pub fn read(self, input: &[u8], own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
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
    pub(super) fn hides_parents(self) -> bool {
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
