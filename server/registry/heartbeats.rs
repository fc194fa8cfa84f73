//! Heartbeats: what each session did last.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::directory::{Directory, Durability, Folder};
use super::record::{self, Record};
use super::{Error, Registry, Session};
use deconflict_protocol::{HeartbeatRecord, SessionId, time};

/// The action of a session that gave something up.
pub const RELEASED: &str = "released";

/// Something that a session did and tells the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// What it did: `building`, `saved`, `completed` …
    pub action: String,
    /// What it did it to.
    pub target: Option<String>,
    /// The phase of the work.
    pub phase: Option<String>,
    /// Resource names of the files it touched.
    pub files_touched: Vec<String>,
    /// How far it is, such as `30%`.
    pub progress: Option<String>,
    /// What it means to do next.
    pub next_action: Option<String>,
    /// When it expects to be done.
    pub estimated_completion: Option<String>,
}

impl Activity {
    /// An activity of which nothing but the action and its target is known.
    pub fn new(action: &str, target: Option<String>) -> Self {
        Self { action: action.to_owned(), target, ..Self::default() }
    }
}

impl Registry {
    /// Writes a heartbeat and brings the session's own record up to date with it.
    pub fn heartbeat(&self, id: &SessionId, activity: &Activity) -> Result<(), Error> {
        let now = self.now();
        self.update_session(id, |session| {
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
            fill(&mut session.current_work, &activity.target);
            fill(&mut session.phase, &activity.phase);
            fill(&mut session.progress, &activity.progress);
            fill(&mut session.next_action, &activity.next_action);
            fill(&mut session.estimated_completion, &activity.estimated_completion);
        })?;
        write_heartbeat(&self.directory()?, id, activity, now)
    }
}

/// What a session did last.
#[derive(Debug, Clone, PartialEq)]
pub struct LastActivity {
    /// When.
    pub at: DateTime<Utc>,
    /// What its heartbeat says.
    pub record: HeartbeatRecord,
}

impl Registry {
    /// What a session told that it did since a moment, in no order.
    pub fn activities_since(&self, id: &SessionId, since: DateTime<Utc>) -> Result<Vec<LastActivity>, Error> {
        let directory = self.directory()?;
        let names = match directory.list(&Folder::Heartbeats) {
            Err(Error::Unsafe { .. }) => Vec::new(),
            listed => listed?,
        };
        let mut activities = Vec::new();
        for name in names {
            // Other programs name theirs in local time, so only the record tells when it was.
            let is_theirs = time::split_stamp(&name).is_some_and(|(_, of)| of == id.as_str());
            if is_theirs && let Some(activity) = read_activity(&directory, &name, self.now())? {
                activities.push(activity);
            }
        }
        activities.retain(|activity| activity.at >= since);
        Ok(activities)
    }

    /// What these sessions did last, from the newest heartbeat of each.
    pub(super) fn last_activities<'a>(
        &self,
        directory: &Directory,
        sessions: impl Iterator<Item = &'a Session>,
    ) -> Result<HashMap<SessionId, LastActivity>, Error> {
        let mut newest = newest_heartbeats(directory)?;
        let mut activities = HashMap::new();
        for session in sessions {
            if let Some((_, name)) = newest.remove(&session.id)
                && let Some(activity) = read_activity(directory, &name, self.now())?
            {
                activities.insert(session.id.clone(), activity);
            }
        }
        Ok(activities)
    }
}

/// The file of each session's newest heartbeat, told by the names alone.
pub(super) fn newest_heartbeats(directory: &Directory) -> Result<HashMap<SessionId, (DateTime<Utc>, String)>, Error> {
    let names = match directory.list(&Folder::Heartbeats) {
        Err(Error::Unsafe { .. }) => Vec::new(),
        listed => listed?,
    };
    let mut newest: HashMap<SessionId, (DateTime<Utc>, String)> = HashMap::new();
    for name in names {
        if let Some((at, id)) = time::split_stamp(&name).and_then(|(at, id)| Some((at, SessionId::foreign(id).ok()?)))
            && newest.get(&id).is_none_or(|(newest, _)| *newest < at)
        {
            newest.insert(id, (at, name));
        }
    }
    Ok(newest)
}

/// When a session's newest heartbeat was written. Other programs name theirs in local time, so that the file's own
/// time counts.
pub(super) fn newest_heartbeat(directory: &Directory, id: &SessionId) -> Result<Option<DateTime<Utc>>, Error> {
    let Some((_, name)) = newest_heartbeats(directory)?.remove(id) else { return Ok(None) };
    Ok(directory.stamp(&Folder::Heartbeats, &name)?.map(|stamp| stamp.modified))
}

/// A heartbeat that is damaged tells nothing.
fn read_activity(directory: &Directory, name: &str, now: DateTime<Utc>) -> Result<Option<LastActivity>, Error> {
    let stored = match directory.read(&Folder::Heartbeats, name) {
        Ok(Some(stored)) => stored,
        Ok(None) | Err(Error::Unsafe { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(Record { value: record, .. }) = Record::understand(&stored, HeartbeatRecord::from_fields) else {
        return Ok(None);
    };
    let at = time::believed(record.timestamp.as_deref(), stored.stamp.modified, now);
    Ok(Some(LastActivity { at, record }))
}

/// Writes the heartbeat's file alone.
pub(super) fn write_heartbeat(
    directory: &Directory,
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
    create_stamped(directory, &Folder::Heartbeats, id, now, Durability::Process, &heartbeat).map(drop)
}

/// Writes a record under `{stamp}-{session}.json`; while the name is taken, a millisecond later. Returns the name.
pub(super) fn create_stamped(
    directory: &Directory,
    folder: &Folder,
    id: &SessionId,
    now: DateTime<Utc>,
    durability: Durability,
    value: &impl Serialize,
) -> Result<String, Error> {
    let stamps = (0..).map(|later| format!("{}-{id}.json", time::stamp(now + TimeDelta::milliseconds(later))));
    let bytes = record::bytes_of(directory, folder, id.as_str(), value)?;
    let name = directory.create_file_under_first(folder, stamps, &bytes, durability)?;
    // Nobody has all names of all times.
    name.ok_or_else(|| Error::Busy { path: directory.path_of(folder) })
}
