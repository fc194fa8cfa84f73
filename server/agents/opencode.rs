//! opencode: its plugin in `editors/opencode` starts the hook with a JSON object of our own form, told in the README
//! there. Any agent whose plugins can start a program may use it.

use std::path::Path;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::event::{EventKind, Fields, HookEvent, SubAgent, Unreadable};
use super::patch;

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["filePath", "file_path", "path"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let name = fields.text("event").ok_or(Unreadable::Missing("event"))?;
    let folder = fields.folder(&["directory"], own_folder);
    let arguments = fields.object("args");
    let parent = fields.text("parentID");
    let edited = || {
        let mut paths = arguments.paths(PATHS, &folder);
        paths.extend(patch::paths(arguments.first_text(&["patchText", "patch"]).unwrap_or_default(), &folder));
        for edit in arguments.objects("edits") {
            paths.extend(edit.paths(PATHS, &folder));
        }
        paths
    };
    let kind = match (name, fields.text("tool").unwrap_or_default()) {
        ("session.created", _) if parent.is_some() => EventKind::SubAgentStarted,
        ("session.created", _) => EventKind::SessionStarted,
        ("chat.message", _) => EventKind::Prompted,
        ("tool.execute.before", tool) if edits(tool) => EventKind::BeforeEdit(edited()),
        ("tool.execute.after", tool) if edits(tool) => EventKind::AfterEdit(edited()),
        ("tool.execute.after", "read") => EventKind::AfterRead(arguments.paths(PATHS, &folder)),
        ("tool.execute.before", "bash") => EventKind::BeforeCommand {
            command: arguments.text("command").unwrap_or_default().to_owned(),
            folder: arguments.folder(&["workdir"], &folder),
        },
        ("tool.execute.after", "bash") => EventKind::AfterCommand,
        ("shell.env", _) => EventKind::ShellStarted,
        ("session.idle" | "session.deleted", _) if parent.is_some() => EventKind::SubAgentEnded,
        ("session.idle", _) => EventKind::TurnEnded,
        ("session.deleted", _) => EventKind::SessionEnded,
        _ => return Ok(None),
    };
    let own = fields.text("sessionID").ok_or(Unreadable::Missing("sessionID"))?;
    let sub_agent = parent.map(|_| SubAgent { id: own.to_owned(), kind: fields.text("agent").map(str::to_owned) });
    let session = parent.unwrap_or(own).to_owned();
    Ok(Some(HookEvent { name: name.to_owned(), session, sub_agent, folder, kind }))
}

/// True: the plugin keeps a text until it can say it.
pub(super) fn takes_context(_: &str) -> bool {
    true
}

/// Writes an answer: one JSON object, empty if there is nothing to say.
pub(super) fn write(_: &str, answer: &Answer) -> String {
    let mut output = Map::new();
    let texts = [("deny", answer.refusal.clone()), ("context", answer.context()), ("notice", answer.notice.clone())];
    for (name, text) in texts {
        if let Some(text) = text {
            output.insert(name.to_owned(), text.into());
        }
    }
    if !answer.environment.is_empty() {
        let variables = answer.environment.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        output.insert("env".to_owned(), Value::Object(variables.collect()));
    }
    Value::Object(output).to_string()
}

fn edits(tool: &str) -> bool {
    matches!(tool, "edit" | "write" | "multiedit" | "patch" | "apply_patch")
}
