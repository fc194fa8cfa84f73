//! Gemini CLI (geminicli.com/docs/hooks/reference): `BeforeTool` and `AfterTool`, decisions at the top level, and
//! nothing but JSON on standard output.

use std::path::Path;

use serde_json::{Value, json};

use super::answer::{Answer, object};
use super::event::{EventKind, Fields, HookEvent, ToolUse, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "absolute_path", "path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let folder = fields.folder(&["cwd"], own_folder);
    fields.event("hook_event_name", &["session_id"], &folder, |name| match name {
        "SessionStart" => Some(EventKind::SessionStarted),
        "BeforeAgent" => Some(EventKind::Prompted),
        "BeforeTool" => tool_use(fields, &folder)?.before(),
        "AfterTool" => Some(tool_use(fields, &folder)?.after()),
        "AfterAgent" => Some(EventKind::TurnEnded),
        "SessionEnd" => Some(EventKind::SessionEnded),
        _ => None,
    })
}

fn tool_use(fields: &Fields, folder: &Path) -> Option<ToolUse> {
    let input = fields.object("tool_input");
    match fields.text("tool_name")? {
        "write_file" | "replace" | "edit" => Some(ToolUse::Edit(input.paths(PATHS, folder))),
        "read_file" => Some(ToolUse::Read(input.paths(PATHS, folder))),
        "run_shell_command" => Some(input.command(&["command"], &["dir_path", "directory"], folder)),
        _ => None,
    }
}

/// Writes an answer: one JSON object, empty if there is nothing to say.
pub(super) fn write(event: &str, answer: &Answer, takes_context: bool) -> String {
    let (context, more_notice) = if takes_context { (answer.context(), None) } else { (None, answer.context()) };
    // Before a tool only the user can be told something that is no refusal.
    let notices: Vec<String> = answer.notice.iter().cloned().chain(more_notice).collect();
    let specific = context.map(|context| json!({ "hookEventName": event, "additionalContext": context }));
    let output = object([
        ("decision", answer.refusal.as_ref().map(|_| "deny".into())),
        ("reason", answer.refusal.clone().map(Value::from)),
        ("hookSpecificOutput", specific),
        ("systemMessage", (!notices.is_empty()).then(|| notices.join("\n\n").into())),
    ]);
    Value::Object(output).to_string()
}
