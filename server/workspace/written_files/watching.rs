//! Keeping the list: the folders of a worktree are watched, and what happens in them is written down.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use deconflict_platform::{FolderChange, FolderWatch, WatchId};

use super::list::{LIST, LONGEST, ListLine};
use super::{KEEPER, MARKS, WrittenFiles};
use crate::changed_files::folders_of;
use crate::git::path_from;
use crate::{Ignored, Lock, Repository};

/// More folders than this are not watched: what a look at everything costs there is not what is felt most.
const MOST_FOLDERS: usize = 20_000;

/// The share of what the user's programs may watch together that this one takes at most.
const SHARE: usize = 4;

/// A hook that asks whether somebody keeps the list has its lock for a moment.
const PATIENCE: Duration = Duration::from_millis(5);

/// A thread that keeps the list of a worktree. It ends when this is dropped.
#[derive(Debug)]
pub struct WrittenFilesWatch {
    files: WrittenFiles,
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl WrittenFilesWatch {
    /// Begins to watch, unless another process does.
    pub fn start(files: WrittenFiles, repository: Repository) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (kept, ends) = (files.clone(), Arc::clone(&is_over));
        let thread = thread::Builder::new().name("written files".to_owned()).spawn(move || {
            // Where it cannot be kept, whoever asks looks for themselves.
            let _ = keep(&kept, &repository, &ends);
        })?;
        Ok(Self { files, is_over, thread })
    }

    /// False once it has ended by itself: another process keeps the list, or it cannot be kept.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }
}

impl Drop for WrittenFilesWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It waits for something to happen.
        let _ = self.files.mark("end");
    }
}

fn keep(files: &WrittenFiles, repository: &Repository, is_over: &AtomicBool) -> io::Result<()> {
    let keeper = files.folder.lock(KEEPER, Lock::Exclusive, PATIENCE)?;
    if !keeper.is_locked() {
        return Ok(());
    }
    files.folder.remove(LIST)?;
    let marks = files.folder.below(MARKS);
    marks.ensure()?;
    let watch = FolderWatch::new()?;
    let most = FolderWatch::most_folders().map_or(MOST_FOLDERS, |most| (most / SHARE).min(MOST_FOLDERS));
    let mut watching = Watching {
        repository,
        ignored: Ignored::new(),
        marks: watch.add(&marks.path())?,
        git: watch.add(repository.git_directory())?,
        watch,
        most,
        by_id: HashMap::new(),
        by_path: BTreeMap::new(),
    };
    watching.add_tracked()?;
    let mut last = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let mut bytes = Vec::new();
        for change in watching.watch.wait()? {
            watching.take_in(&change, &mut bytes)?;
        }
        // A program that writes one file again and again tells nothing new by that.
        if !bytes.is_empty() && bytes != last {
            files.folder.append(LIST, &bytes, LONGEST, |_| Vec::new())?;
        }
        last = bytes;
    }
    Ok(())
}

struct Watching<'a> {
    repository: &'a Repository,
    ignored: Ignored,
    watch: FolderWatch,
    marks: WatchId,
    git: WatchId,
    most: usize,
    /// The folders that are watched, by their paths from the root.
    by_id: HashMap<WatchId, PathBuf>,
    by_path: BTreeMap<PathBuf, WatchId>,
}

impl Watching<'_> {
    fn take_in(&mut self, change: &FolderChange, bytes: &mut Vec<u8>) -> io::Result<()> {
        match change {
            FolderChange::File(id, name) if *id == self.marks => {
                if let Some(name) = name.to_str() {
                    ListLine::Mark(name).append_to(bytes);
                }
            }
            FolderChange::File(id, name) if *id == self.git => {
                if name == "index" && self.add_tracked()? {
                    ListLine::Anew.append_to(bytes);
                }
            }
            FolderChange::File(id, name) => {
                if let Some(path) = self.path_of(*id, Path::new(name)) {
                    ListLine::Written(&path).append_to(bytes);
                }
            }
            FolderChange::FolderCame(id, name) | FolderChange::FolderWent(id, name) => {
                let Some(path) = self.path_of(*id, Path::new(name)) else { return Ok(()) };
                self.forget(&path);
                if matches!(change, FolderChange::FolderCame(..)) {
                    self.add_new(&path)?;
                }
                // What was written there before it was watched is found by looking there.
                ListLine::Written(&path).append_to(bytes);
            }
            FolderChange::Ended(id) => {
                if let Some(path) = self.by_id.remove(id) {
                    self.by_path.remove(&path);
                }
                if [self.marks, self.git].contains(id) || self.by_id.is_empty() {
                    return Err(io::ErrorKind::NotFound.into());
                }
            }
            FolderChange::TooMuch => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(())
    }

    fn path_of(&self, folder: WatchId, name: &Path) -> Option<PathBuf> {
        let path = self.by_id.get(&folder)?.join(name);
        // Another repository's files, and git's own, are none of this worktree's.
        (!path.starts_with(".git")).then_some(path)
    }

    /// Watches the folders in which git tracks something. True if there is one that was not watched.
    fn add_tracked(&mut self) -> io::Result<bool> {
        // A damaged index is mended by git.
        let tracked = self.repository.tracked_files().unwrap_or_default();
        let folders: HashSet<PathBuf> =
            folders_of(&tracked).into_iter().map(|folder| path_from(folder).to_owned()).collect();
        let missing: Vec<PathBuf> = folders.into_iter().filter(|folder| !self.by_path.contains_key(folder)).collect();
        let mut is_new = false;
        for folder in missing {
            is_new |= self.add(folder)?;
        }
        Ok(is_new)
    }

    /// Watches a folder that has just come, and those in it, unless git ignores it.
    fn add_new(&mut self, folder: &Path) -> io::Result<()> {
        let path = self.repository.root().join(folder);
        if self.ignored.is_ignored_directory(&path) || path.join(".git").exists() || !self.add(folder.to_owned())? {
            return Ok(());
        }
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for entry in folders.collect::<Vec<_>>() {
            self.add_new(&folder.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// True if it is watched then: it may be gone, or a link now.
    fn add(&mut self, folder: PathBuf) -> io::Result<bool> {
        if self.by_id.len() >= self.most {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match self.watch.add(&self.repository.root().join(&folder)) {
            Ok(id) => {
                self.by_id.insert(id, folder.clone());
                self.by_path.insert(folder, id);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Watches a folder and those in it no more: what they are called has changed.
    fn forget(&mut self, folder: &Path) {
        let below = self.by_path.range(folder.to_owned()..).take_while(|(path, _)| path.starts_with(folder));
        let below: Vec<(PathBuf, WatchId)> = below.map(|(path, id)| (path.clone(), *id)).collect();
        for (path, id) in below {
            self.by_path.remove(&path);
            self.by_id.remove(&id);
            self.watch.remove(id);
        }
    }
}
