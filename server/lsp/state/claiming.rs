//! Claims that follow edits: checking the file, claiming, releasing.

use std::collections::BTreeSet;
use std::time::Duration;

use tower_lsp::ls_types::Uri;

use super::ServerState;
use super::directory::{DirectoryContext, OwnClaim};
use super::document::{Blocked, OpenDocument, PendingCheck, Unsaved};
use super::timers::Timer;
use crate::convert;
use crate::event::DirectoryId;
use crate::job::{ClaimResult, Claimability, DiskCheck, EditClaim, Job, Refusal};
use crate::text::OnDisk;
use deconflict_protocol::Resource;
use deconflict_registry::{Activity, Claim, Draft, Holding, Recipient, ReleaseOutcome, RenewOutcome};

/// A document is checked once more so long after its claim: that may have been made for a reload.
const SECOND_CHECK: Duration = Duration::from_millis(500);

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
        let wall = self.clock.now();
        let is_held = document.resource().is_some_and(|resource| directory.own_claim(resource, wall).is_some());
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
        document.last_check += 1;
        document.pending_checks.push_back(PendingCheck {
            number: document.last_check,
            text: document.text.clone(),
            saves: document.saves,
            claims: claim.is_some(),
            is_after_save: claim.as_ref().is_some_and(|edit_claim| edit_claim.even_if_saved),
        });
        let check = DiskCheck {
            uri: uri.clone(),
            number: document.last_check,
            path: document.path.clone(),
            text: (!document.is_notebook).then(|| document.text.clone()),
            is_edited: document.unsaved != Unsaved::No,
            is_saved: document.saves > 0 && document.unsaved == Unsaved::No,
            claim,
        };
        self.job(id, Job::CheckDisk(Box::new(check)));
    }

    /// Claims an unsaved document if nothing speaks against it any more.
    pub(super) fn consider(&mut self, uri: &Uri) {
        let Some(document) = self.documents.get(uri).filter(|document| document.unsaved == Unsaved::Yes) else {
            return;
        };
        let Some(directory) = document.directory.and_then(|id| self.directories.get(&id)) else { return };
        if let Some(resource) = document.resource()
            && !directory.obstacles(resource).is_empty()
        {
            self.block_unclaimed(uri);
            return;
        }
        if !document.is_claiming()
            && let Some(edit_claim) = self.edit_claim(uri)
        {
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
        let path_and_place = self.documents.get(uri).map(|document| (document.path.clone(), place.clone()));
        if let (Some((path, place)), Some(directory)) = (path_and_place, self.directories.get_mut(&id)) {
            directory.places.insert(path, place);
        }
        let check = self
            .documents
            .get_mut(uri)
            .filter(|document| document.directory == Some(id))
            .and_then(|document| take_pending_check(document, number));
        let Some(check) = check else {
            // It was closed meanwhile, or belongs to another folder now.
            if let (Some(ClaimResult::Granted(claim)), Some(file), Some(path)) = (claim, file, convert::path_of(uri)) {
                self.holds(id, claim, None);
                self.close_claim(id, &file, &path, SECOND_CHECK * 2);
                self.recognize_late_rename(id, &file, &path);
            }
            return;
        };
        self.touched.insert(uri.clone());
        let Some(document) = self.documents.get_mut(uri) else { return };
        document.place = Some(place);
        let was_saved_since = document.saves > check.saves;
        let was_same = matches!(on_disk, OnDisk::Same);
        if !was_saved_since {
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
        let Some(document) = self.documents.get_mut(uri) else { return };
        if document.is_notebook {
            return;
        }
        let is_same = matches!(on_disk, OnDisk::Same);
        let is_known = match on_disk {
            OnDisk::Same => {
                document.saved_text = check.text.clone();
                true
            }
            OnDisk::Different(saved) => {
                document.saved_text = saved;
                true
            }
            OnDisk::Unknown => false,
        };
        let was_unsaved = document.unsaved != Unsaved::No;
        if document.equals_saved_text() {
            self.became_saved(uri, is_same);
        } else if is_same {
            // It was edited since it was checked.
            document.unsaved = Unsaved::Suspected;
            if document.pending_checks.is_empty() {
                self.check_and_claim(uri);
            }
        } else if is_known || was_unsaved {
            if !was_unsaved {
                document.unsaved_since = self.clock.elapsed();
            }
            if let Some(document) = self.documents.get_mut(uri) {
                document.unsaved = Unsaved::Yes;
                if let Some(id) = document.directory {
                    self.check_files_later(id);
                }
            }
        }
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
                document.blocked = None;
                document.lost = None;
                let resource = claim.resource.clone();
                self.holds(id, claim, Some(uri));
                if was_saved && let Some(own) = self.own_of_mut(uri) {
                    own.saved_at = Some(now);
                }
                if is_unsaved {
                    self.timers.set_by(Timer::CheckDisk(uri.clone()), now + SECOND_CHECK);
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
                    self.show(crate::present::messages::free_but_changed(&resource));
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
        let is_in_view = document
            .directory
            .zip(document.resource())
            .and_then(|(id, resource)| Some(!self.directories.get(&id)?.obstacles(resource).is_empty()))
            .unwrap_or(false);
        if !is_in_view {
            // What came and went before it was seen would never be seen to go.
            self.timers.set_by(Timer::CheckDisk(uri.clone()), self.now() + UNSEEN);
        }
        self.announce_later(uri);
    }

    /// Notes what stands against a document that is unsaved and not held.
    fn block_unclaimed(&mut self, uri: &Uri) {
        let Some(document) = self.documents.get(uri) else { return };
        let Some(directory) = document.directory.and_then(|id| self.directories.get(&id)) else { return };
        let Some(resource) = document.resource() else { return };
        if directory.own_claim(resource, self.clock.now()).is_some() || document.is_claiming() {
            return;
        }
        if let Some(by) = directory.obstacles(resource).into_iter().next() {
            self.blocked(uri, by);
        }
    }

    /// Notes that the session holds something.
    pub(super) fn holds(&mut self, id: DirectoryId, claim: Claim, by: Option<&Uri>) {
        let now = self.now();
        let document = by.and_then(|uri| self.documents.get(uri));
        let (path, is_bulk) = document.map_or((None, false), |it| (Some(it.path.clone()), it.is_bulk));
        let name = claim.resource.name().to_owned();
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
        self.touch_all_at(id);
    }

    /// Gives up what the session holds.
    pub(super) fn release(&mut self, id: DirectoryId, file: &Resource) {
        let Some(own) = self.directories.get_mut(&id).and_then(|it| it.own.remove(file)) else { return };
        if let Some(holding) = own.claim.holding() {
            self.job(id, Job::Release(holding));
        }
        self.freed(id, &own.claim);
    }

    /// Notes that the session gave something up, and answers those who asked for it.
    pub(super) fn freed(&mut self, id: DirectoryId, claim: &Claim) {
        let now = self.now();
        let name = claim.resource.name().to_owned();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        // What was not told yet needs no taking back.
        if !directory.claimed.remove(&name) {
            directory.released.insert(name);
        }
        let asked: BTreeSet<_> = directory.requests.remove(&claim.resource).unwrap_or_default();
        self.timers.set_by(Timer::Claims(id), now + GATHERING);
        for session in asked {
            let draft = Draft::released(&claim.resource);
            self.job(id, Job::Send(Recipient::Session(session), Box::new(draft)));
        }
        self.touch_all_at(id);
    }

    /// Lets a heartbeat tell what was claimed and released.
    pub(super) fn tell_claims(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let told = [
            ("claimed", std::mem::take(&mut directory.claimed)),
            ("released", std::mem::take(&mut directory.released)),
        ];
        let is_work_told = directory.is_work_told;
        if directory.session().is_none() {
            return;
        }
        for (action, names) in told {
            let target = match names.len() {
                0 => continue,
                1 => names.first().cloned().unwrap_or_default(),
                count => format!("{count} files"),
            };
            let target = (!is_work_told).then_some(target);
            self.job(id, Job::Heartbeat(Activity::new(action, target)));
        }
    }

    pub(super) fn released(&mut self, id: DirectoryId, holding: &Holding, outcome: &ReleaseOutcome) {
        if let ReleaseOutcome::NotHolder(claim) = outcome {
            tracing::info!("{} was held by another when it was released: {:?}", holding.resource, claim.holder());
        }
        // It was forgotten when its release was asked for. Whoever was told meanwhile that it is held is wrong now.
        let file = holding.resource.clone();
        if self.own_at(id, &file).is_some_and(|own| own.claim.holding().as_ref() == Some(holding)) {
            self.verified(id, &holding.resource, None);
        }
    }

    pub(super) fn renewed(&mut self, id: DirectoryId, holding: &Holding, outcome: RenewOutcome) {
        match outcome {
            RenewOutcome::Renewed(claim) => {
                if let Some(own) = self.own_at_mut(id, &claim.resource)
                    && own.claim.holding().as_ref() == Some(holding)
                {
                    let before = std::mem::replace(&mut own.claim, claim);
                    if self.has_lapsed(id, &before) {
                        self.sweep_soon(id);
                        self.touch_all_at(id);
                    }
                }
            }
            RenewOutcome::Lost(successor) => self.verified(id, &holding.resource.clone(), successor),
        }
    }

    /// What the session holds of a document itself.
    pub(super) fn own_of(&self, uri: &Uri) -> Option<&OwnClaim> {
        let document = self.documents.get(uri)?;
        self.own_at(document.directory?, document.resource()?)
    }

    pub(super) fn own_of_mut(&mut self, uri: &Uri) -> Option<&mut OwnClaim> {
        let document = self.documents.get(uri)?;
        let (id, file) = (document.directory?, document.resource()?.clone());
        self.own_at_mut(id, &file)
    }

    pub(super) fn own_at(&self, id: DirectoryId, file: &Resource) -> Option<&OwnClaim> {
        self.directories.get(&id)?.own.get(file)
    }

    pub(super) fn own_at_mut(&mut self, id: DirectoryId, file: &Resource) -> Option<&mut OwnClaim> {
        self.directories.get_mut(&id).and_then(|directory: &mut DirectoryContext| directory.own.get_mut(file))
    }

    /// The open documents whose claim has this file.
    pub(super) fn documents_of(&self, id: DirectoryId, file: &Resource) -> impl Iterator<Item = &OpenDocument> {
        self.documents.values().filter(move |document| {
            document.directory == Some(id) && document.resource().is_some_and(|resource| resource == file)
        })
    }

    pub(super) fn touch_all_at(&mut self, id: DirectoryId) {
        let here = self.documents_at(id);
        self.touched.extend(here);
        self.status_may_differ();
    }
}

/// Takes the check with this number, and forgets those before it, which nobody will answer any more.
fn take_pending_check(document: &mut OpenDocument, number: u64) -> Option<PendingCheck> {
    while let Some(check) = document.pending_checks.pop_front() {
        if check.number == number {
            return Some(check);
        }
    }
    None
}
