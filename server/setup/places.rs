//! Where this user's programs and their settings are, by the rules that editors and agents themselves follow.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::target::UserFolder;
use deconflict_platform as platform;

/// The folders of one user, as the environment names them. Most tools follow the XDG rules on macOS too.
#[derive(Debug, Clone)]
pub struct Places {
    home: PathBuf,
    path: Vec<PathBuf>,
    state: PathBuf,
}

impl Places {
    /// Those of the user who runs this process.
    pub fn of_this_user() -> Result<Self, Error> {
        let home = platform::home_directory().ok_or(Error::NoHome)?;
        let state = platform::state_directory().ok_or(Error::NoHome)?.join("deconflict");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        Ok(Self { home, path, state })
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// Where programs keep the user's settings: `~/.config`.
    pub(super) fn configuration(&self) -> PathBuf {
        self.standard_folder("XDG_CONFIG_HOME", ".config", "LOCALAPPDATA")
    }

    /// Where programs keep what belongs to the user: `~/.local/share`.
    pub(super) fn data(&self) -> PathBuf {
        self.standard_folder("XDG_DATA_HOME", ".local/share", "LOCALAPPDATA")
    }

    /// The folder that a variable names, else one in the home directory.
    pub(super) fn folder(&self, folder: &UserFolder) -> PathBuf {
        let root = folder.variable.and_then(named).unwrap_or_else(|| joined(&self.home, folder.in_home));
        joined(&root, folder.below)
    }

    pub(super) fn program(&self, names: &[&str]) -> Option<PathBuf> {
        let suffixes: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
        let files = names.iter().flat_map(|name| suffixes.iter().map(move |suffix| format!("{name}{suffix}")));
        files.flat_map(|file| self.path.iter().map(move |folder| folder.join(&file))).find(|path| is_program(path))
    }

    pub(super) fn is_on_path(&self, folder: &Path) -> bool {
        let same = |other: &PathBuf| other == folder || (folder.exists() && same_folder(other, folder));
        self.path.iter().any(same)
    }

    /// A path as people write it: `~/…`.
    pub fn shortened(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if !rest.as_os_str().is_empty() && !cfg!(windows) => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    fn standard_folder(&self, variable: &str, in_home: &str, on_windows: &str) -> PathBuf {
        let by_system = if cfg!(windows) { named(on_windows) } else { None };
        named(variable).or(by_system).unwrap_or_else(|| self.home.join(in_home))
    }
}

/// A path below a folder, of a name with `/` in it, which may be empty.
pub(super) fn joined(root: &Path, name: &str) -> PathBuf {
    name.split('/')
        .filter(|component| !component.is_empty())
        .fold(root.to_owned(), |path, component| path.join(component))
}

/// A relative path in such a variable is to be ignored (XDG Base Directory Specification).
fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn same_folder(one: &Path, other: &Path) -> bool {
    matches!((platform::canonical(one), platform::canonical(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
