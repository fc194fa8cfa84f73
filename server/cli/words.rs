//! How things are told to people: times, durations, sessions and claims.

use std::path::Path;

use chrono::{DateTime, Local, TimeDelta, Utc};
pub(super) use deconflict_protocol::text::shell_word;

use deconflict_protocol::text::one_line;
use deconflict_protocol::{Resource, SessionId, time};
use deconflict_registry::{Claim, Session, Standing};

use super::style::{FAINT, NAME};

/// How much of somebody's phase, subject or current work stands on a line.
pub(super) const PHRASE: usize = 80;

/// A moment as people read clocks: the hour today, the date before it on other days, in local time.
pub(super) fn clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (at, today) = (at.with_timezone(&Local), now.with_timezone(&Local).date_naive());
    let pattern = if at.date_naive() == today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(pattern).to_string()
}

/// How far away a moment is: `2 hours ago`, `in 5 minutes`, `just now`.
pub(super) fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let behind = now - at;
    if behind.abs() < TimeDelta::seconds(1) {
        "just now".to_owned()
    } else if behind > TimeDelta::zero() {
        format!("{} ago", time::duration_in_words(behind))
    } else {
        // Rounded up, since "in 3 hours 59 minutes" is said of four hours a moment after they began.
        format!("in {}", time::duration_in_words(rounded_up(-behind)))
    }
}

/// The time of day to the second, in local time.
pub(super) fn clock_with_seconds(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%H:%M:%S").to_string()
}

/// How long ago a moment was, in few characters: `12s ago`, `4m ago`, `2h ago`, `3d ago`.
pub(super) fn short_distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    if seconds < 1 { "now".to_owned() } else { format!("{} ago", short(seconds)) }
}

/// How long a lease lasts, in few characters: `4h left`, `25m left`.
pub(super) fn left(until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    // Rounded up to the minute, as people count what is left.
    let seconds = (until - now).num_seconds().max(0);
    format!("{} left", if seconds < 60 { short(seconds) } else { short((seconds + 59) / 60 * 60) })
}

fn short(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) if minutes % 60 == 0 || hours > 9 => format!("{hours}h"),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d"),
    }
}

/// A moment both ways: `10:05 (2 hours ago)`.
pub(super) fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", clock(at, now), distance(at, now))
}

fn rounded_up(duration: TimeDelta) -> TimeDelta {
    let seconds = duration.num_seconds();
    if seconds < 60 { duration } else { TimeDelta::seconds((seconds + 59) / 60 * 60) }
}

/// A session by the name that people know, and the id that commands take: `Ada's editor (session-…)`.
pub(super) fn who(session: Option<&Session>, id: &SessionId) -> String {
    let id_text = one_line(id.as_str(), PHRASE);
    let Some(session) = session else { return id_text };
    match calling(session) {
        name if name == id_text => id_text,
        name => format!("{name} ({id_text})"),
    }
}

/// What people call a session: its name, else what it is and whose, else its id.
pub(super) fn calling(session: &Session) -> String {
    let label = session.label();
    let is_named = session.record.name.as_ref().is_some_and(|name| !name.trim().is_empty());
    match session.record.user.as_deref().map(|user| one_line(user, 40)) {
        Some(user) if !is_named && !user.is_empty() && label != session.id.as_str() => format!("{label} of {user}"),
        _ => label,
    }
}

/// Since when and until when: `since 10:05 (2 hours ago), until 14:05 (in 2 hours)`.
pub(super) fn term(claim: &Claim, now: DateTime<Utc>) -> String {
    let since = moment(claim.claimed_at, now);
    let until = moment(claim.expires_at, now);
    match claim.standing {
        Standing::Active if claim.is_automatic() => format!("since {since}, until {until}, longer while it is edited"),
        Standing::Active | Standing::Pending => format!("since {since}, until {until}"),
        Standing::Idle => {
            let idle = claim.record.idle_since.as_deref().and_then(time::parse);
            let idle = idle.map_or_else(String::new, |at| format!(", untouched since {}", moment(at, now)));
            format!("since {since}{idle}")
        }
        Standing::Expired => format!("since {since}, ran out at {until}"),
        Standing::Abandoned => format!("since {since}, left behind"),
        Standing::Damaged => format!("since {since}, the record is damaged"),
    }
}

/// One sentence about a claim that stands against somebody: what, who, since when, until when, for what.
pub(super) fn claimed_by(claim: &Claim, holder: Option<&Session>, wanted: &Resource, now: DateTime<Utc>) -> String {
    let what = if claim.resource == *wanted {
        wanted.in_a_sentence()
    } else if claim.resource.covers(wanted) {
        format!("{}, which {} is in,", claim.resource.in_a_sentence(), wanted.in_a_sentence())
    } else {
        format!("{}, which is in {},", claim.resource.in_a_sentence(), wanted.in_a_sentence())
    };
    let written = moment(claim.modified, now);
    if claim.standing == Standing::Pending {
        return format!("{what} is being claimed by another program: its record of {written} is not complete yet.");
    }
    let Some(by) = claim.holder().map(|id| who(holder, id)) else {
        let until = moment(claim.expires_at, now);
        return format!(
            "{what} is claimed by nobody knows whom: the record of {written} is damaged. It counts until {until}."
        );
    };
    let doing = doing(claim, holder).map_or_else(String::new, |doing| format!(": {doing}"));
    format!("{what} is claimed by {by} {}{doing}.", term(claim, now))
}

/// What the holder says it is doing.
pub(super) fn doing(claim: &Claim, holder: Option<&Session>) -> Option<String> {
    let phase = claim.record.phase.as_deref();
    // A claim tells of itself as the work; that the file is claimed because of the file says nothing.
    let itself = claim.resource.to_string();
    let work = holder.and_then(|session| session.record.current_work.as_deref()).filter(|work| *work != itself);
    phase.or(work).map(|text| one_line(text, PHRASE)).filter(|text| !text.is_empty())
}

/// That the clock is behind the one that wrote a session's record.
pub(super) fn clock_went_back(by: TimeDelta) -> String {
    format!(
        "This session's record is {} ahead of this computer's clock, which went back or is wrong: leases end so much later. \
         Set the clock, if the time is wrong now.",
        time::duration_in_words(by)
    )
}

/// That no lock keeps others out, and what helps.
pub(super) fn only_advice(directory: &Path) -> String {
    format!(
        "Claims are only advice here: the file system of {} cannot lock files. Put the directory on another file \
         system, and name it with --dir.",
        one_line(&directory.display().to_string(), 200)
    )
}

/// How many of something: `1 session`, `2 sessions`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Claims in the order of their resources.
pub(super) fn in_order(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by(|a, b| a.resource.cmp(&b.resource));
    claims
}

/// Several claimed resources in one phrase, cut where there are many.
pub(super) fn list_of_resources(claims: &[Claim]) -> String {
    /// More would hide what the sentence is about.
    const MOST: usize = 5;
    let named: Vec<String> = claims.iter().take(MOST).map(|claim| claim.resource.in_a_sentence()).collect();
    match claims.len() {
        more if more > MOST => format!("{} and {} more", named.join(", "), more - MOST),
        _ => named.join(", "),
    }
}

/// A list of sessions to choose from, a line each.
pub(super) fn choices(sessions: &[Session], now: DateTime<Utc>) -> Vec<String> {
    let line = |session: &Session| {
        let started = moment(session.started_at(), now);
        let id = one_line(session.id.as_str(), PHRASE);
        match calling(session) {
            name if name == id => format!("{NAME}{id}{NAME:#}  {FAINT}started {started}{FAINT:#}"),
            name => format!("{NAME}{name}{NAME:#}  {id}  {FAINT}started {started}{FAINT:#}"),
        }
    };
    sessions.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_both_ways() {
        let now = time::parse("2025-11-15T10:00:00Z").unwrap();
        let cases = [
            (0, "just now"),
            (-40, "40 seconds ago"),
            (-7_500, "2 hours 5 minutes ago"),
            (14_399, "in 4 hours"),
            (30, "in 30 seconds"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(distance(now + TimeDelta::seconds(seconds), now), expected);
        }
    }

    #[test]
    fn short_times_take_few_characters() {
        let now = time::parse("2025-11-15T10:00:00Z").unwrap();
        let ago = |seconds: i64| short_distance(now - TimeDelta::seconds(seconds), now);
        let told = [0, 59, 60, 3_599, 3_600, 7_500, 50_000, 90_000].map(ago);
        assert_eq!(told, ["now", "59s ago", "1m ago", "59m ago", "1h ago", "2h 5m ago", "13h ago", "1d ago"]);
        let left = |seconds: i64| left(now + TimeDelta::seconds(seconds), now);
        assert_eq!([-5, 30, 61, 14_399].map(left), ["0s left", "30s left", "2m left", "4h left"]);
    }
}
