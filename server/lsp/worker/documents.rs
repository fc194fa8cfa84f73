//! Documents and their files: what a path is called, whether its text is saved, and claims that follow edits and files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ropey::Rope;
use tower_lsp::ls_types::Uri;

use super::journal_keeper::{News, Save, SavedTexts};
use super::session_context::SessionContext;
use crate::job::{ClaimResult, Claimability, DiskCheck, EditClaim, JobResult, Move, Refusal};
use crate::text::{OnDisk, compare_with_file};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimOutcome, Error, Registry, Terms};
use deconflict_workspace::{Kind, Located, Repository};

impl SessionContext {
    /// Tells which files are not as they were the last time. Reading them is left to whoever wants to know more.
    pub(super) fn check_files(&mut self, files: Vec<(Uri, PathBuf)>) -> Option<JobResult> {
        let before = std::mem::take(&mut self.files);
        let mut written = Vec::new();
        for (uri, path) in files {
            let stamp = stamp_of(&path);
            if before.get(&path).is_none_or(|before| *before != stamp) {
                written.push(uri);
            }
            self.files.insert(path, stamp);
        }
        (!written.is_empty()).then_some(JobResult::Written(written))
    }

    /// Compares a document with its file, and claims it where an edit does.
    pub(super) fn check_disk(&mut self, check: DiskCheck) -> JobResult {
        let DiskCheck { uri, number, path, text, is_edited, is_known_edited, is_saved, is_new_save, .. } = check;
        let (saving, saved_over, claim, told_at) = (check.saving, check.saved_over, check.claim, check.asked_at);
        let (place, repository) = self.place_in_repository(&path);
        let is_text = text.is_some();
        let saved_text = text.clone().filter(|_| is_new_save);
        let on_disk = match text.as_ref().map_or(OnDisk::Unknown, |text| compare_with_file(text, &path)) {
            // Some editors end the last line of what they open, and of what they save.
            OnDisk::Different(saved)
                if (is_saved || !is_edited) && text.is_some_and(|text| ends_differently(&text, &saved)) =>
            {
                OnDisk::Same(None)
            }
            // In an encoding that is not known here only the file's stamp tells a reload from an edit.
            OnDisk::Unknown if is_text => match self.is_written_since(&path) {
                _ if is_new_save => OnDisk::Same(None),
                Some(true) if !is_known_edited => OnDisk::Same(None),
                None if !is_edited => OnDisk::Same(None),
                Some(_) | None => OnDisk::Unknown,
            },
            compared => compared,
        };
        let claim = claim.map(|edit_claim| {
            let is_unsaved = match &on_disk {
                OnDisk::Same(_) => edit_claim.even_if_saved,
                OnDisk::Different(_) => true,
                OnDisk::Unknown => is_edited,
            };
            match &place {
                Claimability::Inside { resource, by_itself: true, .. } if is_unsaved => {
                    let branch = repository.as_ref().and_then(|repository| self.branches.of(repository));
                    self.claim_for_edit(resource, &path, branch, &edit_claim)
                }
                _ => ClaimResult::NotNeeded,
            }
        });
        if let Claimability::Inside { resource, is_work: true, .. } = &place {
            // What stands there may be another's by now, and the user may have typed on while it was written.
            let is_own = |saved: &Rope| saving.iter().any(|text| text == saved);
            if is_new_save && !matches!(&on_disk, OnDisk::Different(saved) if !is_own(saved)) {
                let saved = match &on_disk {
                    OnDisk::Same(_) => saved_text,
                    OnDisk::Different(saved) => Some(saved.clone()),
                    // It may have been read in another encoding.
                    OnDisk::Unknown => None,
                };
                let texts = saved.map(|text| SavedTexts { text, over: saved_over });
                self.tell_journal(News::Saved(resource.clone(), Save { told_at, texts }));
            } else {
                if is_new_save {
                    let texts = saved_text.map(|text| SavedTexts { text, over: saved_over });
                    self.tell_journal(News::SavedAndGone(resource.clone(), Save { told_at, texts }));
                }
                self.seen(resource);
            }
        }
        JobResult::DiskChecked { uri, number, place, on_disk, claim }
    }

    /// Whether a file was written since it was asked for last; `None` the first time, and where there is no plain file.
    fn is_written_since(&mut self, path: &Path) -> Option<bool> {
        let stamp = stamp_of(path)?;
        let before = self.stamps.insert(path.to_owned(), stamp);
        before.map(|before| before != stamp)
    }

    /// Where a path is, and whether an edit there may claim it.
    pub(super) fn place(&self, path: &Path) -> Claimability {
        self.place_in_repository(path).0
    }

    /// The same, and the repository that the file is in.
    fn place_in_repository(&self, path: &Path) -> (Claimability, Option<Repository>) {
        let located = match self.namer.locate(path, Kind::File) {
            Ok(located) => located,
            Err(error) => return (Claimability::Outside(error.to_string()), None),
        };
        let Located { resource, path: real_path, repository } = located;
        let is_ignored = || repository.as_ref().is_some_and(|it| self.ignored.is_ignored_in(it, &real_path));
        let is_work = !self.namer.is_internal(&resource) && !is_ignored();
        let is_excluded = {
            let in_workspace =
                real_path.strip_prefix(&self.location.workspace).unwrap_or(Path::new(resource.relative()));
            self.exclusions.contains(in_workspace) || self.exclusions.contains(Path::new(resource.relative()))
        };
        (Claimability::Inside { resource, by_itself: is_work && !is_excluded, is_work }, repository)
    }

    /// The terms of a claim of a path: by hand, for as long as such claims last.
    pub(super) fn terms(resource: &Resource, path: &Path) -> Terms {
        Self::terms_on(resource, repository_of(path).as_ref().and_then(Repository::branch))
    }

    fn terms_on(resource: &Resource, branch: Option<String>) -> Terms {
        Terms { branch, worktree: resource.worktree().map(str::to_owned), ..Terms::default() }
    }

    fn claim_for_edit(
        &mut self,
        resource: &Resource,
        path: &Path,
        branch: Option<String>,
        edit_claim: &EditClaim,
    ) -> ClaimResult {
        if let Some(expected) = &edit_claim.only_if_file_is
            && matches!(compare_with_file(expected, path), OnDisk::Different(_))
        {
            return ClaimResult::ChangedOnDisk;
        }
        let terms = Terms { lease: edit_claim.lease, automatic: true, ..Self::terms_on(resource, branch) };
        match self.claim(resource, &terms) {
            Ok(ClaimOutcome::Granted { claim, .. }) => {
                self.tell_journal(News::Edited(resource.clone()));
                ClaimResult::Granted(claim)
            }
            Ok(ClaimOutcome::AlreadyHeld { claim }) => ClaimResult::Granted(claim),
            Ok(ClaimOutcome::Refused { by }) => ClaimResult::Refused(by),
            Err(refusal) => ClaimResult::Failed(refusal),
        }
    }

    /// Lets a claim follow its file to a new path.
    pub(super) fn move_claim(&mut self, moved: Move) -> JobResult {
        let Move { holding, from, to, only_if_gone } = moved;
        let nothing = JobResult::Moved(holding.clone(), None);
        if only_if_gone && from.symlink_metadata().is_ok() {
            return nothing;
        }
        let Claimability::Inside { resource, .. } = self.place(&to) else { return nothing };
        if resource == holding.resource {
            return nothing;
        }
        if only_if_gone {
            // No editor told of it, and what went with it is no loss.
            self.tell_journal(News::Moved(vec![from, to.clone()]));
        }
        let follow =
            |registry: &Registry, _: &SessionId| -> Result<_, Error> { registry.move_claim(&holding, &resource) };
        match self.with_session(false, follow) {
            Ok(outcome) => JobResult::Moved(holding.clone(), Some((to, outcome))),
            Err(Refusal::Failed(_, message)) => JobResult::Failed(message),
            Err(_) => nothing,
        }
    }
}

/// The repository that a file is in.
fn repository_of(path: &Path) -> Option<Repository> {
    Repository::containing(path.parent()?).ok().flatten()
}

/// What tells whether a plain file was written.
fn stamp_of(path: &Path) -> Option<(SystemTime, u64)> {
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((file.modified().ok()?, file.len()))
}

/// True if one text is the other and one more line end.
fn ends_differently(one: &Rope, other: &Rope) -> bool {
    let (shorter, longer) = if one.len_chars() < other.len_chars() { (one, other) } else { (other, one) };
    let rest = longer.slice(shorter.len_chars()..);
    longer.slice(..shorter.len_chars()) == *shorter && (rest == "\n" || rest == "\r\n" || rest == "\r")
}
