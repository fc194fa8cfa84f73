//! The record of a claim and how long it is believed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::record::{lenient, lenient_text, typed};
use super::{ProcessRecord, RecordError, SessionId, time};

/// A lease by hand, and what counts where a record tells no usable end: 4 hours.
pub const DEFAULT_LEASE: TimeDelta = TimeDelta::hours(4);

/// No lease is believed for longer than 7 days.
pub const LONGEST_LEASE: TimeDelta = TimeDelta::days(7);

/// A claim as it stands in `claims/{resource_type}-{resource_name}.claim`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimRecord {
    /// The holder. It is `None` only in a record that is damaged or was not finished.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<SessionId>,
    /// Since when.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<String>,
    /// The type as the record says it; the file's name decides.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The name as the record says it; the file's name decides.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// What the holder is doing with it.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The lease in words, such as `4 hours`.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<String>,
    /// Until when.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// False where others should not be offered to write to the holder about it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub allow_coordination: Option<bool>,
    /// A random id of this holding.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Greater than that of any holding before it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// True if it was made by the first edit, not by hand.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// The branch that the holder edits on.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The linked worktree that the holder edits in.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// Since when the document has been unsaved and untouched; set by the holder's server after 4 hours.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub idle_since: Option<String>,
    /// Whom a forced take-over displaced, until they were told.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub displaced: Option<SessionId>,
    /// The command that uses what is claimed, for a claim that lasts as long as its process group.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessRecord>,
    /// In which clone of the team its holder works, for a file that cannot be merged and so is claimed in all of them.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub in_clone: Option<String>,
    /// True for the claim of such a file while the team has not confirmed it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<bool>,
    /// What people call whose the changes are, in a record that is no claim but tells of uncommitted changes in another clone
    /// of the team.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub uncommitted_of: Option<String>,
}

impl ClaimRecord {
    /// Reads a claim; a record without a holder is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = typed(bytes)?;
        if record.claimed_by.is_none() {
            return Err(RecordError::Missing("claimed_by"));
        }
        Ok(record)
    }
}

/// When a claim's lease ends, in whatever state its record is: at `expires_at`, else 4 hours after `claimed_at`,
/// else 4 hours after the file was written; and never more than 7 days after both of these.
pub fn lease_end(record: Option<&ClaimRecord>, modified: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let claimed_at = time::believed(record.and_then(|record| record.claimed_at.as_deref()), modified, now);
    record
        .and_then(|record| record.expires_at.as_deref())
        .and_then(time::parse)
        .unwrap_or(claimed_at + DEFAULT_LEASE)
        .min(claimed_at.max(modified) + LONGEST_LEASE)
}
