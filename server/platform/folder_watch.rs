//! Being told of each change in some folders, in the order in which they happen.

use std::ffi::OsString;

/// What happened in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderChange {
    /// A file was made, written or removed, or what it is was changed, or a folder's mode.
    File(WatchId, OsString),
    /// A folder was made or moved there.
    FolderCame(WatchId, OsString),
    /// A folder was removed or moved away.
    FolderWent(WatchId, OsString),
    /// The folder is watched no more.
    Ended(WatchId),
    /// There was too much to tell: anything may have happened.
    TooMuch,
}

/// Tells a watched folder from others. No two have the same one after the other.
pub type WatchId = i32;

#[cfg(target_os = "linux")]
pub use linux::FolderWatch;
#[cfg(not(target_os = "linux"))]
pub use other::FolderWatch;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

    use super::{FolderChange, WatchId};

    /// Folders that are watched together.
    #[derive(Debug)]
    pub struct FolderWatch {
        inotify: OwnedFd,
    }

    impl FolderWatch {
        /// Watches nothing yet. Where the system cannot tell of changes in their order, it is unsupported.
        pub fn new() -> io::Result<Self> {
            Ok(Self { inotify: inotify::init(CreateFlags::CLOEXEC)? })
        }

        /// How many folders the user's programs may watch together; `None` where that is not known.
        pub fn most_folders() -> Option<usize> {
            std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?.trim().parse().ok()
        }

        /// Watches a folder, and nothing that is below its folders. A link is not followed.
        pub fn add(&self, folder: &Path) -> io::Result<WatchId> {
            let flags = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::ATTRIB
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::ONLYDIR
                | WatchFlags::DONT_FOLLOW
                | WatchFlags::EXCL_UNLINK;
            Ok(inotify::add_watch(&self.inotify, folder, flags)?)
        }

        /// Watches a folder no more.
        pub fn remove(&self, id: WatchId) {
            // It may have ended by itself.
            let _ = inotify::remove_watch(&self.inotify, id);
        }

        /// Waits until something has happened, and tells all that has by then.
        pub fn wait(&self) -> io::Result<Vec<FolderChange>> {
            let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
            let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
            let mut changes = Vec::new();
            loop {
                match events.next() {
                    Ok(event) => changes.extend(told(&event)),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                if events.is_buffer_empty() && !changes.is_empty() {
                    return Ok(changes);
                }
            }
        }
    }

    fn told(event: &inotify::Event) -> Option<FolderChange> {
        let (id, flags) = (event.wd(), event.events());
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            return Some(FolderChange::TooMuch);
        }
        if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
            return Some(FolderChange::Ended(id));
        }
        let name: OsString = OsStr::from_bytes(event.file_name()?.to_bytes()).to_owned();
        let came = ReadFlags::CREATE | ReadFlags::MOVED_TO;
        let went = ReadFlags::DELETE | ReadFlags::MOVED_FROM;
        let is_folder = flags.contains(ReadFlags::ISDIR);
        Some(if is_folder && flags.intersects(came) {
            FolderChange::FolderCame(id, name)
        } else if is_folder && flags.intersects(went) {
            FolderChange::FolderWent(id, name)
        } else {
            FolderChange::File(id, name)
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::path::Path;

    use super::{FolderChange, WatchId};

    /// Folders that are watched together. Here none can be.
    #[derive(Debug)]
    pub struct FolderWatch {}

    impl FolderWatch {
        /// Where the system cannot tell of changes in their order, it is unsupported.
        pub fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// How many folders the user's programs may watch together; `None` where that is not known.
        pub fn most_folders() -> Option<usize> {
            None
        }

        /// Watches a folder, and nothing that is below its folders.
        pub fn add(&self, _: &Path) -> io::Result<WatchId> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Watches a folder no more.
        pub fn remove(&self, _: WatchId) {}

        /// Waits until something has happened, and tells all that has by then.
        pub fn wait(&self) -> io::Result<Vec<FolderChange>> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}
