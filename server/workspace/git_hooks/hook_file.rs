//! One hook's file: the guard's lines come into it, or go out again.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::script::{self, Hook, Layout, MOVED_TO, SHEBANG};
use super::{HookChange, HooksError, io_error};
use deconflict_platform::{Links, open_regular};

/// What managers of hooks call a hook that was there before theirs.
const COPIES: [&str; 2] = ["legacy", "old"];

/// True if git runs this file, and the guard's lines are in it.
pub(super) fn has_lines(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && is_executable(&found))
        && read(path).is_ok_and(|content| script::find(&content).is_some())
}

/// The content of a hook as far as the guard may be in it: a larger file is a program, which has no such lines.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, HooksError> {
    const LONGEST_SCRIPT: u64 = 1 << 20;
    let mut content = Vec::new();
    open_regular(path, Links::Refused)
        .and_then(|file| file.take(LONGEST_SCRIPT + 1).read_to_end(&mut content))
        .map_err(io_error("read", path))?;
    if content.len() as u64 > LONGEST_SCRIPT {
        content.clear();
    }
    Ok(content)
}

/// Adds the guard's lines to a hook or brings them up to date, and says whether somebody's own hook runs after them.
pub(super) fn add(path: &Path, hook: Hook, lines: impl Fn(Layout) -> String) -> Result<(HookChange, bool), HooksError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write(path, &[SHEBANG, lines(Layout::Own).as_bytes()].concat(), None)?;
            return Ok((HookChange::Added, false));
        }
        Err(source) => return Err(io_error("look at", path)(source)),
    };
    if !found.is_file() && !found.is_symlink() {
        return Err(HooksError::NoFile(path.to_owned()));
    }
    let moved = moved_to(path, hook.name());
    // Git runs no hook without its run bit, and neither does the guard.
    let runs = |moved: &Path| fs::metadata(moved).is_ok_and(|found| is_executable(&found));
    if found.is_file() {
        let content = read(path)?;
        match script::find(&content) {
            // Somebody switched their own hook off, and the guard's lines with it.
            Some(before) if before.layout == Layout::Inserted && !is_executable(&found) => {
                write(path, &replaced(&content, before.range, b""), Some(&found))?;
            }
            Some(before) => {
                let renewed = replaced(&content, before.range, lines(before.layout).as_bytes());
                let has_other = match before.layout {
                    Layout::Own => false,
                    Layout::Inserted => true,
                    Layout::Before => runs(&moved),
                };
                if renewed == content && is_executable(&found) {
                    return Ok((HookChange::None, has_other));
                }
                write(path, &renewed, Some(&found).filter(|found| is_executable(found)))?;
                return Ok((HookChange::Renewed, has_other));
            }
            None if is_executable(&found) && script::takes_lines(&content) => {
                let second_line = script::after_first_line(&content);
                let now = lines(Layout::Inserted);
                write(path, &replaced(&content, second_line..second_line, now.as_bytes()), Some(&found))?;
                return Ok((HookChange::Added, true));
            }
            None => {}
        }
    }
    if fs::symlink_metadata(&moved).is_ok() {
        return Err(HooksError::InTheWay(moved));
    }
    let below = path.with_file_name(MOVED_TO);
    if fs::symlink_metadata(&below).is_ok_and(|found| !found.is_dir()) {
        return Err(HooksError::InTheWay(below));
    }
    fs::create_dir_all(&below).map_err(io_error("make", &below))?;
    move_hook(path, &moved, Direction::Down)?;
    let written = write(path, &[SHEBANG, lines(Layout::Before).as_bytes()].concat(), None);
    if written.is_err() {
        // Better no guard than no hook.
        let _ = move_hook(&moved, path, Direction::Up);
    }
    written.map(|()| (HookChange::Added, runs(&moved)))
}

/// Takes the guard's lines out of a hook.
pub(super) fn remove(path: &Path, hook: Hook) -> Result<HookChange, HooksError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => found,
        Ok(_) => return Ok(HookChange::None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HookChange::None),
        Err(source) => return Err(io_error("look at", path)(source)),
    };
    let content = read(path)?;
    let Some(lines) = script::find(&content) else { return Ok(HookChange::None) };
    let rest = replaced(&content, lines.range, b"");
    let is_empty = rest == SHEBANG;
    match lines.layout {
        Layout::Own if is_empty => fs::remove_file(path).map_err(io_error("remove", path))?,
        Layout::Own | Layout::Inserted => write(path, &rest, Some(&found))?,
        Layout::Before => {
            let moved = moved_to(path, hook.name());
            if !is_empty {
                return Err(HooksError::LinesAdded(path.to_owned(), moved));
            }
            match move_hook(&moved, path, Direction::Up) {
                // Its owner took it away.
                Err(HooksError::Io(_, _, source)) if source.kind() == io::ErrorKind::NotFound => {
                    fs::remove_file(path).map_err(io_error("remove", path))?;
                }
                moved => moved?,
            }
        }
    }
    Ok(HookChange::Removed)
}

/// Takes the guard's lines out of what a manager of hooks found in a hook's place and put aside: there they would run
/// twice, or stay behind.
pub(super) fn remove_from_copies(path: &Path, hook: Hook) -> Result<(), HooksError> {
    for ending in COPIES {
        remove(&path.with_file_name(format!("{}.{ending}", hook.name())), hook)?;
    }
    Ok(())
}

/// Whether a hook goes into the folder below its own, or comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// Moves a hook; a relative link leads to the same file as before.
fn move_hook(from: &Path, to: &Path, direction: Direction) -> Result<(), HooksError> {
    let found = fs::symlink_metadata(from).map_err(io_error("look at", from))?;
    #[cfg(unix)]
    if found.is_symlink() {
        let target = fs::read_link(from).map_err(io_error("read", from))?;
        if target.is_relative() {
            let target = match direction {
                Direction::Down => Path::new("..").join(target),
                Direction::Up => target.strip_prefix("..").map(Path::to_owned).unwrap_or(target),
            };
            let beside = temporary(to);
            std::os::unix::fs::symlink(target, &beside).map_err(io_error("make", &beside))?;
            fs::rename(&beside, to).map_err(io_error("make", to))?;
            return fs::remove_file(from)
                .or_else(|error| if direction == Direction::Down { Err(error) } else { Ok(()) })
                .map_err(io_error("remove", from));
        }
    }
    let _ = (found, direction);
    fs::rename(from, to).map_err(io_error("move", from))
}

fn moved_to(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(MOVED_TO).join(name)
}

fn replaced(content: &[u8], range: std::ops::Range<usize>, with: &[u8]) -> Vec<u8> {
    [&content[..range.start], with, &content[range.end..]].concat()
}

/// Writes a hook whole or not at all: git may be about to run it. Whoever may read a new one may run it.
fn write(path: &Path, content: &[u8], as_before: Option<&fs::Metadata>) -> Result<(), HooksError> {
    let beside = temporary(path);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o777);
        let mut file = options.open(&beside)?;
        file.write_all(content)?;
        if let Some(before) = as_before {
            fs::set_permissions(&beside, before.permissions())?;
        }
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(io_error("write", path))
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.deconflict-{}", std::process::id()))
}

#[cfg(unix)]
fn is_executable(found: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0
}

/// True: on Windows git runs every hook.
#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    true
}
