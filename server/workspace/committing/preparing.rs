//! What is to be committed: a private index, and the tree that is made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::error::{CommitError, failed};
use super::index::{self, Blob, TreeChange, copy_index, entries, index_command, write_entries};
use crate::git::{self, GitError, NOTHING, Surroundings, answer};
use crate::{Repository, last_commit};

/// A file as the commit will have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContent {
    /// Its path from the worktree's root, with `/`.
    pub path: String,
    /// What is there; `None` if it goes.
    pub file: Option<NewFile>,
}

/// What a commit will have at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The bytes as they would stand on disk, or where the link leads.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: NewKind,
}

/// What git calls the mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKind {
    /// A file. `None` leaves it as executable as the last commit has it.
    File {
        /// Whether it may be run.
        executable: Option<bool>,
    },
    /// A link.
    Link,
}

/// A commit that is being made in one worktree.
#[derive(Debug)]
pub struct Committing {
    pub(super) root: PathBuf,
    /// The worktree's own index.
    pub(super) index: PathBuf,
    /// Where the private index and the message are.
    pub(super) folder: TempDir,
}

/// The name of the folder of the private index begins so.
pub(crate) const PREFIX: &str = "deconflict-commit-";

impl Committing {
    /// Begins a commit in the worktree with this root.
    pub fn begin(root: &Path) -> Result<Self, CommitError> {
        let repository = Repository::at(root).map_err(failed("look at", root))?;
        let repository = repository.ok_or_else(|| CommitError::NoWorktree(root.to_owned()))?;
        let git_directory = repository.git_directory();
        if let Some(what) = under_way(git_directory) {
            return Err(CommitError::UnderWay(what));
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(git_directory);
        let folder = folder.map_err(failed("make a folder in", git_directory))?;
        Ok(Self { root: root.to_owned(), index: git_directory.join("index"), folder })
    }

    /// The last commit; `None` if there is none yet.
    pub fn head(&self) -> Result<Option<String>, CommitError> {
        let mut git = self.git();
        git.args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
        let output = git::run(git, b"").map_err(GitError::NoGit)?;
        Ok(output.status.success().then(|| text(&output.stdout)))
    }

    /// Makes the private index: what the commit `head` has, with these contents. What the repository's filters make of a
    /// content is what is committed.
    pub fn stage(&self, head: Option<&str>, contents: &[NewContent]) -> Result<(), CommitError> {
        self.read_into_private_index(head)?;
        let before = entries(self.private())?;
        let keeps_modes = self.configured("core.fileMode")?.as_deref() == Some("false");
        let id_length = head.map_or(0, str::len);
        let verbatim = self.kept_with_windows_line_ends(head, contents)?;
        let mut changes = Vec::new();
        for content in contents {
            let path = content.path.as_bytes();
            let old = before.get(path);
            let blob = match &content.file {
                None => None,
                Some(file) => {
                    let is_link = file.kind == NewKind::Link;
                    let filter = match verbatim.iter().find(|(path, _)| *path == content.path) {
                        _ if is_link => Filter::None,
                        Some((_, filter)) => *filter,
                        None => Filter::Configured,
                    };
                    let id = self.write_blob(&content.path, &file.bytes, filter)?;
                    Some(Blob { mode: mode(file.kind, old, keeps_modes).to_owned(), id })
                }
            };
            if blob.as_ref() != old {
                changes.push((path.to_vec(), blob));
            }
        }
        write_entries(self.private(), &changes, id_length)?;
        // Hooks compare with files on disk, which takes long where stamps are missing.
        let mut git = self.private();
        git.args(["update-index", "-q", "--refresh"]);
        git::run(git, b"").map_err(GitError::NoGit)?;
        Ok(())
    }

    /// Runs the repository's own pre-commit hook on the private index, which it may change.
    pub fn run_pre_commit(&self, has_editor: bool) -> Result<(), CommitError> {
        self.run_hook("pre-commit", &[], has_editor)
    }

    /// The tree of the private index, and what it changes.
    pub fn tree(&self, head: Option<&str>) -> Result<(String, Vec<TreeChange>), CommitError> {
        let mut git = self.private();
        git.arg("write-tree");
        let tree = text(&answer(git, "what is to be committed", b"")?);
        let changes = index::between_trees(self.private(), &self.base_tree(head)?, &tree)?;
        Ok((tree, changes))
    }

    /// What the commit `head` has, where everything that is as in the worktree's own index keeps the stamp that it has
    /// there.
    fn read_into_private_index(&self, head: Option<&str>) -> Result<(), CommitError> {
        let private = self.private_index();
        let _ = fs::remove_file(&private);
        let read = || {
            let mut git = self.private();
            match head {
                Some(head) => git.args(["read-tree", "--reset", head]),
                None => git.args(["read-tree", "--empty"]),
            };
            answer(git, "what was committed last", b"")
        };
        if copy_index(&self.index, &private).is_ok() && read().is_ok() {
            return Ok(());
        }
        // An index that nobody can read is no hindrance.
        let _ = fs::remove_file(&private);
        read()?;
        Ok(())
    }

    /// Git leaves Windows' line ends in place where it decides by itself what is text and the last commit has them too.
    /// It looks for that in an index, which nobody tells it of who asks for a content's name alone.
    fn kept_with_windows_line_ends(
        &self,
        head: Option<&str>,
        contents: &[NewContent],
    ) -> Result<Vec<(String, Filter)>, CommitError> {
        let has_them = |text: &[u8]| text.windows(2).any(|pair| pair == b"\r\n");
        let is_meant = |content: &&NewContent| content.file.as_ref().is_some_and(|file| has_them(&file.bytes));
        let paths: Vec<&str> = contents.iter().filter(is_meant).map(|content| content.path.as_str()).collect();
        let Some(head) = head.filter(|_| !paths.is_empty()) else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        for (path, committed) in last_commit::contents(&self.root, head, &paths)? {
            if !has_them(&committed) {
                continue;
            }
            let mut git = self.private();
            git.args(["check-attr", "-z", "text", "filter", "--", &path]);
            let said = answer(git, "a file's attributes", b"")?;
            let values: Vec<&[u8]> = said.split(|byte| *byte == 0).skip(2).step_by(3).collect();
            let is_automatic = values.first() == Some(&&b"auto"[..]);
            let is_filtered = values.get(1).is_some_and(|filter| *filter != b"unspecified" && *filter != b"unset");
            let filter = if is_automatic && !is_filtered { Filter::None } else { Filter::WithoutAutomaticLineEnds };
            kept.push((path, filter));
        }
        Ok(kept)
    }

    pub(super) fn write_blob(&self, path: &str, bytes: &[u8], filter: Filter) -> Result<String, CommitError> {
        let mut git = git::command(Surroundings::OfUser);
        git.current_dir(&self.root).args(["-c", "core.safecrlf=false"]);
        if filter == Filter::WithoutAutomaticLineEnds {
            git.args(["-c", "core.autocrlf=false"]);
        }
        git.args(["hash-object", "-w", "--stdin"]);
        match filter {
            Filter::None => git.arg("--no-filters"),
            Filter::Configured | Filter::WithoutAutomaticLineEnds => git.arg("--path").arg(path),
        };
        Ok(text(&answer(git, "how to keep a content", bytes)?))
    }

    pub(super) fn run_hook(
        &self,
        name: &'static str,
        arguments: &[&Path],
        has_editor: bool,
    ) -> Result<(), CommitError> {
        let mut git = self.git();
        git.env("GIT_INDEX_FILE", self.private_index());
        if !has_editor {
            git.env("GIT_EDITOR", ":");
        }
        git.args(["hook", "run", "--ignore-missing", name, "--"]).args(arguments);
        let status = git.status().map_err(GitError::NoGit)?;
        if status.success() { Ok(()) } else { Err(CommitError::Hook(name)) }
    }

    pub(super) fn base_tree(&self, head: Option<&str>) -> Result<String, CommitError> {
        let mut git = self.git();
        match head {
            Some(head) => git.args(["rev-parse", "--verify", "--quiet", &format!("{head}^{{tree}}")]),
            None => git.args(["hash-object", "-t", "tree", NOTHING]),
        };
        Ok(text(&answer(git, "what was committed last", b"")?))
    }

    pub(super) fn configured(&self, name: &str) -> Result<Option<String>, CommitError> {
        let mut git = self.git();
        git.args(["config", "--get", name]);
        let output = git::run(git, b"").map_err(GitError::NoGit)?;
        Ok(output.status.success().then(|| text(&output.stdout)))
    }

    pub(super) fn is_configured(&self, name: &str) -> Result<bool, CommitError> {
        let mut git = self.git();
        git.args(["config", "--type=bool", "--get", name]);
        let output = git::run(git, b"").map_err(GitError::NoGit)?;
        Ok(text(&output.stdout) == "true")
    }

    /// Git in the worktree, as the user has it.
    pub(super) fn git(&self) -> Command {
        let mut git = git::command(Surroundings::OfUser);
        git.current_dir(&self.root);
        git
    }

    /// Git on the private index. What it does there is no business of the hooks for changes of the index.
    fn private(&self) -> Command {
        index_command(&self.root, &self.private_index())
    }

    fn private_index(&self) -> PathBuf {
        self.folder.path().join("index")
    }
}

/// What becomes of a content on its way into git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Configured,
    WithoutAutomaticLineEnds,
    None,
}

fn mode(kind: NewKind, old: Option<&Blob>, keeps_modes: bool) -> &'static str {
    let was_executable = old.is_some_and(|old| old.mode == "100755");
    match kind {
        NewKind::Link => "120000",
        NewKind::File { executable: Some(executable) } if !keeps_modes => {
            if executable {
                "100755"
            } else {
                "100644"
            }
        }
        NewKind::File { .. } => {
            if was_executable {
                "100755"
            } else {
                "100644"
            }
        }
    }
}

/// What git is in the middle of.
fn under_way(git_directory: &Path) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 8] = [
        ("MERGE_HEAD", "merge"),
        ("SQUASH_MSG", "squashed merge"),
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("sequencer", "cherry-pick or revert"),
        ("BISECT_LOG", "bisect"),
    ];
    let is_there = |(sign, _): &&(&str, &str)| fs::symlink_metadata(git_directory.join(sign)).is_ok();
    SIGNS.iter().find(is_there).map(|(_, what)| *what)
}

/// What git printed, on one line.
pub(super) fn text(printed: &[u8]) -> String {
    String::from_utf8_lossy(printed).trim_end_matches(['\r', '\n']).to_owned()
}
