//! What hovering over the first line tells: whole records of the claims that matter to the document.

use chrono::{DateTime, Utc};
use tower_lsp::ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};

use super::first_line;
use super::words;
use crate::snapshot::{Audience, DocumentSnapshot, OthersClaim};
use deconflict_protocol::text;
use deconflict_registry::{Claim, ClaimState, Session};

/// A single fact is cut after so many characters.
const LONGEST_FACT: usize = 300;

/// What to show at a position; nothing below the first line, and nothing where there is nothing to tell.
pub(crate) fn hover(snapshot: &DocumentSnapshot, audience: &Audience, position: Position) -> Option<Hover> {
    if position.line > 0 {
        return None;
    }
    let form = HoverForm { audience, is_markdown: audience.client.markdown_hover };
    let counts = |others: &&OthersClaim| others.claim.standing != ClaimState::Pending;
    let others = snapshot.others.iter().filter(counts).map(|others| form.others(others, ""));
    let own = snapshot
        .own_claim
        .iter()
        .filter(|_| audience.preferences.own_hints || !snapshot.contenders.is_empty())
        .map(|claim| form.own(claim));
    let contenders = snapshot.contenders.iter().map(|contender| {
        let who = words::session(&contender.session, contender.is_own_window);
        form.record(&format!("Also edited by {}", form.theirs(&who)), facts_of_session(&contender.session))
    });
    let elsewhere = snapshot.elsewhere.iter().filter(counts).map(|others| form.others(others, ", in another worktree"));
    let records: Vec<String> = others.chain(own).chain(contenders).chain(elsewhere).collect();
    if records.is_empty() {
        return None;
    }
    let (kind, separator) =
        if form.is_markdown { (MarkupKind::Markdown, "\n\n---\n\n") } else { (MarkupKind::PlainText, "\n\n") };
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent { kind, value: records.join(separator) }),
        range: Some(first_line(snapshot)),
    })
}

/// What is known, each fact with its name.
type Facts = Vec<(&'static str, Option<String>)>;

/// How a record is written: as Markdown, with everything foreign shown letter by letter, or as plain text.
pub(super) struct HoverForm<'a> {
    pub(super) audience: &'a Audience,
    pub(super) is_markdown: bool,
}

impl HoverForm<'_> {
    /// A claim by another; `place` is put behind its title.
    pub(super) fn others(&self, others: &OthersClaim, place: &str) -> String {
        let claim = &others.claim;
        let resource = self.theirs(&words::resource(&claim.resource));
        let holder = self.theirs(&words::holder(others));
        let title = match claim.standing {
            ClaimState::Active => format!("{resource} is claimed by {holder}"),
            ClaimState::Idle => format!("{resource} is claimed by {holder}, but seems forgotten"),
            ClaimState::Expired => format!("Expired claim of {resource} by {holder}"),
            ClaimState::Abandoned => format!("Abandoned claim of {resource} by {holder}"),
            ClaimState::Damaged => format!("{resource} is claimed, but the claim's file is damaged"),
            ClaimState::Pending => format!("{resource} is just being claimed"),
        };
        let mut facts = self.facts_of(claim);
        match &others.holder {
            Some(holder) => facts.extend(facts_of_session(holder)),
            None => facts.push(("Session", claim.holder().map(words::id))),
        }
        self.record(&(title + place), facts)
    }

    /// The session's own claim.
    pub(super) fn own(&self, claim: &Claim) -> String {
        let resource = self.theirs(&words::resource(&claim.resource));
        self.record(&format!("{resource} is claimed by you"), self.facts_of(claim))
    }

    fn record(&self, title: &str, facts: Facts) -> String {
        let (mut record, bullet) =
            if self.is_markdown { (format!("**{title}**\n"), "- ") } else { (title.to_owned(), "") };
        for (name, fact) in facts {
            let fact = self.theirs(&text::one_line(&fact.unwrap_or_default(), LONGEST_FACT));
            if !fact.is_empty() {
                record.extend(["\n", bullet, name, ": ", &fact]);
            }
        }
        record
    }

    fn theirs(&self, words: &str) -> String {
        if self.is_markdown { text::markdown(words) } else { text::one_line(words, LONGEST_FACT) }
    }

    fn facts_of(&self, claim: &Claim) -> Facts {
        let record = &claim.record;
        let made = if claim.is_automatic() { "by the first edit" } else { "by hand" };
        let id = claim.id().map(|id| match claim.generation() {
            Some(generation) => format!("{id}, generation {generation}"),
            None => id.to_owned(),
        });
        vec![
            ("Since", Some(full_moment(claim.claimed_at, self.audience))),
            ("Until", Some(full_moment(claim.expires_at, self.audience))),
            ("Idle since", claim.idle_since().map(|idle| full_moment(idle, self.audience))),
            ("Made", Some(made.to_owned())),
            ("Phase", claim.phase().map(str::to_owned)),
            ("Estimated duration", record.estimated_duration.clone()),
            ("Branch", record.branch.clone()),
            ("Worktree", record.worktree.clone()),
            ("Messages about it", (!claim.allows_coordination()).then(|| "not wanted".to_owned())),
            ("Claim", id),
            ("Taken over from", record.displaced.as_ref().map(ToString::to_string)),
        ]
    }
}

fn facts_of_session(session: &Session) -> Facts {
    let record = &session.record;
    vec![
        ("Session", Some(session.id.to_string())),
        ("User", record.user.clone()),
        ("In", session.client().map(str::to_owned)),
        ("On", record.host.clone()),
        ("Working on", session.work().map(str::to_owned)),
        ("Progress", record.progress.clone()),
        ("Next", record.next_action.clone()),
        ("Expects to be done", record.estimated_completion.clone()),
    ]
}

/// Local time with its date always: a record may be read long after.
fn full_moment(time: DateTime<Utc>, audience: &Audience) -> String {
    time.with_timezone(&audience.local_offset).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}
