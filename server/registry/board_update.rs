//! How a verb brings the status board up to date with what it changed itself, reading no other record for that. Everything
//! is read again if that is long ago, or if something else changed since: a script wrote records, or a process died between
//! its change and the board. What a script overwrites without a new name is seen when everything is read the next time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::board_backlog;
use super::board_rows::{BoardRows, KEPT, keys_in_question, named, requested};
use super::board_state::{self, BoardState, LastReading, Times, WATCHED, nanoseconds, times_of};
use super::changes::{ChangedRecord, FolderChanges};
use super::claims::{Claim, StoredClaim};
use super::heartbeats::{LastActivity, newest_heartbeats, read_activity};
use super::judging::Observer;
use super::mailbox::read_message;
use super::overlap::ReadClaim;
use super::overview::{damage, damaged_claims, damaged_session};
use super::session::{Session, StoredSession};
use super::store::files::directory::Directory;
use super::store::files::folder::Folder;
use super::store::files::names::{key_of, series_of, session_of};
use super::store::{Key, Range, Reader, Stamp, Stored};
use super::{Error, Registry};
use deconflict_protocol::{ClaimKey, SessionId, SessionRecord, time};

/// After so long everything is read again.
const LONGEST_AGE: TimeDelta = TimeDelta::minutes(5);

/// Where others change things all the time, reading everything takes at most one part of so many of the time.
const SHARE: u32 = 20;

/// Where reading everything takes no longer than this, it is read where a list has become too short.
const SHORT: Duration = Duration::from_millis(10);

/// What has to be done to know what is on the board.
enum Next {
    ReadEverything,
    Apply(Times),
    /// Something else changed, but everything was read a moment ago.
    ApplyMeanwhile,
}

impl Registry {
    /// What is on the board now, for `then`. To be called by one process at a time.
    pub(super) fn with_board_state<T>(
        &self,
        directory: &Directory,
        then: impl FnOnce(&BoardState) -> T,
    ) -> Result<T, Error> {
        let changes = self.store.changes.take();
        let times = times_of(directory)?;
        let backlog = board_backlog::read(directory);
        let has_backlog = !backlog.is_empty();
        let bytes = board_state::read(directory).unwrap_or_default();
        let state = match self.updated(directory, &bytes, times, changes, backlog)? {
            Some(state) => state,
            None => self.read_board_state(directory, times)?,
        };
        if has_backlog {
            board_backlog::clear(directory)?;
        }
        Ok(then(&state))
    }

    /// What was kept, with these changes; `None` if everything has to be read.
    fn updated<'a>(
        &self,
        directory: &Directory,
        bytes: &'a [u8],
        times: Times,
        changes: HashMap<Folder, FolderChanges>,
        backlog: Vec<board_backlog::Part>,
    ) -> Result<Option<BoardState<'a>>, Error> {
        let Some(before) = BoardState::read_from(bytes) else { return Ok(None) };
        let changes = match &before.times {
            Some(then) => board_backlog::with_backlog(changes, backlog, (then, &times)),
            None => changes,
        };
        let next_times = match self.next(&before, &times, &changes) {
            Next::ReadEverything => return Ok(None),
            Next::Apply(times) => Some(times),
            Next::ApplyMeanwhile => None,
        };
        let changes: HashMap<Folder, Vec<ChangedRecord>> = changes
            .into_iter()
            .filter(|(folder, changes)| !is_included(&before, &times, folder, changes))
            .filter_map(|(folder, changes)| Some((folder, first_of_each(changes.records?))))
            .collect();
        let is_new = !changes.is_empty() || before.times != next_times;
        let reading = before.reading;
        if let Some(mut state) = self.splice(directory, before, &changes)? {
            state.times = next_times;
            if is_new {
                state.save(directory)?;
            }
            return Ok(Some(state));
        }
        // It was spliced in part.
        let Some(rows) = BoardState::read_from(bytes).and_then(|it| it.rows(directory.naming(), self.now())) else {
            return Ok(None);
        };
        let holders = HashMap::new();
        let mut update = Update { registry: self, directory, rows, now: self.now(), took: reading.took, holders };
        if !update.apply(changes)? {
            return Ok(None);
        }
        let state = BoardState::of(update.rows, reading, next_times, self.now());
        state.save(directory)?;
        Ok(Some(state))
    }

    fn next(&self, state: &BoardState, times: &Times, changes: &HashMap<Folder, FolderChanges>) -> Next {
        let age = self.now() - state.reading.at;
        let are_too_many = changes.values().any(|changes| changes.records.is_none());
        if are_too_many || age >= LONGEST_AGE || age < TimeDelta::zero() {
            return Next::ReadEverything;
        }
        let is_explained = |(position, folder): (usize, &Folder)| {
            let Some(before) = state.times else { return false };
            let ours = changes.get(folder);
            before[position] == times[position]
                || ours.is_some_and(|ours| {
                    Some(nanoseconds(ours.before)) == before[position]
                        && Some(nanoseconds(ours.after)) == times[position]
                })
        };
        if WATCHED.iter().enumerate().all(is_explained) {
            Next::Apply(*times)
        } else if age.to_std().unwrap_or_default() < state.reading.took * SHARE {
            Next::ApplyMeanwhile
        } else {
            Next::ReadEverything
        }
    }

    fn read_board_state(&self, directory: &Directory, times: Times) -> Result<BoardState<'static>, Error> {
        let start = self.clock().elapsed();
        let now = self.now();
        let rows = self.all_board_rows(directory)?;
        let took = self.clock().elapsed().saturating_sub(start);
        let state = BoardState::of(rows, LastReading { at: now, took }, Some(times), now);
        state.save(directory)?;
        Ok(state)
    }

    pub(super) fn all_board_rows(&self, directory: &Directory) -> Result<BoardRows, Error> {
        let mut rows = BoardRows { records: self.records(directory)?, ..BoardRows::default() };
        rows.shorten(self.now());
        Ok(rows)
    }
}

/// True if somebody who read everything has seen these changes already.
fn is_included(state: &BoardState, times: &Times, folder: &Folder, changes: &FolderChanges) -> bool {
    WATCHED.iter().position(|watched| watched == folder).is_some_and(|position| {
        state.times.is_some_and(|before| {
            before[position] == times[position] && before[position] != Some(nanoseconds(changes.before))
        })
    })
}

struct Update<'a> {
    registry: &'a Registry,
    directory: &'a Directory,
    rows: BoardRows,
    now: DateTime<Utc>,
    /// How long it took to read everything.
    took: Duration,
    /// Who holds claims that were looked at. Many claims of one holder are common.
    holders: HashMap<SessionId, Option<Session>>,
}

impl Update<'_> {
    /// Returns false if the rows don't tell enough.
    fn apply(&mut self, mut changes: HashMap<Folder, Vec<ChangedRecord>>) -> Result<bool, Error> {
        let mut of = |folder: &Folder| changes.remove(folder).unwrap_or_default();
        let (sessions, claims, heartbeats) = (of(&Folder::Sessions), of(&Folder::Claims), of(&Folder::Heartbeats));
        self.judge_again();
        for changed in &sessions {
            if !self.apply_to_session(changed, &heartbeats)? {
                return Ok(false);
            }
        }
        for changed in &claims {
            self.apply_to_claim(changed)?;
        }
        self.apply_to_activities(&heartbeats)?;
        for (folder, changed) in changes {
            for changed in changed {
                self.apply_to_message(&folder, &changed.name)?;
            }
        }
        self.add_what_is_needed()?;
        let is_enough = self.rows.shorten(self.now);
        if !is_enough.claims && self.took > SHORT {
            self.add_claims_written_last()?;
            return Ok(self.rows.shorten(self.now).everything());
        }
        Ok(is_enough.everything())
    }

    /// Time passed since, and processes may have ended.
    fn judge_again(&mut self) {
        let records = &mut self.rows.records;
        let heartbeat = |last: &LastActivity| Some((time::split_stamp(&last.name)?.0, last.name.clone()));
        let heartbeats = records.last_activities.iter().filter_map(|(id, last)| Some((id.clone(), heartbeat(last)?)));
        let observer = Observer::knowing(self.directory, heartbeats.collect());
        for session in &mut records.sessions {
            self.registry.judge_again(&observer, session);
        }
        let sessions: HashMap<&SessionId, &Session> =
            records.sessions.iter().map(|session| (&session.id, session)).collect();
        for claim in &mut records.claims {
            let holder = claim.holder().and_then(|holder| sessions.get(holder).copied());
            claim.judge_again(holder, self.now);
        }
    }

    fn apply_to_session(&mut self, changed: &ChangedRecord, heartbeats: &[ChangedRecord]) -> Result<bool, Error> {
        let Some(id) = session_of(&changed.name) else { return Ok(true) };
        let known = self.rows.records.sessions.iter().position(|session| session.id == id);
        let before = match known {
            Some(position) => Some(self.rows.records.sessions.remove(position)),
            None => changed.before.as_ref().map(|bytes| {
                let record = SessionRecord::read(bytes).ok();
                let stored =
                    StoredSession { id: id.clone(), record, modified: self.now, stamp: Stamp::unknown(self.now) };
                self.registry.judged(self.directory, stored)
            }),
        };
        if let Some(before) = before.as_ref().filter(|_| known.is_none()) {
            self.is_no_longer_left_out(before);
        }
        let after = self.registry.session_in(self.directory, &id)?;
        let file = format!("sessions/{}", changed.name);
        self.rows.records.damaged.retain(|damaged| damaged.file != file);
        self.rows.records.damaged.extend(damaged_session(self.directory, &id)?);
        let is_over = |session: &Option<Session>| session.as_ref().is_some_and(|session| session.state.is_over());
        if is_over(&before) != is_over(&after) && self.rows.left_out.active.count + self.rows.left_out.stale.count > 0 {
            // What it holds may be among the claims that are only counted.
            return Ok(false);
        }
        if is_over(&before) != is_over(&after) || before.is_none() != after.is_none() {
            for claim in self.rows.records.claims.iter_mut().filter(|claim| claim.held_by(&id)) {
                claim.judge_again(after.as_ref(), self.now);
            }
        }
        if after.as_ref().is_none_or(|session| !session.is_live()) {
            self.rows.records.last_activities.remove(&id);
        } else if is_over(&before) || (known.is_none() && before.is_some()) {
            self.find_activity(&id, heartbeats)?;
        }
        self.rows.records.sessions.extend(after);
        Ok(true)
    }

    fn apply_to_claim(&mut self, changed: &ChangedRecord) -> Result<(), Error> {
        let naming = self.directory.naming();
        let Some(Key::Claim(key)) = key_of(&Range::all_claims(), &changed.name, naming) else { return Ok(()) };
        let known = self.rows.records.claims.iter().position(|claim| claim.key == key);
        match (known, &changed.before) {
            (Some(position), _) => drop(self.rows.records.claims.remove(position)),
            (None, Some(bytes)) => {
                let stored = Stored { bytes: bytes.clone(), stamp: Stamp::unknown(self.now) };
                let stored = ReadClaim::understood(&key, stored).stored;
                let before = self.judged(stored)?;
                self.claim_is_no_longer_left_out(&before);
            }
            (None, None) => {}
        }
        let path = format!("claims/{}", changed.name);
        self.rows.records.damaged.retain(|damaged| damaged.file != path);
        if let Some(stored) = StoredClaim::read(self.directory, &key)? {
            let claim = self.judged(stored)?;
            self.rows.records.damaged.extend(damaged_claims(self.directory, [&claim])?);
            self.rows.records.claims.push(claim);
        }
        Ok(())
    }

    fn apply_to_activities(&mut self, changed: &[ChangedRecord]) -> Result<(), Error> {
        for ChangedRecord { name, .. } in changed {
            let Some((at, id)) = time::split_stamp(name) else { continue };
            let Ok(id) = SessionId::foreign(id) else { continue };
            let is_wanted = self.rows.records.sessions.iter().any(|session| session.id == id && session.is_live());
            if !is_wanted {
                continue;
            }
            let known = self.rows.records.last_activities.get(&id);
            let known_at = known.and_then(|last| Some(time::split_stamp(&last.name)?.0));
            if known.is_some_and(|last| last.name == *name) {
                self.find_activity(&id, changed)?;
            } else if known_at.is_none_or(|known_at| known_at < at) {
                self.set_activity(&id, name)?;
            }
        }
        Ok(())
    }

    /// Finds what a session did last: what was just written of it, unless that is gone by now, or the newest there is.
    fn find_activity(&mut self, id: &SessionId, changed: &[ChangedRecord]) -> Result<(), Error> {
        let is_of_it = |name: &&str| time::split_stamp(name).is_some_and(|(_, of)| of == id.as_str());
        if let Some(written) = changed.iter().map(|changed| changed.name.as_str()).filter(is_of_it).max()
            && self.set_activity(id, written)?
        {
            return Ok(());
        }
        if let Some((_, name)) = newest_heartbeats(self.directory)?.remove(id) {
            self.set_activity(id, &name)?;
        }
        Ok(())
    }

    /// Returns false if nothing can be read of it.
    fn set_activity(&mut self, id: &SessionId, name: &str) -> Result<bool, Error> {
        self.rows.records.last_activities.remove(id);
        let activity = read_activity(self.directory, name, self.now)?;
        let is_there = activity.is_some();
        self.rows.records.last_activities.extend(activity.map(|activity| (id.clone(), activity)));
        Ok(is_there)
    }

    fn apply_to_message(&mut self, folder: &Folder, name: &str) -> Result<(), Error> {
        let Some(series) = series_of(folder) else { return Ok(()) };
        let key = Key::Entry(series, name.to_owned());
        self.rows.records.messages.retain(|message| message.key != key);
        match read_message(self.directory, &key, self.now) {
            Ok(message) => self.rows.records.messages.extend(message),
            Err(error) => self.rows.records.damaged.extend(damage(self.directory, Err(error))?),
        }
        Ok(())
    }

    /// Reads what the findings need and what is only counted so far.
    fn add_what_is_needed(&mut self) -> Result<(), Error> {
        let (records, naming) = (&self.rows.records, self.directory.naming());
        let edited = records.sessions.iter().flat_map(|session| keys_in_question(&session.record.editing, naming));
        let mut keys: HashSet<ClaimKey> = edited.collect();
        keys.extend(records.messages.iter().filter_map(|message| requested(message, naming)));
        if self.rows.worktrees.iter().any(|root| !root.is_empty()) {
            let elsewhere = |claim: &Claim| self.rows.same_path_elsewhere(&claim.resource, naming);
            keys.extend(records.claims.iter().filter(|claim| claim.is_active()).flat_map(elsewhere));
        }
        for claim in &records.claims {
            keys.remove(&claim.key);
        }
        if self.rows.left_out.active.count + self.rows.left_out.stale.count > 0 {
            for key in keys {
                self.add_claim_left_out(&key)?;
            }
        }
        self.add_named_sessions()
    }

    /// Goes on with the list of claims where most of those on it were released at once. Where thousands are only counted,
    /// those count as the newest whose files were written last, until everything is read the next time.
    fn add_claims_written_last(&mut self) -> Result<(), Error> {
        let Some(contents) = self.directory.contents(&Folder::Claims)? else { return Ok(()) };
        let mut written: Vec<(DateTime<Utc>, String)> = Vec::new();
        for name in contents.names()? {
            written.extend(contents.stamp(&name)?.map(|stamp| (stamp.modified, name)));
        }
        written.sort_unstable_by(|one, other| other.cmp(one));
        let known: HashSet<ClaimKey> = self.rows.records.claims.iter().map(|claim| claim.key.clone()).collect();
        let naming = self.directory.naming();
        let keys = written.iter().filter_map(|(_, name)| key_of(&Range::all_claims(), name, naming));
        let claims = keys.filter_map(|key| if let Key::Claim(key) = key { Some(key) } else { None });
        for key in claims.filter(|key| !known.contains(key)).take(KEPT) {
            self.add_claim_left_out(&key)?;
        }
        self.rows.all_claims_are_listed();
        self.add_named_sessions()
    }

    /// Reads a claim that was only counted.
    fn add_claim_left_out(&mut self, key: &ClaimKey) -> Result<(), Error> {
        if let Some(stored) = StoredClaim::read(self.directory, key)? {
            let claim = self.judged(stored)?;
            self.claim_is_no_longer_left_out(&claim);
            self.rows.records.claims.push(claim);
        }
        Ok(())
    }

    fn judged(&mut self, stored: StoredClaim) -> Result<Claim, Error> {
        self.registry.judged_with(self.directory, stored, &mut self.holders)
    }

    fn add_named_sessions(&mut self) -> Result<(), Error> {
        let records = &self.rows.records;
        let mut named = named(&records.claims, &records.messages);
        for session in &records.sessions {
            named.remove(&session.id);
        }
        let unknown: Vec<SessionId> = named.into_iter().cloned().collect();
        for id in unknown {
            if let Some(session) = self.registry.session_in(self.directory, &id)? {
                self.is_no_longer_left_out(&session);
                self.rows.records.sessions.push(session);
            }
        }
        Ok(())
    }

    fn claim_is_no_longer_left_out(&mut self, claim: &Claim) {
        let left_out = &mut self.rows.left_out;
        let rest = if claim.can_be_taken_over() { &mut left_out.stale } else { &mut left_out.active };
        rest.count = rest.count.saturating_sub(1);
    }

    fn is_no_longer_left_out(&mut self, session: &Session) {
        let holds_something =
            || self.rows.records.claims.iter().any(|claim| claim.is_active() && claim.held_by(&session.id));
        let is_alive = session.is_live() && (!session.is_forgotten() || holds_something());
        let left_out = &mut self.rows.left_out;
        if is_alive {
            left_out.live.count = left_out.live.count.saturating_sub(1);
        }
        if super::records::is_silent(session, self.now) {
            left_out.silent.count = left_out.silent.count.saturating_sub(1);
        }
    }
}

/// Each record once, with what stood in it before all of this.
fn first_of_each(changed: Vec<ChangedRecord>) -> Vec<ChangedRecord> {
    let mut seen = HashSet::new();
    changed.into_iter().filter(|changed| seen.insert(changed.name.clone())).collect()
}
