//! What the directory holds, in memory, for servers.
//!
//! The watch feeds it with changes, an editor's loop asks it at every keystroke, and the keeper of the status board
//! reads all of it once in a while from another thread: one copy, shared without waiting for each other. A look-up
//! costs the depth of a path and a change costs itself, however much the directory holds.
//!
//! Nothing here touches the disk or looks at a process. What is worth what is judged at each look-up, by the rules
//! that the registry's own verbs use, so time passing needs no change.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dashmap::DashMap;

use super::claims::BEING_WRITTEN;
use super::directory::Stamp;
use super::liveness::{MISSED_REFRESHES, SILENT_REFRESHES};
use super::machines::{OTHER_CLOCK, is_elsewhere};
use super::{Change, Claim, KeeperState, Machines, Session, StoredClaim, StoredSession};
use crate::clock::Clock;
use crate::protocol::{ClaimFileName, ClaimRecord, Resource, SessionId, lease_end};

/// The claims and sessions of one directory as one session sees them. Clones are the same view.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
}

/// What a change may have made different for whoever shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// The resources whose claims came, went, changed or may be worth something else now.
    pub claims: Vec<Resource>,
    /// The sessions that came, went or changed in more than their sign of life.
    pub sessions: Vec<SessionId>,
    /// The names of files that some session began or ceased to edit without holding them.
    pub editing: Vec<String>,
    /// True if everything may be different.
    pub everything: bool,
}

impl Affected {
    /// True if nothing that anybody shows is different.
    pub fn is_nothing(&self) -> bool {
        !self.everything && self.claims.is_empty() && self.sessions.is_empty() && self.editing.is_empty()
    }

    /// True if what is known of this resource may be different: its own claim, one that overlaps it, one of the same
    /// path in another worktree, or who edits it.
    pub fn concerns(&self, resource: &Resource) -> bool {
        let path = resource.path_in_main_worktree();
        let is_elsewhere = |claimed: &Resource| path.is_some() && claimed.path_in_main_worktree() == path;
        self.everything
            || self.claims.iter().any(|claimed| claimed.overlaps(resource) || is_elsewhere(claimed))
            || self.editing.iter().any(|name| name == resource.name())
    }

    /// Adds what another change affects.
    pub fn merge(&mut self, other: Self) {
        self.claims.extend(other.claims);
        self.sessions.extend(other.sessions);
        self.editing.extend(other.editing);
        self.everything |= other.everything;
    }
}

struct Shared {
    /// Who looks: its own claims stand in nobody's way.
    session: SessionId,
    clock: Arc<dyn Clock>,
    is_complete: AtomicBool,
    claims: DashMap<ClaimFileName, KeptClaim>,
    sessions: DashMap<SessionId, KeptSession>,
    /// Which claims each holder has: a holder that is gone changes what they are worth.
    held: DashMap<SessionId, HashSet<ClaimFileName>>,
    /// Who edits a file without holding it, by the file's name.
    editors: DashMap<Box<str>, Vec<SessionId>>,
    order: RwLock<Order>,
}

/// What is kept in order, to be found by its beginning or by its time.
#[derive(Default)]
struct Order {
    /// All claim files, so that those below a directory are found by the start of their names.
    files: BTreeSet<ClaimFileName>,
    /// How many claims there are in each linked worktree, by what the names of its resources start with.
    worktrees: BTreeMap<Box<str>, usize>,
    /// How many claims change by time alone at each of these times.
    claims_due: BTreeMap<DateTime<Utc>, usize>,
    /// How many sessions do, by [`Clock::elapsed`].
    sessions_due: BTreeMap<Duration, usize>,
    /// The sessions whose records name another machine, in whatever state.
    elsewhere: BTreeSet<SessionId>,
    /// When this process last went on after it had been suspended, by [`Clock::elapsed`].
    resumed_at: Option<Duration>,
}

impl View {
    /// An empty view of a directory, as this session sees it.
    pub fn new(session: SessionId, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                session,
                clock,
                is_complete: AtomicBool::new(false),
                claims: DashMap::new(),
                sessions: DashMap::new(),
                held: DashMap::new(),
                editors: DashMap::new(),
                order: RwLock::default(),
            }),
        }
    }

    /// Takes in what the watch saw. Only one thread may do so; any may read meanwhile.
    pub fn apply(&mut self, change: Change) -> Affected {
        let mut affected = Affected::default();
        match change {
            Change::Claim(file, stored) => self.shared.set_claim(&file, stored, &mut affected),
            Change::Session(id, stored) => self.shared.set_session(&id, stored, &mut affected),
            Change::Process { session, alive } => self.shared.set_keeper(&session, alive, &mut affected),
            Change::Silence { session, lasted } => self.shared.set_silence(&session, lasted, &mut affected),
            Change::Resumed => {
                self.shared.resume();
                affected.everything = true;
            }
            Change::DirectoryLost => {
                self.shared.is_complete.store(false, Ordering::Release);
                self.shared.clear();
                affected.everything = true;
            }
            Change::Ready => {
                self.shared.is_complete.store(true, Ordering::Release);
                affected.everything = true;
            }
            Change::Message(_)
            | Change::DamagedMessage(_)
            | Change::MessageRead(_)
            | Change::DirectoryBack
            | Change::Trouble(_) => {}
        }
        affected
    }

    /// True once all that is in the directory is known.
    pub fn is_complete(&self) -> bool {
        self.shared.is_complete.load(Ordering::Acquire)
    }

    /// The claim of exactly this resource, in whatever standing.
    pub fn claim_of(&self, resource: &Resource) -> Option<Claim> {
        self.shared.claim(&resource.claim_file_name(), &mut HashMap::new())
    }

    /// All claims of other sessions that overlap this resource, in whatever standing: its own first, then those of
    /// the directories above it, nearest first, then those below it.
    pub fn obstacles(&self, resource: &Resource) -> Vec<Claim> {
        let own = resource.claim_file_name();
        let mut files = vec![own.clone()];
        files.extend(resource.covering_directories().iter().map(Resource::claim_file_name));
        if resource.is_directory() {
            files.extend(self.shared.files_below(resource).into_iter().filter(|file| *file != own));
        }
        let mut holders = HashMap::new();
        let claims = files.iter().filter_map(|file| self.shared.claim(file, &mut holders));
        claims
            .filter(|claim| claim.resource.overlaps(resource) || claim.file == own)
            .filter(|claim| !claim.held_by(&self.shared.session))
            .collect()
    }

    /// Other sessions' claims of the same path in other worktrees of the repository, in whatever standing. They
    /// exclude nothing, but a merge may conflict.
    pub fn claims_in_other_worktrees(&self, resource: &Resource) -> Vec<Claim> {
        let mut holders = HashMap::new();
        let claims = self.shared.same_path_elsewhere(resource);
        let claims = claims.iter().filter_map(|other| self.shared.claim(&other.claim_file_name(), &mut holders));
        claims.filter(|claim| !claim.held_by(&self.shared.session)).collect()
    }

    /// True if anybody claims the same path in another worktree.
    pub(super) fn is_claimed_elsewhere(&self, resource: &Resource) -> bool {
        let elsewhere = self.shared.same_path_elsewhere(resource);
        elsewhere.iter().any(|other| self.shared.claims.contains_key(&other.claim_file_name()))
    }

    /// The other sessions that edit this file without holding it, as far as they live.
    pub fn editors_of(&self, resource: &Resource) -> Vec<Session> {
        let ids = self.shared.editors.get(resource.name()).map(|ids| ids.clone()).unwrap_or_default();
        let others = ids.iter().filter(|id| **id != self.shared.session);
        others.filter_map(|id| self.shared.session(id)).filter(Session::is_live).collect()
    }

    /// A session.
    pub fn session(&self, id: &SessionId) -> Option<Session> {
        self.shared.session(id)
    }

    /// All sessions, in the order of their ids.
    pub fn sessions(&self) -> impl Iterator<Item = Session> + use<> {
        let mut ids: Vec<SessionId> = self.shared.sessions.iter().map(|entry| entry.key().clone()).collect();
        ids.sort();
        let shared = Arc::clone(&self.shared);
        ids.into_iter().filter_map(move |id| shared.session(&id))
    }

    /// All claims, in the order of their files' names. Each is looked up when the iterator comes to it, so nobody
    /// waits meanwhile.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + use<> {
        let files: Vec<ClaimFileName> = self.shared.read_order().files.iter().cloned().collect();
        let shared = Arc::clone(&self.shared);
        let mut holders = HashMap::new();
        files.into_iter().filter_map(move |file| shared.claim(&file, &mut holders))
    }

    /// Whether a session of another machine takes part.
    pub fn machines(&self) -> Machines {
        let elsewhere = self.shared.read_order().elsewhere.clone();
        let sessions: Vec<Session> = elsewhere.iter().filter_map(|id| self.session(id)).collect();
        Machines::of(&sessions)
    }

    /// How many claims there are, in whatever standing.
    pub fn number_of_claims(&self) -> usize {
        self.shared.claims.len()
    }

    /// When something may next be worth something else by time alone: a lease ends, a session has been silent for too
    /// long. `None` if that never happens.
    pub fn next_change_at(&self) -> Option<DateTime<Utc>> {
        let (now, elapsed) = (self.shared.clock.now(), self.shared.clock.elapsed());
        let order = self.shared.read_order();
        let after = |time: DateTime<Utc>| (Bound::Excluded(time), Bound::Unbounded);
        let lease = order.claims_due.range(after(now)).next().map(|(time, _)| *time);
        // Of holders on other machines the lease is respected for a while longer.
        let elsewhere = order.claims_due.range(after(now - OTHER_CLOCK)).next().map(|(time, _)| *time + OTHER_CLOCK);
        let silence = order.sessions_due.range((Bound::Excluded(elapsed), Bound::Unbounded)).next();
        let silence = silence.and_then(|(due, _)| Some(now + TimeDelta::from_std(due.saturating_sub(elapsed)).ok()?));
        [lease, elsewhere, silence].into_iter().flatten().min()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("session", &self.shared.session)
            .field("claims", &self.shared.claims.len())
            .field("sessions", &self.shared.sessions.len())
            .finish_non_exhaustive()
    }
}

/// Sessions that were judged already while many claims are looked up in one go.
type Holders = HashMap<SessionId, Option<Session>>;

/// Looking up.
impl Shared {
    fn claim(&self, file: &ClaimFileName, holders: &mut Holders) -> Option<Claim> {
        let stored = self.claims.get(file)?.unpacked(file);
        let holder = stored.record.as_ref().and_then(|record| record.claimed_by.as_ref());
        let holder = holder.and_then(|id| {
            if !holders.contains_key(id) {
                holders.insert(id.clone(), self.session(id));
            }
            holders.get(id)?.as_ref()
        });
        Some(stored.judge(holder, self.clock.now()))
    }

    fn session(&self, id: &SessionId) -> Option<Session> {
        Some(self.judge(self.sessions.get(id)?.value()))
    }

    fn judge(&self, kept: &KeptSession) -> Session {
        let elapsed = self.clock.elapsed();
        // Whoever was suspended saw nobody's refreshes: it judges nobody until all had the time for one.
        let was_suspended =
            self.read_order().resumed_at.is_some_and(|resumed| elapsed < resumed + kept.refresh().unwrap_or_default());
        let unchanged_for = (!was_suspended).then(|| elapsed.saturating_sub(kept.seen_at) + kept.silence_before);
        kept.stored.judge(kept.keeper, unchanged_for, self.clock.now())
    }

    fn files_of(&self, session: &SessionId) -> Vec<ClaimFileName> {
        self.held.get(session).map(|files| files.iter().cloned().collect()).unwrap_or_default()
    }

    /// The claim files whose names start as those below a directory do.
    fn files_below(&self, directory: &Resource) -> Vec<ClaimFileName> {
        let order = self.read_order();
        let starting_with = |prefix: String| {
            let from = order.files.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
            from.take_while(|file| file.as_str().starts_with(&prefix)).cloned().collect::<Vec<_>>()
        };
        ClaimFileName::prefixes_below(directory).into_iter().flat_map(starting_with).collect()
    }

    /// The resources that are the same path in the other worktrees of which claims are known.
    fn same_path_elsewhere(&self, resource: &Resource) -> Vec<Resource> {
        let order = self.read_order();
        // A linked worktree asks about the main one, of which no claim need be known.
        if order.worktrees.is_empty() && !resource.name().starts_with("//") {
            return Vec::new();
        }
        let (Some(path), Some(own)) = (resource.path_in_main_worktree(), worktree_of(resource)) else {
            return Vec::new();
        };
        let in_linked = order.worktrees.keys().filter(|worktree| worktree.as_ref() != own).filter_map(|worktree| {
            let main = main_worktree_of(worktree);
            let relative = if main.is_empty() { path.as_str() } else { path.strip_prefix(main)?.strip_prefix('/')? };
            resource.renamed(&format!("{worktree}/{relative}")).ok()
        });
        let in_main = (!own.is_empty()).then(|| resource.renamed(&path).ok());
        in_main.flatten().into_iter().chain(in_linked).collect()
    }

    fn read_order(&self) -> RwLockReadGuard<'_, Order> {
        self.order.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_order(&self) -> RwLockWriteGuard<'_, Order> {
        self.order.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Taking changes in.
impl Shared {
    fn set_claim(&self, file: &ClaimFileName, stored: Option<StoredClaim>, affected: &mut Affected) {
        let kept = stored.map(|stored| KeptClaim::packed(&stored, self.clock.now()));
        let before = self.claims.get(file).map(|before| before.clone());
        if kept == before {
            return;
        }
        let resource = kept.as_ref().or(before.as_ref()).map(|kept| kept.unpacked(file).resource);
        if let Some(before) = &before {
            self.forget_claim(file, before);
        }
        if let Some(kept) = kept {
            self.remember_claim(file, &kept);
            self.claims.insert(file.clone(), kept);
        } else {
            self.claims.remove(file);
        }
        affected.claims.extend(resource);
    }

    fn remember_claim(&self, file: &ClaimFileName, kept: &KeptClaim) {
        let stored = kept.unpacked(file);
        if let Some(holder) = stored.record.and_then(|record| record.claimed_by) {
            self.held.entry(holder).or_default().insert(file.clone());
        }
        let mut order = self.write_order();
        order.files.insert(file.clone());
        for due in kept.due() {
            count_up(&mut order.claims_due, due);
        }
        if let Some(worktree) = worktree_of(&stored.resource).filter(|worktree| !worktree.is_empty()) {
            count_up(&mut order.worktrees, worktree.into());
        }
    }

    fn forget_claim(&self, file: &ClaimFileName, kept: &KeptClaim) {
        let stored = kept.unpacked(file);
        if let Some(holder) = stored.record.and_then(|record| record.claimed_by) {
            self.held.alter(&holder, |_, mut files| {
                files.remove(file);
                files
            });
            self.held.remove_if(&holder, |_, files| files.is_empty());
        }
        let mut order = self.write_order();
        order.files.remove(file);
        for due in kept.due() {
            count_down(&mut order.claims_due, &due);
        }
        if let Some(worktree) = worktree_of(&stored.resource).filter(|worktree| !worktree.is_empty()) {
            count_down(&mut order.worktrees, worktree);
        }
    }

    fn set_session(&self, id: &SessionId, stored: Option<StoredSession>, affected: &mut Affected) {
        self.change_session(id, affected, |before| {
            let stored = stored?;
            let seen_at = self.clock.elapsed();
            match before {
                Some(before) if before.stored == stored => Some(before),
                // A new process has yet to be looked at.
                Some(before) if before.is_kept_by_same_process(&stored) => {
                    Some(KeptSession { stored, seen_at, silence_before: Duration::ZERO, keeper: before.keeper })
                }
                Some(_) | None => {
                    Some(KeptSession { stored, seen_at, silence_before: Duration::ZERO, keeper: KeeperState::Unknown })
                }
            }
        });
    }

    fn set_keeper(&self, id: &SessionId, alive: bool, affected: &mut Affected) {
        let keeper = if alive { KeeperState::Alive } else { KeeperState::Gone };
        self.change_session(id, affected, |before| Some(KeptSession { keeper, ..before? }));
    }

    fn set_silence(&self, id: &SessionId, lasted: Duration, affected: &mut Affected) {
        self.change_session(id, affected, |before| Some(KeptSession { silence_before: lasted, ..before? }));
    }

    fn change_session(
        &self,
        id: &SessionId,
        affected: &mut Affected,
        change: impl FnOnce(Option<KeptSession>) -> Option<KeptSession>,
    ) {
        let before = self.sessions.get(id).map(|before| before.clone());
        let after = change(before.clone());
        if after == before {
            return;
        }
        if let Some(before) = &before {
            let mut order = self.write_order();
            before.due().iter().for_each(|due| count_down(&mut order.sessions_due, due));
        }
        if let Some(after) = &after {
            let mut order = self.write_order();
            after.due().into_iter().for_each(|due| count_up(&mut order.sessions_due, due));
        }
        if after.as_ref().and_then(|after| after.stored.record.as_ref()).is_some_and(is_elsewhere) {
            self.write_order().elsewhere.insert(id.clone());
        } else {
            self.write_order().elsewhere.remove(id);
        }
        self.set_editing(id, before.as_ref(), after.as_ref(), affected);

        let shown = |kept: &KeptSession| Shown::of(&self.judge(kept));
        let is_shown_otherwise = before.as_ref().map(shown) != after.as_ref().map(shown);
        let looks_otherwise = match (&before, &after) {
            (Some(before), Some(after)) => !before.differs_only_in_sign_of_life(after),
            _ => true,
        };
        match after {
            Some(after) => drop(self.sessions.insert(id.clone(), after)),
            None => drop(self.sessions.remove(id)),
        }
        if is_shown_otherwise || looks_otherwise {
            affected.sessions.push(id.clone());
        }
        if is_shown_otherwise {
            let files = self.files_of(id);
            let resource = |file| Some(self.claims.get(file)?.unpacked(file).resource);
            affected.claims.extend(files.iter().filter_map(resource));
        }
    }

    fn set_editing(
        &self,
        id: &SessionId,
        before: Option<&KeptSession>,
        after: Option<&KeptSession>,
        affected: &mut Affected,
    ) {
        let (before, after) = (editing(before), editing(after));
        if before == after {
            return;
        }
        for name in before.difference(&after) {
            self.editors.alter(name.as_str(), |_, mut ids| {
                ids.retain(|other| other != id);
                ids
            });
            self.editors.remove_if(name.as_str(), |_, ids| ids.is_empty());
            affected.editing.push(name.clone());
        }
        for name in after.difference(&before) {
            self.editors.entry(name.as_str().into()).or_default().push(id.clone());
            affected.editing.push(name.clone());
        }
    }

    fn resume(&self) {
        let resumed_at = self.clock.elapsed();
        let refreshes: BTreeSet<Duration> = self.sessions.iter().filter_map(|kept| kept.refresh()).collect();
        let mut order = self.write_order();
        order.resumed_at = Some(resumed_at);
        // Then they are judged again. Nothing takes these entries away: a time that has passed is passed over.
        for refresh in refreshes {
            count_up(&mut order.sessions_due, resumed_at + refresh);
        }
    }

    fn clear(&self) {
        self.claims.clear();
        self.sessions.clear();
        self.held.clear();
        self.editors.clear();
        let resumed_at = self.read_order().resumed_at;
        *self.write_order() = Order { resumed_at, ..Order::default() };
    }
}

/// A claim, kept small: there may be thousands. The text is the record without what the file's name says too; it is
/// understood anew at each look-up, which takes a few microseconds.
#[derive(Debug, Clone, PartialEq)]
struct KeptClaim {
    /// `None` if what stands in the file cannot be understood.
    record: Option<Box<str>>,
    modified: DateTime<Utc>,
    lease_end: DateTime<Utc>,
}

impl KeptClaim {
    fn packed(stored: &StoredClaim, now: DateTime<Utc>) -> Self {
        let named = stored.file.resource(None);
        let record = stored.record.as_ref().map(|record| {
            let mut record = record.clone();
            if record.resource_type.as_deref() == Some(named.resource_type().as_str()) {
                record.resource_type = None;
            }
            if record.resource_name.as_deref() == Some(named.name()) {
                record.resource_name = None;
            }
            serde_json::to_string(&record).unwrap_or_default().into_boxed_str()
        });
        let lease_end = lease_end(stored.record.as_ref(), stored.modified, now);
        Self { record, modified: stored.modified, lease_end }
    }

    fn unpacked(&self, file: &ClaimFileName) -> StoredClaim {
        let named = file.resource(None);
        let record = self.record.as_deref().and_then(|text| serde_json::from_str::<ClaimRecord>(text).ok());
        let record = record.map(|mut record| {
            record.resource_type.get_or_insert_with(|| named.resource_type().to_string());
            record.resource_name.get_or_insert_with(|| named.name().to_owned());
            record
        });
        let said = record
            .as_ref()
            .and_then(|record| Some((record.resource_type.as_deref()?, record.resource_name.as_deref()?)));
        StoredClaim {
            file: file.clone(),
            resource: file.resource(said),
            record,
            modified: self.modified,
            stamp: Stamp::unknown(self.modified),
        }
    }

    /// When its standing changes by time alone.
    fn due(&self) -> Vec<DateTime<Utc>> {
        let no_longer_pending = self.record.is_none().then(|| self.modified + BEING_WRITTEN);
        no_longer_pending.into_iter().chain([self.lease_end]).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
struct KeptSession {
    stored: StoredSession,
    keeper: KeeperState,
    /// When its record was last seen to change, by [`Clock::elapsed`].
    seen_at: Duration,
    /// For how long it had not changed then.
    silence_before: Duration,
}

impl KeptSession {
    /// How often it promises to refresh its record.
    fn refresh(&self) -> Option<Duration> {
        let keepalive = self.stored.record.as_ref()?.keepalive?;
        Some(Duration::from_secs(u64::from(keepalive.max(1))))
    }

    /// When it is called silent and when gone if nothing changes, by [`Clock::elapsed`].
    fn due(&self) -> Vec<Duration> {
        let Some(refresh) = self.refresh().filter(|_| self.keeper == KeeperState::Unknown) else { return Vec::new() };
        [SILENT_REFRESHES, MISSED_REFRESHES]
            .iter()
            .filter_map(|count| (self.seen_at + refresh * *count).checked_sub(self.silence_before))
            // One moment later, because that many refreshes may be missed.
            .map(|due| due + Duration::from_millis(1))
            .collect()
    }

    fn is_kept_by_same_process(&self, other: &StoredSession) -> bool {
        match (&self.stored.record, &other.record) {
            (Some(one), Some(other)) => {
                (one.pid, &one.process_started, &one.pid_scope) == (other.pid, &other.process_started, &other.pid_scope)
            }
            _ => false,
        }
    }

    fn differs_only_in_sign_of_life(&self, other: &Self) -> bool {
        match (&self.stored.record, &other.stored.record) {
            (Some(one), Some(other)) => {
                let mut refreshed = one.clone();
                refreshed.last_heartbeat.clone_from(&other.last_heartbeat);
                refreshed == *other
            }
            (None, None) => true,
            _ => false,
        }
    }
}

/// What a session's claims are judged and shown by.
#[derive(PartialEq)]
struct Shown {
    is_over: bool,
    label: String,
    client: Option<String>,
    user: Option<String>,
    host: Option<String>,
}

impl Shown {
    fn of(session: &Session) -> Self {
        Self {
            is_over: session.state.is_over(),
            label: session.label(),
            client: session.record.client.clone(),
            user: session.record.user.clone(),
            host: session.record.host.clone(),
        }
    }
}

fn editing(kept: Option<&KeptSession>) -> HashSet<String> {
    let record = kept.and_then(|kept| kept.stored.record.as_ref());
    record.map(|record| record.editing.iter().cloned().collect()).unwrap_or_default()
}

/// What the names of resources in the same linked worktree start with; empty in the main one, and `None` for what is
/// neither a file nor a directory.
fn worktree_of(resource: &Resource) -> Option<&str> {
    let relative = resource.path_in_any_worktree()?;
    let name = resource.name();
    Some(name[..name.len() - relative.len()].trim_end_matches('/'))
}

/// The path of the main worktree that a linked one belongs to, where several repositories share the directory.
fn main_worktree_of(worktree: &str) -> &str {
    worktree.strip_prefix("//").and_then(|rest| rest.split_once("//")).map_or("", |(main, _)| main)
}

fn count_up<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn count_down<K: Ord + std::borrow::Borrow<Q>, Q: Ord + ?Sized>(counts: &mut BTreeMap<K, usize>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::protocol::{SessionRecord, parse, time};
    use crate::registry::{SessionState, Standing};

    const START: &str = "2025-11-15T10:00:00Z";

    struct Seen {
        clock: Arc<ManualClock>,
        view: View,
    }

    impl Seen {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new(time::parse(START).unwrap()));
            let view = View::new(id("me"), clock.clone());
            Self { clock, view }
        }

        /// Someone claims something for four hours.
        fn claim(&mut self, holder: &str, resource: &Resource) -> Affected {
            let json = format!(r#"{{"claimed_by":"{holder}","claimed_at":"{START}"}}"#);
            let record = ClaimRecord::from_fields(parse(json.as_bytes()).unwrap()).unwrap();
            self.claim_record(resource, Some(record))
        }

        fn claim_record(&mut self, resource: &Resource, record: Option<ClaimRecord>) -> Affected {
            let modified = self.clock.now();
            let file = resource.claim_file_name();
            let stamp = Stamp::unknown(modified);
            let stored = StoredClaim { file: file.clone(), resource: resource.clone(), record, modified, stamp };
            self.view.apply(Change::Claim(file, Some(stored)))
        }

        fn session(&mut self, session: &str, record: SessionRecord) -> Affected {
            let stored = StoredSession::written(id(session), record, self.clock.now());
            self.view.apply(Change::Session(id(session), Some(stored)))
        }

        fn state(&self, session: &str) -> SessionState {
            self.view.session(&id(session)).unwrap().state
        }

        fn standing(&self, resource: &Resource) -> Standing {
            self.view.claim_of(resource).unwrap().standing
        }

        fn pass(&self, seconds: u64) {
            self.clock.advance(Duration::from_secs(seconds));
        }
    }

    fn id(id: &str) -> SessionId {
        SessionId::new(id).unwrap()
    }

    fn file(name: &str) -> Resource {
        Resource::file(name).unwrap()
    }

    fn directory(name: &str) -> Resource {
        Resource::directory(name).unwrap()
    }

    fn names(claims: &[Claim]) -> Vec<&str> {
        claims.iter().map(|claim| claim.resource.name()).collect()
    }

    fn promising() -> SessionRecord {
        SessionRecord { keepalive: Some(60), ..SessionRecord::default() }
    }

    #[test]
    fn what_overlaps_is_found_above_and_below() {
        let mut seen = Seen::new();
        for name in ["src/a.rs", "src/deep/ b.rs", "src!/x.rs", "srcs/c.rs", "src"] {
            seen.claim("other", &file(name));
        }
        seen.claim("other", &directory("src/deep/er"));
        seen.claim("me", &file("src/mine.rs"));
        let obstacles = |resource| seen.view.obstacles(&resource);
        assert_eq!(names(&obstacles(directory("src"))), ["src/a.rs", "src/deep/ b.rs", "src/deep/er"]);
        assert_eq!(names(&obstacles(file("src/deep/er/x/y.rs"))), ["src/deep/er"]);
        assert_eq!(names(&obstacles(file("src/a.rs"))), ["src/a.rs"]);
        assert_eq!(names(&obstacles(file("src/mine.rs"))), Vec::<&str>::new());
        assert_eq!(obstacles(directory(".")).len(), 6);
    }

    #[test]
    fn a_claim_comes_back_as_it_was_stored() {
        let mut seen = Seen::new();
        let long = file(&format!("src/{}.rs", "x".repeat(300)));
        let json = r#"{"claimed_by":"other","claimed_at":"2025-11-15T09:00:00Z","phase":"BUILD","expires_at":"",
            "allow_coordination":false,"id":"7f","generation":18446744073709551615,"automatic":true,"displaced":"x"}"#;
        for resource in [file("src/a.rs"), long] {
            let mut record = ClaimRecord::from_fields(parse(json.as_bytes()).unwrap()).unwrap();
            record.resource_type = Some("file".to_owned());
            record.resource_name = Some(resource.name().to_owned());
            seen.claim_record(&resource, Some(record.clone()));
            let claim = seen.view.claim_of(&resource).unwrap();
            assert_eq!((claim.record, claim.resource), (record, resource));
        }
    }

    #[test]
    fn the_same_again_affects_nothing() {
        let mut seen = Seen::new();
        assert_eq!(seen.claim("other", &file("a.rs")).claims, [file("a.rs")]);
        assert!(seen.claim("other", &file("a.rs")).is_nothing());
        assert_eq!(seen.claim("another", &file("a.rs")).claims, [file("a.rs")]);
        assert!(!seen.session("another", promising()).is_nothing());
        let refreshed = SessionRecord { last_heartbeat: Some("2025-11-15T10:01:00Z".to_owned()), ..promising() };
        assert!(seen.session("another", refreshed).is_nothing());
        let gone = seen.view.apply(Change::Claim(file("a.rs").claim_file_name(), None));
        assert!(gone.concerns(&file("a.rs")) && gone.concerns(&directory(".")) && !gone.concerns(&file("b.rs")));
        assert_eq!(seen.view.claims().count(), 0);
    }

    #[test]
    fn a_lease_ends_by_time_alone() {
        let mut seen = Seen::new();
        assert_eq!(seen.view.next_change_at(), None);
        seen.claim("other", &file("a.rs"));
        let end = time::parse("2025-11-15T14:00:00Z").unwrap();
        assert_eq!(seen.view.next_change_at(), Some(end));
        seen.pass(4 * 3600 - 1);
        assert_eq!(seen.standing(&file("a.rs")), Standing::Active);
        seen.pass(1);
        assert_eq!(seen.standing(&file("a.rs")), Standing::Expired);
        assert_eq!(seen.view.next_change_at(), Some(end + OTHER_CLOCK), "holders elsewhere are given more time");
        seen.pass(60);
        assert_eq!(seen.view.next_change_at(), None);
    }

    #[test]
    fn an_unreadable_claim_is_pending_and_then_damaged() {
        let mut seen = Seen::new();
        // The file has to be younger than this machine's start.
        seen.clock.jump(Utc::now() - seen.clock.now());
        seen.claim_record(&file("a.rs"), None);
        assert_eq!(seen.standing(&file("a.rs")), Standing::Pending);
        assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + BEING_WRITTEN));
        seen.pass(5);
        assert_eq!(seen.standing(&file("a.rs")), Standing::Damaged);
    }

    #[test]
    fn a_broken_promise_abandons_claims() {
        let mut seen = Seen::new();
        seen.session("other", promising());
        seen.claim("other", &file("a.rs"));
        assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + TimeDelta::milliseconds(120_001)));
        seen.pass(121);
        assert_eq!(seen.state("other"), SessionState::Silent);
        seen.pass(180);
        assert_eq!(seen.state("other"), SessionState::Gone);
        assert_eq!(seen.standing(&file("a.rs")), Standing::Abandoned);

        let back = seen.session("other", promising());
        assert_eq!(seen.state("other"), SessionState::Live);
        assert_eq!(back.claims, [file("a.rs")], "its claims count again");
    }

    #[test]
    fn silence_before_the_first_look_counts() {
        let mut seen = Seen::new();
        seen.session("other", promising());
        seen.view.apply(Change::Silence { session: id("other"), lasted: Duration::from_secs(290) });
        assert_eq!(seen.state("other"), SessionState::Silent);
        seen.pass(11);
        assert_eq!(seen.state("other"), SessionState::Gone);
    }

    #[test]
    fn a_wrong_clock_makes_nobody_look_gone() {
        let mut seen = Seen::new();
        seen.session("other", promising());
        seen.clock.jump(TimeDelta::hours(3));
        assert_eq!(seen.state("other"), SessionState::Live);
    }

    #[test]
    fn whoever_was_suspended_judges_nobody_for_one_keepalive() {
        let mut seen = Seen::new();
        seen.session("other", promising());
        seen.session("gone", promising());
        seen.view.apply(Change::Process { session: id("gone"), alive: false });
        seen.pass(600);
        assert!(seen.view.apply(Change::Resumed).everything);
        assert_eq!((seen.state("other"), seen.state("gone")), (SessionState::Live, SessionState::Gone));
        assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + TimeDelta::seconds(60)));
        seen.pass(59);
        assert_eq!(seen.state("other"), SessionState::Live);
        seen.pass(1);
        assert_eq!(seen.state("other"), SessionState::Gone);
    }

    #[test]
    fn a_process_proves_more_than_silence() {
        let mut seen = Seen::new();
        let kept = SessionRecord { pid: Some(7), ..promising() };
        seen.session("other", kept.clone());
        seen.claim("other", &file("a.rs"));
        seen.view.apply(Change::Process { session: id("other"), alive: true });
        assert_eq!(seen.view.next_change_at(), Some(time::parse("2025-11-15T14:00:00Z").unwrap()));
        seen.pass(3600);
        assert_eq!(seen.state("other"), SessionState::Live);

        let ended = seen.view.apply(Change::Process { session: id("other"), alive: false });
        assert_eq!((ended.sessions, ended.claims), (vec![id("other")], vec![file("a.rs")]));
        assert_eq!(seen.standing(&file("a.rs")), Standing::Abandoned);

        seen.session("other", SessionRecord { pid: Some(8), ..kept });
        assert_eq!(seen.state("other"), SessionState::Live, "a new process has yet to be looked at");
    }

    #[test]
    fn one_path_in_several_worktrees_is_found_from_each() {
        let mut seen = Seen::new();
        let claimed =
            ["src/a.rs", "//x/src/a.rs", "//y/src/a.rs", "//x/src/b.rs", "//repo//x/src/a.rs", "repo/src/a.rs"];
        for name in claimed {
            seen.claim("other", &file(name));
        }
        let elsewhere = |name: &str| {
            let claims = seen.view.claims_in_other_worktrees(&file(name));
            claims.iter().map(|claim| claim.resource.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(elsewhere("src/a.rs"), ["//x/src/a.rs", "//y/src/a.rs"]);
        assert_eq!(elsewhere("//x/src/a.rs"), ["src/a.rs", "//y/src/a.rs"]);
        assert_eq!(elsewhere("//z/src/a.rs"), ["src/a.rs", "//x/src/a.rs", "//y/src/a.rs"]);
        assert_eq!(elsewhere("src/b.rs"), ["//x/src/b.rs"]);
        assert_eq!(elsewhere("repo/src/a.rs"), ["//repo//x/src/a.rs"]);
        assert_eq!(elsewhere("//repo//x/src/a.rs"), ["repo/src/a.rs"]);
        assert_eq!(elsewhere("src/c.rs"), Vec::<String>::new());
        let affected = Affected { claims: vec![file("//x/src/a.rs")], ..Affected::default() };
        assert!(affected.concerns(&file("src/a.rs")) && !affected.concerns(&file("repo/src/a.rs")));
    }

    #[test]
    fn editors_are_known_while_they_live() {
        let mut seen = Seen::new();
        let editing = |names: &[&str]| SessionRecord {
            editing: names.iter().map(|name| (*name).to_owned()).collect(),
            ..SessionRecord::default()
        };
        assert_eq!(seen.session("other", editing(&["a.rs", "b.rs"])).editing.len(), 2);
        seen.session("me", editing(&["a.rs"]));
        let editors = |seen: &Seen, name: &str| {
            seen.view.editors_of(&file(name)).into_iter().map(|session| session.id).collect::<Vec<_>>()
        };
        assert_eq!(editors(&seen, "a.rs"), [id("other")]);
        assert_eq!(seen.session("other", editing(&["a.rs"])).editing, ["b.rs"]);
        assert_eq!(editors(&seen, "b.rs"), []);
        seen.view.apply(Change::Process { session: id("other"), alive: false });
        assert_eq!(editors(&seen, "a.rs"), []);
        seen.view.apply(Change::Session(id("other"), None));
        assert_eq!(editors(&seen, "a.rs"), []);
    }

    #[test]
    fn a_lost_directory_leaves_nothing() {
        let mut seen = Seen::new();
        seen.session("other", promising());
        seen.claim("other", &file("//x/a.rs"));
        assert!(seen.view.apply(Change::DirectoryLost).everything);
        assert_eq!((seen.view.claims().count(), seen.view.sessions().count()), (0, 0));
        assert_eq!(seen.view.next_change_at(), None);
        assert!(seen.view.obstacles(&directory("//x")).is_empty());
    }
}
