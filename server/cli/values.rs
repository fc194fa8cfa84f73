//! What stands on a command line, turned into the values that it means.

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::{ResourceType, SessionId, time};

pub(super) fn session_id(text: &str) -> Result<SessionId, String> {
    SessionId::foreign(text).map_err(|error| error.to_string())
}

/// The type of something that is claimed already, perhaps by another program with types of its own.
pub(super) fn any_resource_type(text: &str) -> Result<ResourceType, String> {
    ResourceType::foreign(text).map_err(|error| error.to_string())
}

/// How long: numbers with units, such as `90m`, `2h30m`, `1d` or `45s`.
pub(super) fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("\"{text}\" is not a duration: write it like 45s, 90m, 2h30m or 1d");
    let mut seconds: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_length);
        let seconds_in_unit = match unit.trim() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(seconds_in_unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    TimeDelta::try_seconds(seconds).ok_or_else(wrong)
}

pub(super) fn lease(text: &str) -> Result<TimeDelta, String> {
    let lease = duration(text)?;
    if lease < TimeDelta::minutes(1) {
        return Err("a claim lasts at least a minute".to_owned());
    }
    if lease > deconflict_protocol::LONGEST_LEASE {
        return Err("a claim lasts 7 days at most; claim it again before it expires".to_owned());
    }
    Ok(lease)
}

/// How long a claim lasts where nothing is said.
pub(super) const DEFAULT_LEASE: &str = "4h";

/// When something is expected: how long from now, or any words of the caller's own.
pub(super) fn expected_at(text: &str, now: DateTime<Utc>) -> String {
    match duration(text).ok().and_then(|after| now.checked_add_signed(after)) {
        Some(at) => time::format(at),
        None => text.to_owned(),
    }
}
