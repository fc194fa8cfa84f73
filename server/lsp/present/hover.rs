//! What hovering over the first line tells of the claims that matter to the document: a line or two of each.

use tower_lsp::ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};

use super::first_line;
use super::words;
use crate::snapshot::{Audience, DocumentSnapshot, OthersClaim};
use deconflict_protocol::text;
use deconflict_registry::{Claim, ClaimState, Session};

/// A single fact is cut after so many characters.
const LONGEST_FACT: usize = 120;

/// What to show at a position; nothing below the first line, and nothing where there is nothing to tell.
pub(crate) fn hover(snapshot: &DocumentSnapshot, audience: &Audience, position: Position) -> Option<Hover> {
    if position.line > 0 {
        return None;
    }
    let form = HoverForm { audience, is_markdown: audience.client.markdown_hover };
    // Some editors show the diagnostic in the same place.
    let is_said = audience.client.is_brief && audience.preferences.diagnostics;
    let counts = |others: &&OthersClaim| others.claim.standing != ClaimState::Pending;
    let others = snapshot.others.iter().filter(counts).filter_map(|others| {
        if is_said && !others.is_muted { form.details(others) } else { Some(form.others(others)) }
    });
    let own = snapshot
        .own_claim
        .iter()
        .filter(|_| audience.preferences.own_hints || !snapshot.contenders.is_empty())
        .map(|claim| form.own(claim));
    let contenders = snapshot.contenders.iter().filter(|_| !is_said).map(|contender| {
        let who = contender.session.label();
        form.lines(
            words::sentence_of(&format!("{} is editing it too", form.name(&who))),
            &details_of(&contender.session),
        )
    });
    let elsewhere = snapshot.elsewhere.iter().filter(counts).filter(|_| !is_said).map(|others| {
        let place = match others.claim.resource.place() {
            Some((kind, name)) => format!("In the {kind} {}: ", form.theirs(name)),
            None => "In the main worktree: ".to_owned(),
        };
        place + &form.others(others)
    });
    let told: Vec<String> = others.chain(own).chain(contenders).chain(elsewhere).collect();
    if told.is_empty() {
        return None;
    }
    let kind = if form.is_markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent { kind, value: told.join("\n\n") }),
        range: Some(first_line(snapshot)),
    })
}

/// How it is written: as Markdown, with everything foreign shown letter by letter, or as plain text.
pub(super) struct HoverForm<'a> {
    pub(super) audience: &'a Audience,
    pub(super) is_markdown: bool,
}

impl HoverForm<'_> {
    /// A claim by another: who holds it and how long, and below that for what.
    pub(super) fn others(&self, others: &OthersClaim) -> String {
        let sentence = words::sentence(others, self.audience, &|name| self.name(name), &|name| self.theirs(name));
        match self.details(others) {
            Some(details) => format!("{sentence}{}{details}", self.line_break()),
            None => sentence,
        }
    }

    /// The session's own claim.
    pub(super) fn own(&self, claim: &Claim) -> String {
        let period = words::period(claim, self.audience);
        let what = if claim.is_automatic() { "have been editing" } else { "hold" };
        format!("{} {what} this file {period}", self.name("You"))
    }

    /// What the holder says of the work.
    fn details(&self, others: &OthersClaim) -> Option<String> {
        let mut details: Vec<String> = words::purpose(others).into_iter().collect();
        if let Some(holder) = &others.holder {
            details
                .extend(details_of(holder).into_iter().filter(|detail| !details.contains(detail)).collect::<Vec<_>>());
        }
        if !others.claim.allows_coordination() {
            details.push("doesn't want messages about it".to_owned());
        }
        (!details.is_empty()).then(|| self.list(&details))
    }

    fn lines(&self, sentence: String, details: &[String]) -> String {
        if details.is_empty() { sentence } else { format!("{sentence}{}{}", self.line_break(), self.list(details)) }
    }

    fn list(&self, details: &[String]) -> String {
        details.iter().map(|detail| self.theirs(detail)).collect::<Vec<_>>().join(" · ")
    }

    fn line_break(&self) -> &'static str {
        if self.is_markdown { "  \n" } else { "\n" }
    }

    fn name(&self, name: &str) -> String {
        if self.is_markdown { format!("**{}**", self.theirs(name)) } else { self.theirs(name) }
    }

    fn theirs(&self, words: &str) -> String {
        let line = text::one_line(words, LONGEST_FACT);
        if self.is_markdown { text::markdown(&line) } else { line }
    }
}

/// What a session works on, and how far it is.
fn details_of(session: &Session) -> Vec<String> {
    let record = &session.record;
    let facts = [
        session.work().map(str::to_owned),
        record.progress.clone(),
        record.next_action.as_ref().map(|next| format!("next: {next}")),
        record.estimated_completion.as_ref().map(|time| format!("done: {time}")),
    ];
    facts.into_iter().flatten().filter(|fact| !fact.trim().is_empty()).collect()
}
