//! How sessions, claims and times are called wherever the editor shows them. Everything that comes from a record is
//! made printable and cut here, so that nobody else has to think of it.

use chrono::{DateTime, Utc};

use crate::snapshot::{Audience, OthersClaim};
use deconflict_protocol::{Resource, SessionId, text, time};
use deconflict_registry::{Claim, ClaimState};

/// A name of a session is cut after so many characters.
const LONGEST_NAME: usize = 40;

/// A phase or a line about somebody's work is cut after so many characters.
const LONGEST_WORK: usize = 60;

/// A file's name is cut after so many characters, from the left: its end tells it from others.
const LONGEST_PATH: usize = 60;

/// True if another's claim is told as one that somebody has: what stands in the way, and what its holder left idle but
/// may go on with. What is just being written is told in a moment.
pub(super) fn is_claimed(claim: &Claim) -> bool {
    match claim.standing {
        ClaimState::Idle => true,
        ClaimState::Pending => false,
        _ => claim.stands_against(None),
    }
}

/// Who has been editing a document or holds it, and since or until when, as one sentence without its full stop. `name`
/// shows what somebody is called, `theirs` any other foreign text.
pub(super) fn sentence(
    others: &OthersClaim,
    audience: &Audience,
    name: &dyn Fn(&str) -> String,
    theirs: &dyn Fn(&str) -> String,
) -> String {
    let claim = &others.claim;
    let who = name(&holder(others));
    let what = if claim.resource.is_directory() && claim.resource.relative() == "." {
        "the whole workspace, and this file with it,".to_owned()
    } else if claim.resource.is_directory() {
        format!("the folder {}, and this file with it,", theirs(&resource(&claim.resource)))
    } else {
        "this file".to_owned()
    };
    let period = period(claim, audience);
    match claim.standing {
        ClaimState::Damaged => "The claim on this file is damaged, so its holder is unknown".to_owned(),
        ClaimState::Pending => "This file is being claimed".to_owned(),
        ClaimState::Uncommitted => format!("This file has uncommitted changes of {who}, {period}"),
        ClaimState::Expired => format!("Free: {who}'s claim {period}"),
        ClaimState::Abandoned if others.holder.as_ref().is_some_and(deconflict_registry::Session::is_own) => {
            format!("Free: {who}, which was editing this, has closed")
        }
        ClaimState::Abandoned => format!("Free: {who}, who was editing this, has left"),
        ClaimState::Idle => sentence_of(&format!("{who} has left {what} with unsaved changes, {period}")),
        ClaimState::Active if claim.is_automatic() => sentence_of(&format!("{who} has been editing {what} {period}")),
        ClaimState::Active => sentence_of(&format!("{who} holds {what} {period}")),
    }
}

/// A session's id, made printable: ids of other programs may hold anything but separators.
pub(super) fn id(id: &SessionId) -> String {
    text::one_line(id.as_str(), LONGEST_NAME)
}

/// Who holds a claim.
pub(crate) fn holder(others: &OthersClaim) -> String {
    if let Some(whose) = others.claim.uncommitted_of() {
        return text::one_line(whose, LONGEST_NAME);
    }
    match (&others.holder, others.claim.holder()) {
        (Some(holder), _) => holder.label(),
        (None, Some(holder)) => id(holder),
        (None, None) => "somebody".to_owned(),
    }
}

/// Words that may begin with "your Neovim" as the beginning of a sentence.
pub(crate) fn sentence_of(words: &str) -> String {
    match words.strip_prefix("your ") {
        Some(rest) => format!("Your {rest}"),
        None => words.replacen("**your ", "**Your ", usize::from(words.starts_with("**your "))),
    }
}

/// A file or directory as people call it, its path cut from the left.
pub(crate) fn resource(resource: &Resource) -> String {
    let name = match resource.resource_type().as_str() {
        "file" | "directory" | "resource" => resource.display_name(),
        // A number alone says nothing.
        kind => format!("{kind} {}", resource.display_name()),
    };
    let name = text::one_line(&name, usize::MAX);
    let length = name.chars().count();
    if length <= LONGEST_PATH {
        return name;
    }
    let end: String = name.chars().skip(length - LONGEST_PATH + 1).collect();
    format!("…{end}")
}

/// A file or directory by its last name alone, for places that are short.
pub(super) fn file_name(of: &Resource) -> String {
    let path = of.path_in_any_worktree().unwrap_or_else(|| of.name());
    text::one_line(path.rsplit('/').next().unwrap_or(path), LONGEST_NAME)
}

/// What a claim says about its purpose, in one short line.
pub(super) fn purpose(others: &OthersClaim) -> Option<String> {
    deconflict_words::purpose(&others.claim, others.holder.as_ref(), LONGEST_WORK)
}

/// Since when or until when a claim is held: `since 14:05` for one by the first edit, `until 18:05` for one by hand,
/// `idle since 10:00` for a forgotten one.
pub(super) fn period(claim: &Claim, audience: &Audience) -> String {
    match claim.standing {
        ClaimState::Expired => format!("expired {}", moment(claim.expires_at, audience)),
        ClaimState::Idle => match claim.idle_since() {
            Some(since) => format!("idle since {}", moment(since, audience)),
            None => "idle".to_owned(),
        },
        ClaimState::Uncommitted => format!("last changed {}", moment(claim.claimed_at, audience)),
        _ if claim.is_automatic() => format!("since {}", moment(claim.claimed_at, audience)),
        _ => format!("until {}", moment(claim.expires_at, audience)),
    }
}

/// How old is what is known of another clone's claim, where the team does not answer now; nothing where it does.
pub(super) fn known_at(others: &OthersClaim, audience: &Audience) -> String {
    let known_at = others.holder.as_ref().and_then(|holder| time::parse(holder.record.known_at.as_deref()?));
    known_at.map_or_else(String::new, |at| {
        format!(", as known at {}, since when the team has not answered", moment(at, audience))
    })
}

/// A moment by the clock of the audience.
pub(crate) fn moment(at: DateTime<Utc>, audience: &Audience) -> String {
    deconflict_words::clock(at, &audience.now.with_timezone(&audience.local_offset))
}

/// Cuts a text to at most `limit` UTF-16 code units, which is how editors count; the last of them is `…` if something
/// is missing. No character is cut in two.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.encode_utf16().count() <= limit {
        return text.to_owned();
    }
    let mut length = 1;
    let kept = text.chars().take_while(|c| {
        length += c.len_utf16();
        length <= limit
    });
    let mut kept: String = kept.collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}
