//! Watching the directory's files.
//!
//! The system's notifications tell at once which record was written. What they miss is found by looking: whether the
//! directory and its folders are still the same ones, whether their lists of names changed, and now and then, the more
//! files the less often, whether any file was written in place while no notification came: see [`Pace`].

mod appearance;
mod folders;
mod hints;
mod pace;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub use appearance::{DirectoryWatch, watch_for_directory};
pub use hints::watcher;

use self::folders::Folders;
use self::hints::Hint;
use self::pace::Pace;
use super::directory::{Directory, FolderIdentity};
use super::folder::Folder;
use crate::Error;
use crate::store::{Changed, Hear, Range, Watching};
use deconflict_platform as platform;

#[derive(Debug)]
pub(crate) struct FilesWatching {
    path: PathBuf,
    ranges: Vec<Range>,
    folders: Folders,
    /// Folders of which a notification said that they came, went or were replaced.
    noticed: Receiver<PathBuf>,
    has_looked: bool,
    /// Which directory stood at the path when it was last looked.
    found: Option<FolderIdentity>,
    pace: Pace,
}

impl FilesWatching {
    pub(super) fn start(path: &Path, ranges: &[Range], hear: Hear) -> Self {
        let (notice, noticed) = channel();
        let mut watching = Self::idle(path, ranges, noticed);
        watching.folders.start(move |hint| match hint {
            Hint::Record(key) => hear(Changed::Record(key)),
            Hint::Folder(path) => {
                // Nobody listens only after the watch was dropped.
                let _ = notice.send(path);
                hear(Changed::Unclear);
            }
            Hint::Everything => {
                hear(Changed::Unclear);
                hear(Changed::Everything);
            }
        });
        watching.folders.watch_parent();
        watching
    }

    /// As it is where the system watches nothing.
    #[cfg(test)]
    pub(crate) fn unwatched(path: &Path, ranges: &[Range]) -> Self {
        let mut watching = Self::idle(path, ranges, channel().1);
        watching.folders.fail(path.to_owned(), &notify::Error::generic("as the test wants it"));
        watching
    }

    fn idle(path: &Path, ranges: &[Range], noticed: Receiver<PathBuf>) -> Self {
        // The system's own notifications name files by the path they were asked for, on some systems without links.
        let canonical = platform::canonical(path).unwrap_or_else(|_| path.to_owned());
        Self {
            path: path.to_owned(),
            ranges: ranges.to_vec(),
            folders: Folders::new(canonical, ranges),
            noticed,
            has_looked: false,
            found: None,
            pace: Pace::new(),
        }
    }

    /// Opens the directory, and finds out whether it is the one it was. `None` if it is not there, or cannot be opened
    /// just now.
    fn directory(&mut self, told: &mut Vec<Changed>) -> Option<Directory> {
        let directory = match Directory::open(&self.path) {
            Ok(directory) => Some(directory),
            Err(Error::Missing { .. }) => None,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => None,
            // That it cannot be opened just now, for want of file handles say, doesn't mean that it is gone.
            Err(error) => {
                tracing::debug!("{error}");
                return None;
            }
        };
        let identity = |directory: &Directory| Some(directory.folder_stamp(&Folder::Root).ok()??.identity);
        let found = directory.as_ref().and_then(identity);
        if found.is_none() && directory.is_some() {
            return None;
        }
        let before = std::mem::replace(&mut self.found, found);
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        if is_first || found != before {
            if before.is_some() || (is_first && found.is_none()) {
                told.push(Changed::Lost);
            }
            if found.is_some() {
                told.push(Changed::Everything);
            }
            self.folders.distrust_all();
            self.folders.watch_parent();
        }
        directory
    }

    fn due(&mut self, directory: &Directory, cost: Duration) -> Vec<Range> {
        let renewed = self.folders.arm(directory);
        if self.pace.is_everything_due(cost, self.folders.is_watching()) {
            return self.ranges.clone();
        }
        let mut due = self.folders.changed(directory);
        if due.is_empty() || !self.pace.are_changed_folders_due(cost) {
            due.retain(|range| renewed.contains(range));
        }
        due
    }
}

impl Watching for FilesWatching {
    fn look(&mut self, cost: Duration) -> Vec<Changed> {
        let mut told = Vec::new();
        while let Ok(path) = self.noticed.try_recv() {
            self.folders.distrust(&path);
        }
        if let Some(directory) = self.directory(&mut told) {
            let due = self.due(&directory, cost);
            self.folders.note_scans(&directory, &due);
            told.extend(due.into_iter().map(Changed::Range));
        }
        told.extend(self.folders.take_trouble().map(Changed::Trouble));
        told
    }
}
