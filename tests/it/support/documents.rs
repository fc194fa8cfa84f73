//! Open documents, as an editor keeps them: text, version and what was saved.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::editor::Editor;

/// One replacement in a document: `(line, UTF-16 character)` of start and end, and the new text.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) start: (usize, usize),
    pub(crate) end: (usize, usize),
    pub(crate) text: String,
}

impl Edit {
    pub(crate) fn insert(line: usize, character: usize, text: &str) -> Self {
        Self { start: (line, character), end: (line, character), text: text.to_owned() }
    }

    fn to_lsp(&self) -> Value {
        json!({
            "range": {
                "start": { "line": self.start.0, "character": self.start.1 },
                "end": { "line": self.end.0, "character": self.end.1 },
            },
            "text": self.text,
        })
    }
}

/// The editor's own copy of a document.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) saved: String,
    pub(crate) version: i32,
}

impl Buffer {
    /// Applies an edit to the copy.
    fn apply(&mut self, edit: &Edit) {
        let start = offset(&self.text, edit.start);
        let end = offset(&self.text, edit.end);
        self.text.replace_range(start..end, &edit.text);
    }

    /// The edit that replaces everything by `text`.
    fn replacement(&self, text: &str) -> Edit {
        Edit { start: (0, 0), end: end_position(&self.text), text: text.to_owned() }
    }
}

/// A document that is open in an editor.
pub(crate) struct Document<'editor> {
    pub(crate) editor: &'editor Editor,
    pub(crate) uri: String,
}

impl Document<'_> {
    pub(crate) fn path(&self) -> PathBuf {
        self.editor.buffer(&self.uri, |buffer| buffer.path.clone())
    }

    pub(crate) fn text(&self) -> String {
        self.editor.buffer(&self.uri, |buffer| buffer.text.clone())
    }

    /// Types at the start of the document.
    pub(crate) fn type_text(&self, text: &str) -> &Self {
        self.change(&[Edit::insert(0, 0, text)])
    }

    /// Sends these edits in one `didChange`, each relative to the text after the one before it.
    pub(crate) fn change(&self, edits: &[Edit]) -> &Self {
        let version = self.editor.buffer(&self.uri, |buffer| {
            for edit in edits {
                buffer.apply(edit);
            }
            buffer.version += 1;
            buffer.version
        });
        let changes: Vec<Value> = edits.iter().map(Edit::to_lsp).collect();
        self.send_change(version, &changes);
        self
    }

    /// Waits for the server's own edit of this document, and carries it out.
    #[track_caller]
    pub(crate) fn take_edit(&self) -> &Self {
        let changes = self.editor.wait_until("an edit by the server", |view| view.edits.pop_front());
        let place = |place: &Value| {
            let number = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
            (number("line"), number("character"))
        };
        let edits = changes[&self.uri].as_array().unwrap_or_else(|| panic!("{} is not in {changes}", self.uri));
        for edit in edits {
            let (start, end) = (place(&edit["range"]["start"]), place(&edit["range"]["end"]));
            self.change(&[Edit { start, end, text: edit["newText"].as_str().unwrap().to_owned() }]);
        }
        self
    }

    /// Replaces the whole text by an incremental edit.
    pub(crate) fn replace_all(&self, text: &str) -> &Self {
        let edit = self.editor.buffer(&self.uri, |buffer| buffer.replacement(text));
        self.change(&[edit])
    }

    /// Replaces the whole text by a change without a range, which every server must understand too.
    pub(crate) fn send_whole_text(&self, text: &str) -> &Self {
        let version = self.editor.buffer(&self.uri, |buffer| {
            text.clone_into(&mut buffer.text);
            buffer.version += 1;
            buffer.version
        });
        self.send_change(version, &[json!({ "text": text })]);
        self
    }

    /// Takes every edit since the last save back.
    pub(crate) fn undo_to_saved(&self) -> &Self {
        let saved = self.editor.buffer(&self.uri, |buffer| buffer.saved.clone());
        self.replace_all(&saved)
    }

    /// Writes the text to the file and says so.
    pub(crate) fn save(&self) -> &Self {
        let text = self.editor.buffer(&self.uri, |buffer| {
            fs::create_dir_all(buffer.path.parent().unwrap()).unwrap();
            fs::write(&buffer.path, &buffer.text).unwrap();
            buffer.saved = buffer.text.clone();
            buffer.text.clone()
        });
        let mut parameters = json!({ "textDocument": { "uri": self.uri } });
        if self.editor.server_capability("/textDocumentSync/save/includeText") == json!(true) {
            parameters["text"] = json!(text);
        }
        self.editor.notify("textDocument/didSave", parameters);
        self
    }

    /// Writes the file, as an editor does whose user goes on before it can tell that it has.
    pub(crate) fn begin_saving(&self) -> &Self {
        self.editor.notify("textDocument/willSave", json!({ "textDocument": { "uri": self.uri }, "reason": 1 }));
        self.editor.buffer(&self.uri, |buffer| {
            fs::write(&buffer.path, &buffer.text).unwrap();
            buffer.saved = buffer.text.clone();
        });
        self
    }

    /// Tells of it.
    pub(crate) fn finish_saving(&self) {
        self.editor.notify("textDocument/didSave", json!({ "textDocument": { "uri": self.uri } }));
    }

    /// Saves and closes it as VS Code does that opens a file only to replace a text in it: that it was saved is told last.
    pub(crate) fn save_and_close(self) {
        self.begin_saving();
        self.editor.close_document(&self.uri);
        self.finish_saving();
    }

    /// Takes the text on disk, as VS Code does when a file changed outside: by an ordinary change.
    pub(crate) fn reload(&self) -> &Self {
        let disk = fs::read_to_string(self.path()).unwrap();
        self.editor.buffer(&self.uri, |buffer| buffer.saved.clone_from(&disk));
        self.replace_all(&disk)
    }

    /// Takes the text on disk, as Neovim does when a file changed outside: by closing and opening.
    pub(crate) fn reload_by_reopening(&self) -> &Self {
        let path = self.path();
        self.editor.notify("textDocument/didClose", json!({ "textDocument": { "uri": self.uri } }));
        self.editor.open_uri(&self.uri, &path, None);
        self
    }

    /// Closes the document; what was not saved is gone.
    pub(crate) fn close(self) {
        self.editor.close_document(&self.uri);
    }

    /// The diagnostics of this document as the editor shows them now.
    pub(crate) fn diagnostics(&self) -> Vec<Value> {
        self.editor.diagnostics(&self.uri)
    }

    /// The codes of the diagnostics shown now.
    pub(crate) fn codes(&self) -> Vec<String> {
        codes(&self.diagnostics())
    }

    /// Waits until a diagnostic with this code is shown, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_diagnostic(&self, code: &str) -> Value {
        self.wait_for_diagnostic_where(&format!("`{code}`"), |diagnostic| diagnostic["code"] == code)
    }

    /// Waits until a diagnostic is shown for which `matches` holds, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_diagnostic_where(&self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        self.editor.wait_until(&format!("the diagnostic {what} in {}", self.uri), |view| {
            view.diagnostics.get(&self.uri)?.iter().find(|diagnostic| matches(diagnostic)).cloned()
        })
    }

    /// Waits until no diagnostic is shown.
    #[track_caller]
    pub(crate) fn wait_until_clear(&self) {
        self.editor.wait_until(&format!("no diagnostics in {}", self.uri), |view| {
            view.diagnostics.get(&self.uri).is_none_or(Vec::is_empty).then_some(())
        });
    }

    /// Waits until no diagnostic with this code is shown.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, code: &str) {
        self.editor.wait_until(&format!("no diagnostic `{code}` in {}", self.uri), |view| {
            let shown = view.diagnostics.get(&self.uri).map_or(&[][..], Vec::as_slice);
            shown.iter().all(|diagnostic| diagnostic["code"] != code).then_some(())
        });
    }

    /// What hovering over a place says, as the server sent it.
    #[track_caller]
    pub(crate) fn hover(&self, line: usize, character: usize) -> Value {
        self.editor.request(
            "textDocument/hover",
            json!({
                "textDocument": { "uri": self.uri },
                "position": { "line": line, "character": character },
            }),
        )
    }

    /// The inlay hints of the whole document.
    #[track_caller]
    pub(crate) fn inlay_hints(&self) -> Vec<Value> {
        let end = end_position(&self.text());
        let answer = self.editor.request(
            "textDocument/inlayHint",
            json!({
                "textDocument": { "uri": self.uri },
                "range": {
                    "start": { "line": 0, "character": 0 },
                    "end": { "line": end.0, "character": end.1 },
                },
            }),
        );
        answer.as_array().cloned().unwrap_or_default()
    }

    /// Asks for hints whenever the server says that they have changed, until they are as `matches` wants them.
    #[track_caller]
    pub(crate) fn wait_for_hints(&self, what: &str, matches: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        loop {
            let seen = self.editor.hint_refreshes();
            let hints = self.inlay_hints();
            if matches(&hints) {
                return hints;
            }
            self.editor.wait_until(
                &format!("a refresh of the hints in {}, to show {what}; they were {hints:?}", self.uri),
                |view| (view.hint_refreshes > seen).then_some(()),
            );
        }
    }

    /// The code actions on a line that an editor offers by itself, with the diagnostics of that line.
    #[track_caller]
    pub(crate) fn code_actions(&self, line: usize) -> Vec<Value> {
        self.request_code_actions(line, None, 2)
    }

    /// The code actions on a line when the user asks, perhaps only those of one kind.
    #[track_caller]
    pub(crate) fn invoke_code_actions(&self, line: usize, only: Option<&str>) -> Vec<Value> {
        self.request_code_actions(line, only, 1)
    }

    #[track_caller]
    fn request_code_actions(&self, line: usize, only: Option<&str>, trigger: i32) -> Vec<Value> {
        let diagnostics: Vec<Value> =
            self.diagnostics().into_iter().filter(|diagnostic| diagnostic["range"]["start"]["line"] == line).collect();
        let mut context = json!({ "diagnostics": diagnostics, "triggerKind": trigger });
        if let Some(kind) = only {
            context["only"] = json!([kind]);
        }
        let answer = self.editor.request(
            "textDocument/codeAction",
            json!({
                "textDocument": { "uri": self.uri },
                "range": {
                    "start": { "line": line, "character": 0 },
                    "end": { "line": line, "character": 0 },
                },
                "context": context,
            }),
        );
        answer.as_array().cloned().unwrap_or_default()
    }

    fn send_change(&self, version: i32, changes: &[Value]) {
        self.editor.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": self.uri, "version": version }, "contentChanges": changes }),
        );
    }
}

/// The codes of these diagnostics.
pub(crate) fn codes(diagnostics: &[Value]) -> Vec<String> {
    diagnostics.iter().map(|diagnostic| diagnostic["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The text of an inlay hint, whether it comes whole or in parts.
pub(crate) fn hint_label(hint: &Value) -> String {
    match &hint["label"] {
        Value::String(label) => label.clone(),
        parts => parts.as_array().unwrap().iter().map(|part| part["value"].as_str().unwrap()).collect(),
    }
}

/// The text of a file as an editor reads it.
pub(crate) fn read_text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Where in the text a position is; one past the end of a line is at its end, as LSP has it.
fn offset(text: &str, (line, character): (usize, usize)) -> usize {
    let start = line_starts(text).nth(line).unwrap_or(text.len());
    let rest = &text[start..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let mut units = 0;
    for (index, found) in line.char_indices() {
        if units >= character {
            return start + index;
        }
        units += found.len_utf16();
    }
    start + line.len()
}

fn end_position(text: &str) -> (usize, usize) {
    let (line, start) = line_starts(text).enumerate().last().unwrap_or((0, 0));
    (line, text[start..].encode_utf16().count())
}

/// LSP ends lines at LF, CR and CR LF, and at nothing else.
fn line_starts(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter_map(move |(index, byte)| match byte {
        b'\n' => Some(index + 1),
        b'\r' if bytes.get(index + 1) != Some(&b'\n') => Some(index + 1),
        _ => None,
    });
    std::iter::once(0).chain(ends)
}
