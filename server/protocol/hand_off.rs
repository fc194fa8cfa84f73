//! The record of a hand-off: what one session leaves to another, or to whoever goes on.

use serde::{Deserialize, Serialize};

use super::record::{lenient, lenient_list, lenient_text, typed};
use super::{RecordError, SessionId};

/// A hand-off as it stands in `handoffs/{timestamp}-{session_id}.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandOffRecord {
    /// Who hands off.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub from: Option<SessionId>,
    /// Who receives; absent where a session leaves notes to whoever goes on.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub to: Option<SessionId>,
    /// When.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The resource that changes hands, if one does.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// What the sender completed.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub work_completed: Vec<String>,
    /// What the recipient should know.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl HandOffRecord {
    /// Reads a hand-off.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        typed(bytes)
    }
}
