//! Letting an open document have another text, by the editor's own edit, so that the user can undo it.

use ropey::Rope;
use tower_lsp::ls_types::{Position, Range, TextEdit, Uri};

use super::document::Unsaved;
use super::server_state::ServerState;
use crate::command::{About, Target};
use crate::effect::Effect;

impl ServerState {
    /// What stands in a document that is unsaved, if the editor lets it be changed.
    pub(super) fn unsaved_text(&self, about: &About) -> Option<Rope> {
        let Target::Uri(uri) = &about.target else { return None };
        let document = self.documents.get(uri).filter(|document| document.unsaved != Unsaved::No)?;
        (self.editor.applies_edits && !document.is_notebook).then(|| document.text.clone())
    }

    /// Asks the editor to let a document have this text. What is equal at both ends stays, and the cursor in it.
    pub(super) fn edit(&mut self, uri: &Uri, text: &str) {
        let Some(document) = self.documents.get(uri) else { return };
        let wanted = Rope::from_str(text);
        let equal = |(old, new): &(ropey::RopeSlice<'_>, ropey::RopeSlice<'_>)| old == new;
        let (old, new) = (&document.text, &wanted);
        let start = old.lines().zip(new.lines()).take_while(equal).count();
        let most = old.len_lines().min(new.len_lines()) - start;
        let from_end = old.lines_at(old.len_lines()).reversed().zip(new.lines_at(new.len_lines()).reversed());
        let end = from_end.take(most).take_while(equal).count();
        let last = old.len_lines() - end;
        let range = Range::new(place_of(old, start), place_of(old, last));
        let cut = |line: usize| if line >= new.len_lines() { new.len_chars() } else { new.line_to_char(line) };
        let new_text = new.slice(cut(start)..cut(new.len_lines() - end)).to_string();
        if !(range.start == range.end && new_text.is_empty()) {
            self.effects.push(Effect::Edit(uri.clone(), TextEdit { range, new_text }));
        }
    }
}

/// Where a line begins, or the text ends.
fn place_of(text: &Rope, line: usize) -> Position {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    if line < text.len_lines() {
        return Position::new(number(line), 0);
    }
    let last = text.len_lines() - 1;
    let length = text.line(last).chars().map(char::len_utf16).sum();
    Position::new(number(last), number(length))
}
