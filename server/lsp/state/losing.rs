//! Claims that went without this server's doing: taken over, deleted by a script, lost with the directory; and those
//! that came, by a hand-off or from a terminal that acts for the same session.

use std::collections::HashSet;
use std::time::Duration;

use tower_lsp::ls_types::Uri;

use super::directory::{OwnClaim, Restoring};
use super::document::{Blocked, Lost, Unsaved};
use super::server_state::ServerState;
use super::timers::Timer;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::present::messages;
use deconflict_protocol::{ClaimKey, Resource, SessionId};
use deconflict_registry::{Claim, ClaimState, Draft, Recipient, StoredClaim};

/// A claim's file that is being written is read again after this time.
const BEING_WRITTEN: Duration = Duration::from_millis(100);

/// A claim's file that was removed is looked for after this time. Whoever removes the whole directory is done by then, and
/// did not find something new in it when it was about to be empty.
const BEING_REMOVED: Duration = Duration::from_millis(100);

impl ServerState {
    /// Compares a claim file that changed with what the session believes to hold.
    pub(super) fn compare_own_claim(
        &mut self,
        id: DirectoryId,
        session: &SessionId,
        file: &ClaimKey,
        stored: Option<&StoredClaim>,
    ) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let held_there = || directory.own.values().find(|own| own.claim.key == *file).map(|own| &own.claim.resource);
        let Some(resource) = stored.map(|stored| &stored.resource).or_else(held_there).cloned() else { return };
        let is_ours = stored.is_some_and(|stored| stored.holder() == Some(session));
        match directory.own.get_mut(&resource) {
            Some(own) if is_ours && stored.is_some_and(|stored| own.claim.id() == stored.id()) => {
                own.is_seen = true;
                return;
            }
            None if !is_ours => return,
            Some(own) if stored.is_none() => {
                own.is_seen = false;
                self.timers.set_by(Timer::Verify(id), self.clock.elapsed() + BEING_REMOVED);
                return;
            }
            // It may also be news from before the claim was made or released, which reading the file will tell.
            _ => {}
        }
        if directory.verifying.insert(resource.clone()) {
            self.job(id, Job::Verify(resource));
        } else {
            directory.verifying_late.insert(resource);
        }
    }

    /// Reads again what is held and has not come back from the directory: what came and went between two scans of the
    /// watch is never told.
    pub(super) fn verify_unseen(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        for (resource, _) in directory.own.iter().filter(|(_, own)| !own.is_seen) {
            if directory.verifying.insert(resource.clone()) {
                self.effects.push(Effect::Job(id, Job::Verify(resource.clone())));
            }
        }
    }

    /// Takes in who holds a resource now.
    pub(super) fn verified(&mut self, id: DirectoryId, resource: &Resource, claim: Option<Claim>) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        directory.verifying.remove(resource);
        if directory.verifying_late.remove(resource) {
            directory.verifying.insert(resource.clone());
            self.effects.push(Effect::Job(id, Job::Verify(resource.clone())));
        }
        if let Some(own) = directory.own.get_mut(resource)
            && claim.as_ref().is_some_and(|claim| claim.standing == ClaimState::Pending)
        {
            // Whoever writes there is not done: whose it is will be known in a moment.
            own.is_seen = false;
            self.timers.set_by(Timer::Verify(id), now + BEING_WRITTEN);
            return;
        }
        match claim {
            Some(claim) if directory.is_own(&claim) => {
                match directory.own.get_mut(resource) {
                    Some(own) if own.claim.id() == claim.id() => {
                        own.claim = claim;
                        own.is_seen = true;
                    }
                    _ => {
                        let own = OwnClaim { is_seen: true, ..OwnClaim::new(claim, now) };
                        directory.own.insert(resource.clone(), own);
                        self.sweep_soon(id);
                    }
                }
                for document in self.documents_held_by_mut(id, resource) {
                    document.clear_obstacles();
                }
            }
            successor => {
                if let Some(own) = directory.own.remove(resource) {
                    let overwriter = successor.as_ref().and_then(|successor| overwriter(&own.claim, successor));
                    if let Some(lost) = &mut directory.lost_asleep {
                        lost.push((resource.clone(), successor.clone()));
                    }
                    // Who takes over sends a message, which says all there is to say.
                    let is_told = overwriter.is_none();
                    self.lost(id, resource, successor.as_ref(), is_told);
                    if let Some(overwriter) = overwriter {
                        // So that it can look before it goes on.
                        let draft = Draft::overwritten(resource, own.claim.id());
                        self.job(id, Job::Send(Recipient::Session(overwriter), Box::new(draft)));
                    }
                }
            }
        }
        self.touch_all_at(id);
    }

    fn lost(&mut self, id: DirectoryId, resource: &Resource, successor: Option<&Claim>, is_told: bool) {
        let successor = successor.filter(|claim| claim.stands_against(None));
        let mut free = Vec::new();
        let mut told = Vec::new();
        for document in self.documents_held_by_mut(id, resource).filter(|it| it.unsaved == Unsaved::Yes) {
            if let Some(successor) = successor {
                document.lost = Some(Lost::default());
                document.blocked = Some(Blocked { by: successor.clone(), file_was: document.saved_text.clone() });
                told.push((document.uri.clone(), successor.holding()));
            } else {
                free.push(document.uri.clone());
            }
        }
        if let Some(directory) = self.directories.get_mut(&id).filter(|_| is_told) {
            directory.announced.extend(told);
        }
        // Nobody has these: whoever deleted the claim didn't want it.
        for uri in free {
            self.consider(&uri);
        }
    }

    /// Everything went with the directory. What has unsaved changes is claimed again, the rest counts as released.
    pub(super) fn directory_lost(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let held = std::mem::take(&mut directory.own);
        directory.verifying.clear();
        directory.verifying_late.clear();
        directory.editing = None;
        directory.unread.clear();
        directory.requests.clear();
        if held.is_empty() {
            return;
        }
        let waiting: HashSet<Uri> = held
            .values()
            .flat_map(|own| self.documents_held_by(id, &own.claim.resource))
            .filter(|document| document.unsaved == Unsaved::Yes)
            .map(|document| document.uri.clone())
            .collect();
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.restoring = Some(Restoring { waiting: waiting.clone(), ..Restoring::default() });
        }
        for uri in &waiting {
            self.consider(uri);
        }
        self.report_restoring(id);
        self.touch_all_at(id);
    }

    /// Notes what became of a document whose claim went with the directory.
    pub(super) fn restored(&mut self, id: DirectoryId, uri: &Uri, again: Option<&Resource>, taken: Option<&Claim>) {
        let resource = self.documents.get(uri).and_then(|document| document.resource().cloned());
        let Some(restoring) = self.directories.get_mut(&id).and_then(|it| it.restoring.as_mut()) else { return };
        if !restoring.waiting.remove(uri) {
            return;
        }
        restoring.claimed_again.extend(again.cloned());
        if let (Some(claim), Some(resource)) = (taken, resource) {
            restoring.taken.push((resource, claim.clone()));
            if let Some(document) = self.documents.get_mut(uri) {
                document.lost = Some(Lost::default());
            }
        }
        self.report_restoring(id);
    }

    fn report_restoring(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let Some(restoring) = directory.restoring.take_if(|restoring| restoring.waiting.is_empty()) else { return };
        let taken: Vec<_> = restoring
            .taken
            .into_iter()
            .map(|(resource, claim)| (resource, self.others_claim(id, claim, None)))
            .collect();
        self.show(messages::directory_lost(&restoring.claimed_again, &taken));
    }
}

/// Whoever wrote a claim over another without taking the lock: a take-over raises the generation, a script knows none.
fn overwriter(lost: &Claim, successor: &Claim) -> Option<SessionId> {
    (successor.generation() <= lost.generation()).then(|| successor.holder().cloned()).flatten()
}
