//! Who changed what, what is uncommitted and whose it is, who lost something by a change, and the ways back.
//!
//! The journal keeps what stood in files; the registry knows who holds what; git knows what is committed. Here these three
//! come together, once for hooks, editors, guard and terminal:
//!
//! - [`Recorder`] notices changes, finds out who lost something by one, and tells them.
//! - [`FileHistory`] says whose each line of a file is.
//! - [`Recorder::restore`] and [`Undo`] bring back what stood there; [`CommitPlan`] says what a commit of one session's
//!   changes alone contains.
//!
//! Protocol page, "Uncommitted changes have owners" and "The journal".

mod before;
mod beside;
mod blame;
mod claiming;
mod commit;
mod committed;
mod documents;
mod form;
mod give;
mod held;
mod held_list;
mod history;
mod kept_at;
mod line_ends;
mod moved;
mod noticing;
mod overlap;
mod people;
mod recorder;
mod removed_worktrees;
mod replaced;
mod restore;
mod settling;
mod stood;
mod team_files;
mod telling;
mod uncommitted;
mod undo;
mod unsettled;
mod upkeep;

use std::io;
use std::path::{Path, PathBuf};

pub use before::{befores_in, content_of};
pub use beside::{beside_in_words, beside_of};
pub use blame::{BlamedCommit, BlamedLine};
pub use claiming::{claim, claim_all, gives_way, take_in_turn, who_gives_way};
pub use commit::{CommitPlan, Planned, PlannedFile, PlannedKind};
pub use documents::{blamed_line_document, entry_document, loss_document};
pub use held_list::HeldList;
pub use history::{FileHistory, Owned, owners_in};
pub use line_ends::with_line_ends_of;
pub use overlap::Overlap;
pub use people::{author_of, is_same_person, label_for, named_for};
pub use recorder::{GRACE, HOLDERS_TURN, Lost, Noticed, Recorder};
pub use removed_worktrees::end_removed_worktrees;
pub use replaced::{SavedText, ToldSave};
pub use restore::{Restored, before_others, put_back};
pub use team_files::{NoTeam, TeamAnswer, TeamClaimant, TeamFiles};
pub use telling::{Reader, Telling, sentence, way_back};
pub use uncommitted::{UncommittedFile, UncommittedFiles};
pub use undo::{Undo, UndoneFile};
pub use unsettled::with_losses;

/// Why a change could not be noticed or taken back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] deconflict_journal::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] deconflict_registry::Error),
    /// Git could not be asked what is committed.
    #[error(transparent)]
    Git(#[from] deconflict_workspace::GitError),
    /// A file of the working tree could not be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content that stood there is not kept, because it was too large or is too old.
    #[error("what was in {} is no longer kept", path.display())]
    NotKept {
        /// The file.
        path: PathBuf,
    },
    /// A folder stands where the file was, or a file where one of its folders was.
    #[error("{} is in the way", path.display())]
    InTheWay {
        /// What stands there.
        path: PathBuf,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { action, path: path.to_owned(), source }
}
