//! Git hooks: adding the guard to those of a repository, beside whatever is there, and taking it out again.
//!
//! A hook that is a shell script keeps its place, its name and its mode, and gets a few marked lines after its first
//! one: many hooks look at their own name or folder. A hook of any other kind is moved one folder down under its own
//! name and run from there. Taking the guard out leaves every hook as it was, byte for byte.

mod hook_file;
mod managers;
mod script;
mod telling;
mod wanted;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::commits;
use crate::git::GitError;
use deconflict_platform::canonical;
use hook_file::{add, has_lines, remove, remove_from_copies};
pub use managers::Manager;
pub use script::LOOKED;
use script::{Hook, MOVED_TO, Terms};
pub use telling::missing_guard;
pub use wanted::{forget, remember, wanted};

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
    /// True if other worktrees of the repository have other hooks, or none.
    pub is_of_one_worktree: bool,
}

/// Whether the guard looks at commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardState {
    /// It is in all hooks that it needs.
    Complete,
    /// It was added, and is not in these any more, because something wrote them anew.
    Lost(Vec<&'static str>, Option<Manager>),
    /// It was never added, or was taken out.
    Absent,
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
    /// Nobody commits there.
    #[error(
        "{0} is a bare repository: nobody commits there, so there is nothing for the guard to look at. Add it in each clone, \
         or worktree, where people and agents work: deconflict guard --install"
    )]
    Bare(PathBuf),
    /// It is git's own folder.
    #[error("{0} is in git's own folder. Try again in the worktree that belongs to it.")]
    InGitDirectory(PathBuf),
    /// There are no hooks where git is not used.
    #[error("{0} is in no git repository, so there are no hooks for the guard")]
    NoRepository(PathBuf),
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
    let root = commits::root_of(folder).map_err(|error| match commits::is_bare(folder) {
        _ if !matches!(error, GitError::Failed(..)) => error.into(),
        Some(true) => HooksError::Bare(folder.to_owned()),
        Some(false) => HooksError::InGitDirectory(folder.to_owned()),
        None => HooksError::NoRepository(folder.to_owned()),
    })?;
    let path = commits::hooks_folder(folder)?;
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
    Ok(HooksFolder { path, scope, is_of_one_worktree: commits::hooks_are_of_one_worktree(folder)? })
}

/// Adds the guard to the hooks in a folder, or brings it up to date there.
pub fn install(folder: &HooksFolder, guard: &Guard) -> Result<Vec<HookFile>, HooksError> {
    let program = match folder.scope {
        Scope::Clone | Scope::Shared => guard.program.to_string_lossy().replace('\\', "/"),
        Scope::Worktree | Scope::Husky => "deconflict".to_owned(),
    };
    let terms = Terms {
        program: &program,
        deny_when_unsure: guard.deny_when_unsure,
        comes_back: folder.comes_back(),
        is_committed: folder.scope == Scope::Worktree,
    };
    fs::create_dir_all(&folder.path).map_err(io_error("make", &folder.path))?;
    let add = |hook: Hook| {
        let path = folder.path.join(hook.name());
        let (change, has_other) = add(&path, hook, |layout| script::lines(hook, layout, &terms))?;
        remove_from_copies(&path, hook)?;
        Ok(HookFile { name: hook.name(), path, change, has_other })
    };
    Hook::ALL.into_iter().map(add).collect()
}

/// Takes the guard out of the hooks in a folder.
pub fn uninstall(folder: &HooksFolder) -> Result<Vec<HookFile>, HooksError> {
    let remove = |hook: Hook| {
        let path = folder.path.join(hook.name());
        // First, because what was moved may belong to such a copy.
        remove_from_copies(&path, hook)?;
        let change = remove(&path, hook)?;
        let has_other = fs::symlink_metadata(&path).is_ok();
        Ok(HookFile { name: hook.name(), path, change, has_other })
    };
    let removed: Result<Vec<HookFile>, HooksError> = Hook::ALL.into_iter().map(remove).collect();
    // It stays if anything else is in it.
    let _ = fs::remove_dir(folder.path.join(MOVED_TO));
    removed
}

/// Whether the guard is where whoever added it to the repository's hooks wants it.
pub fn state(repository: &Path, folder: &HooksFolder) -> GuardState {
    let is_missing = |hook: &Hook| {
        let path = folder.path.join(hook.name());
        !has_lines(&path) && !managers::runs_guard(&path, hook.name())
    };
    let missing: Vec<Hook> = Hook::ALL.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return GuardState::Complete;
    }
    if missing.len() == Hook::ALL.len() && wanted(repository).is_none() {
        return GuardState::Absent;
    }
    let manager = missing.iter().find_map(|hook| Manager::of(&folder.path.join(hook.name())));
    GuardState::Lost(missing.into_iter().map(Hook::name).collect(), manager)
}

impl GuardState {
    /// What adds the guard, or brings it back.
    pub const REMEDY: &str = "deconflict guard --install";

    /// What is missing, as a sentence; `None` if nothing is.
    pub fn missing(&self, folder: &HooksFolder) -> Option<String> {
        match self {
            Self::Complete => None,
            Self::Lost(hooks, None) if hooks.len() == Hook::ALL.len() => Some(format!(
                "The guard is no longer in the hooks in {}: something rewrote them, or core.hooksPath now leads there.",
                folder.path.display()
            )),
            Self::Lost(hooks, manager) => Some(format!(
                "The guard is no longer in {}: {} rewrote {}.",
                hooks.join(", "),
                manager.map_or("something else", Manager::name),
                folder.path.display()
            )),
            Self::Absent => {
                Some("No guard checks commits here: one could take along what another session holds.".to_owned())
            }
        }
    }
}

impl HooksFolder {
    /// True where the guard comes back by itself into what something wrote anew: in no folder that others get or use.
    pub fn comes_back(&self) -> bool {
        matches!(self.scope, Scope::Clone | Scope::Husky)
    }
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
