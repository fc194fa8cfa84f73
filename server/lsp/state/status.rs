//! How things stand, for an editor's status bar.

use std::time::Duration;

use serde_json::{Value, json};

use super::ServerState;
use super::directory::{DirectoryContext, Participation};
use super::timers::Timer;
use crate::effect::Effect;
use deconflict_registry::View;

/// Changes are gathered for so long before the editor is told.
const GATHERING: Duration = Duration::from_millis(100);

/// More claims than this take long to count.
const MANY: usize = 1_000;
const GATHERING_MANY: Duration = Duration::from_secs(1);

impl ServerState {
    /// Something changed that the status may tell.
    pub(super) fn status_may_differ(&mut self) {
        if self.editor.wants_status || self.editor.wants_changes {
            let claims = |directory: &DirectoryContext| directory.view.as_ref().map_or(0, View::number_of_claims);
            let are_many = self.directories.values().map(claims).sum::<usize>() > MANY;
            let wait = if are_many { GATHERING_MANY } else { GATHERING };
            self.timers.set_by(Timer::Status, self.now() + wait);
        }
    }

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
            let own = directory.session().map(|session| &session.id);
            let Some(view) = &directory.view else { continue };
            held_by_others +=
                view.claims().filter(|claim| claim.is_active() && !own.is_some_and(|own| claim.held_by(own))).count();
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
                "label": session.label(),
            })
        })
    }

    fn activity(&self) -> &'static str {
        let participations = || self.directories.values().map(|directory| &directory.participation);
        if participations().any(|participation| matches!(participation, Participation::Joined(_))) {
            "active"
        } else if participations().any(|participation| *participation == Participation::Observing) {
            "observing"
        } else if self.directories.values().any(DirectoryContext::is_active) {
            "ready"
        } else {
            "inactive"
        }
    }
}
