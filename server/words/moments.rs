//! Moments and durations as people tell them.

use std::fmt::Display;

use chrono::{DateTime, Datelike, Local, TimeDelta, TimeZone, Utc};
use deconflict_protocol::time;

/// A moment that is told by its time of day alone is less than this far away, so that every time of day is told once.
const TOLD_BY_TIME_OF_DAY: TimeDelta = TimeDelta::hours(12);

/// A moment in the time zone of `now`, with the date unless it is near: `14:05`, `23 Nov 14:05`, `23 Nov 2025 14:05`.
pub fn clock<Tz: TimeZone>(at: DateTime<Utc>, now: &DateTime<Tz>) -> String
where
    Tz::Offset: Display,
{
    let at = at.with_timezone(&now.timezone());
    let is_near = (at.clone() - now.clone()).abs() < TOLD_BY_TIME_OF_DAY;
    let pattern = if is_near || at.date_naive() == now.date_naive() {
        "%H:%M"
    } else if at.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    at.format(pattern).to_string()
}

/// The same in this computer's time zone.
pub fn local_clock(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    clock(at, &now.with_timezone(&Local))
}

/// The time of day to the second, in this computer's time zone.
pub fn clock_with_seconds(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%H:%M:%S").to_string()
}

/// A moment both ways: `10:05 (2 hours ago)`.
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", local_clock(at, now), distance(at, now))
}

/// How far away a moment is: `2 hours ago`, `in 5 minutes`, `just now`.
fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let behind = now - at;
    if behind.abs() < TimeDelta::seconds(1) {
        "just now".to_owned()
    } else if behind > TimeDelta::zero() {
        format!("{} ago", time::duration_in_words(behind))
    } else {
        format!("in {}", time::duration_in_words(TimeDelta::seconds(rounded_up(-behind))))
    }
}

/// How long ago a moment was, in few characters: `12s ago`, `4m ago`, `2h ago`, `3d ago`.
pub fn short_distance(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    if seconds < 1 { "now".to_owned() } else { format!("{} ago", short(seconds)) }
}

/// How long a lease lasts, in few characters: `4h left`, `25m left`.
pub fn left(until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} left", short(rounded_up((until - now).max(TimeDelta::zero()))))
}

/// In seconds, whole minutes from one on: four hours are not "3 hours 59 minutes" a moment after they began.
fn rounded_up(duration: TimeDelta) -> i64 {
    let seconds = duration.num_seconds();
    if seconds < 60 { seconds } else { (seconds + 59) / 60 * 60 }
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
