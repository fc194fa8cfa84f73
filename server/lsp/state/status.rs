//! How things stand, for an editor's status bar.

use serde_json::{Value, json};

use super::directory::{DirectoryContext, Participation};
use super::server_state::ServerState;
use crate::effect::Effect;

impl ServerState {
    /// Tells the editor how things stand if that is new, and that something is new at all.
    pub(super) fn tell_status(&mut self) {
        if self.editor.wants_changes {
            self.effects.push(Effect::Changed);
        }
        if !self.editor.wants_status {
            return;
        }
        let status = self.status();
        if self.told_status.as_ref() != Some(&status) {
            self.told_status = Some(status.clone());
            self.effects.push(Effect::Status(status));
        }
    }

    fn status(&self) -> Value {
        let (mut held, mut held_by_others, mut sessions, mut unread) = (0, 0, 0, 0);
        for directory in self.directories.values() {
            held += directory.own.values().filter(|own| !directory.has_lapsed(&own.claim, self.clock.now())).count();
            unread += directory.unread.len();
            let Some(view) = &directory.view else { continue };
            held_by_others += view.claims().filter(|claim| claim.is_active() && !directory.is_own(claim)).count();
            sessions += view.sessions().filter(|session| session.is_live() && !session.is_forgotten()).count();
        }
        json!({
            "ok": true,
            "session": self.own_session(),
            "state": self.activity(),
            "messages": { "unread": unread },
            "held": held,
            "heldByOthers": held_by_others,
            "liveSessions": sessions,
        })
    }

    fn own_session(&self) -> Value {
        let session = self.directories.values().find_map(DirectoryContext::session);
        // What changes with every heartbeat is left out, or the editor would be told every minute.
        session.map_or(Value::Null, |session| {
            json!({
                "session_id": session.id,
                "name": session.record.name,
                "client": session.record.client,
                "branch": session.record.branch,
                "worktree": session.record.worktree,
                "label": session.label_for_all(),
            })
        })
    }

    fn activity(&self) -> &'static str {
        let any = |is: fn(&DirectoryContext) -> bool| self.directories.values().any(is);
        if any(|directory| directory.session().is_some()) {
            "active"
        } else if any(|directory| directory.participation == Participation::Observing) {
            "observing"
        } else if any(DirectoryContext::is_active) {
            "ready"
        } else {
            "inactive"
        }
    }
}
