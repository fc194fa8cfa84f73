//! Writing into the directory: what is written is complete before it gets its name, so no reader sees half a record.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, OpenOptions};
use chrono::{DateTime, Utc};

use super::directory::{
    Contents, Directory, Durability, UNFINISHED, as_file, check_readable, found, not_a_folder, stamp_of,
};
use super::folder::Folder;
use crate::changes::ChangedRecord;
use crate::{Error, random_number};
use deconflict_platform as platform;
use deconflict_platform::faults::{self, DiskChange};

impl Directory {
    /// Writes a file under a name that nothing has yet. Returns false, and writes nothing, if something has it.
    pub(crate) fn create_file(
        &self,
        folder: &Folder,
        name: &str,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<bool, Error> {
        let created = self.create_file_under_first(folder, std::iter::once(name.to_owned()), bytes, durability)?;
        Ok(created.is_some())
    }

    /// Writes a file under the first of some names that nothing has yet. Returns that name; `None`, and nothing is
    /// written, if something has each of them.
    pub(crate) fn create_file_under_first(
        &self,
        folder: &Folder,
        names: impl IntoIterator<Item = String>,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<Option<String>, Error> {
        // A direct message is begun beside the recipients' folders, so that one folder's time tells of all of them.
        let beginnings = if matches!(folder, Folder::Direct(_)) { &Folder::Recipients } else { &Folder::Unfinished };
        let (beginning, handle) = (self.made_folder(beginnings)?, self.made_folder(folder)?);
        let (before_beginning, before) = (Self::modified(beginnings, &beginning), Self::modified(folder, &handle));
        let unfinished = self.write_unfinished(&beginning, beginnings, bytes, durability)?;
        let path = || self.path_of(beginnings).join(&unfinished);
        let first = names.into_iter().find_map(|name| {
            let is_named = self.name_unfinished((&beginning, path()), (&handle, folder), &unfinished, &name);
            is_named.map(|is_named| is_named.then_some(name)).transpose()
        });
        let created = first.transpose();
        let _ = faults::change(|| DiskChange::Remove(path()), || beginning.remove_file(&unfinished));
        let name = created.as_ref().ok().and_then(Clone::clone);
        self.note(folder, &handle, before, name.map(|name| ChangedRecord { name, before: None }));
        self.note(beginnings, &beginning, before_beginning, None);
        if matches!(created, Ok(Some(_))) && durability == Durability::Power {
            self.sync_folder(&self.path_of(folder), || as_file(&handle))?;
        }
        created
    }

    /// Gives a written file its name, if nothing has it yet.
    fn name_unfinished(
        &self,
        (beginning, path): (&Dir, PathBuf),
        (handle, folder): (&Dir, &Folder),
        unfinished: &str,
        name: &str,
    ) -> Result<bool, Error> {
        let (from, to) = (|| path.clone(), || self.path_of(folder).join(name));
        let link = || beginning.hard_link(unfinished, handle, name);
        let rename = || platform::retry_while_in_use(|| beginning.rename(unfinished, handle, name));
        let named = match faults::change(|| DiskChange::Link(from(), to()), link) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // Some file systems have no hard links. There the lock alone keeps two of ours from creating one name.
            Err(error) if has_no_links(&error) => {
                let is_free = found(handle.symlink_metadata(name)).is_ok_and(|metadata| metadata.is_none());
                if is_free {
                    faults::change(|| DiskChange::Rename(from(), to()), rename).map(|()| true)
                } else {
                    Ok(false)
                }
            }
            Err(error) => Err(error),
        };
        named.map_err(|source| self.write_error(&to(), source))
    }

    /// Writes a file, in one step in place of what has its name. The new name is never synced.
    pub(crate) fn replace_file(
        &self,
        folder: &Folder,
        name: &str,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), Error> {
        self.replace_read_file(folder, name, None, bytes, durability)
    }

    /// The same for a file that was read a moment ago, where that is known.
    pub(super) fn replace_read_file(
        &self,
        folder: &Folder,
        name: &str,
        read: Option<Vec<u8>>,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), Error> {
        let handle = self.made_folder(folder)?;
        let before = Self::modified(folder, &handle);
        let changed = self.about_to_change(folder, &handle, name, read);
        let replaced = self.replace_in(&handle, folder, name, bytes, durability);
        self.note(folder, &handle, before, changed);
        replaced
    }

    fn replace_in(
        &self,
        handle: &Dir,
        folder: &Folder,
        name: &str,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), Error> {
        let beginning = self.made_folder(&Folder::Unfinished)?;
        let unfinished = self.write_unfinished(&beginning, &Folder::Unfinished, bytes, durability)?;
        let (from, to) = (|| self.path_of(&Folder::Unfinished).join(&unfinished), || self.path_of(folder).join(name));
        // In this order the last that a watching program hears of the name is that a file came to it.
        let exchange = || platform::exchange((handle, name), (&beginning, &unfinished));
        let rename = || platform::retry_while_in_use(|| beginning.rename(&unfinished, handle, name));
        let replaced = if faults::change(|| DiskChange::Exchange(from(), to()), exchange).is_ok() {
            match faults::change(|| DiskChange::Remove(from()), || beginning.remove_file(&unfinished)) {
                // A folder stood there. It is not ours to remove.
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    let _ = faults::change(|| DiskChange::Exchange(from(), to()), exchange);
                    Err(error)
                }
                // What is left of the old file goes with the next clean-up.
                Ok(()) | Err(_) => return Ok(()),
            }
        } else {
            // There was nothing to change names with, or this file system cannot do it.
            faults::change(|| DiskChange::Rename(from(), to()), rename)
        };
        replaced.map_err(|source| {
            let _ = beginning.remove_file(&unfinished);
            self.write_error(&to(), source)
        })
    }

    /// Writes a file of our own over itself, which costs far less than replacing it. Whoever reads it must tell one that
    /// is half written, and one lock keeps its writers and readers apart. One that cannot be written so is replaced.
    pub(crate) fn overwrite_file(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = || self.path().join(name);
        let mut options = OpenOptions::new();
        options.write(true).follow(FollowSymlinks::No).nonblock(true);
        let opened = self.root.open_with(name, &options).ok();
        let file = opened.filter(|file| file.metadata().is_ok_and(|found| check_readable(&found, path).is_ok()));
        let Some(file) = file.map(cap_std::fs::File::into_std) else {
            return self.replace_file(&Folder::Root, name, bytes, Durability::Process);
        };
        faults::write(&file, path, || 0, bytes)
            .and_then(|()| file.set_len(bytes.len() as u64))
            .map_err(|source| self.write_error(&path(), source))
    }

    /// Adds to the end of a file of our own, made if it is missing.
    pub(crate) fn append(&self, folder: &Folder, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let handle = self.made_folder(folder)?;
        let path = || self.path_of(folder).join(name);
        let mut options = OpenOptions::new();
        options.append(true).create(true).follow(FollowSymlinks::No).nonblock(true);
        let open = || handle.open_with(name, &options);
        let file = faults::change(|| DiskChange::Create(path()), open).map_err(|e| self.write_error(&path(), e))?;
        let metadata = file.metadata().map_err(|e| Error::io("examine", &path())(e))?;
        check_readable(&metadata, path)?;
        let file = file.into_std();
        if metadata.len() == 0 {
            self.sharing.apply_to_file(&file);
        }
        faults::write(&file, path, || metadata.len(), bytes).map_err(|source| self.write_error(&path(), source))
    }

    pub(crate) fn remove_file(&self, folder: &Folder, name: &str) -> Result<bool, Error> {
        self.remove_read_file(folder, name, None)
    }

    /// The same for a file that was read a moment ago, where that is known.
    pub(super) fn remove_read_file(&self, folder: &Folder, name: &str, read: Option<Vec<u8>>) -> Result<bool, Error> {
        self.contents(folder)?.map_or(Ok(false), |contents| contents.remove_read(name, read))
    }

    /// Moves a file from one folder to another. Returns false if there was none.
    pub(crate) fn move_file(&self, from: &Folder, name: &str, to: &Folder, new_name: &str) -> Result<bool, Error> {
        let Some(handle) = self.folder(from)? else { return Ok(false) };
        let target = self.made_folder(to)?;
        let path = || self.path_of(from).join(name);
        let (before, before_target) = (Self::modified(from, &handle), Self::modified(to, &target));
        let (changed, target_changed) =
            (self.about_to_change(from, &handle, name, None), self.about_to_change(to, &target, new_name, None));
        let change = || DiskChange::Rename(path(), self.path_of(to).join(new_name));
        let moved =
            found(faults::change(change, || platform::retry_while_in_use(|| handle.rename(name, &target, new_name))))
                .map_err(|source| self.write_error(&path(), source));
        self.note(from, &handle, before, changed);
        self.note(to, &target, before_target, target_changed);
        Ok(moved?.is_some())
    }

    /// Gives what has a name in a folder another name as well, out of sight; `None` if nothing has it.
    pub(crate) fn keep_file(&self, folder: &Folder, name: &str) -> Result<Option<String>, Error> {
        let Some(handle) = self.folder(folder)? else { return Ok(None) };
        let kept = format!("{UNFINISHED}{:016x}", random_number()?);
        let (from, to) = (|| self.path_of(folder).join(name), || self.path().join(&kept));
        match found(faults::change(|| DiskChange::Link(from(), to()), || handle.hard_link(name, &self.root, &kept))) {
            Ok(linked) => Ok(linked.map(|()| kept)),
            Err(error) if has_no_links(&error) => {
                let Some(stored) = self.read(folder, name)? else { return Ok(None) };
                self.write_unfinished(&self.root, &Folder::Root, &stored.bytes, Durability::Process).map(Some)
            }
            Err(source) => Err(self.write_error(&from(), source)),
        }
    }

    /// Moves a file from one folder to another so that no power loss takes it from both. Returns false, and moves
    /// nothing, if something has the new name. A file that is gone needs no moving.
    pub(crate) fn move_file_safely(
        &self,
        from: &Folder,
        name: &str,
        to: &Folder,
        new_name: &str,
    ) -> Result<bool, Error> {
        let Some(handle) = self.folder(from)? else { return Ok(true) };
        let target = self.made_folder(to)?;
        let (path, new_path) = (|| self.path_of(from).join(name), || self.path_of(to).join(new_name));
        let before = Self::modified(to, &target);
        match faults::change(|| DiskChange::Link(path(), new_path()), || handle.hard_link(name, &target, new_name)) {
            Ok(()) => {
                self.note(to, &target, before, Some(ChangedRecord { name: new_name.to_owned(), before: None }));
                self.sync_folder(&self.path_of(to), || as_file(&target))?;
                self.remove_file(from, name)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) if has_no_links(&error) => {
                if found(target.symlink_metadata(new_name)).is_ok_and(|metadata| metadata.is_some()) {
                    return Ok(false);
                }
                self.move_file(from, name, to, new_name)?;
                Ok(true)
            }
            Err(source) => Err(self.write_error(&new_path(), source)),
        }
    }

    /// Removes a folder if it is empty, and tells whether it did.
    pub(crate) fn remove_empty_folder(&self, folder: &Folder) -> bool {
        let components = folder.components();
        let Some((last, above)) = components.split_last() else { return false };
        let change = || DiskChange::RemoveFolder(self.path_of(folder));
        let remove = |handle: Dir| faults::change(change, || handle.remove_dir(last)).is_ok();
        self.folder_at(above).ok().flatten().is_some_and(remove)
    }

    /// The time by the clock of the file system that holds the directory; `None` where nothing can be written.
    pub(crate) fn file_system_time(&self) -> Option<DateTime<Utc>> {
        let name = self.write_unfinished(&self.root, &Folder::Root, b"", Durability::Process).ok()?;
        let time = self.root.symlink_metadata(&name).ok().map(|metadata| stamp_of(&metadata).modified);
        let change = || DiskChange::Remove(self.path().join(&name));
        let _ = faults::change(change, || self.root.remove_file(&name));
        time
    }

    /// When a name in a folder last changed, if what is in it is on the status board.
    fn modified(folder: &Folder, handle: &Dir) -> Option<DateTime<Utc>> {
        let metadata = folder.is_on_the_board().then(|| handle.dir_metadata().ok())??;
        Some(stamp_of(&metadata).modified)
    }

    /// A record with what stands in it before it is changed, if that was not `read` already. What is new tells what it is
    /// by itself.
    fn about_to_change(
        &self,
        folder: &Folder,
        handle: &Arc<Dir>,
        name: &str,
        read: Option<Vec<u8>>,
    ) -> Option<ChangedRecord> {
        let is_counted = matches!(folder, Folder::Claims | Folder::Sessions);
        let stored = || Contents { directory: self, folder, handle: Arc::clone(handle) }.read(name).ok().flatten();
        let before = is_counted.then(|| read.or_else(|| stored().map(|stored| stored.bytes))).flatten();
        folder.is_on_the_board().then(|| ChangedRecord { name: name.to_owned(), before })
    }

    fn note(&self, folder: &Folder, handle: &Dir, before: Option<DateTime<Utc>>, changed: Option<ChangedRecord>) {
        if let Some(times) = before.zip(Self::modified(folder, handle)) {
            self.changes.add(folder, times, changed);
        }
    }

    /// Makes a folder, and those above it, where they are missing.
    pub(crate) fn make_folder(&self, folder: &Folder) -> Result<(), Error> {
        self.made_folder(folder).map(drop)
    }

    /// Lets those run a file who may enter the directory. A link is left alone.
    pub(crate) fn allow_running(&self, folder: &Folder, name: &str) -> Result<(), Error> {
        let Some(handle) = self.folder(folder)? else { return Ok(()) };
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let path = || self.path_of(folder).join(name);
        let file = handle.open_with(name, &options).map_err(|source| Error::io("open", &path())(source))?;
        let (file, change) = (file.into_std(), || DiskChange::Attributes(path()));
        let allow = || {
            self.sharing.apply_to_program(&file);
            Ok(())
        };
        faults::change(change, allow).map_err(|source| self.write_error(&path(), source))
    }

    fn made_folder(&self, folder: &Folder) -> Result<Arc<Dir>, Error> {
        if let Some(handle) = self.folder(folder)? {
            return Ok(handle);
        }
        let mut handle = self.root.try_clone().map_err(Error::io("open", self.path()))?;
        let mut path = self.path().to_owned();
        for component in folder.components() {
            path.push(component);
            match faults::change(|| DiskChange::MakeFolder(path.clone()), || handle.create_dir(component)) {
                // What is synced in it later would be lost with its name.
                Ok(()) => self.sync_folder(path.parent().unwrap_or(self.path()), || as_file(&handle))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.write_error(&path, error)),
            }
            handle = match handle.open_dir_nofollow(component) {
                Ok(inner) => inner,
                Err(source) => return Err(not_a_folder(&handle, component, path, source)),
            };
            if let Ok(folder) = as_file(&handle) {
                self.sharing.apply_to_folder(&folder);
            }
        }
        let handle = Arc::new(handle);
        self.remember(folder, &handle);
        Ok(handle)
    }

    fn write_unfinished(
        &self,
        handle: &Dir,
        folder: &Folder,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<String, Error> {
        let name = format!("{UNFINISHED}{:016x}", random_number()?);
        let path = || self.path_of(folder).join(&name);
        // Nobody knows the file by the name that it has so far.
        let failed = |source| self.write_error(&self.path_of(folder), source);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        let create = || handle.open_with(&name, &options);
        let file = faults::change(|| DiskChange::Create(path()), create).map_err(failed)?.into_std();
        let written = faults::write(&file, path, || 0, bytes).and_then(|()| {
            self.sharing.apply_to_file(&file);
            match durability {
                Durability::Whole | Durability::Power => {
                    faults::change(|| DiskChange::Sync(path()), || file.sync_all())
                }
                Durability::Process => Ok(()),
            }
        });
        if let Err(source) = written {
            let _ = handle.remove_file(&name);
            return Err(failed(source));
        }
        Ok(name)
    }

    pub(super) fn sync_folder(
        &self,
        path: &Path,
        open: impl FnOnce() -> io::Result<std::fs::File>,
    ) -> Result<(), Error> {
        match faults::change(|| DiskChange::SyncFolder(path.to_owned()), || open()?.sync_all()) {
            // Not every system can sync a folder; there the file's own sync is all that can be had.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied) => {
                Ok(())
            }
            synced => synced.map_err(|source| self.write_error(path, source)),
        }
    }

    pub(crate) fn write_error(&self, path: &Path, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly { directory: self.path().to_owned(), source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full { directory: self.path().to_owned(), source }
            }
            _ => Error::io("write", path)(source),
        }
    }
}

impl Contents<'_> {
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Error> {
        self.remove_read(name, None)
    }

    fn remove_read(&self, name: &str, read: Option<Vec<u8>>) -> Result<bool, Error> {
        let (directory, folder, handle) = (self.directory, self.folder, &self.handle);
        let before = Directory::modified(folder, handle);
        let changed = directory.about_to_change(folder, handle, name, read);
        let remove = || platform::retry_while_in_use(|| handle.remove_file(name));
        let removed = found(faults::change(|| DiskChange::Remove(self.path_of(name)), remove))
            .map_err(|source| directory.write_error(&self.path_of(name), source));
        directory.note(folder, handle, before, changed);
        Ok(removed?.is_some())
    }
}

fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::TooManyLinks)
        || platform::means_not_possible_here(error)
}
