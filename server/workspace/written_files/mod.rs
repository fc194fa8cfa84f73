//! Which paths of a worktree were written between two moments, as a server that watches its folders keeps a list of them, so
//! that a hook need not look at every file.
//!
//! A hook makes a mark: it lets a file come into being in a folder that is watched with the others. The system tells of all
//! changes in the order in which they happened, so once the mark is in the list, everything is that was written before it,
//! and what was written between two marks stands between them. Where a mark doesn't come in time, where the server ends, or
//! where the system had too much to tell, marks are missing, and whoever asks looks at everything.
//!
//! Where no server keeps a list, git's own watcher is asked, if the user has it.

mod git_watcher;
mod list;
mod watching;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{Lock, PrivateFolder, Repository};
use git_watcher::GitWatcher;
use list::{Between, LIST, LONGEST, between};

pub use watching::WrittenFilesWatch;

/// A hook waits so long for its second mark. A server that is idle takes a tenth of a millisecond.
const PATIENCE: Duration = Duration::from_millis(5);

/// How often it looks.
const PAUSE: Duration = Duration::from_micros(100);

/// Whoever watches holds this file's lock.
const KEEPER: &str = "keeper";

/// The folder in which marks are made.
const MARKS: &str = "marks";

/// The list of one worktree.
#[derive(Debug, Clone)]
pub struct WrittenFiles {
    folder: PrivateFolder,
    root: PathBuf,
    git: GitWatcher,
}

impl WrittenFiles {
    /// The list of a worktree that a coordination directory is for. `None` where there is no place for it.
    pub fn of(directory: &Path, repository: &Repository) -> Option<Self> {
        let folder = PrivateFolder::of(directory, "written", None)?.of_worktree(repository);
        Some(Self { folder, root: repository.root().to_owned(), git: GitWatcher::of(repository) })
    }

    /// Makes the first mark, which has this name, if somebody keeps the list. Where git's watcher does instead, it is asked
    /// what it calls this moment.
    pub fn begin(&self, name: &str) -> io::Result<Option<String>> {
        if self.is_kept()? {
            return self.mark(name).map(|()| None);
        }
        Ok(self.git.now())
    }

    /// The files that may have been written, and the folders in which any may have been, since the mark of this name, or
    /// since what git's watcher calls this moment; `None` if that is not known.
    pub fn since(&self, name: &str, moment: Option<&str>) -> io::Result<Option<Vec<PathBuf>>> {
        let paths = match moment {
            Some(moment) => self.git.since(moment),
            None => self.since_mark(name)?,
        };
        Ok(paths.map(|paths| paths.into_iter().map(|path| self.root.join(path)).collect()))
    }

    fn since_mark(&self, name: &str) -> io::Result<Option<Vec<PathBuf>>> {
        if !self.is_kept()? {
            return Ok(None);
        }
        let end = format!("{name}.");
        let began = Instant::now();
        self.mark(&end)?;
        loop {
            let list = self.folder.read(LIST, LONGEST)?.unwrap_or_default();
            match between(&list, name, &end) {
                Between::Written(paths) => return Ok(Some(paths)),
                Between::NotYet if began.elapsed() <= PATIENCE => {}
                Between::NotYet | Between::Unknown => return Ok(None),
            }
            thread::sleep(PAUSE);
        }
    }

    /// True if somebody lives who keeps the list.
    fn is_kept(&self) -> io::Result<bool> {
        if !self.folder.contains(KEEPER) {
            return Ok(false);
        }
        Ok(!self.folder.lock(KEEPER, Lock::Shared, Duration::ZERO)?.is_locked())
    }

    fn mark(&self, name: &str) -> io::Result<()> {
        let marks = self.folder.below(MARKS);
        drop(marks.lock(name, Lock::Shared, Duration::ZERO)?);
        marks.remove(name)
    }
}
