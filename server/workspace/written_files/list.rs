//! The list as it stands in its file: each line begins with a letter that says what it is, and ends with a zero byte.

use std::path::{Path, PathBuf};

use crate::git::path_from;

/// The file's name.
pub(super) const LIST: &str = "list";

/// A longer list begins anew, in bytes.
pub(super) const LONGEST: u64 = 1 << 18;

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListLine<'a> {
    /// A file or a folder was written, by its path from the worktree's root.
    Written(&'a Path),
    /// Somebody's mark.
    Mark(&'a str),
    /// From here on, more is watched than before.
    Anew,
}

impl ListLine<'_> {
    pub(super) fn append_to(self, bytes: &mut Vec<u8>) {
        let (letter, text) = match self {
            Self::Written(path) => (b'w', path.as_os_str().as_encoded_bytes()),
            Self::Mark(name) => (b'm', name.as_bytes()),
            Self::Anew => (b'a', &b""[..]),
        };
        bytes.push(letter);
        bytes.extend_from_slice(text);
        bytes.push(0);
    }
}

/// What stands between two marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Between {
    /// The second mark is not there yet.
    NotYet,
    /// It cannot be told: the first is not there, or not all was watched.
    Unknown,
    /// These paths.
    Written(Vec<PathBuf>),
}

/// What stands between two marks.
pub(super) fn between(list: &[u8], begin: &str, end: &str) -> Between {
    let is_mark = |line: &[u8], name: &str| line.strip_prefix(b"m") == Some(name.as_bytes());
    let lines: Vec<&[u8]> = list.split(|byte| *byte == 0).collect();
    let Some(end) = lines.iter().rposition(|line| is_mark(line, end)) else { return Between::NotYet };
    let Some(begin) = lines[..end].iter().rposition(|line| is_mark(line, begin)) else { return Between::Unknown };
    let mut written: Vec<PathBuf> = Vec::new();
    for line in &lines[begin..end] {
        match line.split_first() {
            Some((b'w', path)) => written.push(path_from(path).to_owned()),
            Some((b'a', _)) => return Between::Unknown,
            _ => {}
        }
    }
    written.sort();
    written.dedup();
    Between::Written(written)
}
