//! What the editor shows, as pure functions of a [`snapshot`](super::snapshot): the same snapshot always looks the
//! same. Nothing here keeps state, looks at a clock or touches the disk.

pub(crate) mod code_actions;
pub(crate) mod diagnostics;
pub(crate) mod hover;
pub(crate) mod inlay_hints;
pub(crate) mod messages;
mod offer;
pub(crate) mod words;

use tower_lsp::ls_types::{Position, Range};

use super::snapshot::DocumentSnapshot;

/// The first line of a document, where everything about the document as a whole is shown.
fn first_line(snapshot: &DocumentSnapshot) -> Range {
    Range::new(Position::new(0, 0), Position::new(0, snapshot.first_line_length))
}
