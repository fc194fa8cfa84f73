//! Which folders and single files are watched, and whether they are still the same ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::hints::{Hint, Interpreter, record_watcher};
use crate::Error;
use crate::store::files::directory::{Directory, FolderIdentity};
use crate::store::files::folder::Folder;
use crate::store::files::names::{folder_of_range, relative_path};
use crate::store::{Key, Range, Reader, Stamp};
use deconflict_platform::faults::{self, Call};

/// A folder that is watched. The tree is never watched as a whole: others' messages, heartbeats and hand-offs would wake
/// everybody.
#[derive(Debug)]
struct WatchedFolder {
    folder: Folder,
    path: PathBuf,
    /// What is wanted of it; `None` if only of what is below it.
    range: Option<Range>,
    /// The folder that is watched at the path.
    armed: Option<FolderIdentity>,
    /// When its list of names had changed last when it was to be scanned.
    scanned: Option<DateTime<Utc>>,
}

/// A record that is watched by itself, so that whatever else happens in its folder wakes nobody.
#[derive(Debug)]
struct WatchedRecord {
    key: Key,
    path: PathBuf,
    /// The record that is watched at the path.
    armed: Option<Stamp>,
}

#[derive(Debug)]
pub(super) struct Folders {
    path: PathBuf,
    watched: Vec<WatchedFolder>,
    records: Vec<WatchedRecord>,
    ignores_case: Arc<AtomicBool>,
    /// `None` if the system gives none.
    watcher: Option<RecommendedWatcher>,
    trouble: Option<String>,
    /// True once something could not be watched.
    has_failed: bool,
}

impl Folders {
    /// The folders of these ranges and those above them, each after what it lies in; of a single record, nothing but its file.
    pub(super) fn new(path: PathBuf, ranges: &[Range]) -> Self {
        let mut watched: Vec<WatchedFolder> = Vec::new();
        let mut records = Vec::new();
        for range in ranges {
            if let Range::One(key) = range {
                records.push(WatchedRecord { key: key.clone(), path: path.join(relative_path(key)), armed: None });
                continue;
            }
            let own = folder_of_range(range).unwrap_or(Folder::Recipients);
            let mut line: Vec<Folder> = std::iter::successors(Some(own), Folder::above).collect();
            line.reverse();
            for folder in line {
                if !watched.iter().any(|known| known.folder == folder) {
                    let path = folder.components().iter().fold(path.clone(), |path, component| path.join(component));
                    watched.push(WatchedFolder { folder, path, range: None, armed: None, scanned: None });
                }
            }
            if let Some(last) = watched.last_mut() {
                last.range = Some(range.clone());
            }
        }
        Self { path, watched, records, ignores_case: Arc::default(), watcher: None, trouble: None, has_failed: false }
    }

    pub(super) fn start(&mut self, noticed: impl Fn(Hint) + Send + 'static) {
        let folders = self.watched.iter().map(|it| (it.path.clone(), it.range.clone())).collect();
        let records = self.records.iter().map(|it| (it.path.clone(), it.key.clone())).collect();
        let interpreter = Interpreter { folders, records, ignores_case: Arc::clone(&self.ignores_case) };
        let start = || record_watcher(move |event| interpreter.hints(&event).into_iter().for_each(&noticed));
        match faults::check(Call::Watch).map_err(notify::Error::io).and_then(|()| start()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => self.fail(self.path.clone(), &error),
        }
    }

    pub(super) fn is_watching(&self) -> bool {
        !self.has_failed
    }

    /// What has gone wrong and was not said yet.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Watches the folder that holds the directory, to see it appear, vanish or be replaced. It must be asked for
    /// again after that. Single records go with the directory.
    pub(super) fn watch_parent(&mut self) {
        if let Some(parent) = self.path.parent().map(PathBuf::from).filter(|_| !self.watched.is_empty()) {
            self.watch(&parent);
        }
    }

    /// Takes nothing for granted about a folder and those in it: it may have been replaced by one that looks the same.
    pub(super) fn distrust(&mut self, path: &Path) {
        for folder in self.watched.iter_mut().filter(|folder| folder.path.starts_with(path)) {
            (folder.armed, folder.scanned) = (None, None);
        }
        for record in self.records.iter_mut().filter(|record| record.path.starts_with(path)) {
            record.armed = None;
        }
    }

    pub(super) fn distrust_all(&mut self) {
        self.distrust(&self.path.clone());
    }

    /// Watches every folder and record that is there and is not the one that is watched already. Returns what is in those
    /// that came, went or were replaced.
    pub(super) fn arm(&mut self, directory: &Directory) -> Vec<Range> {
        self.ignores_case.store(directory.ignores_case(), Ordering::Relaxed);
        let mut renewed = Vec::new();
        for at in 0..self.watched.len() {
            let known = &mut self.watched[at];
            let found = match directory.folder_stamp(&known.folder) {
                Ok(stamp) => stamp.map(|stamp| stamp.identity),
                Err(Error::Unsafe { .. }) => None,
                // It cannot be examined just now, which doesn't mean that it is gone.
                Err(_) => continue,
            };
            if found == known.armed {
                continue;
            }
            (known.armed, known.scanned) = (found, None);
            renewed.extend(known.range.clone());
            let path = known.path.clone();
            self.watch_again(&path, found.is_some());
        }
        for at in 0..self.records.len() {
            let known = &mut self.records[at];
            let Ok(found) = directory.stamp(&known.key) else { continue };
            if found == known.armed {
                continue;
            }
            known.armed = found;
            renewed.push(Range::One(known.key.clone()));
            let path = known.path.clone();
            self.watch_again(&path, found.is_some());
        }
        renewed
    }

    /// What is in the folders in which names were added, removed or replaced since they were to be scanned.
    pub(super) fn changed(&self, directory: &Directory) -> Vec<Range> {
        let is_changed = |it: &&WatchedFolder| it.range.is_some() && it.changed_at(directory) != it.scanned;
        self.watched.iter().filter(is_changed).filter_map(|it| it.range.clone()).collect()
    }

    /// Remembers how folders look before they are scanned.
    pub(super) fn note_scans(&mut self, directory: &Directory, ranges: &[Range]) {
        for it in self.watched.iter_mut().filter(|it| it.range.as_ref().is_some_and(|range| ranges.contains(range))) {
            it.scanned = it.changed_at(directory);
        }
    }

    fn watch_again(&mut self, path: &Path, is_there: bool) {
        if let Some(watcher) = &mut self.watcher {
            // What was deleted is not watched any more, and there is nothing to say about that.
            let _ = watcher.unwatch(path);
        }
        if is_there {
            self.watch(path);
        }
    }

    fn watch(&mut self, path: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive)
            && !is_missing(&error)
        {
            self.fail(path.to_owned(), &error);
        }
    }

    pub(super) fn fail(&mut self, path: PathBuf, error: &notify::Error) {
        if !self.has_failed {
            self.has_failed = true;
            self.trouble = Some(Error::Unwatchable { path, reason: error.to_string() }.to_string());
        }
    }
}

impl WatchedFolder {
    fn changed_at(&self, directory: &Directory) -> Option<DateTime<Utc>> {
        directory.folder_stamp(&self.folder).ok().flatten().map(|stamp| stamp.modified)
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
