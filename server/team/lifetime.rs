//! How long etcd keeps a record that nobody writes anew: each hangs on a lease.
//!
//! It is etcd's clock that ends a claim, and a session that broke its promise to refresh its record; the claims of one whose
//! record is gone are abandoned. A lease's number is made from what it is for, so that whoever writes a record again finds
//! the lease again, and none are left behind.

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::{ClaimRecord, SessionRecord, TicketRecord, lease_end, time};
use deconflict_registry::{Key, Series};
use sha2::{Digest, Sha256};

/// So many refreshes a session may miss.
const MISSED_REFRESHES: i64 = 5;

const ENDED_SESSION: TimeDelta = TimeDelta::days(1);
const QUIET_SESSION: TimeDelta = TimeDelta::days(8);

/// The lease of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lifetime {
    /// The lease's number.
    pub(super) lease: i64,
    /// How long it lasts without being renewed.
    pub(super) seconds: i64,
}

impl Lifetime {
    /// That of a record below a prefix.
    pub(super) fn of(prefix: &str, key: &Key, record: &[u8], now: DateTime<Utc>) -> Self {
        let (what, lasts) = match key {
            Key::Claim(claim) => {
                let record = ClaimRecord::read(record).ok();
                // Claims of about one length share a lease, when one is renewed or claimed again. It never ends before its holder
                // thinks that it does.
                let left = (lease_end(record.as_ref(), now, now) - now).num_seconds().max(0);
                (format!("claim {claim}"), TimeDelta::seconds((left / 10 + 1) * 10))
            }
            Key::Session(id) => {
                let record = SessionRecord::read(record).unwrap_or_default();
                let promised =
                    record.keepalive.map(|every| TimeDelta::seconds(i64::from(every.max(2)) * MISSED_REFRESHES));
                let lasts = if record.is_completed() { ENDED_SESSION } else { promised.unwrap_or(QUIET_SESSION) };
                (format!("session {id}"), lasts)
            }
            Key::Ticket(ticket) => {
                let session = TicketRecord::read(record).ok().and_then(|record| record.session);
                (session.map_or_else(|| format!("ticket {ticket}"), |id| format!("waiting {id}")), QUIET_SESSION)
            }
            Key::Entry(series, name) => {
                let author = time::split_stamp(name).map_or(name.as_str(), |(_, author)| author);
                (format!("{series} {author} {}", now.date_naive()), kept(series))
            }
        };
        numbered(prefix, &what, lasts.num_seconds())
    }
}

/// The lease of what lasts so many seconds.
pub(super) fn numbered(prefix: &str, what: &str, seconds: i64) -> Lifetime {
    let digest = Sha256::digest(format!("{prefix}\n{what}\n{seconds}"));
    let number = digest.iter().take(8).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    Lifetime { lease: (number & i64::MAX).max(1), seconds }
}

fn kept(series: &Series) -> TimeDelta {
    match series {
        Series::Heartbeats => TimeDelta::days(1),
        Series::Broadcasts | Series::Direct(_) | Series::HandOffs => TimeDelta::days(30),
        Series::ReadMarks => TimeDelta::days(60),
    }
}

#[cfg(test)]
mod tests {
    use deconflict_protocol::{Resource, to_bytes};

    use super::*;
    use crate::keys::NAMING;

    #[test]
    fn a_claim_is_kept_until_its_end_and_hardly_longer() {
        let key = Key::Claim(NAMING.key(&Resource::file("a").unwrap()));
        let lasting = |minutes: i64, at: DateTime<Utc>| {
            let expires_at = Some(time::format(at + TimeDelta::minutes(minutes)));
            let record = ClaimRecord { expires_at, claimed_at: Some(time::format(at)), ..ClaimRecord::default() };
            let record =
                ClaimRecord { claimed_by: Some(deconflict_protocol::SessionId::new("anna").unwrap()), ..record };
            let left = lease_end(Some(&record), at, at) - at;
            (Lifetime::of("p/", &key, &to_bytes(&record).unwrap(), at), left)
        };
        let second = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        // A record's times have no fractions, so that the end lies up to a second before what was asked for.
        for now in [0, 1, 500, 999].map(|milliseconds| second + TimeDelta::milliseconds(milliseconds)) {
            let (five, left) = lasting(5, now);
            let longer = TimeDelta::seconds(five.seconds) - left;
            assert!(longer > TimeDelta::zero() && longer <= TimeDelta::seconds(10), "{five:?}, {left} left");
            assert_eq!(lasting(5, now + TimeDelta::seconds(100)).0, five, "renewed for as long again");
            assert_ne!(lasting(6, now).0.lease, five.lease);
        }
    }
}
