//! Claims that follow edits: checking the file, claiming, releasing.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tower_lsp::ls_types::Uri;

use super::directory::OwnClaim;
use super::document::{Blocked, OpenDocument, PendingCheck, Unsaved};
use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::job::{ClaimResult, Claimability, EditClaim, Job, Refusal, SavedOver};
use crate::text::OnDisk;
use crate::{convert, present::messages};
use deconflict_protocol::Resource;
use deconflict_registry::{Activity, Claim, Holding, ReleaseOutcome, RenewOutcome};

/// A document is checked once more so long after its claim: that may have been made for a reload.
const SECOND_CHECK: Duration = Duration::from_millis(500);

/// Editors gather changes for so long before they tell of them.
const LATE_CHANGE: TimeDelta = TimeDelta::milliseconds(300);

/// A claim by another that the view does not show is checked again after this time.
const UNSEEN: Duration = Duration::from_secs(1);

/// A claim that could not be made is tried again after this time.
const RETRY: Duration = Duration::from_secs(5);

/// Claims and releases are gathered for so long before a heartbeat tells of them.
const GATHERING: Duration = Duration::from_millis(1_500);

impl ServerState {
    /// Checks a document's file, and claims it if it is unsaved and an edit may claim it.
    pub(super) fn check_and_claim(&mut self, uri: &Uri) {
        let edit_claim = self.edit_claim(uri);
        self.check_disk(uri, edit_claim);
    }

    /// The terms on which an edit claims; `None` where it doesn't.
    pub(super) fn edit_claim(&self, uri: &Uri) -> Option<EditClaim> {
        let document = self.documents.get(uri)?;
        let id = document.directory?;
        let directory = self.directories.get(&id)?;
        let is_wanted =
            self.settings.automatic && directory.is_active() && document.claims_by_itself() && !document.hands_off;
        let is_held = document.resource().is_some_and(|it| directory.own_claim(it, self.clock.now()).is_some());
        (is_wanted && !is_held).then(|| EditClaim {
            lease: self.lease_at(id),
            // The file was written before a claim could be asked for.
            even_if_saved: document.is_claim_due && document.saves > 0 && document.unsaved == Unsaved::No,
            only_if_file_is: document.blocked.as_ref().map(|blocked| blocked.file_was.clone()),
        })
    }

    /// Compares a document with its file.
    pub(super) fn check_disk(&mut self, uri: &Uri, claim: Option<EditClaim>) {
        let Some(document) = self.documents.get_mut(uri) else { return };
        let Some(id) = document.directory else { return };
        let (claims, is_after_save) = (claim.is_some(), claim.as_ref().is_some_and(|claim| claim.even_if_saved));
        let check = document.next_check(claim, self.clock.now());
        document.pending_checks.push_back(PendingCheck {
            number: check.number,
            text: document.text.clone(),
            saves: document.saves,
            claims,
            is_after_save,
        });
        self.job(id, Job::CheckDisk(Box::new(check)));
    }

    /// Claims an unsaved document if nothing speaks against it any more.
    pub(super) fn consider(&mut self, uri: &Uri) {
        let Some(document) = self.unsaved(uri).filter(|document| !document.is_claiming()) else { return };
        let Some(directory) = document.directory.and_then(|id| self.directories.get(&id)) else { return };
        let resource = document.resource();
        let obstacle = resource.and_then(|resource| directory.obstacle(resource));
        if let Some(by) = obstacle.filter(|by| !directory.gives_way(by)) {
            // What is held nevertheless was taken over a moment ago.
            if resource.is_some_and(|resource| directory.own_claim(resource, self.clock.now()).is_none()) {
                self.blocked(uri, by);
            }
        } else if let Some(edit_claim) = self.edit_claim(uri) {
            self.check_disk(uri, Some(edit_claim));
        }
    }

    /// Takes in what a check found.
    pub(super) fn disk_checked(
        &mut self,
        id: DirectoryId,
        uri: &Uri,
        number: u64,
        place: Claimability,
        on_disk: OnDisk,
        claim: Option<ClaimResult>,
    ) {
        let file = place.resource().cloned();
        if let (Some(document), Some(directory)) = (self.documents.get(uri), self.directories.get_mut(&id)) {
            directory.places.insert(document.path.clone(), place.clone());
        }
        let document = self.documents.get_mut(uri).filter(|document| document.directory == Some(id));
        let Some((document, check)) = document.and_then(|it| take_pending_check(it, number).map(|check| (it, check)))
        else {
            // It was closed meanwhile, or belongs to another folder now.
            if let (Some(ClaimResult::Granted(claim)), Some(file), Some(path)) = (claim, file, convert::path_of(uri)) {
                self.holds(id, claim, None);
                self.close_claim(id, &file, &path, SECOND_CHECK * 2);
                self.recognize_late_rename(id, &file, &path);
            }
            return;
        };
        self.touched.insert(uri.clone());
        document.place = Some(place);
        let was_saved_since = document.saves > check.saves;
        let was_same = matches!(on_disk, OnDisk::Same(_));
        if !was_saved_since {
            if was_same {
                document.saved_over.clear();
            }
            self.compared(uri, &check, on_disk);
        }
        if let Some(result) = claim {
            self.claim_answered(id, uri, result, was_saved_since || check.is_after_save, was_same);
        } else {
            self.consider(uri);
        }
        self.answer_waiting(uri);
    }

    fn compared(&mut self, uri: &Uri, check: &PendingCheck, on_disk: OnDisk) {
        let now = self.now();
        if self.documents.get(uri).is_none_or(|document| document.is_notebook) {
            return;
        }
        let is_same = matches!(on_disk, OnDisk::Same(_));
        let is_saved_here = self.is_saved_here(uri, &on_disk);
        let Some(document) = self.documents.get_mut(uri) else { return };
        let is_known = !matches!(on_disk, OnDisk::Unknown);
        match on_disk {
            OnDisk::Same(_) => {
                document.saved_text = check.text.clone();
                // Where the editor has written what was edited, it is about to say so, and what that replaced is kept then.
                if document.unsaved == Unsaved::No || document.file_had.text == check.text {
                    document.file_had = SavedOver { text: check.text.clone(), is_certain: true };
                }
                document.based_on = Some(check.text.clone());
            }
            OnDisk::Different(saved) => {
                document.based_on.get_or_insert_with(|| saved.clone());
                document.is_file_new |= saved != document.saved_text;
                document.saved_text = saved;
            }
            OnDisk::Unknown => {}
        }
        let was_unsaved = document.unsaved != Unsaved::No;
        if is_saved_here && document.equals_saved_text() {
            self.saved(uri);
        } else if document.equals_saved_text() {
            let is_undo = !is_same && !document.is_file_new;
            self.became_saved(uri, !is_undo);
        } else if is_same {
            // It was edited since it was checked.
            document.unsaved = Unsaved::Suspected;
            if document.pending_checks.is_empty() {
                self.check_and_claim(uri);
            }
        } else if is_known || was_unsaved {
            if !was_unsaved {
                document.unsaved_since = now;
            }
            document.unsaved = Unsaved::Yes;
            if let Some(id) = document.directory {
                self.check_files_later(id);
            }
            if is_known {
                self.merge_by_itself(uri);
            }
        }
    }

    /// True if what was unsaved here came into the file, though no editor told of a save: a reload brings what was there
    /// before the editor changed its text.
    fn is_saved_here(&self, uri: &Uri, on_disk: &OnDisk) -> bool {
        let OnDisk::Same(Some(written)) = on_disk else { return false };
        let Some(document) = self.unsaved(uri).filter(|document| !document.is_notebook) else { return false };
        let Some(edited) = document.edited_at else { return false };
        let (now, wall) = (self.now(), self.clock.now());
        let at = |moment| wall - TimeDelta::from_std(now.saturating_sub(moment)).unwrap_or_default();
        let is_young = self.own_of(uri).is_none_or(|own| self.now().saturating_sub(own.since) <= SECOND_CHECK);
        // What was typed last may be told a moment after it was written.
        let grace = if is_young { TimeDelta::zero() } else { LATE_CHANGE };
        // What was there before anything was unsaved is what an undo goes back to.
        *written > at(document.unsaved_since) && *written + grace > at(edited)
    }

    fn claim_answered(&mut self, id: DirectoryId, uri: &Uri, result: ClaimResult, was_saved: bool, was_same: bool) {
        let now = self.now();
        let Some(document) = self.documents.get_mut(uri) else { return };
        document.is_claim_due &= result == ClaimResult::NotNeeded;
        match result {
            ClaimResult::Granted(claim) => {
                // What went wrong before is over, and is told again when it comes back.
                self.told_failures.clear();
                let is_unsaved = document.unsaved != Unsaved::No;
                let is_reload = document.reloaded_at.is_some();
                document.clear_obstacles();
                let resource = claim.resource.clone();
                self.holds(id, claim, Some(uri));
                if was_saved && let Some(own) = self.own_of_mut(uri) {
                    own.saved_at = Some(now);
                }
                if is_unsaved {
                    self.timers.set_by(Timer::CheckDisk(uri.clone()), now + SECOND_CHECK);
                } else if is_reload {
                    self.withdraw_later(uri);
                } else {
                    self.withdraw(uri);
                }
                self.restored(id, uri, Some(&resource), None);
            }
            ClaimResult::Refused(by) => {
                self.restored(id, uri, None, Some(&by));
                self.blocked(uri, by);
            }
            ClaimResult::ChangedOnDisk => {
                document.blocked = None;
                document.hands_off = true;
                if let Some(resource) = document.resource().cloned() {
                    self.show_free(id, &resource, messages::free_but_changed(&resource));
                }
            }
            ClaimResult::NotNeeded => {
                // The file was written before it could be read: what looks like a reload was an edit.
                if was_saved
                    && was_same
                    && document.is_claim_due
                    && let Some(edit_claim) = self.edit_claim(uri)
                {
                    self.check_disk(uri, Some(edit_claim));
                }
                self.restored(id, uri, None, None);
            }
            ClaimResult::Failed(refusal) => {
                self.restored(id, uri, None, None);
                if let Refusal::Failed(_, cause) = refusal {
                    self.tell_failure(&cause);
                    // Whatever it is may go by itself, and nobody may touch the document for long.
                    self.timers.set_by(Timer::Retry(uri.clone()), now + RETRY);
                }
            }
        }
    }

    fn blocked(&mut self, uri: &Uri, by: Claim) {
        let Some(document) = self.documents.get_mut(uri).filter(|document| document.unsaved == Unsaved::Yes) else {
            return;
        };
        let file_was = match document.blocked.take() {
            Some(before) => before.file_was,
            None => document.saved_text.clone(),
        };
        document.blocked = Some(Blocked { by, file_was });
        let in_view = document.location().and_then(|(id, file)| self.directories.get(&id)?.obstacle(file));
        if in_view.is_none() {
            // What came and went before it was seen would never be seen to go.
            self.timers.set_by(Timer::CheckDisk(uri.clone()), self.now() + UNSEEN);
        }
        self.announce_later(uri);
    }

    /// Notes that the session holds something.
    pub(super) fn holds(&mut self, id: DirectoryId, claim: Claim, by: Option<&Uri>) {
        let now = self.now();
        let document = by.and_then(|uri| self.documents.get(uri));
        let (path, is_bulk) = document.map_or((None, false), |it| (Some(it.path.clone()), it.is_bulk));
        let name = claim.resource.name().to_owned();
        self.note_displaced(id, &claim);
        let Some(directory) = self.directories.get_mut(&id) else { return };
        match directory.own.get_mut(&claim.resource) {
            Some(own) if own.claim.holding() == claim.holding() => own.claim = claim,
            _ => {
                let own = OwnClaim { is_bulk, path, ..OwnClaim::new(claim.clone(), now) };
                directory.own.insert(claim.resource.clone(), own);
                directory.released.remove(&name);
                directory.claimed.insert(name);
                self.timers.set_by(Timer::Claims(id), now + GATHERING);
                self.timers.set_by(Timer::Verify(id), now + UNSEEN);
            }
        }
        self.sweep_soon(id);
        self.notice_contenders(id);
        self.touch_all_at(id);
    }

    /// Gives up what the session holds. Whoever asked for it is told.
    pub(super) fn release(&mut self, id: DirectoryId, file: &Resource) {
        self.give_up(id, file, Job::Release);
    }

    /// Gives something up to somebody who sees it at once.
    pub(super) fn give_way(&mut self, id: DirectoryId, file: &Resource) {
        self.give_up(id, file, Job::GiveWay);
    }

    fn give_up(&mut self, id: DirectoryId, file: &Resource, job: fn(Holding) -> Job) {
        let Some(own) = self.directories.get_mut(&id).and_then(|it| it.own.remove(file)) else { return };
        if let Some(holding) = own.claim.holding() {
            self.job(id, job(holding));
        }
        self.freed(id, &own.claim);
    }

    /// Notes that the session gave something up.
    pub(super) fn freed(&mut self, id: DirectoryId, claim: &Claim) {
        let now = self.now();
        let name = claim.resource.name().to_owned();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        // What was not told yet needs no taking back.
        if !directory.claimed.remove(&name) {
            directory.released.insert(name);
        }
        directory.requests.remove(&claim.resource);
        self.timers.set_by(Timer::Claims(id), now + GATHERING);
        self.touch_all_at(id);
    }

    /// Lets a heartbeat tell what was claimed and released.
    pub(super) fn tell_claims(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let (claimed, released) = (std::mem::take(&mut directory.claimed), std::mem::take(&mut directory.released));
        self.heartbeat(id, "claimed", &claimed, Vec::new());
        self.heartbeat(id, "released", &released, Vec::new());
    }

    /// Tells what was done to these files; nothing where there are none, or no session.
    pub(super) fn heartbeat(&mut self, id: DirectoryId, action: &str, files: &BTreeSet<String>, touched: Vec<String>) {
        let Some(directory) = self.directories.get(&id).filter(|directory| directory.session().is_some()) else {
            return;
        };
        let Some(first) = files.first() else { return };
        let target = if files.len() == 1 { first.clone() } else { format!("{} files", files.len()) };
        let target = (!directory.is_work_told).then_some(target);
        self.job(id, Job::Heartbeat(Activity { files_touched: touched, ..Activity::new(action, target) }));
    }

    pub(super) fn released(&mut self, id: DirectoryId, holding: &Holding, outcome: &ReleaseOutcome) {
        if let ReleaseOutcome::NotHolder(claim) = outcome {
            tracing::info!("{} was held by another when it was released: {:?}", holding.resource, claim.holder());
        }
        // It was forgotten when its release was asked for. Whoever was told meanwhile that it is held is wrong now.
        if self.holds_still(id, holding) {
            self.verified(id, &holding.resource, None);
        }
    }

    pub(super) fn renewed(&mut self, id: DirectoryId, holding: &Holding, outcome: RenewOutcome) {
        match outcome {
            RenewOutcome::Renewed(claim) => {
                if self.holds_still(id, holding)
                    && let Some(own) = self.own_at_mut(id, &claim.resource)
                {
                    let before = std::mem::replace(&mut own.claim, claim);
                    if self.has_lapsed(id, &before) {
                        self.sweep_soon(id);
                        self.touch_all_at(id);
                    }
                }
            }
            RenewOutcome::Lost(successor) => self.verified(id, &holding.resource, successor),
        }
    }

    /// True if the session holds something by this very holding, as far as it knows.
    pub(super) fn holds_still(&self, id: DirectoryId, holding: &Holding) -> bool {
        self.own_at(id, &holding.resource).is_some_and(|own| own.claim.holding().as_ref() == Some(holding))
    }
}

/// Takes the check with this number, and forgets those before it, which nobody will answer any more.
fn take_pending_check(document: &mut OpenDocument, number: u64) -> Option<PendingCheck> {
    std::iter::from_fn(|| document.pending_checks.pop_front()).find(|check| check.number == number)
}
