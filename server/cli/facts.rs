//! The documents that programs read: the records' own fields, with what only the registry knows beside them.

use deconflict_protocol::{Resource, time};
use deconflict_registry::{Claim, DamagedRecord, Finding, Message, Recipient, Session};
use serde::Serialize;
use serde_json::{Map, Value};

use super::words;

/// A session: its record, `state` and what people call it.
pub(super) fn session(session: &Session) -> Value {
    let mut facts = fields(&session.record);
    facts.insert("session_id".to_owned(), session.id.as_str().into());
    facts.insert("state".to_owned(), session.state.as_str().into());
    facts.insert("label".to_owned(), words::calling(session).into());
    facts.insert("last_sign".to_owned(), time::format(session.last_sign).into());
    facts.into()
}

/// A claim: its record, with the resource and the times as they count, `standing`, and what people call the holder.
pub(super) fn claim(claim: &Claim, holder: Option<&Session>) -> Value {
    let mut facts = fields(&claim.record);
    resource_into(&mut facts, &claim.resource);
    facts.insert("claimed_at".to_owned(), time::format(claim.claimed_at).into());
    facts.insert("expires_at".to_owned(), time::format(claim.expires_at).into());
    facts.insert("standing".to_owned(), claim.standing.as_str().into());
    facts.insert("automatic".to_owned(), claim.is_automatic().into());
    facts.insert("allow_coordination".to_owned(), claim.allows_coordination().into());
    facts.insert("file".to_owned(), format!("claims/{}", claim.file).into());
    if let Some(holder) = holder {
        facts.insert("holder".to_owned(), words::calling(holder).into());
    }
    facts.into()
}

/// A message: its record, with the times and the text as they count, and whether it is unread.
pub(super) fn message(message: &Message) -> Value {
    let mut facts = fields(&message.record);
    let to = match &message.to {
        Recipient::Everyone => deconflict_protocol::BROADCAST,
        Recipient::Session(id) => id.as_str(),
    };
    facts.insert("id".to_owned(), message.id.as_str().into());
    facts.insert("to".to_owned(), to.into());
    facts.insert("timestamp".to_owned(), time::format(message.sent_at).into());
    facts.insert("type".to_owned(), message.record.kind().as_str().into());
    facts.insert("message".to_owned(), message.record.text().into());
    facts.insert("unread".to_owned(), message.unread.into());
    facts.into()
}

/// A finding: what it is, and one sentence for people.
pub(super) fn finding(finding: &Finding) -> Value {
    let mut facts = fields(finding);
    facts.insert("message".to_owned(), finding.to_string().into());
    facts.into()
}

/// A record that cannot be read: where it is and what is wrong with it.
pub(super) fn damaged(damaged: &DamagedRecord) -> Value {
    fields(damaged).into()
}

/// What is claimed or asked for.
pub(super) fn resource(resource: &Resource) -> Value {
    let mut facts = Map::new();
    resource_into(&mut facts, resource);
    facts.into()
}

fn resource_into(facts: &mut Map<String, Value>, resource: &Resource) {
    facts.insert("resource_type".to_owned(), resource.resource_type().as_str().into());
    facts.insert("resource_name".to_owned(), resource.name().into());
}

fn fields(record: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        Ok(other) => Map::from_iter([("value".to_owned(), other)]),
        Err(_) => Map::new(),
    }
}
