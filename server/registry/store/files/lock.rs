//! The one lock that covers every change of a claim (protocol page, "Claims").

use std::fs::TryLockError;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::directory::{Directory, LockFile};
use crate::Error;
use crate::store::Locking;
use deconflict_platform as platform;
use deconflict_platform::faults::{self, Call};

pub(crate) const LOCK: &str = ".lock";

/// A fencing token in digits, and a line break.
const TOKEN_LENGTH: usize = 21;

/// How long a verb waits for the lock before it gives up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever waits for the lock looks again after a pause between these, the longer the longer it has waited: most keep it for
/// less than a millisecond, and a crowd that looks all the time would keep the one that has it from its work.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));

/// Proof that the lock is held, where it can be. The lock goes with it, also when the process dies.
pub(crate) struct ClaimLock<'a> {
    directory: &'a Directory,
    file: LockFile<'a>,
    locking: Locking,
}

impl<'a> ClaimLock<'a> {
    /// Takes the lock. It is never broken: the operating system frees it when its owner dies.
    pub(crate) fn take(directory: &'a Directory) -> Result<Self, Error> {
        let (file, locking) = lock_file(directory, LOCK)?;
        Ok(Self { directory, file, locking })
    }

    pub(crate) fn directory(&self) -> &'a Directory {
        self.directory
    }

    pub(crate) fn locking(&self) -> Locking {
        self.locking
    }

    /// True if it still keeps others out: somebody may have deleted or replaced its file.
    pub(crate) fn is_current(&self) -> bool {
        self.file.is_current()
    }

    /// A number greater than every one that was kept before. It is never below the time of day, so that it goes on
    /// growing when the directory was deleted and made again.
    pub(crate) fn next_token(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        let mut text = [0; TOKEN_LENGTH];
        let mut file = &self.file.file;
        let read = file.rewind().and_then(|()| file.read(&mut text)).map_err(Error::io("read", &self.path()))?;
        // A lock file with anything else in it counts as new.
        let last = str::from_utf8(&text[..read]).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        Ok(u64::try_from(now.timestamp_micros()).unwrap_or(0).max(last.saturating_add(1)))
    }

    /// Keeps the last number that was given, in the lock's file.
    pub(crate) fn keep_token(&self, token: u64) -> Result<(), Error> {
        let mut file = &self.file.file;
        file.rewind()
            .and_then(|()| faults::write(file, || self.path(), || 0, format!("{token:020}\n").as_bytes()))
            .map_err(|source| self.directory.write_error(&self.path(), source))
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(LOCK)
    }
}

/// Locks a file of the directory, and waits for that so long as a verb may.
pub(crate) fn lock_file<'a>(directory: &'a Directory, name: &'static str) -> Result<(LockFile<'a>, Locking), Error> {
    let start = Instant::now();
    loop {
        let file = directory.open_lock(name)?;
        let locking = match try_lock(&file) {
            Ok(()) if directory.locks_stay_here() => Some(Locking::Unsupported),
            Ok(()) => Some(Locking::Enforced),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Interrupted => None,
            Err(TryLockError::Error(source)) if platform::means_no_locks(&source) => Some(Locking::Unsupported),
            Err(TryLockError::Error(source)) => {
                return Err(Error::io("lock", &directory.path().join(name))(source));
            }
        };
        // Whoever deleted the lock file and made it again must not be locked out by the old one.
        if let Some(locking) = locking.filter(|_| file.is_current()) {
            return Ok((file, locking));
        }
        let waited = start.elapsed();
        if waited >= PATIENCE {
            let holder = platform::lock_holder(file.identity.0, file.identity.1);
            return Err(Error::Busy { path: directory.path().join(name), holder });
        }
        std::thread::sleep((waited / 4).clamp(PAUSES.0, PAUSES.1));
    }
}

fn try_lock(file: &LockFile) -> Result<(), TryLockError> {
    faults::check(Call::Lock).map_err(TryLockError::Error)?;
    if faults::are_locks_broken() { Ok(()) } else { file.file.try_lock() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever waits for the lock opens its file anew each time, so that a deleted one is met only for a moment. No test
    /// could wait for that moment; what is looked at then can be shown.
    #[test]
    fn a_lock_file_that_was_replaced_is_not_the_one_at_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::create(folder.path()).unwrap();
        let opened = directory.open_lock(LOCK).unwrap();
        assert!(opened.is_current());
        std::fs::remove_file(folder.path().join(LOCK)).unwrap();
        assert!(!opened.is_current(), "it is gone");
        let made_again = directory.open_lock(LOCK).unwrap();
        assert!(made_again.is_current());
        assert!(!opened.is_current(), "another one is there");
    }
}
