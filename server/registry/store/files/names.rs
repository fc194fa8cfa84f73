//! How the directory calls records: the folder and the name of each key's file, and back.

use deconflict_protocol::{ClaimKey, Naming, SessionId};

use super::directory::Durability;
use super::folder::Folder;
use crate::queue::TicketKey;
use crate::store::{Key, Range, Series};

const CLAIM_ENDING: &str = ".claim";

const RECORD_ENDING: &str = ".json";

pub(crate) fn file_of(key: &Key) -> (Folder, String) {
    match key {
        Key::Session(id) => (Folder::Sessions, [id.as_str(), RECORD_ENDING].concat()),
        Key::Claim(key) => (Folder::Claims, [key.as_str(), CLAIM_ENDING].concat()),
        Key::Ticket(key) => (Folder::Queue, format!("{key}{RECORD_ENDING}")),
        Key::Entry(series, name) => (folder_of(series), name.clone()),
    }
}

/// The path of a key's file in the directory, with slashes.
pub(crate) fn relative_path(key: &Key) -> String {
    let (folder, name) = file_of(key);
    [folder.components(), vec![&name]].concat().join("/")
}

pub(crate) fn folder_of(series: &Series) -> Folder {
    match series {
        Series::Heartbeats => Folder::Heartbeats,
        Series::Broadcasts => Folder::Broadcasts,
        Series::Direct(to) => Folder::Direct(to.clone()),
        Series::HandOffs => Folder::HandOffs,
        Series::ReadMarks => Folder::ReadMarks,
    }
}

/// The series of messages that a folder holds.
pub(crate) fn series_of(folder: &Folder) -> Option<Series> {
    match folder {
        Folder::Broadcasts => Some(Series::Broadcasts),
        Folder::Direct(to) => Some(Series::Direct(to.clone())),
        _ => None,
    }
}

/// The folder of a range; `None` where it has several.
pub(super) fn folder_of_range(range: &Range) -> Option<Folder> {
    match range {
        Range::Sessions => Some(Folder::Sessions),
        Range::Claims(_) => Some(Folder::Claims),
        Range::Queue => Some(Folder::Queue),
        Range::Series(series) => Some(folder_of(series)),
        Range::AllDirect => None,
        Range::One(key) => Some(file_of(key).0),
    }
}

/// The key of a file in the folder of a range; `None` for a file that holds no such record.
pub(crate) fn key_of(range: &Range, name: &str, naming: Naming) -> Option<Key> {
    match range {
        Range::Sessions => session_of(name).map(Key::Session),
        Range::Claims(_) => claim_of(name, naming).map(Key::Claim),
        Range::Queue => TicketKey::parse(name.strip_suffix(RECORD_ENDING)?).map(Key::Ticket),
        Range::Series(series) => Some(Key::Entry(series.clone(), name.to_owned())),
        Range::AllDirect => None,
        Range::One(key) => Some(key.clone()).filter(|key| file_of(key).1 == name),
    }
}

pub(crate) fn claim_of(name: &str, naming: Naming) -> Option<ClaimKey> {
    naming.parse(name.strip_suffix(CLAIM_ENDING)?)
}

pub(crate) fn session_of(name: &str) -> Option<SessionId> {
    SessionId::foreign(name.strip_suffix(RECORD_ENDING)?).ok()
}

/// What a record that was just written must survive.
pub(super) fn durability_of(key: &Key) -> Durability {
    match key {
        Key::Session(_) | Key::Claim(_) | Key::Ticket(_) => Durability::Process,
        Key::Entry(series, _) => durability_in(series),
    }
}

/// The same for a record that was added to a series.
pub(super) fn durability_in(series: &Series) -> Durability {
    match series {
        Series::Heartbeats => Durability::Process,
        Series::Broadcasts | Series::Direct(_) | Series::HandOffs => Durability::Power,
        Series::ReadMarks => Durability::Whole,
    }
}
