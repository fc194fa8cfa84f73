//! Git repositories, read from git's own files.
//!
//! A `.git` file can say anything, so what it says is believed only as far as the other side confirms it: a linked
//! worktree if the main repository points back to it, a submodule if it lies inside its superproject's git directory
//! or its superproject lists it.

mod configuration;
mod git_directory;
mod head_log;
mod index;
mod index_entries;
mod split_index;

pub use head_log::HeadMove;
pub use index::TrackedFile;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(super) use configuration::Configuration;
pub(super) use git_directory::{GitDirectory, LONGEST_SMALL_FILE};
use index_entries::ObjectFormat;

use deconflict_platform::{Links, canonical, means_too_many_files, owned_by_user, read_regular, writable_by_everyone};

/// The worktree of a git repository that a folder is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    root: PathBuf,
    git_directory: PathBuf,
    linked: Option<Linked>,
}

/// What makes a worktree a linked one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Linked {
    name: String,
    common_directory: PathBuf,
    main: PathBuf,
}

/// The configuration that all worktrees share, in the common directory, and what one worktree may have of its own.
const SHARED_CONFIGURATION: &str = "config";
const OWN_CONFIGURATION: &str = "config.worktree";

/// More levels of worktrees and submodules than any real project has.
const DEEPEST: usize = 32;

impl Repository {
    /// The innermost repository that contains a folder. The folder's path has no symlinks in it.
    pub fn containing(folder: &Path) -> io::Result<Option<Self>> {
        folder.ancestors().find_map(|folder| Self::at(folder).transpose()).transpose()
    }

    /// The repository whose worktree has this very folder as its root.
    ///
    /// `None` as well if a `.git` file there names a linked worktree that the main repository doesn't know.
    /// Fails when too many files are open to tell.
    pub fn at(root: &Path) -> io::Result<Option<Self>> {
        let dot_git = root.join(".git");
        let Ok(entry) = fs::symlink_metadata(&dot_git) else { return Ok(None) };
        let is_link = entry.is_symlink();
        let found = if is_link { fs::metadata(&dot_git).ok() } else { Some(entry) };
        let Some(found) = found else { return Ok(None) };
        // Anyone can put a repository above everyone's scratch folders.
        if !owned_by_user(&found) && fs::metadata(root).is_ok_and(|root| writable_by_everyone(&root)) {
            return Ok(None);
        }
        let of = |git_directory, linked| Self { root: root.to_owned(), git_directory, linked };
        if found.is_dir() {
            let git_directory = if is_link { canonical(&dot_git).ok() } else { Some(dot_git) };
            return Ok(git_directory.filter(|it| is_git_directory(it)).map(|git_directory| of(git_directory, None)));
        }
        let said = read_small(&dot_git, Links::Followed)?.unwrap_or_default();
        let named = said.strip_prefix("gitdir:").and_then(|path| canonical(&root.join(path.trim())).ok());
        let Some(git_directory) = named.filter(|it| is_git_directory(it)) else { return Ok(None) };
        let Some(common) = text_in(&git_directory, "commondir")? else { return Ok(Some(of(git_directory, None))) };
        let linked = Linked::confirmed(root, &git_directory, common.trim())?;
        Ok(linked.map(|linked| of(git_directory, Some(linked))))
    }

    /// The root of this worktree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// This worktree's own git directory, where its `HEAD` and index are.
    pub fn git_directory(&self) -> &Path {
        &self.git_directory
    }

    /// The git directory that all worktrees of the repository share.
    pub fn common_directory(&self) -> &Path {
        self.linked.as_ref().map_or(&self.git_directory, |linked| &linked.common_directory)
    }

    /// Git's own name of this worktree if it is a linked one: the folder's name under `.git/worktrees`.
    pub fn worktree(&self) -> Option<&str> {
        self.linked.as_ref().map(|linked| linked.name.as_str())
    }

    /// The root of the repository's main worktree; for a bare repository the folder that holds it.
    pub fn main_root(&self) -> &Path {
        self.linked.as_ref().map_or(&self.root, |linked| &linked.main)
    }

    /// The branch that is checked out, `None` if it is no branch but a commit.
    pub fn branch(&self) -> Option<String> {
        let head = text_in(&self.git_directory, "HEAD").ok()??;
        let branch = head.trim().strip_prefix("ref:")?.trim().strip_prefix("refs/heads/")?;
        // With the reftable format `HEAD` is a stub that names no branch.
        (branch != ".invalid").then(|| branch.to_owned())
    }

    /// The worktree that this one is a submodule in.
    pub fn superproject(&self) -> io::Result<Option<Self>> {
        let Some(above) = self.root.parent().filter(|_| self.linked.is_none()) else { return Ok(None) };
        let Some(outer) = Self::containing(above)? else { return Ok(None) };
        let holds_our_git_directory = [&outer.git_directory, outer.common_directory()]
            .iter()
            .any(|git_directory| self.git_directory.starts_with(git_directory.join("modules")));
        // A submodule that was cloned by hand keeps its git directory to itself.
        Ok((holds_our_git_directory || outer.lists_submodule(&self.root)?).then_some(outer))
    }

    /// Where the search for the coordination directory starts: the root of the main worktree of the outermost
    /// superproject, or the folder that holds a bare repository.
    pub fn starting_point(&self) -> io::Result<PathBuf> {
        let mut current = self.clone();
        for _ in 0..DEEPEST {
            if let Some(linked) = &current.linked {
                match Self::at(&linked.main)? {
                    Some(main) if main.common_directory() == linked.common_directory && main.linked.is_none() => {
                        current = main;
                    }
                    Some(_) | None => return Ok(linked.main.clone()),
                }
            }
            match current.superproject()? {
                Some(outer) => current = outer,
                None => break,
            }
        }
        Ok(current.main_root().to_owned())
    }

    /// The root of one of the repository's linked worktrees, if git still knows it by this name.
    pub fn root_of_worktree(&self, name: &str) -> Option<PathBuf> {
        root_of_worktree(self.common_directory(), name).ok()?
    }

    /// True if git tracks this file, or for a path that ends with `/` anything in that directory.
    /// `path` is relative to the root of this worktree, with `/`.
    /// Fails when the index is there and cannot be read or understood.
    pub fn tracks(&self, path: &str) -> io::Result<bool> {
        index::lists(&self.git_directory, object_format(&self.configuration()), path)
    }

    /// All files that git tracks here, in the order of their paths.
    /// Fails when the index is there and cannot be read or understood.
    pub fn tracked_files(&self) -> io::Result<Vec<TrackedFile>> {
        self.tracked_files_where(|_| ControlFlow::Continue(true))
    }

    /// The same, so many at a time, while the rest is still to be read.
    pub(super) fn tracked_files_by(&self, most: usize, mut with: impl FnMut(Vec<TrackedFile>)) -> io::Result<()> {
        let mut files = Vec::with_capacity(most);
        self.each_tracked_file(
            |_| ControlFlow::Continue(true),
            |file| {
                files.push(file);
                if files.len() == most {
                    with(std::mem::replace(&mut files, Vec::with_capacity(most)));
                }
            },
        )?;
        with(files);
        Ok(())
    }

    /// The same of these files, and of what is in these folders, as git spells their paths.
    pub(super) fn tracked_files_at(&self, names: &HashSet<Vec<u8>>) -> io::Result<Vec<TrackedFile>> {
        let mut sorted: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        sorted.sort_unstable();
        let Some(first) = sorted.first().copied() else { return Ok(Vec::new()) };
        // What is in a folder follows its name and a slash.
        let ends = names.iter().map(|name| [&name[..], &[b'/' + 1]].concat());
        let last = ends.max().filter(|_| !first.is_empty());
        let (mut folder, mut is_in_one) = (None, false);
        // The index is sorted too, so that few of its names need be looked up.
        let mut rest = sorted.as_slice();
        self.tracked_files_where(|name| {
            if last.as_deref().is_some_and(|last| name >= last) {
                return ControlFlow::Break(());
            }
            if name < first {
                return ControlFlow::Continue(false);
            }
            // Those of one folder follow one another.
            let end = name.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            if folder.as_deref() != Some(&name[..end]) {
                let slashes = name[..end].iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
                is_in_one = [0, end].into_iter().chain(slashes).any(|end| names.contains(&name[..end]));
                folder = Some(name[..end].to_owned());
            }
            while let [passed, following @ ..] = rest
                && *passed < name
            {
                rest = following;
            }
            ControlFlow::Continue(is_in_one || rest.first() == Some(&name))
        })
    }

    fn tracked_files_where(
        &self,
        is_asked_for: impl FnMut(&[u8]) -> ControlFlow<(), bool>,
    ) -> io::Result<Vec<TrackedFile>> {
        let mut files = Vec::new();
        self.each_tracked_file(is_asked_for, |file| files.push(file))?;
        Ok(files)
    }

    fn each_tracked_file(
        &self,
        is_asked_for: impl FnMut(&[u8]) -> ControlFlow<(), bool>,
        mut with: impl FnMut(TrackedFile),
    ) -> io::Result<()> {
        let configuration = self.configuration();
        let has_modes = cfg!(unix) && configuration.value("core", "filemode") != Some("false");
        index::files(&self.git_directory, object_format(&configuration), is_asked_for, |mut file| {
            file.executable = file.executable.filter(|_| has_modes);
            with(file);
        })
    }

    /// What git's index names the contents of some files, with how git last saw them. Files in conflict are missing.
    pub(super) fn indexed_contents(&self, paths: &HashSet<&[u8]>) -> io::Result<Vec<(TrackedFile, String)>> {
        index::contents_of(&self.git_directory, object_format(&self.configuration()), paths)
    }

    /// True if only some of what git tracks may stand in this worktree.
    pub fn is_sparse(&self) -> bool {
        self.configuration().is_true("core", "sparsecheckout")
    }

    /// True unless the repository names objects by another hash.
    pub(super) fn names_by_sha1(&self) -> bool {
        matches!(object_format(&self.configuration()), ObjectFormat::Sha1)
    }

    /// Adds a line to `info/exclude`, which all worktrees share.
    pub(super) fn add_exclusion(&self, line: &str) -> io::Result<()> {
        if !self.owns_git_directory() {
            return Err(io::Error::other(
                "this folder's `.git` leads to a git directory that does not point back to it",
            ));
        }
        GitDirectory::open(self.common_directory())?.append_line("info", "exclude", line)
    }

    /// The git directory that all worktrees share, if something may be written there for this one.
    pub fn own_common_directory(&self) -> Option<&Path> {
        self.owns_git_directory().then(|| self.common_directory())
    }

    /// False where a `.git` file or link leads to a git directory that does not say that it is this worktree's.
    fn owns_git_directory(&self) -> bool {
        self.linked.is_some()
            || self.git_directory.starts_with(&self.root)
            || worktree_of(&self.git_directory).is_ok_and(|root| root.as_ref() == Some(&self.root))
    }

    /// The names of the linked worktrees that the repository lists.
    pub(super) fn worktrees(&self) -> impl Iterator<Item = String> + use<> {
        GitDirectory::open(self.common_directory()).into_iter().flat_map(|directory| directory.names("worktrees"))
    }

    /// What the repository's own configuration says, without what it includes.
    pub(super) fn configuration(&self) -> Configuration {
        self.configurations().into_iter().flat_map(|(_, said)| said).collect()
    }

    /// The same file by file, each with its folder.
    pub(super) fn configurations(&self) -> Vec<(&Path, Configuration)> {
        configurations(self.common_directory(), &self.git_directory).unwrap_or_default()
    }

    /// Where that may stand.
    pub(super) fn configuration_files(&self) -> [PathBuf; 2] {
        [self.common_directory().join(SHARED_CONFIGURATION), self.git_directory.join(OWN_CONFIGURATION)]
    }

    fn lists_submodule(&self, root: &Path) -> io::Result<bool> {
        let Some(path) = root.strip_prefix(&self.root).ok().and_then(slashed) else { return Ok(false) };
        let modules = read_small(&self.root.join(".gitmodules"), Links::Refused)?.unwrap_or_default();
        let modules = Configuration::parse(&modules);
        Ok(modules.values("submodule", "path").any(|listed| listed.trim_end_matches('/') == path))
    }
}

impl Linked {
    /// Believes a `.git` file only if `worktrees/{name}/gitdir` of the repository that it names leads back to it.
    fn confirmed(root: &Path, git_directory: &Path, common: &str) -> io::Result<Option<Self>> {
        let Ok(common_directory) = canonical(&git_directory.join(common)) else { return Ok(None) };
        let Some(name) = git_directory.file_name().and_then(OsStr::to_str) else { return Ok(None) };
        if git_directory.parent() != Some(&common_directory.join("worktrees"))
            || root_of_worktree(&common_directory, name)?.as_deref() != Some(root)
        {
            return Ok(None);
        }
        let main = main_root_of(&common_directory)?;
        Ok(main.map(|main| Self { name: name.to_owned(), common_directory, main }))
    }
}

fn object_format(configuration: &Configuration) -> ObjectFormat {
    match configuration.value("extensions", "objectformat") {
        Some(format) if format.eq_ignore_ascii_case("sha256") => ObjectFormat::Sha256,
        Some(_) | None => ObjectFormat::Sha1,
    }
}

/// A path below a folder as git writes it: with `/` on every system. `None` if it is not UTF-8.
pub(super) fn slashed(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.components().map(|component| component.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}

/// The root of a linked worktree, as the repository with this common directory records it.
pub(super) fn root_of_worktree(common_directory: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let administration = Path::new("worktrees").join(name);
    let Some(said) = text_in(common_directory, administration.join("gitdir"))? else { return Ok(None) };
    let dot_git = common_directory.join(administration).join(said.trim_end_matches(['\n', '\r']));
    let root = dot_git.parent().filter(|_| dot_git.file_name() == Some(OsStr::new(".git")));
    Ok(root.and_then(|root| canonical(root).ok()))
}

/// True if a folder looks like a git directory, as a bare repository does.
pub(super) fn is_git_directory(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join("HEAD")).is_ok_and(|head| !head.is_dir())
}

/// Where the main worktree of the repository with this common directory is; for a bare one the folder that holds it.
fn main_root_of(common_directory: &Path) -> io::Result<Option<PathBuf>> {
    let holder = common_directory.parent().map(Path::to_owned);
    if common_directory.file_name() == Some(OsStr::new(".git")) {
        return Ok(holder);
    }
    Ok(worktree_of(common_directory)?.or(holder))
}

/// Where a git directory says that its worktree is.
fn worktree_of(git_directory: &Path) -> io::Result<Option<PathBuf>> {
    let said: Configuration =
        configurations(git_directory, git_directory)?.into_iter().flat_map(|(_, said)| said).collect();
    Ok(said.value("core", "worktree").and_then(|path| canonical(&git_directory.join(path)).ok()))
}

/// What the configuration that all worktrees share says, and what that of one says if they may have their own.
fn configurations<'a>(common: &'a Path, own: &'a Path) -> io::Result<Vec<(&'a Path, Configuration)>> {
    let read =
        |folder, name| Ok::<_, io::Error>((folder, Configuration::parse(&text_in(folder, name)?.unwrap_or_default())));
    let mut files = vec![read(common, SHARED_CONFIGURATION)?];
    if files[0].1.is_true("extensions", "worktreeconfig") {
        files.push(read(own, OWN_CONFIGURATION)?);
    }
    Ok(files)
}

fn text_in(git_directory: &Path, name: impl AsRef<Path>) -> io::Result<Option<String>> {
    unless_too_many_files(GitDirectory::open(git_directory).and_then(|directory| directory.text(name)))
}

pub(super) fn read_small(path: &Path, links: Links) -> io::Result<Option<String>> {
    let bytes = unless_too_many_files(read_regular(path, links, LONGEST_SMALL_FILE))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// What cannot be read is none of git's; an error only while too many files are open, which tells nothing of it.
fn unless_too_many_files<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if means_too_many_files(&error) => Err(error),
        read => Ok(read.ok()),
    }
}
