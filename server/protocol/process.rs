//! A process as a record names it.

use serde::{Deserialize, Serialize};

use super::record::{lenient, lenient_text};

/// A process, and the process group of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessRecord {
    /// Its number.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// An opaque token that tells it from a later one with the same number.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub process_started: Option<String>,
    /// Machine, boot and pid namespace together: where the numbers mean something.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub pid_scope: Option<String>,
    /// The process group, for a command that has one of its own.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub process_group: Option<u32>,
}
