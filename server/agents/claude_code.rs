//! Claude Code (code.claude.com/docs/en/hooks): `hook_event_name`, tools with `file_path`, decisions in
//! `hookSpecificOutput`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::event::{EventKind, Fields, HookEvent, SubAgent, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "notebook_path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    // Cursor runs the hooks of Claude Code too. It has its own, which know its tools.
    if fields.has("cursor_version") {
        return Ok(None);
    }
    read_as(fields, own_folder, used)
}

/// Writes an answer; empty if there is nothing to say.
pub(super) fn write(event: &str, answer: &Answer) -> String {
    write_as(event, answer, takes_context(event))
}

/// True if an answer to this event can say something to the model.
pub(super) fn takes_context(event: &str) -> bool {
    matches!(
        event,
        "SessionStart" | "UserPromptSubmit" | "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "SubagentStart"
    )
}

/// What is done with a tool, before and after it runs.
pub(super) enum Use {
    Edit(Vec<PathBuf>),
    Command(String),
    Read(Vec<PathBuf>),
    Nothing,
}

fn used(tool: &str, input: &Fields, folder: &Path) -> Use {
    match tool {
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => Use::Edit(input.paths(PATHS, folder)),
        "Read" => Use::Read(input.paths(PATHS, folder)),
        "Bash" => input.text("command").map_or(Use::Nothing, |command| Use::Command(command.to_owned())),
        // Its commands are not read, but they may change files.
        "PowerShell" => Use::Command(String::new()),
        _ => Use::Nothing,
    }
}

/// Reads an event of an agent whose hooks have this shape. `used` says what a tool does.
pub(super) fn read_as(
    fields: &Fields,
    own_folder: &Path,
    used: fn(&str, &Fields, &Path) -> Use,
) -> Result<Option<HookEvent>, Unreadable> {
    let name = fields.text("hook_event_name").ok_or(Unreadable::Missing("hook_event_name"))?;
    let folder = fields.folder(&["cwd"], own_folder);
    let tool = || used(fields.text("tool_name").unwrap_or_default(), &fields.object("tool_input"), &folder);
    let kind = match name {
        "SessionStart" => EventKind::SessionStarted,
        "UserPromptSubmit" => EventKind::Prompted,
        "PreToolUse" => match tool() {
            Use::Edit(paths) => EventKind::BeforeEdit(paths),
            Use::Command(command) => EventKind::BeforeCommand { command, folder: folder.clone() },
            Use::Read(_) | Use::Nothing => return Ok(None),
        },
        "PostToolUse" => match tool() {
            Use::Edit(paths) => EventKind::AfterEdit(paths),
            Use::Command(_) => EventKind::AfterCommand,
            Use::Read(paths) => EventKind::AfterRead(paths),
            Use::Nothing => return Ok(None),
        },
        // A command that failed may have changed files before it did.
        "PostToolUseFailure" => match tool() {
            Use::Command(_) => EventKind::AfterCommand,
            _ => return Ok(None),
        },
        "SubagentStart" => EventKind::SubAgentStarted,
        "SubagentStop" => EventKind::SubAgentEnded,
        // Nothing tells of a turn that its user interrupted, but after a while that the agent waits for its user.
        "Notification" if fields.text("notification_type") == Some("idle_prompt") => EventKind::TurnEnded,
        "Stop" | "StopFailure" | "Interrupt" => EventKind::TurnEnded,
        "SessionEnd" => EventKind::SessionEnded,
        _ => return Ok(None),
    };
    let sub_agent = fields
        .text("agent_id")
        .map(|id| SubAgent { id: id.to_owned(), kind: fields.text("agent_type").map(str::to_owned) });
    if sub_agent.is_none() && matches!(kind, EventKind::SubAgentStarted | EventKind::SubAgentEnded) {
        return Ok(None);
    }
    let session = fields.text("session_id").ok_or(Unreadable::Missing("session_id"))?.to_owned();
    Ok(Some(HookEvent { name: name.to_owned(), session, sub_agent, folder, kind }))
}

/// Writes an answer of this shape.
pub(super) fn write_as(event: &str, answer: &Answer, takes_context: bool) -> String {
    let mut specific = Map::new();
    if let Some(reason) = &answer.refusal {
        specific.insert("permissionDecision".to_owned(), "deny".into());
        specific.insert("permissionDecisionReason".to_owned(), reason.as_str().into());
    }
    if let Some(context) = answer.context().filter(|_| takes_context) {
        specific.insert("additionalContext".to_owned(), context.into());
    }
    let mut output = Map::new();
    if let Some(notice) = &answer.notice {
        output.insert("systemMessage".to_owned(), notice.as_str().into());
    }
    if !specific.is_empty() {
        let mut named = json!({ "hookEventName": event });
        if let Value::Object(named) = &mut named {
            named.extend(specific);
        }
        output.insert("hookSpecificOutput".to_owned(), named);
    }
    if output.is_empty() { String::new() } else { Value::Object(output).to_string() }
}
