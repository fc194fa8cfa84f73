//! All that the records of a directory say at one time, as far as people read of it.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::claims::Claim;
use super::heartbeats::LastActivity;
use super::liveness::SessionState;
use super::messages::Message;
use super::session::Session;
use super::store::Key;
use deconflict_protocol::SessionId;

/// Messages are recent for so long.
pub(super) const RECENT: TimeDelta = TimeDelta::hours(1);

/// A session that is gone is news for so long.
pub(super) const RECENTLY_GONE: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) sessions: Vec<Session>,
    pub(super) claims: Vec<Claim>,
    /// Messages to whomever: those of the last hour, and requests that may still be open.
    pub(super) messages: Vec<Message>,
    pub(super) last_activities: HashMap<SessionId, LastActivity>,
    pub(super) damaged: Vec<DamagedRecord>,
}

/// A record that cannot be understood or was left alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DamagedRecord {
    /// Where it is in the directory, such as `claims/file-a.claim`.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Where a row stands in its list: by its time, the newest first, then by the first and the last of its names.
pub(super) type Position = (Reverse<Option<i64>>, Reverse<String>, String);

/// True for a session that has given no sign of life for long, or ended without a word a short time ago.
pub(super) fn is_silent(session: &Session, now: DateTime<Utc>) -> bool {
    match session.state {
        SessionState::Silent => true,
        SessionState::Gone => now - session.last_sign < RECENTLY_GONE,
        SessionState::Live | SessionState::Completed => false,
    }
}

pub(super) fn position_of_claim(claim: &Claim) -> Position {
    position(claim.claimed_at, claim.key.as_str())
}

pub(super) fn position_of_session(session: &Session) -> Position {
    position(session.started_at(), session.id.as_str())
}

pub(super) fn position_of_silence(session: &Session) -> Position {
    position(session.last_sign, session.id.as_str())
}

/// Where a message stands in its list. Records tell times to the second, the names of files to the millisecond.
pub(super) fn position_of_message(message: &Message) -> Position {
    let name = match &message.key {
        Key::Entry(series, name) => format!("{name} {series:?}"),
        Key::Session(_) | Key::Claim(_) | Key::Ticket(_) => String::new(),
    };
    (Reverse(message.sent_at.timestamp_nanos_opt()), Reverse(name), String::new())
}

fn position(at: DateTime<Utc>, name: &str) -> Position {
    (Reverse(at.timestamp_nanos_opt()), Reverse(String::new()), name.to_owned())
}
