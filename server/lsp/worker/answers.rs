//! What commands return: the fields of the records, and what was found out about them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::registry::{Claim, Finding, Message, Session, SessionState, Standing};

/// A claim with all fields of its record, and what it is worth.
pub(in crate::lsp) fn claim(claim: &Claim) -> Value {
    let mut fields = fields(&claim.record);
    fields.insert("resource_type".to_owned(), json!(claim.resource.resource_type()));
    fields.insert("resource_name".to_owned(), json!(claim.resource.name()));
    let standing = match claim.standing {
        Standing::Active => "active",
        Standing::Idle => "idle",
        Standing::Expired => "expired",
        Standing::Abandoned => "abandoned",
        Standing::Pending => "pending",
        Standing::Damaged => "damaged",
    };
    fields.insert("standing".to_owned(), json!(standing));
    Value::Object(fields)
}

/// A session with all fields of its record, and what becomes of it.
pub(in crate::lsp) fn session(session: &Session) -> Value {
    let mut fields = fields(&session.record);
    fields.insert("session_id".to_owned(), json!(session.id));
    fields.insert("label".to_owned(), json!(session.label()));
    let state = match session.state {
        SessionState::Live => "live",
        SessionState::Silent => "silent",
        SessionState::Gone => "gone",
        SessionState::Completed => "completed",
    };
    fields.insert("state".to_owned(), json!(state));
    Value::Object(fields)
}

/// A message with all fields of its record, its text in `message` wherever the sender put it.
pub(in crate::lsp) fn message(message: &Message) -> Value {
    let mut fields = fields(&message.record);
    fields.insert("id".to_owned(), json!(message.id.as_str()));
    fields.insert("message".to_owned(), json!(message.record.text()));
    fields.insert("unread".to_owned(), json!(message.unread));
    Value::Object(fields)
}

/// A finding: what it is, and one sentence for people.
pub(in crate::lsp) fn finding(finding: &Finding) -> Value {
    let mut fields = fields(finding);
    fields.insert("message".to_owned(), json!(finding.to_string()));
    Value::Object(fields)
}

/// The status where there is no directory.
pub(in crate::lsp) fn no_status() -> Value {
    json!({
        "ok": true, "session": null, "sessions": [], "claims": [], "messages": { "unread": 0 },
        "coordinationNeeded": [],
    })
}

fn fields(record: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        // Records are objects of plain values.
        Ok(_) | Err(_) => Map::new(),
    }
}
