//! What the status board says of each session, claim, message and finding.
//!
//! Everything in an entry changes only when something happens: times are absolute, and neither keepalives nor renewals of
//! automatic claims show.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::claims::Claim;
use super::concerns::minute;
use super::heartbeats::LastActivity;
use super::messages::{Message, Recipient};
use super::queue::PlaceInLine;
use super::session::Session;
use deconflict_protocol::text::markdown_line;
use deconflict_protocol::{BROADCAST, SessionId, time};

/// Names and single facts are cut after so many characters, messages after more, and findings, which are our own words
/// around names that are cut already, after more still.
pub(super) const LONGEST_FACT: usize = 120;
pub(super) const LONGEST_MESSAGE: usize = 240;
const LONGEST_FINDING: usize = 1_000;

/// An entry is seldom longer than this, in bytes.
const ROOM: usize = 256;

const SOMEBODY: Cow<'static, str> = Cow::Borrowed("somebody");

/// True for a claim that counts: of others only a finding tells.
pub(super) fn is_on_board(claim: &Claim) -> bool {
    !claim.can_be_taken_over()
}

pub(super) fn session_entry(session: &Session, last: Option<&LastActivity>) -> String {
    let record = &session.record;
    let action = last.and_then(|last| last.record.action.as_deref()).filter(|action| !action.trim().is_empty());
    let (label, id) = (session.label_for_all(), session.id.as_str());
    let mut entry = String::with_capacity(ROOM);
    entry.extend(["### ", &fact(&label)]);
    if label != id {
        entry.extend([" · ", &fact(id)]);
    }
    let started = minute(session.started_at());
    entry.extend([" (Started: ", &started, ")\n"]);
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            entry.extend(["- **", name, ":** ", &fact(value), "\n"]);
        }
    };
    add("Status", Some(&capitalised(action.unwrap_or("active"))));
    add("Working On", record.current_work.as_deref());
    add("Phase", record.phase.as_deref());
    add("Progress", record.progress.as_deref());
    add("Branch", record.branch.as_deref());
    add("Last Update", Some(&last.map_or(started, |last| minute(last.at))));
    add("Next", record.next_action.as_deref());
    let estimated = record.estimated_completion.as_deref();
    let estimated = estimated.map(|text| time::parse(text).map_or_else(|| text.to_owned(), minute));
    add("Est. Complete", estimated.as_deref());
    entry.push('\n');
    entry
}

/// A claim by hand says until when; an automatic one, which is renewed for as long as its document is edited, says
/// since when. `holder` is the holder's session, where that is known.
pub(super) fn claim_entry(claim: &Claim, holder: Option<&Session>) -> String {
    let resource = [claim.resource.resource_type().as_str(), "/", &claim.resource.display_name()].concat();
    if let Some(whose) = claim.uncommitted_of() {
        let (whose, changed) = (fact(whose), minute(claim.claimed_at));
        let entry =
            ["- **", &fact(&resource), "** - uncommitted changes of ", &whose, " (last changed ", &changed, ")\n"];
        return entry.concat();
    }
    let holder = claim.holder().map_or(Cow::Borrowed("cannot be read"), |id| named(id, holder));
    let (word, when) =
        if claim.is_automatic() { (" (since ", claim.claimed_at) } else { (" (expires ", claim.expires_at) };
    let mut entry = String::with_capacity(ROOM);
    entry.extend(["- **", &fact(&resource), "** - ", &holder, word, &minute(when), ")"]);
    if let Some(phase) = claim.record.phase.as_deref().filter(|phase| !phase.trim().is_empty()) {
        entry.extend([": ", &fact(phase)]);
    }
    entry.push('\n');
    entry
}

/// Who waits for what, in which place.
pub(super) fn place_entry(place: &PlaceInLine, now: DateTime<Utc>) -> String {
    let who = match (&place.session, place.id()) {
        (Some(session), _) => fact(&session.label_for_all()).into_owned().into(),
        (None, Some(id)) => fact(id.as_str()),
        (None, None) => SOMEBODY,
    };
    let (what, number, since) = (fact(&place.what), place.number.to_string(), minute(place.since(now)));
    ["- **", &what, "** - number ", &number, " in line: ", &who, " (since ", &since, ")\n"].concat()
}

/// `session_of` looks up the sessions that a message names.
pub(super) fn message_entry<'a>(message: &Message, session_of: impl Fn(&SessionId) -> Option<&'a Session>) -> String {
    let from = match (&message.from, &message.record.from) {
        (Some(id), _) => named(id, session_of(id)),
        (None, Some(from)) => fact(from),
        (None, None) => SOMEBODY,
    };
    let to = match &message.to {
        Recipient::Everyone => Cow::Borrowed(BROADCAST),
        Recipient::Session(id) => named(id, session_of(id)),
    };
    let text = message.record.text();
    let subject = message.record.subject.as_deref().filter(|subject| !subject.trim().is_empty());
    let (subject, separator, text) = match subject {
        Some(subject) if text.trim().is_empty() => (markdown_line(subject, LONGEST_MESSAGE), "", Cow::default()),
        Some(subject) => (markdown_line(subject, LONGEST_FACT), ": ", markdown_line(&text, LONGEST_MESSAGE)),
        None => (Cow::default(), "", markdown_line(&text, LONGEST_MESSAGE)),
    };
    let when = minute(message.sent_at);
    ["- **", &when, "** - ", &from, " → ", &to, ": \"", &subject, separator, &text, "\"\n"].concat()
}

pub(super) fn finding_entry(finding: &str) -> String {
    ["- ", &markdown_line(finding, LONGEST_FINDING), "\n"].concat()
}

fn named<'a>(id: &'a SessionId, session: Option<&Session>) -> Cow<'a, str> {
    session.map_or_else(|| fact(id.as_str()), |session| fact(&session.label_for_all()).into_owned().into())
}

/// Foreign text as it can stand on the page: escaped, on one line and cut.
fn fact(text: &str) -> Cow<'_, str> {
    markdown_line(text, LONGEST_FACT)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.trim().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
