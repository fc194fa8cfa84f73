//! The coordination directory as files: the only code that opens, writes or removes anything in it.
//!
//! Nothing in it is trusted (protocol page, "Trust"): every folder and file is opened without following links and
//! through a handle that no path escapes, only regular files of at most 1 MiB are read, and names come from types that
//! are one path component. What is written is complete before it gets its name, so no reader sees half a record.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, Metadata, OpenOptions};
use chrono::{DateTime, Utc};

use super::folder::Folder;
use crate::Error;
use crate::changes::Changes;
use crate::store::{LARGEST_RECORD, Stamp, Stored};
use deconflict_platform as platform;
use deconflict_platform::Sharing;
use deconflict_platform::faults::{self, Call, DiskChange};

/// How names of unfinished files start. Readers pass over every name that starts with a dot.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// What tells a folder from another one that takes its place. File systems give the numbers of deleted folders away
/// again at once, so the time when it was made belongs to it where the system keeps that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderIdentity {
    device: u64,
    inode: u64,
    created: Option<DateTime<Utc>>,
}

/// What does not change while one folder stands, and takes long to find out.
#[derive(Debug, Default)]
pub(super) struct Traits {
    ignores_case: OnceLock<bool>,
    locks_stay_here: OnceLock<bool>,
}

/// A folder as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderStamp {
    pub(crate) identity: FolderIdentity,
    /// When a name was last added, removed or replaced in it. Writing into a file doesn't count.
    pub(crate) modified: DateTime<Utc>,
}

/// What a file that was just written must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The end of a process: whole or absent, but not synced.
    Process,
    /// A power loss leaves it whole, or leaves what was there before: its content is synced before it has its name.
    Whole,
    /// A power loss: synced to disk, name included.
    Power,
}

/// An open handle on the directory as it is now. Each verb opens its own, so that a directory that was deleted or
/// replaced meanwhile is never written to behind everybody's back.
pub(crate) struct Directory {
    path: PathBuf,
    pub(super) root: Dir,
    pub(super) sharing: Sharing,
    pub(super) identity: FolderIdentity,
    traits: Arc<Traits>,
    /// Folders that are looked into again and again.
    folders: RefCell<Vec<(Folder, Arc<Dir>)>>,
    pub(super) changes: Arc<Changes>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FolderIdentity {
    fn of(metadata: &Metadata) -> Self {
        let created = metadata.created().ok().map(|time| time.into_std().into());
        Self { device: metadata.dev(), inode: metadata.ino(), created }
    }
}

impl Directory {
    /// Opens an existing directory.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let opened = faults::check(Call::Open).and_then(|()| Dir::open_ambient_dir(path, ambient_authority()));
        let root = opened.map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                Error::Missing { directory: path.to_owned() }
            } else {
                Error::io("open", path)(source)
            }
        })?;
        let metadata = root.dir_metadata().map_err(Error::io("examine", path))?;
        Ok(Self {
            path: path.to_owned(),
            sharing: Sharing::of(&metadata),
            identity: FolderIdentity::of(&metadata),
            root,
            traits: Arc::default(),
            folders: RefCell::default(),
            changes: Arc::default(),
        })
    }

    /// Makes the directory and its folders where they are missing, and opens it.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        let make = || std::fs::create_dir_all(path);
        faults::change(|| DiskChange::MakeFolder(path.to_owned()), make).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly { directory: path.to_owned(), source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full { directory: path.to_owned(), source }
            }
            _ => Error::io("make", path)(source),
        })?;
        let directory = Self::open(path)?;
        for above in missing.into_iter().filter_map(Path::parent).filter(|above| !above.as_os_str().is_empty()) {
            directory.sync_folder(above, || std::fs::File::open(above))?;
        }
        for folder in Folder::ORIGINALS {
            directory.make_folder(&folder)?;
        }
        Ok(directory)
    }

    /// The same handle, which adds what is changed through it to these changes.
    pub(crate) fn noting(mut self, changes: &Arc<Changes>) -> Self {
        self.changes = Arc::clone(changes);
        self
    }

    /// The same handle, which uses and adds to what is known of the folder already.
    pub(super) fn known_as(mut self, traits: &Arc<Traits>) -> Self {
        self.traits = Arc::clone(traits);
        self
    }

    pub(super) fn traits(&self) -> &Arc<Traits> {
        &self.traits
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a folder, for messages and for watching.
    pub(crate) fn path_of(&self, folder: &Folder) -> PathBuf {
        folder.components().iter().fold(self.path.clone(), |path, component| path.join(component))
    }

    /// True if the file system takes names that differ only in case as equal.
    pub(crate) fn ignores_case(&self) -> bool {
        if let Some(known) = self.traits.ignores_case.get() {
            return *known;
        }
        // Mostly the second is missing.
        let names = ["claims", "CLAIMS"];
        let mut found = names.iter().map(|name| self.root.symlink_metadata(name).is_ok());
        if found.next() != Some(true) {
            // Nothing can be told, and nothing is to be remembered, before there is something with letters.
            return false;
        }
        // Numbers tell nothing here: file systems without numbers of their own give each spelling another one.
        let ignores_case = found.next() == Some(true) && {
            let listed = self.root.entries().into_iter().flatten().flatten().map(|entry| entry.file_name());
            listed.filter(|listed| names.iter().any(|name| listed == name)).count() < names.len()
        };
        *self.traits.ignores_case.get_or_init(|| ignores_case)
    }

    /// True if a lock on a file in it may keep nobody out on another machine that sees it too.
    pub(super) fn locks_stay_here(&self) -> bool {
        *self.traits.locks_stay_here.get_or_init(|| platform::locks_stay_here(&self.path))
    }

    /// Opens a folder for many looks into it; `None` if it is missing.
    pub(crate) fn contents<'a>(&'a self, folder: &'a Folder) -> Result<Option<Contents<'a>>, Error> {
        Ok(self.folder(folder)?.map(|handle| Contents { directory: self, folder, handle }))
    }

    /// The names in a folder that don't start with a dot, in no order; none if the folder is missing.
    /// A name that is not Unicode belongs to no record and is passed over.
    pub(crate) fn list(&self, folder: &Folder) -> Result<Vec<String>, Error> {
        self.contents(folder)?.map_or_else(|| Ok(Vec::new()), |contents| contents.names())
    }

    /// Reads a file; `None` if there is none.
    pub(crate) fn read(&self, folder: &Folder, name: &str) -> Result<Option<Stored>, Error> {
        self.contents(folder)?.map_or(Ok(None), |contents| contents.read(name))
    }

    /// When a file was written and which one it is, without reading it; `None` if there is none or it is no file.
    pub(crate) fn file_stamp(&self, folder: &Folder, name: &str) -> Result<Option<Stamp>, Error> {
        self.contents(folder)?.map_or(Ok(None), |contents| contents.stamp(name))
    }

    /// Which folder stands there now, and when its own list of names changed last; `None` if there is none.
    pub(crate) fn folder_stamp(&self, folder: &Folder) -> Result<Option<FolderStamp>, Error> {
        let Some(handle) = self.folder(folder)? else { return Ok(None) };
        let metadata = handle.dir_metadata().map_err(|e| Error::io("examine", &self.path_of(folder))(e))?;
        Ok(Some(FolderStamp { identity: FolderIdentity::of(&metadata), modified: stamp_of(&metadata).modified }))
    }

    /// Opens a file for locking, made if it is missing.
    pub(crate) fn open_lock(&self, name: &'static str) -> Result<LockFile<'_>, Error> {
        let path = || self.path.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).follow(FollowSymlinks::No).nonblock(true);
        let open = || self.root.open_with(name, &options);
        let file = faults::change(|| DiskChange::Create(path()), open).map_err(|e| self.write_error(&path(), e))?;
        let metadata = file.metadata().map_err(|e| Error::io("examine", &path())(e))?;
        if !metadata.is_file() {
            return Err(Error::Unsafe { path: path(), reason: "a lock must be a regular file" });
        }
        let file = file.into_std();
        if metadata.len() == 0 {
            self.sharing.apply_to_file(&file);
        }
        Ok(LockFile { root: &self.root, name, identity: (metadata.dev(), metadata.ino()), file })
    }

    pub(super) fn folder(&self, folder: &Folder) -> Result<Option<Arc<Dir>>, Error> {
        if let Some((_, handle)) = self.folders.borrow().iter().find(|(known, _)| known == folder) {
            return Ok(Some(Arc::clone(handle)));
        }
        let Some(handle) = self.folder_at(&folder.components())?.map(Arc::new) else { return Ok(None) };
        self.remember(folder, &handle);
        Ok(Some(handle))
    }

    /// Of the folders for each recipient only the last is kept open, because there may be more than files can be open.
    pub(super) fn remember(&self, folder: &Folder, handle: &Arc<Dir>) {
        let mut folders = self.folders.borrow_mut();
        folders.retain(|(known, _)| !matches!((known, folder), (Folder::Direct(_), Folder::Direct(_))));
        folders.push((folder.clone(), Arc::clone(handle)));
    }

    pub(super) fn folder_at(&self, components: &[&str]) -> Result<Option<Dir>, Error> {
        let mut handle = None;
        for (depth, component) in components.iter().enumerate() {
            let above = handle.as_ref().unwrap_or(&self.root);
            match found(above.open_dir_nofollow(component)) {
                Ok(Some(inner)) => handle = Some(inner),
                Ok(None) => return Ok(None),
                Err(source) => {
                    let path = components[..=depth].iter().fold(self.path.clone(), |path, name| path.join(name));
                    return Err(not_a_folder(above, component, path, source));
                }
            }
        }
        handle.map_or_else(|| self.root.try_clone(), Ok).map(Some).map_err(Error::io("open", &self.path))
    }
}

pub(crate) struct Contents<'a> {
    pub(super) directory: &'a Directory,
    pub(super) folder: &'a Folder,
    pub(super) handle: Arc<Dir>,
}

impl Contents<'_> {
    /// The names that don't start with a dot, in no order. A name that is not Unicode belongs to no record and is
    /// passed over.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let names = self.all_names()?;
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    }

    /// The names with those that start with a dot.
    pub(crate) fn all_names(&self) -> Result<Vec<String>, Error> {
        let failed = |source| Error::io("list", &self.directory.path_of(self.folder))(source);
        let mut names = Vec::new();
        for entry in self.handle.entries().map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The names that don't start with a dot, each with the number that tells the file from another one that takes its place;
    /// zero where a listing doesn't tell that.
    pub(crate) fn numbered_names(&self) -> Result<Vec<(String, u64)>, Error> {
        let failed = |source| Error::io("list", &self.directory.path_of(self.folder))(source);
        let mut names = Vec::new();
        for entry in self.handle.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string()
                && !name.starts_with('.')
            {
                names.push((name, listed_number(&entry)));
            }
        }
        Ok(names)
    }

    /// Reads a file; `None` if there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Stored>, Error> {
        let path = || self.path_of(name);
        let metadata = found(self.handle.symlink_metadata(name)).map_err(|e| Error::io("examine", &path())(e))?;
        let Some(metadata) = metadata else { return Ok(None) };
        check_readable(&metadata, path)?;
        let mut options = OpenOptions::new();
        // Should the file have become a pipe meanwhile, opening it must not wait for somebody to write into it.
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let opened = found(self.handle.open_with(name, &options)).map_err(|e| Error::io("open", &path())(e))?;
        let Some(file) = opened else { return Ok(None) };
        let metadata = file.metadata().map_err(|e| Error::io("examine", &path())(e))?;
        check_readable(&metadata, path)?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        // As long as it was a moment ago, so that the system need not be asked whether it ends there.
        file.take(metadata.len()).read_to_end(&mut bytes).map_err(|e| Error::io("read", &path())(e))?;
        Ok(Some(Stored { bytes, stamp: stamp_of(&metadata) }))
    }

    /// When a file was written and which one it is, without reading it; `None` if there is none or it is no file.
    pub(crate) fn stamp(&self, name: &str) -> Result<Option<Stamp>, Error> {
        let metadata =
            found(self.handle.symlink_metadata(name)).map_err(|e| Error::io("examine", &self.path_of(name))(e))?;
        Ok(metadata.filter(Metadata::is_file).map(|metadata| stamp_of(&metadata)))
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.directory.path_of(self.folder).join(name)
    }
}

pub(crate) struct LockFile<'a> {
    root: &'a Dir,
    name: &'static str,
    pub(crate) identity: (u64, u64),
    pub(crate) file: std::fs::File,
}

impl LockFile<'_> {
    /// True if the file is still the one at its path: somebody may have deleted or replaced it.
    pub(crate) fn is_current(&self) -> bool {
        self.root.symlink_metadata(self.name).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
    }
}

#[cfg(unix)]
fn listed_number(entry: &DirEntry) -> u64 {
    std::os::unix::fs::DirEntryExt::ino(entry)
}

#[cfg(not(unix))]
fn listed_number(_: &DirEntry) -> u64 {
    0
}

/// Which file it is, and when it was written.
pub(super) fn stamp_of(metadata: &Metadata) -> Stamp {
    let modified = metadata.modified().map_or(DateTime::UNIX_EPOCH, |time| time.into_std().into());
    Stamp { modified, size: metadata.len(), version: metadata.ino() }
}

/// The folder opened as a file: the handles that hold a folder open may do nothing but find what is in it.
pub(super) fn as_file(folder: &Dir) -> io::Result<std::fs::File> {
    folder.open(".").map(cap_std::fs::File::into_std)
}

pub(super) fn check_readable(metadata: &Metadata, path: impl Fn() -> PathBuf) -> Result<(), Error> {
    if !metadata.is_file() {
        return Err(Error::Unsafe { path: path(), reason: "it is a link, a folder or a device, not a file" });
    }
    if metadata.len() > LARGEST_RECORD as u64 {
        return Err(Error::Unsafe { path: path(), reason: "it is larger than 1 MiB" });
    }
    Ok(())
}

pub(super) fn not_a_folder(above: &Dir, component: &str, path: PathBuf, source: io::Error) -> Error {
    match above.symlink_metadata(component) {
        Ok(metadata) if metadata.is_symlink() => {
            Error::Unsafe { path, reason: "it is a link, and links are not followed" }
        }
        Ok(metadata) if !metadata.is_dir() => Error::Unsafe { path, reason: "it is not a folder" },
        _ => Error::io("open", &path)(source),
    }
}

pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
