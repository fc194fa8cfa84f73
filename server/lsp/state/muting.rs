//! Sessions that the user wants to hear nothing of for a while. Their messages stay unread and listed, and diagnostics
//! still say what they hold: only nothing pops up.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::commands::Refused;
use super::server_state::ServerState;
use crate::present::messages;
use deconflict_protocol::{SessionId, time};
use deconflict_registry::Session;

impl ServerState {
    /// Mutes a live session for so many minutes; for none ends it.
    pub(super) fn mute(&mut self, session: &str, minutes: u32) -> Result<Value, Refused> {
        self.main_directory()?;
        let live: Vec<Session> = self
            .directories
            .values()
            .filter_map(|directory| directory.view.as_ref())
            .flat_map(|view| view.sessions().filter(Session::is_live))
            .collect();
        let Some(Session { id, .. }) = live.iter().find(|live| live.id.as_str() == session) else {
            let live: Vec<String> = live.iter().map(Session::label_and_id).collect();
            return Err(Refused { reason: "not-found", message: messages::refused_unknown_session(session, &live) });
        };
        let now = self.now();
        self.muted_sessions.retain(|_, until| *until > now);
        self.muted_sessions.insert(id.clone(), now + Duration::from_secs(u64::from(minutes) * 60));
        let until = self.clock.now() + TimeDelta::minutes(i64::from(minutes));
        Ok(json!({ "ok": true, "until": time::format(until) }))
    }

    /// True if nothing of this session is to be shown now.
    pub(super) fn is_muted(&self, session: Option<&SessionId>) -> bool {
        session.and_then(|session| self.muted_sessions.get(session)).is_some_and(|until| *until > self.now())
    }
}
