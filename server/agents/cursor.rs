//! Cursor (cursor.com/docs/hooks): events named in camel case, `permission` with a message for the user and one for
//! the model. An answer that is no JSON blocks the tool there, so there is always one.
//!
//! Its sub-agents work in conversations of their own, whose events don't name the conversation that started them. That
//! one tells of them before and after: `subagentStart` and `subagentStop`, and the tool `Task` where these don't come.

use std::path::Path;

use serde_json::Value;

use super::answer::{Answer, object};
use super::event::{EventKind, ExpectedSubAgent, Fields, HookEvent, ToolUse, Unreadable};

/// Where the tools name the files that they touch.
const PATHS: &[&str] = &["file_path", "path", "target_file", "target_notebook", "notebook_path"];

/// Where an event about a sub-agent says which: the first is its id, which is the id of the tool's call.
const SUB_AGENT: &[&str] = &["subagent_id", "tool_call_id"];

/// Reads an event; `None` for one that is nothing to us.
pub(super) fn read(fields: &Fields, own_folder: &Path) -> Result<Option<HookEvent>, Unreadable> {
    let root = fields.texts("workspace_roots").first().map_or(own_folder.into(), |root| own_folder.join(root));
    let folder = fields.folder(&["cwd"], &root);
    let input = fields.object("tool_input");
    let is_task = fields.text("tool_name") == Some("Task");
    let kind = |name: &str| match name {
        "sessionStart" => Some(EventKind::SessionStarted),
        "beforeSubmitPrompt" => Some(EventKind::Prompted),
        "preToolUse" if is_task => Some(expected(fields.text("tool_use_id")?, &input, false)),
        "preToolUse" => tool_use(fields, &input, &folder)?.before(),
        "beforeShellExecution" => command(fields, &folder).before(),
        "postToolUse" | "postToolUseFailure" if is_task => Some(EventKind::SubAgentDone {
            id: fields.text("tool_use_id").map(str::to_owned),
            session: None,
            is_tools_end: true,
        }),
        "postToolUse" => Some(tool_use(fields, &input, &folder)?.after()),
        "postToolUseFailure" => tool_use(fields, &input, &folder)?.failed(),
        "afterFileEdit" => Some(EventKind::AfterEdit(fields.paths(PATHS, &folder))),
        "afterShellExecution" => Some(command(fields, &folder).after()),
        "subagentStart" => Some(expected(fields.first_text(SUB_AGENT)?, fields, true)),
        "subagentStop" => Some(EventKind::SubAgentDone {
            id: fields.first_text(SUB_AGENT).map(str::to_owned),
            session: fields.text("agent_transcript_path").and_then(conversation_of),
            is_tools_end: false,
        }),
        "stop" => Some(EventKind::TurnEnded),
        "sessionEnd" => Some(EventKind::SessionEnded),
        _ => None,
    };
    let event = fields.event("hook_event_name", &["conversation_id", "session_id"], &folder, kind)?;
    let parent = fields.text("parent_conversation_id");
    Ok(event.map(|event| match (event.name.as_str(), parent) {
        ("subagentStart" | "subagentStop", Some(parent)) => HookEvent { session: parent.to_owned(), ..event },
        _ => event,
    }))
}

fn tool_use(fields: &Fields, input: &Fields, folder: &Path) -> Option<ToolUse> {
    match fields.text("tool_name")? {
        "Write" | "Edit" | "MultiEdit" | "StrReplace" | "EditNotebook" | "Delete" | "ApplyPatch" => {
            Some(ToolUse::Edit(input.paths(PATHS, folder)))
        }
        "Read" => Some(ToolUse::Read(input.paths(PATHS, folder))),
        "Shell" => Some(command(input, folder)),
        _ => None,
    }
}

fn command(fields: &Fields, folder: &Path) -> ToolUse {
    fields.command(&["command"], &["cwd", "working_directory"], folder)
}

fn expected(id: &str, fields: &Fields, has_begun: bool) -> EventKind {
    let kind = fields.text("subagent_type").map(str::to_owned);
    EventKind::SubAgentExpected(ExpectedSubAgent { id: id.to_owned(), kind, has_begun })
}

/// The conversation that a transcript is of: it is named after it.
fn conversation_of(transcript: &str) -> Option<String> {
    Some(Path::new(transcript).file_stem()?.to_str()?.to_owned())
}

/// Writes an answer: one JSON object, empty if there is nothing to say. Nothing is ever allowed by it, which would pass
/// over what the user has to be asked.
pub(super) fn write(event: &str, answer: &Answer, takes_context: bool) -> String {
    let variables = answer.variables().filter(|_| event == "sessionStart");
    let output = if matches!(event, "preToolUse" | "beforeShellExecution") {
        let refusal = answer.refusal.as_ref();
        object([
            ("permission", refusal.map(|_| "deny".into())),
            ("agent_message", refusal.cloned().or_else(|| answer.context()).map(Value::from)),
            ("user_message", answer.notice.as_ref().or(refusal).cloned().map(Value::from)),
        ])
    } else {
        // The user sees a notice there or nowhere.
        let told: Vec<String> = answer.notice.iter().cloned().chain(answer.context()).collect();
        let context = (takes_context && !told.is_empty()).then(|| told.join("\n\n").into());
        object([("additional_context", context), ("env", variables)])
    };
    Value::Object(output).to_string()
}
