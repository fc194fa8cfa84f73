//! Changes as the JSON that programs get, in the terminal and from a server.

use deconflict_journal::{Author, Entry, FileState, Loss};
use deconflict_protocol::text::one_line;
use deconflict_protocol::time;
use deconflict_words::documents;
use serde_json::{Value, json};

use super::BlamedLine;
use super::people::label_for;

/// One change, as `history --json` lists it. Where it is for a person, their own agent is called theirs.
pub fn entry_document(entry: &Entry, person: Option<&str>) -> Value {
    let mut document = json!({
        "id": entry.id.as_str(),
        "at": time::format(entry.at),
        "path": entry.resource.name(),
        "cause": entry.cause.word(),
        "added": entry.added,
        "removed": entry.removed,
    });
    if let Some(command) = entry.cause.command() {
        document["command"] = command.into();
    }
    if let Some(author) = &entry.author {
        document["session"] = author.session.as_str().into();
        document["label"] = label_for(author, person).into();
    }
    if !entry.candidates.is_empty() {
        document["candidates"] = entry.candidates.iter().map(|session| Value::from(session.as_str())).collect();
    }
    for (name, state) in [("before", &entry.before), ("after", &entry.after)] {
        if let Some(content) = content_of(state) {
            document[name] = content.into();
        }
    }
    document
}

/// One line of a file, counted from 1, as `blame --json` lists it, for a person perhaps.
pub fn blamed_line_document(number: usize, line: &BlamedLine, person: Option<&str>) -> Value {
    let mut document = json!({"line": number, "at": time::format(line.at)});
    if let Some(author) = line.author() {
        document["session"] = author.session.as_str().into();
        document["label"] = label_for(author, person).into();
    }
    if let Some(commit) = &line.commit {
        document["commit"] = commit.id.clone().into();
        document["author"] = commit.author.clone().into();
    }
    document
}

/// What somebody lost and is not settled, as `status` lists it, with a sentence for people.
pub fn loss_document(loss: &Loss, message: &str) -> Value {
    let named = |author: &Author| json!({"session_id": author.session.as_str(), "label": one_line(&author.label, 120)});
    let mut document = documents::resource(&loss.entry.resource);
    let is_deleted = loss.entry.after == FileState::Absent;
    document["kind"] = if is_deleted { "deleted" } else { "overwritten" }.into();
    document["entry"] = loss.entry.id.as_str().into();
    document["by"] = loss.entry.author.as_ref().map_or(Value::Null, named);
    document["owner"] = named(&loss.owner);
    document["at"] = time::format(loss.entry.at).into();
    document["message"] = message.into();
    document
}

/// What git calls the content of a file, or of what a link says.
fn content_of(state: &FileState) -> Option<String> {
    match state {
        FileState::NotKept { content, .. } => content.map(|content| content.to_string()),
        state => state.kept().map(|content| content.to_string()),
    }
}
