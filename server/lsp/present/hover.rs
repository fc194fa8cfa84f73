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
    let counts = |others: &&OthersClaim| others.claim.standing != ClaimState::Pending;
    let others = snapshot.others.iter().filter(counts).map(|others| record_of_others(others, audience));
    let own = snapshot
        .own_claim
        .iter()
        .filter(|_| audience.preferences.own_hints || !snapshot.contenders.is_empty())
        .map(|claim| record_of_own(claim, audience));
    let contenders = snapshot.contenders.iter().map(|contender| {
        let title = StyledText::ours("Also edited by ")
            .and_theirs(&words::session(&contender.session, contender.is_own_window));
        let mut record = HoverRecord { title, facts: Vec::new() };
        record.add_session(&contender.session);
        record
    });
    let elsewhere = snapshot.elsewhere.iter().filter(counts).map(|others| {
        let mut record = record_of_others(others, audience);
        record.title = record.title.and_ours(", in another worktree");
        record
    });
    let records: Vec<HoverRecord> = others.chain(own).chain(contenders).chain(elsewhere).collect();
    if records.is_empty() {
        return None;
    }
    let (kind, texts): (MarkupKind, Vec<String>) = if audience.client.markdown_hover {
        (MarkupKind::Markdown, records.iter().map(HoverRecord::markdown).collect())
    } else {
        (MarkupKind::PlainText, records.iter().map(HoverRecord::plain).collect())
    };
    let separator = if audience.client.markdown_hover { "\n\n---\n\n" } else { "\n\n" };
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent { kind, value: texts.join(separator) }),
        range: Some(first_line(snapshot)),
    })
}

/// A claim by another, as it is told.
pub(super) fn record_of_others(others: &OthersClaim, audience: &Audience) -> HoverRecord {
    let claim = &others.claim;
    let resource = words::resource(&claim.resource);
    let holder = words::holder(others);
    let title = match claim.standing {
        ClaimState::Active => StyledText::theirs(&resource).and_ours(" is claimed by ").and_theirs(&holder),
        ClaimState::Idle => StyledText::theirs(&resource)
            .and_ours(" is claimed by ")
            .and_theirs(&holder)
            .and_ours(", but seems forgotten"),
        ClaimState::Expired => {
            StyledText::ours("Expired claim of ").and_theirs(&resource).and_ours(" by ").and_theirs(&holder)
        }
        ClaimState::Abandoned => {
            StyledText::ours("Abandoned claim of ").and_theirs(&resource).and_ours(" by ").and_theirs(&holder)
        }
        ClaimState::Damaged => StyledText::theirs(&resource).and_ours(" is claimed, but the claim's file is damaged"),
        ClaimState::Pending => StyledText::theirs(&resource).and_ours(" is just being claimed"),
    };
    let mut record = HoverRecord { title, facts: Vec::new() };
    record.add_claim(claim, audience);
    if let Some(holder) = &others.holder {
        record.add_session(holder);
    } else if let Some(holder) = claim.holder() {
        record.add("Session", &words::id(holder));
    }
    record
}

/// The session's own claim, as it is told.
pub(super) fn record_of_own(claim: &Claim, audience: &Audience) -> HoverRecord {
    let title = StyledText::theirs(&words::resource(&claim.resource)).and_ours(" is claimed by you");
    let mut record = HoverRecord { title, facts: Vec::new() };
    record.add_claim(claim, audience);
    record
}

/// A title and what is known, ready to be written as Markdown or as plain text.
pub(super) struct HoverRecord {
    title: StyledText,
    facts: Vec<(&'static str, String)>,
}

impl HoverRecord {
    /// As Markdown, with everything foreign shown letter by letter.
    pub(super) fn markdown(&self) -> String {
        let facts = self.facts.iter().map(|(name, fact)| format!("\n- {name}: {}", text::markdown(fact)));
        format!("**{}**\n{}", self.title.markdown, facts.collect::<String>())
    }

    fn plain(&self) -> String {
        let facts = self.facts.iter().map(|(name, fact)| format!("\n{name}: {fact}"));
        format!("{}{}", self.title.plain, facts.collect::<String>())
    }

    fn add(&mut self, name: &'static str, fact: &str) {
        let fact = text::one_line(fact, LONGEST_FACT);
        if !fact.is_empty() {
            self.facts.push((name, fact));
        }
    }

    fn add_known(&mut self, name: &'static str, fact: Option<&String>) {
        if let Some(fact) = fact {
            self.add(name, fact);
        }
    }

    fn add_claim(&mut self, claim: &Claim, audience: &Audience) {
        let record = &claim.record;
        self.add("Since", &full_moment(claim.claimed_at, audience));
        self.add("Until", &full_moment(claim.expires_at, audience));
        if let Some(idle) = record.idle_since.as_deref().and_then(deconflict_protocol::time::parse) {
            self.add("Idle since", &full_moment(idle, audience));
        }
        self.add("Made", if claim.is_automatic() { "by the first edit" } else { "by hand" });
        self.add_known("Phase", record.phase.as_ref());
        self.add_known("Estimated duration", record.estimated_duration.as_ref());
        self.add_known("Branch", record.branch.as_ref());
        self.add_known("Worktree", record.worktree.as_ref());
        if !claim.allows_coordination() {
            self.add("Messages about it", "not wanted");
        }
        if let Some(id) = &record.id {
            let generation = record.generation.map(|generation| format!(", generation {generation}"));
            self.add("Claim", &format!("{id}{}", generation.unwrap_or_default()));
        }
        if let Some(displaced) = &record.displaced {
            self.add("Taken over from", displaced.as_str());
        }
    }

    fn add_session(&mut self, session: &Session) {
        let record = &session.record;
        self.add("Session", session.id.as_str());
        self.add_known("User", record.user.as_ref());
        self.add_known("In", record.client.as_ref());
        self.add_known("On", record.host.as_ref());
        self.add_known("Working on", record.current_work.as_ref());
        self.add_known("Progress", record.progress.as_ref());
        self.add_known("Next", record.next_action.as_ref());
        self.add_known("Expects to be done", record.estimated_completion.as_ref());
    }
}

/// A line in both forms, put together from our words and theirs.
struct StyledText {
    markdown: String,
    plain: String,
}

impl StyledText {
    fn ours(words: &str) -> Self {
        Self { markdown: words.to_owned(), plain: words.to_owned() }
    }

    fn theirs(words: &str) -> Self {
        Self::ours("").and_theirs(words)
    }

    fn and_ours(mut self, words: &str) -> Self {
        self.markdown.push_str(words);
        self.plain.push_str(words);
        self
    }

    fn and_theirs(mut self, words: &str) -> Self {
        self.markdown.push_str(&text::markdown(words));
        self.plain.push_str(&text::one_line(words, LONGEST_FACT));
        self
    }
}

/// Local time with its date always: a record may be read long after.
fn full_moment(time: DateTime<Utc>, audience: &Audience) -> String {
    time.with_timezone(&audience.local_offset).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::examples::{audience, by, by_alice, claim, contended, document, held, named, session};
    use deconflict_protocol::Resource;

    fn shown(snapshot: &DocumentSnapshot, audience: &Audience) -> Option<String> {
        hover(snapshot, audience, Position::new(0, 3)).map(|hover| match hover.contents {
            HoverContents::Markup(markup) => markup.value,
            other => panic!("no markup: {other:?}"),
        })
    }

    #[test]
    fn it_tells_the_whole_record() {
        let mut holder = named("alice");
        holder.record.host = Some("workshop".to_owned());
        holder.record.current_work = Some("Totals".to_owned());
        let mut others = by(holder, false);
        others.claim.record.phase = Some("BUILD".to_owned());
        others.claim.record.allow_coordination = Some(false);
        assert_eq!(
            shown(&held(others), &audience()).unwrap(),
            "**src/order.rs is claimed by alice**\n\n\
             - Since: 2025-11-15 14:05:00 +01:00\n\
             - Until: 2025-11-15 18:05:00 +01:00\n\
             - Made: by hand\n\
             - Phase: BUILD\n\
             - Messages about it: not wanted\n\
             - Claim: 5f3a, generation 7\n\
             - Session: session-5\n\
             - In: Neovim\n\
             - On: workshop\n\
             - Working on: Totals"
        );
    }

    #[test]
    fn no_markup_of_others_comes_alive() {
        let hostile = "**x** [y](command:z) <b> `c` \u{202e}\u{1b}[31m\n# h ![i](http://e/x.png) | a | $m$ www.e.com";
        let mut holder = named(hostile);
        holder.record.current_work = Some(hostile.to_owned());
        let mut others = by(holder, true);
        others.claim.record.phase = Some(hostile.to_owned());
        others.claim.resource = Resource::file("src/[a](command:b).rs").unwrap();
        let text = shown(&held(others), &audience()).unwrap();
        // What is left without every escaped character must hold no markup but our own.
        let (mut unescaped, mut characters) = (String::new(), text.chars());
        while let Some(c) = characters.next() {
            if c == '\\' {
                characters.next();
            } else {
                unescaped.push(c);
            }
        }
        let foreign = unescaped.replace("\n- ", "").replacen('\n', "", 1).replacen("**", "", 2);
        for alive in ['*', '[', ']', '(', '<', '>', '`', '!', '|', '$', '\n', '\u{202e}', '\u{1b}'] {
            assert!(!foreign.contains(alive), "{alive:?} in {text}");
        }
        for link in ["http:", "www."] {
            assert!(!text.contains(link), "{link} in {text}");
        }
    }

    #[test]
    fn editors_without_markdown_get_plain_text() {
        let mut plain = audience();
        plain.client.markdown_hover = false;
        let text = shown(&held(by_alice()), &plain).unwrap();
        assert!(text.starts_with("src/order.rs is claimed by alice\nSince: 2025-11-15 14:05:00 +01:00\n"), "{text}");
    }

    #[test]
    fn it_keeps_quiet_where_there_is_nothing_to_tell() {
        assert_eq!(shown(&document(), &audience()), None);
        assert_eq!(hover(&held(by_alice()), &audience(), Position::new(1, 0)), None);
        let own = DocumentSnapshot { own_claim: Some(claim(&session("me"), true)), ..document() };
        assert_eq!(shown(&own, &audience()), None);
        let both = shown(&contended(), &audience()).unwrap();
        assert!(both.contains("is claimed by you") && both.contains("Also edited by bob"), "{both}");
    }

    #[test]
    fn other_worktrees_are_told_apart() {
        let mut there = by_alice();
        there.claim.resource = Resource::file("//feature-x/src/order.rs").unwrap();
        let text = shown(&DocumentSnapshot { elsewhere: vec![there], ..document() }, &audience()).unwrap();
        assert!(
            text.contains(r"src/order.rs \(worktree feature-x\) is claimed by alice, in another worktree"),
            "{text}"
        );
    }
}
