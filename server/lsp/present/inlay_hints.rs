//! The inlay hint at the end of the first line: who holds the document, since or until when.

use tower_lsp::ls_types::{
    InlayHint, InlayHintLabel, InlayHintLabelPart, InlayHintTooltip, MarkupContent, MarkupKind, Position, Range,
};

use super::code_actions;
use super::hover::HoverForm;
use super::words;
use crate::snapshot::{Audience, DocumentSnapshot, OthersClaim};
use deconflict_registry::ClaimState;

/// The longest label, in UTF-16 code units. VS Code cuts what is longer than 43, all hints of a line together.
const LONGEST_LABEL: usize = 40;

/// The hints of a document within a range: one at most.
pub(crate) fn inlay_hints(snapshot: &DocumentSnapshot, audience: &Audience, range: Range) -> Vec<InlayHint> {
    if !audience.preferences.hints || range.start.line > 0 {
        return Vec::new();
    }
    let form = HoverForm { audience, is_markdown: true };
    let holding = snapshot.others.iter().find(|others| words::is_claimed(&others.claim));
    let own = snapshot.own_claim.as_ref().filter(|_| audience.preferences.own_hints);
    let (label, tooltip) = match (holding, own) {
        (Some(others), _) => (label_of(others, snapshot, audience), form.others(others)),
        (None, Some(claim)) => (InlayHintLabel::String(label("you", &words::period(claim, audience))), form.own(claim)),
        (None, None) => return Vec::new(),
    };
    vec![InlayHint {
        position: Position::new(0, snapshot.first_line_length),
        label,
        kind: None,
        text_edits: None,
        tooltip: Some(InlayHintTooltip::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: tooltip })),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }]
}

/// Clicking on it writes to the holder, where the editor can.
fn label_of(others: &OthersClaim, snapshot: &DocumentSnapshot, audience: &Audience) -> InlayHintLabel {
    let label = if others.claim.standing == ClaimState::Damaged {
        "claimed, but the claim file is damaged".to_owned()
    } else {
        label(&words::holder(others), &words::period(&others.claim, audience))
    };
    let command = code_actions::message_from_hint(others, snapshot, audience);
    match command.filter(|_| audience.client.hint_commands) {
        None => InlayHintLabel::String(label),
        command => InlayHintLabel::LabelParts(vec![InlayHintLabelPart {
            value: label,
            command,
            ..InlayHintLabelPart::default()
        }]),
    }
}

/// "held by maria since 14:05". Where that is too long, "held by" goes first and then the end of the name: the time
/// stays whole.
fn label(who: &str, period: &str) -> String {
    let whole = format!("held by {who} {period}");
    if whole.encode_utf16().count() <= LONGEST_LABEL {
        return whole;
    }
    let left = LONGEST_LABEL.saturating_sub(period.encode_utf16().count() + 1);
    format!("{} {period}", words::cut(who, left))
}
