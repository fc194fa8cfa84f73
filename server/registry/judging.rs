//! Sessions judged as they stand now: by their processes, the store's own clock and their heartbeats.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::heartbeats::newest_heartbeats;
use super::liveness::{self, KeeperState, LONGEST_SILENCE, SessionState};
use super::session::{Session, StoredSession, list_sessions, read_session};
use super::store::{Key, Reader, Series, Store};
use super::{Error, Registry};
use deconflict_platform as platform;
use deconflict_protocol::SessionId;

impl<S: Store> Registry<S> {
    /// All sessions that have a record, in no order.
    pub(super) fn sessions_in(&self, reader: &dyn Reader) -> Result<Vec<Session>, Error> {
        let observer = Observer::new(reader);
        let mut sessions = Vec::new();
        for id in list_sessions(reader)? {
            if let Some(stored) = read_session(reader, &id)? {
                sessions.push(self.judged_by(&observer, stored));
            }
        }
        Ok(sessions)
    }

    pub(super) fn session_in(&self, reader: &dyn Reader, id: &SessionId) -> Result<Option<Session>, Error> {
        Ok(read_session(reader, id)?.map(|stored| self.judged(reader, stored)))
    }

    /// Judges a stored session now, by its process where that can be seen.
    pub(super) fn judged(&self, reader: &dyn Reader, stored: StoredSession) -> Session {
        self.judged_by(&Observer::new(reader), stored)
    }

    /// The same for whoever judges several: what tells of their lives is found out once for all of them.
    pub(super) fn judged_by(&self, observer: &Observer, stored: StoredSession) -> Session {
        let record = stored.record.as_ref();
        let keeper = record.map_or(KeeperState::Unknown, liveness::look_at_keeper);
        let has_to_be_timed = keeper == KeeperState::Unknown && record.is_some_and(|it| it.keepalive.is_some());
        let unchanged_for = if has_to_be_timed { observer.unchanged_for(&stored) } else { None };
        let mut session = stored.judge(keeper, unchanged_for, self.now());
        // Scripts write heartbeats without touching the session's own record.
        if session.state == SessionState::Silent && session.record.keepalive.is_none() {
            let heartbeat = observer.newest_heartbeat(&session.id);
            session.last_sign = heartbeat.map_or(session.last_sign, |at| session.last_sign.max(at).min(self.now()));
            if self.now() - session.last_sign <= LONGEST_SILENCE {
                session.state = SessionState::Live;
            }
        }
        session.viewer = self.viewer.clone();
        session
    }

    pub(super) fn judge_again(&self, observer: &Observer, session: &mut Session) {
        if session.record.pid.is_none() && session.record.keepalive.is_none() && !session.is_damaged() {
            let now = self.now();
            session.last_sign = liveness::last_sign(&session.record, session.modified, now);
            session.state = liveness::judge(&session.record, KeeperState::Unknown, None, session.last_sign, now);
            if session.state != SessionState::Silent {
                return;
            }
        }
        *session = self.judged_by(observer, StoredSession::of(session));
    }
}

/// What tells whether sessions live besides their own records. Each is found out when it is first asked for.
pub(super) struct Observer<'a> {
    reader: &'a dyn Reader,
    time: OnceCell<Option<DateTime<Utc>>>,
    heartbeats: OnceCell<HashMap<SessionId, (DateTime<Utc>, String)>>,
}

impl<'a> Observer<'a> {
    pub(super) fn new(reader: &'a dyn Reader) -> Self {
        Self { reader, time: OnceCell::new(), heartbeats: OnceCell::new() }
    }

    /// For whoever knows the newest heartbeats already.
    pub(super) fn knowing(reader: &'a dyn Reader, heartbeats: HashMap<SessionId, (DateTime<Utc>, String)>) -> Self {
        Self { heartbeats: OnceCell::from(heartbeats), ..Self::new(reader) }
    }

    /// How long a record has not changed, by the store's own clock: neither a session's own wrong clock nor this
    /// process's can make it look gone. Time that this machine slept doesn't count, because then the session could not
    /// refresh its record either.
    fn unchanged_for(&self, stored: &StoredSession) -> Option<Duration> {
        let here = (*self.time.get_or_init(|| self.reader.time()))?;
        let age = (here - stored.modified).to_std().ok()?;
        Some(age.saturating_sub(platform::time_asleep()))
    }

    /// When a session's newest heartbeat was written. Other programs name theirs in local time, so that the record's own
    /// time counts.
    pub(super) fn newest_heartbeat(&self, id: &SessionId) -> Option<DateTime<Utc>> {
        let heartbeats = self.heartbeats.get_or_init(|| newest_heartbeats(self.reader).unwrap_or_default());
        let (_, name) = heartbeats.get(id)?;
        let key = Key::Entry(Series::Heartbeats, name.clone());
        self.reader.stamp(&key).ok().flatten().map(|stamp| stamp.modified)
    }
}
