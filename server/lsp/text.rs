//! The text of a document, and what stands in its file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use ropey::Rope;
use tower_lsp::ls_types::TextDocumentContentChangeEvent;

use super::convert;

/// Neither editor of note sends documents over 50 MB; a larger file is not compared.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Applies edits in their order, each to the text after the one before it (LSP, `textDocument/didChange`).
pub(super) fn apply(text: &mut Rope, changes: &[TextDocumentContentChangeEvent]) {
    for change in changes {
        match change.range {
            None => *text = Rope::from_str(&change.text),
            Some(range) => {
                let range = convert::offsets_of(text, range);
                let start = range.start;
                text.remove(range);
                text.insert(start, &change.text);
            }
        }
    }
}

/// What the file of a document has in it.
#[derive(Debug, Clone)]
pub(super) enum OnDisk {
    /// The same text, byte-order mark and line ends aside, and when it was written, if that is known.
    Same(Option<DateTime<Utc>>),
    /// This other text, with the document's kind of line ends. It is empty where there is no file.
    Different(Rope),
    /// Something that cannot be compared: not UTF-8, no plain file, too large.
    Unknown,
}

/// Compares a text with the file at a path. Reads the disk.
pub(super) fn compare_with_file(text: &Rope, path: &Path) -> OnDisk {
    match read_text(path) {
        Ok(Some(saved)) => match compare(text, &saved) {
            OnDisk::Same(_) => OnDisk::Same(written_at(path)),
            other => other,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => compare(text, ""),
        Ok(None) | Err(_) => OnDisk::Unknown,
    }
}

fn written_at(path: &Path) -> Option<DateTime<Utc>> {
    path.metadata().and_then(|file| file.modified()).ok().map(Into::into)
}

/// The text of a plain file in UTF-8; `None` for any other.
fn read_text(path: &Path) -> io::Result<Option<String>> {
    let metadata = path.metadata()?;
    // Looked at first, because opening a pipe would wait for its other end.
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    File::open(path)?.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

fn compare(text: &Rope, saved: &str) -> OnDisk {
    let saved = saved.strip_prefix('\u{feff}').unwrap_or(saved);
    if *text == *saved {
        return OnDisk::Same(None);
    }
    let saved = with_line_ends_of(text, saved);
    let has_mark = text.get_char(0) == Some('\u{feff}');
    let same = if has_mark { text.slice(1..) == saved.as_str() } else { *text == saved.as_str() };
    // Some editors call an empty document one empty line.
    let both_empty = saved.is_empty() && text.len_chars() <= 2 && text.chars().all(|c| matches!(c, '\r' | '\n'));
    if same || both_empty { OnDisk::Same(None) } else { OnDisk::Different(Rope::from_str(&saved)) }
}

/// The saved text with the document's kind of line ends, which the document mixes only if the file does.
pub(super) fn with_line_ends_of(text: &Rope, saved: &str) -> String {
    let line_end = convert::line_break(text.line(0));
    if line_end.is_empty() {
        return saved.to_owned();
    }
    let plain = saved.replace("\r\n", "\n").replace('\r', "\n");
    if line_end == "\n" { plain } else { plain.replace('\n', line_end) }
}
