//! The coordination directory: who works here, what each one holds, and what they tell each other.
//!
//! This is the only room that touches the directory. Its verbs take resources and session ids, never paths of files
//! that are edited, and they may wait for the disk: an editor's loop calls them from another thread. Each verb leaves
//! the directory whole when its process dies at any instant.

mod board;
mod board_keeper;
mod claim_all;
mod claims;
mod clean_up;
mod directory;
mod drafts;
mod earlier_versions;
mod error;
mod heartbeats;
mod holding;
mod liveness;
mod lock;
mod machines;
mod mailbox;
mod messages;
mod originals;
mod overview;
mod probe;
mod read_marks;
mod record;
mod sessions;
mod told;
mod transfer;
mod view;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};

pub use board_keeper::{BoardKeeper, Refreshed};
pub use claim_all::{ClaimAllOutcome, Granted, Obstacle};
pub use claims::{
    Claim, ClaimOutcome, HandOffOutcome, Holding, MoveOutcome, ReleaseOutcome, RenewOutcome, Standing, StoredClaim,
    Terms,
};
pub use clean_up::CleanUp;
pub use drafts::CompletedWork;
pub use error::Error;
pub use heartbeats::{Activity, LastActivity, RELEASED};
pub use liveness::{KeeperState, SessionState, look_at_keeper};
pub use lock::Locking;
pub use machines::Machines;
pub use messages::{Draft, Message, MessageId, Recipient};
pub use originals::ScriptState;
pub use overview::{DamagedRecord, Finding, Material, NamedClaim, Overview, Party};
pub use sessions::{Completion, NewSession, Session, StoredSession};
pub use view::{Affected, View};
pub use watch::{Change, DirectoryWatch, Watch, watch, watch_for_directory};

use deconflict_platform::clock::Clock;
use directory::Directory;

/// The registry that one coordination directory holds. Cheap to clone, and safe to use from many threads.
#[derive(Debug, Clone)]
pub struct Registry {
    path: Arc<PathBuf>,
    clock: Arc<dyn Clock>,
    /// True if the last lock could not be taken, because the file system has none.
    is_without_locks: Arc<AtomicBool>,
}

impl Registry {
    /// Opens the registry of an existing directory.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Directory::open(directory)?;
        Ok(Self::at(directory, clock))
    }

    /// Makes the directory where it is missing, and opens its registry.
    pub fn create(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Directory::create(directory)?;
        Ok(Self::at(directory, clock))
    }

    fn at(directory: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { path: Arc::new(directory.to_owned()), clock, is_without_locks: Arc::default() }
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells the time here.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// True if records can be written here.
    pub fn is_writable(&self) -> bool {
        self.directory().and_then(|directory| self.lock(&directory).map(drop)).is_ok()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn directory(&self) -> Result<Directory, Error> {
        Directory::open(&self.path)
    }

    /// For what writes: whoever deleted the directory gets it back with the next record.
    fn directory_to_write(&self) -> Result<Directory, Error> {
        match Directory::open(&self.path) {
            Err(Error::Missing { .. }) => Directory::create(&self.path),
            opened => opened,
        }
    }
}
