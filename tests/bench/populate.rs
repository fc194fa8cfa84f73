//! Directories that are as full as the figures are taken for.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use deconflict::clock::SystemClock;
use deconflict::protocol::time;
use deconflict::registry::Registry;
use serde_json::json;

/// How much is in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Ten claims of one session.
    Ten,
    /// 10,000 claims of 1,000 sessions.
    TenThousand,
}

impl Size {
    fn sessions_and_claims(self) -> (usize, usize) {
        match self {
            Self::Ten => (1, 10),
            Self::TenThousand => (1_000, 10_000),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ten => "10",
            Self::TenThousand => "10,000",
        })
    }
}

/// Makes a directory and fills it with records as other participants write them.
pub(crate) fn populate(directory: &Path, size: Size) -> Registry {
    let registry = Registry::create(directory, Arc::new(SystemClock::new())).unwrap();
    let (sessions, claims) = size.sessions_and_claims();
    let now = Utc::now();
    for session in 0..sessions {
        let record = json!({
            "session_id": format!("session-{session}"), "started_at": time::format(now), "status": "active",
            "current_work": "the login form", "last_heartbeat": time::format(now), "client": "script", "user": "somebody",
        });
        let name = format!("sessions/session-{session}.json");
        std::fs::write(directory.join(name), serde_json::to_vec_pretty(&record).unwrap()).unwrap();
    }
    for claim in 0..claims {
        let resource =
            deconflict::protocol::Resource::file(&format!("src/part-{}/file-{claim}.rs", claim % 100)).unwrap();
        let record = json!({
            "claimed_by": format!("session-{}", claim % sessions), "claimed_at": time::format(now),
            "resource_type": "file", "resource_name": resource.name(), "phase": "BUILD",
            "estimated_duration": "4 hours", "expires_at": time::format(now + TimeDelta::hours(4)),
            "allow_coordination": true, "id": format!("{claim:032x}"), "generation": claim, "automatic": false,
        });
        let name = format!("claims/{}", resource.claim_file_name());
        std::fs::write(directory.join(name), serde_json::to_vec_pretty(&record).unwrap()).unwrap();
    }
    registry
}
