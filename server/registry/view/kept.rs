//! Claims and sessions as the view keeps them: small, and with what time alone changes of them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::claims::BEING_WRITTEN;
use crate::directory::Stamp;
use crate::liveness::{MISSED_REFRESHES, SILENT_REFRESHES};
use crate::{KeeperState, Session, StoredClaim, StoredSession};
use deconflict_protocol::{ClaimFileName, ClaimRecord, lease_end};

/// A claim, kept small: there may be thousands. The text is the record without what the file's name says too; it is
/// understood anew at each look-up, which takes a few microseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptClaim {
    /// `None` if what stands in the file cannot be understood.
    record: Option<Box<str>>,
    modified: DateTime<Utc>,
    lease_end: DateTime<Utc>,
}

impl KeptClaim {
    pub(super) fn packed(stored: &StoredClaim, now: DateTime<Utc>) -> Self {
        let named = stored.file.resource(None);
        let record = stored.record.as_ref().map(|record| {
            let mut record = record.clone();
            if record.resource_type.as_deref() == Some(named.resource_type().as_str()) {
                record.resource_type = None;
            }
            if record.resource_name.as_deref() == Some(named.name()) {
                record.resource_name = None;
            }
            serde_json::to_string(&record).unwrap_or_default().into_boxed_str()
        });
        let lease_end = lease_end(stored.record.as_ref(), stored.modified, now);
        Self { record, modified: stored.modified, lease_end }
    }

    pub(super) fn unpacked(&self, file: &ClaimFileName) -> StoredClaim {
        let named = file.resource(None);
        let record = self.record.as_deref().and_then(|text| serde_json::from_str::<ClaimRecord>(text).ok());
        let record = record.map(|mut record| {
            record.resource_type.get_or_insert_with(|| named.resource_type().to_string());
            record.resource_name.get_or_insert_with(|| named.name().to_owned());
            record
        });
        let said = record
            .as_ref()
            .and_then(|record| Some((record.resource_type.as_deref()?, record.resource_name.as_deref()?)));
        StoredClaim {
            file: file.clone(),
            resource: file.resource(said),
            record,
            modified: self.modified,
            stamp: Stamp::unknown(self.modified),
        }
    }

    /// When its standing changes by time alone.
    pub(super) fn due(&self) -> Vec<DateTime<Utc>> {
        let no_longer_pending = self.record.is_none().then(|| self.modified + BEING_WRITTEN);
        no_longer_pending.into_iter().chain([self.lease_end]).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptSession {
    pub(super) stored: StoredSession,
    pub(super) keeper: KeeperState,
    /// When its record was last seen to change, by [`Clock::elapsed`].
    pub(super) seen_at: Duration,
    /// For how long it had not changed then.
    pub(super) silence_before: Duration,
}

impl KeptSession {
    /// How often it promises to refresh its record.
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
