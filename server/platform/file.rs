//! Which file a file is, and whose.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// True if a call failed because this process or the whole system has too many files open.
#[cfg(unix)]
pub fn means_too_many_files(error: &io::Error) -> bool {
    let errors = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    errors.iter().any(|known| error.raw_os_error() == Some(known.raw_os_error()))
}

/// True if a call failed because this process has too many files open (`ERROR_TOO_MANY_OPEN_FILES`).
#[cfg(not(unix))]
pub fn means_too_many_files(error: &io::Error) -> bool {
    error.raw_os_error() == Some(4)
}

/// True if a lock failed because the file system has none to give, and not for anything that passes.
#[cfg(unix)]
pub fn means_no_locks(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errors = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS];
    errors.iter().any(|known| error.raw_os_error() == Some(known.raw_os_error()))
}

/// True if a lock failed because the file system has none to give, and not for anything that passes.
#[cfg(not(unix))]
pub fn means_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || means_not_possible_here(error)
}

/// True if a call failed because this kind of file system doesn't know it, beyond what the error's kind tells
/// (`ERROR_INVALID_FUNCTION` and `ERROR_NOT_SUPPORTED`, which FAT and network drives give for hard links and locks).
pub fn means_not_possible_here(error: &io::Error) -> bool {
    cfg!(windows) && matches!(error.raw_os_error(), Some(1 | 50))
}

/// True if the file belongs to the user of this process.
#[cfg(unix)]
pub fn owned_by_user(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

/// True: Windows keeps owners where the standard library doesn't look, and its home directories are closed to others.
#[cfg(not(unix))]
pub fn owned_by_user(_: &Metadata) -> bool {
    true
}

/// True if every user of the machine may write to it.
#[cfg(unix)]
pub fn writable_by_everyone(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o002 != 0
}

/// False: on Windows access lists decide, which the standard library doesn't read.
#[cfg(not(unix))]
pub fn writable_by_everyone(_: &Metadata) -> bool {
    false
}

/// The absolute path of what exists at `path`, with every symlink resolved and each name as it is spelled on disk.
///
/// On Windows it is written as editors write it: a drive letter first, without the verbatim prefix that the system
/// puts before it.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    let resolved = if leads_straight(path) { path.to_owned() } else { std::fs::canonicalize(path)? };
    Ok(respelled(resolved))
}

/// True if what exists at an absolute path is reached through no symlink and no `..`: the system looks at all of it at once.
#[cfg(target_os = "linux")]
fn leads_straight(path: &Path) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use std::os::unix::ffi::OsStrExt;
    // A path is collected from its parts with one slash between them and none behind.
    let is_plain = |path: &Path| {
        let parts = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        parts
            && path.is_absolute()
            && path.components().collect::<PathBuf>().as_os_str().as_bytes() == path.as_os_str().as_bytes()
    };
    is_plain(path)
        && openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS).is_ok()
}

/// Elsewhere only looking at each part tells.
#[cfg(not(target_os = "linux"))]
fn leads_straight(_: &Path) -> bool {
    false
}

#[cfg(windows)]
fn respelled(resolved: PathBuf) -> PathBuf {
    let plain = resolved.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    match plain {
        Some(plain) if plain.as_bytes().get(1) == Some(&b':') => PathBuf::from(plain),
        Some(_) | None => resolved,
    }
}

/// macOS answers with the spelling on disk by itself.
#[cfg(target_os = "macos")]
fn respelled(resolved: PathBuf) -> PathBuf {
    resolved
}

#[cfg(not(any(windows, target_os = "macos")))]
fn respelled(resolved: PathBuf) -> PathBuf {
    if !is_found_in_other_letters(&resolved) {
        return resolved;
    }
    let mut spelled = PathBuf::new();
    for component in resolved.components() {
        let typed = component.as_os_str();
        let name = entry_spelled_like(&spelled, typed).unwrap_or_else(|| typed.to_owned());
        spelled.push(name);
    }
    spelled
}

/// True if the entry at a path is spelled as the path spells it, where the file system would also take other letters.
pub fn is_spelled_so(path: &Path) -> bool {
    if !is_found_in_other_letters(path) {
        return true;
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
    lists(folder, name)
}

/// True if the file system finds the same entry under its name in capitals or in small letters.
pub fn is_found_in_other_letters(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(std::ffi::OsStr::to_str) else { return false };
    let lower = name.to_lowercase();
    let other = if lower == name { name.to_uppercase() } else { lower };
    if other == name {
        // Without letters the name tells nothing, but the folder it is in may.
        return path.parent().is_some_and(is_found_in_other_letters);
    }
    let identity = |path: &Path| std::fs::symlink_metadata(path).ok().map(|found| (found.len(), found.modified().ok()));
    let renamed = path.with_file_name(&other);
    // Two entries of their own may look alike, so the folder's listing has the last word.
    identity(&renamed).is_some_and(|renamed| identity(path) == Some(renamed))
        && path.parent().is_some_and(|folder| !lists(folder, name.as_ref()) || !lists(folder, other.as_ref()))
}

/// True if a folder lists an entry spelled exactly so.
fn lists(folder: &Path, name: &std::ffi::OsStr) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() == name))
}

/// The name that a folder lists for one that was typed in other letters.
#[cfg(not(any(windows, target_os = "macos")))]
fn entry_spelled_like(folder: &Path, typed: &std::ffi::OsStr) -> Option<std::ffi::OsString> {
    let names: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name()).collect();
    if names.iter().any(|name| name == typed) {
        return Some(typed.to_owned());
    }
    let typed = typed.to_str()?.to_lowercase();
    names.into_iter().find(|name| name.to_str().is_some_and(|name| name.to_lowercase() == typed))
}

#[cfg(all(test, not(any(windows, target_os = "macos"))))]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_typed_name_is_found_as_the_folder_spells_it() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("Größe.md")).unwrap();
        let spelled = |typed: &str| entry_spelled_like(folder.path(), typed.as_ref());
        assert_eq!(spelled("GRÖßE.MD"), Some("Größe.md".into()));
        assert_eq!(spelled("Größe.md"), Some("Größe.md".into()));
        assert_eq!(spelled("other.md"), None);
    }
}
