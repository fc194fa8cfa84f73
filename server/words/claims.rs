//! Sentences about claims.

use std::path::Path;

use chrono::{DateTime, Utc};
use deconflict_protocol::Resource;
use deconflict_protocol::text::{one_line, quoted, shell_word};
use deconflict_registry::{Claim, ClaimState, Draft, Session};

use super::{PHRASE, moment, who};

/// A sentence about a claim that stands against somebody: what, who, since when, until when, for what.
pub fn held(claim: &Claim, holder: Option<&Session>, wanted: &Resource, now: DateTime<Utc>) -> String {
    let what = if claim.resource == *wanted {
        wanted.in_a_sentence()
    } else if claim.resource.covers(wanted) {
        format!("{}, which {} is in,", claim.resource.in_a_sentence(), wanted.in_a_sentence())
    } else {
        format!("{}, which is in {},", claim.resource.in_a_sentence(), wanted.in_a_sentence())
    };
    if let Some(whose) = claim.uncommitted_of() {
        let (whose, at) = (quoted(whose, PHRASE), moment(claim.claimed_at, now));
        return format!("{what} has uncommitted changes of {whose}{}, last changed {at}.", on_branch(claim));
    }
    let written = moment(claim.modified, now);
    if claim.standing == ClaimState::Pending {
        return format!("{what} is being claimed by another program: its record from {written} is not complete yet.");
    }
    let Some(id) = claim.holder() else {
        let until = moment(claim.expires_at, now);
        return format!(
            "The claim on {what} is damaged (written {written}), so its holder is unknown. It counts until {until}."
        );
    };
    let purpose = purpose(claim, holder, PHRASE)
        .map_or_else(String::new, |text| format!(", working on: {}", quoted(&text, PHRASE)));
    let (who, place) = (who(holder, id), in_clone(claim) + &on_branch(claim));
    format!("{what} has been claimed by {who}{place} {}{purpose}.", term(claim, now))
}

/// Since when and until when: `since 10:05 (2 hours ago), until 14:05 (in 2 hours)`.
pub fn term(claim: &Claim, now: DateTime<Utc>) -> String {
    let since = moment(claim.claimed_at, now);
    let until = moment(claim.expires_at, now);
    match claim.standing {
        ClaimState::Active if claim.is_automatic() => {
            format!("since {since}, until {until}, longer while it is edited")
        }
        ClaimState::Active | ClaimState::Pending => format!("since {since}, until {until}"),
        ClaimState::Idle => {
            let idle =
                claim.idle_since().map_or_else(String::new, |at| format!(", untouched since {}", moment(at, now)));
            format!("since {since}{idle}")
        }
        ClaimState::Expired => format!("since {since}, expired at {until}"),
        ClaimState::Abandoned => format!("since {since}, left behind"),
        ClaimState::Uncommitted => format!("last changed {since}"),
        ClaimState::Damaged => format!("since {since}, the record is damaged"),
    }
}

/// On which branch its holder is, where it is in another clone of the team.
pub fn on_branch(claim: &Claim) -> String {
    let is_elsewhere = claim.resource.clone_of_team().is_some() || claim.record.in_clone.is_some();
    let branch = claim.record.branch.as_deref().filter(|_| is_elsewhere);
    branch.map_or_else(String::new, |branch| format!(", on the branch {}", quoted(branch, PHRASE)))
}

/// In which clone of the team its holder is, of a file that cannot be merged.
pub fn in_clone(claim: &Claim) -> String {
    let clone = claim.record.in_clone.as_deref();
    clone.map_or_else(String::new, |clone| format!(" in the clone {}", quoted(clone, PHRASE)))
}

/// What its holder is doing: the claim's phase, else the session's work, unless that is this very file.
pub fn purpose(claim: &Claim, holder: Option<&Session>, longest: usize) -> Option<String> {
    let itself = claim.resource.to_string();
    let work = holder.and_then(Session::work).filter(|work| *work != itself);
    claim.phase().or(work).map(|text| one_line(text, longest))
}

/// From whom a claim was taken over, and why that could be: `"Ada (Neovim)" (session-…), who is gone`.
pub fn taken_over_from(before: &Claim, holder: Option<&Session>) -> String {
    let whom = before.holder().map_or_else(|| "somebody unknown".to_owned(), |id| who(holder, id));
    let why = match before.standing {
        ClaimState::Active => "who has been told",
        ClaimState::Idle => "who had left it unsaved and untouched for hours",
        ClaimState::Expired => "whose claim had expired",
        ClaimState::Abandoned => "who is gone",
        ClaimState::Uncommitted | ClaimState::Pending | ClaimState::Damaged => "whose record was damaged",
    };
    format!("{whom}, {why}")
}

/// The longest name that stands in a command, which would mean something else if it were cut.
const LONGEST_IN_COMMAND: usize = 400;

/// The command that asks the holder for a claim; `None` where nobody would read the message, or none is wanted.
pub fn ask_command(claim: &Claim, holder: Option<&Session>) -> Option<String> {
    let may_ask = claim.allows_coordination() && claim.resource.name().len() <= LONGEST_IN_COMMAND;
    let holder = holder.filter(|_| claim.holder().is_some() && may_ask)?;
    let request = Draft::release_request(&claim.resource, String::new(), None);
    let [id, subject, kind, name] =
        [holder.id.as_str(), &request.subject, claim.resource.resource_type().as_str(), claim.resource.name()]
            .map(shell_word);
    Some(format!("deconflict send {id} {subject} \"why you need it\" --type release_request --resource {kind} {name}"))
}

/// That no lock keeps others out, and what helps.
pub fn only_advice(directory: &Path) -> String {
    format!(
        "Claims are only advice here: the file system of {} cannot lock files for everybody who uses it, so two sessions may both be told that they hold a file. Put the directory on another file system, and name it with --dir.",
        quoted(&directory.display().to_string(), 200)
    )
}
