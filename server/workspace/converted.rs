//! What a commit has of files that git converts on their way to the disk.

use std::path::Path;

use super::git::{self, GitError, Surroundings, answer};
use super::last_commit::Contents;

/// By these attributes git writes other bytes than it keeps (gitattributes(5)). Line ends are another matter.
const CONVERTING: [&str; 3] = ["filter", "working-tree-encoding", "ident"];

/// What a commit has of those of some files that git converts, as it would write them to the disk, by their paths from the
/// root. The user's own filters run.
pub fn converted(root: &Path, commit: &str, paths: &[&str]) -> Result<Contents, GitError> {
    let mut contents = Contents::new();
    for path in converted_among(root, paths)? {
        let mut git = git::command(Surroundings::OfUser);
        git.current_dir(root).args(["cat-file", "--filters", &format!("{commit}:{path}")]);
        contents.insert(path, answer(git, "what a filter makes of a file", b"")?);
    }
    Ok(contents)
}

fn converted_among(root: &Path, paths: &[&str]) -> Result<Vec<String>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut git = git::command(Surroundings::OfUser);
    git.current_dir(root).args(["check-attr", "-z", "--stdin"]).args(CONVERTING);
    let said = answer(git, "the attributes of files", paths.join("\0").as_bytes())?;
    let mut fields = said.split(|byte| *byte == 0);
    let mut converted: Vec<String> = Vec::new();
    while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
        let is_new = converted.last().is_none_or(|last| last.as_bytes() != path);
        if is_new && ![&b"unspecified"[..], b"unset"].contains(&value) {
            converted.extend(String::from_utf8(path.to_vec()));
        }
    }
    Ok(converted)
}
