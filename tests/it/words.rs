//! How moments and errors are told, by all front ends alike.

use std::io;
use std::path::PathBuf;

use chrono::{FixedOffset, TimeDelta};
use deconflict_protocol::time;
use deconflict_registry::Error;
use deconflict_words::{clock, failure, left, moment, sentence, short_distance};

#[test]
fn what_went_wrong_is_told_with_what_helps() {
    let (directory, source) = (PathBuf::from("/x"), || io::Error::other("no"));
    for (error, message, advice) in [
        (
            Error::ReadOnly { directory: directory.clone(), source: source() },
            "/x cannot be",
            "permissions to take part.",
        ),
        (Error::Full { directory: directory.clone(), source: source() }, "The disk ", "Make room there."),
        (Error::TooManyFiles { path: directory.clone(), source: source() }, "The coordination", "ulimit -n 4096"),
        (Error::Busy { path: directory.clone(), holder: None }, "/x has been locked", "Try again."),
        (Error::TooLarge { size: 2 << 20 }, "The message is", "Send a shorter one, or the path of a file."),
        (Error::Missing { directory }, "There is no ", "."),
    ] {
        let told = failure(&error);
        assert!(told.starts_with(message) && told.ends_with(advice), "{told}");
    }
}

#[test]
fn the_date_is_told_only_where_the_time_of_day_could_mislead() {
    let offset = FixedOffset::east_opt(3_600).unwrap();
    let now = time::parse("2025-11-15T13:30:00Z").unwrap().with_timezone(&offset);
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
    for (at, expected) in cases {
        assert_eq!(clock(time::parse(at).unwrap(), &now), expected);
    }
}

#[test]
fn distances_are_told_both_ways() {
    let now = time::parse("2025-11-15T10:00:00Z").unwrap();
    let cases = [
        (0, "(just now)"),
        (-40, "(40 seconds ago)"),
        (-7_500, "(2 hours 5 minutes ago)"),
        (14_399, "(in 4 hours)"),
        (30, "(in 30 seconds)"),
    ];
    for (seconds, expected) in cases {
        let told = moment(now + TimeDelta::seconds(seconds), now);
        assert!(told.ends_with(expected), "{told}");
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

#[test]
fn errors_become_sentences() {
    for (words, expected) in [
        ("could not read a: no", "Could not read a: no."),
        ("/a/b is a file", "/a/b is a file."),
        ("is this it?", "Is this it?"),
        ("src/a is a file", "src/a is a file."),
    ] {
        assert_eq!(sentence(words), expected);
    }
}
