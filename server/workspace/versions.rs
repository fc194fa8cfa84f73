//! Which versions of a file are here, as git calls them.

use std::path::Path;

use super::git::{self, GitError, Surroundings, answer};
use super::last_commit;

/// What git calls what stands in a file of a worktree now, as a commit would have it; `None` where there is none. The user's
/// own filters run.
pub fn version_now(root: &Path, path: &str) -> Result<Option<String>, GitError> {
    if !root.join(path).is_file() {
        return Ok(None);
    }
    let mut git = git::command(Surroundings::OfUser);
    git.current_dir(root).args(["hash-object", "--", path]);
    let name = answer(git, "what a file is called as it stands now", b"")?;
    Ok(Some(String::from_utf8_lossy(&name).trim().to_owned()))
}

/// True if this version of a file is in a worktree: it stands there, or whoever works there began from it.
pub fn has_version(root: &Path, path: &str, version: &str) -> Result<bool, GitError> {
    if last_commit::names(root, "HEAD", &[path])?.get(path).is_some_and(|name| name == version) {
        return Ok(true);
    }
    if version_now(root, path)?.is_some_and(|name| name == version) {
        return Ok(true);
    }
    let mut git = git::command_in(root, Surroundings::Own);
    git.args([
        "--literal-pathspecs",
        "log",
        "--format=",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "-m",
        "HEAD",
        "--",
        path,
    ]);
    let listed = git::run(git, b"")?;
    // Without any commit there is no history.
    Ok(listed.status.success() && memchr::memmem::find(&listed.stdout, version.as_bytes()).is_some())
}
