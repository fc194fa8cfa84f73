//! Clean-up by whoever is alive (protocol page, "Sessions and heartbeats"): what nobody needs any more goes.
//!
//! What may still matter to somebody stays: other programs' stale claims, damaged claims, unread messages to sessions
//! that have a record, hand-offs. Claims, sessions and read marks are looked at again and removed under the lock, one
//! at a time, so that nobody waits long for it; everything else changes no hands and needs none.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::{Claim, ClaimState, StoredClaim};
use super::judging::Observer;
use super::liveness::{self, SessionState};
use super::mailbox::{self, Mailbox, readable};
use super::read_marks::{Mark, keep_marks, session_of_part};
use super::session::{Session, read_session};
use super::store::files::directory::{Contents, Directory, Durability, UNFINISHED};
use super::store::files::folder::Folder;
use super::store::{Key, Range, Reader, Series, Write};
use super::{Error, Registry, View};
use deconflict_protocol::{SessionId, parse, time};

const HEARTBEATS: TimeDelta = TimeDelta::hours(24);

const STALE_CLAIMS: TimeDelta = TimeDelta::hours(1);

/// Sessions that are over, read direct messages and broadcasts are kept for so long.
const HISTORY: TimeDelta = TimeDelta::days(7);

/// A file that is unfinished for so long was left behind by a process that died.
const LEFTOVERS: TimeDelta = TimeDelta::hours(1);

/// Verbs clean up once in so long: what is old can wait, and finding it means reading everything.
const PAUSE: TimeDelta = TimeDelta::hours(1);

const CLEANED_UP: &str = ".cleaned-up";

/// So many claims or sessions are removed in one commit, and then others come first.
const BATCH: usize = 64;

/// For so long. Whoever waits for the lock tries again in a shorter time than this.
const TURN: Duration = Duration::from_millis(3);

/// Whoever forces a take-over tells the displaced holder at once. After so long it died before it could.
const TELLING: TimeDelta = TimeDelta::seconds(10);

/// What a clean-up did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanUp {
    /// How many heartbeats were removed.
    pub heartbeats: usize,
    /// How many claims that count no more were removed.
    pub claims: usize,
    /// How many sessions that are over were removed.
    pub sessions: usize,
    /// How many messages were removed.
    pub messages: usize,
    /// How many unfinished files were removed.
    pub leftovers: usize,
    /// How many displaced holders were told.
    pub told: usize,
}

/// The sessions of editors that are gone with their servers.
pub(super) fn closed_editors(sessions: &[Session]) -> HashSet<SessionId> {
    let gone = sessions.iter().filter(|session| session.state == SessionState::Gone);
    gone.filter(|session| liveness::has_closed(&session.record)).map(|session| session.id.clone()).collect()
}

/// True for a claim by an edit that one of these left.
pub(super) fn is_left_by(claim: &Claim, closed: &HashSet<SessionId>) -> bool {
    claim.standing == ClaimState::Abandoned
        && claim.is_automatic()
        && claim.holder().is_some_and(|holder| closed.contains(holder))
}

impl Registry {
    /// Removes what nobody needs any more, and tells displaced holders whom nobody told.
    pub fn clean_up(&self) -> Result<CleanUp, Error> {
        let directory = self.directory()?;
        let sessions = self.sessions()?;
        let claims = self.claims_of(&directory, &sessions)?;
        self.clear_away(&directory, &sessions, &claims)
    }

    /// The same for a verb that may be one of many: it does nothing if another cleaned up within the hour.
    pub fn clean_up_when_due(&self) -> Result<CleanUp, Error> {
        let directory = self.directory()?;
        let last = directory.file_stamp(&Folder::Root, CLEANED_UP)?;
        if last.is_some_and(|last| (self.now() - last.modified).abs() < PAUSE) {
            return Ok(CleanUp::default());
        }
        directory.replace_file(&Folder::Root, CLEANED_UP, b"", Durability::Process)?;
        self.clean_up()
    }

    /// The same for a server, which need not read thousands of records again to know which of them are old. What it
    /// removes is looked at once more before.
    pub fn clean_up_known(&self, view: &View) -> Result<CleanUp, Error> {
        let sessions: Vec<Session> = view.sessions().collect();
        let claims: Vec<Claim> = view.claims().collect();
        self.clear_away(&self.directory()?, &sessions, &claims)
    }

    fn clear_away(&self, directory: &Directory, sessions: &[Session], claims: &[Claim]) -> Result<CleanUp, Error> {
        let mut done = CleanUp {
            leftovers: remove_leftovers(directory, LEFTOVERS)?,
            heartbeats: self.remove_older(directory, &Folder::Heartbeats, HEARTBEATS)?,
            ..CleanUp::default()
        };
        let by_id: HashMap<&SessionId, &Session> = sessions.iter().map(|session| (&session.id, session)).collect();
        for claim in claims {
            if claim.record.displaced.is_some() && self.now() - claim.modified > TELLING {
                self.tell_displaced(claim)?;
                done.told += 1;
            }
        }
        let is_removable =
            |claim: &&Claim| self.is_removable(claim, claim.holder().and_then(|holder| by_id.get(holder).copied()));
        let removable: Vec<&Claim> = claims.iter().filter(is_removable).collect();
        done.claims = in_batches(&removable, |batch| self.remove_stale_claims(batch))?;
        let holders: HashSet<&SessionId> =
            claims.iter().filter(|claim| claim.is_active()).filter_map(Claim::holder).collect();
        let is_removable = |session: &&Session| !holders.contains(&session.id) && self.is_history(session);
        let removable: Vec<&SessionId> = sessions.iter().filter(is_removable).map(|session| &session.id).collect();
        done.sessions = in_batches(&removable, |batch| self.remove_sessions(batch))?;
        done.messages = self.remove_messages(directory)?;
        self.remove_marks(directory, done.messages > 0)?;
        self.remove_left_tickets()?;
        remove_earlier_hook_state(directory)?;
        Ok(done)
    }

    /// Ends the claims that closed editors left, under which nothing is unsaved any more. Returns how many.
    pub fn clear_closed(&self, view: &View) -> Result<usize, Error> {
        let sessions: Vec<Session> = view.sessions().filter(|session| session.state == SessionState::Gone).collect();
        let closed = closed_editors(&sessions);
        if closed.is_empty() {
            return Ok(0);
        }
        let claims: Vec<Claim> = view.claims().filter(|claim| is_left_by(claim, &closed)).collect();
        if claims.is_empty() {
            return Ok(0);
        }
        self.remove_stale_claims(&claims.iter().collect::<Vec<_>>())
    }

    /// Since when a session is over, as far as it or its newest sign tells.
    fn over_since(&self, session: &Session) -> DateTime<Utc> {
        time::believed(session.record.ended_at.as_deref(), session.last_sign, self.now())
    }

    /// True for a claim of our own that has counted no more for long enough.
    fn is_removable(&self, claim: &Claim, holder: Option<&Session>) -> bool {
        let stale_since = match claim.standing {
            ClaimState::Expired => claim.expires_at,
            ClaimState::Abandoned => {
                holder.map_or(claim.expires_at, |holder| self.over_since(holder)).min(claim.expires_at)
            }
            ClaimState::Active
            | ClaimState::Idle
            | ClaimState::Uncommitted
            | ClaimState::Pending
            | ClaimState::Damaged => return false,
        };
        claim.record.id.is_some() && self.now() - stale_since > STALE_CLAIMS
    }

    fn remove_stale_claims(&self, seen: &[&Claim]) -> Result<usize, Error> {
        let (removed, _) = self.commit(|tx| {
            let observer = Observer::new(tx);
            let mut holders: HashMap<&SessionId, Option<Session>> = HashMap::new();
            let mut removable = Vec::new();
            for seen in seen {
                // Somebody may have renewed it or taken it over meanwhile.
                let stored = StoredClaim::read(tx, &seen.key)?.filter(|now| now.record.as_ref() == Some(&seen.record));
                let (Some(stored), Some(holder)) = (stored, seen.holder()) else { continue };
                if !holders.contains_key(holder) {
                    let session = read_session(tx, holder)?.map(|stored| self.judged_by(&observer, stored));
                    holders.insert(holder, session);
                }
                let holder = holders.get(holder).and_then(Option::as_ref);
                if stored.judge(holder, self.now()).standing == seen.standing {
                    removable.push(seen.key.clone());
                }
            }
            let removed = removable.len();
            for key in removable {
                tx.write(Write::Delete(Key::Claim(key)));
            }
            Ok(removed)
        })?;
        Ok(removed)
    }

    /// True for a session that has been over for long enough. One that gives neither a process nor a keepalive is over
    /// when it has given no sign for a day.
    fn is_history(&self, session: &Session) -> bool {
        let is_over = session.state.is_over() || session.is_forgotten();
        // A record that is damaged tells nothing, not even that.
        !session.is_damaged() && is_over && self.now() - self.over_since(session) > HISTORY
    }

    fn remove_sessions(&self, ids: &[&SessionId]) -> Result<usize, Error> {
        let (removed, _) = self.commit(|tx| {
            let observer = Observer::new(tx);
            let mut removable = Vec::new();
            for id in ids {
                let session = read_session(tx, id)?.map(|stored| self.judged_by(&observer, stored));
                removable.extend(session.filter(|session| self.is_history(session)).map(|session| session.id));
            }
            let removed = removable.len();
            for id in removable {
                tx.write(Write::Delete(Key::Session(id)));
            }
            Ok(removed)
        })?;
        Ok(removed)
    }

    /// Removes broadcasts, direct messages that were read, and those to sessions that are no more, with their folders.
    fn remove_messages(&self, directory: &Directory) -> Result<usize, Error> {
        let mut removed = self.remove_older(directory, &Folder::Broadcasts, HISTORY)?;
        let Some(recipients) = readable(directory.contents(&Folder::Recipients))? else { return Ok(removed) };
        for recipient in recipients.names()?.iter().filter_map(|name| SessionId::foreign(name).ok()) {
            let folder = Folder::Direct(recipient.clone());
            if let Some(session) = self.session_in(directory, &recipient)? {
                removed += self.remove_read(directory, &folder, &session)?;
            } else {
                removed += self.remove_older(directory, &folder, HISTORY)?;
                directory.remove_empty_folder(&folder);
            }
        }
        Ok(removed)
    }

    fn remove_read(&self, directory: &Directory, folder: &Folder, session: &Session) -> Result<usize, Error> {
        let Some(contents) = readable(directory.contents(folder))? else { return Ok(0) };
        let old = self.older(&contents, HISTORY)?;
        if old.is_empty() {
            return Ok(0);
        }
        let mailbox = Mailbox::of(directory, session, self.now())?;
        let mut removed = 0;
        for name in old {
            let key = Key::Entry(Series::Direct(session.id.clone()), name.clone());
            if mailbox.needs_no_reading(directory, &key, self.now())? {
                removed += usize::from(directory.remove_file(folder, &name)?);
            }
        }
        Ok(removed)
    }

    /// Removes the read marks of sessions that are no more, and, where messages were removed, the marks of these.
    fn remove_marks(&self, directory: &Directory, were_messages_removed: bool) -> Result<(), Error> {
        let Some(contents) = readable(directory.contents(&Folder::ReadMarks))? else { return Ok(()) };
        let mut kept: HashSet<SessionId> = HashSet::new();
        for name in contents.names()? {
            let Some(session) = session_of_part(&name) else { continue };
            if directory.stamp(&Key::Session(session.clone()))?.is_some() {
                kept.insert(session);
            } else {
                directory.remove_file(&Folder::ReadMarks, &name)?;
            }
        }
        if !were_messages_removed {
            return Ok(());
        }
        let limit = self.now() - HISTORY;
        let broadcasts = mark_names(directory, Series::Broadcasts)?;
        for session in kept {
            let direct = mark_names(directory, Series::Direct(session.clone()))?;
            let is_kept = |mark: &Mark| match mark {
                Mark::Read { file, .. } | Mark::Inherited { file } => {
                    // What arrived since the folders were listed may have been read already.
                    let name = file.split_once('/').map_or(file.as_str(), |(_, name)| name);
                    let is_new = time::split_stamp(name).is_none_or(|(named, _)| named >= limit);
                    is_new || broadcasts.contains(file) || direct.contains(file)
                }
                Mark::PassedOn => true,
            };
            self.commit(|tx| keep_marks(tx, &session, is_kept))?;
        }
        Ok(())
    }

    fn remove_older(&self, directory: &Directory, folder: &Folder, age: TimeDelta) -> Result<usize, Error> {
        let Some(contents) = readable(directory.contents(folder))? else { return Ok(0) };
        let mut removed = 0;
        for name in self.older(&contents, age)? {
            removed += usize::from(contents.remove(&name)?);
        }
        Ok(removed)
    }

    fn older(&self, contents: &Contents, age: TimeDelta) -> Result<Vec<String>, Error> {
        let limit = self.now() - age;
        let mut older = Vec::new();
        for name in contents.names()? {
            if self.is_older(contents, &name, limit)? {
                older.push(name);
            }
        }
        Ok(older)
    }

    /// True if a record that is named after its time is older than that. A name that says otherwise is believed, so
    /// that nothing new is opened; one that says so is not, because other programs name theirs in local time.
    /// Links, folders and devices have no age, and stay.
    fn is_older(&self, contents: &Contents, name: &str, limit: DateTime<Utc>) -> Result<bool, Error> {
        let is_named_newer = time::split_stamp(name).is_some_and(|(named, _)| named >= limit);
        if is_named_newer || !mailbox::is_message_name(name) {
            return Ok(false);
        }
        let Some(stamp) = contents.stamp(name)? else { return Ok(false) };
        if stamp.modified < limit && time::split_stamp(name).is_some() {
            // Both say it. What stands inside was written no later.
            return Ok(true);
        }
        let fields = readable(contents.read(name))?.and_then(|stored| parse(&stored.bytes).ok());
        let told = fields.as_ref().and_then(|fields| fields.get("timestamp")?.as_str());
        Ok(time::believed(told, stamp.modified, self.now()) < limit)
    }
}

/// Removes some after others, so that whoever else wants the lock comes to it in between. Returns how many were removed.
fn in_batches<T>(all: &[T], remove: impl Fn(&[T]) -> Result<usize, Error>) -> Result<usize, Error> {
    let mut removed = 0;
    for (number, batch) in all.chunks(BATCH).enumerate() {
        if number > 0 {
            std::thread::sleep(TURN);
        }
        removed += remove(batch)?;
    }
    Ok(removed)
}

/// Files that processes left unfinished when they died, longer than `age` ago. The clock of the file system that holds
/// them tells: by another that runs ahead, files that are just being written would look old.
pub(super) fn leftovers(directory: &Directory, age: TimeDelta) -> Result<Vec<(Folder, String)>, Error> {
    // Earlier versions began a file in the folder in which it got its name.
    let mut folders = vec![
        Folder::Unfinished,
        Folder::Root,
        Folder::Scripts,
        Folder::Damaged,
        Folder::Queue,
        Folder::ReadMarks,
        Folder::EarlierHookState,
    ];
    folders.extend(Folder::ORIGINALS);
    if let Some(recipients) = readable(directory.contents(&Folder::Recipients))? {
        let recipients = recipients.names()?;
        folders.extend(recipients.iter().filter_map(|name| SessionId::foreign(name).ok()).map(Folder::Direct));
    }
    let mut unfinished = Vec::new();
    for folder in folders {
        let Some(contents) = readable(directory.contents(&folder))? else { continue };
        for name in contents.all_names()?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            if let Some(stamp) = contents.stamp(&name)? {
                unfinished.push((stamp.modified, folder.clone(), name));
            }
        }
    }
    if unfinished.is_empty() {
        return Ok(Vec::new());
    }
    let Some(now) = directory.file_system_time() else { return Ok(Vec::new()) };
    unfinished.retain(|(modified, ..)| now - *modified > age);
    Ok(unfinished.into_iter().map(|(_, folder, name)| (folder, name)).collect())
}

fn remove_leftovers(directory: &Directory, age: TimeDelta) -> Result<usize, Error> {
    let mut removed = 0;
    for (folder, name) in leftovers(directory, age)? {
        removed += usize::from(directory.remove_file(&folder, &name)?);
    }
    Ok(removed)
}

/// Removes what sessions that are no more remembered.
fn remove_earlier_hook_state(directory: &Directory) -> Result<(), Error> {
    let Some(contents) = readable(directory.contents(&Folder::EarlierHookState))? else { return Ok(()) };
    for name in contents.names()? {
        let Ok(session) = SessionId::foreign(&name) else { continue };
        if directory.stamp(&Key::Session(session.clone()))?.is_none() {
            directory.remove_file(&Folder::EarlierHookState, &name)?;
        }
    }
    Ok(())
}

fn mark_names(directory: &Directory, series: Series) -> Result<HashSet<String>, Error> {
    let keys = readable(directory.scan(&[Range::Series(series)]).map(Some))?.unwrap_or_default();
    Ok(keys.iter().map(mailbox::mark_name).collect())
}
