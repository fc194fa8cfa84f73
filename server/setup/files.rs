//! The few ways in which `setup` changes the disk. Whatever gets a new content gets it whole or not at all.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use deconflict_platform as platform;

/// Who may do what with a new file, as far as the user's defaults allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody may read it.
    Shared,
    /// Everybody may run it.
    Program,
    /// It is nobody else's business.
    Private,
}

/// A folder and those above it that are not there, the topmost first.
pub(super) fn missing_folders(folder: &Path) -> Vec<PathBuf> {
    let missing = folder.ancestors().take_while(|ancestor| fs::symlink_metadata(ancestor).is_err());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Makes a folder and those above it, and returns the ones that were not there, the topmost first.
pub(super) fn make_folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let missing = missing_folders(folder);
    if let Err(error) = fs::create_dir_all(folder) {
        missing.iter().rev().for_each(|made| drop(fs::remove_dir(made)));
        return Err(Error::io("make the folder", folder)(error));
    }
    Ok(missing)
}

/// What has to stand at a path for it to be changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// A file with this content.
    Content(Vec<u8>),
    /// Whatever stands there is ours.
    Anything,
}

impl Expected {
    /// What was read there has to be there still.
    pub(super) fn unchanged(content: Option<Vec<u8>>) -> Self {
        content.map_or(Self::Nothing, Self::Content)
    }
}

/// Gives a file this content, if what is expected stands there, and returns that. Links and permissions stay.
pub(super) fn write(
    path: &Path,
    content: &[u8],
    access: Access,
    expected: &Expected,
) -> Result<Option<Vec<u8>>, Error> {
    let failed = Error::io("write", path);
    remove_temporary(path);
    let temporary = temporary(path).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let (target, folder) = (temporary.target, temporary.folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&temporary.name).rand_bytes(0);
    if let Some(permissions) = new_permissions(access) {
        builder.permissions(permissions);
    }
    let kept = fs::metadata(&target).ok().map(|found| found.permissions());
    let mut file = builder.tempfile_in(folder).map_err(&failed)?;
    file.write_all(content).map_err(&failed)?;
    if let Some(permissions) = kept.filter(|_| access == Access::Shared) {
        file.as_file().set_permissions(permissions).map_err(&failed)?;
    }
    file.as_file().sync_all().map_err(&failed)?;
    let before = read_expected(path, expected)?;
    if before.is_none() {
        file.persist_noclobber(&target).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Error::Changed(path.to_owned()),
            _ => failed(error.error),
        })?;
        return Ok(None);
    }
    let aside = step_aside(&target)?;
    file.persist(&target).map_err(|error| {
        // What was there is better than nothing.
        let _ = aside.map(|aside| fs::rename(aside, &target));
        failed(error.error)
    })?;
    Ok(before)
}

/// Deletes a file if what is expected stands there, and returns what stood there.
pub(super) fn delete(path: &Path, expected: &Expected) -> Result<Option<Vec<u8>>, Error> {
    let before = read_expected(path, expected)?;
    remove(path)?;
    Ok(before)
}

/// Makes a link, changes it or removes it, if it still is what it is expected to be.
pub(super) fn link(path: &Path, to: Option<&Path>, expected: Option<&Path>) -> Result<(), Error> {
    let found = fs::read_link(path).ok();
    if found.as_deref() != expected || (found.is_none() && fs::symlink_metadata(path).is_ok()) {
        return Err(Error::Changed(path.to_owned()));
    }
    if found.is_some() {
        remove(path)?;
    }
    let Some(to) = to else { return Ok(()) };
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(to, path);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_file(to, path);
    linked.map_err(Error::io("make the link", path))
}

/// Deletes a folder, unless something is in it or it is gone.
pub(super) fn delete_folder_if_empty(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir(folder) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(Error::io("remove the folder", folder)(error))
        }
        _ => Ok(()),
    }
}

/// What is in a file, behind a link too; `None` if nothing is at the path.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            // What it leads to may come back, and would then no longer be found by it.
            Ok(found) if found.is_symlink() => Err(Error::DanglingLink(path.to_owned())),
            _ => Ok(None),
        },
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Removes what a set-up left that was killed while it wrote this file.
pub(super) fn remove_temporary(path: &Path) {
    if let Some(temporary) = temporary(path) {
        // It is not there as a rule; and where it cannot be removed, the file cannot be written either.
        let _ = fs::remove_file(temporary.folder.join(temporary.name));
    }
}

/// Where the new content of a file is kept until it is complete.
struct Temporary {
    /// The file itself, if the path is a link to it.
    target: PathBuf,
    folder: PathBuf,
    name: OsString,
}

/// The name is always the same, so that what a killed set-up left is found by the next one. There is one at a time.
fn temporary(path: &Path) -> Option<Temporary> {
    let target = platform::canonical(path).unwrap_or_else(|_| path.to_owned());
    let mut name = OsString::from(".");
    name.push(target.file_name()?);
    name.push(".deconflict-setup");
    Some(Temporary { folder: target.parent()?.to_owned(), name, target })
}

fn read_expected(path: &Path, expected: &Expected) -> Result<Option<Vec<u8>>, Error> {
    let found = read(path)?;
    let is_as_expected = match expected {
        Expected::Nothing => found.is_none(),
        Expected::Content(content) => found.as_ref() == Some(content),
        Expected::Anything => true,
    };
    if is_as_expected { Ok(found) } else { Err(Error::Changed(path.to_owned())) }
}

fn remove(path: &Path) -> Result<(), Error> {
    step_aside(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The user's own defaults take away from these what they always do.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
fn new_permissions(access: Access) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(match access {
        Access::Shared => 0o666,
        Access::Program => 0o777,
        Access::Private => 0o600,
    }))
}

#[cfg(not(unix))]
fn new_permissions(_: Access) -> Option<Permissions> {
    None
}

/// A program that runs can be replaced everywhere but on Windows, where it can only be moved out of the way. Returns
/// where it was moved to.
#[cfg(windows)]
fn step_aside(path: &Path) -> Result<Option<PathBuf>, Error> {
    if path.extension().is_none_or(|extension| extension != "exe") || !path.exists() {
        return Ok(None);
    }
    // What an earlier step moved away may still run, so that nothing can take its place.
    let name = |count: u32| std::env::temp_dir().join(format!("deconflict-{}-{count}.old", std::process::id()));
    let aside = (0..).map(name).find(|aside| !aside.exists()).unwrap_or_else(|| name(0));
    fs::rename(path, &aside).map_err(Error::io("move away", path))?;
    Ok(Some(aside))
}

#[cfg(not(windows))]
#[allow(clippy::unnecessary_wraps, reason = "Windows may refuse")]
fn step_aside(_: &Path) -> Result<Option<PathBuf>, Error> {
    Ok(None)
}
