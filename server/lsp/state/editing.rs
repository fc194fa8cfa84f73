//! What the editor does with documents: opening, changing, saving, closing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tower_lsp::ls_types::{PublishDiagnosticsParams, TextDocumentContentChangeEvent, Uri};

use super::document::{OpenDocument, Unsaved};
use super::server_state::{ClosedDocument, ServerState};
use super::timers::Timer;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::{DiskCheck, Job};
use crate::{convert, text};
use deconflict_protocol::Resource;

/// A closed document may be opened again within this time.
const REOPENING_TIME: Duration = Duration::from_secs(2);

/// More documents than this, changed within [`BULK_TIME`], are one change of many files.
const BULK_SIZE: usize = 20;
pub(super) const BULK_TIME: Duration = Duration::from_secs(2);

/// A pause in the typing after which a document is compared with its file.
const PAUSE: Duration = Duration::from_millis(500);

/// The stamps of unsaved documents' files are compared this often.
const FILES_PAUSE: Duration = Duration::from_secs(2);

/// A claim younger than this may have been made for a reload.
const YOUNG: Duration = Duration::from_millis(500);

/// A pause in the edits of a document whose claim is young: the edits of one reload come closer together.
const RELOAD_PAUSE: Duration = Duration::from_millis(10);

/// What is not known yet is asked again after this time.
const NOT_YET: Duration = Duration::from_millis(50);

/// A save that comes so soon after a supposed reload says that it was an edit.
const SAVE_DELAY: Duration = Duration::from_secs(2);

/// Heartbeats about saves come at most this often.
const SAVES_PAUSE: Duration = Duration::from_secs(15);

/// So many of the texts that a document has while it is saved are kept: nobody types more in that time.
const MOST_SAVING: usize = 100;

impl ServerState {
    pub(super) fn opened(&mut self, uri: &Uri, text: Option<&str>) {
        let Some(path) = convert::path_of(uri) else { return };
        let mut document = OpenDocument::new(uri.clone(), path, text, self.now());
        self.find_own_repository(&document.path);
        document.directory = self.directory_of(&document.path);
        if let Some(directory) = document.directory.and_then(|id| self.directories.get(&id)) {
            // Where it was a moment ago will do until it is looked at again.
            document.place = directory.places.get(&document.path).cloned();
        }
        // Some clients open twice what they show twice.
        if let Some(before) = self.documents.remove(uri) {
            document.published = before.published;
            document.hint = before.hint;
        }
        self.closed_while_saving.remove(uri);
        self.documents.insert(uri.clone(), document);
        self.touched.insert(uri.clone());
        self.join_if_adopted(uri);
        self.recognize_rename(uri);
        self.check_and_claim(uri);
    }

    pub(super) fn changed(&mut self, uri: &Uri, edits: &[TextDocumentContentChangeEvent]) {
        let now = self.now();
        let Some(document) = self.documents.get_mut(uri) else { return };
        text::apply(&mut document.text, edits);
        document.edited_at = Some(now);
        if !document.saving.is_empty() && document.saving.len() < MOST_SAVING {
            document.saving.push(document.text.clone());
        }
        if document.equals_saved_text() {
            // An editor may tell of what it wrote after the file was read.
            let is_undo = !document.is_file_new;
            self.became_saved(uri, !is_undo);
            return;
        }
        match document.unsaved {
            Unsaved::No => {
                document.unsaved = if document.is_notebook { Unsaved::Yes } else { Unsaved::Suspected };
                document.unsaved_since = now;
                document.is_claim_due = true;
                document.is_bulk = false;
                self.count_first_change(uri);
                self.join_if_adopted(uri);
                self.check_and_claim(uri);
            }
            // The answer to the pending check will tell.
            Unsaved::Suspected => {}
            Unsaved::Yes => {
                self.consider(uri);
                self.unmark_idle(uri);
                self.timers.set_by(Timer::CheckDisk(uri.clone()), now + self.pause(uri));
            }
        }
    }

    /// A pause in the typing: is the text still another than the file's?
    pub(super) fn check_again(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(document) = self.unsaved(uri) else { return };
        match document.edited_at.map(|edited| edited + self.pause(uri)).filter(|end| *end > now) {
            Some(end) => self.timers.set(Timer::CheckDisk(uri.clone()), end),
            None => self.check_disk(uri, None),
        }
    }

    /// After what pause in the edits a document is compared with its file.
    fn pause(&self, uri: &Uri) -> Duration {
        let is_young = self.own_of(uri).is_some_and(|own| self.now().saturating_sub(own.since) <= YOUNG);
        if is_young { RELOAD_PAUSE } else { PAUSE }
    }

    /// Somebody else may write just what stands in an unsaved document, and no editor tells of it.
    pub(super) fn check_files_later(&mut self, id: DirectoryId) {
        self.timers.set_by(Timer::CheckFiles(id), self.now() + FILES_PAUSE);
    }

    pub(super) fn check_files(&mut self, id: DirectoryId) {
        let unsaved = self.documents.values().filter(|document| {
            document.directory == Some(id) && document.unsaved == Unsaved::Yes && !document.is_notebook
        });
        let files: Vec<_> = unsaved.map(|document| (document.uri.clone(), document.path.clone())).collect();
        if !files.is_empty() {
            self.job(id, Job::CheckFiles(files));
            self.check_files_later(id);
        }
    }

    pub(super) fn files_written(&mut self, documents: &[Uri]) {
        for uri in documents {
            if self.unsaved(uri).is_some() {
                self.check_disk(uri, None);
            }
        }
    }

    /// Until the editor says that it was, others' eyes see a file that nobody has written yet.
    pub(super) fn saving(&mut self, uri: &Uri) {
        let Some(document) = self.documents.get_mut(uri) else { return };
        document.saving = vec![document.text.clone()];
        let (path, directory) = (document.path.clone(), document.directory);
        if let Some(id) = directory {
            let now = self.clock.now();
            self.job(id, Job::Saving(path, now));
        }
    }

    pub(super) fn saved(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(document) = self.documents.get_mut(uri) else { return self.saved_after_closing(uri) };
        let was_reloaded = document.reloaded_at.take().is_some_and(|at| now.saturating_sub(at) < SAVE_DELAY);
        document.is_claim_due |= was_reloaded;
        let is_claim_due = document.is_claim_due;
        document.saved();
        document.settle();
        self.timers.cancel(&Timer::Withdraw(uri.clone()));
        self.timers.cancel(&Timer::CheckDisk(uri.clone()));
        self.touched.insert(uri.clone());
        let mut is_held = false;
        if let Some(own) = self.own_of_mut(uri) {
            own.saved_at = Some(now);
            is_held = true;
        }
        self.join_if_adopted(uri);
        let edit_claim = if is_claim_due && !is_held { self.edit_claim(uri) } else { None };
        self.check_disk(uri, edit_claim);
        let Some(document) = self.documents.get(uri) else { return };
        let Some(id) = document.directory else { return };
        if let (Some((_, file)), Some(directory)) = (document.work(), self.directories.get_mut(&id)) {
            directory.saved.insert(file.name().to_owned());
            let due = directory.saves_told_at.map_or(now, |told| told + SAVES_PAUSE);
            self.timers.set_by(Timer::Saves(id), due);
        }
        self.sweep_soon(id);
    }

    /// An editor that replaces a text in files that nobody has open closes each while it saves it, and tells of that later.
    fn saved_after_closing(&mut self, uri: &Uri) {
        let Some((mut document, _)) = self.closed_while_saving.remove(uri) else { return };
        let Some(id) = document.directory else { return };
        document.saved();
        // No open document waits for the answer.
        let check = DiskCheck { number: 0, ..document.next_check(None, self.clock.now()) };
        self.job(id, Job::CheckDisk(Box::new(check)));
    }

    pub(super) fn tell_saves(&mut self, id: DirectoryId) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id).filter(|directory| !directory.saved.is_empty()) else {
            return;
        };
        let files = std::mem::take(&mut directory.saved);
        if directory.session().is_some() {
            directory.saves_told_at = Some(now);
        }
        self.heartbeat(id, "saved", &files, files.iter().cloned().collect());
    }

    pub(super) fn closed(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(mut document) = self.documents.remove(uri) else { return };
        let timers: [fn(Uri) -> Timer; 5] =
            [Timer::CheckDisk, Timer::Retry, Timer::Withdraw, Timer::SameEditor, Timer::Show];
        for timer in timers {
            self.timers.cancel(&timer(uri.clone()));
        }
        self.touched.remove(uri);
        if !document.published.is_empty() {
            let nothing = PublishDiagnosticsParams { uri: uri.clone(), diagnostics: Vec::new(), version: None };
            self.effects.push(Effect::Publish(nothing));
        }
        for request in std::mem::take(&mut document.waiting) {
            request.answer_nothing();
        }
        let Some(id) = document.directory else { return };
        let file = document.resource().cloned();
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.to_announce.remove(uri);
        }
        if let Some(file) = &file {
            self.close_claim(id, file, &document.path, REOPENING_TIME);
        }
        self.closed.retain(|closed| now.saturating_sub(closed.at) < REOPENING_TIME);
        let (path, text) = (document.path.clone(), document.text.clone());
        self.closed.push(ClosedDocument { directory: id, path, text, file, at: now });
        self.closed_while_saving.retain(|_, (_, at)| now.saturating_sub(*at) < REOPENING_TIME);
        if !document.saving.is_empty() {
            self.closed_while_saving.insert(uri.clone(), (document, now));
        }
    }

    /// Lets a claim go if its document is not opened again.
    pub(super) fn close_claim(&mut self, id: DirectoryId, file: &Resource, path: &Path, wait: Duration) {
        let at = self.now() + wait;
        if let Some(own) = self.own_at_mut(id, file) {
            own.path = Some(path.to_owned());
            self.timers.set(Timer::Closed(id, file.clone()), at);
        }
    }

    /// A closed document was not opened again.
    pub(super) fn stayed_closed(&mut self, id: DirectoryId, file: &Resource) {
        if self.documents_of(id, file).next().is_some() {
            return;
        }
        if self.own_at(id, file).is_some_and(|own| own.claim.is_automatic()) {
            self.release(id, file);
        }
    }

    /// The text is what the file has: by an edit that took the others back, or by a reload.
    pub(super) fn became_saved(&mut self, uri: &Uri, is_reload: bool) {
        let now = self.now();
        let Some(document) = self.documents.get_mut(uri) else { return };
        document.based_on = Some(document.text.clone());
        if document.unsaved == Unsaved::No {
            // Some editors reload by closing and opening: what was unsaved before is no more.
            if self.own_of(uri).is_some_and(|own| own.path.is_some()) {
                self.withdraw(uri);
            }
            return;
        }
        document.settle();
        document.is_claim_due = false;
        document.reloaded_at = is_reload.then_some(now);
        self.timers.cancel(&Timer::CheckDisk(uri.clone()));
        self.touched.insert(uri.clone());
        if is_reload {
            self.withdraw_later(uri);
        } else {
            self.withdraw(uri);
        }
    }

    /// The file may be read before the editor tells that it wrote it.
    pub(super) fn withdraw_later(&mut self, uri: &Uri) {
        self.timers.set(Timer::Withdraw(uri.clone()), self.now() + YOUNG / 2);
    }

    /// Gives up what nothing was saved under, once nothing of it is unsaved.
    pub(super) fn withdraw(&mut self, uri: &Uri) {
        let Some(document) = self.documents.get(uri).filter(|document| document.unsaved == Unsaved::No) else { return };
        let Some((id, file)) = document.location() else { return };
        let file = file.clone();
        let is_free_to_go =
            self.own_at(id, &file).is_some_and(|own| own.claim.is_automatic() && own.saved_at.is_none());
        if !is_free_to_go || self.documents_of(id, &file).any(|document| document.unsaved != Unsaved::No) {
            return;
        }
        // It may be the same file under another name.
        let may_be_it = |other: &OpenDocument| other.directory == Some(id) && other.place.is_none();
        if self.documents.values().any(|other| may_be_it(other) && other.unsaved != Unsaved::No) {
            self.timers.set(Timer::Withdraw(uri.clone()), self.now() + NOT_YET);
        } else {
            self.release(id, &file);
        }
    }

    fn count_first_change(&mut self, uri: &Uri) {
        let now = self.now();
        self.first_changes.push_back(now);
        while self.first_changes.front().is_some_and(|first| now.saturating_sub(*first) > BULK_TIME) {
            self.first_changes.pop_front();
        }
        if !self.is_bulk_change() {
            return;
        }
        if self.first_changes.len() == BULK_SIZE + 1 {
            for document in self.documents.values_mut() {
                let is_recent = now.saturating_sub(document.unsaved_since) <= BULK_TIME;
                document.is_bulk |= document.edited_at.is_some() && is_recent;
                if let Some((id, file)) = document.location().filter(|_| document.is_bulk)
                    && let Some(own) = self.directories.get_mut(&id).and_then(|directory| directory.own.get_mut(file))
                {
                    own.is_bulk = true;
                }
            }
        }
        if let Some(document) = self.documents.get_mut(uri) {
            document.is_bulk = true;
        }
    }

    /// True while many files are being changed at once.
    pub(super) fn is_bulk_change(&self) -> bool {
        let last = self.first_changes.back();
        self.first_changes.len() > BULK_SIZE && last.is_some_and(|last| self.now().saturating_sub(*last) <= BULK_TIME)
    }

    /// Tells the others what is edited here without being held.
    pub(super) fn tell_editing(&mut self) {
        let wall = self.clock.now();
        for (id, directory) in self.directories.iter_mut().filter(|(_, directory)| directory.session().is_some()) {
            let unsaved = self.documents.values().filter(|it| it.unsaved == Unsaved::Yes && !it.is_claiming());
            let here = unsaved.filter_map(OpenDocument::work).filter(|(at, _)| at == id);
            let editing: BTreeSet<&Resource> =
                here.map(|(_, file)| file).filter(|file| directory.own_claim(file, wall).is_none()).collect();
            let editing: Vec<Resource> = editing.into_iter().cloned().collect();
            if directory.editing.as_ref() != Some(&editing) {
                directory.editing = Some(editing.clone());
                self.effects.push(Effect::Job(*id, Job::SetEditing(editing)));
            }
        }
    }

    /// What the others were to be told did not reach them, so that they are told again.
    pub(super) fn editing_untold(&mut self, id: DirectoryId) {
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.editing = None;
        }
    }
}
