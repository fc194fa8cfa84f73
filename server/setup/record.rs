//! What was set up, remembered in the user's state folder, so that it can be brought up to date and undone exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use deconflict_protocol::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::files::{self, Access, Expected};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    #[serde(rename = "parts")]
    pub(super) targets: BTreeMap<String, Installed>,
    /// Folders that were not there before.
    pub(super) folders: BTreeSet<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Installed {
    pub(super) version: String,
    pub(super) folder: Option<PathBuf>,
    pub(super) files: BTreeMap<PathBuf, FileRecord>,
    pub(super) links: BTreeMap<PathBuf, PathBuf>,
    /// Files of the user's that have something of ours in them.
    pub(super) edits: BTreeMap<PathBuf, EditRecord>,
    pub(super) extension: Option<ExtensionRecord>,
}

/// A file that is ours, as long as nobody changed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FileRecord {
    /// What it may contain: two texts while one takes the place of the other.
    pub(super) digests: Vec<String>,
    /// It stays ours whatever is in it, because nobody would write it by hand.
    pub(super) is_always_ours: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EditRecord {
    /// What was in it; nothing if there was no such file.
    pub(super) before: Option<String>,
    /// The digest of what is in it since then.
    pub(super) after: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExtensionRecord {
    pub(super) command: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) id: String,
}

impl Record {
    /// Reads it; an empty one if nothing was set up yet.
    pub(super) fn read(state: &Path) -> Result<Self, Error> {
        let path = place(state);
        let Some(text) = files::read(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&text).map_err(|error| Error::Record(path, error.to_string()))
    }

    /// The folders that were made for one target and that no other needs, the innermost first.
    pub(super) fn folders_of(&self, name: &str) -> Vec<PathBuf> {
        let is_of =
            |target: &str, folder: &Path| self.targets.get(target).is_some_and(|installed| installed.is_below(folder));
        let is_of_another = |folder: &Path| self.targets.keys().any(|target| target != name && is_of(target, folder));
        let made = self.folders.iter().rev().filter(|folder| is_of(name, folder) && !is_of_another(folder));
        made.cloned().collect()
    }

    /// Writes it, or removes it when nothing is set up any more.
    pub(super) fn write(&mut self, state: &Path) -> Result<(), Error> {
        let path = place(state);
        if self.targets.is_empty() {
            files::delete(&path, &Expected::Anything)?;
            return self.folders.iter().rev().try_for_each(|folder| files::delete_folder_if_empty(folder));
        }
        self.folders.extend(files::make_folders(state)?);
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::Record(path.clone(), error.to_string()))?;
        // It has in it what the user's own files had in them.
        files::write(&path, &text, Access::Private, &Expected::Anything).map(drop)
    }

    /// Removes what a set-up left that was killed while it wrote something. Where it wrote was recorded before.
    pub(super) fn remove_temporaries(&self, state: &Path) {
        let paths = self.targets.values().flat_map(|installed| installed.files.keys().chain(installed.edits.keys()));
        paths.for_each(|path| files::remove_temporary(path));
        files::remove_temporary(&place(state));
        // Nothing better can be done about one that cannot be removed.
        let _ = fs::remove_file(package_place(state));
    }
}

impl Installed {
    fn is_below(&self, folder: &Path) -> bool {
        let mut paths = self.files.keys().chain(self.links.keys()).chain(self.edits.keys());
        paths.any(|path| path.starts_with(folder))
    }
}

/// A short text that tells contents apart.
pub(super) fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Where a package is put for an editor, in the folder of our state.
pub(super) fn package_place(state: &Path) -> PathBuf {
    state.join("extension.vsix")
}

fn place(state: &Path) -> PathBuf {
    state.join("setup.json")
}
