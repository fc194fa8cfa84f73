//! Which folders are watched, and whether they are still the same ones.

use std::path::PathBuf;
use std::sync::mpsc::Sender;

use chrono::{DateTime, Utc};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::hints::{Interpreter, watcher};
use super::signal::Signal;
use super::watched::{Watched, path_of};
use crate::Error;
use crate::store::files::directory::{Directory, FolderIdentity};
use crate::store::files::folder::Folder;
use deconflict_platform::faults::{self, Call};
use deconflict_protocol::SessionId;

#[derive(Debug, Default)]
struct State {
    /// The folder that is watched at the path.
    armed: Option<FolderIdentity>,
    /// When its list of names had changed last when it was scanned.
    scanned: Option<DateTime<Utc>>,
}

/// The folders, and what watches them.
pub(super) struct Folders {
    path: PathBuf,
    session: SessionId,
    signals: Sender<Signal>,
    /// `None` if the system gives none.
    watcher: Option<RecommendedWatcher>,
    states: [State; Watched::ALL.len()],
    trouble: Option<String>,
    /// True once something could not be watched.
    has_failed: bool,
}

impl Folders {
    pub(super) fn new(path: PathBuf, session: &SessionId, signals: Sender<Signal>) -> Self {
        let mut folders = Self::idle(path, session, signals);
        folders.start();
        folders.watch_parent();
        folders
    }

    /// As it is where the system watches nothing.
    #[cfg(test)]
    pub(super) fn unwatched(path: PathBuf, session: &SessionId, signals: Sender<Signal>) -> Self {
        let mut folders = Self::idle(path.clone(), session, signals);
        folders.fail(path, &notify::Error::generic("as the test wants it"));
        folders
    }

    fn idle(path: PathBuf, session: &SessionId, signals: Sender<Signal>) -> Self {
        Self {
            path,
            session: session.clone(),
            signals,
            watcher: None,
            states: Default::default(),
            trouble: None,
            has_failed: false,
        }
    }

    /// The folder's name in the directory.
    pub(super) fn folder(&self, folder: Watched) -> Folder {
        folder.name_for(&self.session)
    }

    /// True if the system notifies of changes.
    pub(super) fn is_watching(&self) -> bool {
        !self.has_failed
    }

    /// What has gone wrong and was not said yet.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Watches the folder that holds the directory, to see it appear, vanish or be replaced. It must be asked for
    /// again after that.
    pub(super) fn watch_parent(&mut self) {
        if let Some(parent) = self.path.parent().map(PathBuf::from) {
            self.watch(&parent);
        }
    }

    /// Takes nothing for granted about a folder and those in it: it may have been replaced by one that looks the same.
    pub(super) fn distrust(&mut self, folder: Watched) {
        let path = path_of(&self.path, &self.folder(folder));
        for other in Watched::ALL {
            if path_of(&self.path, &self.folder(other)).starts_with(&path) {
                self.states[other as usize] = State::default();
            }
        }
    }

    /// Takes nothing for granted.
    pub(super) fn distrust_all(&mut self) {
        self.distrust(Watched::Directory);
    }

    /// Watches every folder that is there and is not the one that is watched already. Returns those with records that
    /// came, went or were replaced.
    pub(super) fn arm(&mut self, directory: &Directory) -> Vec<Watched> {
        let mut renewed = Vec::new();
        for folder in Watched::ALL {
            let name = self.folder(folder);
            let found = match directory.folder_stamp(&name) {
                Ok(stamp) => stamp.map(|stamp| stamp.identity),
                Err(Error::Unsafe { .. }) => None,
                // It cannot be examined just now, which doesn't mean that it is gone.
                Err(_) => continue,
            };
            if found == self.states[folder as usize].armed {
                continue;
            }
            self.states[folder as usize] = State { armed: found, scanned: None };
            let path = path_of(&self.path, &name);
            self.unwatch(&path);
            if found.is_some() {
                self.watch(&path);
            }
            if Watched::WITH_RECORDS.contains(&folder) {
                renewed.push(folder);
            }
        }
        renewed
    }

    /// True if names were added, removed or replaced in a folder since it was last scanned.
    pub(super) fn has_changed(&self, directory: &Directory, folder: Watched) -> bool {
        let stamp = directory.folder_stamp(&self.folder(folder)).ok().flatten();
        stamp.map(|stamp| stamp.modified) != self.states[folder as usize].scanned
    }

    /// Remembers how a folder looked before a scan of it began.
    pub(super) fn note_scan(&mut self, directory: &Directory, folder: Watched) {
        let stamp = directory.folder_stamp(&self.folder(folder)).ok().flatten();
        self.states[folder as usize].scanned = stamp.map(|stamp| stamp.modified);
    }

    fn start(&mut self) {
        let paths = Watched::ALL.iter().map(|folder| (*folder, path_of(&self.path, &self.folder(*folder)))).collect();
        let interpreter = Interpreter::new(paths);
        let signals = self.signals.clone();
        let start = || {
            watcher(move |event| {
                for hint in interpreter.hints(&event) {
                    // Nobody listens only after the watch was dropped.
                    let _ = signals.send(Signal::Hint(hint));
                }
            })
        };
        match faults::check(Call::Watch).map_err(notify::Error::io).and_then(|()| start()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => self.fail(self.path.clone(), &error),
        }
    }

    fn watch(&mut self, path: &std::path::Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive)
            && !is_missing(&error)
        {
            self.fail(path.to_owned(), &error);
        }
    }

    fn unwatch(&mut self, path: &std::path::Path) {
        if let Some(watcher) = &mut self.watcher {
            // A deleted folder is not watched any more, and there is nothing to say about that.
            let _ = watcher.unwatch(path);
        }
    }

    fn fail(&mut self, path: PathBuf, error: &notify::Error) {
        if !self.has_failed {
            self.has_failed = true;
            self.trouble = Some(Error::Unwatchable { path, reason: error.to_string() }.to_string());
        }
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
