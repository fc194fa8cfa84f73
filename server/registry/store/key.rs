//! By what records are found, in every store.

use std::fmt;

use crate::queue::TicketKey;
use deconflict_protocol::{ClaimKey, Naming, Resource, SessionId};

/// By what a record is found. Keys are ordered, so that what belongs together is a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A session's record.
    Session(SessionId),
    /// A claim's record.
    Claim(ClaimKey),
    /// A ticket: who waits for what.
    Ticket(TicketKey),
    /// One of many records of a series, by its name there.
    Entry(Series, String),
}

/// Records that are added one after another, each under a name that begins with its time and ends with its author.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// What sessions did.
    Heartbeats,
    /// Messages to everyone.
    Broadcasts,
    /// Messages to one session.
    Direct(SessionId),
    /// What was given to others, with notes.
    HandOffs,
    /// Which messages sessions have read: logs, named after the session.
    ReadMarks,
}

/// Keys that stand next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// All sessions.
    Sessions,
    /// The claims whose keys begin so.
    Claims(String),
    /// All tickets.
    Queue,
    /// All of a series.
    Series(Series),
    /// The messages to any one session.
    AllDirect,
    /// A single record.
    One(Key),
}

impl Range {
    /// All claims.
    pub fn all_claims() -> Self {
        Self::Claims(String::new())
    }

    /// All claims of what is below a directory, and perhaps some more: where names are cut, only their resources tell.
    pub fn below(naming: Naming, directory: &Resource) -> [Self; 2] {
        naming.beginnings_below(directory).map(Self::Claims)
    }

    /// True for a key in it.
    pub fn contains(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::Sessions, Key::Session(_))
            | (Self::Queue, Key::Ticket(_))
            | (Self::AllDirect, Key::Entry(Series::Direct(_), _)) => true,
            (Self::Claims(beginning), Key::Claim(key)) => key.begins_with(beginning),
            (Self::Series(series), Key::Entry(of, _)) => series == of,
            (Self::One(one), key) => one == key,
            _ => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "sessions/{id}"),
            Self::Claim(key) => write!(f, "claims/{key}"),
            Self::Ticket(key) => write!(f, ".queue/{key}"),
            Self::Entry(series, name) => write!(f, "{series}/{name}"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeats => f.write_str("heartbeats"),
            Self::Broadcasts => f.write_str("messages/broadcast"),
            Self::Direct(to) => write!(f, "messages/direct/{to}"),
            Self::HandOffs => f.write_str("handoffs"),
            Self::ReadMarks => f.write_str(".read"),
        }
    }
}
