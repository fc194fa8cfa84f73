//! Sessions and turns: how they begin and how they end.

use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::words;
use deconflict_protocol::text::quoted;
use deconflict_registry::{Claim, Error, Locking, Registry, Session, SessionState};

/// So many other sessions are described.
const MOST_SESSIONS: usize = 8;

/// So many claims of each are named.
const MOST_CLAIMS: usize = 5;

impl SessionContext<'_> {
    /// Registers, and tells who else is here.
    pub(super) fn session_started(&self, registry: &Registry, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = match self.take_part(registry) {
            Ok(session) => session,
            Err(Trouble::Registry(error @ Error::ReadOnly { .. })) => {
                // Who can only look is told so once; what others hold is respected all the same.
                let mut answer = Answer::notice(format!("deconflict only looks. {}", words::failure(&error)));
                self.tell_who_is_here(registry, &mut answer)?;
                return Ok(answer);
            }
            Err(trouble) => return Err(trouble),
        };
        let mut answer = Answer { environment: self.environment(), ..Answer::default() };
        // Whatever else keeps the lock from being taken is told when an edit needs it.
        self.tell_if_only_advice(registry.try_locking().unwrap_or(Locking::Enforced), &mut answer);
        self.tell_who_is_here(registry, &mut answer)?;
        self.deliver_messages(registry, &session, &mut answer, follow_up)?;
        follow_up.refresh_board = true;
        follow_up.clean_up = Some(self.states.clone());
        Ok(answer)
    }

    pub(super) fn prompted(&self, registry: &Registry, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = self.take_part(registry)?;
        // Of a turn that was interrupted many agents don't tell the end: it ended before this prompt at the latest.
        if self.hook_state(registry, &self.own).is_turn_open {
            self.settle(registry)?;
            follow_up.refresh_board = true;
        }
        self.between_tools(registry, &session, follow_up)
    }

    pub(super) fn turn_ended(&self, registry: &Registry, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        // An agent that did nothing here needs no session for it.
        if registry.session(&self.own)?.is_none_or(|session| !session.is_live()) {
            return Ok(Answer::default());
        }
        if self.surroundings.agent.hides_parents && self.own != self.main {
            return self.sub_agent_ended(registry, follow_up);
        }
        self.settle(registry)?;
        follow_up.refresh_board = true;
        Ok(Answer::default())
    }

    /// Tells what the turn changed, and gives up what it needs no more.
    fn settle(&self, registry: &Registry) -> Result<(), Trouble> {
        if self.surroundings.agent.hides_parents {
            // Nobody may have told of the end of a sub-agent. One that works on begins anew.
            for sub_agent in self.hook_state(registry, &self.main).sub_agents {
                self.end_sub_agent(registry, &sub_agent)?;
            }
        }
        self.tell_others(registry, &self.own, true)?;
        self.cut_leases(registry)
    }

    /// Ends the session, and releases everything once the agent has its answer, because it doesn't wait long. An agent
    /// may go on under another session in the same process, so sub-agents end too. The end of a sub-agent's session is
    /// not that of its agent's.
    pub(super) fn session_ended(&self, registry: &Registry, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        if self.own != self.main {
            return self.sub_agent_ended(registry, follow_up);
        }
        let mut ending = self.hook_state(registry, &self.main).sub_agents;
        ending.push(self.main.clone());
        follow_up.ended = registry.complete_together(&ending)?;
        for id in &ending {
            self.states.forget(registry, id)?;
        }
        follow_up.refresh_board = true;
        Ok(Answer::default())
    }

    pub(super) fn tell_who_is_here(&self, registry: &Registry, answer: &mut Answer) -> Result<(), Trouble> {
        let sub_agents = self.hook_state(registry, &self.main).sub_agents;
        let is_other =
            |session: &Session| session.id != self.main && session.id != self.own && !sub_agents.contains(&session.id);
        let mut others = registry.sessions()?;
        others.retain(|session| session.state == SessionState::Live && is_other(session));
        if others.is_empty() {
            return Ok(());
        }
        let claims = registry.claims()?;
        let mut text =
            format!("You share this clone with {}, as deconflict knows:", words::count(others.len(), "other session"));
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
        Ok(())
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
