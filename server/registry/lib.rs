//! The coordination directory: who works here, what each one holds, and what they tell each other.
//!
//! This is the only room that touches the directory. Its verbs take resources and session ids, never paths of files
//! that are edited, and they may wait for the disk: an editor's loop calls them from another thread. Each verb leaves
//! the directory whole when its process dies at any instant.
//!
//! Two sessions want one file: the first gets it, the second learns who has it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use deconflict_platform::clock::SystemClock;
//! use deconflict_protocol::Resource;
//! use deconflict_registry::{ClaimOutcome, NewSession, Registry, Terms};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let registry = Registry::create(&folder.path().join("COORDINATION"), Arc::new(SystemClock::default()))?;
//!
//! let ada = registry.register(NewSession { name: Some("Ada".to_owned()), ..NewSession::default() })?;
//! let bob = registry.register(NewSession { name: Some("Bob".to_owned()), ..NewSession::default() })?;
//! let file = Resource::file("src/login.rs")?;
//!
//! let first = registry.claim(&ada.id, &file, &Terms::default())?;
//! assert!(matches!(first, ClaimOutcome::Granted { .. }));
//!
//! let ClaimOutcome::Refused { by } = registry.claim(&bob.id, &file, &Terms::default())? else {
//!     unreachable!("Ada holds it");
//! };
//! assert_eq!(by.holder(), Some(&ada.id));
//!
//! // What a session held is free when it ends.
//! registry.complete(&ada.id, &Default::default())?;
//! let second = registry.claim(&bob.id, &file, &Terms::default())?;
//! assert!(matches!(second, ClaimOutcome::Granted { .. }));
//! # Ok(())
//! # }
//! ```
//!
//! [`Registry::over`] keeps the same elsewhere: in [`Memory`], or in any other [`Store`].

mod answering;
mod board;
mod board_backlog;
mod board_entries;
mod board_keeper;
mod board_rows;
mod board_splice;
mod board_state;
mod board_update;
mod changes;
mod claim_all;
mod claims;
mod claims_mark;
mod clean_up;
mod concerns;
mod drafts;
mod earlier_versions;
mod error;
mod findings;
mod heartbeats;
mod holding;
mod judging;
mod leases;
mod liveness;
mod machines;
mod mailbox;
mod messages;
mod muting;
mod namesakes;
mod originals;
mod overlap;
mod overview;
mod predecessor;
mod probe;
mod queue;
mod read_marks;
mod record;
mod records;
mod session;
mod session_processes;
mod sessions;
mod store;
mod stored_rows;
mod told;
mod transfer;
mod view;
mod viewer;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use board::board_below;
pub use board_keeper::{BoardKeeper, Refreshed};
pub use claim_all::{ClaimAllOutcome, Granted, Obstacle};
pub use claims::{
    Claim, ClaimOutcome, ClaimState, HandOffOutcome, Holding, MoveOutcome, ReleaseOutcome, RenewOutcome, StoredClaim,
    Terms,
};
pub use claims_mark::ClaimsMark;
pub use clean_up::CleanUp;
pub use concerns::{Concern, NamedClaim, NamedSession, minute};
pub use drafts::CompletedWork;
pub use error::Error;
pub use findings::Findings;
pub use heartbeats::{Activity, LastActivity, RELEASED};
pub use leases::{BEING_WRITTEN, EDIT_LEASE, RENEWAL_PAUSE, renewal_pause};
pub use liveness::{KeeperState, SessionState, look_at_keeper, named_process};
pub use machines::Machines;
pub use messages::{Draft, Message, MessageId, Recipient};
pub use muting::Muted;
pub use originals::ScriptState;
pub use overview::Overview;
pub use predecessor::Predecessor;
pub use queue::{CircleLink, PlaceInLine, Queued, Step, StoredTicket, Taken, Taker, TicketKey, Turn, Waiter, Waker};
pub use records::DamagedRecord;
pub use session::{Session, StoredSession};
pub use sessions::{Completion, NewSession};
pub use store::files::watch::{DirectoryWatch, watch_for_directory, watcher};
pub use store::{
    Changed, Committed, Files, Guarantees, Hear, Key, LeaseClock, Locking, Memory, Presence, Range, Reader, Series,
    Snapshot, Stamp, Store, Stored, Transaction, Watching, Write,
};
pub use view::{Affected, View};
pub use viewer::{SeenBy, Viewer};
pub use watch::{Change, Watch, watch};

use deconflict_platform::clock::Clock;
use store::files::directory::Directory;
use store::files::lock::ClaimLock;
use store::files::names::relative_path;

/// What sessions say and claim, as one store keeps it. Cheap to clone, and safe to use from many threads.
#[derive(Debug)]
pub struct Registry<S = Files> {
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    findings: Option<Arc<dyn Findings>>,
    viewer: SeenBy,
}

impl<S> Clone for Registry<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            findings: self.findings.clone(),
            viewer: self.viewer.clone(),
        }
    }
}

impl<S: Store> Registry<S> {
    /// The registry that a store keeps.
    pub fn over(store: S, clock: Arc<dyn Clock>) -> Self {
        Self::of(Arc::new(store), clock)
    }

    /// The same, where others use the store too.
    pub fn of(store: Arc<S>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, findings: None, viewer: SeenBy::default() }
    }

    /// The same registry as this person sees it, to whom their other sessions are theirs.
    #[must_use]
    pub fn seen_by(self, viewer: Viewer) -> Self {
        Self { viewer: SeenBy(Some(Arc::new(viewer))), ..self }
    }

    /// What keeps it.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What tells the time here.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Which names are equal here.
    pub fn naming(&self) -> Result<deconflict_protocol::Naming, Error> {
        Ok(self.reader()?.naming())
    }

    /// Whether claims keep others out here, as the last verb saw that changed something; [`Locking::Enforced`] before
    /// any did. Asking costs nothing.
    pub fn locking(&self) -> Locking {
        self.store.guarantees().exclusion
    }

    /// Hears which records of some ranges are written or deleted, until what it returns is dropped. Whoever hears looks at it
    /// from time to time.
    pub fn hear(&self, ranges: &[Range], hear: Hear) -> Box<dyn Watching> {
        let mut watching = self.store.watch(ranges, hear);
        watching.look(Duration::ZERO);
        watching
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, Error> {
        self.store.reader()
    }

    fn commit<T>(
        &self,
        mut decide: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Committed), Error> {
        let mut decision = None;
        let committed = self.store.commit(&mut |tx| {
            decision = Some(decide(tx)?);
            Ok(())
        })?;
        // A store asks at least once.
        decision.map(|decision| (decision, committed)).ok_or(Error::Contended)
    }

    /// The same for what makes a store that is not there yet, or not there any more.
    fn commit_making<T>(
        &self,
        mut decide: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<(T, Committed), Error> {
        self.prepared(|| self.commit(&mut decide))
    }

    fn prepared<T>(&self, mut write: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        match write() {
            Err(Error::Missing { .. }) => {
                self.store.prepare()?;
                write()
            }
            written => written,
        }
    }
}

impl Registry {
    /// Opens the registry of an existing directory.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Directory::open(directory)?;
        Ok(Self::over(Files::at(directory), clock))
    }

    /// False if the directory was deleted since it was opened.
    pub fn is_there(&self) -> Result<bool, Error> {
        match Directory::open(self.path()) {
            Ok(_) => Ok(true),
            Err(Error::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory where it is missing, and opens its registry.
    pub fn create(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Directory::create(directory)?;
        Ok(Self::over(Files::at(directory), clock))
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The file of a record.
    pub fn file_of(&self, key: &Key) -> PathBuf {
        file_below(self.path(), key)
    }

    /// True if records can be written here.
    pub fn is_writable(&self) -> bool {
        self.try_locking().is_ok()
    }

    /// Whether claims keep others out here, tried out now.
    pub fn try_locking(&self) -> Result<Locking, Error> {
        self.lock(&self.directory()?).map(|lock| lock.locking())
    }

    fn directory(&self) -> Result<Directory, Error> {
        self.store.directory()
    }

    fn lock<'a>(&self, directory: &'a Directory) -> Result<ClaimLock<'a>, Error> {
        self.store.lock(directory)
    }

    /// For what writes: whoever deleted the directory gets it back with the next record.
    fn directory_to_write(&self) -> Result<Directory, Error> {
        self.prepared(|| self.directory())
    }
}

/// The file of a record in a directory.
pub fn file_below(directory: &Path, key: &Key) -> PathBuf {
    directory.join(relative_path(key))
}

fn random_number() -> Result<u64, Error> {
    getrandom::u64().map_err(|source| Error::NoRandomness(source.to_string()))
}
