//! What is done at which event: the same for all agents.

mod attribution;
mod claiming;
mod commands;
mod context;
mod corrections;
mod edits;
mod follow_up;
mod guard;
mod head;
mod leases;
mod messages;
mod other_directories;
mod persons_editor;
mod recording;
mod run_advice;
mod sub_agents;
mod sweeping;
mod turns;
mod who_is_here;
mod windows;

use crate::answer::Answer;
use crate::event::{EventKind, HookEvent};
use crate::shell;
use crate::surroundings::{Surroundings, UnsurePolicy};
use context::{SessionContext, Trouble};
use deconflict_protocol::text::quoted;
use deconflict_workspace::last_commit;

pub use follow_up::FollowUp;

/// Answers an event, and says what is to be done once the agent has the answer.
pub fn respond(event: &HookEvent, surroundings: &Surroundings) -> (Answer, FollowUp) {
    let mut follow_up = FollowUp::default();
    let _kept_open = last_commit::keep_open();
    let answer =
        answer(event, surroundings, &mut follow_up).unwrap_or_else(|trouble| unsure(event, surroundings, &trouble));
    (answer, follow_up)
}

/// The answer to an event when the time is over before there is another.
pub fn too_late(event: &HookEvent, surroundings: &Surroundings) -> Answer {
    unsure(event, surroundings, &Trouble::Late)
}

/// Never silent: the user and the model are told, and the policy decides about an edit.
fn unsure(event: &HookEvent, surroundings: &Surroundings, trouble: &Trouble) -> Answer {
    let cause = quoted(&trouble.to_string(), 600);
    let is_edit = matches!(event.kind, EventKind::BeforeEdit(_));
    match surroundings.policy.when_unsure {
        UnsurePolicy::Deny if is_edit => {
            let reason = format!(
                "deconflict could not tell whether somebody else holds this, and is set to refuse then: {cause}. Nothing was changed. `deconflict doctor` says what is wrong."
            );
            Answer { notice: Some(reason.clone()), ..Answer::refuse(reason) }
        }
        UnsurePolicy::Allow | UnsurePolicy::Deny => Answer::warning(if is_edit {
            format!(
                "deconflict could not tell whether somebody else holds this, so the edit was neither claimed nor checked: {cause}. `deconflict doctor` says what is wrong."
            )
        } else {
            format!("deconflict could not do its part: {cause}. `deconflict doctor` says what is wrong.")
        }),
    }
}

fn answer(event: &HookEvent, surroundings: &Surroundings, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
    let context = SessionContext::open(event, surroundings)?;
    if !context.location.may_be_joined() {
        return Ok(context.not_joined());
    }
    let context = match context.registry_at(&context.location)? {
        Some(registry) => Ok(context.with(registry)),
        None if context.was_deleted() || context.claims_by_command()? => Ok(context.make()?),
        None => Err(context),
    };
    let (mut answer, others) = match context {
        Ok(context) => {
            let context = context.below_its_parent()?;
            // The end of a session forgets where else it took part.
            let others = context.others_concerned()?;
            (context.respond(follow_up)?, others)
        }
        Err(context) => {
            let others = context.edited_elsewhere()?;
            (context.respond()?, others)
        }
    };
    for other in others {
        let brings_messages = |place: &FollowUp| place.delivered.is_some();
        let is_full = brings_messages(follow_up) || follow_up.elsewhere.iter().any(brings_messages);
        let mut theirs = FollowUp { is_full, ..FollowUp::default() };
        answer.add(other.context.respond(&mut theirs)?);
        follow_up.elsewhere.push(theirs);
    }
    Ok(answer)
}

impl SessionContext<'_, ()> {
    /// True before a command that certainly writes what may be claimed, or uses what is shared here: as by an edit, the
    /// first claim makes the directory.
    fn claims_by_command(&self) -> Result<bool, Trouble> {
        let EventKind::BeforeCommand { command, folder } = &self.event.kind else { return Ok(false) };
        if !self.may_make() {
            return Ok(false);
        }
        Ok(!self.sort(&shell::written(command, folder))?.claimed.is_empty()
            || !self.used_without_run(command, folder).is_empty())
    }

    fn respond(self) -> Result<Answer, Trouble> {
        match &self.event.kind {
            EventKind::BeforeEdit(paths) => self.before_first_edit(paths),
            EventKind::SessionStarted | EventKind::ShellStarted => {
                Ok(Answer { environment: self.environment(), ..Answer::default() })
            }
            // Where nobody coordinates there is nothing to say.
            _ => Ok(Answer::default()),
        }
    }
}

impl SessionContext<'_> {
    /// What is done at every event: what others did to the session's work comes in, also in the middle of a turn.
    fn go_on(&self, answer: &mut Answer, follow_up: &mut FollowUp) -> Result<(), Trouble> {
        // Of what is refused nothing is kept; before a command it was looked when it mattered.
        let is_looked_for = !matches!(
            self.event.kind,
            EventKind::BeforeCommand { .. } | EventKind::SessionEnded | EventKind::ShellStarted
        );
        if answer.refusal.is_some() {
            return Ok(());
        }
        if is_looked_for {
            if self.event.kind == EventKind::Prompted {
                self.keep_held();
            }
            self.notice(answer)?;
            self.tell_of_corrections(answer);
            if self.surroundings.agent.takes_context(&self.event.name) && self.is_own_live()? {
                self.notice_move(answer)?;
            }
        }
        match self.event.kind {
            EventKind::BeforeEdit(_) | EventKind::BeforeCommand { .. } | EventKind::AfterRead(_) => {
                self.deliver_losses(answer, follow_up)
            }
            _ => Ok(()),
        }
    }

    fn respond(self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let mut answer = match &self.event.kind {
            EventKind::SessionStarted => self.session_started(follow_up),
            EventKind::ShellStarted => Ok(Answer { environment: self.environment(), ..Answer::default() }),
            EventKind::Prompted => self.prompted(follow_up),
            EventKind::BeforeEdit(paths) => self.before_edit(paths),
            EventKind::BeforeCommand { command, folder } => self.before_command(command, folder),
            EventKind::AfterEdit(paths) => self.after_edit(paths, follow_up),
            EventKind::AfterRead(paths) => self.after_read(paths),
            EventKind::AfterCommand { command } => self.after_command(command, follow_up),
            EventKind::SubAgentStarted => self.sub_agent_started(),
            EventKind::SubAgentEnded => self.sub_agent_ended(follow_up),
            EventKind::SubAgentExpected(sub_agent) => self.sub_agent_expected(sub_agent.clone()),
            EventKind::SubAgentDone { id, session, is_tools_end } => {
                self.sub_agent_done(id.as_ref(), session.as_ref(), *is_tools_end, follow_up)
            }
            EventKind::TurnEnded => self.turn_ended(follow_up),
            EventKind::SessionEnded => self.session_ended(follow_up),
        };
        if let Ok(answer) = &mut answer {
            self.go_on(answer, follow_up)?;
        }
        follow_up.told = self.told_by_then();
        follow_up.failure = self.failure.into_inner();
        follow_up.registry = Some(self.registry);
        answer
    }
}
