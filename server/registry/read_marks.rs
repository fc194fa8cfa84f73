//! Which messages a session has read: a log for each session in `.read/`.
//!
//! Marks are added to its end under the lock, so that a server and a terminal of one session never undo each other's,
//! and adding one costs the same however many there are. A log is kept in parts that stay well below 1 MiB.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Error;
use super::store::{Key, Reader, Series, Stamp, Transaction, Write};
use deconflict_protocol::SessionId;

/// No part of a log grows beyond this by a new mark, in bytes.
const FULL_PART: u64 = 512 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub(super) enum Mark {
    /// The session has read a message.
    Read {
        /// Its file: `broadcast/{name}` or `direct/{name}`.
        file: String,
        /// Its sender and id, by which a repeat is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat: Option<Repeat>,
    },
    /// A broadcast counts as unread, however old it is, because a crashed predecessor had not read it.
    Inherited {
        /// Its file.
        file: String,
    },
    /// What this session left unread went to another one.
    PassedOn,
}

/// What two copies of one message have in common. Ids are believed only together with the sender, so that nobody can
/// make another's message look like a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Repeat {
    /// The sender, as the message spells it.
    pub(super) from: String,
    pub(super) id: String,
}

#[derive(Debug, Default)]
pub(super) struct ReadMarks {
    read: HashSet<String>,
    repeats: HashSet<Repeat>,
    inherited: HashSet<String>,
    is_passed_on: bool,
    parts: Vec<Stamp>,
}

impl ReadMarks {
    /// Reads a session's log. A part that cannot be read counts as empty: then messages are delivered again, which is
    /// better than never.
    pub(super) fn of(reader: &dyn Reader, session: &SessionId) -> Result<Self, Error> {
        let mut marks = Self { parts: parts(reader, session)?, ..Self::default() };
        for part in 0..marks.parts.len() {
            let stored = match reader.get(&part_key(session, part)) {
                Ok(Some(stored)) => stored,
                Ok(None) | Err(Error::Unsafe { .. }) => continue,
                Err(error) => return Err(error),
            };
            for line in stored.bytes.split(|byte| *byte == b'\n') {
                // A line that was cut by a crash means nothing.
                if let Ok(mark) = serde_json::from_slice(line) {
                    marks.note(mark);
                }
            }
        }
        Ok(marks)
    }

    pub(super) fn is_outdated(&self, reader: &dyn Reader, session: &SessionId) -> Result<bool, Error> {
        Ok(parts(reader, session)? != self.parts)
    }

    pub(super) fn has_read(&self, file: &str) -> bool {
        self.read.contains(file)
    }

    pub(super) fn has_read_repeat(&self, repeat: &Repeat) -> bool {
        self.repeats.contains(repeat)
    }

    pub(super) fn has_inherited(&self, file: &str) -> bool {
        self.inherited.contains(file)
    }

    /// True if another session got what this one left unread.
    pub(super) fn is_passed_on(&self) -> bool {
        self.is_passed_on
    }

    fn note(&mut self, mark: Mark) {
        match mark {
            Mark::Read { file, repeat } => {
                self.read.insert(file);
                self.repeats.extend(repeat);
            }
            Mark::Inherited { file } => {
                self.inherited.insert(file);
            }
            Mark::PassedOn => self.is_passed_on = true,
        }
    }
}

pub(super) fn add_marks(tx: &mut Transaction, session: &SessionId, marks: &[Mark]) -> Result<(), Error> {
    let parts = parts(tx, session)?;
    let mut part = parts.len().saturating_sub(1);
    let mut size = parts.last().map_or(0, |stamp| stamp.size);
    // The first line break ends a line that a crash may have cut.
    let mut text = String::from("\n");
    for mark in marks {
        if size + text.len() as u64 > FULL_PART {
            tx.write(Write::Append(part_key(session, part), std::mem::take(&mut text).into_bytes()));
            (part, size) = (part + 1, 0);
        }
        // A mark is made of texts alone, which can always be written.
        text.push_str(&serde_json::to_string(mark).unwrap_or_default());
        text.push('\n');
    }
    tx.write(Write::Append(part_key(session, part), text.into_bytes()));
    Ok(())
}

/// Rewrites a session's log with only the marks that are still worth keeping.
pub(super) fn keep_marks(
    tx: &mut Transaction,
    session: &SessionId,
    is_kept: impl Fn(&Mark) -> bool,
) -> Result<(), Error> {
    for part in 0..parts(tx, session)?.len() {
        let key = part_key(session, part);
        let Ok(Some(stored)) = tx.get(&key) else { continue };
        let mut kept = Vec::with_capacity(stored.bytes.len());
        for line in stored.bytes.split(|byte| *byte == b'\n') {
            if serde_json::from_slice(line).is_ok_and(|mark| is_kept(&mark)) {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
        }
        // An empty part stays, so that the parts after it are found.
        if kept.len() + 1 < stored.bytes.len() {
            tx.put(key, kept);
        }
    }
    Ok(())
}

/// The session that a file in `.read/` belongs to.
pub(super) fn session_of_part(name: &str) -> Option<SessionId> {
    let (session, part) = name.rsplit_once('.')?;
    part.parse::<usize>().ok()?;
    SessionId::foreign(session).ok()
}

fn parts(reader: &dyn Reader, session: &SessionId) -> Result<Vec<Stamp>, Error> {
    let mut parts = Vec::new();
    loop {
        match reader.stamp(&part_key(session, parts.len())) {
            Ok(Some(stamp)) => parts.push(stamp),
            Ok(None) | Err(Error::Unsafe { .. }) => return Ok(parts),
            Err(error) => return Err(error),
        }
    }
}

fn part_key(session: &SessionId, part: usize) -> Key {
    Key::Entry(Series::ReadMarks, format!("{session}.{part}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deconflict_platform::clock::SystemClock;
    use deconflict_protocol::Naming;

    use super::*;
    use crate::store::{Memory, Store};

    fn store() -> Memory {
        Memory::new(Arc::new(SystemClock::new()), Naming::default())
    }

    fn read(file: &str) -> Mark {
        Mark::Read { file: file.to_owned(), repeat: None }
    }

    fn marks_in(store: &Memory, session: &SessionId) -> ReadMarks {
        ReadMarks::of(&*store.reader().unwrap(), session).unwrap()
    }

    #[test]
    fn a_log_of_many_marks_is_kept_in_parts_that_can_be_read() {
        let (store, session) = (store(), SessionId::new("a.0").unwrap());
        let files: Vec<String> = (0..30_000).map(|number| format!("broadcast/{number:060}.json")).collect();
        let marks: Vec<Mark> = files.iter().map(|file| read(file)).collect();
        for some in marks.chunks(7_000) {
            store.commit(&mut |tx| add_marks(tx, &session, some)).unwrap();
        }
        let found = marks_in(&store, &session);
        assert!(files.iter().all(|file| found.has_read(file)));
        assert!(found.parts.len() > 1);
        let Key::Entry(_, name) = part_key(&session, 3) else { panic!() };
        assert_eq!(session_of_part(&name), Some(session.clone()));

        store.commit(&mut |tx| keep_marks(tx, &session, |mark| *mark == marks[20_000])).unwrap();
        assert!(found.is_outdated(&*store.reader().unwrap(), &session).unwrap());
        let kept = marks_in(&store, &session);
        assert_eq!(kept.read.into_iter().collect::<Vec<_>>(), [files[20_000].clone()]);
    }

    #[test]
    fn a_mark_that_was_cut_by_a_crash_takes_no_other_with_it() {
        let (store, session) = (store(), SessionId::new("a").unwrap());
        let cut = b"{\"mark\":\"read\",\"fi".to_vec();
        let marks = [read("direct/x"), Mark::PassedOn];
        let mut write_cut = |tx: &mut Transaction<'_>| {
            tx.write(Write::Append(part_key(&session, 0), cut.clone()));
            Ok(())
        };
        store.commit(&mut write_cut).unwrap();
        store.commit(&mut |tx| add_marks(tx, &session, &marks)).unwrap();
        let found = marks_in(&store, &session);
        assert!(found.has_read("direct/x") && found.is_passed_on());
    }
}
