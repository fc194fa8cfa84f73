//! What the system's notifications mean: which record to read again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Config, Event, EventHandler, EventKind, EventKindMask, RecommendedWatcher, Watcher};

use super::watched::Watched;
use crate::store::files::names::session_of;
use deconflict_protocol::SessionId;

/// What the system notifies of: what was written. Whatever anybody reads would wake everybody who watches.
pub(super) fn watcher(handler: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    let kinds = EventKindMask::CORE | EventKindMask::ACCESS_CLOSE;
    RecommendedWatcher::new(handler, Config::default().with_event_kinds(kinds))
}

/// Something that the system noticed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// By the name of its file.
    Claim(String),
    Session(SessionId),
    Message(Watched, String),
    /// A folder came, went or was replaced.
    Folder(Watched),
    /// Something was missed, so anything may have happened.
    Everything,
}

/// All that was noticed and not yet followed, each once.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pub(super) claims: BTreeSet<String>,
    pub(super) sessions: BTreeSet<SessionId>,
    pub(super) messages: BTreeSet<(Watched, String)>,
    pub(super) folders: BTreeSet<Watched>,
    pub(super) directory: bool,
    pub(super) everything: bool,
}

impl Hints {
    pub(super) fn add(&mut self, hint: Hint) {
        match hint {
            Hint::Claim(file) => drop(self.claims.insert(file)),
            Hint::Session(id) => drop(self.sessions.insert(id)),
            Hint::Message(folder, name) => drop(self.messages.insert((folder, name))),
            Hint::Folder(folder) => {
                self.directory |= folder == Watched::Directory;
                self.folders.insert(folder);
            }
            Hint::Everything => {
                self.directory = true;
                self.everything = true;
            }
        }
    }
}

/// Understands notifications by the paths that they name.
#[derive(Debug)]
pub(super) struct Interpreter {
    folders: Vec<(Watched, PathBuf)>,
}

impl Interpreter {
    /// For the folders that are watched.
    pub(super) fn new(folders: Vec<(Watched, PathBuf)>) -> Self {
        Self { folders }
    }

    /// What a notification tells. Most tell nothing: that something was opened or read, this process's own reading
    /// included, and all that happens to unfinished files.
    pub(super) fn hints(&self, event: &notify::Result<Event>) -> Vec<Hint> {
        let Ok(event) = event else { return vec![Hint::Everything] };
        if event.need_rescan() {
            return vec![Hint::Everything];
        }
        let is_write = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            _ => true,
        };
        if !is_write {
            return Vec::new();
        }
        let may_replace_folder = !matches!(
            event.kind,
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Data(_))
        );
        event.paths.iter().filter_map(|path| self.hint(path, may_replace_folder)).collect()
    }

    fn hint(&self, path: &Path, may_replace_folder: bool) -> Option<Hint> {
        if let Some((folder, _)) = self.folders.iter().find(|(_, of)| of == path) {
            return may_replace_folder.then_some(Hint::Folder(*folder));
        }
        let name = path.file_name()?.to_str().filter(|name| !name.starts_with('.'))?;
        let above = path.parent()?;
        let (folder, _) = self.folders.iter().find(|(_, of)| of == above)?;
        match folder {
            Watched::Claims => Some(Hint::Claim(name.to_owned())),
            Watched::Sessions => session_of(name).map(Hint::Session),
            Watched::Broadcasts | Watched::Direct => Some(Hint::Message(*folder, name.to_owned())),
            Watched::Directory | Watched::Messages | Watched::Recipients => None,
        }
    }
}
