//! Coding agents take part through their hooks: one event comes in, one answer goes out, and nothing stays running.
//!
//! Each agent has a file that reads its events into one neutral [`HookEvent`] and writes one neutral [`Answer`] in that
//! agent's documented form. What is done at which event is the same for all of them, in `handlers/`. Nothing here knows
//! how a record is stored; nothing reads a process table or standard input, which is the caller's.

#![allow(clippy::format_push_string, reason = "answers are short, and read best in the order in which they are told")]

mod agent;
mod answer;
mod claude_code;
mod codex;
mod cursor;
mod event;
mod file_state;
mod gemini;
mod handlers;
mod hook_state;
mod names;
mod opencode;
mod patch;
mod shell;
mod surroundings;
mod words;

pub use agent::{AGENTS, Agent, agent_of_program, agent_of_script, agent_of_variable, is_agent_name};
pub use answer::Answer;
pub use deconflict_changes::NoTeam;
pub use event::{EventKind, ExpectedSubAgent, HookEvent, SubAgent, Unreadable};
pub use handlers::{FollowUp, respond, too_late};
pub use hook_state::staged_by_name;
pub use names::{is_session_of, session_id, session_of_variable};
pub use surroundings::{AgentWindow, HookPolicy, Processes, ShellPolicy, Surroundings, UnsurePolicy};
pub use words::message_line;
