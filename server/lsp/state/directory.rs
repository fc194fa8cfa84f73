//! What the loop knows of one coordination directory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tower_lsp::ls_types::Uri;

use crate::job::{Claimability, OwnLoss};
use deconflict_journal::EntryId;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Holding, Key, Machines, Message, MessageId, Session, View};

/// One coordination directory of this window.
#[derive(Debug, Default)]
pub(super) struct DirectoryContext {
    pub(super) path: PathBuf,
    /// True if an edit or a command may make it.
    pub(super) may_make: bool,
    pub(super) participation: Participation,
    /// Whether a session of another machine takes part, so that what is held lapses earlier.
    pub(super) machines: Machines,
    /// What others do there.
    pub(super) view: Option<View>,
    /// What the session holds.
    pub(super) own: HashMap<Resource, OwnClaim>,
    /// What is being read again.
    pub(super) verifying: HashSet<Resource>,
    /// What changed while it was being read again, so that the answer may be from before.
    pub(super) verifying_late: HashSet<Resource>,
    /// Where paths are, as it was seen last.
    pub(super) places: HashMap<PathBuf, Claimability>,
    /// What the others were told is edited here without being held; `None` if it is not known what they were told.
    pub(super) editing: Option<Vec<Resource>>,
    /// Which holdings the user was told of, and in which document.
    pub(super) announced: HashSet<(Uri, Option<Holding>)>,
    /// The user's own agents at work of which a word was said in this turn of theirs.
    pub(super) told_agents: HashSet<SessionId>,
    /// Documents of which the user is to be told that another holds them.
    pub(super) to_announce: BTreeSet<Uri>,
    /// Who edits what is held here, as the user was told or knows.
    pub(super) told_contenders: BTreeSet<(Resource, SessionId)>,
    /// The same of whom the user is to be told.
    pub(super) to_tell_contenders: BTreeSet<(Resource, SessionId)>,
    /// Who asked for what.
    pub(super) requests: HashMap<Resource, BTreeSet<SessionId>>,
    /// Of what the user wants to know when it is free.
    pub(super) awaited: BTreeSet<Resource>,
    /// The same of what the machine has once.
    pub(super) awaited_of_machine: BTreeSet<Resource>,
    /// What the user was told of that it is free, and when: whoever released it says so too.
    pub(super) told_free: HashMap<Resource, Duration>,
    /// Holdings of which the user wants no more warnings, and in which document.
    pub(super) muted: HashSet<(Uri, Option<Holding>)>,
    /// The sessions whose end matters most.
    pub(super) interest: BTreeSet<SessionId>,
    /// What was lost while this process or the whole machine was suspended, as long as that comes to light.
    pub(super) lost_asleep: Option<Vec<(Resource, Option<Claim>)>>,
    pub(super) unread: HashSet<MessageId>,
    /// Messages that were shown.
    pub(super) shown: HashSet<MessageId>,
    /// What the session lost in files, and is not settled.
    pub(super) losses: HashMap<Resource, Vec<OwnLoss>>,
    /// The changes by which it lost something and of which the user was told.
    pub(super) told_losses: HashSet<EntryId>,
    /// Messages that tell of losses, by the change, until it is known what the journal says.
    pub(super) loss_messages: HashMap<String, Message>,
    /// Saved files of which no heartbeat tells yet.
    pub(super) saved: BTreeSet<String>,
    /// When a heartbeat told of saves last.
    pub(super) saves_told_at: Option<Duration>,
    /// What was claimed since a heartbeat told of it.
    pub(super) claimed: BTreeSet<String>,
    /// What was released since a heartbeat told of it.
    pub(super) released: BTreeSet<String>,
    /// The user said what the session works on, so that nothing else says so by itself.
    pub(super) is_work_told: bool,
    /// Documents whose claims went with the directory, until it is known what became of them.
    pub(super) restoring: Option<Restoring>,
    /// Records that could not be understood when they were read last, and since when.
    pub(super) damaged: Vec<(Key, Duration)>,
    /// Damaged records that the user was told of.
    pub(super) told_damaged: HashSet<Key>,
    /// The worker has not said yet that it has ended.
    pub(super) is_ending: bool,
}

/// Whether the session takes part.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Participation {
    /// There is no directory yet.
    #[default]
    Awaited,
    /// The session is registered.
    Joined(Box<Session>),
    /// The directory can only be read.
    Observing,
    /// It is tracked by git and was not adopted.
    NotAdopted,
}

/// Something that the session holds.
#[derive(Debug, Clone)]
pub(super) struct OwnClaim {
    /// As it was seen last.
    pub(super) claim: Claim,
    /// Since when, by this process's clock.
    pub(super) since: Duration,
    /// When it was renewed last; `None` if it is to be renewed at once.
    pub(super) renewed_at: Option<Duration>,
    /// When a document was saved under it.
    pub(super) saved_at: Option<Duration>,
    /// It was made by a change of many files at once.
    pub(super) is_bulk: bool,
    /// The others were told that it was forgotten.
    pub(super) is_marked_idle: bool,
    /// It has come back from the directory, so that its absence means something.
    pub(super) is_seen: bool,
    /// Where the file is, if a document told.
    pub(super) path: Option<PathBuf>,
}

/// What becomes of the claims that went with a directory.
#[derive(Debug, Default)]
pub(super) struct Restoring {
    pub(super) waiting: HashSet<Uri>,
    pub(super) claimed_again: Vec<Resource>,
    pub(super) taken: Vec<(Resource, Claim)>,
}

impl OwnClaim {
    /// A claim that was made or found now.
    pub(super) fn new(claim: Claim, now: Duration) -> Self {
        Self {
            claim,
            since: now,
            renewed_at: Some(now),
            saved_at: None,
            is_bulk: false,
            is_marked_idle: false,
            is_seen: false,
            path: None,
        }
    }
}

impl DirectoryContext {
    /// The session, if it is registered.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.participation {
            Participation::Joined(session) => Some(session),
            _ => None,
        }
    }

    /// True if edits are claimed here.
    pub(super) fn is_active(&self) -> bool {
        match self.participation {
            Participation::Awaited => self.may_make,
            Participation::Joined(_) => true,
            Participation::Observing | Participation::NotAdopted => false,
        }
    }

    /// The claim by which the session holds a resource: of itself, or of a directory above it. `wall` is the time of
    /// day.
    pub(super) fn own_claim(&self, resource: &Resource, wall: DateTime<Utc>) -> Option<&OwnClaim> {
        if self.own.is_empty() {
            return None;
        }
        let relied_on = |resource: &Resource| self.own.get(resource).filter(|own| !self.has_lapsed(&own.claim, wall));
        relied_on(resource).or_else(|| resource.covering_directories().iter().find_map(relied_on))
    }

    /// True if the session must not rely on a claim of its own any more, before it has renewed it: another machine's
    /// clock may be ahead. Among sessions of this machine a claim counts until it is seen to be gone.
    pub(super) fn has_lapsed(&self, claim: &Claim, wall: DateTime<Utc>) -> bool {
        self.machines == Machines::Several && wall >= claim.relied_on_until(self.machines)
    }

    /// What was lost in a file, the oldest of each author's changes: what stood before it is what is brought back.
    pub(super) fn losses_in(&self, resource: &Resource) -> Vec<OwnLoss> {
        let mut oldest: Vec<OwnLoss> = Vec::new();
        for loss in self.losses.get(resource).into_iter().flatten() {
            if oldest.iter().all(|other| other.author() != loss.author() || other.code() != loss.code()) {
                oldest.push(loss.clone());
            }
        }
        oldest
    }

    /// Another's claim that keeps a resource from being claimed.
    pub(super) fn obstacle(&self, resource: &Resource) -> Option<Claim> {
        self.view.as_ref()?.obstacles(resource).into_iter().find(|claim| claim.stands_against(None))
    }

    /// True for a claim of the user's own agent that waits: it goes over with the user's first keystroke.
    pub(super) fn gives_way(&self, claim: &Claim) -> bool {
        let holder = claim.holder().and_then(|holder| self.view.as_ref()?.session(holder));
        holder.zip(self.session()).is_some_and(|(holder, own)| deconflict_changes::gives_way(&holder, own))
    }

    /// True if the session itself is the holder.
    pub(super) fn is_own(&self, claim: &Claim) -> bool {
        self.session().is_some_and(|session| claim.held_by(&session.id))
    }
}
