//! Heartbeats: what each session did last.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::record;
use super::session::change_session;
use super::store::{Key, Range, Reader, Series, Store, Transaction, Write};
use super::{Error, Registry, Session};
use deconflict_protocol::{HeartbeatRecord, SessionId, SessionRecord, time};

/// The action of a session that gave something up.
pub const RELEASED: &str = "released";

/// Something that a session did and tells the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// What it did: `building`, `saved`, `completed` …
    pub action: String,
    /// What it did it to.
    pub target: Option<String>,
    /// Which phase the work is in.
    pub phase: Option<String>,
    /// Resource names of the files it touched.
    pub files_touched: Vec<String>,
    /// How far it is, such as `30%`.
    pub progress: Option<String>,
    /// What it means to do next.
    pub next_action: Option<String>,
    /// When it expects to be done.
    pub estimated_completion: Option<String>,
    /// True if its user said so. What a session claims, saves or releases is not what it works on.
    pub is_said: bool,
}

impl Activity {
    /// An activity of which nothing but the action and its target is known.
    pub fn new(action: &str, target: Option<String>) -> Self {
        Self { action: action.to_owned(), target, ..Self::default() }
    }
}

impl<S: Store> Registry<S> {
    /// Writes a heartbeat and brings the session's own record up to date with it.
    pub fn heartbeat(&self, id: &SessionId, activity: &Activity) -> Result<(), Error> {
        let now = self.now();
        let change = |session: &mut SessionRecord| {
            session.last_heartbeat = Some(time::format(now));
            let fill = |field: &mut Option<String>, told: &Option<String>| {
                if told.is_some() {
                    field.clone_from(told);
                }
            };
            if activity.action == RELEASED {
                // Who gives up what it works on works on nothing, until it says something else.
                if session.current_work == activity.target {
                    session.current_work = None;
                    session.phase = None;
                }
                return;
            }
            if !activity.is_said {
                return;
            }
            fill(&mut session.current_work, &activity.target);
            fill(&mut session.phase, &activity.phase);
            fill(&mut session.progress, &activity.progress);
            fill(&mut session.next_action, &activity.next_action);
            fill(&mut session.estimated_completion, &activity.estimated_completion);
        };
        self.commit_making(|tx| {
            change_session(tx, id, change)?;
            add_heartbeat(tx, id, activity, now)
        })
        .map(drop)
    }
}

pub(super) fn add_heartbeat(
    tx: &mut Transaction,
    id: &SessionId,
    activity: &Activity,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let heartbeat = HeartbeatRecord {
        session_id: Some(id.clone()),
        timestamp: Some(time::format(now)),
        action: Some(activity.action.clone()),
        target: activity.target.clone(),
        phase: activity.phase.clone(),
        files_touched: activity.files_touched.clone(),
        progress: activity.progress.clone(),
        next_action: activity.next_action.clone(),
        estimated_completion: activity.estimated_completion.clone(),
    };
    let bytes = record::bytes_of(&heartbeat)?;
    tx.write(Write::Add { series: Series::Heartbeats, by: id.clone(), at: now, bytes });
    Ok(())
}

/// What a session did last.
#[derive(Debug, Clone, PartialEq)]
pub struct LastActivity {
    /// When.
    pub at: DateTime<Utc>,
    /// What its heartbeat says.
    pub record: HeartbeatRecord,
    pub(super) name: String,
}

impl LastActivity {
    /// True if this is what it did.
    pub fn did(&self, action: &str) -> bool {
        self.record.action.as_deref() == Some(action)
    }

    /// True if it did something to the file of this name.
    pub fn touched(&self, file: &str) -> bool {
        self.record.files_touched.iter().any(|touched| touched == file)
    }
}

impl<S: Store> Registry<S> {
    /// What a session told that it did since a moment, in no order.
    pub fn activities_since(&self, id: &SessionId, since: DateTime<Utc>) -> Result<Vec<LastActivity>, Error> {
        let reader = self.reader()?;
        let mut activities = Vec::new();
        for name in heartbeat_names(&*reader)? {
            // Other programs name theirs in local time, so only the record tells when it was.
            let is_theirs = time::split_stamp(&name).is_some_and(|(_, of)| of == id.as_str());
            if is_theirs && let Some(activity) = read_activity(&*reader, &name, self.now())? {
                activities.push(activity);
            }
        }
        activities.retain(|activity| activity.at >= since);
        Ok(activities)
    }

    pub(super) fn last_activities<'a>(
        &self,
        reader: &dyn Reader,
        sessions: impl Iterator<Item = &'a Session>,
    ) -> Result<HashMap<SessionId, LastActivity>, Error> {
        let mut newest = newest_heartbeats(reader)?;
        let mut activities = HashMap::new();
        for session in sessions {
            if let Some((_, name)) = newest.remove(&session.id)
                && let Some(activity) = read_activity(reader, &name, self.now())?
            {
                activities.insert(session.id.clone(), activity);
            }
        }
        Ok(activities)
    }
}

/// The file of each session's newest heartbeat, told by the names alone.
pub(super) fn newest_heartbeats(reader: &dyn Reader) -> Result<HashMap<SessionId, (DateTime<Utc>, String)>, Error> {
    let mut newest: HashMap<SessionId, (DateTime<Utc>, String)> = HashMap::new();
    for name in heartbeat_names(reader)? {
        if let Some((at, id)) = time::split_stamp(&name).and_then(|(at, id)| Some((at, SessionId::foreign(id).ok()?)))
            && newest.get(&id).is_none_or(|(newest, _)| *newest < at)
        {
            newest.insert(id, (at, name));
        }
    }
    Ok(newest)
}

/// A heartbeat that is damaged tells nothing.
pub(super) fn read_activity(
    reader: &dyn Reader,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Option<LastActivity>, Error> {
    let stored = match reader.get(&Key::Entry(Series::Heartbeats, name.to_owned())) {
        Ok(Some(stored)) => stored,
        Ok(None) | Err(Error::Unsafe { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(record) = HeartbeatRecord::read(&stored.bytes) else { return Ok(None) };
    let at = time::believed(record.timestamp.as_deref(), stored.stamp.modified, now);
    Ok(Some(LastActivity { at, record, name: name.to_owned() }))
}

fn heartbeat_names(reader: &dyn Reader) -> Result<Vec<String>, Error> {
    let keys = match reader.scan(&[Range::Series(Series::Heartbeats)]) {
        Err(Error::Unsafe { .. }) => Vec::new(),
        listed => listed?,
    };
    Ok(keys.into_iter().filter_map(|key| if let Key::Entry(_, name) = key { Some(name) } else { None }).collect())
}
