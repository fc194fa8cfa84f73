//! Which coordination directory a workspace has (protocol page, "Where it is").

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::repository::slashed;
use super::{Adoptions, Ignored, Repository};
use deconflict_platform::{canonical, is_spelled_so, means_too_many_files, owned_by_user, writable_by_everyone};
use deconflict_protocol::{DIRECTORY_NAME, is_coordination_directory};

/// The variable that names the coordination directory, for programs that are not told it otherwise.
pub const DIRECTORY_VARIABLE: &str = "DECONFLICT_DIR";

/// What stands where a workspace's coordination directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryState {
    /// It is still to be made.
    Missing,
    /// It is there, and git doesn't know it.
    Untracked,
    /// It is there, and git tracks something in it, so it came, or may have come, with a clone. It may be shown, and
    /// nothing may be written. An index that cannot be understood counts as one that tracks it.
    Tracked,
    /// Git tracks it, and this user has joined it.
    Adopted,
}

/// What was found out about a workspace's coordination directory.
#[derive(Debug, Clone)]
pub struct Location {
    /// The coordination directory. Resources are named relative to the folder that holds it.
    pub directory: PathBuf,
    /// What is there.
    pub state: DirectoryState,
    /// The caller named it, so that nothing was searched.
    pub named: bool,
    /// The folder whose directory was looked for, without symlinks.
    pub workspace: PathBuf,
    /// Where the search started: the main worktree's root, or the workspace.
    pub starting_point: PathBuf,
    /// The repository that the workspace is in.
    pub repository: Option<Repository>,
    /// What might have been meant and was not used.
    pub passed_over: Vec<PassedOver>,
    starts_at_home: bool,
    adoptions: Adoptions,
}

impl Location {
    /// The folder that holds the directory; what can be claimed is in it, or in linked worktrees of it.
    pub fn parent(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
    }

    /// True if the directory is there: it has `sessions` or `claims` in it.
    pub fn exists(&self) -> bool {
        self.state != DirectoryState::Missing
    }

    /// True if git tracks something in the directory.
    pub fn is_tracked(&self) -> bool {
        matches!(self.state, DirectoryState::Tracked | DirectoryState::Adopted)
    }

    /// False for a tracked directory until the user adopts it: it may be shown, and nothing may be written.
    pub fn may_be_joined(&self) -> bool {
        self.state != DirectoryState::Tracked
    }

    /// True where it may be made without having been asked: in a git repository that is not the home directory.
    pub fn may_be_made_unasked(&self) -> bool {
        self.repository.is_some() && !self.starts_at_home
    }
}

/// Something that might have been meant and was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// What it is.
    pub path: PathBuf,
    /// Why it was not used.
    pub reason: Reason,
}

/// Why a directory is used only when it is named, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is a symlink.
    #[error("it is a symlink")]
    Symlink,
    /// It is not a directory.
    #[error("it is not a directory")]
    NotADirectory,
    /// Another user owns it.
    #[error("it belongs to another user")]
    AnotherOwner,
    /// Everyone may write to it.
    #[error("everyone on this machine may write to it")]
    WritableByEveryone,
    /// Its name is in other letters, which this file system takes as equal.
    #[error("it is not spelled `COORDINATION`")]
    SpelledDifferently,
    /// A `.git` file says that the folder is a linked worktree, and the main repository doesn't know it.
    #[error("its `.git` file names a repository that doesn't point back to it")]
    UnconfirmedWorktree,
}

/// Why a workspace's coordination directory could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The workspace is not there.
    #[error("could not open the folder {0}: {1}")]
    NoWorkspace(PathBuf, #[source] io::Error),
    /// This process or the whole system has too many files open, so what git says of the directory could not be read.
    #[error("what git says of {0} could not be read, because too many files are open ({1})")]
    TooManyFiles(PathBuf, #[source] io::Error),
    /// The named directory belongs to another part of the disk than the workspace.
    #[error("the coordination directory {0} does not cover {1}")]
    DoesNotContain(PathBuf, PathBuf),
    /// The folder that should hold the named directory is not there.
    #[error("could not find the folder that should hold the coordination directory {0}: {1}")]
    NoParent(PathBuf, #[source] io::Error),
    /// The named path is a file, or a folder full of something else.
    #[error("{0} is not a coordination directory")]
    NotOne(PathBuf),
    /// What stands where the directory should be made may be used only when it is named.
    #[error("{directory} is not used, because {reason}")]
    Unsuitable {
        /// What stands there.
        directory: PathBuf,
        /// What is wrong with it.
        reason: Reason,
    },
}

/// Finds the coordination directory of a workspace for the user who runs this process.
///
/// `named` is what the caller named, relative to the workspace if it is not absolute; `home` is the home directory,
/// above which nothing is searched.
pub fn locate(workspace: &Path, named: Option<&Path>, home: Option<&Path>) -> Result<Location, DiscoveryError> {
    locate_for(workspace, named, home, Adoptions::of_this_user())
}

/// The same for a user who has adopted these.
pub fn locate_for(
    workspace: &Path,
    named: Option<&Path>,
    home: Option<&Path>,
    adoptions: Adoptions,
) -> Result<Location, DiscoveryError> {
    let workspace = canonical(workspace).map_err(|source| DiscoveryError::NoWorkspace(workspace.to_owned(), source))?;
    let home = home.and_then(|home| canonical(home).ok());
    let too_many_files = |source| DiscoveryError::TooManyFiles(workspace.clone(), source);
    let repository = Repository::containing(&workspace).map_err(too_many_files)?;
    let starting_point = match &repository {
        Some(repository) => repository.starting_point().map_err(too_many_files)?,
        None => outside_of_any_directory(&workspace).to_owned(),
    };
    let mut passed_over = unconfirmed_worktree(&workspace).into_iter().collect();
    let directory = match named {
        Some(named) => named_directory(&workspace.join(named), &workspace, &starting_point)?,
        None => nearest_directory(&starting_point, home.as_deref(), &mut passed_over)?,
    };
    let state = if !looks_like_one(&directory) {
        DirectoryState::Missing
    } else if !is_tracked(&directory, repository.as_ref())? {
        DirectoryState::Untracked
    } else if adoptions.contains(&directory) {
        DirectoryState::Adopted
    } else {
        DirectoryState::Tracked
    };
    Ok(Location {
        state,
        named: named.is_some(),
        starts_at_home: home.as_ref() == Some(&starting_point),
        directory,
        workspace,
        starting_point,
        repository,
        passed_over,
        adoptions,
    })
}

/// Remembers that this user joins a directory that git tracks.
pub fn adopt(location: &Location) -> io::Result<()> {
    location.adoptions.add(&location.directory)
}

/// True if this user has joined the directory, as it is remembered now.
pub fn is_adopted(location: &Location) -> bool {
    location.adoptions.contains(&location.directory)
}

/// Adds the directory to `info/exclude`. False where that was not needed: tracked, ignored, or no repository.
pub fn exclude(location: &Location) -> io::Result<bool> {
    let Some(repository) = Repository::containing(location.parent())? else { return Ok(false) };
    let is_tracked = is_tracked(&location.directory, Some(&repository)).map_err(io::Error::other)?;
    if is_tracked || Ignored::new().is_ignored_directory(&location.directory) {
        return Ok(false);
    }
    let name = location.directory.file_name().and_then(OsStr::to_str).unwrap_or(DIRECTORY_NAME);
    repository.add_exclusion(&format!("{name}/"))?;
    Ok(true)
}

/// The coordination directories below the starting point, which are not used. Finding them can take seconds.
pub fn nested(location: &Location) -> Vec<PathBuf> {
    /// More folders than a project has outside of what its tools generate.
    const MOST_FOLDERS: usize = 20_000;
    let mut found = Vec::new();
    let mut waiting = vec![location.starting_point.clone()];
    let mut seen = 0;
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            if !is_folder || entry.file_name() == ".git" || path == location.directory {
                continue;
            }
            seen += 1;
            if seen > MOST_FOLDERS {
                return found;
            }
            if entry.file_name() == DIRECTORY_NAME && looks_like_one(&path) {
                found.push(path);
            } else {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Checks what the caller named. Its parent is resolved, the directory itself may be a symlink.
fn named_directory(named: &Path, workspace: &Path, starting_point: &Path) -> Result<PathBuf, DiscoveryError> {
    let not_one = || DiscoveryError::NotOne(named.to_owned());
    let name = named.file_name().ok_or_else(not_one)?;
    let parent = canonical(named.parent().ok_or_else(not_one)?)
        .map_err(|source| DiscoveryError::NoParent(named.to_owned(), source))?;
    let directory = parent.join(name);
    // A linked worktree may be anywhere; it belongs to its main worktree's directory.
    if !workspace.starts_with(&parent) && !starting_point.starts_with(&parent) {
        return Err(DiscoveryError::DoesNotContain(directory, workspace.to_owned()));
    }
    let may_be_made = || match fs::read_dir(&directory) {
        Ok(mut entries) => name == DIRECTORY_NAME || entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&directory).is_err(),
    };
    if looks_like_one(&directory) || may_be_made() { Ok(directory) } else { Err(not_one()) }
}

/// Searches the starting point and the folders above it inside the home directory; else it is to be made.
fn nearest_directory(
    starting_point: &Path,
    home: Option<&Path>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<PathBuf, DiscoveryError> {
    let own = starting_point.join(DIRECTORY_NAME);
    if fs::symlink_metadata(&own).is_ok() {
        if let Some(reason) = objection(&own) {
            return Err(DiscoveryError::Unsuitable { directory: own, reason });
        }
        if looks_like_one(&own) {
            return Ok(own);
        }
    }
    let inside_home = |folder: &&Path| home.is_some_and(|home| folder.starts_with(home) && *folder != home);
    for folder in starting_point.ancestors().skip(1).take_while(inside_home) {
        let candidate = folder.join(DIRECTORY_NAME);
        if !looks_like_one(&candidate) {
            continue;
        }
        match objection(&candidate) {
            None => return Ok(candidate),
            Some(reason) => passed_over.push(PassedOver { path: candidate, reason }),
        }
    }
    Ok(own)
}

/// What keeps a directory that nobody named from being used.
fn objection(directory: &Path) -> Option<Reason> {
    let found = fs::symlink_metadata(directory).ok()?;
    if found.is_symlink() {
        Some(Reason::Symlink)
    } else if !found.is_dir() {
        Some(Reason::NotADirectory)
    } else if !owned_by_user(&found) {
        Some(Reason::AnotherOwner)
    } else if writable_by_everyone(&found) {
        Some(Reason::WritableByEveryone)
    } else if !is_spelled_so(directory) {
        Some(Reason::SpelledDifferently)
    } else {
        None
    }
}

/// True if a directory has what a coordination directory has.
pub fn looks_like_one(directory: &Path) -> bool {
    is_coordination_directory(|folder| directory.join(folder).is_dir())
}

/// A workspace inside a coordination directory is coordinated by that one.
fn outside_of_any_directory(workspace: &Path) -> &Path {
    let is_one = |folder: &&Path| folder.ends_with(DIRECTORY_NAME) && looks_like_one(folder);
    workspace.ancestors().find(is_one).and_then(Path::parent).unwrap_or(workspace)
}

/// An index that is damaged counts as one that tracks the directory; for want of file handles nothing is told.
fn is_tracked(directory: &Path, repository: Option<&Repository>) -> Result<bool, DiscoveryError> {
    let Some(parent) = directory.parent() else { return Ok(false) };
    let too_many_files = |source| DiscoveryError::TooManyFiles(directory.to_owned(), source);
    let tracking = match repository {
        Some(repository) if repository.root() == parent => Some(repository.clone()),
        Some(_) | None => Repository::containing(parent).map_err(too_many_files)?,
    };
    let Some(tracking) = tracking else { return Ok(false) };
    let Some(path) = directory.strip_prefix(tracking.root()).ok().and_then(slashed) else { return Ok(false) };
    match tracking.tracks(&format!("{path}/")) {
        Err(source) if means_too_many_files(&source) => Err(too_many_files(source)),
        tracks => Ok(tracks.unwrap_or(true)),
    }
}

/// A folder at or above the workspace whose `.git` file was not believed.
fn unconfirmed_worktree(workspace: &Path) -> Option<PassedOver> {
    let folder = workspace.ancestors().find(|folder| fs::symlink_metadata(folder.join(".git")).is_ok())?;
    let is_file = fs::metadata(folder.join(".git")).is_ok_and(|found| found.is_file());
    (is_file && matches!(Repository::at(folder), Ok(None)))
        .then(|| PassedOver { path: folder.to_owned(), reason: Reason::UnconfirmedWorktree })
}
