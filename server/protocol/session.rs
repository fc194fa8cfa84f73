//! The record of a session.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::record::{lenient, lenient_list, lenient_text, typed};
use super::{RecordError, SessionId};

/// A session as it stands in `sessions/{session_id}.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRecord {
    /// Its id; the file's name decides.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// When it registered.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// `active` or `completed`, or another program's own word.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it is working on. The original writes it even when it is null.
    #[serde(deserialize_with = "lenient_text")]
    pub current_work: Option<String>,
    /// What it can do, in the original's words.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Its newest sign of life, as it says itself.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub last_heartbeat: Option<String>,
    /// The phase of its work, from its newest heartbeat.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// How far it is, such as `30%`.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What it means to do next.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub next_action: Option<String>,
    /// When it expects to be done.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub estimated_completion: Option<String>,
    /// What it is: `nvim`, `vscode`, `terminal`, the name of an agent.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What to call it.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose it is.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whose it is, as people are called.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Which coding agent it is, as a word: `claude-code`.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What kind of sub-agent it is, where an agent started it.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub sub_agent: Option<String>,
    /// True while its person has other sessions from which its name has to tell it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub has_alike: Option<bool>,
    /// What tells it from others of one kind for as long as it lives, from 2 on; the first one has none.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// An agent's turn: `working`, or `waiting` for its user.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The branch it works on.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The linked worktree it works in.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// The machine it runs on, as people call it.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The long-lived process that keeps it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// An opaque token that tells that process from a later one with the same number.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub process_started: Option<String>,
    /// Machine, boot and pid namespace together: where `pid` means something.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub pid_scope: Option<String>,
    /// The editor or agent that it serves.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub client_pid: Option<u32>,
    /// It promises to refresh `last_heartbeat` every so many seconds.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<u32>,
    /// Resource names of documents with unsaved changes that it does not hold.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub editing: Vec<String>,
    /// What its editor wants that others than the editor need to know too, by the settings' names.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
    /// The session of a clone for which this one, of the machine's registry, stands.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<SessionOfClone>,
    /// Of a session of another clone: when it was last heard of, as long as the team does not answer.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// Of which sessions it wants to hear nothing, and until when.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub muted: Option<BTreeMap<String, String>>,
    /// When it ended.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How long it lasted, in words.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub total_duration: Option<String>,
    /// What it completed.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub work_completed: Vec<String>,
    /// What whoever goes on should know.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub handoff_notes: Option<String>,
}

/// A session, and the directory that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOfClone {
    /// The coordination directory.
    pub directory: PathBuf,
    /// The session there.
    pub session: SessionId,
}

impl SessionRecord {
    /// What is said of an agent's turn while it works.
    pub const WORKING: &str = "working";

    /// The same while it waits for its user.
    pub const WAITING: &str = "waiting";

    /// Reads a session.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        typed(bytes)
    }

    /// True if it is a coding agent whose turn ended, so that it waits for its user.
    pub fn is_waiting(&self) -> bool {
        self.turn.as_deref() == Some(Self::WAITING)
    }

    /// True if it says that it ended. Whether one that does not really lives is the registry's judgement.
    pub fn is_completed(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }
}
