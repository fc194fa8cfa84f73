//! What stood in files that nobody has looked at yet, as git knows it.

use std::fs;
use std::path::Path;

use deconflict_journal::Before;
use deconflict_platform::{Links, read_regular};
use deconflict_protocol::Resource;
use deconflict_workspace::{GitError, Repository, last_commit};

use super::with_line_ends_of;

/// Larger files are not read to see whether they were changed, in bytes.
const LARGEST: u64 = 50 << 20;

/// What a commit has of files, which are given with their paths as git spells them.
pub fn befores_in(
    repository: &Repository,
    commit: &str,
    files: Vec<(String, Resource)>,
) -> Result<Vec<(Resource, Before)>, GitError> {
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let mut contents = last_commit::contents(repository.root(), commit, &paths)?;
    let before = |path: &str| {
        let now = content_of(&repository.root().join(path)).unwrap_or_default();
        let committed = contents.remove(path).map(|committed| with_line_ends_of(&now, committed));
        committed.map_or(Before::Absent, Before::Bytes)
    };
    let befores: Vec<Before> = paths.into_iter().map(before).collect();
    Ok(files.into_iter().map(|(_, resource)| resource).zip(befores).collect())
}

/// What stands in a file or link; `None` if that is not to be read.
pub fn content_of(path: &Path) -> Option<Vec<u8>> {
    if fs::symlink_metadata(path).ok()?.is_symlink() {
        return Some(fs::read_link(path).ok()?.into_os_string().into_encoded_bytes());
    }
    read_regular(path, Links::Refused, LARGEST).ok()
}
