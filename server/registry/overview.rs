//! What goes on in the directory, put together from its records: who is here, what each one holds, what was said
//! lately, and where people should talk to each other.
//!
//! [`Overview::of`] only judges what it is given, so that a one-shot command can bring it from the disk and a server
//! from its memory.

use std::borrow::Borrow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::claims::{Claim, ClaimState};
use super::clean_up::{closed_editors, is_left_by};
use super::concerns::{Concern, concerns};
use super::heartbeats::{LastActivity, RELEASED};
use super::machines::Machines;
use super::mailbox;
use super::messages::Message;
use super::records::{DamagedRecord, RECENT, Records};
use super::session::{self, Session};
use super::store::files::directory::{Contents, Directory};
use super::store::files::folder::Folder;
use super::store::files::names::{folder_of, relative_path};
use super::store::{Key, Series};
use super::{Error, Registry};
use deconflict_protocol::text::one_line;
use deconflict_protocol::{ClaimRecord, SessionId, SessionRecord, time};

/// What goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// All sessions that have a record, live ones first.
    pub sessions: Vec<Session>,
    /// All claims, in the order of their resources.
    pub claims: Vec<Claim>,
    /// What was said in the last hour, newest first.
    pub recent_messages: Vec<Message>,
    /// Where people should talk to each other, or somebody should look.
    pub coordination_needed: Vec<Concern>,
    /// What each live session did last, from its newest heartbeat.
    pub last_activities: HashMap<SessionId, LastActivity>,
}

impl Overview {
    /// What goes on as a session has to see it, which ceases to rely on its own claims before others do where another
    /// machine takes part.
    #[must_use]
    pub fn as_seen_by(mut self, session: &SessionId, now: DateTime<Utc>) -> Self {
        let machines = Machines::of(&self.sessions);
        let see = |claim: Claim| if claim.held_by(session) { claim.as_holder_sees(machines, now) } else { claim };
        self.claims = self.claims.into_iter().map(see).collect();
        let concerns = std::mem::take(&mut self.coordination_needed).into_iter();
        self.coordination_needed = concerns.map(|concern| concern.told_to(session)).collect();
        self
    }
}

impl Overview {
    pub(super) fn of(mut records: Records, now: DateTime<Utc>) -> Self {
        // Of what is damaged only that is told.
        records.sessions.retain(|session| !session.is_damaged());
        for session in &mut records.sessions {
            fill_in(session, records.last_activities.get(&session.id));
        }
        records.sessions.sort_by(|a, b| (!a.is_live(), b.last_sign, &a.id).cmp(&(!b.is_live(), a.last_sign, &b.id)));
        records.claims.sort_by(|a, b| a.resource.cmp(&b.resource));
        // What closed editors left has nothing unsaved under it, and is removed by whoever lives.
        let closed = closed_editors(&records.sessions);
        records.claims.retain(|claim| !is_left_by(claim, &closed));
        records.damaged.sort();
        let coordination_needed = concerns(&records, now);
        let mut recent_messages = records.messages;
        mailbox::sort(&mut recent_messages);
        recent_messages.reverse();
        recent_messages.retain(|message| now - RECENT < message.sent_at && message.sent_at <= now);
        Self {
            sessions: records.sessions,
            claims: records.claims,
            recent_messages,
            coordination_needed,
            last_activities: records.last_activities,
        }
    }

    /// True for a session that is alive. One that is forgotten is so only while it holds something.
    pub fn is_alive(&self, session: &Session) -> bool {
        let holds_something = || self.claims.iter().any(|claim| claim.is_active() && claim.held_by(&session.id));
        session.is_live() && (!session.is_forgotten() || holds_something())
    }

    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == *id)
    }
}

impl Registry {
    /// What goes on, as it stands on disk.
    pub fn overview(&self) -> Result<Overview, Error> {
        Ok(Overview::of(self.records(&self.directory()?)?, self.now()))
    }

    pub(super) fn records(&self, directory: &Directory) -> Result<Records, Error> {
        let sessions = self.sessions_in(directory)?;
        let claims = self.claims_of(directory, &sessions)?;
        let held_since = held_since(&claims);
        let damaged = damaged_claims(directory, &claims)?;
        let records = self.other_records(directory, sessions, &held_since)?;
        Ok(Records { claims, damaged: damaged.into_iter().chain(records.damaged).collect(), ..records })
    }

    /// What belongs to these sessions besides claims. `held_since` says since when messages to each of them may be
    /// about what it holds.
    pub(super) fn other_records(
        &self,
        directory: &Directory,
        sessions: Vec<Session>,
        held_since: &HashMap<SessionId, DateTime<Utc>>,
    ) -> Result<Records, Error> {
        let last_activities = self.last_activities(directory, sessions.iter().filter(|session| session.is_live()))?;
        let mut damaged = damaged_sessions(directory, &sessions)?;
        let messages = messages_that_matter(directory, held_since, self.now(), &mut damaged)?;
        Ok(Records { sessions, messages, last_activities, damaged, claims: Vec::new() })
    }
}

/// Since when each session has what it claimed first and still has: a lease that ended may be renewed.
pub(super) fn held_since<C: Borrow<Claim>>(claims: impl IntoIterator<Item = C>) -> HashMap<SessionId, DateTime<Utc>> {
    let mut held_since: HashMap<SessionId, DateTime<Utc>> = HashMap::new();
    for claim in claims {
        let claim = claim.borrow();
        if let Some(holder) = claim.holder() {
            let since = held_since.entry(holder.clone()).or_insert(claim.claimed_at);
            *since = claim.claimed_at.min(*since);
        }
    }
    held_since
}

/// Sessions of the original's scripts tell what they do only in their heartbeats.
pub(super) fn fill_in(session: &mut Session, last: Option<&LastActivity>) {
    let Some(last) = last else { return };
    session.last_sign = session.last_sign.max(last.at);
    let record = &mut session.record;
    if last.record.action.as_deref() == Some(RELEASED) {
        // What it gave up last is not what it works on.
        return;
    }
    let tells_nothing = record.phase.is_none() && record.progress.is_none() && record.next_action.is_none();
    if tells_nothing {
        record.phase.clone_from(&last.record.phase);
        record.progress.clone_from(&last.record.progress);
        record.next_action.clone_from(&last.record.next_action);
        if record.estimated_completion.is_none() {
            record.estimated_completion.clone_from(&last.record.estimated_completion);
        }
        // Ours say in their records what they work on.
        if record.current_work.is_none() && record.host.is_none() {
            record.current_work.clone_from(&last.record.target);
        }
    }
}

pub(super) fn damaged_claims<'a>(
    directory: &Directory,
    claims: impl IntoIterator<Item = &'a Claim>,
) -> Result<Vec<DamagedRecord>, Error> {
    let mut damaged = Vec::new();
    for claim in claims {
        if claim.holder().is_none() && claim.standing != ClaimState::Pending {
            let read = super::record::read(directory, &Key::Claim(claim.key.clone()), ClaimRecord::read);
            damaged.extend(damage(directory, read.map(drop))?);
        }
    }
    Ok(damaged)
}

fn damaged_sessions(directory: &Directory, sessions: &[Session]) -> Result<Vec<DamagedRecord>, Error> {
    let known: HashMap<_, _> = sessions.iter().map(|session| (&session.id, session)).collect();
    let mut damaged = Vec::new();
    for id in session::list_sessions(directory)? {
        // A damaged record has left nothing of itself, and what is no file is not listed as a session at all.
        if known.get(&id).is_none_or(|session| session.is_damaged()) {
            damaged.extend(damaged_session(directory, &id)?);
        }
    }
    Ok(damaged)
}

pub(super) fn damaged_session(directory: &Directory, id: &SessionId) -> Result<Option<DamagedRecord>, Error> {
    let read = super::record::read(directory, &Key::Session(id.clone()), SessionRecord::read);
    damage(directory, read.map(drop))
}

/// What a failure to read a record tells of the record; other failures remain failures.
pub(super) fn damage(directory: &Directory, read: Result<(), Error>) -> Result<Option<DamagedRecord>, Error> {
    let (file, reason) = match read {
        Err(Error::Damaged { key, source }) => (relative_path(&key), source.to_string()),
        Err(Error::Unsafe { path, reason }) => {
            let file = path.strip_prefix(directory.path()).unwrap_or(&path);
            (file.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/"), reason.to_owned())
        }
        Err(error) => return Err(error),
        Ok(()) => return Ok(None),
    };
    Ok(Some(DamagedRecord { file: one_line(&file, 300), reason: one_line(&reason, 300) }))
}

/// The messages of the last hour, and those to holders since they claimed. Folders and files in which nothing was
/// written since then are not looked into.
fn messages_that_matter(
    directory: &Directory,
    held_since: &HashMap<SessionId, DateTime<Utc>>,
    now: DateTime<Utc>,
    damaged: &mut Vec<DamagedRecord>,
) -> Result<Vec<Message>, Error> {
    let recent = now - RECENT;
    let mut messages = Vec::new();
    collect_since(directory, &Series::Broadcasts, recent, now, &mut messages, damaged)?;
    let recipients = match directory.list(&Folder::Recipients) {
        Err(error @ Error::Unsafe { .. }) => {
            damaged.extend(damage(directory, Err(error))?);
            Vec::new()
        }
        listed => listed?,
    };
    for recipient in recipients.iter().filter_map(|name| SessionId::foreign(name).ok()) {
        let since = held_since.get(&recipient).map_or(recent, |since| recent.min(*since));
        collect_since(directory, &Series::Direct(recipient), since, now, &mut messages, damaged)?;
    }
    Ok(messages)
}

fn collect_since(
    directory: &Directory,
    series: &Series,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    messages: &mut Vec<Message>,
    damaged: &mut Vec<DamagedRecord>,
) -> Result<(), Error> {
    let folder = folder_of(series);
    let contents = match directory.contents(&folder) {
        Ok(Some(contents)) => contents,
        Ok(None) => return Ok(()),
        Err(error) => {
            damaged.extend(damage(directory, Err(error))?);
            return Ok(());
        }
    };
    if directory.folder_stamp(&folder)?.is_some_and(|stamp| stamp.modified < since) {
        return Ok(());
    }
    for name in contents.names()? {
        if !is_older(&contents, &name, since)? {
            match mailbox::read_message(directory, &Key::Entry(series.clone(), name), now) {
                Ok(message) => messages.extend(message.filter(|message| message.sent_at >= since)),
                Err(error) => damaged.extend(damage(directory, Err(error))?),
            }
        }
    }
    Ok(())
}

fn is_older(contents: &Contents, name: &str, since: DateTime<Utc>) -> Result<bool, Error> {
    match time::is_named_older(name, since) {
        Some(is_older) => Ok(is_older),
        None => Ok(contents.stamp(name)?.is_some_and(|stamp| stamp.modified < since)),
    }
}
