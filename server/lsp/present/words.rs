//! How sessions, claims and times are called wherever the editor shows them. Everything that comes from a record is
//! made printable and cut here, so that nobody else has to think of it.

use chrono::{DateTime, Utc};

use crate::snapshot::{Audience, OthersClaim};
use deconflict_protocol::{Resource, SessionId, text};
use deconflict_registry::{Claim, ClaimState, Session};

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

/// A session as people know it: `maria (Neovim)`, `you, in Neovim`.
pub(crate) fn session(session: &Session, is_own_window: bool) -> String {
    let client = session.client().map(|client| text::one_line(client, LONGEST_NAME));
    match client {
        _ if !is_own_window => session.label(),
        Some(client) if session.is_named() => format!("{} (you, in {client})", session.label()),
        Some(client) => format!("you, in {client}"),
        None if session.is_named() => session.label(),
        None => "you, in another window".to_owned(),
    }
}

/// The same as short as it can be: `maria`, `you, in Neovim`.
pub(super) fn short_session(session: &Session, is_own_window: bool) -> String {
    match session.client().filter(|_| is_own_window && !session.is_named()) {
        Some(client) => format!("you, in {}", text::one_line(client, LONGEST_NAME)),
        None => session.short_label(),
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
    let holder = holder(others);
    let own_window = holder.strip_prefix("you, in ").filter(|_| others.is_own_window);
    let place = own_window.map_or_else(String::new, |client| format!(" in {}", theirs(client)));
    let who = if own_window.is_some() { name("You") } else { name(&holder) };
    let (has, holds) = if own_window.is_some() { ("have", "hold") } else { ("has", "holds") };
    let what = if claim.resource.is_directory() {
        format!("the folder {}, and this file with it,", theirs(&resource(&claim.resource)))
    } else {
        "this file".to_owned()
    };
    let period = period(claim, audience);
    match claim.standing {
        ClaimState::Damaged => "The claim on this file is damaged, so its holder is unknown".to_owned(),
        ClaimState::Pending => "This file is being claimed".to_owned(),
        ClaimState::Expired => format!("Free: the claim by {who} {period}"),
        ClaimState::Abandoned => match own_window {
            Some(client) => format!("Free: your {}, which was editing this, has closed", theirs(client)),
            None => format!("Free: {who}, who was editing this, has left"),
        },
        ClaimState::Idle => format!("{who} {has} left {what}{place} with unsaved changes, {period}"),
        ClaimState::Active if claim.is_automatic() => format!("{who} {has} been editing {what}{place} {period}"),
        ClaimState::Active => format!("{who} {holds} {what}{place} {period}"),
    }
}

/// A session's id, made printable: ids of other programs may hold anything but separators.
pub(super) fn id(id: &SessionId) -> String {
    text::one_line(id.as_str(), LONGEST_NAME)
}

/// Who holds a claim.
pub(crate) fn holder(others: &OthersClaim) -> String {
    called(others, session)
}

/// Who holds a claim, as short as it can be.
pub(super) fn short_holder(others: &OthersClaim) -> String {
    called(others, short_session)
}

fn called(others: &OthersClaim, name: fn(&Session, bool) -> String) -> String {
    match (&others.holder, others.claim.holder()) {
        (Some(holder), _) => name(holder, others.is_own_window),
        (None, Some(holder)) => id(holder),
        (None, None) => "somebody".to_owned(),
    }
}

/// A file or directory as people call it, its path cut from the left.
pub(crate) fn resource(resource: &Resource) -> String {
    let name = text::one_line(&resource.display_name(), usize::MAX);
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
        _ if claim.is_automatic() => format!("since {}", moment(claim.claimed_at, audience)),
        _ => format!("until {}", moment(claim.expires_at, audience)),
    }
}

/// A moment by the clock of the audience.
pub(crate) fn moment(time: DateTime<Utc>, audience: &Audience) -> String {
    deconflict_words::clock(time, &audience.now.with_timezone(&audience.local_offset))
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
