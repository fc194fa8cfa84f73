//! The only place that turns URIs into paths and positions into offsets, and back.

use std::path::{Path, PathBuf};

use ropey::Rope;
use tower_lsp::ls_types::{Position, Range, Uri};

/// The path of a `file:` URI. Untitled, virtual and remote documents have none, nor has a name that is not UTF-8.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let is_file = uri.scheme().as_str().eq_ignore_ascii_case("file");
    // Some editors show the saved text of a file under its own path, told apart by a query.
    if !is_file || uri.query().is_some() || uri.fragment().is_some() {
        return None;
    }
    let path = uri.to_file_path()?.into_owned();
    let was_replaced = path.to_string_lossy().contains('\u{fffd}');
    let is_meant = uri.as_str().to_ascii_uppercase().contains("%EF%BF%BD");
    (path.is_absolute() && (!was_replaced || is_meant)).then(|| normalized(&path))
}

/// The URI of a path that no editor has named.
pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    Uri::from_file_path(path)
}

/// The path without `.` and `..`, which some clients leave in.
fn normalized(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// The character at a position, counted in UTF-16 code units as every editor can. Positions behind the end of a line
/// or of the document mean that end (LSP, "Position").
pub(super) fn offset_of(text: &Rope, position: Position) -> usize {
    let line_number = position.line as usize;
    if line_number >= text.len_lines() {
        return text.len_chars();
    }
    let start = text.line_to_char(line_number);
    let line = text.line(line_number);
    let end = line.len_chars() - line_break(line).len();
    let units = (position.character as usize).min(line.char_to_utf16_cu(end));
    start + line.utf16_cu_to_char(units)
}

/// The characters of a range, start before end whatever the client sent.
pub(super) fn offsets_of(text: &Rope, range: Range) -> std::ops::Range<usize> {
    let (start, end) = (offset_of(text, range.start), offset_of(text, range.end));
    start.min(end)..start.max(end)
}

/// How long the first line is without its line break, in UTF-16 code units.
pub(super) fn first_line_length(text: &Rope) -> u32 {
    let line = text.line(0);
    let end = line.len_chars() - line_break(line).len();
    u32::try_from(line.char_to_utf16_cu(end)).unwrap_or(u32::MAX)
}

/// How a line ends.
pub(super) fn line_break(line: ropey::RopeSlice<'_>) -> &'static str {
    let mut from_end = line.chars_at(line.len_chars());
    match from_end.prev() {
        Some('\n') if from_end.prev() == Some('\r') => "\r\n",
        Some('\n') => "\n",
        Some('\r') => "\r",
        _ => "",
    }
}
