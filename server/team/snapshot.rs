//! The records at one revision, and what of them was read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deconflict_protocol::{Naming, time};
use deconflict_registry::{Error, Key, Range, Reader, Snapshot, Stamp, Stored};

use super::gateway::{Gateway, Trouble};
use super::keys::{self, NAMING};
use super::kv::{self, Comparison, KeyValue};

/// etcd refuses a transaction of more than 128 comparisons. With more than this the whole registry is compared.
const MOST_COMPARISONS: usize = 100;

/// etcd refuses more than 128 questions at once.
const MOST_AT_ONCE: usize = 100;

/// The records at one revision: that of the first reading.
pub(super) struct EtcdSnapshot<'a> {
    gateway: &'a Gateway,
    prefix: &'a str,
    known: RefCell<ReadSet>,
}

#[derive(Default)]
struct ReadSet {
    /// None before anything was read.
    revision: Option<i64>,
    /// What is known to stand, or not to stand, under keys.
    records: BTreeMap<Vec<u8>, Option<KeyValue>>,
    /// Ranges of which everything is known.
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    token: Option<KeyValue>,
}

/// What is known of a key.
enum Lookup {
    Unknown,
    /// What stands under it, if anything does.
    Known(Option<KeyValue>),
}

impl ReadSet {
    /// What is known of a key.
    fn of(&self, key: &[u8]) -> Lookup {
        match self.records.get(key) {
            Some(known) => Lookup::Known(known.clone()),
            None if self.ranges.iter().any(|(start, end)| start[..] <= *key && *key < end[..]) => Lookup::Known(None),
            None => Lookup::Unknown,
        }
    }
}

impl<'a> EtcdSnapshot<'a> {
    pub(super) fn new(gateway: &'a Gateway, prefix: &'a str) -> Self {
        Self { gateway, prefix, known: RefCell::default() }
    }

    /// Reads what stands under a key at this revision.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<KeyValue>, Trouble> {
        if let Lookup::Known(known) = self.known.borrow().of(key) {
            return Ok(known);
        }
        let found = match self.revision_before(key)? {
            (Lookup::Known(found), _) => found,
            (Lookup::Unknown, revision) => kv::read_at(self.gateway, key, revision)?,
        };
        self.known.borrow_mut().records.insert(key.to_vec(), found.clone());
        Ok(found)
    }

    /// On which lease hangs what was read under a key; 0 where none does, or nothing was read.
    pub(super) fn lease_of(&self, key: &[u8]) -> i64 {
        let known = self.known.borrow();
        known.records.get(key).and_then(Option::as_ref).map_or(0, |found| found.lease)
    }

    /// The revision; what is read first comes along with it.
    fn revision_before(&self, key: &[u8]) -> Result<(Lookup, i64), Trouble> {
        if let Some(revision) = self.known.borrow().revision {
            return Ok((Lookup::Unknown, revision));
        }
        let (revision, [found, token]) = kv::read_now(self.gateway, [key, &keys::token(self.prefix)])?;
        let mut known = self.known.borrow_mut();
        known.revision = Some(revision);
        known.token = token;
        Ok((Lookup::Known(found), revision))
    }

    fn read_range(&self, range: &Range) -> Result<Vec<Key>, Trouble> {
        let (start, end) = keys::bounds(self.prefix, range);
        if !self.known.borrow().ranges.iter().any(|(from, to)| *from <= start && end <= *to) {
            let (_, revision) = self.revision_before(&start)?;
            let found = kv::range_at(self.gateway, &start, &end, revision)?;
            let mut known = self.known.borrow_mut();
            known.records.extend(found.into_iter().map(|record| (record.key.clone(), Some(record))));
            known.ranges.push((start.clone(), end.clone()));
        }
        let known = self.known.borrow();
        let there = known.records.range(start..end).filter(|(_, record)| record.is_some());
        Ok(there.filter_map(|(key, _)| keys::parse(self.prefix, key)).collect())
    }

    /// What must hold of the registry so that what was read stands there still.
    pub(super) fn comparisons(&self) -> Vec<Comparison> {
        let known = self.known.borrow();
        let revision = known.revision.unwrap_or_default();
        let ranges =
            known.ranges.iter().map(|(start, end)| Comparison::NoneNewer(start.clone(), end.clone(), revision));
        let records = known.records.iter().map(|(key, record)| {
            Comparison::Unchanged(key.clone(), record.as_ref().map_or(0, |record| record.mod_revision))
        });
        let all: Vec<Comparison> = ranges.chain(records).collect();
        if all.len() <= MOST_COMPARISONS {
            return all;
        }
        // Whoever deletes something writes a key beside it, so that this finds deletions too.
        let start = self.prefix.as_bytes().to_vec();
        let end = keys::end_of(&start);
        vec![Comparison::NoneNewer(start, end, revision)]
    }

    /// The last fencing token, and what must hold so that it still is.
    pub(super) fn last_token(&self) -> Result<(u64, Comparison), Trouble> {
        let key = keys::token(self.prefix);
        self.revision_before(&key)?;
        let known = self.known.borrow();
        let last = known.token.as_ref().and_then(|token| String::from_utf8_lossy(&token.value).parse().ok());
        let written = known.token.as_ref().map_or(0, |token| token.mod_revision);
        Ok((last.unwrap_or_default(), Comparison::Unchanged(key, written)))
    }
}

impl Reader for EtcdSnapshot<'_> {
    fn naming(&self) -> Naming {
        NAMING
    }

    fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let name = keys::name(self.prefix, key);
        Ok(self.read(&name).map_err(|trouble| self.gateway.error(trouble))?.as_ref().map(stored))
    }

    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error> {
        Ok(self.get(key)?.map(|stored| stored.stamp))
    }

    /// What is expected before anything was read is read with one question.
    fn prefetch(&self, keys: &dyn Fn() -> Vec<Key>) -> Result<(), Error> {
        if self.known.borrow().revision.is_some() {
            return Ok(());
        }
        let names: Vec<Vec<u8>> = keys().iter().take(MOST_AT_ONCE).map(|key| keys::name(self.prefix, key)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let token = keys::token(self.prefix);
        let asked: Vec<&[u8]> = names.iter().chain([&token]).map(Vec::as_slice).collect();
        let read = kv::read_all_now(self.gateway, &asked);
        let (revision, mut found) = read.map_err(|trouble| self.gateway.error(trouble))?;
        let mut known = self.known.borrow_mut();
        known.revision = Some(revision);
        known.token = found.pop().flatten();
        known.records.extend(names.into_iter().zip(found));
        Ok(())
    }

    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error> {
        let mut found = Vec::new();
        for range in ranges {
            found.extend(self.read_range(range).map_err(|trouble| self.gateway.error(trouble))?);
        }
        Ok(found)
    }

    /// etcd tells none. A session that breaks its promise loses its lease, and its record with it.
    fn time(&self) -> Option<DateTime<Utc>> {
        None
    }
}

impl Snapshot for EtcdSnapshot<'_> {
    fn next_token(&self, _: DateTime<Utc>) -> Result<u64, Error> {
        let (last, _) = self.last_token().map_err(|trouble| self.gateway.error(trouble))?;
        let revision = self.known.borrow().revision.unwrap_or_default();
        Ok(u64::try_from(revision).unwrap_or_default().max(last) + 1)
    }
}

/// A record goes after a line with the time at which it was written, by its writer's clock.
pub(super) fn value_of(record: &[u8], at: DateTime<Utc>) -> Vec<u8> {
    [time::format(at).as_bytes(), b"\n", record].concat()
}

/// The record of a value.
pub(super) fn record_of(value: &[u8]) -> (Option<DateTime<Utc>>, &[u8]) {
    let Some(end) = value.iter().position(|byte| *byte == b'\n') else { return (None, value) };
    match std::str::from_utf8(&value[..end]).ok().and_then(time::parse) {
        Some(at) => (Some(at), &value[end + 1..]),
        None => (None, value),
    }
}

fn stored(found: &KeyValue) -> Stored {
    let (at, record) = record_of(&found.value);
    let stamp = Stamp {
        modified: at.unwrap_or_default(),
        size: record.len() as u64,
        version: u64::try_from(found.mod_revision).unwrap_or_default(),
    };
    Stored { bytes: record.to_vec(), stamp }
}
