//! One set-up of a user at a time: two of them would each write down only what they did themselves.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use deconflict_platform as platform;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files;

/// The right to change something. The system takes it back when the process dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// The folders above it that vanish with it if nothing else is in them.
    pub(super) folders: Vec<PathBuf>,
}

/// What stands in the lock file: who has it, and which folders were made for it.
#[derive(Default, Serialize, Deserialize)]
struct Holder {
    process: Option<u32>,
    command: String,
    folders: Vec<PathBuf>,
}

impl Lock {
    /// Takes the lock. Nobody waits for it: what another set-up does can take minutes.
    pub(super) fn take(state: &Path) -> Result<Self, Error> {
        /// Each time somebody else has just ended; so often nobody does.
        const ATTEMPTS: usize = 100;
        let path = state.join("setup.lock");
        for _ in 0..ATTEMPTS {
            let mut folders = files::make_folders(state)?;
            let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = match open {
                // Whoever had the lock took the folder away with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                open => open.map_err(Error::io("open", &path))?,
            };
            let is_locked = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                // A set-up alone is better than none.
                Err(TryLockError::Error(source)) if platform::means_no_locks(&source) => true,
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
            };
            let holder = Holder::read(&mut file);
            if !is_locked {
                return Err(Error::Busy(holder.process, holder.command));
            }
            // Whoever had it before may have removed the file.
            if !is_at(&file, &path) {
                continue;
            }
            // Whoever was killed could not remove the folders that it had made.
            folders.extend(holder.folders);
            // Ours by its name, whoever of several that begin together made it.
            folders.push(state.to_owned());
            let lock = Self { file, path, folders };
            lock.write_holder()?;
            return Ok(lock);
        }
        Err(Error::Busy(None, String::new()))
    }

    fn write_holder(&self) -> Result<(), Error> {
        let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let command = format!("deconflict {}", words.join(" "));
        let holder = Holder { process: Some(std::process::id()), command, folders: self.folders.clone() };
        let text = serde_json::to_vec(&holder).unwrap_or_default();
        let mut file = &self.file;
        let written = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(&text));
        written.map_err(Error::io("write", &self.path))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays is taken and removed by the next set-up.
        let _ = fs::remove_file(&self.path);
        self.folders.sort();
        self.folders.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

impl Holder {
    /// What cannot be read, because it is being written or the system keeps it from others, is left out.
    fn read(file: &mut File) -> Self {
        let mut text = Vec::new();
        let _ = file.take(64 * 1024).read_to_end(&mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (opened, found) = (file.metadata().map(identity), fs::metadata(path).map(identity));
    matches!((opened, found), (Ok(opened), Ok(found)) if opened == found)
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
