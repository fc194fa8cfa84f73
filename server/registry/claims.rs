//! Claims as they stand, and what they are worth now.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::leases::{BEING_WRITTEN, OTHER_CLOCK};
use super::liveness::{self, KeeperState};
use super::session::Session;
use super::store::Stamp;
use deconflict_protocol::{ClaimKey, ClaimRecord, ProcessRecord, Resource, SessionId, lease_end, time};

/// What a claim is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// Its holder has it: only force takes it over.
    Active,
    /// Its lease runs, but its document was left unsaved and untouched: anyone may take it over.
    Idle,
    /// Its lease ended: anyone may take it over.
    Expired,
    /// Its holder is gone: anyone may take it over.
    Abandoned,
    /// It cannot be read yet; somebody may be writing it. It is respected.
    Pending,
    /// It is none: its file has uncommitted changes in another clone of the team, where nobody holds it.
    Uncommitted,
    /// It cannot be read. It is respected for as long as a default lease, because nobody knows whose it is.
    Damaged,
}

impl ClaimState {
    /// The state in one word, as programs and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Pending => "pending",
            Self::Uncommitted => "uncommitted",
            Self::Damaged => "damaged",
        }
    }
}

impl Serialize for ClaimState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A claim's record as it was read, not yet judged.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredClaim {
    /// Its key, which decides what is claimed.
    pub key: ClaimKey,
    /// What is claimed.
    pub resource: Resource,
    /// What the record says; `None` if that cannot be understood.
    pub record: Option<ClaimRecord>,
    /// When it was written.
    pub modified: DateTime<Utc>,
    pub(super) stamp: Stamp,
}

/// A claim that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its key.
    pub key: ClaimKey,
    /// What is claimed.
    pub resource: Resource,
    /// What the record says. Empty where it cannot be understood.
    pub record: ClaimRecord,
    /// Since when.
    pub claimed_at: DateTime<Utc>,
    /// Until when it is believed.
    pub expires_at: DateTime<Utc>,
    /// When the record was written.
    pub modified: DateTime<Utc>,
    /// What it is worth.
    pub standing: ClaimState,
}

/// What a claim that was granted is known by. It goes stale when the resource changes hands, even back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holding {
    /// The holder.
    pub session: SessionId,
    /// What is held.
    pub resource: Resource,
    /// The random id of this holding; absent in other programs' records.
    pub id: Option<String>,
    /// Greater than that of any holding before it; absent in other programs' records.
    pub generation: Option<u64>,
    /// Since when, as the record spells it: tells holdings apart that have no id.
    claimed_at: Option<String>,
}

/// Under which terms a resource is claimed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long.
    pub lease: TimeDelta,
    /// True if an edit asks for it, not a person or agent by hand.
    pub automatic: bool,
    /// What the holder means to do with it.
    pub phase: Option<String>,
    /// False where others should not write to the holder about it.
    pub allow_coordination: bool,
    /// True to displace a holder whose claim is active.
    pub force: bool,
    /// The branch that the holder edits on.
    pub branch: Option<String>,
    /// The linked worktree that the holder edits in.
    pub worktree: Option<String>,
    /// In which clone of the team the holder works, for what is claimed in all of them.
    pub in_clone: Option<String>,
    /// The command that uses it: a holding of its own, which lasts as long as the command's process group.
    pub process: Option<ProcessRecord>,
}

impl Default for Terms {
    /// By hand, for 4 hours, open to messages, without force.
    fn default() -> Self {
        Self {
            lease: deconflict_protocol::DEFAULT_LEASE,
            automatic: false,
            phase: None,
            allow_coordination: true,
            force: false,
            branch: None,
            worktree: None,
            in_clone: None,
            process: None,
        }
    }
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// The session holds it now.
    Granted {
        /// The new claim.
        claim: Claim,
        /// The claim that ended by it, if one stood there.
        took_over: Option<Claim>,
    },
    /// The session held it already; the claim was renewed.
    AlreadyHeld {
        /// The claim as it is now.
        claim: Claim,
    },
    /// Another session holds it, or something that overlaps it.
    Refused {
        /// The claim in the way.
        by: Claim,
    },
}

/// The outcome of a release.
#[derive(Debug, Clone, PartialEq)]
pub enum ReleaseOutcome {
    /// It is free now; this was the claim.
    Released(Claim),
    /// Another session holds it.
    NotHolder(Claim),
    /// Nobody holds it.
    NotFound,
}

/// The outcome of a renewal.
#[derive(Debug, Clone, PartialEq)]
pub enum RenewOutcome {
    /// The session still holds it.
    Renewed(Claim),
    /// It doesn't any more; this stands in its way, if anything does.
    Lost(Option<Claim>),
}

/// The outcome of a hand-off.
#[derive(Debug, Clone, PartialEq)]
pub enum HandOffOutcome {
    /// The recipient holds it now.
    HandedOff(Claim),
    /// Another session holds it.
    NotHolder(Claim),
    /// Nobody holds it.
    NotFound,
    /// The giver holds something else that overlaps it, and would keep that.
    Refused {
        /// The giver's other claim.
        by: Claim,
    },
    /// The recipient is not a live session.
    RecipientNotLive(Option<Session>),
}

/// What came of a claim whose file was moved.
#[derive(Debug, Clone, PartialEq)]
pub enum MoveOutcome {
    /// The session holds the new place, and no longer the old one.
    Moved(Claim),
    /// Another session holds the new place; the old one was released.
    Released {
        /// The claim on the new place.
        target: Claim,
    },
    /// The session no longer held the old place.
    Lost(Option<Claim>),
}

impl Claim {
    /// Who holds it; `None` where the record cannot be understood.
    pub fn holder(&self) -> Option<&SessionId> {
        self.record.claimed_by.as_ref()
    }

    /// True if it was made by the first edit, not by hand.
    pub fn is_automatic(&self) -> bool {
        self.record.automatic == Some(true)
    }

    /// True while its holder has it.
    pub fn is_active(&self) -> bool {
        self.standing == ClaimState::Active
    }

    /// True if anyone may take it over without force.
    pub fn can_be_taken_over(&self) -> bool {
        matches!(self.standing, ClaimState::Idle | ClaimState::Expired | ClaimState::Abandoned)
    }

    /// True for a claim that keeps this session from claiming what overlaps it, unless by force. Whatever asks whether a
    /// claim stands in somebody's way asks this.
    pub fn stands_against(&self, session: Option<&SessionId>) -> bool {
        let is_held = !self.can_be_taken_over() && self.standing != ClaimState::Uncommitted;
        is_held && !session.is_some_and(|session| self.held_by(session))
    }

    /// What people call whose uncommitted changes these are, if it tells of such in another clone.
    pub fn uncommitted_of(&self) -> Option<&str> {
        self.record.uncommitted_of.as_deref().filter(|_| self.standing == ClaimState::Uncommitted)
    }

    /// True for another session's claim that has to end before its resource can be claimed under these terms. What is
    /// being written may turn out to be a claim, so not even force goes over it.
    pub(super) fn stands_in_the_way(&self, terms: &Terms) -> bool {
        self.standing == ClaimState::Pending || !(terms.force || self.can_be_taken_over())
    }

    /// True unless its holder doesn't want messages about it.
    pub fn allows_coordination(&self) -> bool {
        self.record.allow_coordination != Some(false)
    }

    /// True if this session is the holder.
    pub fn held_by(&self, session: &SessionId) -> bool {
        self.holder() == Some(session)
    }

    /// True for the session's own claim, on which it may go on. One that a command holds is the command's alone, to others
    /// of the session as to anybody; an edit asks for nothing more than that nobody else edits.
    pub(super) fn goes_on_for(&self, session: &SessionId, terms: &Terms) -> bool {
        self.held_by(session) && (self.record.process.is_none() || terms.automatic)
    }

    /// True while the command that it was made for runs.
    pub fn is_in_use_by_command(&self) -> bool {
        is_in_use_by_command(&self.record)
    }

    /// What this holding is known by; `None` where nobody is known to hold it.
    pub fn holding(&self) -> Option<Holding> {
        Some(Holding {
            session: self.holder()?.clone(),
            resource: self.resource.clone(),
            id: self.record.id.clone(),
            generation: self.record.generation,
            claimed_at: self.record.claimed_at.clone(),
        })
    }

    /// The same where the store itself ends leases: a claim that stands there has not ended, whatever a clock says, unless
    /// its holder's own lease did, with which its session's record goes.
    pub(super) fn kept_by_lease(mut self, holder: Option<&Session>) -> Self {
        if self.holder().is_none() || self.record.uncommitted_of.is_some() || self.is_in_use_by_command() {
            return self;
        }
        self.standing = match (self.standing, holder) {
            (_, None) => ClaimState::Abandoned,
            (ClaimState::Expired, _) if self.is_automatic() && self.record.idle_since.is_some() => ClaimState::Idle,
            (ClaimState::Expired, _) => ClaimState::Active,
            (standing, _) => standing,
        };
        self
    }

    pub(super) fn judge_again(&mut self, holder: Option<&Session>, now: DateTime<Utc>) {
        if self.holder().is_none() {
            *self = StoredClaim::of(self).judge(holder, now);
            return;
        }
        self.expires_at = lease_end(Some(&self.record), self.modified, now);
        self.claimed_at = time::believed(self.record.claimed_at.as_deref(), self.modified, now);
        self.standing = state_of(&self.record, holder, self.expires_at, now);
    }

    /// True if the record names another resource than the key does.
    pub fn says_something_else(&self) -> bool {
        let said = |field: &Option<String>, is: &str| field.as_deref().is_none_or(|said| said == is);
        !said(&self.record.resource_type, self.resource.resource_type().as_str())
            || !said(&self.record.resource_name, self.resource.name())
    }
}

impl StoredClaim {
    pub(super) fn of(claim: &Claim) -> Self {
        Self {
            key: claim.key.clone(),
            resource: claim.resource.clone(),
            record: claim.holder().map(|_| claim.record.clone()),
            modified: claim.modified,
            stamp: Stamp::unknown(claim.modified),
        }
    }

    pub(super) fn written_now(key: ClaimKey, resource: Resource, record: ClaimRecord, now: DateTime<Utc>) -> Self {
        Self { key, resource, record: Some(record), modified: now, stamp: Stamp::unknown(now) }
    }

    /// True while the command that it was made for runs.
    pub(super) fn is_in_use_by_command(&self) -> bool {
        self.record.as_ref().is_some_and(is_in_use_by_command)
    }

    /// The random id of this holding.
    pub fn id(&self) -> Option<&str> {
        self.record.as_ref()?.id.as_deref()
    }

    /// Judges the claim. `holder` is the holder's session, if it has one.
    pub fn judge(self, holder: Option<&Session>, now: DateTime<Utc>) -> Claim {
        let record = self.record.as_ref();
        let expires_at = lease_end(record, self.modified, now);
        let claimed_at = time::believed(record.and_then(|record| record.claimed_at.as_deref()), self.modified, now);
        let standing = self.standing(holder, expires_at, now);
        let Self { key, resource, record, modified, .. } = self;
        Claim { key, resource, record: record.unwrap_or_default(), claimed_at, expires_at, modified, standing }
    }

    fn standing(&self, holder: Option<&Session>, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> ClaimState {
        match &self.record {
            Some(record) => state_of(record, holder, expires_at, now),
            None => self.standing_unread(expires_at, now),
        }
    }

    fn standing_unread(&self, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> ClaimState {
        let age = now - self.modified;
        // A file from the future would count for ever.
        let is_from_the_future = age < -time::CLOCK_TOLERANCE;
        if now >= expires_at || liveness::is_older_than_boot(self.modified) || is_from_the_future {
            ClaimState::Expired
        } else if age < BEING_WRITTEN && age > -BEING_WRITTEN {
            ClaimState::Pending
        } else {
            ClaimState::Damaged
        }
    }
}

fn is_in_use_by_command(record: &ClaimRecord) -> bool {
    record.process.as_ref().is_some_and(|process| liveness::look_at_process(process) == KeeperState::Alive)
}

/// What a record is worth that can be understood.
fn state_of(
    record: &ClaimRecord,
    holder: Option<&Session>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> ClaimState {
    if record.uncommitted_of.is_some() {
        return if now < expires_at { ClaimState::Uncommitted } else { ClaimState::Expired };
    }
    // A command goes on whatever becomes of the session that started it.
    match record.process.as_ref().map(liveness::look_at_process) {
        Some(KeeperState::Alive) => return ClaimState::Active,
        Some(KeeperState::Gone) => return ClaimState::Abandoned,
        Some(KeeperState::Unknown) | None => {}
    }
    if holder.is_some_and(|session| session.state.is_over()) {
        return ClaimState::Abandoned;
    }
    let is_respected = || now < expires_at + OTHER_CLOCK && holder.is_some_and(Session::is_elsewhere);
    if now >= expires_at && !is_respected() {
        ClaimState::Expired
    } else if record.automatic == Some(true) && record.idle_since.is_some() {
        ClaimState::Idle
    } else {
        ClaimState::Active
    }
}

impl Holding {
    /// True if the record is this very holding and not a later or an earlier one.
    pub(super) fn is(&self, record: &ClaimRecord) -> bool {
        record.claimed_by.as_ref() == Some(&self.session)
            && record.id == self.id
            && record.generation == self.generation
            && (self.id.is_some() || record.claimed_at == self.claimed_at)
    }
}
