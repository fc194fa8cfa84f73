//! Who else is here, and what they hold.

use super::context::{SessionContext, Trouble};
use crate::answer::Answer;
use crate::words;
use deconflict_protocol::text::quoted;
use deconflict_registry::{Claim, Session, SessionState};

/// So many other sessions are described.
const MOST_SESSIONS: usize = 8;

/// So many claims of each are named.
const MOST_CLAIMS: usize = 5;

impl SessionContext<'_> {
    /// Returns whether anybody is.
    pub(super) fn tell_who_is_here(&self, answer: &mut Answer) -> Result<bool, Trouble> {
        let sub_agents = &self.hook_state(&self.main).sub_agents;
        let is_other =
            |session: &Session| session.id != self.main && session.id != self.own && !sub_agents.contains(&session.id);
        let mut others = self.registry.sessions()?;
        others.retain(|session| session.state == SessionState::Live && is_other(session));
        if others.is_empty() {
            return Ok(false);
        }
        let claims = self.registry.claims()?;
        let mut text = format!(
            "You share this clone with {}, according to deconflict:",
            words::count(others.len(), "other session")
        );
        for session in others.iter().take(MOST_SESSIONS) {
            text.push_str(&format!("\n- {}", described(session, &claims)));
        }
        if others.len() > MOST_SESSIONS {
            text.push_str(&format!("\n- and {} more: deconflict status", others.len() - MOST_SESSIONS));
        }
        text.push_str(
            "\nEach file is claimed for you before you edit it, and an edit of what another session holds is refused. \
             `deconflict status` tells more.",
        );
        answer.tell(text);
        Ok(true)
    }
}

fn described(session: &Session, claims: &[Claim]) -> String {
    let mut text = words::who(Some(session), &session.id);
    let work = session.work().map(|work| quoted(work, 120));
    if let Some(work) = work {
        text.push_str(&format!(", working on {work}"));
    }
    let held: Vec<&Claim> = claims.iter().filter(|claim| claim.is_active() && claim.held_by(&session.id)).collect();
    if held.is_empty() {
        return text + ", holds nothing";
    }
    let named: Vec<String> = held.iter().take(MOST_CLAIMS).map(|claim| claim.resource.in_a_sentence()).collect();
    text.push_str(&format!(", holds {}", named.join(", ")));
    if held.len() > MOST_CLAIMS {
        text.push_str(&format!(" and {} more", held.len() - MOST_CLAIMS));
    }
    text
}
