//! Claude Code (code.claude.com/docs/en/hooks): `hook_event_name`, tools with `file_path`, decisions in
//! `hookSpecificOutput`.

use std::path::Path;

use serde_json::Value;

use super::answer::{Answer, object};
use super::event::{EventKind, Fields, HookEvent, SubAgent, ToolUse, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "notebook_path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    // Cursor runs the hooks of Claude Code too. It has its own, which know its tools.
    if fields.has("cursor_version") { Ok(None) } else { read_as(fields, own_folder, tool_use) }
}

fn tool_use(tool: &str, input: &Fields, folder: &Path) -> Option<ToolUse> {
    match tool {
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => Some(ToolUse::Edit(input.paths(PATHS, folder))),
        "Read" => Some(ToolUse::Read(input.paths(PATHS, folder))),
        // A monitor's command goes on beside all others; a monitor of something else has none.
        "Bash" | "Monitor" => input.text("command").map(|_| input.command(&["command"], &[], folder)),
        // Its commands are not read, but they may change files.
        "PowerShell" => Some(input.command(&[], &[], folder)),
        _ => None,
    }
}

/// Reads an event of an agent whose hooks have this shape. `tool_use` says what a tool does.
pub(super) fn read_as(
    fields: &Fields,
    own_folder: &Path,
    tool_use: fn(&str, &Fields, &Path) -> Option<ToolUse>,
) -> Result<Option<HookEvent>, Unreadable> {
    let folder = fields.folder(&["cwd"], own_folder);
    let tool = || tool_use(fields.text("tool_name").unwrap_or_default(), &fields.object("tool_input"), &folder);
    let sub_agent = fields
        .text("agent_id")
        .map(|id| SubAgent { id: id.to_owned(), kind: fields.text("agent_type").map(str::to_owned) });
    let kind = |name: &str| match name {
        "SessionStart" => Some(EventKind::SessionStarted),
        "UserPromptSubmit" => Some(EventKind::Prompted),
        "PreToolUse" => tool()?.before(),
        "PostToolUse" => Some(tool()?.after()),
        "PostToolUseFailure" => tool()?.failed(),
        "SubagentStart" => sub_agent.as_ref().map(|_| EventKind::SubAgentStarted),
        "SubagentStop" => sub_agent.as_ref().map(|_| EventKind::SubAgentEnded),
        // Nothing tells of a turn that its user interrupted, but after a while that the agent waits for its user.
        "Notification" if fields.text("notification_type") == Some("idle_prompt") => Some(EventKind::TurnEnded),
        "Stop" | "StopFailure" | "Interrupt" => Some(EventKind::TurnEnded),
        "SessionEnd" => Some(EventKind::SessionEnded),
        _ => None,
    };
    let event = fields.event("hook_event_name", &["session_id"], &folder, kind)?;
    Ok(event.map(|event| HookEvent { sub_agent, ..event }))
}

/// Writes an answer; empty if there is nothing to say.
pub(super) fn write(event: &str, answer: &Answer, takes_context: bool) -> String {
    let specific = object([
        ("hookEventName", Some(event.into())),
        ("permissionDecision", answer.refusal.as_ref().map(|_| "deny".into())),
        ("permissionDecisionReason", answer.refusal.clone().map(Value::from)),
        ("additionalContext", answer.context().filter(|_| takes_context).map(Value::from)),
    ]);
    let output = object([
        ("systemMessage", answer.notice.clone().map(Value::from)),
        ("hookSpecificOutput", (specific.len() > 1).then(|| specific.into())),
    ]);
    if output.is_empty() { String::new() } else { Value::Object(output).to_string() }
}
