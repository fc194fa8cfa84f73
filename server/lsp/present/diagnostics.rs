//! The diagnostics of a document: who holds it, who edits it too, what was lost.
//!
//! They are read by people and by coding agents alike. An agent takes a diagnostic for a fault in the code that it
//! should mend, so each begins with somebody who does something to the file, and then says what to do.

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
use deconflict_registry::{Claim, ClaimState, Key, file_below};

/// What every diagnostic names as its source.
pub(crate) const SOURCE: &str = "deconflict";

/// The diagnostics of a document, the gravest first.
pub(crate) fn diagnostics(snapshot: &DocumentSnapshot, audience: &Audience) -> Vec<Diagnostic> {
    if !audience.preferences.diagnostics {
        return Vec::new();
    }
    let lost = snapshot.lost.iter().filter(|lost| !lost.is_acknowledged).map(claim_lost);
    let contended = snapshot.new_contenders().map(|contender| contended(contender, snapshot));
    let losses = snapshot.losses.iter().map(|loss| overwritten(loss, snapshot));
    let others = snapshot.others.iter().filter_map(|others| about_claim(others, snapshot, audience));
    let elsewhere = snapshot.held_elsewhere().map(|others| claimed_elsewhere(others, audience));
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
    /// All that an editor shows which has the rest in its menus.
    brief: Option<String>,
}

impl<'a> DiagnosticDraft<'a> {
    fn new(code: Code, severity: DiagnosticSeverity, fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, severity, fact: fact.into(), advice: advice.into(), claim: None, change: None, brief: None }
    }

    fn about(self, others: &'a OthersClaim) -> Self {
        Self { claim: Some((&others.claim, format!("The claim by {}", holder(others)))), ..self }
    }

    fn shown(self, snapshot: &DocumentSnapshot, audience: &Audience) -> Diagnostic {
        let client = audience.client;
        let related = self.claim.as_ref().and_then(|(claim, name)| related(claim, name, snapshot));
        let data = self
            .claim
            .as_ref()
            .map(|(claim, _)| as_data(claim))
            .or(self.change.map(|change| entry_document(change, None)));
        Diagnostic {
            range: first_line(snapshot),
            severity: Some(match audience.preferences.severity {
                // What the user muted stays muted.
                Some(wanted) if self.severity != DiagnosticSeverity::HINT => wanted,
                _ => self.severity,
            }),
            code: Some(NumberOrString::String(self.code.as_str().to_owned())),
            source: Some(SOURCE.to_owned()),
            message: match self.brief {
                _ if !client.is_brief => format!("{}. {}.", self.fact, self.advice),
                Some(brief) => format!("{brief}."),
                None => format!("{}.", self.fact),
            },
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
        // That is about another clone.
        ClaimState::Uncommitted | ClaimState::Pending => None,
        ClaimState::Active | ClaimState::Idle | ClaimState::Damaged => Some(claimed(others, snapshot, audience)),
        ClaimState::Expired | ClaimState::Abandoned => Some(claim_stale(others, audience)),
    }
}

fn claimed<'a>(others: &'a OthersClaim, snapshot: &DocumentSnapshot, audience: &Audience) -> DiagnosticDraft<'a> {
    let state = others.claim.standing;
    let warns = snapshot.is_edited && !others.is_own_window && !others.gives_way && !others.may_be_typing;
    let severity = match (others.is_muted || others.gives_way, warns) {
        (true, _) => DiagnosticSeverity::HINT,
        (false, true) => DiagnosticSeverity::WARNING,
        (false, false) => DiagnosticSeverity::INFORMATION,
    };
    let holder = holder(others);
    let may_talk = others.claim.allows_coordination();
    let too = if warns { ", and you edit it too" } else { "" };
    let fact = format!("{}{too}", quoted_sentence(others, audience));
    let fact = fact + &deconflict_words::in_clone(&others.claim) + &words::known_at(others, audience);
    let fact = match others.claim.phase() {
        // What the holder works on besides stands in the hover: it is the same in each of the holder's files.
        Some(phase) => format!("{fact} ({})", quoted(phase, 60)),
        None => fact,
    };
    let advice = match state {
        ClaimState::Idle => "It looks forgotten, so you may take it over".to_owned(),
        ClaimState::Damaged => {
            format!("It counts until {}; deconflict doctor says more", words::moment(others.claim.expires_at, audience))
        }
        _ if others.claim.record.in_clone.is_some() => {
            "It cannot be merged, so one of the whole team changes it at a time: wait until it is free".to_owned()
        }
        _ if others.gives_way => "Edit it, and it is yours: its turn is over".to_owned(),
        _ if others.is_own_window => "Save or undo your changes there before you edit it here".to_owned(),
        _ if warns && others.is_own_agent() => "It learns of what you save at its next turn".to_owned(),
        _ if warns && may_talk => format!("Your save would overwrite theirs: talk to {holder} first"),
        _ if warns => "Your save would overwrite theirs: wait until it is free".to_owned(),
        _ if may_talk => format!("Wait until it is free, or talk to {holder} first"),
        _ => "Wait until it is free".to_owned(),
    };
    let brief = format!("{}{too}", brief(others, audience));
    DiagnosticDraft { brief: Some(brief), ..DiagnosticDraft::new(Code::Claimed, severity, fact, advice).about(others) }
}

fn claim_stale<'a>(others: &'a OthersClaim, audience: &Audience) -> DiagnosticDraft<'a> {
    let fact = quoted_sentence(others, audience);
    let advice = "Take it over if you need it";
    let draft = DiagnosticDraft::new(Code::ClaimStale, DiagnosticSeverity::INFORMATION, fact, advice).about(others);
    DiagnosticDraft { brief: Some(brief(others, audience)), ..draft }
}

fn claimed_elsewhere<'a>(others: &'a OthersClaim, audience: &Audience) -> DiagnosticDraft<'a> {
    let holder = holder(others);
    let place = match others.claim.resource.place() {
        Some((kind, name)) => format!("the {kind} {}", quoted(name, 60)),
        None => "the main worktree".to_owned(),
    };
    let may_talk = others.claim.allows_coordination() && !others.is_own_window;
    let talk = if may_talk { format!(", so talk to {holder} early") } else { String::new() };
    let advice = format!("Both can edit it, but the branches may conflict when they are merged{talk}");
    let period = words::period(&others.claim, audience);
    let branch = deconflict_words::on_branch(&others.claim);
    let age = words::known_at(others, audience);
    let fact = match others.claim.uncommitted_of() {
        Some(_) => format!("The same file has uncommitted changes of {holder} in {place}{branch}, {period}"),
        None => format!("The same file is claimed in {place}{branch} by {holder} {period}{age}"),
    };
    DiagnosticDraft::new(Code::ClaimedElsewhere, DiagnosticSeverity::INFORMATION, fact, advice).about(others)
}

fn contended<'a>(contender: &Contender, snapshot: &'a DocumentSnapshot) -> DiagnosticDraft<'a> {
    let who = quoted_name(&contender.session.label(), contender.session.is_own());
    let advice = if contender.is_own_window {
        "Save or undo your changes in one of the windows first".to_owned()
    } else {
        format!("Talk to {who} about who saves first, or hand the file off")
    };
    let fact = words::sentence_of(&format!("{who} is editing this file too, while you hold it"));
    let claim = snapshot.own_claim.as_ref().map(|claim| (claim, "Your claim".to_owned()));
    DiagnosticDraft { claim, ..DiagnosticDraft::new(Code::Contended, DiagnosticSeverity::WARNING, fact, advice) }
}

fn overwritten<'a>(loss: &'a OwnLoss, snapshot: &DocumentSnapshot) -> DiagnosticDraft<'a> {
    let (severity, advice) = if snapshot.is_edited {
        let advice = "Merge it into your text or bring back what was here before you save";
        (DiagnosticSeverity::ERROR, advice)
    } else {
        (DiagnosticSeverity::WARNING, "Bring back what was here, or keep theirs")
    };
    let without_stop = |sentence: &str| sentence.trim_end_matches('.').to_owned();
    let (fact, brief) = (without_stop(&loss.sentence), without_stop(&loss.notice));
    let draft = DiagnosticDraft::new(loss.code(), severity, fact, advice);
    DiagnosticDraft { change: Some(&loss.entry), brief: Some(brief), ..draft }
}

fn claim_lost(lost: &LostClaim) -> DiagnosticDraft<'_> {
    let Some(successor) = &lost.successor else {
        let fact = "Your claim was taken over while you had unsaved changes, and the file is free again";
        let advice = "Look at what changed on disk, then claim it again before you save";
        return DiagnosticDraft::new(Code::ClaimLost, DiagnosticSeverity::ERROR, fact, advice);
    };
    let who = holder(successor);
    let advice = if successor.is_own_window {
        "Save in one of the windows only, or you overwrite your own work".to_owned()
    } else if successor.claim.allows_coordination() {
        format!("Your save would overwrite theirs: look at what {who} changed, and talk first")
    } else {
        format!("Your save would overwrite theirs: look at what {who} changed, and wait until it is free")
    };
    let fact = words::sentence_of(&format!("{who} took this file over while you had unsaved changes in it"));
    DiagnosticDraft::new(Code::ClaimLost, DiagnosticSeverity::ERROR, fact, advice).about(successor)
}

fn brief(others: &OthersClaim, audience: &Audience) -> String {
    words::sentence(others, audience, &without_tags, &without_tags)
}

/// The same with everything foreign quoted: agents read it too.
fn quoted_sentence(others: &OthersClaim, audience: &Audience) -> String {
    let is_own = others.holder.as_ref().is_some_and(deconflict_registry::Session::is_own);
    words::sentence(others, audience, &|name| quoted_name(name, is_own), &|theirs| quoted(theirs, 200))
}

/// Who holds a claim, quoted: agents read diagnostics, and must not take another's name for words of this program.
fn holder(others: &OthersClaim) -> String {
    quoted_name(&words::holder(others), others.holder.as_ref().is_some_and(deconflict_registry::Session::is_own))
}

fn quoted_name(name: &str, is_own: bool) -> String {
    if is_own && name.starts_with("your ") { without_tags(name) } else { quoted(name, 100) }
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
