//! A made-up home directory for programs that set things up in it, and a `PATH` on which nothing of this machine is but
//! git and a shell.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::terminal::Terminal;
use super::workspace::Workspace;

/// Somebody's home directory, with a repository beside it to work in. All of it vanishes with the value.
pub(crate) struct Home {
    workspace: Workspace,
    programs: PathBuf,
}

/// What is below a folder: `/` for a folder, the target of a link, the bytes of a file.
pub(crate) type Tree = BTreeMap<PathBuf, Vec<u8>>;

impl Home {
    /// A home in which nothing is installed.
    pub(crate) fn new() -> Self {
        let workspace = Workspace::small();
        let programs = workspace.beside("programs");
        fs::create_dir(&programs).unwrap();
        let home = Self { workspace, programs };
        home.borrow_program("git");
        home.borrow_program("sh");
        home
    }

    /// The repository that is worked in.
    pub(crate) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// A path below the home directory.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.workspace.home().join(relative)
    }

    /// Makes a folder below the home directory.
    pub(crate) fn make_folder(&self, relative: impl AsRef<Path>) {
        fs::create_dir_all(self.path(relative)).unwrap();
    }

    /// Writes a file below the home directory, with the folders above it.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is in a file below the home directory.
    #[track_caller]
    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts a shell script on the `PATH`.
    #[cfg(unix)]
    pub(crate) fn add_program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A prompt in the repository. Temporary files have a folder of their own.
    pub(crate) fn terminal(&self) -> Terminal {
        let temporary = self.workspace.beside("temporary");
        fs::create_dir_all(&temporary).unwrap();
        Terminal::on(&self.workspace).env("PATH", self.search_path()).env("TMPDIR", temporary)
    }

    /// The `PATH` of that prompt.
    pub(crate) fn search_path(&self) -> std::ffi::OsString {
        std::env::join_paths([self.path(".local/bin"), self.programs.clone()]).unwrap()
    }

    /// All that is in the home directory.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(self.workspace.home(), Path::new(""), &mut tree);
        tree
    }

    /// Lends a program of this machine to the `PATH`.
    fn borrow_program(&self, name: &str) {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
        #[cfg(unix)]
        std::os::unix::fs::symlink(found.unwrap(), self.programs.join(name)).unwrap();
        #[cfg(not(unix))]
        drop(found);
    }
}

fn collect(root: &Path, below: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let relative = below.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            tree.insert(relative.clone(), b"/".to_vec());
            collect(root, &relative, tree);
        } else if kind.is_symlink() {
            tree.insert(relative, fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes());
        } else {
            tree.insert(relative, fs::read(entry.path()).unwrap());
        }
    }
}
