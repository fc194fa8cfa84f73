//! What tells whether a file is still the one that was read.

use std::path::Path;
use std::time::SystemTime;

/// What changes with a file's content: when it was written, and its length in bytes.
pub(super) type WhenWritten = (Option<SystemTime>, u64);

/// How a file is now, whatever links lead to it; `None` if there is none.
pub(super) fn when_written(file: &Path) -> Option<WhenWritten> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok(), found.len()))
}
