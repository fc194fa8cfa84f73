//! Putting one file in the place of another.

use std::io;

use cap_std::fs::Dir;

/// Lets two names of a folder change their files, in one step; both must exist. Not every system and file system can.
///
/// Ext4 begins to write a file to disk when it is renamed over another one, and whoever replaces it again meanwhile has
/// to wait for that, for milliseconds. Of files that change their names it demands no such thing.
#[cfg(target_os = "linux")]
pub fn exchange(folder: &Dir, one: &str, other: &str) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    Ok(renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE)?)
}

/// Lets two names of a folder change their files; not here.
#[cfg(not(target_os = "linux"))]
pub fn exchange(_: &Dir, _: &str, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
