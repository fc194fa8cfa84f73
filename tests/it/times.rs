//! Times as records and file names spell them.

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::time::{believed, duration_in_words, format, is_named_older, parse, split_stamp, stamp};

fn time(text: &str) -> DateTime<Utc> {
    parse(text).unwrap()
}

#[test]
fn any_offset_and_fraction_is_read_and_one_form_is_written() {
    for text in [
        "2025-11-15T10:05:00Z",
        "2025-11-15T11:05:00.000000+01:00",
        "2025-11-15T05:05:00.0-05:00",
        "2025-11-15T11:05:00+0100",
        "2025-11-15T11:05:00.999+01",
    ] {
        assert_eq!(format(time(text)), "2025-11-15T10:05:00Z");
    }
    for text in ["", "yesterday", "2025-11-15", "10:05", "2025-11-15T10:05:00"] {
        assert_eq!(parse(text), None);
    }
}

#[test]
fn a_time_far_ahead_counts_as_the_files_own() {
    let (modified, now) = (time("2025-11-15T09:00:00Z"), time("2025-11-15T10:00:00Z"));
    assert_eq!(believed(Some("2025-11-15T10:09:00Z"), modified, now), time("2025-11-15T10:09:00Z"));
    assert_eq!(believed(Some("2025-11-15T10:11:00Z"), modified, now), modified);
    assert_eq!(believed(Some("soon"), modified, now), modified);
    assert_eq!(believed(None, modified, now), modified);
}

#[test]
fn file_names_are_split_at_each_precision() {
    let at = time("2025-11-15T10:05:00Z");
    assert_eq!(split_stamp("2025-11-15_10-05-session-002.json"), Some((at, "session-002")));
    assert_eq!(split_stamp("2025-11-15_10-05-00-session-002.json"), Some((at, "session-002")));
    let precise = format!("{}-session-002.json", stamp(at + TimeDelta::milliseconds(7)));
    assert_eq!(split_stamp(&precise), Some((at + TimeDelta::milliseconds(7), "session-002")));
    for other in ["x.json", "2025-11-15_10-05.json", "2025-11-15_10-05-session-002.txt", "2025-99-15_10-05-a.json"] {
        assert_eq!(split_stamp(other), None, "{other}");
    }
    let later = at + TimeDelta::hours(1);
    assert_eq!([at, later].map(|since| is_named_older(&precise, since)), [Some(false), Some(true)]);
    let foreign = "2025-11-15_10-05-00-session-002.json";
    assert_eq!([at, later].map(|since| is_named_older(foreign, since)), [Some(false), None]);
    assert_eq!(is_named_older("x.json", at), None);
}

#[test]
fn durations_read_like_the_originals() {
    let cases = [
        (40, "40 seconds"),
        (60, "1 minute"),
        (7_200, "2 hours"),
        (7_500, "2 hours 5 minutes"),
        (90_000, "1 day 1 hour"),
    ];
    for (seconds, words) in cases {
        assert_eq!(duration_in_words(TimeDelta::seconds(seconds)), words);
    }
}
