//! Records in memory, for tests that need no disk.
//!
//! It keeps nobody waiting while a decision is made: a commit fails, and the decision is asked again, if anything of what
//! it read was changed meanwhile, as in a database with transactions.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Changed, Committed, Guarantees, Hear, Key, LeaseClock, Locking, Presence, Range, Reader, Series, Snapshot, Stamp,
    Store, Stored, Transaction, Watching, Write,
};
use crate::Error;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Naming, SessionId, time};

/// Records in memory.
pub struct Memory {
    clock: Arc<dyn Clock>,
    naming: Naming,
    state: Mutex<State>,
    listeners: Mutex<Vec<Weak<Listener>>>,
    is_silent: AtomicBool,
}

struct Listener {
    ranges: Vec<Range>,
    hear: Hear,
}

impl Watching for Arc<Listener> {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("naming", &self.naming).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    records: BTreeMap<Key, Stored>,
    set_aside: Vec<Stored>,
    /// Counts the changes. A record's version is that of its last one.
    revision: u64,
    /// The last fencing token that was granted. What a decision read may look the same again after another's grant and
    /// release, and then nothing but this tells that its own token is too small.
    last_token: u64,
    /// What was changed and not told yet.
    changed: Vec<Key>,
}

impl Memory {
    /// Nothing is there yet.
    pub fn new(clock: Arc<dyn Clock>, naming: Naming) -> Self {
        Self { clock, naming, state: Mutex::default(), listeners: Mutex::default(), is_silent: AtomicBool::new(false) }
    }

    /// Does not tell what is changed meanwhile, but later that everything may have changed: as a store does that
    /// keeps its history for a limited time.
    pub fn forgetting<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.is_silent.store(true, Ordering::Relaxed);
        let done = meanwhile();
        self.is_silent.store(false, Ordering::Relaxed);
        self.tell(|listener| (listener.hear)(Changed::Everything));
        done
    }

    fn change<T>(&self, mut state: MutexGuard<'_, State>, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut state);
        let changed = std::mem::take(&mut state.changed);
        drop(state);
        if !self.is_silent.load(Ordering::Relaxed) {
            self.tell(|listener| {
                let meant = changed.iter().filter(|key| listener.ranges.iter().any(|range| range.contains(key)));
                meant.for_each(|key| (listener.hear)(Changed::Record(key.clone())));
            });
        }
        done
    }

    fn tell(&self, tell: impl Fn(&Listener)) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.upgrade().map(|listener| tell(&listener)).is_some());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> Seen<'_> {
        Seen { store: self, state: self.state().clone(), reads: RefCell::default() }
    }
}

impl Store for Memory {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, Error> {
        Ok(Box::new(self.seen()))
    }

    fn commit(&self, decide: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), Error>) -> Result<Committed, Error> {
        loop {
            let seen = self.seen();
            let mut transaction = Transaction::new(&seen);
            decide(&mut transaction)?;
            let (writes, token) = transaction.decided();
            let state = self.state();
            if seen.is_outdated(&state) || (token.is_some() && state.last_token != seen.state.last_token) {
                continue;
            }
            let now = self.clock.now();
            let claims = self.change(state, |state| {
                state.last_token = token.unwrap_or(state.last_token);
                for write in &writes {
                    state.carry_out(write, now);
                }
                let claims = writes.iter().filter_map(|write| match write {
                    Write::Put { key: key @ Key::Claim(_), .. } => Some((key.clone(), state.records.get(key).cloned())),
                    _ => None,
                });
                claims.collect()
            });
            return Ok(Committed { token, claims });
        }
    }

    fn add(&self, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: &[u8]) -> Result<Key, Error> {
        Ok(self.change(self.state(), |state| state.add(series, by, at, bytes.to_vec(), self.clock.now())))
    }

    fn watch(&self, ranges: &[Range], hear: Hear) -> Box<dyn Watching> {
        let listener = Arc::new(Listener { ranges: ranges.to_vec(), hear });
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&listener));
        Box::new(listener)
    }

    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { exclusion: Locking::Enforced, clock: LeaseClock::Participants, presence: Presence::Process }
    }
}

impl State {
    fn carry_out(&mut self, write: &Write, now: DateTime<Utc>) {
        match write.clone() {
            Write::Put { key, bytes, .. } => self.put(key, bytes, now),
            Write::Delete(key) => drop(self.take(&key)),
            Write::SetAside(key) => {
                let damaged = self.take(&key);
                self.set_aside.extend(damaged);
            }
            Write::Add { series, by, at, bytes } => drop(self.add(&series, &by, at, bytes, now)),
            Write::Append(key, bytes) => {
                let before = self.records.get(&key).map(|stored| stored.bytes.clone()).unwrap_or_default();
                self.put(key, [before, bytes].concat(), now);
            }
            Write::Move { from, to, names } => {
                let free = names.into_iter().map(|name| Key::Entry(to.clone(), name));
                let free = free.into_iter().find(|key| !self.records.contains_key(key));
                if let (Some(key), Some(stored)) = (free, self.take(&from)) {
                    self.put(key, stored.bytes, stored.stamp.modified);
                }
            }
        }
    }

    fn put(&mut self, key: Key, bytes: Vec<u8>, modified: DateTime<Utc>) {
        self.revision += 1;
        let stamp = Stamp { modified, size: bytes.len() as u64, version: self.revision };
        // A key that is equal may be spelled otherwise, and then the new spelling counts.
        self.records.remove(&key);
        self.changed.push(key.clone());
        self.records.insert(key, Stored { bytes, stamp });
    }

    fn take(&mut self, key: &Key) -> Option<Stored> {
        self.revision += 1;
        self.changed.push(key.clone());
        self.records.remove(key)
    }

    fn add(&mut self, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: Vec<u8>, now: DateTime<Utc>) -> Key {
        let mut at = at;
        loop {
            let key = Key::Entry(series.clone(), format!("{}-{by}.json", time::stamp(at)));
            if !self.records.contains_key(&key) {
                self.put(key.clone(), bytes, now);
                return key;
            }
            at += TimeDelta::milliseconds(1);
        }
    }

    fn keys(&self, range: &Range) -> Vec<Key> {
        self.records.keys().filter(|key| range.contains(key)).cloned().collect()
    }
}

struct Seen<'a> {
    store: &'a Memory,
    state: State,
    reads: RefCell<Vec<Read>>,
}

enum Read {
    Record(Key),
    Keys(Range),
}

impl Seen<'_> {
    /// True if something that was read is not as it was any more.
    fn is_outdated(&self, now: &State) -> bool {
        let version = |state: &State, key: &Key| state.records.get(key).map(|stored| stored.stamp.version);
        self.reads.borrow().iter().any(|read| match read {
            Read::Record(key) => version(now, key) != version(&self.state, key),
            Read::Keys(range) => now.keys(range) != self.state.keys(range),
        })
    }

    fn note(&self, read: Read) {
        self.reads.borrow_mut().push(read);
    }
}

impl Reader for Seen<'_> {
    fn naming(&self) -> Naming {
        self.store.naming
    }

    fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.note(Read::Record(key.clone()));
        Ok(self.state.records.get(key).cloned())
    }

    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error> {
        Ok(self.get(key)?.map(|stored| stored.stamp))
    }

    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error> {
        for range in ranges {
            self.note(Read::Keys(range.clone()));
        }
        Ok(ranges.iter().flat_map(|range| self.state.keys(range)).collect())
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        Some(self.store.clock.now())
    }
}

impl Snapshot for Seen<'_> {
    fn next_token(&self, _: DateTime<Utc>) -> Result<u64, Error> {
        Ok(self.state.revision.max(self.state.last_token) + 1)
    }
}
