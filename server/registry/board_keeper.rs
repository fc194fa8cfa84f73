//! Which server keeps the status board, and when it writes it.
//!
//! A lock on a file of its own decides: whoever holds it keeps the board until it ends, however it ends. The board is
//! made from the server's view, so that thousands of claims are not read again for it.

use std::fs::{File, TryLockError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board::BOARD_KEEPER;
use super::board_rows::BoardRows;
use super::overview::{damaged_claims, held_since};
use super::records::RECENT;
use super::store::files::directory::Directory;
use super::{Error, Registry, Session, View};

/// After so long a server that ended with the last change has freed the board, and one that lives has written it.
const PASSING_ON: Duration = Duration::from_millis(1500);

/// Keeps the board, if no other server does. Dropping it leaves the board to another one.
#[derive(Debug)]
pub struct BoardKeeper {
    registry: Registry,
    view: View,
    lock: Option<Kept>,
    /// When to refresh although nobody says that something changed, by [`deconflict_platform::clock::Clock::elapsed`].
    due: Option<Duration>,
}

/// The outcome of an attempt to refresh the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It was written.
    Written,
    /// It says all there is to say already.
    Unchanged,
    /// Another server keeps it.
    KeptByAnother,
    /// There is no directory, or the view does not know yet what is in it.
    NotYet,
}

/// The lock file while it is held.
#[derive(Debug)]
struct Kept {
    /// Held for as long as it is open; `None` where files cannot be locked, so that every server writes the board.
    _file: Option<File>,
    identity: (u64, u64),
}

impl BoardKeeper {
    /// Keeps nothing before it is first asked to [refresh](Self::refresh).
    pub fn new(registry: Registry, view: View) -> Self {
        Self { registry, view, lock: None, due: None }
    }

    /// Brings the board up to date, if no other server keeps it. To be called after a change and when it is
    /// [due](Self::due_in), at most once a second. It takes long where there are thousands of claims, so it belongs on
    /// a thread of its own.
    pub fn refresh(&mut self) -> Result<Refreshed, Error> {
        let elapsed = self.registry.clock().elapsed();
        let was_due = self.due.take().is_some_and(|due| due <= elapsed);
        if !self.view.is_complete() {
            return Ok(Refreshed::NotYet);
        }
        let directory = match self.registry.directory() {
            Err(Error::Missing { .. }) => return Ok(Refreshed::NotYet),
            opened => opened?,
        };
        if !self.keep(&directory)? {
            // Its keeper may be about to end, and this change may be that it does.
            self.due = (!was_due).then_some(elapsed + PASSING_ON);
            return Ok(Refreshed::KeptByAnother);
        }
        let rows = self.rows(&directory)?;
        let last_message = rows.records.messages.iter().map(|message| message.sent_at + RECENT);
        let last_message = last_message.filter(|until| *until > self.registry.now()).min();
        let is_written = self.registry.write_board(&directory, rows)?;
        self.due = self.outdated_in(last_message).map(|pause| elapsed + pause);
        Ok(if is_written { Refreshed::Written } else { Refreshed::Unchanged })
    }

    /// Writes the board once more, because the server that keeps it ends: nobody may be there to do it after it. The
    /// server's own end is not in its view any more, so everything is read again.
    pub fn finish(mut self) -> Result<Refreshed, Error> {
        let directory = match self.registry.directory() {
            Err(Error::Missing { .. }) => return Ok(Refreshed::NotYet),
            opened => opened?,
        };
        if !self.keep(&directory)? {
            return Ok(Refreshed::KeptByAnother);
        }
        let rows = self.registry.all_board_rows(&directory)?;
        let is_written = self.registry.write_board(&directory, rows)?;
        Ok(if is_written { Refreshed::Written } else { Refreshed::Unchanged })
    }

    /// How long until the board should be refreshed even if nothing changes meanwhile; `None` if it need not be.
    pub fn due_in(&self) -> Option<Duration> {
        Some(self.due?.saturating_sub(self.registry.clock().elapsed()))
    }

    /// Takes the lock if nobody has it. Whoever deleted the lock file may have made another keeper.
    fn keep(&mut self, directory: &Directory) -> Result<bool, Error> {
        let found = directory.open_lock(BOARD_KEEPER)?;
        if self.lock.as_ref().is_some_and(|kept| kept.identity == found.identity) {
            return Ok(true);
        }
        self.lock = None;
        let identity = found.identity;
        match found.file.try_lock() {
            Ok(()) if found.is_current() => self.lock = Some(Kept { _file: Some(found.file), identity }),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                tracing::debug!("several servers may write the status board: {error}");
                self.lock = Some(Kept { _file: None, identity });
            }
        }
        Ok(self.lock.is_some())
    }

    /// What is on the board, as the view knows it. Of thousands of claims each is looked up, and few are kept.
    fn rows(&self, directory: &Directory) -> Result<BoardRows, Error> {
        let held_since = held_since(self.view.claims());
        let sessions: Vec<Session> = self.view.sessions().collect();
        let records = self.registry.other_records(directory, sessions, &held_since)?;
        let mut rows = BoardRows { records, ..BoardRows::default() };
        rows.add_claims(self.view.claims(), |claim| self.view.is_claimed_elsewhere(&claim.resource));
        let damaged = damaged_claims(directory, &rows.records.claims)?;
        rows.records.damaged.extend(damaged);
        rows.shorten(self.registry.now());
        Ok(rows)
    }

    /// How long until what the board says is no longer so by time alone.
    fn outdated_in(&self, last_message: Option<DateTime<Utc>>) -> Option<Duration> {
        let next: DateTime<Utc> = [self.view.next_change_at(), last_message].into_iter().flatten().min()?;
        Some((next - self.registry.clock().now()).to_std().unwrap_or_default())
    }
}
