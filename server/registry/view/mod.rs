//! What the directory holds, in memory, for servers.
//!
//! The watch feeds it with changes, an editor's loop asks it at every keystroke, and the keeper of the status board
//! reads all of it once in a while from another thread: one copy, shared without waiting for each other. A look-up
//! costs the depth of a path and a change costs itself, however much the directory holds.
//!
//! Nothing here touches the disk or looks at a process. What is worth what is judged at each look-up, by the rules
//! that the registry's own verbs use, so time passing needs no change.

mod changes;
mod kept;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dashmap::DashMap;

use self::kept::{KeptClaim, KeptSession};
use super::leases::OTHER_CLOCK;
use super::overlap::{ClaimSource, overlapping};
use super::store::{Key, Range};
use super::{Change, Claim, Error, Machines, Registry, SeenBy, Session};
use deconflict_platform::clock::Clock;
use deconflict_protocol::{ClaimKey, Naming, Resource, SessionId};

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
    /// True if somebody began or ceased to wait in line.
    pub waiting: bool,
    /// True if everything may be different.
    pub everything: bool,
    /// Which names are equal there.
    pub naming: Naming,
}

impl Affected {
    /// True if nothing that anybody shows is different.
    pub fn is_nothing(&self) -> bool {
        let Self { claims, sessions, editing, waiting, everything, naming: _ } = self;
        !everything && !waiting && claims.is_empty() && sessions.is_empty() && editing.is_empty()
    }

    /// True if what is known of this resource may be different: its own claim, one that overlaps it, one of the same
    /// path in another worktree, or who edits it.
    pub fn concerns(&self, resource: &Resource) -> bool {
        let path = resource.path_in_main_worktree();
        let is_elsewhere = |claimed: &Resource| path.is_some() && claimed.path_in_main_worktree() == path;
        self.everything
            || self.claims.iter().any(|claimed| self.naming.overlap(claimed, resource) || is_elsewhere(claimed))
            || self.editing.iter().any(|name| name == resource.name())
    }

    /// Adds what another change affects.
    pub fn merge(&mut self, other: Self) {
        self.claims.extend(other.claims);
        self.sessions.extend(other.sessions);
        self.editing.extend(other.editing);
        self.waiting |= other.waiting;
        self.everything |= other.everything;
        self.naming.ignores_case |= other.naming.ignores_case;
    }
}

struct Shared {
    /// Who looks: its own claims stand in nobody's way.
    session: SessionId,
    clock: Arc<dyn Clock>,
    viewer: SeenBy,
    is_complete: AtomicBool,
    /// Boxed, as a map of thousands has almost as much room to spare.
    claims: DashMap<ClaimKey, Box<KeptClaim>>,
    sessions: DashMap<SessionId, KeptSession>,
    /// Which claims each holder has: a holder that is gone changes what they are worth.
    held: DashMap<SessionId, HashSet<ClaimKey>>,
    /// Who edits a file without holding it, by the file's name.
    editors: DashMap<Box<str>, Vec<SessionId>>,
    order: RwLock<Order>,
}

/// What is kept in order, to be found by its beginning or by its time.
#[derive(Default)]
struct Order {
    /// The keys of all claims, so that those below a directory are found by their beginnings.
    keys: BTreeSet<ClaimKey>,
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
        Self::seen_by(session, clock, SeenBy::default())
    }

    /// The same of the directory of a registry, as the person sees it who looks there.
    pub fn of<S>(registry: &Registry<S>, session: SessionId) -> Self {
        Self::seen_by(session, Arc::clone(&registry.clock), registry.viewer.clone())
    }

    fn seen_by(session: SessionId, clock: Arc<dyn Clock>, viewer: SeenBy) -> Self {
        Self {
            shared: Arc::new(Shared {
                session,
                clock,
                viewer,
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
            Change::Claim(key, stored) => self.shared.set_claim(&key, stored, &mut affected),
            Change::Session(id, stored) => self.shared.set_session(&id, stored, &mut affected),
            Change::Process { session, alive } => self.shared.set_keeper(&session, alive, &mut affected),
            Change::Silence { session, lasted } => self.shared.set_silence(&session, lasted, &mut affected),
            Change::Queue => affected.waiting = true,
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
        self.shared.claim(&self.shared.naming().key(resource), &mut HashMap::new())
    }

    /// All claims of other sessions that overlap this resource, in whatever state: its own first, then those of the
    /// directories above it, nearest first, then those below it.
    pub fn obstacles(&self, resource: &Resource) -> Vec<Claim> {
        let looked_up = LookedUp { shared: &self.shared, holders: RefCell::default() };
        // Memory does not fail.
        let mut obstacles = overlapping(&looked_up, resource).unwrap_or_default();
        obstacles.retain(|claim| !claim.held_by(&self.shared.session));
        obstacles
    }

    /// Other sessions' claims of the same path in other worktrees of the repository, in whatever standing. They
    /// exclude nothing, but a merge may conflict.
    pub fn claims_in_other_worktrees(&self, resource: &Resource) -> Vec<Claim> {
        let mut holders = HashMap::new();
        let claims = self.shared.same_path_elsewhere(resource);
        let claims =
            claims.iter().filter_map(|other| self.shared.claim(&self.shared.naming().key(other), &mut holders));
        claims.filter(|claim| !claim.held_by(&self.shared.session)).collect()
    }

    pub(super) fn is_claimed_elsewhere(&self, resource: &Resource) -> bool {
        let elsewhere = self.shared.same_path_elsewhere(resource);
        elsewhere.iter().any(|other| self.shared.claims.contains_key(&self.shared.naming().key(other)))
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

    /// All claims, in the order of their keys. Each is looked up when the iterator comes to it, so nobody
    /// waits meanwhile.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + use<> {
        let keys: Vec<ClaimKey> = self.shared.read_order().keys.iter().cloned().collect();
        let shared = Arc::clone(&self.shared);
        let mut holders = HashMap::new();
        keys.into_iter().filter_map(move |key| shared.claim(&key, &mut holders))
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

impl Shared {
    /// Which names are equal: every key tells. Where none is known there is nothing to be equal to.
    fn naming(&self) -> Naming {
        self.read_order().keys.first().map(ClaimKey::naming).unwrap_or_default()
    }

    fn claim(&self, key: &ClaimKey, holders: &mut Holders) -> Option<Claim> {
        let kept = self.claims.get(key)?;
        let holder = kept.stored.holder().and_then(|id| {
            if !holders.contains_key(id) {
                holders.insert(id.clone(), self.session(id));
            }
            holders.get(id)?.as_ref()
        });
        Some(kept.stored.clone().judge(holder, self.clock.now()))
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
        let mut session = kept.stored.clone().judge(kept.keeper, unchanged_for, self.clock.now());
        session.viewer = self.viewer.clone();
        session
    }

    fn keys_of(&self, session: &SessionId) -> Vec<ClaimKey> {
        self.held.get(session).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
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

/// Claims as the view has them, while several are looked up in one go.
struct LookedUp<'a> {
    shared: &'a Shared,
    holders: RefCell<Holders>,
}

impl ClaimSource for LookedUp<'_> {
    fn naming(&self) -> Naming {
        self.shared.naming()
    }

    fn keys(&self, ranges: &[Range]) -> Result<Vec<ClaimKey>, Error> {
        let order = self.shared.read_order();
        let mut keys = Vec::new();
        for range in ranges {
            let Range::Claims(beginning) = range else { continue };
            let from = order.keys.range::<str, _>((Bound::Included(beginning.as_str()), Bound::Unbounded));
            keys.extend(from.take_while(|key| range.contains(&Key::Claim((*key).clone()))).cloned());
        }
        Ok(keys)
    }

    fn claim(&self, key: &ClaimKey) -> Result<Option<Claim>, Error> {
        Ok(self.shared.claim(key, &mut self.holders.borrow_mut()))
    }
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
