//! Git hooks: adding the guard to those of a repository, beside whatever is there, and taking it out again.
//!
//! A hook that is a shell script keeps its place, its name and its mode, and gets a few marked lines after its first
//! one: many hooks look at their own name or folder. A hook of any other kind is moved one folder down under its own
//! name and run from there. Taking the guard out leaves every hook as it was, byte for byte.

mod script;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::commits;
use crate::git::GitError;
use deconflict_platform::{Links, canonical, open_regular};
use script::{Hook, Layout, MOVED_TO, SHEBANG};

/// How the guard is to be run.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The program's absolute path. In a folder that others get with the repository only its name is written.
    pub program: PathBuf,
    /// True to hold up what cannot be told; else it goes on with a warning.
    pub deny_when_unsure: bool,
}

/// Where a repository's hooks are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HooksFolder {
    /// The folder; it need not exist.
    pub path: PathBuf,
    /// Whose it is.
    pub scope: Scope,
}

/// Whose hooks a folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of this clone alone.
    Clone,
    /// It is in the worktree, where it may be committed.
    Worktree,
    /// It is in the worktree, and husky writes it anew each time that it is installed.
    Husky,
    /// It is elsewhere, so other repositories may use it too.
    Shared,
}

/// One hook after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFile {
    /// What git calls it.
    pub name: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What was done.
    pub change: HookChange,
    /// True if somebody's own hook is there too.
    pub has_other: bool,
}

/// What became of the guard in a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookChange {
    /// It is in there now.
    Added,
    /// It was in there in another form, and is up to date now.
    Renewed,
    /// It was in there, or was not, as it is wanted.
    None,
    /// It is not in there any more.
    Removed,
}

/// Why hooks could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    /// Git could not be asked where they are.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The operating system refused or failed at what was tried with a file or folder.
    #[error("could not {0} {1}: {2}")]
    Io(&'static str, PathBuf, #[source] io::Error),
    /// The folder of hooks is a link in the git directory that leads out of the repository.
    #[error("{0} leads out of the repository, to {1}: if you want that, set core.hooksPath instead of a link")]
    LeadsOut(PathBuf, PathBuf),
    /// A folder or the like stands where a hook should be.
    #[error("{0} is neither a file nor a link; move it away first")]
    NoFile(PathBuf),
    /// A hook would have to be moved where something is already.
    #[error("{0} is in the way; move it away first")]
    InTheWay(PathBuf),
    /// Somebody wrote into the file that runs a moved hook.
    #[error("somebody added lines to {0}: move them into {1}, then try again")]
    LinesAdded(PathBuf, PathBuf),
}

/// Finds the folder that git takes the hooks of a repository from.
pub fn hooks_folder(folder: &Path) -> Result<HooksFolder, HooksError> {
    let path = commits::hooks_folder(folder)?;
    let root = commits::root_of(folder)?;
    let git_directory = commits::common_directory(folder)?;
    let real = canonical_as_far_as_it_exists(&path);
    let scope = if real.starts_with(&git_directory) {
        Scope::Clone
    } else if !real.starts_with(&root) && path.starts_with(&git_directory) {
        return Err(HooksError::LeadsOut(path, real));
    } else if !real.starts_with(&root) {
        Scope::Shared
    } else if real.ends_with(".husky/_") {
        Scope::Husky
    } else {
        Scope::Worktree
    };
    Ok(HooksFolder { path, scope })
}

/// Adds the guard to the hooks in a folder, or brings it up to date there.
pub fn install(folder: &HooksFolder, guard: &Guard) -> Result<Vec<HookFile>, HooksError> {
    let program = match folder.scope {
        Scope::Clone | Scope::Shared => guard.program.to_string_lossy().replace('\\', "/"),
        Scope::Worktree | Scope::Husky => "deconflict".to_owned(),
    };
    fs::create_dir_all(&folder.path).map_err(io_error("make", &folder.path))?;
    let add = |hook: Hook| {
        let lines = |layout| script::lines(hook, layout, &program, guard.deny_when_unsure);
        let path = folder.path.join(hook.name());
        let (change, has_other) = add(&path, hook, lines)?;
        Ok(HookFile { name: hook.name(), path, change, has_other })
    };
    Hook::ALL.into_iter().map(add).collect()
}

/// Takes the guard out of the hooks in a folder.
pub fn uninstall(folder: &HooksFolder) -> Result<Vec<HookFile>, HooksError> {
    let remove = |hook: Hook| {
        let path = folder.path.join(hook.name());
        let change = remove(&path)?;
        let has_other = fs::symlink_metadata(&path).is_ok();
        Ok(HookFile { name: hook.name(), path, change, has_other })
    };
    let removed: Result<Vec<HookFile>, HooksError> = Hook::ALL.into_iter().map(remove).collect();
    // It stays if anything else is in it.
    let _ = fs::remove_dir(folder.path.join(MOVED_TO));
    removed
}

/// True if the guard is in the hook that looks at commits.
pub fn is_installed(folder: &HooksFolder) -> bool {
    has_guard(folder, Hook::PreCommit)
}

/// The hooks in which the guard is not, though it should be: something wrote them anew.
pub fn lost_hooks(folder: &HooksFolder) -> Vec<&'static str> {
    let is_lost = |hook: &Hook| !has_guard(folder, *hook);
    let lost: Vec<&str> = Hook::ALL.into_iter().filter(is_lost).map(Hook::name).collect();
    if lost.len() == Hook::ALL.len() { Vec::new() } else { lost }
}

fn has_guard(folder: &HooksFolder, hook: Hook) -> bool {
    let path = folder.path.join(hook.name());
    fs::symlink_metadata(&path).is_ok_and(|found| found.is_file())
        && read(&path).is_ok_and(|content| script::find(&content).is_some())
}

/// The content of a hook as far as the guard may be in it: a larger file is a program, which has no such lines.
fn read(path: &Path) -> Result<Vec<u8>, HooksError> {
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

fn add(path: &Path, hook: Hook, lines: impl Fn(Layout) -> String) -> Result<(HookChange, bool), HooksError> {
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
    if found.is_file() {
        let content = read(path)?;
        if let Some(before) = script::find(&content) {
            let now = lines(before.layout);
            let renewed = replaced(&content, before.range, now.as_bytes());
            let has_other = before.layout != Layout::Own;
            if renewed == content {
                return Ok((HookChange::None, has_other));
            }
            write(path, &renewed, Some(&found))?;
            return Ok((HookChange::Renewed, has_other));
        }
        if is_executable(&found) && script::takes_lines(&content) {
            let second_line = script::after_first_line(&content);
            let now = lines(Layout::Inserted);
            write(path, &replaced(&content, second_line..second_line, now.as_bytes()), Some(&found))?;
            return Ok((HookChange::Added, true));
        }
    }
    let moved = moved_to(path, hook.name());
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
    written.map(|()| (HookChange::Added, true))
}

fn remove(path: &Path) -> Result<HookChange, HooksError> {
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
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let moved = moved_to(path, name);
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

/// Resolves what exists of a path, and leaves the rest as it is written.
fn canonical_as_far_as_it_exists(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        if let Ok(real) = canonical(existing) {
            return path.strip_prefix(existing).map_or_else(|_| real.clone(), |rest| real.join(rest));
        }
    }
    path.to_owned()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HooksError {
    move |source| HooksError::Io(action, path.to_owned(), source)
}
