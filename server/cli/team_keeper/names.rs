//! What a clone's records are called among those of all clones, and those of the others in this one.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_protocol::{
    ClaimRecord, Naming, Resource, SessionId, SessionOfClone, SessionRecord, lease_end, time, to_bytes,
};
use deconflict_registry::{Error, Files, Key, Reader, Registry};
use deconflict_team::{clone_digest, id_in_team};
use deconflict_workspace::Location;

use super::copies::Copied;

/// So often a session's sign of life is passed on, in seconds: that it lives is known by its lease.
const SIGN: i64 = 300;

/// What sessions promise the team that somebody here looks after, in seconds.
const KEEPALIVE: u32 = 30;

/// This clone among the others.
pub(in crate::cli) struct Names {
    directory: PathBuf,
    /// The machine, and the folder of the clone.
    called: String,
    /// Where the repository lies below what the directory covers.
    prefix: String,
}

impl Names {
    pub(in crate::cli) fn of(location: &Location) -> Self {
        let root = location.repository.as_ref().map_or(location.parent(), |repository| repository.main_root());
        let prefix = root.strip_prefix(location.parent()).unwrap_or(Path::new(""));
        let folder = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let plain = |text: String| text.replace([':', '/', '+'], "_");
        Self {
            directory: location.directory.clone(),
            called: format!("{}:{}", plain(platform::host_name()), plain(folder)),
            prefix: prefix.to_string_lossy().replace('\\', "/"),
        }
    }

    /// The id of what stands among all for a session of this clone.
    pub(in crate::cli) fn in_team(&self, own: &SessionId) -> SessionId {
        id_in_team(own, &self.directory)
    }

    /// What a file or directory of this clone is called among all.
    pub(super) fn among_all(&self, own: &Resource) -> Option<Resource> {
        if own.clone_of_team().is_some() {
            return None;
        }
        let path = own.path_in_main_worktree()?;
        let relative = match &self.prefix[..] {
            "" => path.as_str(),
            prefix => path.strip_prefix(prefix)?.trim_start_matches('/'),
        };
        own.in_worktree(&self.clone_with(own.worktree()), if relative == "." { "" } else { relative }).ok()
    }

    /// The same back; `None` for what is another clone's.
    pub(super) fn own(&self, among_all: &Resource) -> Option<Resource> {
        let worktree = match among_all.clone_of_team()?.strip_prefix(&self.called)? {
            "" => None,
            linked => Some(linked.strip_prefix('+')?),
        };
        let is_ours = among_all.worktree() == Some(&self.clone_with(worktree));
        let name = [&self.prefix, among_all.relative()].map(|part| part.trim_matches('/'));
        let below = name.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        match worktree.filter(|_| is_ours) {
            Some(worktree) => among_all.in_worktree(&self.beside(worktree), among_all.relative()).ok(),
            None if is_ours => among_all.renamed(if below.is_empty() { "." } else { &below }).ok(),
            None => None,
        }
    }

    /// What this clone is called among all, as people read it.
    pub(in crate::cli) fn called(&self) -> &str {
        &self.called
    }

    /// What a file of this clone that cannot be merged is called among all: the same in each of them.
    pub(in crate::cli) fn in_all_clones(&self, own: &Resource) -> Option<Resource> {
        let among_all = self.among_all(own).filter(Resource::is_file)?;
        own.renamed(among_all.relative()).ok()
    }

    /// The same back, for the main worktree.
    pub(super) fn in_main_worktree(&self, in_all: &Resource) -> Option<Resource> {
        if !in_all.is_file() || in_all.worktree().is_some() {
            return None;
        }
        match &self.prefix[..] {
            "" => Some(in_all.clone()),
            prefix => in_all.renamed(&format!("{prefix}/{}", in_all.name())).ok(),
        }
    }

    /// True for a session of this clone, as it stands among all.
    pub(in crate::cli) fn has_session(&self, among_all: &SessionRecord) -> bool {
        among_all.stands_for.as_ref().is_some_and(|of| {
            of.directory == self.directory && { among_all.session_id.as_ref() == Some(&self.in_team(&of.session)) }
        })
    }

    /// What a file or directory of another clone is called in this one.
    fn here(&self, among_all: &Resource) -> Option<Resource> {
        among_all.clone_of_team()?;
        among_all.in_worktree(&self.beside(among_all.worktree()?), among_all.relative()).ok()
    }

    /// With which words the names of those in a worktree of the repository begin here.
    fn beside(&self, worktree: &str) -> String {
        if self.prefix.is_empty() { worktree.to_owned() } else { format!("{}//{worktree}", self.prefix) }
    }

    fn clone_with(&self, worktree: Option<&str>) -> String {
        let linked = worktree.map_or_else(String::new, |worktree| format!("+{}", worktree.replace(':', "_")));
        format!("{}{linked}:{}", self.called, clone_digest(&self.directory, worktree))
    }

    /// The copy of this clone's record for all, if it has one.
    pub(super) fn leaving(
        &self,
        registry: &Registry<Files>,
        reader: &dyn Reader,
        key: &Key,
    ) -> Result<Option<Copied>, Error> {
        let living = |id: &SessionId| -> Result<Option<SessionRecord>, Error> {
            let session = registry.session(id)?.filter(|session| session.is_live() && !session.is_damaged());
            Ok(session.map(|session| session.record).filter(|record| record.stands_for.is_none()))
        };
        match key {
            Key::Session(id) => {
                let Some(record) = living(id)? else { return Ok(None) };
                Ok(to_bytes(&self.session(id, record)).ok().map(|bytes| (Key::Session(self.in_team(id)), bytes)))
            }
            // Of other clones there may be thousands.
            Key::Claim(claim) if claim.resource(None).clone_of_team().is_some() => Ok(None),
            Key::Claim(_) => {
                let Some((resource, record, modified)) = read_claim(reader, key)? else { return Ok(None) };
                let now = registry.clock().now();
                let Some(among_all) = self.among_all(&resource) else { return Ok(None) };
                let Some(id) = record.claimed_by.clone().filter(|_| now < lease_end(Some(&record), modified, now))
                else {
                    return Ok(None);
                };
                let Some(holder) = living(&id)? else { return Ok(None) };
                let record = ClaimRecord {
                    claimed_by: Some(self.in_team(&id)),
                    resource_name: Some(among_all.name().to_owned()),
                    branch: record.branch.or(holder.branch),
                    worktree: None,
                    displaced: None,
                    process: None,
                    ..record
                };
                Ok(to_bytes(&record)
                    .ok()
                    .map(|bytes| (Key::Claim(Naming { ignores_case: false }.key(&among_all)), bytes)))
            }
            Key::Ticket(_) | Key::Entry(..) => Ok(None),
        }
    }

    /// The record of a session of this clone for all.
    pub(in crate::cli) fn session(&self, id: &SessionId, record: SessionRecord) -> SessionRecord {
        let seen = record.last_heartbeat.as_deref().and_then(time::parse);
        let seen = seen.map(|at| time::format(at - TimeDelta::seconds(at.timestamp().rem_euclid(SIGN))));
        SessionRecord {
            session_id: Some(self.in_team(id)),
            stands_for: Some(SessionOfClone { directory: self.directory.clone(), session: id.clone() }),
            host: Some(platform::host_name()),
            // One that nothing looks after in its clone lasts as long as it does there.
            keepalive: record.pid.or(record.keepalive).map(|_| KEEPALIVE),
            last_heartbeat: seen,
            client_pid: None,
            editing: Vec::new(),
            settings: None,
            muted: None,
            ..record
        }
    }

    /// The copy of another clone's record for this one, if it has one.
    pub(super) fn arriving(&self, naming: Naming, reader: &dyn Reader, key: &Key) -> Result<Option<Copied>, Error> {
        let Some(found) = reader.get(key)? else { return Ok(None) };
        match key {
            Key::Session(id) => {
                let Ok(record) = SessionRecord::read(&found.bytes) else { return Ok(None) };
                if record.is_completed() || record.stands_for.is_none() || self.is_own_session(id, &record) {
                    return Ok(None);
                }
                // Here nobody sees its process, and it goes when it goes there.
                let record =
                    SessionRecord { keepalive: None, pid: None, process_started: None, pid_scope: None, ..record };
                Ok(to_bytes(&record).ok().map(|bytes| (key.clone(), bytes)))
            }
            Key::Claim(_) => {
                let Some((resource, record, _)) = read_claim(reader, key)? else { return Ok(None) };
                let Some(here) = self.here(&resource).filter(|_| self.own(&resource).is_none()) else {
                    return Ok(None);
                };
                // Uncommitted changes outlive their session.
                let holder = record.claimed_by.clone().filter(|_| record.uncommitted_of.is_none()).map(Key::Session);
                if let Some(holder) = holder
                    && reader.stamp(&holder)?.is_none()
                {
                    return Ok(None);
                }
                let record = ClaimRecord { resource_name: Some(here.name().to_owned()), ..record };
                Ok(to_bytes(&record).ok().map(|bytes| (Key::Claim(naming.key(&here)), bytes)))
            }
            Key::Ticket(_) | Key::Entry(..) => Ok(None),
        }
    }

    /// True for a session or a claim of this clone among all.
    pub(super) fn is_from_here(&self, key: &Key, bytes: &[u8]) -> bool {
        self.is_about_here(key, bytes) && !tells_of_uncommitted(key, bytes)
    }

    /// True for what tells of this clone among all.
    pub(super) fn is_about_here(&self, key: &Key, bytes: &[u8]) -> bool {
        match key {
            Key::Session(id) => SessionRecord::read(bytes).is_ok_and(|record| self.is_own_session(id, &record)),
            Key::Claim(key) => {
                let resource = ClaimRecord::read(bytes).map(|record| named(key, &record));
                resource.is_ok_and(|resource| self.own(&resource).is_some())
            }
            Key::Ticket(_) | Key::Entry(..) => false,
        }
    }

    fn is_own_session(&self, id: &SessionId, record: &SessionRecord) -> bool {
        record.stands_for.as_ref().is_some_and(|of| of.directory == self.directory && self.in_team(&of.session) == *id)
    }
}

/// True for a copy of another clone's record in this one.
pub(super) fn is_from_elsewhere(key: &Key, bytes: &[u8]) -> bool {
    match key {
        Key::Session(_) => SessionRecord::read(bytes).is_ok_and(|record| record.stands_for.is_some()),
        Key::Claim(key) => ClaimRecord::read(bytes).is_ok_and(|record| named(key, &record).clone_of_team().is_some()),
        Key::Ticket(_) | Key::Entry(..) => false,
    }
}

/// True for a record that is no claim but tells of uncommitted changes.
pub(super) fn tells_of_uncommitted(key: &Key, bytes: &[u8]) -> bool {
    matches!(key, Key::Claim(_)) && ClaimRecord::read(bytes).is_ok_and(|record| record.uncommitted_of.is_some())
}

/// The clone in which a claim is that was copied from there, as names begin in this one.
pub(super) fn clone_in(key: &Key) -> Option<String> {
    let Key::Claim(key) = key else { return None };
    let resource = key.resource(None);
    resource.clone_of_team()?;
    let relative = resource.relative();
    Some(resource.name()[..resource.name().len() - relative.len()].trim_end_matches('/').to_owned())
}

fn named(key: &deconflict_protocol::ClaimKey, record: &ClaimRecord) -> Resource {
    key.resource(record.resource_type.as_deref().zip(record.resource_name.as_deref()))
}

fn read_claim(reader: &dyn Reader, key: &Key) -> Result<Option<(Resource, ClaimRecord, DateTime<Utc>)>, Error> {
    let Key::Claim(claim) = key else { return Ok(None) };
    let Some(found) = reader.get(key)? else { return Ok(None) };
    // What cannot be understood is shown where it stands.
    let Ok(record) = ClaimRecord::read(&found.bytes) else { return Ok(None) };
    Ok(Some((named(claim, &record), record, found.stamp.modified)))
}
