//! Who works here, and which servers run.

use deconflict_registry::{Registry, Session, SessionState};

use super::super::context::{Context, SESSION_VARIABLE};
use super::super::{identity, words};
use super::report::Report;

impl Report {
    pub(super) fn check_sessions(&mut self, context: &Context, registry: &Registry, sessions: &[Session]) {
        let alive = self.told("live-sessions", registry.live_sessions()).unwrap_or_default();
        self.fact("live_sessions", "Sessions", format!("{} live", alive.len()));
        self.fact("servers", "Servers", servers(&alive));
        self.check_identity(context, registry);
        for session in sessions {
            let who = words::who(Some(session), &session.id);
            let last = words::moment(session.last_sign, context.now());
            match session.state {
                SessionState::Gone => self.note(
                    "session-gone",
                    format!("{who} is gone without having ended; it was last seen {last}."),
                    "What it held is free to claim. Its record will be removed after 7 days.",
                ),
                SessionState::Silent => self.note(
                    "session-silent",
                    format!("{who} has been silent since {last}."),
                    format!("If it is over: deconflict end --session {}", words::shell_word(session.id.as_str())),
                ),
                SessionState::Live | SessionState::Completed => {}
            }
        }
        self.check_current_session(registry, &alive);
    }

    fn check_identity(&mut self, context: &Context, registry: &Registry) {
        match (identity::find(context, registry), context.named_session()) {
            (Ok(Some(own)), _) => self.fact("session", "You", own.label_and_id()),
            (Ok(None), Ok(Some(named))) => self.problem(
                "unknown-session",
                format!("{SESSION_VARIABLE} names {named}, but there is no such session here."),
                format!("Begin it: deconflict start --session {named}. Or: unset {SESSION_VARIABLE}"),
            ),
            (Ok(None), _) => self.fact("session", "You", "no session"),
            (Err(failure), _) => self.problem(failure.reason, failure.message, failure.advice.join(" ")),
        }
    }

    fn check_current_session(&mut self, registry: &Registry, alive: &[Session]) {
        let Some(Some(current)) = self.told("current-session", registry.current_session()) else { return };
        let live = alive.len();
        if alive.iter().all(|session| session.id != current) {
            self.note(
                "current-session",
                format!(".current_session names {current}, which is no live session."),
                "The original scripts would act in its name: delete the file.",
            );
        } else if live > 1 {
            self.note(
                "current-session",
                format!(".current_session names {current}, and there are {live} live sessions."),
                "The original scripts act as that one, whoever runs them; use DECONFLICT_SESSION.",
            );
        }
    }
}

/// The editors whose servers run here: these promise to refresh their records.
fn servers(alive: &[Session]) -> String {
    let is_server = |session: &&Session| session.is_kept_alive();
    let named: Vec<String> = alive.iter().filter(is_server).map(Session::label).collect();
    match named.len() {
        0 => "none runs for this workspace".to_owned(),
        number => format!("{number} for this workspace: {}", named.join(", ")),
    }
}
