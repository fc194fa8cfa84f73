//! What is done to texts: finding changes, merging them, and telling whose each line is.
//!
//! Texts are bytes. Lines keep their ends, and what is not text counts as one line, so that nothing is ever cut within it.

mod diff;
mod merge;
mod weave;

pub use diff::{Hunk, counts, hunks};
pub use merge::{Merged, merge};
pub use weave::{Change, Place, Uncommitted, Weave};

/// As far as this is looked for a zero byte, as git does.
const BINARY_LOOK_AHEAD: usize = 8000;

/// The lines of a text, with their ends. A binary content is one line.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    if is_binary(text) {
        return vec![text];
    }
    cut(text)
}

fn cut(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn is_binary(text: &[u8]) -> bool {
    text[..text.len().min(BINARY_LOOK_AHEAD)].contains(&0)
}
