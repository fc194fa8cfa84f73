//! Claims and sessions as the view keeps them: with what time alone changes of them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::leases::BEING_WRITTEN;
use crate::liveness::{MISSED_REFRESHES, SILENT_REFRESHES};
use crate::{KeeperState, Session, StoredClaim, StoredSession};
use deconflict_protocol::{ClaimRecord, Resource, lease_end};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptClaim {
    pub(super) stored: StoredClaim,
    lease_end: DateTime<Utc>,
    /// The command that it was made for runs, as far as anybody looked.
    is_in_use: bool,
}

impl KeptClaim {
    pub(super) fn new(stored: StoredClaim, now: DateTime<Utc>) -> Self {
        let lease_end = lease_end(stored.record.as_ref(), stored.modified, now);
        let is_in_use = stored.is_in_use_by_command();
        Self { stored, lease_end, is_in_use }
    }

    /// What anybody could tell of it: two writes in one moment may differ in their stamps alone.
    pub(super) fn told(&self) -> (&Option<ClaimRecord>, &Resource, DateTime<Utc>, DateTime<Utc>, bool) {
        (&self.stored.record, &self.stored.resource, self.stored.modified, self.lease_end, self.is_in_use)
    }

    pub(super) fn due(&self) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let no_longer_pending = self.stored.record.is_none().then(|| self.stored.modified + BEING_WRITTEN);
        no_longer_pending.into_iter().chain([self.lease_end])
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptSession {
    pub(super) stored: StoredSession,
    pub(super) keeper: KeeperState,
    /// When its record was last seen to change, by [`Clock::elapsed`].
    pub(super) seen_at: Duration,
    /// How long it had not changed then.
    pub(super) silence_before: Duration,
}

impl KeptSession {
    pub(super) fn refresh(&self) -> Option<Duration> {
        let keepalive = self.stored.record.as_ref()?.keepalive?;
        Some(Duration::from_secs(u64::from(keepalive.max(1))))
    }

    /// When it is called silent and when gone if nothing changes, by [`Clock::elapsed`].
    pub(super) fn due(&self) -> Vec<Duration> {
        let Some(refresh) = self.refresh().filter(|_| self.keeper == KeeperState::Unknown) else { return Vec::new() };
        [SILENT_REFRESHES, MISSED_REFRESHES]
            .iter()
            .filter_map(|count| (self.seen_at + refresh * *count).checked_sub(self.silence_before))
            // One moment later, because that many refreshes may be missed.
            .map(|due| due + Duration::from_millis(1))
            .collect()
    }

    pub(super) fn is_kept_by_same_process(&self, other: &StoredSession) -> bool {
        match (&self.stored.record, &other.record) {
            (Some(one), Some(other)) => {
                (one.pid, &one.process_started, &one.pid_scope) == (other.pid, &other.process_started, &other.pid_scope)
            }
            _ => false,
        }
    }

    pub(super) fn differs_only_in_sign_of_life(&self, other: &Self) -> bool {
        match (&self.stored.record, &other.stored.record) {
            (Some(one), Some(other)) => {
                let mut refreshed = one.clone();
                refreshed.last_heartbeat.clone_from(&other.last_heartbeat);
                refreshed == *other
            }
            (None, None) => true,
            _ => false,
        }
    }
}

/// What a session's claims are judged and shown by.
#[derive(PartialEq)]
pub(super) struct Shown {
    is_over: bool,
    label: String,
    client: Option<String>,
    user: Option<String>,
    host: Option<String>,
}

impl Shown {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            is_over: session.state.is_over(),
            label: session.label(),
            client: session.record.client.clone(),
            user: session.record.user.clone(),
            host: session.record.host.clone(),
        }
    }
}
