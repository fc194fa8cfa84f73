//! A decision in the making: what it sees, and what it wants to be written.

use chrono::{DateTime, Utc};

use super::{Key, Range, Reader, Series, Snapshot, Stamp, Stored};
use crate::Error;
use deconflict_protocol::{Naming, SessionId};

/// What a decision wants to be written.
#[derive(Debug, Clone)]
pub enum Write {
    /// A record in place of what was read, or where nothing stood.
    Put {
        /// Where.
        key: Key,
        /// What.
        bytes: Vec<u8>,
        /// True for one that is taken back if not all that was decided can be written.
        is_new: bool,
    },
    /// No record any more.
    Delete(Key),
    /// A record that cannot be understood is kept out of the way, because it is never silently deleted.
    SetAside(Key),
    /// A new record in a series.
    Add {
        /// Where.
        series: Series,
        /// By whom.
        by: SessionId,
        /// When.
        at: DateTime<Utc>,
        /// What.
        bytes: Vec<u8>,
    },
    /// More at the end of a record, made if it is missing.
    Append(Key, Vec<u8>),
    /// A record of a series goes to another one, under its own name or a later one.
    Move {
        /// Which one.
        from: Key,
        /// To where.
        to: Series,
        /// The names that it may have there, best first.
        names: Vec<String>,
    },
}

/// What a decision itself did to a key.
enum Own<'a> {
    Untouched,
    Taken,
    Put(&'a [u8]),
}

/// What a decision sees, its own writes included, and what it wants to be written.
pub struct Transaction<'a> {
    snapshot: &'a dyn Snapshot,
    writes: Vec<Write>,
    token: Option<u64>,
}

impl<'a> Transaction<'a> {
    /// Nothing is decided yet.
    pub fn new(snapshot: &'a dyn Snapshot) -> Self {
        Self { snapshot, writes: Vec::new(), token: None }
    }

    /// Wants something to be written, after all that it wanted before.
    pub fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Wants a record to stand under a key as it was changed.
    pub fn put(&mut self, key: Key, bytes: Vec<u8>) {
        self.write(Write::Put { key, bytes, is_new: false });
    }

    /// Wants a new record to stand under a key, or nothing at all to be written.
    pub fn put_new(&mut self, key: Key, bytes: Vec<u8>) {
        self.write(Write::Put { key, bytes, is_new: true });
    }

    /// Wants nothing to be written after all.
    pub fn give_up(&mut self) {
        self.writes.clear();
        self.token = None;
    }

    /// A fencing token for what is granted: greater than that of any grant before.
    pub fn next_token(&mut self, now: DateTime<Utc>) -> Result<u64, Error> {
        let token = match self.token {
            Some(token) => token + 1,
            None => self.snapshot.next_token(now)?,
        };
        self.token = Some(token);
        Ok(token)
    }

    /// What it wants, and the last token that it gave.
    pub fn decided(self) -> (Vec<Write>, Option<u64>) {
        (self.writes, self.token)
    }

    /// What this decision itself put under a key, or took from it.
    fn own(&self, key: &Key) -> Own<'_> {
        let own = self.writes.iter().rev().find_map(|write| match write {
            Write::Put { key: put, bytes, .. } if put == key => Some(Own::Put(bytes)),
            Write::Delete(gone) | Write::SetAside(gone) if gone == key => Some(Own::Taken),
            _ => None,
        });
        own.unwrap_or(Own::Untouched)
    }
}

impl Reader for Transaction<'_> {
    fn naming(&self) -> Naming {
        self.snapshot.naming()
    }

    fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        match self.own(key) {
            Own::Untouched => self.snapshot.get(key),
            Own::Taken => Ok(None),
            Own::Put(bytes) => {
                let stamp = Stamp::unknown(self.snapshot.time().unwrap_or_default());
                Ok(Some(Stored { bytes: bytes.to_vec(), stamp }))
            }
        }
    }

    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error> {
        match self.own(key) {
            Own::Untouched => self.snapshot.stamp(key),
            Own::Taken | Own::Put(_) => Ok(self.get(key)?.map(|stored| stored.stamp)),
        }
    }

    fn prefetch(&self, keys: &dyn Fn() -> Vec<Key>) -> Result<(), Error> {
        self.snapshot.prefetch(keys)
    }

    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error> {
        let mut keys = self.snapshot.scan(ranges)?;
        keys.retain(|key| matches!(self.own(key), Own::Untouched));
        for write in &self.writes {
            if let Write::Put { key, .. } = write
                && ranges.iter().any(|range| range.contains(key))
                && matches!(self.own(key), Own::Put(_))
                && !keys.contains(key)
            {
                keys.push(key.clone());
            }
        }
        Ok(keys)
    }

    fn is_empty(&self, range: &Range) -> Result<bool, Error> {
        self.snapshot.is_empty(range)
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        self.snapshot.time()
    }
}
