//! Cursor (cursor.com/docs/hooks): events named in camel case, `permission` with a message for the user and one for
//! the model. An answer that is no JSON blocks the tool there, so there is always one.
//!
//! Its sub-agents work in conversations of their own, whose events don't name the conversation that started them. That
//! one tells of them before and after: `subagentStart` and `subagentStop`, and the tool `Task` where these don't come.

use std::path::Path;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::event::{EventKind, Fields, HookEvent, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "path", "target_file", "target_notebook", "notebook_path"];

/// Where an event about a sub-agent says which: the first is its id, which is the id of the tool's call.
const SUB_AGENT: &[&str] = &["subagent_id", "tool_call_id"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let name = fields.text("hook_event_name").ok_or(Unreadable::Missing("hook_event_name"))?;
    let root =
        fields.texts("workspace_roots").first().map_or_else(|| own_folder.to_owned(), |root| own_folder.join(root));
    let folder = fields.folder(&["cwd"], &root);
    let input = fields.object("tool_input");
    let command = |fields: &Fields| EventKind::BeforeCommand {
        command: fields.text("command").unwrap_or_default().to_owned(),
        folder: fields.folder(&["cwd", "working_directory"], &folder),
    };
    let kind = match (name, fields.text("tool_name").unwrap_or_default()) {
        ("sessionStart", _) => EventKind::SessionStarted,
        ("beforeSubmitPrompt", _) => EventKind::Prompted,
        ("preToolUse", tool) if edits(tool) => EventKind::BeforeEdit(input.paths(PATHS, &folder)),
        ("preToolUse", "Shell") => command(&input),
        ("beforeShellExecution", _) => command(fields),
        ("postToolUse", tool) if edits(tool) => EventKind::AfterEdit(input.paths(PATHS, &folder)),
        ("afterFileEdit", _) => EventKind::AfterEdit(fields.paths(PATHS, &folder)),
        ("postToolUse", "Read") => EventKind::AfterRead(input.paths(PATHS, &folder)),
        ("postToolUse" | "postToolUseFailure", "Shell") | ("afterShellExecution", _) => EventKind::AfterCommand,
        ("preToolUse", "Task") => match fields.text("tool_use_id") {
            Some(id) => expected(id, &input, false),
            None => return Ok(None),
        },
        ("subagentStart", _) => match fields.first_text(SUB_AGENT) {
            Some(id) => expected(id, fields, true),
            None => return Ok(None),
        },
        ("postToolUse" | "postToolUseFailure", "Task") => EventKind::SubAgentDone {
            id: fields.text("tool_use_id").map(str::to_owned),
            session: None,
            is_tools_end: true,
        },
        ("subagentStop", _) => EventKind::SubAgentDone {
            id: fields.first_text(SUB_AGENT).map(str::to_owned),
            session: fields.text("agent_transcript_path").and_then(conversation_of),
            is_tools_end: false,
        },
        ("stop", _) => EventKind::TurnEnded,
        ("sessionEnd", _) => EventKind::SessionEnded,
        _ => return Ok(None),
    };
    let session = match name {
        "subagentStart" | "subagentStop" => fields.text("parent_conversation_id"),
        _ => None,
    };
    let session = session.or_else(|| fields.first_text(&["conversation_id", "session_id"]));
    let session = session.ok_or(Unreadable::Missing("conversation_id"))?.to_owned();
    Ok(Some(HookEvent { name: name.to_owned(), session, sub_agent: None, folder, kind }))
}

fn expected(id: &str, fields: &Fields, has_begun: bool) -> EventKind {
    EventKind::SubAgentExpected { id: id.to_owned(), kind: fields.text("subagent_type").map(str::to_owned), has_begun }
}

/// The conversation that a transcript is of: it is named after it.
fn conversation_of(transcript: &str) -> Option<String> {
    Some(Path::new(transcript).file_stem()?.to_str()?.to_owned())
}

/// True if an answer to this event can say something to the model.
pub(super) fn takes_context(event: &str) -> bool {
    matches!(event, "sessionStart" | "postToolUse")
}

/// Writes an answer: one JSON object, empty if there is nothing to say. Nothing is ever allowed by it, which would pass
/// over what the user has to be asked.
pub(super) fn write(event: &str, answer: &Answer) -> String {
    let mut output = Map::new();
    let mut put = |name: &str, text: String| output.insert(name.to_owned(), text.into());
    let before_a_tool = matches!(event, "preToolUse" | "beforeShellExecution");
    if let Some(reason) = answer.refusal.as_ref().filter(|_| before_a_tool) {
        put("permission", "deny".to_owned());
        put("agent_message", reason.clone());
        put("user_message", answer.notice.clone().unwrap_or_else(|| reason.clone()));
    } else if before_a_tool {
        if let Some(context) = answer.context() {
            put("agent_message", context);
        }
        if let Some(notice) = &answer.notice {
            put("user_message", notice.clone());
        }
    } else if takes_context(event) {
        // The user sees a notice there or nowhere.
        let told = answer.notice.iter().cloned().chain(answer.context()).collect::<Vec<_>>();
        if !told.is_empty() {
            put("additional_context", told.join("\n\n"));
        }
    }
    if event == "sessionStart" && !answer.environment.is_empty() {
        let variables = answer.environment.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        output.insert("env".to_owned(), Value::Object(variables.collect()));
    }
    Value::Object(output).to_string()
}

fn edits(tool: &str) -> bool {
    matches!(tool, "Write" | "Edit" | "MultiEdit" | "StrReplace" | "EditNotebook" | "Delete" | "ApplyPatch")
}
