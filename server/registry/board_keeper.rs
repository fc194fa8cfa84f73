//! Which server keeps the status board, and when it writes it.
//!
//! A lock on a file of its own decides: whoever holds it keeps the board until it ends, however it ends. The board is
//! made from the server's view, so that thousands of claims are not read again for it.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board::{BOARD_KEEPER, LONGEST_SECTION};
use super::overview::{Omitted, Overview, RECENT};
use super::store::files::directory::{Directory, Folder};
use super::{Claim, Error, Registry, Session, View};
use deconflict_protocol::{ClaimKey, Naming, Resource};

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

/// What came of a wish to refresh the board.
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
        let sessions: Vec<Session> = self.view.sessions().collect();
        let (claims, omitted) = self.claims_that_matter(&directory, &sessions);
        let overview = Overview { omitted, ..self.registry.overview_with(sessions, claims)? };
        let is_written = self.registry.write_board(&directory, &overview)?;
        self.due = self.outdated_in(&overview).map(|pause| elapsed + pause);
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
        let is_written = self.registry.write_board(&directory, &self.registry.overview()?)?;
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

    /// The claims that the board lists, and those that may need coordination. Thousands of others are only counted:
    /// each is looked at, and none is kept.
    fn claims_that_matter(&self, directory: &Directory, sessions: &[Session]) -> (Vec<Claim>, Omitted) {
        // A claim that was asked for is held by somebody who got a message.
        let recipients: HashSet<String> = directory.list(&Folder::Recipients).unwrap_or_default().into_iter().collect();
        let edited = keys_in_question(sessions, self.view.naming());
        let (mut claims, mut omitted) = (Vec::new(), Omitted::default());
        let (mut active, mut stale) = (0, 0);
        for claim in self.view.claims() {
            let (listed, left_out) = if claim.can_be_taken_over() {
                (&mut stale, &mut omitted.stale)
            } else {
                (&mut active, &mut omitted.active)
            };
            let matters = *listed < LONGEST_SECTION
                || claim.holder().is_none_or(|holder| recipients.contains(holder.as_str()))
                || edited.contains(&claim.key)
                || claim.says_something_else()
                || self.view.is_claimed_elsewhere(&claim.resource);
            if matters {
                *listed += 1;
                claims.push(claim);
            } else {
                *left_out += 1;
            }
        }
        (claims, omitted)
    }

    /// How long until what the board says is no longer so by time alone.
    fn outdated_in(&self, overview: &Overview) -> Option<Duration> {
        let last_message = overview.recent_messages.iter().map(|message| message.sent_at + RECENT).min();
        let next: DateTime<Utc> = [self.view.next_change_at(), last_message].into_iter().flatten().min()?;
        Some((next - self.registry.clock().now()).to_std().unwrap_or_default())
    }
}

/// The keys of the claims that decide who may edit what sessions edit without holding it.
fn keys_in_question(sessions: &[Session], naming: Naming) -> HashSet<ClaimKey> {
    let names = sessions.iter().flat_map(|session| &session.record.editing);
    let edited = names.filter_map(|name| Resource::file(name).ok());
    edited
        .flat_map(|file| {
            let mut keys: Vec<_> = file.covering_directories().iter().map(|above| naming.key(above)).collect();
            keys.push(naming.key(&file));
            keys
        })
        .collect()
}
