//! The diagnostics of a document: who holds it, who edits it too, what was lost.
//!
//! They are read by people and by coding agents alike. An agent takes a diagnostic for a fault in the code that it
//! should mend, so each says what it is before it says what to do.

use tower_lsp::ls_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Range, Uri,
};

use super::first_line;
use super::words;
use crate::diagnostic_code::Code;
use crate::job::OwnLoss;
use crate::snapshot::{Audience, Contender, DocumentSnapshot, LostClaim, OthersClaim};
use deconflict_changes::entry_document;
use deconflict_journal::Entry;
use deconflict_protocol::text::{quoted, without_tags};
use deconflict_registry::{Claim, ClaimState, Key, Session, file_below};

/// What every diagnostic names as its source.
pub(crate) const SOURCE: &str = "deconflict";

/// Stands in every diagnostic, between what is the case and what to do.
const NOTICE: &str = "Coordination notice, not a code problem:";

/// The diagnostics of a document, the gravest first.
pub(crate) fn diagnostics(snapshot: &DocumentSnapshot, audience: &Audience) -> Vec<Diagnostic> {
    if !audience.preferences.diagnostics {
        return Vec::new();
    }
    let lost = snapshot.lost.iter().filter(|lost| !lost.is_acknowledged).map(claim_lost);
    let contended = snapshot
        .contenders
        .iter()
        .filter(|contender| !contender.is_acknowledged)
        .map(|contender| self::contended(contender, snapshot));
    let losses = snapshot.losses.iter().map(|loss| overwritten(loss, snapshot));
    let others = snapshot.others.iter().filter_map(|others| about_claim(others, snapshot, audience));
    let elsewhere = snapshot
        .elsewhere
        .iter()
        .filter(|others| matches!(others.claim.standing, ClaimState::Active | ClaimState::Idle))
        .map(|others| claimed_elsewhere(others, audience));
    let mut drafts: Vec<DiagnosticDraft> = lost.chain(losses).chain(contended).chain(others).chain(elsewhere).collect();
    drafts.sort_by_key(|draft| draft.severity);
    drafts.into_iter().map(|draft| draft.shown(snapshot, audience)).collect()
}

/// One thing to be told, before it is fitted to the editor.
struct DiagnosticDraft<'a> {
    code: Code,
    severity: DiagnosticSeverity,
    fact: String,
    advice: String,
    /// The claim that it is about, and what to call that.
    claim: Option<(&'a Claim, String)>,
    /// The change that it is about.
    change: Option<&'a Entry>,
}

impl DiagnosticDraft<'_> {
    fn shown(self, snapshot: &DocumentSnapshot, audience: &Audience) -> Diagnostic {
        let client = audience.client;
        let related = self.claim.as_ref().and_then(|(claim, name)| related(claim, name, snapshot));
        let data = self.claim.as_ref().map(|(claim, _)| as_data(claim)).or(self.change.map(entry_document));
        Diagnostic {
            range: first_line(snapshot),
            severity: Some(match audience.preferences.severity {
                // What the user muted stays muted.
                Some(wanted) if self.severity != DiagnosticSeverity::HINT => wanted,
                _ => self.severity,
            }),
            code: Some(NumberOrString::String(self.code.as_str().to_owned())),
            source: Some(SOURCE.to_owned()),
            message: format!("{}. {NOTICE} {}.", self.fact, self.advice),
            related_information: related.filter(|_| client.related_information).map(|related| vec![related]),
            data: data.filter(|_| client.diagnostic_data),
            ..Diagnostic::default()
        }
    }
}

fn about_claim<'a>(
    others: &'a OthersClaim,
    snapshot: &DocumentSnapshot,
    audience: &Audience,
) -> Option<DiagnosticDraft<'a>> {
    match others.claim.standing {
        ClaimState::Pending => None,
        ClaimState::Active | ClaimState::Idle | ClaimState::Damaged => Some(claimed(others, snapshot, audience)),
        ClaimState::Expired | ClaimState::Abandoned => Some(claim_stale(others, snapshot, audience)),
    }
}

fn claimed<'a>(others: &'a OthersClaim, snapshot: &DocumentSnapshot, audience: &Audience) -> DiagnosticDraft<'a> {
    let state = others.claim.standing;
    let warns = snapshot.is_edited && !others.is_own_window;
    let severity = match (others.is_muted, warns) {
        (true, _) => DiagnosticSeverity::HINT,
        (false, true) => DiagnosticSeverity::WARNING,
        (false, false) => DiagnosticSeverity::INFORMATION,
    };
    let holder = holder(others);
    let may_talk = others.claim.allows_coordination();
    let too = if warns { ", and you edit it too" } else { "" };
    let fact = match state {
        ClaimState::Damaged => "Claimed, but the claim's file is damaged, so nobody can tell by whom".to_owned(),
        _ => format!("{}{too}", claimed_by(others, &holder, audience)),
    };
    let advice = match state {
        ClaimState::Idle => "it seems to be forgotten, so you may take it over".to_owned(),
        ClaimState::Damaged => format!(
            "wait until {}, when it counts no more, or let \"deconflict doctor\" look at it",
            words::moment(others.claim.expires_at, audience)
        ),
        _ if others.is_own_window => "save or undo your changes there before you edit it here".to_owned(),
        _ if warns && may_talk => {
            format!("agree with {holder} before you save, or one of you overwrites the other")
        }
        _ if warns => "please wait with saving until it is free, or one of you overwrites the other".to_owned(),
        _ if may_talk => format!("wait until it is free or agree with {holder} before you edit this file"),
        _ => "please wait until it is free before you edit this file".to_owned(),
    };
    DiagnosticDraft {
        code: Code::Claimed,
        severity,
        fact,
        advice,
        claim: Some((&others.claim, format!("The claim by {holder}"))),
        change: None,
    }
}

fn claim_stale<'a>(others: &'a OthersClaim, snapshot: &DocumentSnapshot, audience: &Audience) -> DiagnosticDraft<'a> {
    let holder = holder(others);
    let what = match &others.claim.resource {
        resource if resource.is_directory() && *resource != snapshot.resource => {
            format!("the directory {}", quoted(&words::resource(resource), 200))
        }
        _ => "this file".to_owned(),
    };
    let how = match others.claim.standing {
        ClaimState::Abandoned => "is abandoned, its session is over".to_owned(),
        _ => format!("expired at {}", words::moment(others.claim.expires_at, audience)),
    };
    DiagnosticDraft {
        code: Code::ClaimStale,
        severity: DiagnosticSeverity::INFORMATION,
        fact: format!("The claim of {what} by {holder} {how}"),
        advice: "nobody holds it any more, you can take it over".to_owned(),
        claim: Some((&others.claim, format!("The claim by {holder}"))),
        change: None,
    }
}

fn claimed_elsewhere<'a>(others: &'a OthersClaim, audience: &Audience) -> DiagnosticDraft<'a> {
    let holder = holder(others);
    let place = match others.claim.resource.worktree() {
        Some(worktree) => format!("the worktree {}", quoted(worktree, 40)),
        None => "the main worktree".to_owned(),
    };
    let advice = if others.is_own_window || !others.claim.allows_coordination() {
        "both can edit, but the branches may conflict when they are merged".to_owned()
    } else {
        format!("both can edit, but the branches may conflict when they are merged, so talk to {holder} early")
    };
    DiagnosticDraft {
        code: Code::ClaimedElsewhere,
        severity: DiagnosticSeverity::INFORMATION,
        fact: format!(
            "The same file is claimed in {place} by {} {}",
            with_comma(&holder),
            words::period(&others.claim, audience)
        ),
        advice,
        claim: Some((&others.claim, format!("The claim by {holder}"))),
        change: None,
    }
}

fn contended<'a>(contender: &Contender, snapshot: &'a DocumentSnapshot) -> DiagnosticDraft<'a> {
    let who = session(&contender.session, contender.is_own_window);
    let advice = if contender.is_own_window {
        "save or undo your changes in one of the windows first".to_owned()
    } else {
        format!("agree with {who} who saves first, or hand the file over")
    };
    DiagnosticDraft {
        code: Code::Contended,
        severity: DiagnosticSeverity::WARNING,
        fact: format!("Also edited by {} while you hold it", with_comma(&who)),
        advice,
        claim: snapshot.own_claim.as_ref().map(|claim| (claim, "Your claim".to_owned())),
        change: None,
    }
}

fn overwritten<'a>(loss: &'a OwnLoss, snapshot: &DocumentSnapshot) -> DiagnosticDraft<'a> {
    let advice = if snapshot.is_edited {
        "merge it into your text or bring back what stood here before you save, from the menu of this line"
    } else {
        "bring back what stood here or keep theirs, from the menu of this line"
    };
    DiagnosticDraft {
        code: loss.code(),
        severity: if snapshot.is_edited { DiagnosticSeverity::ERROR } else { DiagnosticSeverity::WARNING },
        fact: loss.sentence.trim_end_matches('.').to_owned(),
        advice: advice.to_owned(),
        claim: None,
        change: Some(&loss.entry),
    }
}

fn claim_lost(lost: &LostClaim) -> DiagnosticDraft<'_> {
    let (fact, advice, claim) = match &lost.successor {
        Some(successor) => {
            let who = holder(successor);
            let advice = if successor.is_own_window {
                "save in one of the windows only, or you overwrite your own work".to_owned()
            } else if successor.claim.allows_coordination() {
                format!("look at what {who} changed and agree with {who} before you save")
            } else {
                format!("look at what {who} changed, and please wait with saving until it is free")
            };
            (
                format!("Taken over by {} while you have unsaved changes", with_comma(&who)),
                advice,
                Some((&successor.claim, format!("The claim by {who}"))),
            )
        }
        None => (
            "Your claim was taken over while you have unsaved changes, and it is free again".to_owned(),
            "look at what changed on disk, then claim it again before you save".to_owned(),
            None,
        ),
    };
    DiagnosticDraft { code: Code::ClaimLost, severity: DiagnosticSeverity::ERROR, fact, advice, claim, change: None }
}

/// Who holds it since or until when, and for what.
fn claimed_by(others: &OthersClaim, holder: &str, audience: &Audience) -> String {
    let claimed = match &others.claim.resource {
        resource if resource.is_directory() && resource.relative() == "." => {
            "With the whole workspace, claimed".to_owned()
        }
        resource if resource.is_directory() => {
            format!("With the directory {}, claimed", quoted(&words::resource(resource), 200))
        }
        _ => "Claimed".to_owned(),
    };
    let is_forgotten = others.claim.standing == ClaimState::Idle;
    let holder = if is_forgotten { format!("{holder},") } else { with_comma(holder) };
    let period = words::period(&others.claim, audience);
    match words::purpose(others) {
        Some(purpose) => format!("{claimed} by {holder} {period} ({})", quoted(&purpose, 80)),
        None => format!("{claimed} by {holder} {period}"),
    }
}

/// "you, in Neovim" needs a second comma where the sentence goes on.
/// Who holds a claim, quoted: agents read diagnostics, and must not take another's name for words of this program.
fn holder(others: &OthersClaim) -> String {
    let name = words::holder(others);
    if is_you(&name) && others.is_own_window { without_tags(&name) } else { quoted(&name, 100) }
}

fn session(session: &Session, is_own_window: bool) -> String {
    let name = words::session(session, is_own_window);
    if is_you(&name) && is_own_window { without_tags(&name) } else { quoted(&name, 100) }
}

/// True for another window of the same user, whose session has no name of its own.
fn is_you(name: &str) -> bool {
    name.starts_with("you, ")
}

fn with_comma(who: &str) -> String {
    if is_you(who) { format!("{who},") } else { who.to_owned() }
}

/// The claim's record as it is on disk, with its resource spelled out if the record doesn't.
fn as_data(claim: &Claim) -> serde_json::Value {
    let mut record = claim.record.clone();
    record.resource_type = Some(claim.resource.resource_type().to_string());
    record.resource_name = Some(claim.resource.name().to_owned());
    serde_json::to_value(record).unwrap_or_default()
}

fn related(claim: &Claim, name: &str, snapshot: &DocumentSnapshot) -> Option<DiagnosticRelatedInformation> {
    let uri = Uri::from_file_path(file_below(&snapshot.coordination_directory, &Key::Claim(claim.key.clone())))?;
    Some(DiagnosticRelatedInformation { location: Location { uri, range: Range::default() }, message: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::examples::{audience, by, by_alice, contended, document, held, lost, named, session, time};
    use deconflict_protocol::Resource;

    #[track_caller]
    fn check(snapshot: &DocumentSnapshot, expected: &[(&str, DiagnosticSeverity, &str)]) {
        let shown = diagnostics(snapshot, &audience());
        let seen: Vec<(String, DiagnosticSeverity, &str)> = shown
            .iter()
            .map(|diagnostic| {
                assert_eq!(diagnostic.source.as_deref(), Some("deconflict"));
                assert_eq!(diagnostic.range, first_line(snapshot));
                let Some(NumberOrString::String(code)) = diagnostic.code.clone() else { panic!("no code") };
                (code, diagnostic.severity.unwrap(), diagnostic.message.as_str())
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(code, severity, text)| ((*code).to_owned(), *severity, *text)).collect();
        assert_eq!(seen, expected);
    }

    fn with_standing(standing: ClaimState) -> DocumentSnapshot {
        let mut others = by_alice();
        others.claim.standing = standing;
        held(others)
    }

    #[test]
    fn nothing_is_said_where_nothing_is_the_case() {
        check(&document(), &[]);
        check(&with_standing(ClaimState::Pending), &[]);
    }

    #[test]
    fn another_holds_it() {
        let on_disk = held(by_alice());
        check(
            &on_disk,
            &[(
                "claimed",
                DiagnosticSeverity::INFORMATION,
                "Claimed by \"alice\" since 14:05. Coordination notice, not a code problem: wait until it is free or agree \
                 with \"alice\" before you edit this file.",
            )],
        );
        check(
            &DocumentSnapshot { is_edited: true, ..on_disk.clone() },
            &[(
                "claimed",
                DiagnosticSeverity::WARNING,
                "Claimed by \"alice\" since 14:05, and you edit it too. Coordination notice, not a code problem: agree with \
                 \"alice\" before you save, or one of you overwrites the other.",
            )],
        );
        let mut by_hand = by(named("alice"), false);
        by_hand.claim.record.phase = Some("order\n\"totals\"\u{202e}".to_owned());
        by_hand.claim.record.allow_coordination = Some(false);
        check(
            &held(by_hand),
            &[(
                "claimed",
                DiagnosticSeverity::INFORMATION,
                "Claimed by \"alice\" until 18:05 (\"order 'totals'\"). Coordination notice, not a code problem: please wait \
                 until it is free before you edit this file.",
            )],
        );
    }

    #[test]
    fn a_directory_is_held_with_all_in_it() {
        let mut others = by(named("alice"), false);
        others.claim.resource = Resource::directory("src").unwrap();
        let [shown] = diagnostics(&held(others.clone()), &audience()).try_into().unwrap();
        let shown: Diagnostic = shown;
        assert!(
            shown.message.starts_with("With the directory \"src\", claimed by \"alice\" until 18:05."),
            "{shown:?}"
        );
        others.claim.resource = Resource::directory(".").unwrap();
        let shown = diagnostics(&held(others), &audience());
        assert!(
            shown[0].message.starts_with("With the whole workspace, claimed by \"alice\" until 18:05."),
            "{shown:?}"
        );
    }

    #[test]
    fn ones_own_other_window_is_no_danger_to_be_warned_of() {
        let mut mine = session("session-2");
        mine.record.client = Some("Neovim".to_owned());
        let there = OthersClaim { is_own_window: true, ..by(mine, true) };
        check(
            &DocumentSnapshot { is_edited: true, ..held(there) },
            &[(
                "claimed",
                DiagnosticSeverity::INFORMATION,
                "Claimed by you, in Neovim, since 14:05. Coordination notice, not a code problem: save or undo your \
                 changes there before you edit it here.",
            )],
        );
    }

    #[test]
    fn stale_forgotten_and_damaged_claims_are_told_apart() {
        check(
            &with_standing(ClaimState::Abandoned),
            &[(
                "claim-stale",
                DiagnosticSeverity::INFORMATION,
                "The claim of this file by \"alice\" is abandoned, its session is over. Coordination notice, not a code \
                 problem: nobody holds it any more, you can take it over.",
            )],
        );
        let mut expired = with_standing(ClaimState::Expired);
        expired.others[0].claim.expires_at = time("2025-11-14T22:00:00Z");
        check(
            &expired,
            &[(
                "claim-stale",
                DiagnosticSeverity::INFORMATION,
                "The claim of this file by \"alice\" expired at 14 Nov 23:00. Coordination notice, not a code problem: \
                 nobody holds it any more, you can take it over.",
            )],
        );
        let mut idle = with_standing(ClaimState::Idle);
        idle.others[0].claim.record.idle_since = Some("2025-11-15T10:00:00Z".to_owned());
        check(
            &idle,
            &[(
                "claimed",
                DiagnosticSeverity::INFORMATION,
                "Claimed by \"alice\", idle since 11:00. Coordination notice, not a code problem: it seems to be forgotten, \
                 so you may take it over.",
            )],
        );
        let damaged = with_standing(ClaimState::Damaged);
        check(
            &damaged,
            &[(
                "claimed",
                DiagnosticSeverity::INFORMATION,
                "Claimed, but the claim's file is damaged, so nobody can tell by whom. Coordination notice, not a \
                 code problem: wait until 18:05, when it counts no more, or let \"deconflict doctor\" look at it.",
            )],
        );
    }

    #[test]
    fn another_worktree_has_the_same_path() {
        let mut there = by_alice();
        there.claim.resource = Resource::file("//feature-x/src/order.rs").unwrap();
        let snapshot = DocumentSnapshot { elsewhere: vec![there.clone()], ..document() };
        check(
            &snapshot,
            &[(
                "claimed-elsewhere",
                DiagnosticSeverity::INFORMATION,
                "The same file is claimed in the worktree \"feature-x\" by \"alice\" since 14:05. Coordination notice, not a \
                 code problem: both can edit, but the branches may conflict when they are merged, so talk to \"alice\" early.",
            )],
        );
        there.claim.standing = ClaimState::Expired;
        check(&DocumentSnapshot { elsewhere: vec![there], ..document() }, &[]);
    }

    #[test]
    fn another_edits_what_is_held_here() {
        let mut snapshot = contended();
        check(
            &snapshot,
            &[(
                "contended",
                DiagnosticSeverity::WARNING,
                "Also edited by \"bob\" while you hold it. Coordination notice, not a code problem: agree with \"bob\" who saves \
                 first, or hand the file over.",
            )],
        );
        snapshot.contenders[0].is_acknowledged = true;
        check(&snapshot, &[]);
    }

    #[test]
    fn a_lost_claim_is_an_error_and_comes_first() {
        let mut snapshot = lost(Some(by_alice()));
        snapshot.others = vec![by_alice()];
        let shown = diagnostics(&snapshot, &audience());
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0].severity, Some(DiagnosticSeverity::ERROR));
        assert_eq!(
            shown[0].message,
            "Taken over by \"alice\" while you have unsaved changes. Coordination notice, not a code problem: look at what \
             \"alice\" changed and agree with \"alice\" before you save."
        );
        snapshot.others.clear();
        snapshot.lost = Some(LostClaim { successor: None, is_acknowledged: false });
        check(
            &snapshot,
            &[(
                "claim-lost",
                DiagnosticSeverity::ERROR,
                "Your claim was taken over while you have unsaved changes, and it is free again. Coordination notice, \
                 not a code problem: look at what changed on disk, then claim it again before you save.",
            )],
        );
        snapshot.lost = Some(LostClaim { successor: None, is_acknowledged: true });
        check(&snapshot, &[]);
    }
}
