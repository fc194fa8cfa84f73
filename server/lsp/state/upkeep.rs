//! Leases that are renewed while somebody works, and given up when nobody does.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tower_lsp::ls_types::Uri;

use super::directory::OwnClaim;
use super::document::{OpenDocument, Unsaved};
use super::messages::RESTING;
use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::present::messages;
use deconflict_protocol::time::CLOCK_TOLERANCE;
use deconflict_protocol::{DEFAULT_LEASE, Resource};
use deconflict_registry::{Claim, ClaimState, Machines, renewal_pause};

/// A claim of a change of many files is released so long after the save.
const BULK_REST: Duration = Duration::from_mins(1);

/// An unsaved document that was left alone for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_hours(4);

/// Where another machine takes part, leases are at least this long: renewals come in time before the minute in which
/// their holder doesn't rely on them any more.
const SHORTEST_AMONG_MACHINES: TimeDelta = TimeDelta::minutes(5);

/// The clocks differ by more than this only if the machine slept or its time was set.
const JUMP: TimeDelta = TimeDelta::seconds(30);

/// So long after waking up it is known what was lost.
const WAKING: Duration = Duration::from_secs(2);

impl ServerState {
    /// After a sleep, leases may have run out that this process's clock knows nothing of. A clock that goes back only makes
    /// them longer, which is told.
    pub(super) fn notice_sleep(&mut self) {
        let (wall, now) = (self.clock.now(), self.now());
        let (wall_before, before) = self.last_event.replace((wall, now)).unwrap_or((wall, now));
        let jump = wall - wall_before - TimeDelta::from_std(now.saturating_sub(before)).unwrap_or_default();
        if jump < -CLOCK_TOLERANCE && self.directories.values().any(|directory| directory.session().is_some()) {
            self.show(messages::clock_went_back(-jump));
        }
        if jump > JUMP {
            for id in self.directory_ids() {
                self.went_on(id);
            }
        }
    }

    /// This process or the machine was suspended: what is held has to be checked, and what was lost has to be told.
    pub(super) fn went_on(&mut self, id: DirectoryId) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id).filter(|it| !it.own.is_empty()) else { return };
        for own in directory.own.values_mut() {
            own.renewed_at = None;
            own.is_seen = false;
        }
        directory.lost_asleep.get_or_insert_default();
        self.timers.set(Timer::Sweep(id), now);
        self.timers.set(Timer::Verify(id), now);
        self.timers.set(Timer::KeepAlive(id), now);
        self.timers.set(Timer::Asleep(id), now + WAKING);
    }

    /// Tells what was lost while this process was suspended.
    pub(super) fn tell_lost_asleep(&mut self, id: DirectoryId) {
        let lost = self.directories.get_mut(&id).and_then(|directory| directory.lost_asleep.take());
        let lost: Vec<_> = lost
            .unwrap_or_default()
            .into_iter()
            .map(|(resource, successor)| (resource, successor.map(|successor| self.others_claim(id, successor, None))))
            .collect();
        if !lost.is_empty() {
            self.show(messages::lost_while_asleep(&lost));
        }
    }

    /// Renews and releases what is due, and sleeps until the next is.
    pub(super) fn sweep(&mut self, id: DirectoryId) {
        let now = self.now();
        let Some(directory) = self.directories.get(&id) else { return };
        let held: Vec<Resource> = directory.own.keys().cloned().collect();
        if let Some(next) = held.iter().filter_map(|file| self.maintain(id, file, now)).min() {
            // Never in a circle, whatever was computed.
            self.timers.set_by(Timer::Sweep(id), next.max(now + Duration::from_millis(50)));
        }
    }

    /// How long the leases are that edits get.
    pub(super) fn lease_at(&self, id: DirectoryId) -> TimeDelta {
        let are_several = self.directories.get(&id).is_some_and(|directory| directory.machines == Machines::Several);
        if are_several { self.settings.lease.max(SHORTEST_AMONG_MACHINES) } else { self.settings.lease }
    }

    /// True if a claim of this session's own counts no more for itself.
    pub(super) fn has_lapsed(&self, id: DirectoryId, claim: &Claim) -> bool {
        self.directories.get(&id).is_some_and(|directory| directory.has_lapsed(claim, self.clock.now()))
    }

    /// In how long that will be; `None` if it is so already, or never by time alone.
    fn lapses_in(&self, id: DirectoryId, claim: &Claim) -> Option<Duration> {
        let machines = self.directories.get(&id)?.machines;
        let left = claim.relied_on_until(machines) - self.clock.now();
        left.to_std().ok().filter(|left| machines == Machines::Several && !left.is_zero())
    }

    /// Does what is due for one claim and returns when the next is.
    fn maintain(&mut self, id: DirectoryId, file: &Resource, now: Duration) -> Option<Duration> {
        let use_of = self.use_of(id, file);
        let idle = self.settings.idle;
        let lease = self.lease_at(id);
        let own = self.own_at(id, file)?;
        let is_automatic = own.claim.is_automatic();
        let last_use = use_of.last_use(own);
        let mut due = Vec::new();
        if is_automatic && !use_of.is_unsaved {
            let asked_by = self.asked_for_by(id, file);
            let is_for_own_agent = self.is_asked_for_by_own_agent(id, file);
            let rest = match &asked_by {
                Some(_) if is_for_own_agent => Duration::ZERO,
                Some(_) => RESTING.min(idle),
                None if own.is_bulk && own.saved_at.is_some() => BULK_REST.min(idle),
                None => idle,
            };
            // Documents that are closed have a timer of their own.
            if use_of.is_open {
                if last_use + rest <= now {
                    self.release(id, file);
                    // Whose own agent asked was told to save, and did.
                    if let Some(asked_by) = asked_by.filter(|_| !is_for_own_agent) {
                        self.show(messages::released_on_request(file, &asked_by));
                    }
                    return None;
                }
                due.push(last_use + rest);
            }
        }
        if use_of.is_unsaved && is_automatic && !own.is_marked_idle {
            let forgotten = use_of.edited_at.unwrap_or_default().max(own.since) + FORGOTTEN;
            if forgotten <= now {
                let untouched_for = TimeDelta::from_std(now.saturating_sub(forgotten) + FORGOTTEN).unwrap_or_default();
                self.mark_idle(id, file, Some(self.clock.now() - untouched_for));
            } else {
                due.push(forgotten);
            }
        }
        let own = self.own_at(id, file)?;
        let has_lapsed = self.has_lapsed(id, &own.claim);
        due.extend(self.lapses_in(id, &own.claim).map(|left| now + left));
        let is_in_use = use_of.is_unsaved || (use_of.is_open && last_use + idle > now);
        if is_in_use {
            let term = if is_automatic { lease } else { DEFAULT_LEASE };
            let period = renewal_pause(term).to_std().unwrap_or_default();
            let is_expired = own.claim.standing == ClaimState::Expired || has_lapsed;
            if own.renewed_at.is_none_or(|renewed| renewed + period <= now) || is_expired {
                if let Some(holding) = own.claim.holding() {
                    self.job(id, Job::Renew(holding, term));
                }
                if let Some(own) = self.own_at_mut(id, file) {
                    own.renewed_at = Some(now);
                }
            }
            due.extend(self.own_at(id, file)?.renewed_at.map(|renewed| renewed + period));
        }
        if has_lapsed {
            self.touch_all_at(id);
        }
        due.into_iter().min()
    }

    fn use_of(&self, id: DirectoryId, file: &Resource) -> DocumentUse {
        let mut use_of = DocumentUse::default();
        for document in self.documents_held_by(id, file) {
            use_of.is_open = true;
            use_of.is_unsaved |= document.unsaved != Unsaved::No;
            use_of.edited_at = use_of.edited_at.max(document.edited_at);
        }
        use_of
    }

    fn mark_idle(&mut self, id: DirectoryId, file: &Resource, since: Option<DateTime<Utc>>) {
        if let Some(own) = self.own_at_mut(id, file) {
            own.is_marked_idle = since.is_some();
            if let Some(holding) = own.claim.holding() {
                self.job(id, Job::MarkIdle(holding, since));
            }
        }
    }

    /// A forgotten document is touched again.
    pub(super) fn unmark_idle(&mut self, uri: &Uri) {
        let Some((id, file)) = self.documents.get(uri).and_then(OpenDocument::location) else { return };
        if self.own_at(id, file).is_some_and(|own| own.is_marked_idle) {
            let file = file.clone();
            self.mark_idle(id, &file, None);
            self.sweep_soon(id);
        }
    }

    /// True if nothing of what a claim is about is unsaved or was touched for so long.
    pub(super) fn rests_for(&self, id: DirectoryId, own: &OwnClaim, time: Duration) -> bool {
        let use_of = self.use_of(id, &own.claim.resource);
        !use_of.is_unsaved && self.now().saturating_sub(use_of.last_use(own)) >= time
    }
}

/// What the open documents of a claim say.
#[derive(Debug, Default)]
struct DocumentUse {
    is_open: bool,
    is_unsaved: bool,
    edited_at: Option<Duration>,
}

impl DocumentUse {
    fn last_use(&self, own: &OwnClaim) -> Duration {
        self.edited_at.max(own.saved_at).unwrap_or_default().max(own.since)
    }
}
