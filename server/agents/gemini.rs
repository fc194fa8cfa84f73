//! Gemini CLI (geminicli.com/docs/hooks/reference): `BeforeTool` and `AfterTool`, decisions at the top level, and
//! nothing but JSON on standard output.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::event::{EventKind, Fields, HookEvent, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "absolute_path", "path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let name = fields.text("hook_event_name").ok_or(Unreadable::Missing("hook_event_name"))?;
    let folder = fields.folder(&["cwd"], own_folder);
    let input = fields.object("tool_input");
    let kind = match (name, fields.text("tool_name").unwrap_or_default()) {
        ("SessionStart", _) => EventKind::SessionStarted,
        ("BeforeAgent", _) => EventKind::Prompted,
        ("BeforeTool", "write_file" | "replace" | "edit") => EventKind::BeforeEdit(input.paths(PATHS, &folder)),
        ("AfterTool", "write_file" | "replace" | "edit") => EventKind::AfterEdit(input.paths(PATHS, &folder)),
        ("AfterTool", "read_file") => EventKind::AfterRead(input.paths(PATHS, &folder)),
        ("BeforeTool", "run_shell_command") => EventKind::BeforeCommand {
            command: input.text("command").unwrap_or_default().to_owned(),
            folder: input.folder(&["dir_path", "directory"], &folder),
        },
        ("AfterTool", "run_shell_command") => EventKind::AfterCommand,
        ("AfterAgent", _) => EventKind::TurnEnded,
        ("SessionEnd", _) => EventKind::SessionEnded,
        _ => return Ok(None),
    };
    let session = fields.text("session_id").ok_or(Unreadable::Missing("session_id"))?.to_owned();
    Ok(Some(HookEvent { name: name.to_owned(), session, sub_agent: None, folder, kind }))
}

/// True if an answer to this event can say something to the model.
pub(super) fn takes_context(event: &str) -> bool {
    matches!(event, "SessionStart" | "BeforeAgent" | "AfterTool")
}

/// Writes an answer: one JSON object, empty if there is nothing to say.
pub(super) fn write(event: &str, answer: &Answer) -> String {
    let mut output = Map::new();
    if let Some(reason) = &answer.refusal {
        output.insert("decision".to_owned(), "deny".into());
        output.insert("reason".to_owned(), reason.as_str().into());
    }
    let mut notices: Vec<String> = answer.notice.iter().cloned().collect();
    match answer.context() {
        Some(context) if takes_context(event) => {
            let specific = json!({ "hookEventName": event, "additionalContext": context });
            output.insert("hookSpecificOutput".to_owned(), specific);
        }
        // Before a tool only the user can be told something that is no refusal.
        Some(context) => notices.push(context),
        None => {}
    }
    if !notices.is_empty() {
        output.insert("systemMessage".to_owned(), notices.join("\n\n").into());
    }
    Value::Object(output).to_string()
}
