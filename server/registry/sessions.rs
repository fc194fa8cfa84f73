//! Sessions: registering, staying alive, ending.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::{Claim, StoredClaim};
use super::heartbeats::{Activity, newest_heartbeats};
use super::liveness::{self, KeeperState, LONGEST_SILENCE, SessionState};
use super::overlap::claim_keys;
use super::record::{self, Record};
use super::store::{Key, Range, Reader, Series, Stamp, Store, Transaction};
use super::{Error, Registry, random_number};
use deconflict_platform::{self as platform, Process};
use deconflict_protocol::{HandOffRecord, Resource, SessionId, SessionRecord, Status, time};

/// What a session says of itself when it registers.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// The id that it wants; without one it gets its own.
    pub id: Option<SessionId>,
    /// What it is: `nvim`, `vscode`, `terminal`, the name of an agent.
    pub client: Option<String>,
    /// What to call it.
    pub name: Option<String>,
    /// Whose it is.
    pub user: Option<String>,
    /// The branch it works on.
    pub branch: Option<String>,
    /// The linked worktree it works in.
    pub worktree: Option<String>,
    /// The long-lived process that keeps it. A one-shot command never names its own.
    pub keeper: Option<Process>,
    /// The editor or agent that it serves.
    pub client_pid: Option<u32>,
    /// Every so many seconds it promises to refresh its record.
    pub keepalive: Option<u32>,
    /// What it can do, in the original's words.
    pub capabilities: Vec<String>,
    /// What it works on.
    pub current_work: Option<String>,
}

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

/// True if a session's record names another machine.
pub(super) fn is_elsewhere(record: &SessionRecord) -> bool {
    record.host.as_deref().is_some_and(|host| host != platform::host_name())
}

impl StoredSession {
    /// The record of a session that was judged before.
    pub(super) fn of(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            record: (!session.is_damaged()).then(|| session.record.clone()),
            modified: session.modified,
            stamp: Stamp::unknown(session.modified),
        }
    }

    /// A record as it was read.
    pub(super) fn read_as(id: &SessionId, record: SessionRecord, stamp: Stamp) -> Self {
        Self { id: id.clone(), record: Some(record), modified: stamp.modified, stamp }
    }

    /// A record as if it had been read, for tests that touch no disk.
    #[cfg(any(test, feature = "test-support"))]
    pub fn written(id: SessionId, record: SessionRecord, modified: DateTime<Utc>) -> Self {
        Self { id, record: Some(record), modified, stamp: Stamp::unknown(modified) }
    }

    /// Judges the session by what is known of its process and for how long its record has not changed.
    pub fn judge(&self, keeper: KeeperState, unchanged_for: Option<Duration>, now: DateTime<Utc>) -> Session {
        let record = self.record.clone().unwrap_or_default();
        let last_sign = liveness::last_sign(&record, self.modified, now);
        let state = if self.record.is_none() && liveness::is_older_than_boot(self.modified) {
            SessionState::Gone
        } else {
            liveness::judge(&record, keeper, unchanged_for, last_sign, now)
        };
        Session { id: self.id.clone(), record, modified: self.modified, state, last_sign }
    }
}

/// What a session leaves behind when it ends.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// What it completed.
    pub work_completed: Vec<String>,
    /// What whoever goes on should know; kept as a hand-off too.
    pub notes: Option<String>,
}

impl<S: Store> Registry<S> {
    /// Registers a session and writes its first heartbeat.
    pub fn register(&self, new: NewSession) -> Result<Session, Error> {
        let now = self.now();
        let wanted = new.id.clone();
        let mut record = described(new, SessionRecord::default(), now);
        loop {
            let id = match &wanted {
                Some(id) => id.clone(),
                None => SessionId::new(&format!("session-{}-{:04x}", now.timestamp(), random_number()? & 0xffff))?,
            };
            record.session_id = Some(id.clone());
            let (is_new, _) = self.commit_making(|tx| {
                let key = Key::Session(id.clone());
                let is_free = tx.get(&key)?.is_none();
                if is_free {
                    tx.put_new(key, record::bytes_of(&record)?);
                }
                Ok(is_free)
            })?;
            if is_new {
                self.add_heartbeat(&id, &Activity::new("started", record.current_work.clone()), now)?;
                let session = self.session(&id)?.ok_or(Error::UnknownSession { id })?;
                // What cannot be passed on now stays where it is, for the next session.
                let _ = self.inherit_messages(&session);
                return Ok(session);
            }
            if wanted.is_some() {
                return Err(Error::SessionTaken { id });
            }
        }
    }

    /// Goes on with a session under a new process: after the server was killed and started again, or after the
    /// directory was deleted. Returns `None`, and changes nothing, if another live process keeps the session.
    pub fn resume(&self, id: &SessionId, new: &NewSession) -> Result<Option<Session>, Error> {
        let (is_resumed, _) = self.commit_making(|tx| self.decide_resume(tx, id, new))?;
        if is_resumed { self.session(id) } else { Ok(None) }
    }

    fn decide_resume(&self, tx: &mut Transaction, id: &SessionId, new: &NewSession) -> Result<bool, Error> {
        let key = Key::Session(id.clone());
        let before = match record::read(tx, &key, SessionRecord::from_fields) {
            Ok(before) => before,
            // The owner of the record puts it right.
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(before) = &before {
            let is_ours = new.keeper.as_ref().is_some_and(|keeper| before.value.pid == Some(keeper.pid));
            if !is_ours && liveness::look_at_keeper(&before.value) == KeeperState::Alive {
                return Ok(false);
            }
        }
        let known = before.as_ref().map(|before| before.value.clone()).unwrap_or_default();
        let mut record = described(new.clone(), known, self.now());
        record.session_id = Some(id.clone());
        record.ended_at = None;
        record.total_duration = None;
        // What the process before had open is not known to be open in this one.
        record.editing.clear();
        let bytes = match before {
            Some(before) => before.rewritten(&key, &record)?,
            None => record::bytes_of(&record)?,
        };
        tx.put(key, bytes);
        Ok(true)
    }

    /// Looks a session up.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        let reader = self.reader()?;
        Ok(read_session(&*reader, id)?.map(|stored| self.judged(&*reader, &stored)))
    }

    /// All sessions that have a record: live ones first, then by their newest sign of life.
    pub fn sessions(&self) -> Result<Vec<Session>, Error> {
        let mut sessions = self.sessions_in(&*self.reader()?)?;
        sessions.sort_by_key(|session| (!session.is_live(), std::cmp::Reverse(session.last_sign)));
        Ok(sessions)
    }

    /// All sessions that have a record, in no order.
    pub(super) fn sessions_in(&self, reader: &dyn Reader) -> Result<Vec<Session>, Error> {
        let observer = Observer::new(reader);
        let mut sessions = Vec::new();
        for id in list_sessions(reader)? {
            if let Some(stored) = read_session(reader, &id)? {
                sessions.push(self.judged_by(&observer, &stored));
            }
        }
        Ok(sessions)
    }

    /// The sessions that are alive, by their newest sign of life.
    pub fn live_sessions(&self) -> Result<Vec<Session>, Error> {
        let mut sessions = self.sessions()?;
        sessions.retain(Session::is_live);
        if sessions.iter().any(Session::is_forgotten) {
            let claims = self.claims()?;
            let holds_something = |session: &Session| claims.iter().any(|it| it.is_active() && it.held_by(&session.id));
            sessions.retain(|session| !session.is_forgotten() || holds_something(session));
        }
        Ok(sessions)
    }

    /// True if a session has an active claim, which keeps one alive that is forgotten.
    pub(super) fn holds_something(&self, reader: &dyn Reader, id: &SessionId) -> Result<bool, Error> {
        for key in claim_keys(reader, &[Range::all_claims()])? {
            let stored = StoredClaim::read(reader, &key)?.filter(|stored| stored.holder() == Some(id));
            if let Some(stored) = stored
                && self.judged_claim(reader, &stored)?.is_active()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refreshes the promise to be alive, and nothing else.
    pub fn keep_alive(&self, id: &SessionId) -> Result<(), Error> {
        let now = time::format(self.now());
        self.update_session(id, |session| session.last_heartbeat = Some(now.clone()))
    }

    /// Tells the others which documents have unsaved changes here that the session does not hold.
    pub fn set_editing(&self, id: &SessionId, resources: &[Resource]) -> Result<(), Error> {
        self.update_session(id, |session| {
            session.editing = resources.iter().map(|resource| resource.name().to_owned()).collect();
        })
    }

    /// Changes what the session is called.
    pub fn set_name(&self, id: &SessionId, name: &str) -> Result<(), Error> {
        self.update_session(id, |session| session.name = Some(name.to_owned()))
    }

    /// Ends a session and releases all that it holds, as one change: what a new run of the session claims stays its own.
    /// Returns what was released.
    pub fn complete(&self, id: &SessionId, completion: &Completion) -> Result<Vec<Claim>, Error> {
        let now = self.now();
        let (released, _) = self.commit_making(|tx| {
            // Once the record says that it ended, everything it holds is free, even if this process dies then.
            change_session(tx, id, |session| note_end(session, completion, now))?;
            self.end_all_of(tx, |holder| holder == id)
        })?;
        if completion.notes.is_some() {
            let hand_off = HandOffRecord {
                from: Some(id.clone()),
                timestamp: Some(time::format(now)),
                work_completed: completion.work_completed.clone(),
                notes: completion.notes.clone(),
                ..HandOffRecord::default()
            };
            self.store.add(&Series::HandOffs, id, now, &record::bytes_of(&hand_off)?)?;
        }
        self.add_heartbeat(id, &Activity::new("completed", None), now)?;
        Ok(released)
    }

    /// Gives up what sessions hold that have ended, and not what they claimed after going on.
    pub fn release_all_ended(&self, sessions: &[SessionId]) -> Result<Vec<Claim>, Error> {
        let (released, _) = self.commit(|tx| {
            let has_ended = |id: &&SessionId| !matches!(require_active(tx, id), Ok(_) | Err(Error::Io { .. }));
            let ended: Vec<&SessionId> = sessions.iter().filter(has_ended).collect();
            self.end_all_of(tx, |holder| ended.contains(&holder))
        })?;
        Ok(released)
    }

    /// Ends sessions that end together, without releasing what they hold: it is abandoned then, and [`release_all_ended`]
    /// may take its time. Passes over one that never registered or has ended already. Returns those that it ended.
    ///
    /// [`release_all_ended`]: Self::release_all_ended
    pub fn complete_together(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, Error> {
        let now = self.now();
        let mut ended = Vec::new();
        for id in ids {
            match self.update_session(id, |session| note_end(session, &Completion::default(), now)) {
                Ok(()) => ended.push(id.clone()),
                Err(Error::UnknownSession { .. } | Error::EndedSession { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for id in &ended {
            self.add_heartbeat(id, &Activity::new("completed", None), now)?;
        }
        Ok(ended)
    }

    /// Changes a live session's record.
    pub(super) fn update_session(&self, id: &SessionId, change: impl Fn(&mut SessionRecord)) -> Result<(), Error> {
        self.commit_making(|tx| change_session(tx, id, &change)).map(drop)
    }

    /// Judges a stored session now, by its process where that can be seen.
    pub(super) fn judged(&self, reader: &dyn Reader, stored: &StoredSession) -> Session {
        self.judged_by(&Observer::new(reader), stored)
    }

    /// The same for whoever judges several: what tells of their lives is found out once for all of them.
    pub(super) fn judged_by(&self, observer: &Observer, stored: &StoredSession) -> Session {
        let record = stored.record.clone().unwrap_or_default();
        let keeper = liveness::look_at_keeper(&record);
        let has_to_be_timed = keeper == KeeperState::Unknown && record.keepalive.is_some();
        let unchanged_for = if has_to_be_timed { observer.unchanged_for(stored) } else { None };
        let mut session = stored.judge(keeper, unchanged_for, self.now());
        // Scripts write heartbeats without touching the session's own record.
        if session.state == SessionState::Silent && record.keepalive.is_none() {
            let heartbeat = observer.newest_heartbeat(&session.id);
            session.last_sign = heartbeat.map_or(session.last_sign, |at| session.last_sign.max(at).min(self.now()));
            if self.now() - session.last_sign <= LONGEST_SILENCE {
                session.state = SessionState::Live;
            }
        }
        session
    }

    /// Judges a session again that was judged before.
    pub(super) fn judge_again(&self, observer: &Observer, session: &mut Session) {
        if session.record.pid.is_none() && session.record.keepalive.is_none() && !session.is_damaged() {
            let now = self.now();
            session.last_sign = liveness::last_sign(&session.record, session.modified, now);
            session.state = liveness::judge(&session.record, KeeperState::Unknown, None, session.last_sign, now);
            if session.state != SessionState::Silent {
                return;
            }
        }
        *session = self.judged_by(observer, &StoredSession::of(session));
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

    /// For how long a record has not changed, by the store's own clock: neither a session's own wrong clock nor this
    /// process's can make it look gone. Time that this machine slept doesn't count, because then the session could not
    /// refresh its record either.
    fn unchanged_for(&self, stored: &StoredSession) -> Option<Duration> {
        let here = (*self.time.get_or_init(|| self.reader.time()))?;
        let age = (here - stored.modified).to_std().ok()?;
        Some(age.saturating_sub(platform::time_asleep()))
    }

    /// When a session's newest heartbeat was written. Other programs name theirs in local time, so that the record's own
    /// time counts.
    fn newest_heartbeat(&self, id: &SessionId) -> Option<DateTime<Utc>> {
        let heartbeats = self.heartbeats.get_or_init(|| newest_heartbeats(self.reader).unwrap_or_default());
        let (_, name) = heartbeats.get(id)?;
        let key = Key::Entry(Series::Heartbeats, name.clone());
        self.reader.stamp(&key).ok().flatten().map(|stamp| stamp.modified)
    }
}

fn described(new: NewSession, known: SessionRecord, now: DateTime<Utc>) -> SessionRecord {
    let now = time::format(now);
    SessionRecord {
        started_at: known.started_at.clone().or_else(|| Some(now.clone())),
        status: Some("active".to_owned()),
        last_heartbeat: Some(now),
        current_work: new.current_work.or_else(|| known.current_work.clone()),
        capabilities: if new.capabilities.is_empty() { known.capabilities.clone() } else { new.capabilities },
        client: new.client.or_else(|| known.client.clone()),
        name: new.name.or_else(|| known.name.clone()),
        user: new.user.or_else(platform::user_name),
        branch: new.branch.or_else(|| known.branch.clone()),
        worktree: new.worktree.or_else(|| known.worktree.clone()),
        host: Some(platform::host_name()),
        pid: new.keeper.as_ref().map(|keeper| keeper.pid),
        pid_scope: new.keeper.as_ref().map(|_| platform::pid_scope()),
        process_started: new.keeper.map(|keeper| keeper.started).filter(|started| !started.is_empty()),
        client_pid: new.client_pid,
        keepalive: new.keepalive,
        ..known
    }
}

fn note_end(session: &mut SessionRecord, completion: &Completion, now: DateTime<Utc>) {
    let started = session.started_at.as_deref().and_then(time::parse).unwrap_or(now);
    session.status = Some("completed".to_owned());
    session.last_heartbeat = Some(time::format(now));
    session.ended_at = Some(time::format(now));
    session.total_duration = Some(time::duration_in_words(now - started));
    session.work_completed.extend(completion.work_completed.iter().cloned());
    session.editing.clear();
    if completion.notes.is_some() {
        session.handoff_notes.clone_from(&completion.notes);
    }
}

/// Changes a live session's record, so that the server and a terminal of one session do not undo each other's changes.
fn change_session(tx: &mut Transaction, id: &SessionId, change: impl Fn(&mut SessionRecord)) -> Result<(), Error> {
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

/// The ids of all sessions that have a record.
pub(super) fn list_sessions(reader: &dyn Reader) -> Result<Vec<SessionId>, Error> {
    let keys = reader.scan(&[Range::Sessions])?;
    Ok(keys.into_iter().filter_map(|key| if let Key::Session(id) = key { Some(id) } else { None }).collect())
}

/// Reads a session as it stands. A damaged record, and one that is none at all, is a session of which nothing is known.
pub(super) fn read_session(reader: &dyn Reader, id: &SessionId) -> Result<Option<StoredSession>, Error> {
    match reader.get(&Key::Session(id.clone())) {
        Ok(Some(stored)) => {
            let record = Record::understand(&stored, SessionRecord::from_fields).ok().map(|record| record.value);
            Ok(Some(StoredSession { id: id.clone(), record, modified: stored.stamp.modified, stamp: stored.stamp }))
        }
        Ok(None) | Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the record of a session that must be going on.
pub(super) fn require_active(reader: &dyn Reader, id: &SessionId) -> Result<(Record<SessionRecord>, Stamp), Error> {
    let key = Key::Session(id.clone());
    let stored = reader.get(&key)?.ok_or_else(|| Error::UnknownSession { id: id.clone() })?;
    let record = Record::understand(&stored, SessionRecord::from_fields);
    let record = record.map_err(|source| Error::Damaged { key, source })?;
    match record.value.status() {
        Status::Active => Ok((record, stored.stamp)),
        Status::Completed => Err(Error::EndedSession { id: id.clone() }),
    }
}
