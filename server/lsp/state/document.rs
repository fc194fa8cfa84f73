//! One open document, and what is known of its text and its file.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ropey::Rope;
use tower_lsp::ls_types::{Diagnostic, Uri};

use super::rate_limit::RateLimit;
use crate::event::{DirectoryId, Request};
use crate::job::{Claimability, DiskCheck, EditClaim, SavedOver};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::Claim;

/// So many of the texts that saves replaced are kept until the file is checked.
const MOST_SAVED_OVER: usize = 20;

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact")]
pub(super) struct OpenDocument {
    pub(super) uri: Uri,
    pub(super) path: PathBuf,
    /// The directory that its folder belongs to; `None` while that is not known, and outside of all folders.
    pub(super) directory: Option<DirectoryId>,
    /// Where it is; `None` until the worker has found out.
    pub(super) place: Option<Claimability>,
    /// Its text. Empty for a notebook, whose text is not its file's.
    pub(super) text: Rope,
    /// A notebook: whether it is saved is known only by what the editor says.
    pub(super) is_notebook: bool,
    /// What its file has, as far as that was seen.
    pub(super) saved_text: Rope,
    /// While it was unsaved, something else came into its file: perhaps a later text of its own.
    pub(super) is_file_new: bool,
    /// What its file had before the last save, or when it was opened: nobody else may have seen that.
    pub(super) file_had: SavedOver,
    /// What its last saves replaced, the oldest first, until a check finds what was saved.
    pub(super) saved_over: Vec<SavedOver>,
    /// The last text that it and its file both had, as far as that is known.
    pub(super) based_on: Option<Rope>,
    /// What its file had when it was merged by itself last.
    pub(super) merge_tried: Option<Rope>,
    /// A character in which both differed when they were last compared.
    difference: usize,
    /// Whether its text differs from its file.
    pub(super) unsaved: Unsaved,
    /// Since when it may differ.
    pub(super) unsaved_since: Duration,
    pub(super) edited_at: Option<Duration>,
    /// When an edit turned out to be a reload.
    pub(super) reloaded_at: Option<Duration>,
    /// An edit made it unsaved, and no claim was asked for yet or its answer has not come.
    pub(super) is_claim_due: bool,
    /// The texts that it has had since it began to be saved: one of them comes into the file, whatever is typed meanwhile.
    pub(super) saving: Vec<Rope>,
    pub(super) saves: u64,
    /// How often it had been saved when it was checked last.
    pub(super) saves_checked: u64,
    /// The checks of its file that are not answered yet.
    pub(super) pending_checks: VecDeque<PendingCheck>,
    pub(super) last_check: u64,
    /// The user gave it up by hand, or it changed on disk meanwhile: it is not claimed before it is saved.
    pub(super) hands_off: bool,
    /// It is one of many that were changed at once.
    pub(super) is_bulk: bool,
    /// Another's claim that keeps it from being claimed.
    pub(super) blocked: Option<Blocked>,
    /// It was held with unsaved changes and is no longer.
    pub(super) lost: Option<Lost>,
    /// The sessions that are told of in it.
    pub(super) concerned: Vec<SessionId>,
    /// Sessions that edit it too, of which the user has taken note.
    pub(super) acknowledged: HashSet<SessionId>,
    pub(super) published: Vec<Diagnostic>,
    pub(super) hint: Option<String>,
    /// How often the editor is told of it.
    pub(super) publications: RateLimit,
    /// Questions that wait until it is known where it is.
    pub(super) waiting: Vec<Request>,
}

/// Whether a document's text differs from its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaved {
    No,
    /// It differs from what the file had; whether it still does is being checked.
    Suspected,
    Yes,
}

/// A check of a document's file that is not answered yet.
#[derive(Debug)]
pub(super) struct PendingCheck {
    pub(super) number: u64,
    /// The text that was compared.
    pub(super) text: Rope,
    /// How often the document had been saved then.
    pub(super) saves: u64,
    /// Whether it was to claim.
    pub(super) claims: bool,
    /// Whether it was to claim although the text was saved meanwhile.
    pub(super) is_after_save: bool,
}

/// What keeps a document from being claimed.
#[derive(Debug, Clone)]
pub(super) struct Blocked {
    pub(super) by: Claim,
    /// What the file had when the edit began.
    pub(super) file_was: Rope,
}

/// A claim that was lost under unsaved changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost {
    /// The user has taken note of it.
    pub(super) is_acknowledged: bool,
}

impl OpenDocument {
    /// The editor has saved it.
    pub(super) fn saved(&mut self) {
        self.saves += 1;
        let has = SavedOver { text: self.text.clone(), is_certain: true };
        let had = std::mem::replace(&mut self.file_had, has);
        if self.saved_over.len() < MOST_SAVED_OVER && !self.is_notebook {
            self.saved_over.push(had);
        }
        self.saved_text = self.text.clone();
        self.based_on = Some(self.text.clone());
    }

    /// What its file is to be compared with next, and whether it is claimed where that finds an edit.
    pub(super) fn next_check(&mut self, claim: Option<EditClaim>, now: DateTime<Utc>) -> DiskCheck {
        self.last_check += 1;
        let is_new_save = std::mem::replace(&mut self.saves_checked, self.saves) < self.saves;
        DiskCheck {
            uri: self.uri.clone(),
            number: self.last_check,
            asked_at: now,
            path: self.path.clone(),
            text: (!self.is_notebook).then(|| self.text.clone()),
            is_edited: self.unsaved != Unsaved::No,
            is_known_edited: self.unsaved == Unsaved::Yes,
            is_saved: self.saves > 0 && self.unsaved == Unsaved::No,
            is_new_save,
            saving: if is_new_save { std::mem::take(&mut self.saving) } else { Vec::new() },
            saved_over: if is_new_save { self.saved_over.clone() } else { Vec::new() },
            claim,
        }
    }

    /// A document that was just opened; `text` is `None` for a notebook.
    pub(super) fn new(uri: Uri, path: PathBuf, text: Option<&str>, now: Duration) -> Self {
        let rope = Rope::from_str(text.unwrap_or_default());
        Self {
            uri,
            path,
            directory: None,
            place: None,
            file_had: SavedOver { text: rope.clone(), is_certain: false },
            saved_over: Vec::new(),
            saved_text: rope.clone(),
            is_file_new: false,
            based_on: None,
            merge_tried: None,
            text: rope,
            difference: 0,
            is_notebook: text.is_none(),
            unsaved: Unsaved::No,
            unsaved_since: now,
            edited_at: None,
            reloaded_at: None,
            is_claim_due: false,
            saving: Vec::new(),
            saves: 0,
            saves_checked: 0,
            pending_checks: VecDeque::new(),
            last_check: 0,
            hands_off: false,
            is_bulk: false,
            blocked: None,
            lost: None,
            concerned: Vec::new(),
            acknowledged: HashSet::new(),
            published: Vec::new(),
            hint: None,
            publications: RateLimit::default(),
            waiting: Vec::new(),
        }
    }

    /// Nothing of it is unsaved any more.
    pub(super) fn settle(&mut self) {
        self.unsaved = Unsaved::No;
        self.is_file_new = false;
        self.blocked = None;
        self.hands_off = false;
    }

    /// It is held: nothing stands in the way any more.
    pub(super) fn clear_obstacles(&mut self) {
        self.blocked = None;
        self.lost = None;
    }

    /// What a claim of it would be a claim of.
    pub(super) fn resource(&self) -> Option<&Resource> {
        self.place.as_ref()?.resource()
    }

    /// True if its text is what its file has, as far as that was seen. Both are compared as a whole only if they are as
    /// long and the character in which they differed is the same by now.
    pub(super) fn equals_saved_text(&mut self) -> bool {
        let Self { text, saved_text, .. } = self;
        if self.is_notebook
            || text.len_bytes() != saved_text.len_bytes()
            || text.get_char(self.difference) != saved_text.get_char(self.difference)
        {
            return false;
        }
        let is_equal = text == saved_text;
        if !is_equal {
            let mut differ = text.chars().zip(saved_text.chars()).map(|(one, other)| one != other);
            self.difference = differ.position(|differs| differs).unwrap_or_default();
        }
        is_equal
    }

    /// The directory that it is at, and what a claim of it would be a claim of there.
    pub(super) fn location(&self) -> Option<(DirectoryId, &Resource)> {
        self.directory.zip(self.resource())
    }

    /// True if a claim of this resource is about it.
    pub(super) fn is_held_by(&self, id: DirectoryId, held: &Resource) -> bool {
        self.location().is_some_and(|(at, file)| at == id && (file == held || held.covers(file)))
    }

    /// Its location if people edit such a file: it is neither ignored nor internal.
    pub(super) fn work(&self) -> Option<(DirectoryId, &Resource)> {
        match &self.place {
            Some(Claimability::Inside { resource, is_work: true, .. }) => Some((self.directory?, resource)),
            _ => None,
        }
    }

    /// True while a check that may claim is not answered.
    pub(super) fn is_claiming(&self) -> bool {
        self.pending_checks.iter().any(|check| check.claims)
    }

    /// True if an edit of it may claim it.
    pub(super) fn claims_by_itself(&self) -> bool {
        !matches!(self.place, Some(Claimability::Inside { by_itself: false, .. } | Claimability::Outside(_)))
    }
}
