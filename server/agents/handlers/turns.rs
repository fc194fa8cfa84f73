//! Sessions and turns: how they begin and how they end.

use super::context::{SessionContext, Trouble};
use std::path::PathBuf;

use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::words;
use deconflict_changes::end_removed_worktrees;
use deconflict_journal::Journal;
use deconflict_protocol::SessionRecord;
use deconflict_registry::{Error, Locking, Session};

impl SessionContext<'_> {
    /// Registers, and tells who else is here.
    pub(super) fn session_started(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = match self.take_part() {
            Ok(session) => session,
            Err(Trouble::Registry(error @ Error::ReadOnly { .. })) => {
                // Who can only look is told so once; what others hold is respected all the same.
                let mut answer = Answer::notice(format!("deconflict is only watching. {}", words::failure(&error)));
                self.tell_who_is_here(&mut answer)?;
                return Ok(answer);
            }
            Err(trouble) => return Err(trouble),
        };
        let mut answer = Answer { environment: self.environment(), ..Answer::default() };
        self.unless_failed(end_removed_worktrees(&self.registry, &self.namer));
        // Whatever else keeps the lock from being taken is told when an edit needs it.
        self.tell_if_only_advice(self.registry.try_locking().unwrap_or(Locking::Enforced), &mut answer);
        let others_are_here = self.tell_who_is_here(&mut answer)?;
        self.tell_of_guard(others_are_here, &mut answer);
        self.deliver_messages(&session, &mut answer, follow_up)?;
        follow_up.refresh_board = true;
        follow_up.clean_up = Some(self.states.clone());
        follow_up.maintained = self.maintained();
        Ok(answer)
    }

    pub(super) fn prompted(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = self.take_part()?;
        self.look_for_window(&session)?;
        self.set_turn(&session, SessionRecord::WORKING);
        // Of a turn that was interrupted many agents don't tell the end: it ended before this prompt at the latest.
        if self.hook_state(&self.own).is_turn_open {
            self.settle()?;
            follow_up.refresh_board = true;
        }
        self.between_tools(&session, follow_up)
    }

    pub(super) fn turn_ended(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        // An agent that did nothing here needs no session for it.
        if !self.is_own_live()? {
            return Ok(Answer::default());
        }
        if self.surroundings.agent.hides_parents && self.own != self.main {
            return self.sub_agent_ended(follow_up);
        }
        self.attribute_untold()?;
        self.settle()?;
        if let Some(session) = self.registry.session(&self.own)? {
            // What was told of since an earlier end speaks for an agent that works, so this end is written anew.
            self.work_on(&session);
            self.unless_failed(self.registry.set_turn(&self.own, SessionRecord::WAITING));
        }
        follow_up.refresh_board = true;
        follow_up.maintained = self.maintained();
        Ok(Answer::default())
    }

    /// Of some commands an agent never tells the end: it was interrupted, or took the command for a patch. What they changed is
    /// the session's all the same.
    fn attribute_untold(&self) -> Result<(), Trouble> {
        let runs = &self.hook_state(&self.own).runs;
        if runs.is_empty() {
            return Ok(());
        }
        if let Some(session) = self.registry.session(&self.own)? {
            for run in runs {
                self.attribute(&session, run, &mut Answer::default())?;
            }
        }
        Ok(())
    }

    /// The agent does something, so it does not wait. What its record did not say at all it need not say now.
    pub(super) fn work_on(&self, session: &Session) {
        if session.record.is_waiting() {
            self.set_turn(session, SessionRecord::WORKING);
        }
    }

    fn maintained(&self) -> Option<(Journal, PathBuf)> {
        Some((self.journal.clone()?, self.location.directory.clone()))
    }

    /// Says in the session's record that the agent works, or that it waits for its user.
    fn set_turn(&self, session: &Session, turn: &str) {
        if session.record.turn.as_deref() != Some(turn) {
            self.unless_failed(self.registry.set_turn(&session.id, turn));
        }
    }

    /// Tells what the turn changed, and gives up what it needs no more.
    fn settle(&self) -> Result<(), Trouble> {
        if self.surroundings.agent.hides_parents {
            // Nobody may have told of the end of a sub-agent. One that works on begins anew.
            for sub_agent in &self.hook_state(&self.main).sub_agents {
                self.end_sub_agent(sub_agent)?;
            }
        }
        self.tell_others(&self.own, true)?;
        // Of a command that was interrupted nobody tells the end.
        for run in &self.hook_state(&self.own).runs {
            self.command_ends(run)?;
        }
        self.cut_leases()?;
        self.stop_watching_committed()
    }

    /// Ends the session, and releases everything once the agent has its answer, because it doesn't wait long. An agent
    /// may go on under another session in the same process, so sub-agents end too. The end of a sub-agent's session is
    /// not that of its agent's.
    pub(super) fn session_ended(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        if self.own != self.main {
            return self.sub_agent_ended(follow_up);
        }
        let mut ending = self.hook_state(&self.main).sub_agents.clone();
        ending.push(self.main.clone());
        follow_up.ended = self.registry.complete_together(&ending)?;
        for id in &ending {
            self.states.forget(&self.registry, id)?;
        }
        follow_up.refresh_board = true;
        Ok(Answer::default())
    }
}
