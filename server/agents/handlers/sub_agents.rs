//! Sub-agents: how they begin, whose they are, and how they end.

use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::event::{EventKind, ExpectedSubAgent};
use crate::hook_state::Note;
use crate::names::session_id;
use deconflict_changes::author_of;
use deconflict_protocol::SessionId;
use deconflict_registry::{ClaimAllOutcome, Predecessor, Session, Terms};

impl SessionContext<'_> {
    /// Finds out whose sub-agent this session is, where its events don't say so.
    ///
    /// A session in which the user spoke, or that was started by itself, is nobody's. One that turns up without either
    /// while a session of the same process waits for a sub-agent is that sub-agent; where two sessions wait, it cannot be
    /// told whose it is.
    pub(super) fn below_its_parent(mut self) -> Result<Self, Trouble> {
        if !self.surroundings.agent.hides_parents {
            return Ok(self);
        }
        match self.event.kind {
            EventKind::SessionStarted | EventKind::Prompted => {
                self.stand_on_its_own()?;
                return Ok(self);
            }
            EventKind::SubAgentExpected(_) | EventKind::SubAgentDone { .. } => return Ok(self),
            _ => {}
        }
        let parent = match self.hook_state(&self.own).part_of.clone() {
            None if self.registry.session(&self.own)?.is_none() => self.expecting_session()?,
            known => known,
        };
        if let Some((session, kind)) = parent {
            self.main = session;
            self.kind = kind;
        }
        Ok(self)
    }

    fn stand_on_its_own(&self) -> Result<(), Trouble> {
        if let Some((parent, _)) = self.hook_state(&self.own).part_of.clone() {
            self.note(&self.own, &[Note::OnItsOwn])?;
            self.note(&parent, &[Note::SubAgentEnded { session: self.own.clone() }])?;
        }
        Ok(())
    }

    fn expecting_session(&self) -> Result<Option<(SessionId, Option<String>)>, Trouble> {
        let agent = self.surroundings.agent;
        let process = (self.surroundings.processes)(agent).agent.map(|process| process.pid);
        let is_of_this_process = |session: &Session| {
            session.is_live() && session.client() == Some(agent.name) && session.record.pid == process
        };
        let mut found = None;
        for session in self.registry.sessions()?.into_iter().filter(is_of_this_process) {
            let expected = &self.hook_state(&session.id).expected;
            let Some(first) = expected.first() else { continue };
            if found.is_some() {
                return Ok(None);
            }
            let is_certain = expected.iter().all(|sub_agent| sub_agent.kind == first.kind);
            found = Some((session.id, first.kind.clone().filter(|_| is_certain)));
        }
        if let Some((session, kind)) = found.clone() {
            self.note(&self.own, &[Note::PartOf { session, kind }])?;
        }
        Ok(found)
    }

    /// A sub-agent is told who is here, because it has not heard what its agent was told. It registers with its first
    /// edit: most only read.
    pub(super) fn sub_agent_started(&self) -> Result<Answer, Trouble> {
        let mut answer = Answer::default();
        self.tell_who_is_here(&mut answer)?;
        Ok(answer)
    }

    /// Remembers that a sub-agent will turn up in a session of its own.
    pub(super) fn sub_agent_expected(&self, sub_agent: ExpectedSubAgent) -> Result<Answer, Trouble> {
        self.take_part()?;
        self.note(&self.main, &[Note::SubAgentExpected(sub_agent)])?;
        Ok(Answer::default())
    }

    /// What the sub-agent held goes to its agent. Where it is not told which one is done, none ends before all are.
    pub(super) fn sub_agent_done(
        &self,
        id: Option<&String>,
        session: Option<&String>,
        is_tools_end: bool,
        follow_up: &mut FollowUp,
    ) -> Result<Answer, Trouble> {
        if !self.is_live(&self.main)? {
            return Ok(Answer::default());
        }
        let works_on = |sub_agent: &ExpectedSubAgent| Some(&sub_agent.id) == id && sub_agent.has_begun;
        if is_tools_end && self.hook_state(&self.main).expected.iter().any(works_on) {
            return Ok(Answer::default());
        }
        self.note(&self.main, &[Note::SubAgentNotExpected { id: id.cloned() }])?;
        let state = self.hook_state(&self.main);
        let named = session.map(|session| session_id(self.surroundings.agent, session, None)).transpose()?;
        let named = named.filter(|named| *named != self.main);
        let done = match named {
            Some(named) if self.is_live(&named)? => vec![named],
            _ if state.expected.is_empty() => state.sub_agents.clone(),
            _ => Vec::new(),
        };
        for sub_agent in &done {
            self.end_sub_agent(sub_agent)?;
        }
        follow_up.refresh_board = !done.is_empty();
        Ok(Answer::default())
    }

    pub(super) fn sub_agent_ended(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        if self.own == self.main || !self.is_own_live()? {
            return Ok(Answer::default());
        }
        self.end_sub_agent(&self.own)?;
        self.lives.set(false);
        follow_up.refresh_board = true;
        Ok(Answer::default())
    }

    /// What a sub-agent held goes to its agent, whose work it was; then it is gone.
    pub(super) fn end_sub_agent(&self, sub_agent: &SessionId) -> Result<(), Trouble> {
        self.tell_others(sub_agent, true)?;
        self.inherit_from(sub_agent)?;
        self.note(&self.main, &[Note::SubAgentEnded { session: sub_agent.clone() }])
    }

    fn inherit_from(&self, sub_agent: &SessionId) -> Result<(), Trouble> {
        let state = self.hook_state(sub_agent);
        let heir = self.registry.session(&self.main)?.map(|session| author_of(&session));
        let terms = Terms { automatic: true, ..Terms::default() };
        let mut notes = Vec::new();
        for resource in &state.claimed {
            // It may have been lost meanwhile; then there is nothing to go over.
            let is_held = self.registry.claim_of(resource)?.is_some_and(|claim| claim.held_by(sub_agent));
            if !is_held {
                continue;
            }
            let one = std::slice::from_ref(resource);
            if let ClaimAllOutcome::Granted(_) =
                self.registry.claim_all(&self.main, Some(Predecessor::Always(sub_agent)), one, &terms)?
            {
                if let (Some(journal), Some(heir)) = (&self.journal, &heir) {
                    self.unless_failed(journal.give(resource, sub_agent, heir, self.now()));
                }
                notes.extend(self.sighting(resource));
                notes.push(Note::Claimed { resource: resource.clone() });
            }
        }
        self.note(&self.main, &notes)?;
        let ended = self.registry.complete_together(std::slice::from_ref(sub_agent))?;
        self.registry.release_all_ended(&ended)?;
        self.states.forget(&self.registry, sub_agent)?;
        if self.surroundings.agent.hides_parents {
            // If it goes on all the same, it is known whose it is.
            let kind = state.part_of.as_ref().and_then(|(_, kind)| kind.clone());
            self.note(sub_agent, &[Note::PartOf { session: self.main.clone(), kind }])?;
        }
        Ok(())
    }
}
