//! Directories that are as full as the figures are taken for.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Naming, time};
use deconflict_registry::{Key, Registry};
use serde_json::json;

/// How much is in the directory: so many claims, of a tenth as many sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(usize);

impl Size {
    pub(crate) const LEAST: Self = Self(10);
    pub(crate) const MOST: Self = Self(10_000);
    pub(crate) const ALL: [Self; 4] = [Self::LEAST, Self(100), Self(1_000), Self::MOST];

    pub(crate) fn claims(self) -> f64 {
        u32::try_from(self.0).map_or(f64::MAX, f64::from)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        match digits.len() {
            5.. => f.pad(&format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..])),
            4 => f.pad(&format!("{},{}", &digits[..1], &digits[1..])),
            _ => f.pad(&digits),
        }
    }
}

/// A file that somebody else has claimed in every directory.
pub(crate) const CLAIMED: &str = "src/part-0/file-0.rs";

/// Makes a directory and fills it with records as other participants write them.
pub(crate) fn populate(directory: &Path, size: Size) -> Registry {
    let registry = Registry::create(directory, Arc::new(SystemClock::new())).unwrap();
    let (sessions, claims) = (size.0 / 10, size.0);
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
            deconflict_protocol::Resource::file(&format!("src/part-{}/file-{claim}.rs", claim % 100)).unwrap();
        let record = json!({
            "claimed_by": format!("session-{}", claim % sessions), "claimed_at": time::format(now),
            "resource_type": "file", "resource_name": resource.name(), "phase": "BUILD",
            "estimated_duration": "4 hours", "expires_at": time::format(now + TimeDelta::hours(4)),
            "allow_coordination": true, "id": format!("{claim:032x}"), "generation": claim, "automatic": false,
        });
        let file = registry.file_of(&Key::Claim(Naming::default().key(&resource)));
        std::fs::write(file, serde_json::to_vec_pretty(&record).unwrap()).unwrap();
    }
    registry
}
