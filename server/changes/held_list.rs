//! What anybody held in a worktree when somebody came by last, and how these files stood then, so that whoever comes by
//! next neither lists all claims nor looks at what is as it was. It says nothing that others go by: where it is missing
//! or old, everything is looked at again.

use std::path::Path;

use deconflict_journal::Stamp;
use deconflict_protocol::Resource;
use deconflict_registry::ClaimsMark;
use deconflict_workspace::{PrivateFolder, Repository};
use serde::{Deserialize, Serialize};

const LIST: &str = "held.json";

/// A list that is longer than this is none of ours, in bytes.
const LONGEST: u64 = 1 << 20;

/// Another number means another form.
const FORM: u32 = 1;

/// Where the list of one worktree lies.
#[derive(Debug, Clone)]
pub struct HeldList {
    folder: PrivateFolder,
}

/// The list itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    form: u32,
    /// Which claims there were.
    pub(super) claims: ClaimsMark,
    /// How long git's log of `HEAD` was, in bytes.
    pub(super) head_log: u64,
    files: Vec<HeldFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HeldFile {
    file: String,
    stamp: Option<Stamp>,
}

impl HeldList {
    /// The list of a worktree that a coordination directory is for. `None` where there is no place for it.
    pub fn of(directory: &Path, repository: &Repository, state_folder: Option<&Path>) -> Option<Self> {
        let folder = PrivateFolder::of(directory, "held", state_folder)?;
        Some(Self { folder: folder.of_worktree(repository) })
    }

    pub(super) fn read(&self) -> Option<Held> {
        let bytes = self.folder.read(LIST, LONGEST).ok()??;
        serde_json::from_slice(&bytes).ok().filter(|held: &Held| held.form == FORM)
    }

    /// Where it cannot be written, the next one looks at everything.
    pub(super) fn write(&self, held: &Held) {
        let _ = serde_json::to_vec(held).map(|bytes| self.folder.replace(LIST, &bytes));
    }
}

impl Held {
    pub(super) fn new(claims: ClaimsMark, head_log: u64, files: Vec<(Resource, Option<Stamp>)>) -> Self {
        let files = files.into_iter().map(|(file, stamp)| HeldFile { file: file.spelled(), stamp }).collect();
        Self { form: FORM, claims, head_log, files }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (Resource, Option<Stamp>)> {
        self.files.iter().filter_map(|held| Some((Resource::parse(&held.file)?, held.stamp)))
    }
}
