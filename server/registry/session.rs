//! A session: what its record says, and what becomes of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Error;
use super::liveness::{self, KeeperState, SessionState};
use super::record::Record;
use super::store::{Key, Range, Reader, Stamp, Transaction};
use super::viewer::SeenBy;
use deconflict_platform as platform;
use deconflict_protocol::{SessionId, SessionRecord, time};

/// A session's record as it was read, not yet judged.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSession {
    /// Its id, which is its key.
    pub id: SessionId,
    /// What the record says; `None` if that is damaged.
    pub record: Option<SessionRecord>,
    /// When it was written.
    pub modified: DateTime<Utc>,
    pub(super) stamp: Stamp,
}

/// A session that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What it says of itself. Empty where the record is damaged.
    pub record: SessionRecord,
    /// When the record was written.
    pub modified: DateTime<Utc>,
    /// What becomes of it.
    pub state: SessionState,
    /// Its newest sign of life.
    pub last_sign: DateTime<Utc>,
    /// Who looks, to whom it may be theirs: `your Neovim`.
    pub viewer: SeenBy,
}

impl Session {
    /// True unless it ended or is known to be gone.
    pub fn is_live(&self) -> bool {
        !self.state.is_over()
    }

    /// True if its record cannot be understood, so that nothing is known of it but its id.
    pub fn is_damaged(&self) -> bool {
        self.record == SessionRecord::default()
    }

    /// True if nothing but its own signs tells whether it lives, because it gave neither a process nor a keepalive, and
    /// it has given none for a day. It is over then, unless it still holds something.
    pub fn is_forgotten(&self) -> bool {
        self.state == SessionState::Silent && self.record.pid.is_none() && self.record.keepalive.is_none()
    }

    /// How far its newest time is ahead of now, if that is more than clocks may differ: then the clock went back since,
    /// or is another than the one that wrote it.
    pub fn ahead_of(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let times = [&self.record.started_at, &self.record.last_heartbeat];
        let newest = times.into_iter().flatten().filter_map(|text| time::parse(text)).max()?;
        Some(newest - now).filter(|ahead| *ahead > time::CLOCK_TOLERANCE)
    }

    /// True if its record names another machine.
    pub fn is_elsewhere(&self) -> bool {
        is_elsewhere(&self.record)
    }

    /// When it registered.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.record.started_at.as_deref().and_then(time::parse).unwrap_or(self.modified)
    }
}

pub(super) fn is_elsewhere(record: &SessionRecord) -> bool {
    record.host.as_deref().is_some_and(|host| host != platform::host_name())
}

impl StoredSession {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            record: (!session.is_damaged()).then(|| session.record.clone()),
            modified: session.modified,
            stamp: Stamp::unknown(session.modified),
        }
    }

    pub(super) fn read_as(id: &SessionId, record: SessionRecord, stamp: Stamp) -> Self {
        Self { id: id.clone(), record: Some(record), modified: stamp.modified, stamp }
    }

    /// A record as if it had been read, for tests that touch no disk.
    #[cfg(feature = "test-support")]
    pub fn written(id: SessionId, record: SessionRecord, modified: DateTime<Utc>) -> Self {
        Self { id, record: Some(record), modified, stamp: Stamp::unknown(modified) }
    }

    /// Judges the session by what is known of its process and for how long its record has not changed.
    pub fn judge(self, keeper: KeeperState, unchanged_for: Option<Duration>, now: DateTime<Utc>) -> Session {
        let is_lost = self.record.is_none() && liveness::is_older_than_boot(self.modified);
        let record = self.record.unwrap_or_default();
        let last_sign = liveness::last_sign(&record, self.modified, now);
        let state =
            if is_lost { SessionState::Gone } else { liveness::judge(&record, keeper, unchanged_for, last_sign, now) };
        Session { id: self.id, record, modified: self.modified, state, last_sign, viewer: SeenBy::default() }
    }
}

pub(super) fn list_sessions(reader: &dyn Reader) -> Result<Vec<SessionId>, Error> {
    let keys = reader.scan(&[Range::Sessions])?;
    Ok(keys.into_iter().filter_map(|key| if let Key::Session(id) = key { Some(id) } else { None }).collect())
}

/// Reads a session as it stands. A damaged record, and one that is none at all, is a session of which nothing is known.
pub(super) fn read_session(reader: &dyn Reader, id: &SessionId) -> Result<Option<StoredSession>, Error> {
    match reader.get(&Key::Session(id.clone())) {
        Ok(Some(stored)) => {
            let record = SessionRecord::read(&stored.bytes).ok();
            Ok(Some(StoredSession { id: id.clone(), record, modified: stored.stamp.modified, stamp: stored.stamp }))
        }
        Ok(None) | Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn require_active(reader: &dyn Reader, id: &SessionId) -> Result<(Record<SessionRecord>, Stamp), Error> {
    let key = Key::Session(id.clone());
    let stored = reader.get(&key)?.ok_or_else(|| Error::UnknownSession { id: id.clone() })?;
    let stamp = stored.stamp;
    let record = Record::understand(stored, SessionRecord::read);
    let record = record.map_err(|source| Error::Damaged { key, source })?;
    if record.value.is_completed() { Err(Error::EndedSession { id: id.clone() }) } else { Ok((record, stamp)) }
}

pub(super) fn active_session(reader: &dyn Reader, id: &SessionId) -> Result<StoredSession, Error> {
    let (record, stamp) = require_active(reader, id)?;
    Ok(StoredSession::read_as(id, record.value, stamp))
}

/// Changes a live session's record, so that the server and a terminal of one session do not undo each other's changes.
pub(super) fn change_session(
    tx: &mut Transaction,
    id: &SessionId,
    change: impl Fn(&mut SessionRecord),
) -> Result<(), Error> {
    let (before, _) = require_active(tx, id)?;
    let mut after = before.value.clone();
    change(&mut after);
    if after != before.value {
        let key = Key::Session(id.clone());
        let bytes = before.rewritten(&key, &after)?;
        tx.put(key, bytes);
    }
    Ok(())
}
