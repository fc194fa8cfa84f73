//! The documents that programs read, of which terminal, MCP and editor commands have the same: the records' own fields,
//! with what only the registry knows beside them.

use chrono::{DateTime, Utc};
use deconflict_protocol::{BROADCAST, Resource, time};
use deconflict_registry::{Claim, Concern, DamagedRecord, Message, PlaceInLine, Recipient, Session};
use serde::Serialize;
use serde_json::{Map, Value};

/// A session: its record, `state` and what people call it.
pub fn session(session: &Session) -> Value {
    let mut document = fields(&session.record);
    add(&mut document, "session_id", session.id.as_str());
    add(&mut document, "state", session.state.as_str());
    add(&mut document, "label", session.label());
    add(&mut document, "last_sign", time::format(session.last_sign));
    document.into()
}

/// A claim: its record, with the resource and the times as they count, `standing`, and what people call the holder.
pub fn claim(claim: &Claim, holder: Option<&Session>) -> Value {
    let mut document = fields(&claim.record);
    add_resource(&mut document, &claim.resource);
    add(&mut document, "display_name", claim.resource.display_name());
    add(&mut document, "claimed_at", time::format(claim.claimed_at));
    add(&mut document, "expires_at", time::format(claim.expires_at));
    add(&mut document, "standing", claim.standing.as_str());
    add(&mut document, "automatic", claim.is_automatic());
    add(&mut document, "allow_coordination", claim.allows_coordination());
    add(&mut document, "file", claim.record_path());
    let holder = claim.uncommitted_of().map(str::to_owned).or_else(|| holder.map(Session::label));
    if let Some(holder) = holder {
        add(&mut document, "holder", holder);
    }
    document.into()
}

/// A place in line: who waits for what since when. The first in line has place 1.
pub fn place_in_line(place: &PlaceInLine, now: DateTime<Utc>) -> Value {
    let mut document = Map::new();
    add(&mut document, "place", place.number);
    if let Some(id) = place.id() {
        add(&mut document, "session", id.as_str());
    }
    if let Some(session) = &place.session {
        add(&mut document, "label", session.label());
    }
    add(&mut document, "since", time::format(place.since(now)));
    add(&mut document, "passed", place.is_passed());
    add(&mut document, "resource", place.what.as_str());
    add(&mut document, "ticket", place.key().to_string());
    document.into()
}

/// A message: its record, with the times and the text as they count, and whether it is unread.
pub fn message(message: &Message) -> Value {
    let mut document = fields(&message.record);
    let to = match &message.to {
        Recipient::Everyone => BROADCAST,
        Recipient::Session(id) => id.as_str(),
    };
    add(&mut document, "id", message.id.as_str());
    add(&mut document, "to", to);
    add(&mut document, "timestamp", time::format(message.sent_at));
    add(&mut document, "type", message.kind().as_str());
    add(&mut document, "message", message.text());
    add(&mut document, "unread", message.unread);
    document.into()
}

/// A finding: what it is, and one sentence for people.
pub fn finding(finding: &Concern) -> Value {
    let mut document = fields(finding);
    add(&mut document, "message", finding.to_string());
    document.into()
}

/// A record that cannot be read: where it is and what is wrong with it.
pub fn damaged(damaged: &DamagedRecord) -> Value {
    fields(damaged).into()
}

/// What is claimed or asked for.
pub fn resource(resource: &Resource) -> Value {
    let mut document = Map::new();
    add_resource(&mut document, resource);
    document.into()
}

fn add_resource(document: &mut Map<String, Value>, resource: &Resource) {
    add(document, "resource_type", resource.resource_type().as_str());
    add(document, "resource_name", resource.name());
}

fn add(document: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    document.insert(name.to_owned(), value.into());
}

fn fields(record: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        // Records are objects of plain values.
        Ok(_) | Err(_) => Map::new(),
    }
}
