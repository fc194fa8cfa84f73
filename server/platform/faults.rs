//! Where tests let something go wrong. Every call that changes the coordination directory passes through here, and so
//! do the few others whose failure cannot be brought about on every machine.
//!
//! Only a build with the feature `fault-injection` can be told to fail, and an optimized build with it does not
//! compile: see [`injected`]. In every other build these functions do nothing but make the call.

use std::path::PathBuf;

/// A call that changed something on disk.
#[derive(Debug)]
#[cfg_attr(not(feature = "fault-injection"), allow(dead_code, reason = "only tests ask what was changed"))]
pub enum DiskChange {
    /// A file was created, empty.
    Create(PathBuf),
    /// A file was written, from an offset in bytes.
    Write(PathBuf, u64),
    /// A file's content was synced to disk.
    Sync(PathBuf),
    /// A folder's names were synced to disk.
    SyncFolder(PathBuf),
    /// A file got a second name.
    Link(PathBuf, PathBuf),
    /// A file got another name, in place of what had it.
    Rename(PathBuf, PathBuf),
    /// Two names changed their files.
    Exchange(PathBuf, PathBuf),
    /// A name was removed.
    Remove(PathBuf),
    /// A folder was made.
    MakeFolder(PathBuf),
    /// An empty folder was removed.
    RemoveFolder(PathBuf),
    /// A file's permissions or times were changed, which no record depends on.
    Attributes(PathBuf),
}

/// A call that changes nothing on disk, but may fail on some machines.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "fault-injection"), allow(dead_code, reason = "only tests let them fail"))]
pub enum Call {
    /// Opening the directory.
    Open,
    /// Locking a file.
    Lock,
    /// Asking to be notified of changes.
    Watch,
}

#[cfg(not(feature = "fault-injection"))]
mod never {
    use std::fs::File;
    use std::io::{self, Write};

    use chrono::TimeDelta;

    use super::{Call, DiskChange, PathBuf};

    /// Makes a call that changes something.
    #[inline]
    pub fn change<T>(_: impl FnOnce() -> DiskChange, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        call()
    }

    /// Writes into a file, from an offset that the file stands at already.
    #[inline]
    pub fn write(
        mut file: &File,
        _: impl FnOnce() -> PathBuf,
        _: impl FnOnce() -> u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Fails if a call shall fail.
    #[inline]
    pub fn check(_: Call) -> io::Result<()> {
        Ok(())
    }

    /// True if locks shall keep nobody out.
    #[inline]
    pub fn are_locks_broken() -> bool {
        false
    }

    /// How far the time of day shall be off.
    #[inline]
    pub fn clock_error() -> TimeDelta {
        TimeDelta::zero()
    }
}

#[cfg(feature = "fault-injection")]
mod injected;
#[cfg(feature = "fault-injection")]
pub use injected::{are_locks_broken, change, check, clock_error, write};
#[cfg(not(feature = "fault-injection"))]
pub use never::{are_locks_broken, change, check, clock_error, write};
