//! opencode: its plugin in `editors/opencode` starts the hook with a JSON object of our own form, told in the README
//! there. Any agent whose plugins can start a program may use it.

use std::path::Path;

use serde_json::Value;

use super::answer::{Answer, object};
use super::event::{EventKind, Fields, HookEvent, SubAgent, ToolUse, Unreadable};
use super::patch;

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["filePath", "file_path", "path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let folder = fields.folder(&["directory"], own_folder);
    let parent = fields.text("parentID");
    let kind = |name: &str| match name {
        "session.created" if parent.is_some() => Some(EventKind::SubAgentStarted),
        "session.created" => Some(EventKind::SessionStarted),
        "chat.message" => Some(EventKind::Prompted),
        "tool.execute.before" => tool_use(fields, &folder)?.before(),
        "tool.execute.after" => Some(tool_use(fields, &folder)?.after()),
        "shell.env" => Some(EventKind::ShellStarted),
        "session.idle" | "session.deleted" if parent.is_some() => Some(EventKind::SubAgentEnded),
        "session.idle" => Some(EventKind::TurnEnded),
        "session.deleted" => Some(EventKind::SessionEnded),
        _ => None,
    };
    let event = fields.event("event", &["sessionID"], &folder, kind)?;
    Ok(event.map(|event| match parent {
        Some(parent) => {
            let sub_agent = SubAgent { id: event.session, kind: fields.text("agent").map(str::to_owned) };
            HookEvent { session: parent.to_owned(), sub_agent: Some(sub_agent), ..event }
        }
        None => event,
    }))
}

fn tool_use(fields: &Fields, folder: &Path) -> Option<ToolUse> {
    let arguments = fields.object("args");
    match fields.text("tool")? {
        "edit" | "write" | "multiedit" | "patch" | "apply_patch" => {
            let mut paths = arguments.paths(PATHS, folder);
            paths.extend(patch::paths(arguments.first_text(&["patchText", "patch"]).unwrap_or_default(), folder));
            paths.extend(arguments.objects("edits").iter().flat_map(|edit| edit.paths(PATHS, folder)));
            Some(ToolUse::Edit(paths))
        }
        "read" => Some(ToolUse::Read(arguments.paths(PATHS, folder))),
        "bash" => Some(arguments.command(&["command"], &["workdir"], folder)),
        _ => None,
    }
}

/// Writes an answer: one JSON object, empty if there is nothing to say.
pub(super) fn write(_: &str, answer: &Answer, _: bool) -> String {
    let output = object([
        ("deny", answer.refusal.clone().map(Value::from)),
        ("context", answer.context().map(Value::from)),
        ("notice", answer.notice.clone().map(Value::from)),
        ("env", answer.variables()),
    ]);
    Value::Object(output).to_string()
}
