//! What was lost and is not settled, for the status board.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deconflict_journal::{Journal, Loss};
use deconflict_protocol::text::{path_word, quoted};
use deconflict_registry::{Findings, Registry, minute};

use super::telling::{Reader, sentence_at};

/// So many are told.
const MOST: usize = 100;

/// What the journal of a directory tells that is not settled.
#[derive(Debug)]
struct UnsettledLosses {
    directory: PathBuf,
    state_folder: Option<PathBuf>,
}

/// The same registry, whose status board tells what was lost here too, until it is settled.
#[must_use]
pub fn with_losses(registry: Registry, state_folder: Option<&Path>) -> Registry {
    let (directory, state_folder) = (registry.path().to_owned(), state_folder.map(Path::to_owned));
    registry.with_findings(Arc::new(UnsettledLosses { directory, state_folder }))
}

impl Findings for UnsettledLosses {
    fn sentences(&self, _: DateTime<Utc>) -> Vec<String> {
        let losses = Journal::of(&self.directory, self.state_folder.as_deref()).map(|journal| journal.losses());
        let losses = losses.and_then(Result::ok).unwrap_or_default();
        losses.iter().take(MOST).map(in_a_sentence).collect()
    }
}

fn in_a_sentence(loss: &Loss) -> String {
    let entry = &loss.entry;
    // From the root of the worktree that it is in.
    let path = path_word(entry.resource.relative());
    format!(
        "{} What {} had there: deconflict restore {path} --at {}",
        sentence_at(entry, &entry.resource, None, Reader::ANYBODY, &minute(entry.at)),
        quoted(&loss.owner.label, 60),
        entry.id
    )
}
