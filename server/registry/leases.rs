//! How long things count: leases, renewals, and what is respected where clocks differ.

use chrono::TimeDelta;

/// Renewing writes at most this often.
pub const RENEWAL_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The lease of a claim that the first edit in an editor made, for how long an editor's document may rest, and what is
/// left of an agent's lease when its turn ends and the file is not as it was last committed.
pub const EDIT_LEASE: TimeDelta = TimeDelta::minutes(15);

/// How much takers add to the lease of another machine's claim, and holders take off their own.
pub(super) const OTHER_CLOCK: TimeDelta = TimeDelta::seconds(60);

/// A record that cannot be read yet may still be written by a script: it counts as pending for so long.
pub const BEING_WRITTEN: TimeDelta = TimeDelta::seconds(5);

/// How often a lease is worth renewing.
pub fn renewal_pause(lease: TimeDelta) -> TimeDelta {
    RENEWAL_PAUSE.min(lease / 3)
}
