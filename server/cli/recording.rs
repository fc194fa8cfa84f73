//! What the verbs of the journal share: the journal of this directory, and what is meant by a path.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deconflict_changes::{HeldList, Recorder};
use deconflict_journal::{Entry, Journal};
use deconflict_platform as platform;
use deconflict_protocol::Resource;
use deconflict_protocol::text::path_word;
use deconflict_registry::Registry;
use deconflict_workspace::{Ignored, Location, Namer};

use super::failure::Failure;

/// A journal and what it is read and written with.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) journal: Journal,
    namer: Namer,
    ignored: Ignored,
    registry: Option<Registry>,
    folder: PathBuf,
    /// Where it is remembered what was held in this worktree.
    pub(super) held_list: Option<HeldList>,
}

impl Recording {
    /// The journal of a workspace, which is empty where nobody ever coordinated. Paths are looked for in the folder.
    pub(super) fn open(
        location: &Location,
        registry: Option<Registry>,
        namer: Namer,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let state_folder = platform::state_directory();
        let journal = Journal::of(&location.directory, state_folder.as_deref()).ok_or_else(|| {
            Failure::failed("no-journal", "You have no folder for a journal.").advise("Name one: XDG_STATE_HOME")
        })?;
        let held_list = location.repository.as_ref().map(|repository| HeldList::of(&journal, repository));
        Ok(Self { journal, namer, ignored: Ignored::new(), registry, folder: folder.to_owned(), held_list })
    }

    /// False where nobody ever coordinated.
    pub(super) fn has_directory(&self) -> bool {
        self.registry.is_some()
    }

    pub(super) fn recorder(&self) -> Recorder<'_> {
        Recorder {
            journal: &self.journal,
            namer: &self.namer,
            ignored: &self.ignored,
            registry: self.registry.as_ref(),
        }
    }

    /// What is meant by a path: what is kept of it, else where it leads.
    pub(super) fn resource(&self, path: &Path) -> Result<Resource, Failure> {
        let path = self.folder.join(path);
        match self.recorder().kept_at(&path)? {
            Some(kept) => Ok(kept),
            None => Ok(self.namer.resource_at(&path)?),
        }
    }

    /// The same with what has happened to it since somebody looked last, if it was ever looked at.
    pub(super) fn looked_at(&self, path: &Path, now: DateTime<Utc>) -> Result<Resource, Failure> {
        let resource = self.resource(path)?;
        let as_file = Resource::file(resource.name())?;
        if self.journal.tip(&as_file)?.is_some() {
            self.recorder().look(&as_file, now)?;
        }
        Ok(resource)
    }

    /// The files in the journal that are meant by a path: it, or all that are or were in the folder. A folder may stand
    /// where the file was.
    pub(super) fn files_at(&self, path: &Path, now: DateTime<Utc>) -> Result<Vec<Resource>, Failure> {
        self.looked_at(path, now)?;
        self.files_kept_at(path)
    }

    /// The same, as they were when somebody looked last.
    pub(super) fn files_kept_at(&self, path: &Path) -> Result<Vec<Resource>, Failure> {
        let resource = self.resource(path)?;
        if resource.is_file() && self.journal.tip(&resource)?.is_some() {
            return Ok(vec![resource]);
        }
        let folder = if resource.is_file() { Resource::directory(resource.name())? } else { resource };
        let mut files = self.journal.files()?;
        files.retain(|file| folder.covers(file) || file.name() == folder.name());
        Ok(files)
    }

    /// A path by which a command names a file here.
    pub(super) fn path_from_here(&self, file: &Resource) -> String {
        path_from(&self.folder, &self.namer, file)
    }

    /// The change that is named by its id or the beginning of it.
    pub(super) fn entry(&self, id: &str) -> Result<Entry, Failure> {
        self.journal.entry(id)?.ok_or_else(|| no_entry(id))
    }
}

/// A path by which a command names a file or directory in a folder.
pub(super) fn path_from(folder: &Path, namer: &Namer, resource: &Resource) -> String {
    let path = namer.path_of(resource).unwrap_or_else(|| resource.name().into());
    path_word(&path.strip_prefix(folder).unwrap_or(&path).display().to_string())
}

/// Nothing has this name.
pub(super) fn no_entry(id: &str) -> Failure {
    let id = deconflict_protocol::text::quoted(id, 40);
    Failure::refused("not-found", format!("There is no change {id}, or it is no longer kept."))
        .advise("See what is kept: deconflict history")
}

/// Nothing is known of a file.
pub(super) fn nothing_kept(path: &Path) -> Failure {
    let path = deconflict_protocol::text::quoted(&path.display().to_string(), 200);
    Failure::refused("not-found", format!("Nothing is kept of {path}.")).advise("See what is kept: deconflict history")
}
