//! What the system's notifications mean: which record to read again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Config, Event, EventHandler, EventKind, EventKindMask, RecommendedWatcher, Watcher};

use crate::store::files::names::key_of;
use crate::store::{Key, Range};
use deconflict_protocol::Naming;

/// Asks the system to notify of what is written. Whatever anybody reads would wake everybody who watches.
pub fn watcher(handler: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    watcher_of(EventKindMask::CORE | EventKindMask::ACCESS_CLOSE, handler)
}

/// The same for names that come and go, and for files that somebody is done with writing. A record is read only then,
/// and each claim writes into the lock's file too.
pub(super) fn record_watcher(handler: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    let names = EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::MODIFY_NAME;
    watcher_of(names | EventKindMask::ACCESS_CLOSE, handler)
}

fn watcher_of(kinds: EventKindMask, handler: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    RecommendedWatcher::new(handler, Config::default().with_event_kinds(kinds))
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Record(Key),
    /// A folder came, went or was replaced.
    Folder(PathBuf),
    /// Something was missed, so anything may have happened.
    Everything,
}

#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) folders: Vec<(PathBuf, Option<Range>)>,
    pub(super) records: Vec<(PathBuf, Key)>,
    pub(super) ignores_case: Arc<AtomicBool>,
}

impl Interpreter {
    /// What a notification tells. Most tell nothing: that something was opened or read, this process's own reading
    /// included, and all that happens to unfinished files.
    pub(super) fn hints(&self, event: &notify::Result<Event>) -> Vec<Hint> {
        let Ok(event) = event else { return vec![Hint::Everything] };
        if event.need_rescan() {
            return vec![Hint::Everything];
        }
        let may_replace_folder = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Data(_)) => false,
            EventKind::Access(_) => return Vec::new(),
            _ => true,
        };
        event.paths.iter().filter_map(|path| self.hint(path, may_replace_folder)).collect()
    }

    fn hint(&self, path: &Path, may_replace_folder: bool) -> Option<Hint> {
        if let Some((_, key)) = self.records.iter().find(|(of, _)| of == path) {
            return Some(Hint::Record(key.clone()));
        }
        if self.folders.iter().any(|(of, _)| of == path) {
            return may_replace_folder.then(|| Hint::Folder(path.to_owned()));
        }
        let name = path.file_name()?.to_str().filter(|name| !name.starts_with('.'))?;
        let above = path.parent()?;
        let (_, range) = self.folders.iter().find(|(of, _)| of == above)?;
        let naming = Naming { ignores_case: self.ignores_case.load(Ordering::Relaxed) };
        key_of(range.as_ref()?, name, naming).map(Hint::Record)
    }
}
