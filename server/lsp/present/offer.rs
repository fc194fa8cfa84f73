//! One offer of a menu: what it is called, which command it runs, and with what.

use serde_json::{Map, Value};
use tower_lsp::ls_types::{CodeAction, CodeActionKind, CodeActionOrCommand, Command, Diagnostic, NumberOrString};

use super::diagnostics::SOURCE;
use super::words;
use crate::command::{Expected, full_name};
use crate::diagnostic_code::Code;
use crate::snapshot::{Audience, DocumentSnapshot};
use deconflict_protocol::{SessionId, text};
use deconflict_registry::Claim;

/// The kind of what answers a diagnostic.
pub(super) const QUICK_FIX: &str = "quickfix";

/// A quotation is cut after so many characters.
const LONGEST_QUOTATION: usize = 2_000;

/// One entry of a menu.
pub(super) struct Offer {
    pub(super) kind: &'static str,
    title: String,
    command: &'static str,
    argument: Map<String, Value>,
    /// The diagnostic that it answers.
    code: Option<Code>,
}

impl Offer {
    pub(super) fn new(title: String, command: &'static str, snapshot: &DocumentSnapshot) -> Self {
        let mut argument = Map::new();
        argument.insert("uri".to_owned(), snapshot.uri.as_str().into());
        argument.insert("interactive".to_owned(), true.into());
        Self { kind: QUICK_FIX, title, command, argument, code: None }
    }

    pub(super) fn source(
        kind: &'static str,
        title: String,
        command: &'static str,
        snapshot: &DocumentSnapshot,
    ) -> Self {
        Self { kind, ..Self::new(title, command, snapshot) }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.argument.insert(name.to_owned(), value.into());
        self
    }

    /// Ties it to the claim as it is now.
    pub(super) fn expecting(self, claim: &Claim) -> Self {
        self.with("expected", serde_json::to_value(Expected::of(claim)).unwrap_or_default())
    }

    pub(super) fn about(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn without_uri(mut self) -> Self {
        self.argument.shift_remove("uri");
        self
    }

    /// An offer to write to a session. Where the editor cannot ask for a text, it goes out with the ready one, which
    /// therefore stands in the title.
    pub(super) fn message(
        to: &SessionId,
        who: &str,
        ready_text: &str,
        quotation: Option<&str>,
        snapshot: &DocumentSnapshot,
        audience: &Audience,
    ) -> Self {
        let title = match (audience.client.asks_for_text, quotation.is_some_and(|text| !text.trim().is_empty())) {
            (true, _) => format!("Message {who}"),
            (false, false) => format!("Message {who}: \"{ready_text}\""),
            (false, true) => format!("Message {who}: \"{ready_text}\", with the selected lines"),
        };
        Self::new(title, "sendMessage", snapshot)
            .with("to", to.as_str())
            .with("subject", words::resource(&snapshot.resource))
            .with_text(ready_text, "message", quotation, audience)
    }

    /// Adds the text to be sent, as far as the editor doesn't ask for it.
    pub(super) fn with_text(self, ready_text: &str, field: &str, quotation: Option<&str>, audience: &Audience) -> Self {
        let quotation = quotation.map(quoted).filter(|quotation| !quotation.is_empty());
        match (audience.client.asks_for_text, quotation) {
            (true, Some(quotation)) => self.with("quotation", quotation),
            (true, None) => self,
            (false, Some(quotation)) => self.with(field, format!("{ready_text}\n\n{quotation}")),
            (false, None) => self.with(field, ready_text),
        }
    }

    /// The command that it runs.
    pub(super) fn command(self) -> Command {
        Command { title: self.title, command: full_name(self.command), arguments: Some(vec![self.argument.into()]) }
    }

    /// The offer in the form that the editor understands, tied to those of its diagnostics that it answers.
    pub(super) fn shown(self, audience: &Audience, diagnostics: &[Diagnostic]) -> CodeActionOrCommand {
        if !audience.client.code_action_literals {
            return self.command().into();
        }
        let is_answered = |diagnostic: &&Diagnostic| self.code.is_some_and(|code| is_ours(diagnostic, code));
        let answered: Vec<Diagnostic> = diagnostics.iter().filter(is_answered).cloned().collect();
        CodeAction {
            title: self.title.clone(),
            kind: Some(CodeActionKind::new(self.kind)),
            diagnostics: (!answered.is_empty()).then_some(answered),
            command: Some(self.command()),
            ..CodeAction::default()
        }
        .into()
    }
}

/// The selected text as a quotation: each line after a `>`.
fn quoted(selected: &str) -> String {
    let is_whole = selected.chars().nth(LONGEST_QUOTATION).is_none();
    let kept: String = selected.chars().take(LONGEST_QUOTATION).collect();
    let kept = text::printable(kept.trim_end());
    if kept.trim().is_empty() {
        return String::new();
    }
    let mut lines: Vec<String> = kept.lines().map(|line| format!("> {line}")).collect();
    if !is_whole {
        lines.push("> …".to_owned());
    }
    lines.join("\n")
}

fn is_ours(diagnostic: &Diagnostic, code: Code) -> bool {
    diagnostic.source.as_deref() == Some(SOURCE)
        && matches!(&diagnostic.code, Some(NumberOrString::String(text)) if text == code.as_str())
}
