//! What a command takes that takes more than it names: a stash, and what stays behind of a commit. Git is asked as a hook
//! has to.

use std::path::{Path, PathBuf};

use super::commits::{PathChange, PathChangeKind, empty_tree, fields, resolve, understand_change};
use super::git::{self, GitError, Surroundings, answer, path_from};
use super::last_commit::next_content;

/// What a stash has that the commit under it does not: changes of tracked files, and files that are not tracked.
pub fn stashed(folder: &Path, stash: &str) -> Result<Vec<PathChange>, GitError> {
    let mut changes = between(folder, &format!("{stash}^1"), stash)?;
    if let Some(untracked) = resolve(folder, &format!("{stash}^3"), "tree")? {
        changes.extend(between(folder, &empty_tree(folder)?, &untracked)?);
    }
    Ok(changes)
}

/// The contents that changes bring, in their order; `None` for what takes a file away, is no file's or is too large.
pub fn contents(folder: &Path, changes: &[&PathChange]) -> Result<Vec<Option<Vec<u8>>>, GitError> {
    let brings = |change: &&PathChange| change.kind != PathChangeKind::Deleted && !change.is_submodule;
    let asked: Vec<&str> =
        changes.iter().filter(|change| brings(change)).map(|change| change.content.as_str()).collect();
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["cat-file", "--buffer", "--batch=%(objecttype) %(objectsize)"]);
    let questions: String = asked.iter().flat_map(|id| [*id, "\n"]).collect();
    let mut answers = if asked.is_empty() {
        Vec::new()
    } else {
        git::stream(git, "what is to be committed", questions.as_bytes(), |answer| {
            asked.iter().map(|_| next_content(answer)).collect()
        })?
    }
    .into_iter();
    Ok(changes.iter().map(|change| if brings(change) { answers.next().flatten() } else { None }).collect())
}

/// True if what is staged of a file is not what the last commit has, or it is in conflict.
pub fn is_staged(file: &Path) -> Result<bool, GitError> {
    const WHAT: &str = "what is staged of a file";
    let (Some(folder), Some(name)) = (file.ancestors().skip(1).find(|folder| folder.is_dir()), file.file_name()) else {
        return Ok(false);
    };
    let path = file.strip_prefix(folder).unwrap_or(Path::new(name));
    let mut git = git::command_in(folder, Surroundings::Own);
    git.args(["diff-index", "--cached", "--quiet", "HEAD", "--"]).arg(path).env("GIT_LITERAL_PATHSPECS", "1");
    let output = git::run(git, b"")?;
    match output.status.code() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(git::failed(WHAT, &output)),
    }
}

/// The paths in the worktree that differ from what is staged: changed ones, and those that git does not track.
pub fn unstaged(root: &Path) -> Result<Vec<PathBuf>, GitError> {
    const WHAT: &str = "what is not staged";
    let ask = |arguments: &[&str]| {
        let mut git = git::command_in(root, Surroundings::OfHook);
        git.args(arguments);
        answer(git, WHAT, b"")
    };
    let mut paths = Vec::new();
    let changed = ask(&["diff-files", "--name-only", "-z", "--ignore-submodules=all"])?;
    let untracked = ask(&["ls-files", "--others", "--exclude-standard", "-z"])?;
    for path in fields(&changed).chain(fields(&untracked)) {
        paths.push(path_from(path).to_owned());
    }
    Ok(paths)
}

/// What git prints of the names of files by one of its commands that only list them.
pub fn listed(folder: &Path, arguments: &[&str]) -> Result<String, GitError> {
    const WHAT: &str = "the names of files";
    let mut git = git::command_in(folder, Surroundings::Own);
    git.args(arguments);
    String::from_utf8(answer(git, WHAT, b"")?).map_err(|_| GitError::NotUnderstood(WHAT))
}

fn between(folder: &Path, before: &str, after: &str) -> Result<Vec<PathChange>, GitError> {
    const WHAT: &str = "what is stashed";
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["diff-tree", "-r", "--raw", "--no-abbrev", "-z", "--no-renames", before, after, "--"]);
    let printed = answer(git, WHAT, b"")?;
    let mut fields = fields(&printed);
    let mut changes = Vec::new();
    while let Some(entry) = fields.next() {
        changes.push(understand_change(entry, fields.next()).ok_or(GitError::NotUnderstood(WHAT))?);
    }
    Ok(changes)
}
