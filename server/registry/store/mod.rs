//! Where records are kept. The registry's verbs are written over [`Store`], and know nothing of files.
//!
//! Whatever depends on what stands there now (every claim, every session's record, read marks) is written inside
//! [`Store::commit`]: a decision sees one consistent state through a [`Transaction`], says what is to be written, and is
//! asked again if something else wrote there meanwhile. What is only ever added goes in by [`Store::add`].

pub(crate) mod files;
mod key;
mod memory;
mod transaction;
mod watching;

use std::fmt;

use chrono::{DateTime, Utc};

pub use files::Files;
pub use key::{Key, Range, Series};
pub use memory::Memory;
pub use transaction::{Transaction, Write};
pub use watching::{Changed, Hear, Watching};

use super::Error;
use deconflict_protocol::{Naming, SessionId};

/// No larger record is read, and no larger message sent: 1 MiB.
pub(super) const LARGEST_RECORD: usize = 1 << 20;

/// Keeps records, and decides who changes them first.
pub trait Store: fmt::Debug + Send + Sync {
    /// Reads what stands there. Two readings are of two moments.
    fn reader(&self) -> Result<Box<dyn Reader + '_>, Error>;

    /// Lets `decide` see one consistent state, and writes what it decided, before anybody else can change anything of
    /// what it saw. It is asked again if something else did, so it must do nothing but decide. If it fails, or if it
    /// writes nothing, then nothing is written.
    fn commit(&self, decide: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), Error>) -> Result<Committed, Error>;

    /// Adds a record to a series, under a name that nothing has. Where it must survive a power loss it does when this
    /// returns.
    fn add(&self, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: &[u8]) -> Result<Key, Error>;

    /// Tells which records of some ranges are written or deleted by whomever, until what it returns is dropped.
    fn watch(&self, ranges: &[Range], hear: Hear) -> Box<dyn Watching>;

    /// Makes what a store needs before anything can be written.
    fn prepare(&self) -> Result<(), Error>;

    /// Forgets what it remembers of the processes that sessions name, because a session names others now.
    fn forget_processes(&self) {}

    /// What it promises.
    fn guarantees(&self) -> Guarantees;
}

/// Reading from a store.
pub trait Reader {
    /// Which names are equal here.
    fn naming(&self) -> Naming;

    /// Reads a record; `None` if there is none.
    fn get(&self, key: &Key) -> Result<Option<Stored>, Error>;

    /// Which record stands under a key, without reading it; `None` if there is none, or nothing that could be read.
    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error>;

    /// The keys in some ranges, in no order.
    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error>;

    /// Says which records are going to be read, so that a store that is far away can bring them at once. It need not.
    fn prefetch(&self, _: &dyn Fn() -> Vec<Key>) -> Result<(), Error> {
        Ok(())
    }

    /// True if a range holds nothing.
    fn is_empty(&self, range: &Range) -> Result<bool, Error> {
        Ok(self.scan(std::slice::from_ref(range))?.is_empty())
    }

    /// The time by the store's own clock; `None` where that cannot be told.
    fn time(&self) -> Option<DateTime<Utc>>;
}

/// A state that does not change while a decision is made.
pub trait Snapshot: Reader {
    /// A number greater than that of any commit before.
    fn next_token(&self, now: DateTime<Utc>) -> Result<u64, Error>;
}

/// A record's content together with what tells it from a later one under the same key.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The content.
    pub bytes: Vec<u8>,
    /// Which one it is.
    pub stamp: Stamp,
}

/// What tells a record from a later one under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
    /// Its length in bytes.
    pub size: u64,
    /// Which version it is, as the store counts.
    pub version: u64,
}

impl Stamp {
    /// For something that cannot be read, so that nothing more is known of it.
    pub(super) fn unknown(modified: DateTime<Utc>) -> Self {
        Self { modified, size: 0, version: 0 }
    }
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// The fencing token of what was granted by it, if it asked for one.
    pub token: Option<u64>,
    /// What stands under the keys of the claims that it wrote, read again before anybody else could write.
    pub claims: Vec<(Key, Option<Stored>)>,
}

/// What a store promises to those who keep to its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantees {
    /// Whether claims keep others out.
    pub exclusion: Locking,
    /// By whose clock leases end.
    pub clock: LeaseClock,
    /// What shows that a session lives.
    pub presence: Presence,
}

/// Whether claims keep others out, or only tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// Of any two that change a claim, one comes after the other.
    Enforced,
    /// The file system cannot lock files, or only for those who see the directory through the same mount. Claims are only
    /// advice: of two sessions that take over one claim in the same moment, both may be told that they have it.
    Unsupported,
}

/// By whose clock leases end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseClock {
    /// By that of each who takes part.
    Participants,
    /// By the store's own.
    Store,
}

/// What shows that a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Its process, where that can be seen, or its promise to refresh its record.
    Process,
    /// A lease that the store itself ends.
    Lease,
}
