//! The files that a patch of Codex's form touches.

use std::path::{Path, PathBuf};

/// How the lines that name a file start.
const HEADERS: &[&str] = &["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// True for a command line that hands a patch to the tool.
pub(super) fn is_one(command: &str) -> bool {
    let first = command.split_whitespace().next().unwrap_or_default();
    matches!(first, "apply_patch" | "applypatch") && command.contains("*** Begin Patch")
}

/// All files that a patch adds, changes, moves from, moves to and deletes, seen from a folder.
pub(super) fn paths(text: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in text.lines() {
        let named = HEADERS.iter().find_map(|header| line.trim_end_matches('\r').strip_prefix(header));
        if let Some(path) = named.map(str::trim).filter(|path| !path.is_empty()) {
            let path = folder.join(path);
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}
