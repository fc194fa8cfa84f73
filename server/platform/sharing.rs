//! Who may read and write what is made inside a shared directory.

use std::fs::File;
use std::io;
use std::path::Path;

use cap_std::fs::Metadata;
#[cfg(unix)]
use rustix::fs::OFlags;

/// The group and mode that a directory gives to what is made in it, so that everyone who may use the directory may
/// use the records too, whatever their own defaults are. Systems without groups and modes inherit by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    #[cfg(unix)]
    group: u32,
    #[cfg(unix)]
    mode: u32,
}

impl Sharing {
    /// Reads it off the directory.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "there are no groups and modes"))]
    pub fn of(directory: &Metadata) -> Self {
        Self {
            #[cfg(unix)]
            group: cap_std::fs::MetadataExt::gid(directory),
            #[cfg(unix)]
            mode: cap_std::fs::MetadataExt::mode(directory) & 0o7777,
        }
    }

    /// Gives it to a new file. Where the system refuses, the file keeps its defaults: it is usable all the same.
    pub fn apply_to_file(&self, file: &File) {
        self.apply(file, 0o666);
    }

    /// Gives it to a new program: who may enter the directory may run it.
    pub fn apply_to_program(&self, file: &File) {
        self.apply(file, 0o777);
    }

    /// Gives it to a new folder.
    pub fn apply_to_folder(&self, folder: &File) {
        self.apply(folder, 0o7777);
    }

    #[cfg(not(unix))]
    fn apply(self, _: &File, _: u32) {}

    #[cfg(unix)]
    fn apply(self, target: &File, kept: u32) {
        use rustix::fs::{Gid, Mode, RawMode, fchmod, fchown, fstat};
        // macOS keeps modes in 16 bits, which the permission bits fit into.
        let mode = Mode::from_bits_truncate((self.mode & kept) as RawMode);
        let Ok(now) = fstat(target) else { return };
        if now.st_gid != self.group {
            let _ = fchown(target, None, Some(Gid::from_raw(self.group)));
        }
        if Mode::from_raw_mode(now.st_mode) != mode {
            let _ = fchmod(target, mode);
        }
    }
}

/// Makes a folder of the group that the folder above it has, with a mode computed from the one that it would have.
#[cfg(unix)]
pub fn make_folder_of_group(path: &Path, mode: impl FnOnce(u32) -> u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let above = std::fs::metadata(path.parent().unwrap_or(path))?;
    std::fs::create_dir(path)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?);
    let now = folder.metadata()?.mode() & 0o7777;
    Sharing { group: above.gid(), mode: mode(now) }.apply_to_folder(&folder);
    Ok(())
}

/// Makes a folder, which inherits what it needs by itself.
#[cfg(not(unix))]
pub fn make_folder_of_group(path: &Path, _: impl FnOnce(u32) -> u32) -> io::Result<()> {
    std::fs::create_dir(path)
}
