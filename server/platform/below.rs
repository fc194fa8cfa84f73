//! Opening a folder below another one, on a way on which no link is followed.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a folder for what is in it by its path from another one, at once. The first path may lead over links, what is below
/// it not. Where the system cannot do that, it is unsupported.
#[cfg(target_os = "linux")]
pub fn open_folder_below(base: &Path, below: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    use rustix::io::Errno;
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = open(base, folder, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(&base, below, folder | OFlags::NOFOLLOW, Mode::empty(), resolve) {
        // Older kernels don't know it, and some sandboxes forbid it.
        Err(Errno::NOSYS | Errno::PERM) => Err(io::ErrorKind::Unsupported.into()),
        Err(Errno::LOOP) => Err(io::ErrorKind::NotADirectory.into()),
        opened => Ok(opened?.into()),
    }
}

/// Opens a folder for what is in it by its path from another one, at once. Here it is unsupported.
#[cfg(not(target_os = "linux"))]
pub fn open_folder_below(_: &Path, _: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
