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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_patch_is_found_once() {
        let patch = "*** Begin Patch\n*** Add File: new.rs\n+*** Add File: not/a/header\n*** Update File: a.rs\n\
                     *** Move to: src/b.rs\n@@\n-x\n+y\n*** Delete File: /abs/c.rs\r\n*** Update File: a.rs\n*** End Patch\n";
        let found = paths(patch, Path::new("/w"));
        assert_eq!(found, ["/w/new.rs", "/w/a.rs", "/w/src/b.rs", "/abs/c.rs"].map(PathBuf::from));
        assert!(is_one(&format!("apply_patch <<'EOF'\n{patch}EOF")));
        assert!(!is_one("grep '*** Begin Patch' x"));
    }
}
