//! Which commit each line of a committed file is from.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::git::{self, GitError, Surroundings};

/// One line of a committed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedLine {
    /// The line, without its end.
    pub text: Vec<u8>,
    /// The commit that it is from.
    pub commit: String,
    /// Who wrote the commit, as git says.
    pub author: String,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// The lines of a file in the last commit. The path counts from the worktree's root, with `/`. There are none where the
/// commit has no such file.
pub fn blame(root: &Path, path: &str) -> Result<Vec<CommittedLine>, GitError> {
    let mut command = git::command_in(root, Surroundings::Own);
    // A list of commits to be passed over is what the user wants for reading; here it would name the wrong ones.
    command.args(["-c", "blame.ignoreRevsFile=", "blame", "--porcelain", "--no-textconv", "HEAD", "--", path]);
    let output = git::run(command, b"")?;
    // Nothing was committed yet, or not this file.
    if output.status.code() == Some(128) {
        return Ok(Vec::new());
    }
    if !output.status.success() {
        return Err(git::failed("which commits lines are from", &output));
    }
    Ok(parse(&output.stdout))
}

/// Each line is announced by its commit; what is known of a commit is told with its first line.
fn parse(answer: &[u8]) -> Vec<CommittedLine> {
    let mut known: HashMap<String, (String, DateTime<Utc>)> = HashMap::new();
    let mut lines = Vec::new();
    let mut commit = String::new();
    for line in answer.split(|byte| *byte == b'\n') {
        if let Some(text) = line.strip_prefix(b"\t") {
            let (author, at) = known.get(&commit).cloned().unwrap_or_default();
            let text = text.strip_suffix(b"\r").unwrap_or(text).to_vec();
            lines.push(CommittedLine { text, commit: commit.clone(), author, at });
            continue;
        }
        let line = String::from_utf8_lossy(line);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "author" => rest.clone_into(&mut known.entry(commit.clone()).or_default().0),
            "committer-time" => {
                let at = rest.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
                known.entry(commit.clone()).or_default().1 = at.unwrap_or_default();
            }
            word if word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                word.clone_into(&mut commit);
            }
            _ => {}
        }
    }
    lines
}
