//! The files whose changes go into the journal: which have been written since somebody looked at them.
//!
//! The system tells of writes in the folders of these files, where it can. What it does not tell of is found by stamps.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use deconflict_protocol::Resource;
use deconflict_registry::watcher;

/// Whoever writes a file often does so in several steps: it is looked at once nothing more was written for so long.
const QUIET: Duration = Duration::from_millis(150);

/// But it is looked at after so long, whatever is written.
const LONGEST_WRITING: Duration = Duration::from_millis(500);

/// At most so many stamps are taken at once.
const MOST_STAMPS: usize = 200;

/// A file as it was when it was looked at last; `None` if it was not there.
type FileStamp = Option<(SystemTime, u64, i64)>;

/// The files that are looked after.
pub(super) struct WatchedFiles {
    files: HashMap<Resource, WatchedFile>,
    by_path: HashMap<PathBuf, Resource>,
    folders: HashSet<PathBuf>,
    watcher: Option<RecommendedWatcher>,
    /// Where taking stamps goes on.
    next: usize,
}

struct WatchedFile {
    path: PathBuf,
    stamp: FileStamp,
    /// When the first of the writes came that it was not looked at after, and the last.
    written: Option<(Instant, Instant)>,
}

impl WatchedFile {
    fn compare_stamp(&mut self, now: Instant) {
        if self.written.is_none() && stamp_of(&self.path) != self.stamp {
            self.written = Some((now, now));
        }
    }
}

impl WatchedFiles {
    /// None yet. `written` is called with paths that may have been written, on a thread of the system's.
    pub(super) fn new(written: impl Fn(Vec<PathBuf>) + Send + 'static) -> Self {
        let tell = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_write = match event.kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
                EventKind::Access(_) => false,
                _ => true,
            };
            if is_write {
                written(event.paths);
            }
        };
        let watcher = watcher(tell)
            .inspect_err(|error| tracing::warn!("changes of files are noticed by looking at them: {error}"))
            .ok();
        Self { files: HashMap::new(), by_path: HashMap::new(), folders: HashSet::new(), watcher, next: 0 }
    }

    /// True if there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// True if a file is looked after.
    pub(super) fn contains(&self, resource: &Resource) -> bool {
        self.files.contains_key(resource)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Resource> {
        self.files.keys().cloned().collect()
    }

    /// Those whose path is this or below it.
    pub(super) fn below(&self, path: &Path) -> Vec<Resource> {
        let below = self.files.iter().filter(|(_, file)| file.path.starts_with(path));
        below.map(|(resource, _)| resource.clone()).collect()
    }

    /// Looks after a file from now on. It has just been looked at.
    pub(super) fn looked_at(&mut self, resource: &Resource, path: &Path) {
        let stamp = stamp_of(path);
        if let Some(file) = self.files.get_mut(resource) {
            file.stamp = stamp;
            file.written = None;
            return;
        }
        if let Some(folder) = path.parent() {
            self.watch(folder);
        }
        self.by_path.insert(path.to_owned(), resource.clone());
        self.files.insert(resource.clone(), WatchedFile { path: path.to_owned(), stamp, written: None });
    }

    /// Keeps only these.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Resource) -> bool) {
        self.files.retain(|resource, _| is_kept(resource));
        self.by_path.retain(|_, resource| self.files.contains_key(resource));
        let wanted: HashSet<&Path> = self.files.values().filter_map(|file| file.path.parent()).collect();
        let useless: Vec<PathBuf> =
            self.folders.iter().filter(|folder| !wanted.contains(folder.as_path())).cloned().collect();
        for folder in useless {
            self.unwatch(&folder);
        }
    }

    /// Takes in that these paths may have been written.
    pub(super) fn written(&mut self, paths: &[PathBuf]) {
        let now = Instant::now();
        for path in paths {
            // Something happened to a folder itself: it may be another one by now, which nobody watches.
            if self.folders.contains(path) {
                self.unwatch(path);
                self.watch(path);
            }
            if let Some(file) = self.by_path.get(path).and_then(|resource| self.files.get_mut(resource)) {
                file.written = Some((file.written.map_or(now, |(first, _)| first), now));
            }
        }
    }

    /// Finds by its stamp whether a file was written that is looked after. The others' turn comes anyway.
    pub(super) fn compare_stamp(&mut self, resource: &Resource) {
        if let Some(file) = self.files.get_mut(resource) {
            file.compare_stamp(Instant::now());
        }
    }

    /// Finds by stamps what was written.
    pub(super) fn compare_stamps(&mut self) {
        let now = Instant::now();
        let number = self.files.len();
        // Of very many, the next few.
        let begin = if number > MOST_STAMPS { self.next % number } else { 0 };
        let mut missing = Vec::new();
        for file in self.files.values_mut().skip(begin).take(MOST_STAMPS) {
            file.compare_stamp(now);
            missing.extend(file.path.parent().filter(|folder| !self.folders.contains(*folder)).map(Path::to_owned));
        }
        self.next = if begin + MOST_STAMPS < number { begin + MOST_STAMPS } else { 0 };
        for folder in missing {
            self.watch(&folder);
        }
    }

    /// Takes the files that are to be looked at now.
    pub(super) fn due(&self) -> Vec<Resource> {
        let now = Instant::now();
        let is_due = |file: &WatchedFile| file.written.is_some_and(|written| due_at(written) <= now);
        self.files.iter().filter(|(_, file)| is_due(file)).map(|(resource, _)| resource.clone()).collect()
    }

    /// When the next one is to be looked at.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.files.values().filter_map(|file| file.written.map(due_at)).min()
    }

    fn watch(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        // A folder that is not there yet is tried again with the next stamps.
        if !self.folders.contains(folder) && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
            self.folders.insert(folder.to_owned());
        }
    }

    fn unwatch(&mut self, folder: &Path) {
        self.folders.remove(folder);
        if let Some(watcher) = &mut self.watcher {
            // It may be gone, and is no longer watched then.
            let _ = watcher.unwatch(folder);
        }
    }
}

fn due_at((first, last): (Instant, Instant)) -> Instant {
    (last + QUIET).min(first + LONGEST_WRITING)
}

fn stamp_of(path: &Path) -> FileStamp {
    let found = path.symlink_metadata().ok()?;
    Some((found.modified().ok()?, found.len(), changed_at(&found)))
}

#[cfg(unix)]
fn changed_at(found: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    found.ctime().saturating_mul(1_000_000_000).saturating_add(found.ctime_nsec())
}

#[cfg(not(unix))]
fn changed_at(_: &Metadata) -> i64 {
    0
}
