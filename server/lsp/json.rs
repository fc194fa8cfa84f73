//! What commands return beyond the documents that all front ends have: what an editor needs for its lists and menus.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::command::Expected;
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{Claim, Concern, Message, PlaceInLine, Session};
use deconflict_words::documents;

/// A claim in a list: also where it is, what to call it and its holder, and what ties a command to this very holding.
pub(crate) fn listed_claim(claim: &Claim, sessions: &[Session], own: &SessionId, path: Option<&Path>) -> Value {
    let holder = claim.holder().and_then(|holder| sessions.iter().find(|session| session.id == *holder));
    let mut listed = told_claim(claim, holder);
    add(&mut listed, "own", json!(claim.held_by(own)));
    add(&mut listed, "path", json!(path));
    listed
}

/// A session in a list: also whether it is this one.
pub(crate) fn listed_session(session: &Session, own: &SessionId) -> Value {
    let mut listed = documents::session(session);
    if session.id == *own {
        add(&mut listed, "label", json!(session.label_for_all()));
    }
    add(&mut listed, "own", json!(session.id == *own));
    listed
}

/// What people should look at. What others named is quoted where models read it, and lists are for people alone.
pub(crate) fn listed_finding(concern: &Concern, now: DateTime<Utc>) -> Value {
    let mut listed = documents::finding(concern);
    let message = concern.told(&|at| deconflict_words::local_clock(at, now));
    add(&mut listed, "message", json!(message.replace('"', "")));
    listed
}

/// The same with the folder whose directory it is in, for an editor's window with several.
pub(crate) fn in_repository(mut listed: Value, coordination_directory: &Path) -> Value {
    add(&mut listed, "repository", json!(coordination_directory.parent()));
    listed
}

/// A place in line in a list: also what is waited for first, and whether it is the user's own who waits.
pub(crate) fn listed_place(place: &PlaceInLine, now: DateTime<Utc>) -> Value {
    let mut listed = documents::place_in_line(place, now);
    let wanted = place.wants().first().and_then(|want| want.candidates().next());
    add(&mut listed, "wanted", json!(wanted.map(|wanted| wanted.spelled())));
    add(&mut listed, "own", json!(place.session.as_ref().is_some_and(Session::is_own)));
    listed
}

/// Something of the machine in a list, rather than of the clone.
pub(crate) fn of_machine(mut listed: Value) -> Value {
    add(&mut listed, "machine", json!(true));
    listed
}

/// A message in a list: also what to call its sender and what it is about, and where that is.
pub(crate) fn listed_message(message: &Message, sessions: &[Session], path: Option<&Path>) -> Value {
    let sender = message.from.as_ref().and_then(|from| sessions.iter().find(|session| session.id == *from));
    let label = sender.map(Session::label).or_else(|| message.sender_name().map(str::to_owned)).unwrap_or_default();
    let mut listed = told_message(message, &label);
    add(&mut listed, "path", json!(path));
    listed
}

/// A claim that the user is told of.
pub(crate) fn told_claim(claim: &Claim, holder: Option<&Session>) -> Value {
    let mut told = documents::claim(claim, holder);
    let holders = || holder.map(Session::label).or_else(|| claim.holder().map(ToString::to_string));
    let label = claim.uncommitted_of().map(str::to_owned).or_else(holders);
    add(&mut told, "holder_label", json!(label));
    add(&mut told, "active_until", json!(time::format(claim.expires_at)));
    add(&mut told, "expected", json!(Expected::of(claim)));
    told
}

/// A message that the user is told of.
pub(crate) fn told_message(message: &Message, sender: &str) -> Value {
    let mut told = documents::message(message);
    add(&mut told, "sender_label", json!(sender));
    add(&mut told, "display_name", json!(message.resource().map(|resource| resource.display_name())));
    told
}

/// The status where there is no directory.
pub(crate) fn no_status() -> Value {
    json!({
        "ok": true, "session": null, "sessions": [], "claims": [], "waiting": [], "messages": { "unread": 0 },
        "coordinationNeeded": [],
    })
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
