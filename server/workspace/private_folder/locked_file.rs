//! A file of a private folder whose lock is held, so that what is decided by its content is written into the same file.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cap_fs_ext::MetadataExt;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use deconflict_platform::faults::{self, DiskChange};

use super::{PrivateFolder, open_file, read_end, read_whole};

/// How often a lock that somebody else has is asked for.
const PAUSE: Duration = Duration::from_millis(1);

/// Whom a lock keeps out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Those who want it for themselves.
    Shared,
    /// Everybody.
    Exclusive,
}

/// An open file whose lock is held until it is dropped, unless its holder kept it for longer than one would wait.
#[derive(Debug)]
pub struct LockedFile<'a> {
    place: &'a PrivateFolder,
    folder: Arc<Dir>,
    name: String,
    file: File,
    identity: Identity,
    is_locked: bool,
}

/// Which file it is, whatever it is called.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl PrivateFolder {
    /// Opens a file, made if it is missing, and waits at most so long for its lock; it may have to do without.
    pub fn lock(&self, name: &str, lock: Lock, patience: Duration) -> io::Result<LockedFile<'_>> {
        LockedFile::open(self, self.make()?, name, lock, patience)
    }

    /// Adds bytes to a file, which is made if it is missing. One that would grow beyond `longest` is written anew with
    /// what `shorten` makes of all. The file's own lock keeps its writers apart.
    pub fn append(
        &self,
        name: &str,
        bytes: &[u8],
        longest: u64,
        shorten: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> io::Result<()> {
        let file = self.lock(name, Lock::Exclusive, Duration::MAX)?;
        if file.length()? + bytes.len() as u64 <= longest {
            return file.append(bytes);
        }
        let mut whole = read_whole(&file.file, longest.saturating_mul(2))?.unwrap_or_default();
        whole.extend_from_slice(bytes);
        file.replace(&shorten(whole))
    }
}

impl<'a> LockedFile<'a> {
    fn open(
        place: &'a PrivateFolder,
        mut folder: Arc<Dir>,
        name: &str,
        lock: Lock,
        patience: Duration,
    ) -> io::Result<Self> {
        let began = Instant::now();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        loop {
            let path = place.path().join(name);
            let opened = faults::change(|| DiskChange::Create(path), || open_file(&folder, name, &mut options));
            let (file, found) = match opened {
                // The folder was removed after it had been opened.
                Err(error) if error.kind() == io::ErrorKind::NotFound && began.elapsed() < patience => {
                    folder = place.make()?;
                    continue;
                }
                opened => opened?,
            };
            let is_locked = wait_for(&file, lock, began, patience);
            let identity = Identity::of(&found);
            // Another writer may have replaced it meanwhile.
            if !is_locked || identity.is_at(&folder, name) {
                return Ok(Self { place, folder, name: name.to_owned(), file, identity, is_locked });
            }
        }
    }

    /// False if the lock could not be had.
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// How long it is, in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// True if so many bytes more take it past a multiple of a step, which is the time to write it anew with what counts.
    pub fn passes(&self, step: u64, more: usize) -> io::Result<bool> {
        let length = self.length()?;
        Ok(length / step != (length + more as u64) / step)
    }

    /// At most so many bytes at its end, and where they begin.
    pub fn read_end(&self, longest: u64) -> io::Result<(u64, Vec<u8>)> {
        read_end(&self.file, longest)
    }

    /// Adds bytes at its end.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let offset = || self.length().unwrap_or_default();
        faults::write(&self.file, || self.place.path().join(&self.name), offset, bytes)
    }

    /// True unless it was removed or replaced meanwhile, by somebody who did not wait for the lock.
    pub fn is_current(&self) -> bool {
        self.identity.is_at(&self.folder, &self.name)
    }

    /// Puts another content in its place. Whoever waits for the lock finds the new file.
    pub fn replace(self, bytes: &[u8]) -> io::Result<()> {
        self.place.write_anew(&self.folder, &self.name, bytes)
    }

    /// Removes it.
    pub fn remove(self) -> io::Result<()> {
        let path = self.place.path().join(&self.name);
        match faults::change(|| DiskChange::Remove(path), || self.folder.remove_file(&self.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }

    fn is_at(&self, folder: &Dir, name: &str) -> bool {
        folder.symlink_metadata(name).is_ok_and(|named| Self::of(&named) == *self)
    }
}

fn wait_for(file: &File, lock: Lock, began: Instant, patience: Duration) -> bool {
    loop {
        let tried = match lock {
            Lock::Shared => file.try_lock_shared(),
            Lock::Exclusive => file.try_lock(),
        };
        match tried {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
