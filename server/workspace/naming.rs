//! What files and directories are called (protocol page, "What a resource is called"), and where a name leads.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};

use super::repository::{is_git_directory, root_of_worktree, slashed};
use super::{Location, PrivateFolder, Repository};
use deconflict_platform::{canonical, is_found_in_other_letters};
use deconflict_protocol::{NameError, Resource};

/// What is meant to be claimed at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file, which need not exist yet.
    File,
    /// A directory and everything below it. It need not exist yet.
    Directory,
}

impl Kind {
    /// What is at a path now; a file if there is nothing.
    pub fn at(path: &Path) -> Self {
        if path.is_dir() { Self::Directory } else { Self::File }
    }
}

/// The file with what the names of files and directories begin with in the other clones of the team, a line each.
pub const CLONES_OF_TEAM: &str = "clones";

/// No more of that file is read, in bytes.
const LONGEST_LIST: u64 = 1 << 20;

/// Why a path has no name.
#[derive(Debug, thiserror::Error)]
pub enum NamingError {
    /// It is outside of what the coordination directory covers: the folder that holds that directory.
    #[error("{0} is outside {1}, which is what is coordinated here")]
    Outside(PathBuf, PathBuf),
    /// A file was meant, and there is a directory.
    #[error("{0} is a directory, not a file")]
    IsDirectory(PathBuf),
    /// A directory was meant, and there is a file.
    #[error("{0} is a file, not a directory")]
    IsFile(PathBuf),
    /// It is a symlink that leads nowhere.
    #[error("{0} is a symlink that leads nowhere")]
    DanglingLink(PathBuf),
    /// It cannot be written into a record.
    #[error("the name {0} is not valid UTF-8: it can be neither claimed nor kept in the journal")]
    NotUtf8(PathBuf),
    /// The system could not say where it leads.
    #[error("could not find out where {0} leads: {1}")]
    Unresolvable(PathBuf, #[source] io::Error),
    /// The name is not acceptable.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Names the files and directories that one coordination directory covers.
///
/// It asks the file system each time, because worktrees come and go. A name that was given at a claim is to be kept
/// for the release.
#[derive(Debug, Clone)]
pub struct Namer {
    parent: PathBuf,
    directory_name: OsString,
    base: PathBuf,
    common_directory: Option<PathBuf>,
}

/// What a path is called, where it leads, and the innermost repository it is in.
#[derive(Debug)]
pub struct Located {
    /// Its name.
    pub resource: Resource,
    /// Where it leads, without symlinks and as spelled on disk.
    pub path: PathBuf,
    /// The repository.
    pub repository: Option<Repository>,
}

/// The worktree that a path is in, seen from the coordination directory.
#[derive(Clone)]
struct CoveredWorktree {
    /// Stands before the path in a resource's name, with no `/` at its end; empty in the directory's own parent.
    prefix: String,
    root: PathBuf,
}

impl Namer {
    /// Names what the directory at this location covers. Relative paths count from its workspace.
    pub fn new(location: &Location) -> Self {
        Self {
            parent: location.parent().to_owned(),
            directory_name: location.directory.file_name().unwrap_or_default().to_owned(),
            base: location.workspace.clone(),
            common_directory: location.repository.as_ref().map(|repository| repository.common_directory().to_owned()),
        }
    }

    /// Counts relative paths from another folder.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        base.clone_into(&mut self.base);
        self
    }

    /// What the file or directory at a path is called. The path need not exist.
    pub fn resource(&self, path: &Path, kind: Kind) -> Result<Resource, NamingError> {
        self.locate(path, kind).map(|located| located.resource)
    }

    /// The same, and what had to be found out for it.
    pub fn locate(&self, path: &Path, kind: Kind) -> Result<Located, NamingError> {
        let resolved = self.resolve(path)?;
        if resolved.is_below_file {
            return Err(NamingError::Unresolvable(path.to_owned(), io::ErrorKind::NotADirectory.into()));
        }
        match (kind, resolved.kind) {
            (Kind::File, Some(Kind::Directory)) => Err(NamingError::IsDirectory(resolved.path)),
            (Kind::Directory, Some(Kind::File)) => Err(NamingError::IsFile(resolved.path)),
            (_, _) => {
                let repository = repository_of(&resolved.path, kind)?;
                let resource = self.name(&resolved.path, kind, repository.clone())?;
                Ok(Located { resource, path: resolved.path, repository })
            }
        }
    }

    /// What is at a path now, under its name: a directory if there is one, else a file.
    pub fn resource_at(&self, path: &Path) -> Result<Resource, NamingError> {
        let resolved = self.resolve(path)?;
        self.resource_as_spelled(&resolved.path, resolved.kind.unwrap_or(Kind::File))
    }

    /// What a path is called that git spelled: absolute, with no symlink above its last part. It need not exist.
    pub fn resource_as_spelled(&self, path: &Path, kind: Kind) -> Result<Resource, NamingError> {
        self.name(path, kind, repository_of(path, kind)?)
    }

    /// The same for many: each folder is looked at once.
    pub fn resources_as_spelled<'a>(
        &self,
        paths: impl IntoIterator<Item = (&'a Path, Kind)>,
    ) -> Vec<Result<Resource, NamingError>> {
        let mut known = HashMap::new();
        let name = |(path, kind): (&Path, Kind)| name_in(path, kind, &self.worktree_among(path, kind, &mut known)?);
        paths.into_iter().map(name).collect()
    }

    /// Where a path leads, without symlinks and as spelled on disk, whether it exists or not.
    pub fn real_path(&self, path: &Path) -> Result<PathBuf, NamingError> {
        self.resolve(path).map(|resolved| resolved.path)
    }

    /// Where what has this name is; `None` if the name leads nowhere, or into a worktree that is gone.
    pub fn path_of(&self, resource: &Resource) -> Option<PathBuf> {
        if !resource.is_file() && !resource.is_directory() {
            return None;
        }
        let relative = resource.relative();
        let before = resource.name().strip_suffix(relative)?;
        let root = match resource.worktree() {
            None if before.is_empty() => Cow::Borrowed(&self.parent),
            None => return None,
            Some(worktree) => {
                let prefix = if relative.is_empty() { before } else { before.strip_suffix('/')? };
                Cow::Owned(self.root_of_worktree(prefix, worktree)?)
            }
        };
        match relative {
            "" => Some(root.into_owned()),
            "." if before.is_empty() => Some(root.into_owned()),
            relative => plain_path(relative).map(|relative| joined(&root, &relative)),
        }
    }

    /// The same path in the repository's other worktrees and in the other clones of its team: a hint that a merge may conflict,
    /// as far as it is known.
    pub fn same_path_elsewhere(&self, repository: &Repository, resource: &Resource) -> Vec<Resource> {
        let Some(path) = self.path_of(resource) else { return Vec::new() };
        let Ok(relative) = path.strip_prefix(repository.root()) else { return Vec::new() };
        let linked = repository.worktrees().filter_map(|name| repository.root_of_worktree(&name));
        let others = linked.chain([repository.main_root().to_owned()]).filter(|root| root != repository.root());
        let kind = if resource.is_directory() { Kind::Directory } else { Kind::File };
        let in_worktrees = others.filter_map(|root| self.resource(&root.join(relative), kind).ok());
        let path = slashed(relative).unwrap_or_default();
        let in_clones = clones_of_team(repository);
        in_worktrees
            .chain(in_clones.lines().filter_map(|clone| resource.in_worktree(clone.strip_prefix("//")?, &path).ok()))
            .collect()
    }

    /// True for what is never claimed by itself: anything in the coordination directory or in a git directory.
    pub fn is_internal(&self, resource: &Resource) -> bool {
        let mut parts = Path::new(resource.relative()).iter();
        if parts.clone().any(|part| part.eq_ignore_ascii_case(".git")) {
            return true;
        }
        if resource.worktree().is_some() {
            return false;
        }
        let in_repository_storage = || {
            let storage = self.common_directory.as_ref()?.strip_prefix(&self.parent).ok()?;
            Some(Path::new(resource.relative()).starts_with(storage))
        };
        // What is not there yet may be named in other letters than it will have.
        let is_directory = |name: &OsStr| {
            name == self.directory_name
                || (name.eq_ignore_ascii_case(&self.directory_name) && is_found_in_other_letters(&self.parent))
        };
        parts.next().is_some_and(is_directory) || in_repository_storage().unwrap_or(false)
    }

    fn resolve(&self, path: &Path) -> Result<Resolved, NamingError> {
        resolve(&self.base.join(path))
    }

    /// `innermost` is the repository that the path is in.
    fn name(&self, path: &Path, kind: Kind, innermost: Option<Repository>) -> Result<Resource, NamingError> {
        name_in(path, kind, &self.worktree_of(path, innermost)?)
    }

    /// The worktree that a path is in: that of the folder above, unless a repository begins here.
    fn worktree_among(
        &self,
        path: &Path,
        kind: Kind,
        known: &mut HashMap<PathBuf, CoveredWorktree>,
    ) -> Result<CoveredWorktree, NamingError> {
        let folder = folder_of(path, kind);
        if let Some(worktree) = known.get(folder) {
            return Ok(worktree.clone());
        }
        let begins = fs::symlink_metadata(folder.join(".git")).is_ok();
        let above = folder.parent().filter(|above| !begins && below(&self.parent, above).is_some());
        let worktree = match above {
            Some(above) => self.worktree_among(above, Kind::Directory, known)?,
            None => self.worktree_of(path, repository_of(path, kind)?)?,
        };
        known.insert(folder.to_owned(), worktree.clone());
        Ok(worktree)
    }

    fn worktree_of(&self, path: &Path, innermost: Option<Repository>) -> Result<CoveredWorktree, NamingError> {
        // A submodule of a linked worktree is a part of that worktree.
        let mut next = innermost;
        while let Some(repository) = next {
            if let Some(worktree) = self.linked_worktree(&repository)? {
                return Ok(worktree);
            }
            // Nothing above the directory's own folder is a worktree of what is in it.
            if repository.root() == self.parent {
                break;
            }
            next = repository.superproject().map_err(|source| NamingError::Unresolvable(path.to_owned(), source))?;
        }
        if below(&self.parent, path).is_some() {
            return Ok(CoveredWorktree { prefix: String::new(), root: self.parent.clone() });
        }
        Err(NamingError::Outside(path.to_owned(), self.parent.clone()))
    }

    /// The linked worktree, if its repository is one that the directory covers.
    fn linked_worktree(&self, repository: &Repository) -> Result<Option<CoveredWorktree>, NamingError> {
        let Some(worktree) = repository.worktree() else { return Ok(None) };
        let main = repository.main_root();
        let common = repository.common_directory();
        let named_after = if main == self.parent && shares_its_folder(main, common) { common } else { main };
        let Some(covered) = [named_after, common].into_iter().find_map(|path| path.strip_prefix(&self.parent).ok())
        else {
            return Ok(None);
        };
        let covered = slashed(covered).ok_or_else(|| NamingError::NotUtf8(main.to_owned()))?;
        let prefix = if covered.is_empty() { format!("//{worktree}") } else { format!("//{covered}//{worktree}") };
        Ok(Some(CoveredWorktree { prefix, root: repository.root().to_owned() }))
    }

    /// The root of the linked worktree that a prefix stands for: `//{worktree}` or `//{main worktree}//{worktree}`.
    fn root_of_worktree(&self, prefix: &str, worktree: &str) -> Option<PathBuf> {
        plain_path(worktree)?;
        let root_of_worktree = |common: &PathBuf| root_of_worktree(common, worktree).ok().flatten();
        let before = prefix.strip_prefix("//")?.strip_suffix(worktree)?;
        if !before.is_empty() {
            let folder = self.parent.join(plain_path(before.strip_suffix("//")?)?);
            return common_directories_at(&folder).iter().find_map(root_of_worktree);
        }
        let own = self.common_directory.iter().find_map(root_of_worktree);
        own.or_else(|| common_directories_at(&self.parent).iter().find_map(root_of_worktree))
    }
}

/// The link that stands now where a folder was of the file with this name, which is at this path. What is reached through
/// it has another name.
pub fn link_above(resource: &Resource, path: &Path) -> Option<PathBuf> {
    let folders = Path::new(resource.relative()).iter().count().saturating_sub(1);
    let is_link = |folder: &&Path| fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink());
    path.ancestors().skip(1).take(folders).filter(is_link).last().map(Path::to_owned)
}

/// The innermost repository that what is at a path is in.
fn repository_of(path: &Path, kind: Kind) -> Result<Option<Repository>, NamingError> {
    Repository::containing(folder_of(path, kind)).map_err(|source| NamingError::Unresolvable(path.to_owned(), source))
}

/// What a path is called in the worktree that it is in.
fn name_in(path: &Path, kind: Kind, worktree: &CoveredWorktree) -> Result<Resource, NamingError> {
    let not_utf8 = || NamingError::NotUtf8(path.to_owned());
    let relative = below(&worktree.root, path).and_then(|below| slashed(&below)).ok_or_else(not_utf8)?;
    let name = match (worktree.prefix.as_str(), relative.as_str()) {
        ("", "") => ".".to_owned(),
        ("", relative) => relative.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, relative) => format!("{prefix}/{relative}"),
    };
    Ok(match kind {
        Kind::File => Resource::file(&name)?,
        Kind::Directory => Resource::directory(&name)?,
    })
}

/// The folder in which a path is looked at.
fn folder_of(path: &Path, kind: Kind) -> &Path {
    match kind {
        Kind::File => path.parent().unwrap_or(path),
        Kind::Directory => path,
    }
}

/// A path without symlinks, and what is there.
struct Resolved {
    path: PathBuf,
    kind: Option<Kind>,
    /// A file stands where one of the folders above it would have to be.
    is_below_file: bool,
}

fn resolve(path: &Path) -> Result<Resolved, NamingError> {
    let unresolvable = |source| NamingError::Unresolvable(path.to_owned(), source);
    let mut stands_below_file = match canonical(path) {
        Ok(resolved) => {
            let is_directory = fs::symlink_metadata(&resolved).map_err(unresolvable)?.is_dir();
            let kind = if is_directory { Kind::Directory } else { Kind::File };
            return Ok(Resolved { path: resolved, kind: Some(kind), is_below_file: false });
        }
        Err(error) if is_missing(&error) => is_below_file(&error),
        Err(error) => return Err(unresolvable(error)),
    };
    // The deepest folder that exists is resolved; what follows is not there yet, so it is taken as it is written.
    let mut missing = Vec::new();
    let mut existing = path;
    let mut resolved = loop {
        let (Some(parent), Some(last)) = (existing.parent(), existing.components().next_back()) else {
            return Err(unresolvable(io::ErrorKind::NotFound.into()));
        };
        missing.push(last);
        existing = parent;
        match canonical(existing) {
            Ok(resolved) => break resolved,
            Err(error) if is_missing(&error) => stands_below_file |= is_below_file(&error),
            Err(error) => return Err(unresolvable(error)),
        }
    };
    if let Some(Component::Normal(name)) = missing.last() {
        let first_missing = resolved.join(name);
        if fs::symlink_metadata(&first_missing).is_ok_and(|found| found.is_symlink()) {
            return Err(NamingError::DanglingLink(first_missing));
        }
    }
    let goes_up = missing.contains(&Component::ParentDir);
    for component in missing.into_iter().rev() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    // Having gone up, it may have come to something that exists. There is no `..` left now.
    let found =
        if goes_up { resolve(&resolved)? } else { Resolved { path: resolved, kind: None, is_below_file: false } };
    Ok(Resolved { is_below_file: found.is_below_file || stands_below_file, ..found })
}

/// Nothing is there; below a file nothing can be.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || is_below_file(error)
}

fn is_below_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
}

/// What of a path lies below a folder, which may have been renamed to other letters since it was found out.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    if let Ok(below) = path.strip_prefix(folder) {
        return Some(below.to_owned());
    }
    let lower = |component: Component| component.as_os_str().to_str().map(str::to_lowercase);
    let mut components = path.components();
    let is_above = folder.components().all(|above| {
        components
            .next()
            .is_some_and(|name| above == name || lower(above).is_some_and(|above| lower(name) == Some(above)))
    });
    (is_above && is_found_in_other_letters(folder)).then(|| components.as_path().to_owned())
}

/// A relative path of plain names only: nothing that goes up, starts at the root or hides in another system's syntax.
fn plain_path(path: &str) -> Option<Cow<'_, Path>> {
    let hides_another_syntax =
        |part: &[u8]| part.contains(&0) || (cfg!(windows) && part.iter().any(|byte| matches!(byte, b'\\' | b':')));
    let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !hides_another_syntax(part);
    let spelled_here = || {
        if MAIN_SEPARATOR == '/' { Path::new(path).into() } else { path.split('/').collect::<PathBuf>().into() }
    };
    path.as_bytes().split(|byte| *byte == b'/').all(is_plain).then(spelled_here)
}

/// The one path after the other, in room made once: a verb asks for hundreds.
fn joined(root: &Path, relative: &Path) -> PathBuf {
    let mut path = PathBuf::with_capacity(root.as_os_str().len() + 1 + relative.as_os_str().len());
    path.push(root);
    path.push(relative);
    path
}

/// True if another repository than the one with this common directory counts from the same folder, so that two of
/// their worktrees could have the same name. It can happen only where bare repositories lie side by side.
fn shares_its_folder(folder: &Path, common: &Path) -> bool {
    if common.parent() == Some(folder) && common.file_name() == Some(OsStr::new(".git")) {
        return false;
    }
    common_directories_at(folder).iter().any(|other| other != common)
}

/// The git directories that count from a folder: of its worktree, of the bare repository it is, of those it holds.
fn common_directories_at(folder: &Path) -> Vec<PathBuf> {
    if let Ok(Some(repository)) = Repository::at(folder) {
        return vec![repository.common_directory().to_owned()];
    }
    if is_git_directory(folder) && folder.join("objects").is_dir() {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|entry| is_git_directory(entry) && entry.join("objects").is_dir()).collect()
}

/// What names begin with in the other clones of the team, a line each; empty where there is no team.
fn clones_of_team(repository: &Repository) -> String {
    let read = PrivateFolder::of_team(repository).and_then(|folder| folder.read(CLONES_OF_TEAM, LONGEST_LIST).ok()?);
    read.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
