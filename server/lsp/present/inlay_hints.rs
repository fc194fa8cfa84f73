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

/// The hints of a document within a range: one at most.
pub(crate) fn inlay_hints(snapshot: &DocumentSnapshot, audience: &Audience, range: Range) -> Vec<InlayHint> {
    if !audience.preferences.hints || range.start.line > 0 {
        return Vec::new();
    }
    let holding = snapshot.others.iter().find(|others| words::is_claimed(&others.claim));
    let hint = match (holding, &snapshot.own_claim) {
        (Some(others), _) => Some(about_others(others, snapshot, audience)),
        (None, Some(claim)) if audience.preferences.own_hints => Some(about_own(claim, snapshot, audience)),
        (None, _) => None,
    };
    hint.into_iter().collect()
}

fn about_others(others: &OthersClaim, snapshot: &DocumentSnapshot, audience: &Audience) -> InlayHint {
    let label = if others.claim.standing == ClaimState::Damaged {
        "claimed, but the claim file is damaged".to_owned()
    } else {
        label(&words::short_holder(others), &words::period(&others.claim, audience))
    };
    let command = code_actions::message_from_hint(others, snapshot, audience);
    let label = match command.filter(|_| audience.client.hint_commands) {
        Some(command) => with_command(label, command),
        None => InlayHintLabel::String(label),
    };
    hint(label, HoverForm { audience, is_markdown: true }.others(others, ""), snapshot)
}

fn about_own(claim: &Claim, snapshot: &DocumentSnapshot, audience: &Audience) -> InlayHint {
    let label = label("you", &words::period(claim, audience));
    hint(InlayHintLabel::String(label), HoverForm { audience, is_markdown: true }.own(claim), snapshot)
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

fn with_command(label: String, command: Command) -> InlayHintLabel {
    InlayHintLabel::LabelParts(vec![InlayHintLabelPart {
        value: label,
        command: Some(command),
        ..InlayHintLabelPart::default()
    }])
}

fn hint(label: InlayHintLabel, tooltip: String, snapshot: &DocumentSnapshot) -> InlayHint {
    InlayHint {
        position: Position::new(0, snapshot.first_line_length),
        label,
        kind: None,
        text_edits: None,
        tooltip: Some(InlayHintTooltip::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: tooltip })),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::examples::{audience, by, by_alice, claim, document, held, named, session, time};
    use deconflict_registry::Session;

    fn first_line() -> Range {
        Range::new(Position::new(0, 0), Position::new(80, 0))
    }

    fn text(hint: &InlayHint) -> String {
        match &hint.label {
            InlayHintLabel::String(label) => label.clone(),
            InlayHintLabel::LabelParts(parts) => parts.iter().map(|label| label.value.as_str()).collect(),
        }
    }

    #[track_caller]
    fn check(snapshot: &DocumentSnapshot, expected: Option<&str>) {
        let hints = inlay_hints(snapshot, &audience(), first_line());
        assert_eq!(hints.iter().map(text).next().as_deref(), expected);
        for hint in hints {
            assert_eq!(hint.position, Position::new(0, snapshot.first_line_length));
            assert!(text(&hint).encode_utf16().count() <= 40);
        }
    }

    #[test]
    fn it_says_who_and_since_or_until_when() {
        check(&document(), None);
        check(&held(by_alice()), Some("held by alice since 14:05"));
        check(&held(by(named("alice"), false)), Some("held by alice until 18:05"));
        let mut without_record = by(session("session-1763200000-ab12"), true);
        without_record.holder = None;
        check(&held(without_record), Some("session-1763200000-ab12 since 14:05"));
        let mut human = session("session-1763200000-ab12");
        human.record.user = Some("maria".to_owned());
        check(&held(by(human.clone(), true)), Some("held by maria since 14:05"));
        human.record.client = Some("Neovim".to_owned());
        let own_window = OthersClaim { is_own_window: true, ..by(human, true) };
        check(&held(own_window), Some("held by you, in Neovim since 14:05"));
    }

    #[test]
    fn only_claims_that_count_are_shown() {
        for (standing, expected) in [
            (ClaimState::Idle, Some("held by alice idle since 11:00")),
            (ClaimState::Damaged, Some("claimed, but the claim file is damaged")),
            (ClaimState::Expired, None),
            (ClaimState::Abandoned, None),
            (ClaimState::Pending, None),
        ] {
            let mut others = by_alice();
            others.claim.standing = standing;
            others.claim.record.idle_since = Some("2025-11-15T10:00:00Z".to_owned());
            check(&held(others), expected);
        }
    }

    #[test]
    fn names_are_cut_and_times_are_not() {
        let long = |name: &str, since: &str| {
            let mut others = by(named(name), true);
            others.claim.claimed_at = time(since);
            held(others)
        };
        check(
            &long("Maximiliane von Hohenberg", "2025-11-15T13:05:00Z"),
            Some("Maximiliane von Hohenberg since 14:05"),
        );
        check(
            &long("Maximiliane von Hohenberg-Falkenstein", "2025-11-15T13:05:00Z"),
            Some("Maximiliane von Hohenberg-F… since 14:05"),
        );
        check(
            &long("Maximiliane von Hohenberg", "2025-11-14T13:05:00Z"),
            Some("Maximiliane von Hohe… since 14 Nov 14:05"),
        );
        check(&long(&"🦀".repeat(30), "2025-11-15T13:05:00Z"), Some("🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀… since 14:05"));
        check(&long("a\u{202e}b\u{7}\nc", "2025-11-15T13:05:00Z"), Some("held by ab c since 14:05"));
    }

    #[test]
    fn the_label_writes_to_the_holder_where_the_editor_can() {
        let command_of = |snapshot: &DocumentSnapshot, audience: &Audience| {
            let hint = inlay_hints(snapshot, audience, first_line()).remove(0);
            match hint.label {
                InlayHintLabel::String(_) => None,
                InlayHintLabel::LabelParts(mut parts) => parts.remove(0).command,
            }
        };
        let command = command_of(&held(by_alice()), &audience()).unwrap();
        assert_eq!(command.command, "deconflict.sendMessage");
        let argument = &command.arguments.unwrap()[0];
        assert_eq!(argument["to"], "session-5");
        assert_eq!(argument["uri"], "file:///work%20space/src/order.rs");

        let mut cannot = audience();
        cannot.client.hint_commands = false;
        assert_eq!(command_of(&held(by_alice()), &cannot), None);
        let mut unwilling = by_alice();
        unwilling.claim.record.allow_coordination = Some(false);
        assert_eq!(command_of(&held(unwilling), &audience()), None);
        let gone = Session { state: deconflict_registry::SessionState::Completed, ..named("alice") };
        assert_eq!(command_of(&held(by(gone, true)), &audience()), None);
    }

    #[test]
    fn range_and_preferences_decide() {
        let below = Range::new(Position::new(1, 0), Position::new(9, 0));
        assert!(inlay_hints(&held(by_alice()), &audience(), below).is_empty());
        let own = DocumentSnapshot { own_claim: Some(claim(&session("me"), true)), ..document() };
        check(&own, None);
        let mut preferring = audience();
        preferring.preferences.own_hints = true;
        assert_eq!(text(&inlay_hints(&own, &preferring, first_line())[0]), "held by you since 14:05");
        preferring.preferences.hints = false;
        assert!(inlay_hints(&held(by_alice()), &preferring, first_line()).is_empty());
    }
}
