//! The submodules of a repository, by what git keeps of them in a file.

use std::path::{Path, PathBuf};

use super::input::{text_in, worktree_above};
use super::words::Given;

/// The folders of the submodules of the worktree that a folder is in.
pub(super) fn folders(folder: &Path) -> Vec<PathBuf> {
    let Some(root) = worktree_above(folder) else { return Vec::new() };
    let settings = text_in(&root.join(".gitmodules")).unwrap_or_default();
    let values = settings.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
    values.map(|value| root.join(value.trim().trim_matches('"'))).collect()
}

/// True for the arguments of git that run a command in each submodule.
pub(super) fn is_run_in_each(given: &Given) -> bool {
    let mut names = given.names.iter().map(|name| name.text.as_str());
    names.next() == Some("submodule") && names.next() == Some("foreach")
}
