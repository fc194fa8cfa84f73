//! Who may read and write what is made inside a shared directory.

use std::fs::File;

use cap_std::fs::Metadata;

/// The group and mode that a directory gives to what is made in it, so that everyone who may use the directory may
/// use the records too, whatever their own defaults are. Systems without groups and modes inherit by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    #[cfg(unix)]
    group: u32,
    #[cfg(unix)]
    mode: u32,
}

#[cfg(unix)]
impl Sharing {
    /// Reads it off the directory.
    pub fn of(directory: &Metadata) -> Self {
        use cap_std::fs::MetadataExt;
        Self { group: directory.gid(), mode: directory.mode() & 0o7777 }
    }

    /// Gives it to a new file. Where the system refuses, the file keeps its defaults: it is usable all the same.
    pub fn apply_to_file(&self, file: &File) {
        self.apply(file, self.mode & 0o666);
    }

    /// Gives it to a new program: who may enter the directory may run it.
    pub fn apply_to_program(&self, file: &File) {
        self.apply(file, self.mode & 0o777);
    }

    /// Gives it to a new folder.
    pub fn apply_to_folder(&self, folder: &File) {
        self.apply(folder, self.mode);
    }

    fn apply(self, target: impl std::os::fd::AsFd, mode: u32) {
        use rustix::fs::{Gid, Mode, RawMode, fchmod, fchown, fstat};
        // macOS keeps modes in 16 bits, which the permission bits fit into.
        let mode = Mode::from_bits_truncate(mode as RawMode);
        let Ok(now) = fstat(&target) else { return };
        if now.st_gid != self.group {
            let _ = fchown(&target, None, Some(Gid::from_raw(self.group)));
        }
        if Mode::from_raw_mode(now.st_mode) != mode {
            let _ = fchmod(&target, mode);
        }
    }
}

#[cfg(not(unix))]
impl Sharing {
    /// Reads it off the directory.
    pub fn of(_: &Metadata) -> Self {
        Self {}
    }

    /// Gives it to a new file.
    pub fn apply_to_file(&self, _: &File) {}

    /// Gives it to a new program.
    pub fn apply_to_program(&self, _: &File) {}

    /// Gives it to a new folder.
    pub fn apply_to_folder(&self, _: &File) {}
}
