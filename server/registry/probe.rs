//! Trying out whether the directory's file system can do what the protocol needs.

use std::fs::TryLockError;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notify::{RecursiveMode, Watcher};

use super::store::files::directory::{Durability, UNFINISHED};
use super::store::files::folder::Folder;
use super::store::files::lock::LOCK;
use super::{Error, Registry, clean_up};
use deconflict_platform::faults::{self, Call};

/// A file that is not finished after so long was left behind by a process that died.
const LONGEST_WRITING: TimeDelta = TimeDelta::minutes(1);

impl Registry {
    /// True if a lock keeps others out here, as another handle on the lock file shows.
    pub fn locks_exclude(&self) -> Result<bool, Error> {
        let directory = self.directory()?;
        let _lock = self.lock(&directory)?;
        let other = directory.open_lock(LOCK)?;
        Ok(matches!(other.file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// How long it takes until a change in the directory is noticed; `None` if it is not within `patience`.
    pub fn time_to_notice(&self, patience: Duration) -> Result<Option<Duration>, Error> {
        let directory = self.directory()?;
        let unwatchable =
            |error: notify::Error| Error::Unwatchable { path: directory.path().to_owned(), reason: error.to_string() };
        let (sender, receiver) = mpsc::channel();
        // The receiver waits only for the first notice, so that later ones may find nobody.
        faults::check(Call::Watch).map_err(|error| unwatchable(notify::Error::io(error)))?;
        let mut watcher = notify::recommended_watcher(move |_| {
            let _ = sender.send(());
        })
        .map_err(unwatchable)?;
        watcher.watch(&directory.path_of(&Folder::Sessions), RecursiveMode::NonRecursive).map_err(unwatchable)?;
        let start = Instant::now();
        let name = format!("{UNFINISHED}probe-{}", std::process::id());
        directory.create_file(&Folder::Sessions, &name, b"", Durability::Process)?;
        let answer = receiver.recv_timeout(patience).ok().map(|()| start.elapsed());
        directory.remove_file(&Folder::Sessions, &name)?;
        Ok(answer)
    }

    /// How far the file system's clock is ahead of this machine's; `None` where nothing can be written.
    pub fn clock_difference(&self) -> Result<Option<TimeDelta>, Error> {
        Ok(self.directory()?.file_system_time().map(|there| there - self.now()))
    }

    /// Files that processes left unfinished when they died, as paths in the directory.
    pub fn leftovers(&self) -> Result<Vec<String>, Error> {
        let directory = self.directory()?;
        let leftovers = clean_up::leftovers(&directory, LONGEST_WRITING)?;
        let path = |(folder, name)| directory.path_of(&folder).join(name).display().to_string();
        Ok(leftovers.into_iter().map(path).collect())
    }
}
