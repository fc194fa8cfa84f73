//! Looking at many files at once: what the file system says of each, without opening it.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// How many bytes.
    pub length: u64,
    /// When it was written: seconds and nanoseconds.
    pub modified: (i64, u32),
    /// When it, its name or its mode was changed last; as `modified` where the system doesn't say.
    pub changed: (i64, u32),
    /// True for a folder.
    pub is_folder: bool,
    /// True if its owner may run it; never where the system doesn't say.
    pub is_executable: bool,
}

impl Glance {
    /// What stands under a name; a link itself.
    pub fn at(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self::of(&found))
    }

    /// The same of what was looked at already.
    pub fn of(found: &Metadata) -> Self {
        let modified = found.modified().map_or((0, 0), since_epoch);
        #[cfg(unix)]
        let (changed, is_executable) = {
            use std::os::unix::fs::MetadataExt;
            let changed = (found.ctime(), u32::try_from(found.ctime_nsec()).unwrap_or_default());
            (changed, found.mode() & 0o100 != 0)
        };
        #[cfg(not(unix))]
        let (changed, is_executable) = (modified, false);
        Self { length: found.len(), modified, changed, is_folder: found.is_dir(), is_executable }
    }

    /// True if it was written, or its name or mode was changed, since then.
    pub fn is_since(&self, since: SystemTime) -> bool {
        let since = since_epoch(since);
        self.modified >= since || self.changed >= since
    }
}

fn since_epoch(time: SystemTime) -> (i64, u32) {
    let duration = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), duration.subsec_nanos())
}

/// A folder whose files are looked at one after the other. The way to it is gone only once.
#[derive(Debug)]
pub struct GlancedFolder {
    #[cfg(unix)]
    folder: rustix::fd::OwnedFd,
    #[cfg(not(unix))]
    folder: std::path::PathBuf,
}

#[cfg(unix)]
impl GlancedFolder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags, open};
        #[cfg(target_os = "linux")]
        let access = OFlags::PATH;
        #[cfg(not(target_os = "linux"))]
        let access = OFlags::RDONLY;
        Ok(Self { folder: open(path, access | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())? })
    }

    /// The folder itself.
    pub fn itself(&self) -> io::Result<Glance> {
        Ok(glance_of(&rustix::fs::fstat(&self.folder)?))
    }

    /// What stands under a name in it; a link itself.
    pub fn glance(&self, name: &Path) -> io::Result<Glance> {
        use rustix::fs::{AtFlags, statat};
        Ok(glance_of(&statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }
}

#[cfg(unix)]
fn glance_of(found: &rustix::fs::Stat) -> Glance {
    // What these numbers are differs from system to system.
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "elsewhere they are others")]
    let time = |seconds, nanoseconds| (i64::from(seconds), u32::try_from(nanoseconds).unwrap_or_default());
    Glance {
        length: u64::try_from(found.st_size).unwrap_or_default(),
        modified: time(found.st_mtime, found.st_mtime_nsec),
        changed: time(found.st_ctime, found.st_ctime_nsec),
        is_folder: rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir(),
        is_executable: found.st_mode & 0o100 != 0,
    }
}

#[cfg(not(unix))]
impl GlancedFolder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.is_dir() {
            return Ok(Self { folder: path.to_owned() });
        }
        Err(io::ErrorKind::NotADirectory.into())
    }

    /// The folder itself.
    pub fn itself(&self) -> io::Result<Glance> {
        Glance::at(&self.folder)
    }

    /// What stands under a name in it; a link itself.
    pub fn glance(&self, name: &Path) -> io::Result<Glance> {
        Glance::at(&self.folder.join(name))
    }
}
