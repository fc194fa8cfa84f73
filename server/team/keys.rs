//! How etcd calls records, and back: a key's own words below the repository's prefix.

use deconflict_protocol::{Naming, SessionId};
use deconflict_registry::{Key, Range, Series, TicketKey};

/// Names are no files, so that each is spelled in one way.
pub(super) const NAMING: Naming = Naming { ignores_case: false };

/// What a record is called.
pub(super) fn name(prefix: &str, key: &Key) -> Vec<u8> {
    format!("{prefix}{key}").into_bytes()
}

/// The last fencing token, which all grants compare.
pub(super) fn token(prefix: &str) -> Vec<u8> {
    format!("{prefix}token").into_bytes()
}

/// Whoever deletes something writes this too.
pub(super) fn deletions(prefix: &str) -> Vec<u8> {
    format!("{prefix}deletions").into_bytes()
}

/// The first key of a range, and the first behind it.
pub(super) fn bounds(prefix: &str, range: &Range) -> (Vec<u8>, Vec<u8>) {
    let beginning = match range {
        Range::Sessions => "sessions/".to_owned(),
        Range::Claims(beginning) => format!("claims/{beginning}"),
        Range::Queue => ".queue/".to_owned(),
        Range::Series(series) => format!("{series}/"),
        Range::AllDirect => "messages/direct/".to_owned(),
        Range::One(key) => {
            let key = name(prefix, key);
            return (key.clone(), [key, vec![0]].concat());
        }
    };
    let start = [prefix, &beginning].concat().into_bytes();
    let end = end_of(&start);
    (start, end)
}

/// The first key behind all that begin so.
pub(super) fn end_of(beginning: &[u8]) -> Vec<u8> {
    let mut end = beginning.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The record of a key; `None` for what is none.
pub(super) fn parse(prefix: &str, key: &[u8]) -> Option<Key> {
    let name = std::str::from_utf8(key).ok()?.strip_prefix(prefix)?;
    let entry = |series: Series, name: &str| (!name.contains('/')).then(|| Key::Entry(series, name.to_owned()));
    let (folder, rest) = name.split_once('/')?;
    match folder {
        "sessions" => SessionId::foreign(rest).ok().map(Key::Session),
        "claims" => NAMING.parse(rest).map(Key::Claim),
        ".queue" => TicketKey::parse(rest).map(Key::Ticket),
        "heartbeats" => entry(Series::Heartbeats, rest),
        "handoffs" => entry(Series::HandOffs, rest),
        ".read" => entry(Series::ReadMarks, rest),
        "messages" => {
            let (kind, rest) = rest.split_once('/')?;
            match kind {
                "broadcast" => entry(Series::Broadcasts, rest),
                "direct" => {
                    let (to, name) = rest.split_once('/')?;
                    entry(Series::Direct(SessionId::foreign(to).ok()?), name)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use deconflict_protocol::Resource;

    use super::*;

    #[test]
    fn a_key_is_found_by_its_name_and_in_its_range() {
        let anna = SessionId::new("anna").unwrap();
        let claim = NAMING.key(&Resource::file("src/a ö.rs").unwrap());
        let entry = |series: Series| Key::Entry(series, "20260101T000000000Z-anna.json".to_owned());
        for (key, range) in [
            (Key::Session(anna.clone()), Range::Sessions),
            (Key::Claim(claim.clone()), Range::all_claims()),
            (Key::Ticket(TicketKey::parse("00000001-anna").unwrap()), Range::Queue),
            (entry(Series::Heartbeats), Range::Series(Series::Heartbeats)),
            (entry(Series::Broadcasts), Range::Series(Series::Broadcasts)),
            (entry(Series::HandOffs), Range::Series(Series::HandOffs)),
            (entry(Series::ReadMarks), Range::Series(Series::ReadMarks)),
            (entry(Series::Direct(anna.clone())), Range::Series(Series::Direct(anna.clone()))),
            (entry(Series::Direct(anna)), Range::AllDirect),
            (Key::Claim(claim.clone()), Range::One(Key::Claim(claim))),
        ] {
            let name = format!("team/repository/{key}");
            assert_eq!(parse("team/repository/", name.as_bytes()), Some(key.clone()));
            assert_eq!(parse("team/other/", name.as_bytes()), None);
            let (start, end) = bounds("team/repository/", &range);
            assert!(range.contains(&key) && *start <= *name.as_bytes() && *name.as_bytes() < *end, "{name}");
        }
    }
}
