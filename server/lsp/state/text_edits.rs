//! Letting an open document have another text, by the editor's own edit, so that the user can undo it.

use ropey::Rope;
use tower_lsp::ls_types::{Position, Range, TextEdit, Uri};

use super::commands::Refused;
use super::document::Unsaved;
use super::server_state::ServerState;
use crate::command::{About, AboutText, EditorCommand, Target};
use crate::effect::Effect;
use crate::job::Job;
use crate::present::messages;

impl ServerState {
    /// What stands in a document that is unsaved, if the editor lets it be changed.
    pub(super) fn unsaved_text(&self, about: &About) -> Option<Rope> {
        let Target::Uri(uri) = &about.target else { return None };
        let document = self.documents.get(uri).filter(|document| document.unsaved != Unsaved::No)?;
        (self.editor.client.applies_edits && !document.is_notebook).then(|| document.text.clone())
    }

    /// What is to be put together with what stands on disk now, and the last text that both had.
    pub(super) fn text_to_merge(&self, about: &About) -> Result<(Rope, Rope), Refused> {
        let refused = |reason, message: &str| Refused { reason, message: message.to_owned() };
        let Target::Uri(uri) = &about.target else { return Err(refused("not-found", messages::NO_DOCUMENT)) };
        let document = self.documents.get(uri).ok_or_else(|| refused("not-found", messages::NO_DOCUMENT))?;
        if !self.editor.client.applies_edits {
            return Err(refused("unsupported", messages::NO_EDITS));
        }
        let unsaved = self.unsaved_text(about).ok_or_else(|| refused("not-unsaved", messages::NOTHING_UNSAVED))?;
        let base = document.based_on.clone().ok_or_else(|| refused("not-found", messages::NO_BASE))?;
        Ok((unsaved, base))
    }

    /// Merges by itself what somebody else wrote under unsaved text, once, if the user wants that.
    pub(super) fn merge_by_itself(&mut self, uri: &Uri) {
        if !self.settings.merges {
            return;
        }
        let Some(document) = self.documents.get_mut(uri).filter(|document| document.unsaved == Unsaved::Yes) else {
            return;
        };
        let (Some(id), Some(base)) = (document.directory, document.based_on.clone()) else { return };
        let is_tried = document.merge_tried.as_ref().is_some_and(|tried| *tried == document.saved_text);
        if is_tried || base == document.saved_text {
            return;
        }
        document.merge_tried = Some(document.saved_text.clone());
        let about = About { target: Target::Uri(uri.clone()), expected: None };
        if let Ok(texts) = self.text_to_merge(&about) {
            let merge = AboutText { about, texts: Some(texts), only_if_clean: true };
            // Nobody asked, so nobody waits for the answer.
            self.job(id, Job::Command(0, Box::new(EditorCommand::Merge(merge))));
        }
    }

    /// Two sides' changes were put together: what stands on disk is in the text now.
    pub(super) fn merged(&mut self, uri: &Uri, text: &str, theirs: Rope, is_by_itself: bool) {
        self.edit(uri, text);
        let Some(document) = self.documents.get_mut(uri) else { return };
        document.based_on = Some(theirs);
        if let Some(resource) = document.resource().filter(|_| is_by_itself) {
            let notice = messages::merged(resource);
            self.show(notice);
        }
    }

    /// Asks the editor to let a document have this text. What is equal at both ends stays, and the cursor in it.
    pub(super) fn edit(&mut self, uri: &Uri, wanted: &str) {
        let Some(document) = self.documents.get(uri) else { return };
        let wanted = Rope::from_str(wanted);
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
