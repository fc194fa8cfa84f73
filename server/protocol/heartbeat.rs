//! The record of a heartbeat: what a session did last.

use serde::{Deserialize, Serialize};

use super::record::{lenient, lenient_list, lenient_text, typed};
use super::{RecordError, SessionId};

/// A heartbeat as it stands in `heartbeats/{timestamp}-{session_id}.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeartbeatRecord {
    /// Whose heartbeat it is.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// When.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What it did: `building`, `saved`, `completed` …
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What it did it to.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which phase the work is in.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Resource names or paths of the files it touched.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub files_touched: Vec<String>,
    /// How far it is, such as `30%`.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What it means to do next.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub next_action: Option<String>,
    /// When it expects to be done.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub estimated_completion: Option<String>,
}

impl HeartbeatRecord {
    /// Reads a heartbeat.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        typed(bytes)
    }
}
