//! How sessions, claims and times are called wherever the editor shows them. Everything that comes from a record is
//! made printable and cut here, so that nobody else has to think of it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::situation::{Audience, OthersClaim};
use deconflict_protocol::{Resource, SessionId, text};
use deconflict_registry::{Claim, Session, Standing};

/// A moment that is told by its time of day alone is less than this far away, so that every time of day is told once.
const TOLD_BY_TIME_OF_DAY: TimeDelta = TimeDelta::hours(12);

/// A name of a session is cut after so many characters.
const LONGEST_NAME: usize = 40;

/// A phase or a line about somebody's work is cut after so many characters.
const LONGEST_WORK: usize = 60;

/// A file's name is cut after so many characters, from the left: its end tells it from others.
const LONGEST_PATH: usize = 60;

/// What a claim means for whoever is not its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Somebody holds it.
    Held,
    /// Somebody holds it, but forgot it: it may be taken over.
    Forgotten,
    /// Its lease is over.
    Expired,
    /// Its holder is gone.
    Abandoned,
    /// Nobody can tell whose it is, and it counts for as long as a default lease.
    Unreadable,
    /// It is just being written: it will mean something in a moment.
    Unfinished,
}

impl Meaning {
    /// What the claim means now.
    pub(super) fn of(claim: &Claim, now: DateTime<Utc>) -> Self {
        match claim.standing {
            Standing::Active => Self::Held,
            Standing::Idle => Self::Forgotten,
            Standing::Abandoned => Self::Abandoned,
            Standing::Pending => Self::Unfinished,
            Standing::Damaged if now < claim.expires_at => Self::Unreadable,
            Standing::Expired | Standing::Damaged => Self::Expired,
        }
    }

    /// True if the claim keeps others from claiming.
    pub(super) fn blocks(self) -> bool {
        matches!(self, Self::Held | Self::Forgotten | Self::Unreadable)
    }

    /// True if anybody may have it, without force.
    pub(super) fn is_stale(self) -> bool {
        matches!(self, Self::Expired | Self::Abandoned)
    }
}

/// A session as people know it: `maria`, `maria (Neovim)`, `you, in Neovim`.
pub fn session(session: &Session, is_own_window: bool) -> String {
    let name = given(session.record.name.as_deref());
    let user = given(session.record.user.as_deref());
    let client = given(session.record.client.as_deref());
    match (name, user, client) {
        (None, _, Some(client)) if is_own_window => format!("you, in {client}"),
        (None, _, None) if is_own_window => "you, in another window".to_owned(),
        (Some(name), _, Some(client)) if is_own_window => format!("{name} (you, in {client})"),
        (Some(name), _, _) => name,
        (None, Some(user), Some(client)) => format!("{user} ({client})"),
        (None, Some(user), None) => user,
        (None, None, Some(client)) => format!("{client} ({})", id(&session.id)),
        (None, None, None) => id(&session.id),
    }
}

/// The same as short as it can be: `maria`, `you, in Neovim`.
pub(super) fn short_session(session: &Session, is_own_window: bool) -> String {
    let name = given(session.record.name.as_deref());
    let user = given(session.record.user.as_deref());
    let client = given(session.record.client.as_deref());
    match (name, client) {
        (Some(name), _) => name,
        (None, Some(client)) if is_own_window => format!("you, in {client}"),
        (None, client) => user.or(client).unwrap_or_else(|| id(&session.id)),
    }
}

/// A session's id, made printable: ids of other programs may hold anything but separators.
pub(super) fn id(id: &SessionId) -> String {
    text::one_line(id.as_str(), LONGEST_NAME)
}

/// Who holds a claim.
pub fn holder(others: &OthersClaim) -> String {
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
pub fn resource(resource: &Resource) -> String {
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

/// What a claim says about its purpose, in one short line: its phase, else what its holder works on.
pub(super) fn purpose(others: &OthersClaim) -> Option<String> {
    let current_work = others.holder.as_ref().and_then(|holder| holder.record.current_work.as_deref());
    others
        .claim
        .record
        .phase
        .as_deref()
        .into_iter()
        .chain(current_work)
        .map(|line| text::one_line(line, LONGEST_WORK))
        .find(|line| !line.is_empty())
}

/// Since when or until when a claim is held: `since 14:05` for one by the first edit, `until 18:05` for one by hand,
/// `idle since 10:00` for a forgotten one.
pub(super) fn period(claim: &Claim, audience: &Audience) -> String {
    match Meaning::of(claim, audience.now) {
        Meaning::Expired => format!("expired {}", moment(claim.expires_at, audience)),
        Meaning::Forgotten => match claim.record.idle_since.as_deref().and_then(deconflict_protocol::time::parse) {
            Some(since) => format!("idle since {}", moment(since, audience)),
            None => "idle".to_owned(),
        },
        _ if claim.is_automatic() => format!("since {}", moment(claim.claimed_at, audience)),
        _ => format!("until {}", moment(claim.expires_at, audience)),
    }
}

/// The local time of day, with the date when it is neither today nor in the same night: `14:05`, `23 Nov 14:05`,
/// `23 Nov 2025 14:05`.
pub fn moment(time: DateTime<Utc>, audience: &Audience) -> String {
    use chrono::Datelike;
    let (time, now) = (time.with_timezone(&audience.local_offset), audience.now.with_timezone(&audience.local_offset));
    let pattern = if time.date_naive() == now.date_naive() || (time - now).abs() < TOLD_BY_TIME_OF_DAY {
        "%H:%M"
    } else if time.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    time.format(pattern).to_string()
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

fn given(text: Option<&str>) -> Option<String> {
    text.map(|text| text::one_line(text, LONGEST_NAME)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::examples;

    #[test]
    fn sessions_are_called_by_a_human_name_before_an_id() {
        let cases = [
            ((Some("alice"), Some("maria"), Some("Neovim")), false, "alice"),
            ((None, Some("maria"), Some("Neovim")), false, "maria (Neovim)"),
            ((None, Some("maria"), None), false, "maria"),
            ((None, None, Some("terminal")), false, "terminal (session-1)"),
            ((Some("  "), None, None), false, "session-1"),
            ((None, Some("maria"), Some("Neovim")), true, "you, in Neovim"),
            ((None, Some("maria"), None), true, "you, in another window"),
            ((Some("alice"), Some("maria"), Some("Neovim")), true, "alice (you, in Neovim)"),
            ((Some("al\u{1b}[31mi\u{202e}ce\n!"), None, None), false, "al[31mice !"),
        ];
        for ((name, user, client), is_own_window, expected) in cases {
            let mut known = examples::session("session-1");
            known.record.name = name.map(str::to_owned);
            known.record.user = user.map(str::to_owned);
            known.record.client = client.map(str::to_owned);
            assert_eq!(session(&known, is_own_window), expected);
        }
    }

    #[test]
    fn moments_tell_the_date_only_where_the_time_of_day_could_mislead() {
        let audience = examples::audience();
        let cases = [
            ("2025-11-15T13:05:00Z", "14:05"),
            ("2025-11-15T22:59:00Z", "23:59"),
            ("2025-11-15T23:30:00Z", "00:30"),
            ("2025-11-16T05:00:00Z", "16 Nov 06:00"),
            ("2025-11-15T02:00:00Z", "03:00"),
            ("2025-11-14T22:30:00Z", "14 Nov 23:30"),
            ("2025-11-14T23:30:00Z", "00:30"),
            ("2026-01-02T09:00:00Z", "2 Jan 2026 10:00"),
        ];
        for (time, expected) in cases {
            assert_eq!(moment(examples::time(time), &audience), expected);
        }
    }

    #[test]
    fn texts_are_cut_by_what_editors_count() {
        let cases = [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("ééééééé", 6, "ééééé…"),
            ("🦀🦀🦀", 6, "🦀🦀🦀"),
            ("🦀🦀🦀🦀", 6, "🦀🦀…"),
            ("ab cd", 4, "ab…"),
        ];
        for (text, limit, expected) in cases {
            assert_eq!(cut(text, limit), expected);
        }
    }

    #[test]
    fn long_paths_keep_their_end() {
        let long = Resource::file(&format!("{}/model.rs", "deep/".repeat(30))).unwrap();
        let called = resource(&long);
        assert_eq!(called.chars().count(), LONGEST_PATH);
        assert!(called.starts_with('…') && called.ends_with("/model.rs"), "{called}");
    }
}
