//! The inlay hint at the end of the first line: who holds the document, since or until when.

use tower_lsp::ls_types::{
    Command, InlayHint, InlayHintLabel, InlayHintLabelPart, InlayHintTooltip, MarkupContent, MarkupKind, Position,
    Range,
};

use super::code_actions;
use super::hover::HoverForm;
use super::words;
use crate::snapshot::{Audience, DocumentSnapshot, OthersClaim};
use deconflict_registry::{Claim, ClaimState};

/// The longest label, in UTF-16 code units. VS Code cuts what is longer than 43, all hints of a line together.
const LONGEST_LABEL: usize = 40;

/// So many characters of a line are in sight beside a list of files where a small screen shows everything at 150 %.
const IN_SIGHT: usize = 68;

/// The hints of a document within a range: one at most.
pub(crate) fn inlay_hints(snapshot: &DocumentSnapshot, audience: &Audience, range: Range) -> Vec<InlayHint> {
    if !audience.preferences.hints || range.start.line > 0 {
        return Vec::new();
    }
    let form = HoverForm { audience, is_markdown: true };
    let Some(subject) = subject(snapshot, audience) else { return Vec::new() };
    let tooltip = match subject {
        Subject::Others(others) => form.others(others),
        Subject::Own(claim) => form.own(claim),
    };
    let command = match subject {
        Subject::Others(others) => code_actions::message_from_hint(others, snapshot, audience),
        Subject::Own(_) => None,
    };
    vec![InlayHint {
        position: Position::new(0, snapshot.first_line_length),
        label: clickable(subject.label(snapshot, audience), command.filter(|_| audience.client.hint_commands)),
        kind: None,
        text_edits: None,
        tooltip: Some(InlayHintTooltip::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: tooltip })),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }]
}

/// What is seen of the hint without pointing at it, to tell whether the editor should ask for it again; `None` where
/// there is none.
pub(crate) fn reading(snapshot: &DocumentSnapshot, audience: &Audience) -> Option<String> {
    let subject = subject(snapshot, audience).filter(|_| audience.preferences.hints)?;
    Some(format!("{} at {}", subject.label(snapshot, audience), snapshot.first_line_length))
}

/// Whose claim a hint tells of.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Others(&'a OthersClaim),
    Own(&'a Claim),
}

fn subject<'a>(snapshot: &'a DocumentSnapshot, audience: &Audience) -> Option<Subject<'a>> {
    let holding = snapshot.others.iter().find(|others| words::is_claimed(&others.claim));
    let own = || snapshot.own_claim.as_ref().filter(|_| audience.preferences.own_hints);
    holding.map(Subject::Others).or_else(|| own().map(Subject::Own))
}

impl Subject<'_> {
    fn label(self, snapshot: &DocumentSnapshot, audience: &Audience) -> String {
        let before = snapshot.first_line_length;
        match self {
            Self::Others(others) if others.claim.standing == ClaimState::Damaged => {
                "claimed, but the claim is damaged".to_owned()
            }
            Self::Others(others) => label(&words::holder(others), &words::period(&others.claim, audience), before),
            Self::Own(claim) => label("you", &words::period(claim, audience), before),
        }
    }
}

fn clickable(label: String, command: Option<Command>) -> InlayHintLabel {
    match command {
        None => InlayHintLabel::String(label),
        command => InlayHintLabel::LabelParts(vec![InlayHintLabelPart {
            value: label,
            command,
            ..InlayHintLabelPart::default()
        }]),
    }
}

/// "held by maria since 14:05". Where a part of that would be out of sight after a long line, "held by" goes, and then
/// the time, which the hover has. After a line that is too long even for the name alone, whoever sees the hint at all has
/// room for the time too. The end of a name that is too long always goes.
fn label(who: &str, period: &str, before: u32) -> String {
    let whole = format!("held by {who} {period}");
    let name = words::cut(who, LONGEST_LABEL.saturating_sub(units(period) + 1));
    let short = format!("{name} {period}");
    let before = usize::try_from(before).unwrap_or(usize::MAX);
    let is_in_sight = |label: &String| {
        // A space is between the line and its hint.
        units(label) <= LONGEST_LABEL && before.saturating_add(1 + units(label)) <= IN_SIGHT
    };
    [whole, short.clone(), name].into_iter().find(is_in_sight).unwrap_or(short)
}

/// How long a text is as editors count.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
