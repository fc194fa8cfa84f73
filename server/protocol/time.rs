//! Times as records and file names spell them.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};

use super::text::count;

/// A time further ahead than this is taken for a wrong clock.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// Writes a time as records do: RFC 3339, UTC, with `Z`, to the second. The original's records have no fractions, and
/// what its users read them with (`jq`'s `fromdate`, the `date` of macOS) takes none.
pub fn format(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Reads a record's time with any offset and fraction; `None` for anything else.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    // As records of ours spell it: a directory may have ten thousand of them, for which chrono's patterns take too long.
    if let Some(time) = text.strip_suffix('Z').filter(|text| text.len() == 19).and_then(|text| read(text, b'T', b':')) {
        return Some(time);
    }
    // A shell's `date +%z` writes an offset without a colon.
    let time =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"));
    time.ok().map(|time| time.with_timezone(&Utc))
}

/// The recorded time, or the file's own where there is none or it is [`CLOCK_TOLERANCE`] ahead of now.
pub fn believed(recorded: Option<&str>, modified: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    recorded.and_then(parse).filter(|time| *time <= now + CLOCK_TOLERANCE).unwrap_or(modified)
}

/// Writes a time as names of heartbeats, messages and hand-offs start: `2025-11-15_10-05-00.123`, UTC.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d_%H-%M-%S%.3f").to_string()
}

/// Splits `2025-11-15_10-05-session-002.json` into its time, to minute, second or millisecond, and the rest.
pub fn split_stamp(file_name: &str) -> Option<(DateTime<Utc>, &str)> {
    let stem = file_name.strip_suffix(".json")?;
    // From the longest to the shortest.
    [MILLISECOND_STAMP, "2025-11-15_10-05-00".len(), "2025-11-15_10-05".len()].into_iter().find_map(|length| {
        let (stamp, rest) = stem.split_at_checked(length)?;
        let rest = rest.strip_prefix('-').filter(|rest| !rest.is_empty())?;
        Some((read(stamp, b'_', b'-')?, rest))
    })
}

/// Whether a record is older, as far as its name alone tells. Names to the millisecond are this program's: in UTC, and by
/// the time that the record tells. Of others, which may be in local time, only that they are newer is believed.
pub fn is_named_older(file_name: &str, since: DateTime<Utc>) -> Option<bool> {
    let is_own = file_name.as_bytes().get(MILLISECOND_STAMP) == Some(&b'-');
    let (named, _) = split_stamp(file_name)?;
    (is_own || named >= since).then_some(named < since)
}

const MILLISECOND_STAMP: usize = "2025-11-15_10-05-00.123".len();

/// Reads a day and a time of day, or the beginning of it, with these marks between the two and between hours and minutes.
fn read(stamp: &str, middle: u8, mark: u8) -> Option<DateTime<Utc>> {
    let stamp = stamp.as_bytes();
    let mut marks = [(4, b'-'), (7, b'-'), (10, middle), (13, mark), (16, mark), (19, b'.')].into_iter();
    if !marks.all(|(at, mark)| stamp.get(at).is_none_or(|byte| *byte == mark)) {
        return None;
    }
    let number = |start: usize, end: usize| {
        let mut digits = stamp.get(start..end).unwrap_or_default().iter();
        digits.try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let time = date.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?)?;
    Some(time.and_utc())
}

/// Says how long something took or takes, as records do: `4 hours`, `2 hours 5 minutes`, `40 seconds`.
pub fn duration_in_words(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    let unit = |number: i64, name| count(usize::try_from(number).unwrap_or_default(), name);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => vec![unit(seconds, "second")],
        (0, 0, _) => vec![unit(minutes, "minute")],
        (0, _, 0) => vec![unit(hours, "hour")],
        (0, _, _) => vec![unit(hours, "hour"), unit(minutes, "minute")],
        (_, 0, _) => vec![unit(days, "day")],
        _ => vec![unit(days, "day"), unit(hours, "hour")],
    };
    parts.join(" ")
}
