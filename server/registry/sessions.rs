//! Sessions: registering, staying alive, ending.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::directory::{Directory, Durability, Folder, Stamp, random_number};
use super::heartbeats::{Activity, create_stamped, newest_heartbeat, write_heartbeat};
use super::liveness::{self, KeeperState, LONGEST_SILENCE, SessionState};
use super::record::{self, Record};
use super::{Claim, Error, Registry};
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
    /// Its id, which is the file's name.
    pub id: SessionId,
    /// What stands in the file; `None` if that is damaged.
    pub record: Option<SessionRecord>,
    /// When the file was written.
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

    /// When it registered.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.record.started_at.as_deref().and_then(time::parse).unwrap_or(self.modified)
    }
}

impl StoredSession {
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

impl Registry {
    /// Registers a session and writes its first heartbeat.
    pub fn register(&self, new: NewSession) -> Result<Session, Error> {
        let directory = self.directory_to_write()?;
        let now = self.now();
        let wanted = new.id.clone();
        let mut record = described(new, SessionRecord::default(), now);
        loop {
            let id = match &wanted {
                Some(id) => id.clone(),
                None => SessionId::new(&format!("session-{}-{:04x}", now.timestamp(), random_number()? & 0xffff))?,
            };
            record.session_id = Some(id.clone());
            let name = file_name(&id);
            let bytes = record::bytes_of(&directory, &Folder::Sessions, &name, &record)?;
            if directory.create_file(&Folder::Sessions, &name, &bytes, Durability::Process)? {
                write_heartbeat(&directory, &id, &Activity::new("started", record.current_work.clone()), now)?;
                let session = self.session(&id)?.ok_or(Error::UnknownSession { id })?;
                // What cannot be passed on now stays where it is, for the next session.
                let _ = self.inherit_messages(&directory, &session);
                return Ok(session);
            }
            if wanted.is_some() {
                return Err(Error::SessionTaken { id });
            }
        }
    }

    /// Goes on with a session under a new process: after the server was killed and started again, or after the
    /// directory was deleted. Returns `None`, and changes nothing, if another live process keeps the session.
    pub fn resume(&self, id: &SessionId, new: NewSession) -> Result<Option<Session>, Error> {
        let directory = self.directory_to_write()?;
        let lock = self.lock(&directory)?;
        let now = self.now();
        let name = file_name(id);
        let before = match record::read(&directory, &Folder::Sessions, &name, SessionRecord::from_fields) {
            Ok(before) => before,
            // The owner of the record puts it right.
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let keeper = new.keeper.clone();
        if let Some(before) = &before {
            let is_ours = keeper.as_ref().is_some_and(|keeper| before.value.pid == Some(keeper.pid));
            if !is_ours && liveness::look_at_keeper(&before.value) == KeeperState::Alive {
                return Ok(None);
            }
        }
        let known = before.as_ref().map(|before| before.value.clone()).unwrap_or_default();
        let mut record = described(new, known, now);
        record.session_id = Some(id.clone());
        record.ended_at = None;
        record.total_duration = None;
        // What the process before had open is not known to be open in this one.
        record.editing.clear();
        if let Some(before) = before {
            before.rewrite(&directory, &Folder::Sessions, &name, &record)?;
        } else {
            let bytes = record::bytes_of(&directory, &Folder::Sessions, &name, &record)?;
            directory.replace_file(&Folder::Sessions, &name, &bytes, Durability::Process)?;
        }
        drop(lock);
        self.session(id)
    }

    /// Looks a session up.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        let directory = self.directory()?;
        Ok(read_session(&directory, id)?.map(|stored| self.judged(&directory, &stored)))
    }

    /// All sessions that have a record: live ones first, then by their newest sign of life.
    pub fn sessions(&self) -> Result<Vec<Session>, Error> {
        let directory = self.directory()?;
        let mut sessions = Vec::new();
        for id in list_sessions(&directory)? {
            if let Some(stored) = read_session(&directory, &id)? {
                sessions.push(self.judged(&directory, &stored));
            }
        }
        sessions.sort_by_key(|session| (!session.is_live(), std::cmp::Reverse(session.last_sign)));
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
    pub(super) fn holds_something(&self, id: &SessionId) -> Result<bool, Error> {
        Ok(self.claims()?.iter().any(|claim| claim.is_active() && claim.held_by(id)))
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

    /// Ends a session and releases all that it holds. Returns what was released.
    pub fn complete(&self, id: &SessionId, completion: &Completion) -> Result<Vec<Claim>, Error> {
        let now = self.now();
        let directory = self.directory()?;
        self.say_that_it_ended(id, completion, now)?;
        let released = self.release_all(id)?;
        if completion.notes.is_some() {
            let hand_off = HandOffRecord {
                from: Some(id.clone()),
                timestamp: Some(time::format(now)),
                work_completed: completion.work_completed.clone(),
                notes: completion.notes.clone(),
                ..HandOffRecord::default()
            };
            create_stamped(&directory, &Folder::HandOffs, id, now, Durability::Power, &hand_off)?;
        }
        write_heartbeat(&directory, id, &Activity::new("completed", None), now)?;
        Ok(released)
    }

    /// Ends sessions that end together, without releasing what they hold: it is abandoned then, and [`release_all_of`]
    /// may take its time. Passes over one that never registered or has ended already. Returns those that it ended.
    ///
    /// [`release_all_of`]: Self::release_all_of
    pub fn complete_together(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, Error> {
        let now = self.now();
        let directory = self.directory()?;
        let mut ended = Vec::new();
        for id in ids {
            match self.say_that_it_ended(id, &Completion::default(), now) {
                Ok(()) => ended.push(id.clone()),
                Err(Error::UnknownSession { .. } | Error::EndedSession { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for id in &ended {
            write_heartbeat(&directory, id, &Activity::new("completed", None), now)?;
        }
        Ok(ended)
    }

    /// Once the record says that it ended, everything it holds is free, even if this process dies now.
    fn say_that_it_ended(&self, id: &SessionId, completion: &Completion, now: DateTime<Utc>) -> Result<(), Error> {
        self.update_session(id, |session| {
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
        })
    }

    /// Changes a live session's record. The lock keeps the server and a terminal of one session from undoing each
    /// other's changes.
    pub(super) fn update_session(&self, id: &SessionId, change: impl FnOnce(&mut SessionRecord)) -> Result<(), Error> {
        let directory = self.directory_to_write()?;
        let _lock = self.lock(&directory)?;
        let before = require_active(&directory, id)?;
        let mut after = before.value.clone();
        change(&mut after);
        if after == before.value {
            return Ok(());
        }
        before.rewrite(&directory, &Folder::Sessions, &file_name(id), &after)
    }

    /// Judges a stored session now, looking at its process where that can be seen.
    pub(super) fn judged(&self, directory: &Directory, stored: &StoredSession) -> Session {
        let record = stored.record.clone().unwrap_or_default();
        let keeper = liveness::look_at_keeper(&record);
        let has_to_be_timed = keeper == KeeperState::Unknown && record.keepalive.is_some();
        let unchanged_for = if has_to_be_timed { unchanged_for(directory, stored) } else { None };
        let mut session = stored.judge(keeper, unchanged_for, self.now());
        // Scripts write heartbeats without touching the session's own record.
        if session.state == SessionState::Silent && record.keepalive.is_none() {
            let heartbeat = newest_heartbeat(directory, &session.id).ok().flatten();
            session.last_sign = heartbeat.map_or(session.last_sign, |at| session.last_sign.max(at).min(self.now()));
            if self.now() - session.last_sign <= LONGEST_SILENCE {
                session.state = SessionState::Live;
            }
        }
        session
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

/// The name of a session's file.
pub(super) fn file_name(id: &SessionId) -> String {
    format!("{id}.json")
}

/// The ids of all sessions that have a file.
pub(super) fn list_sessions(directory: &Directory) -> Result<Vec<SessionId>, Error> {
    let names = directory.list(&Folder::Sessions)?;
    Ok(names.iter().filter_map(|name| session_of_file(name)).collect())
}

/// The session that a file in `sessions/` belongs to.
pub(super) fn session_of_file(name: &str) -> Option<SessionId> {
    SessionId::foreign(name.strip_suffix(".json")?).ok()
}

/// Reads a session's file as it stands. A damaged record, and one that is no regular file, is a session of which
/// nothing is known.
pub(super) fn read_session(directory: &Directory, id: &SessionId) -> Result<Option<StoredSession>, Error> {
    let name = file_name(id);
    match directory.read(&Folder::Sessions, &name) {
        Ok(Some(stored)) => {
            let record = Record::understand(&stored, SessionRecord::from_fields).ok().map(|record| record.value);
            Ok(Some(StoredSession { id: id.clone(), record, modified: stored.stamp.modified, stamp: stored.stamp }))
        }
        Ok(None) | Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the record of a session that must be going on.
pub(super) fn require_active(directory: &Directory, id: &SessionId) -> Result<Record<SessionRecord>, Error> {
    let record = record::read(directory, &Folder::Sessions, &file_name(id), SessionRecord::from_fields)?
        .ok_or_else(|| Error::UnknownSession { id: id.clone() })?;
    match record.value.status() {
        Status::Active => Ok(record),
        Status::Completed => Err(Error::EndedSession { id: id.clone() }),
    }
}

/// For how long a record has not changed, by the clock of the file system that holds it: neither a session's own
/// wrong clock nor this process's can make it look gone. Time that this machine slept doesn't count, because then
/// the session could not refresh its record either.
fn unchanged_for(directory: &Directory, stored: &StoredSession) -> Option<Duration> {
    let here = directory.file_system_time()?;
    let age = (here - stored.modified).to_std().ok()?;
    Some(age.saturating_sub(platform::time_asleep()))
}
