//! What is in an index or a tree, and changing the private one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::git::{self, GitError, Surroundings, answer};

/// A file as git has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) mode: String,
    pub(super) id: String,
}

impl Blob {
    pub(super) fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// A path that differs between two trees, or between a tree and an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// The path as git spells it.
    pub(super) name: Vec<u8>,
    pub(super) before: Option<Blob>,
    pub(super) after: Option<Blob>,
    /// Several versions of it are to be merged.
    pub(super) is_unmerged: bool,
}

impl TreeChange {
    /// The path, relative to the worktree's root.
    pub fn path(&self) -> PathBuf {
        git::path_from(&self.name).to_owned()
    }

    /// True if it was not there before.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// True if it is not there any more.
    pub fn is_removed(&self) -> bool {
        self.after.is_none()
    }

    /// What git calls the content that is there now.
    pub fn content(&self) -> Option<&str> {
        self.after.as_ref().map(|blob| blob.id.as_str())
    }
}

/// Git on an index of our own, where neither a monitor nor the hook for changes of the index has a say.
pub(super) fn index_command(root: &Path, index: &Path) -> Command {
    let mut git = git::command(Surroundings::OfUser);
    git.current_dir(root).env("GIT_INDEX_FILE", index).env("GIT_LITERAL_PATHSPECS", "1");
    git.args(["-c", "core.hooksPath=/dev/null"]);
    git
}

/// Copies an index with the time at which it was written. A file that was changed in that very second looks to git like
/// the one in the index, and git reads those that are no older than their index.
pub(super) fn copy_index(from: &Path, to: &Path) -> io::Result<()> {
    let written = fs::metadata(from)?.modified()?;
    fs::copy(from, to)?;
    File::options().write(true).open(to)?.set_modified(written)
}

/// All that an index has, by path.
pub(super) fn entries(mut git: Command) -> Result<HashMap<Vec<u8>, Blob>, GitError> {
    const WHAT: &str = "what is in the index";
    git.args(["ls-files", "--stage", "-z"]);
    let listed = answer(git, WHAT, b"")?;
    let understood = |line: &[u8]| {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
        let blob = Blob { mode: words.next()?.to_owned(), id: words.next()?.to_owned() };
        Some((line[tab + 1..].to_vec(), blob))
    };
    let lines = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    lines.map(|line| understood(line).ok_or(GitError::NotUnderstood(WHAT))).collect()
}

/// Lets an index have these files, and not those that are `None`. Names of contents have this length in the repository.
pub(super) fn write_entries(
    mut git: Command,
    changes: &[(Vec<u8>, Option<Blob>)],
    id_length: usize,
) -> Result<(), GitError> {
    if changes.is_empty() {
        return Ok(());
    }
    let (gone, there): (Vec<_>, Vec<_>) = changes.iter().partition(|(_, blob)| blob.is_none());
    let mut input = Vec::new();
    // What goes may be in the way of what comes: a file where a folder was.
    for (path, blob) in gone.into_iter().chain(there) {
        let line = match blob {
            Some(blob) => format!("{} {}\t", blob.mode, blob.id),
            None => format!("0 {}\t", "0".repeat(id_length)),
        };
        input.extend_from_slice(line.as_bytes());
        input.extend_from_slice(path);
        input.push(0);
    }
    git.args(["update-index", "-z", "--index-info"]);
    answer(git, "how to stage", &input).map(drop)
}

/// What differs between two trees.
pub(super) fn between_trees(mut git: Command, before: &str, after: &str) -> Result<Vec<TreeChange>, GitError> {
    git.args(["diff-tree", "-r", "--raw", "--no-abbrev", "-z", "--no-renames", before, after]);
    understand(&answer(git, WHAT_DIFFERS, b"")?)
}

/// What is staged in an index, compared with a tree. What is only meant to be added some time is not.
pub(super) fn staged(mut git: Command, tree: &str) -> Result<Vec<TreeChange>, GitError> {
    git.args(["diff-index", "--cached", "--ita-invisible-in-index", "--raw", "--no-abbrev", "-z", "--no-renames"]);
    git.args(["--ignore-submodules=none", tree, "--"]);
    understand(&answer(git, WHAT_DIFFERS, b"")?)
}

const WHAT_DIFFERS: &str = "what differs";

/// Understands git's raw format (git-diff-tree(1), "RAW OUTPUT FORMAT").
fn understand(printed: &[u8]) -> Result<Vec<TreeChange>, GitError> {
    let mut fields = printed.split(|byte| *byte == 0);
    let mut changes: Vec<TreeChange> = Vec::new();
    while let Some(described) = fields.next().filter(|field| !field.is_empty()) {
        let change = fields.next().and_then(|path| understand_one(described, path));
        let change = change.ok_or(GitError::NotUnderstood(WHAT_DIFFERS))?;
        // A path that is to be merged is told twice.
        match changes.last_mut().filter(|last| last.name == change.name) {
            Some(last) => last.is_unmerged |= change.is_unmerged,
            None => changes.push(change),
        }
    }
    Ok(changes)
}

fn understand_one(described: &[u8], path: &[u8]) -> Option<TreeChange> {
    let words: Vec<&str> = std::str::from_utf8(described).ok()?.strip_prefix(':')?.split(' ').collect();
    let [mode_before, mode_after, before, after, status] = words[..] else { return None };
    let blob = |mode: &str, id: &str| {
        let is_there = mode.bytes().any(|byte| byte != b'0');
        is_there.then(|| Blob { mode: mode.to_owned(), id: id.to_owned() })
    };
    Some(TreeChange {
        name: path.to_vec(),
        before: blob(mode_before, before),
        after: blob(mode_after, after),
        is_unmerged: status.starts_with('U'),
    })
}
