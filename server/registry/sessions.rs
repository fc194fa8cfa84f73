//! Sessions: registering, staying alive, ending.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::claims::{Claim, Holding, StoredClaim};
use super::heartbeats::{Activity, add_heartbeat};
use super::liveness::{self, KeeperState};
use super::overlap::claim_keys;
use super::record;
use super::session::{Session, StoredSession, change_session, require_active};
use super::store::{Key, Range, Reader, Series, Stamp, Store, Transaction, Write};
use super::{Error, Registry, random_number};
use deconflict_platform::{self as platform, Process};
use deconflict_protocol::{HandOffRecord, Resource, SessionId, SessionOfClone, SessionRecord, time};

/// Fewer characters of an id would mean any session.
const SHORTEST_BEGINNING: usize = 3;

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
    /// Whose it is, as people are called.
    pub person: Option<String>,
    /// Which coding agent it is, as a word.
    pub agent: Option<String>,
    /// What kind of sub-agent it is, where an agent started it.
    pub sub_agent: Option<String>,
    /// It lasts for one verb, so that no other session has to be told from it.
    pub is_passing: bool,
    /// An agent's turn: `working` or `waiting`.
    pub turn: Option<String>,
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
    /// What it is working on.
    pub current_work: Option<String>,
    /// What its editor wants that others need to know too, by the settings' names.
    pub settings: Option<Map<String, Value>>,
    /// The session of a clone for which this one, of the machine's registry, stands.
    pub stands_for: Option<SessionOfClone>,
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
        let (wanted, is_passing) = (new.id.clone(), new.is_passing);
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
                    if !is_passing {
                        self.tell_apart(tx, &id, &mut record)?;
                    }
                    tx.put_new(key, record::bytes_of(&record)?);
                    if !is_passing {
                        add_heartbeat(tx, &id, &Activity::new("started", record.current_work.clone()), now)?;
                    }
                }
                Ok(is_free)
            })?;
            if is_new {
                let session = self.session(&id)?.ok_or(Error::UnknownSession { id })?;
                if !is_passing {
                    // What cannot be passed on now stays where it is, for the next session.
                    let _ = self.inherit_messages(&session);
                }
                return Ok(session);
            }
            if wanted.is_some() {
                return Err(Error::SessionTaken { id });
            }
        }
    }

    /// A session that lasts for one verb and is registered by what it takes first, as one change with that, or by
    /// [`arrive`](Self::arrive).
    pub fn unregistered(&self, new: NewSession) -> Result<Session, Error> {
        let now = self.now();
        let id = SessionId::new(&format!("session-{}-{:08x}", now.timestamp(), random_number()? & 0xffff_ffff))?;
        let record = SessionRecord { session_id: Some(id.clone()), ..described(new, SessionRecord::default(), now) };
        let stored = StoredSession::read_as(&id, record, Stamp::unknown(now));
        Ok(Session { viewer: self.viewer.clone(), ..stored.judge(KeeperState::Alive, None, now) })
    }

    /// Registers such a session.
    pub fn arrive(&self, session: &Session) -> Result<(), Error> {
        self.commit_making(|tx| arrive_in(tx, session)).map(drop)
    }

    /// Goes on with a session under a new process: after the server was killed and started again, or after the
    /// directory was deleted. Returns `None`, and changes nothing, if another live process keeps the session.
    pub fn resume(&self, id: &SessionId, new: &NewSession) -> Result<Option<Session>, Error> {
        let (is_resumed, _) = self.commit_making(|tx| self.decide_resume(tx, id, new))?;
        self.store.forget_processes();
        if is_resumed { self.session(id) } else { Ok(None) }
    }

    fn decide_resume(&self, tx: &mut Transaction, id: &SessionId, new: &NewSession) -> Result<bool, Error> {
        let key = Key::Session(id.clone());
        let before = match record::read(tx, &key, SessionRecord::read) {
            Ok(before) => before,
            // The owner of the record puts it right.
            Err(Error::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(before) = &before {
            let is_ours = new.keeper.as_ref().is_some_and(|keeper| before.value.pid == Some(keeper.pid));
            // The process of a session that ended may be about to end too.
            let is_over = is_ours || before.value.is_completed();
            if !is_over && liveness::look_at_keeper(&before.value) == KeeperState::Alive {
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
        self.tell_apart(tx, id, &mut record)?;
        let bytes = match before {
            Some(before) => before.rewritten(&key, &record)?,
            None => record::bytes_of(&record)?,
        };
        tx.put(key, bytes);
        Ok(true)
    }

    /// Looks a session up.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        self.session_in(&*self.reader()?, id)
    }

    /// The sessions that somebody means who names one: the one with this id; else the live ones that are called so;
    /// else those whose ids begin so. Of the dead ones only where no live one is meant.
    pub fn sessions_called(&self, name: &str) -> Result<Vec<Session>, Error> {
        let name = name.trim();
        if let Ok(id) = SessionId::foreign(name)
            && let Some(session) = self.session(&id)?
        {
            return Ok(vec![session]);
        }
        let sessions = self.sessions()?;
        let is_called = |session: &Session| {
            [session.label(), session.label_for_all()].iter().any(|label| is_same_name(label, name))
        };
        let begins = |session: &Session| name.len() >= SHORTEST_BEGINNING && session.id.as_str().starts_with(name);
        let ways_to_mean: [&dyn Fn(&Session) -> bool; 4] = [
            &|session| session.is_live() && is_called(session),
            &|session| session.is_live() && begins(session),
            &is_called,
            &begins,
        ];
        let mut found =
            ways_to_mean.iter().map(|is_meant| sessions.iter().filter(|it| is_meant(it)).cloned().collect::<Vec<_>>());
        Ok(found.find(|found| !found.is_empty()).unwrap_or_default())
    }

    /// All sessions that have a record: live ones first, then by their newest sign of life.
    pub fn sessions(&self) -> Result<Vec<Session>, Error> {
        let mut sessions = self.sessions_in(&*self.reader()?)?;
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
    pub(super) fn holds_something(&self, reader: &dyn Reader, id: &SessionId) -> Result<bool, Error> {
        for key in claim_keys(reader, &[Range::all_claims()])? {
            let stored = StoredClaim::read(reader, &key)?.filter(|stored| stored.holder() == Some(id));
            if let Some(stored) = stored
                && self.judged_claim(reader, stored)?.is_active()
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

    /// Says whether a coding agent works, or waits for its user.
    pub fn set_turn(&self, id: &SessionId, turn: &str) -> Result<(), Error> {
        self.update_session(id, |session| session.turn = Some(turn.to_owned()))
    }

    /// Changes which process keeps the session.
    pub fn set_keeper(&self, id: &SessionId, keeper: &Process) -> Result<(), Error> {
        self.update_session(id, |session| {
            session.pid = Some(keeper.pid);
            session.pid_scope = Some(platform::pid_scope());
            session.process_started = Some(keeper.started.clone()).filter(|started| !started.is_empty());
        })?;
        self.store.forget_processes();
        Ok(())
    }

    /// Says what the session's editor wants that others need to know too.
    pub fn set_settings(&self, id: &SessionId, settings: Option<&Map<String, Value>>) -> Result<(), Error> {
        self.update_session(id, |session| session.settings = settings.cloned())
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
            self.leave_alone(tx, id)?;
            let released = self.end_all_of(tx, |holder| holder == id)?;
            add_heartbeat(tx, id, &Activity::new("completed", None), now)?;
            Ok(released)
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
        self.answer_requests(&released);
        Ok(released)
    }

    /// Gives up what a session held that was there for one command, and forgets it, so that thousands of commands leave
    /// nothing behind. One that somebody wrote to ends as any other does.
    pub fn dismiss(&self, id: &SessionId, holdings: &[Holding]) -> Result<(), Error> {
        let (key, now) = (Key::Session(id.clone()), self.now());
        let dismissed = self.commit(|tx| {
            let released = self.release_in(tx, holdings)?;
            if tx.get(&key)?.is_none() {
                return Ok(released);
            }
            self.leave_alone(tx, id)?;
            if tx.is_empty(&Range::Series(Series::Direct(id.clone())))? {
                tx.write(Write::Delete(key.clone()));
                return Ok(released);
            }
            change_session(tx, id, |session| note_end(session, &Completion::default(), now))?;
            Ok(released)
        });
        match dismissed {
            Ok((released, _)) => {
                self.answer_requests(&released);
                Ok(())
            }
            Err(Error::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives up what sessions hold that have ended, and not what they claimed after going on.
    pub fn release_all_ended(&self, sessions: &[SessionId]) -> Result<Vec<Claim>, Error> {
        let (released, _) = self.commit(|tx| {
            let has_ended = |id: &&SessionId| !matches!(require_active(tx, id), Ok(_) | Err(Error::Io { .. }));
            let ended: Vec<&SessionId> = sessions.iter().filter(has_ended).collect();
            self.end_all_of(tx, |holder| ended.contains(&holder))
        })?;
        self.answer_requests(&released);
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
            let committed = self.commit_making(|tx| {
                change_session(tx, id, |session| note_end(session, &Completion::default(), now))?;
                self.leave_alone(tx, id)?;
                add_heartbeat(tx, id, &Activity::new("completed", None), now)
            });
            match committed {
                Ok(_) => ended.push(id.clone()),
                Err(Error::UnknownSession { .. } | Error::EndedSession { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    pub(super) fn update_session(&self, id: &SessionId, change: impl Fn(&mut SessionRecord)) -> Result<(), Error> {
        self.commit_making(|tx| change_session(tx, id, &change)).map(drop)
    }
}

/// Registers a session, unless it is registered already.
pub(super) fn arrive_in(tx: &mut Transaction, session: &Session) -> Result<(), Error> {
    let key = Key::Session(session.id.clone());
    if let Some(stored) = tx.get(&key)? {
        let is_same = SessionRecord::read(&stored.bytes).is_ok_and(|known| {
            (known.pid, &known.process_started) == (session.record.pid, &session.record.process_started)
        });
        return if is_same { Ok(()) } else { Err(Error::SessionTaken { id: session.id.clone() }) };
    }
    tx.put_new(key, record::bytes_of(&session.record)?);
    Ok(())
}

/// True for a name as somebody may type it.
fn is_same_name(label: &str, name: &str) -> bool {
    label.to_lowercase() == name.to_lowercase()
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
        person: new.person.or_else(|| known.person.clone()),
        agent: new.agent.or_else(|| known.agent.clone()),
        sub_agent: new.sub_agent.or_else(|| known.sub_agent.clone()),
        turn: new.turn.or_else(|| known.turn.clone()),
        branch: new.branch.or_else(|| known.branch.clone()),
        worktree: new.worktree.or_else(|| known.worktree.clone()),
        host: Some(platform::host_name()),
        pid: new.keeper.as_ref().map(|keeper| keeper.pid),
        pid_scope: new.keeper.as_ref().map(|_| platform::pid_scope()),
        process_started: new.keeper.map(|keeper| keeper.started).filter(|started| !started.is_empty()),
        client_pid: new.client_pid,
        keepalive: new.keepalive,
        settings: new.settings,
        stands_for: new.stands_for.or_else(|| known.stands_for.clone()),
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
