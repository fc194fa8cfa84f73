//! Where changes of two sides cannot be told apart.

use deconflict_journal::text::{Change, Place};
use deconflict_journal::{Author, FileState};
use deconflict_protocol::Resource;

use super::FileHistory;

/// Places in which changes of two sides meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The file.
    pub resource: Resource,
    /// The lines of the newest text; empty if it is about the whole file.
    pub places: Vec<Place>,
    /// Whose the other changes are, as far as that is known.
    pub others: Vec<Author>,
}

impl Overlap {
    /// Takes what a text says, and names the others.
    pub(super) fn of(history: &FileHistory, overlaps: Vec<(Place, Vec<Change>)>) -> Self {
        let (places, changes): (Vec<Place>, Vec<Vec<Change>>) = overlaps.into_iter().unzip();
        let changes: Vec<Change> = changes.concat();
        Self { places, ..Self::of_whole(history, &changes) }
    }

    /// The whole file, in which others made these changes.
    pub(super) fn of_whole(history: &FileHistory, changes: &[Change]) -> Self {
        let mut others: Vec<Author> = Vec::new();
        for owner in changes.iter().filter_map(|change| history.owner_of(Some(*change))) {
            if others.iter().all(|other| other.session != owner.session) {
                others.push(owner.clone());
            }
        }
        Self { resource: history.resource().clone(), places: Vec::new(), others }
    }
}

/// True for what has no lines: a link, or a content that is not kept.
pub(super) fn is_no_text(state: &FileState) -> bool {
    matches!(state, FileState::Link { .. } | FileState::NotKept { .. })
}

/// Whether a file may be run; `None` if it is none.
pub(super) fn is_executable(state: &FileState) -> Option<bool> {
    match state {
        FileState::File { executable, .. } => Some(*executable),
        _ => None,
    }
}

/// The changes of a file that are not meant.
pub(super) fn not_meant(history: &FileHistory, is_meant: impl Fn(Option<Change>) -> bool) -> Vec<Change> {
    history.changes().map(|(change, _)| change).filter(|change| !is_meant(Some(*change))).collect()
}
