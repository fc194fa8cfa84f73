//! What is done at which event: the same for all agents.

mod commands;
mod context;
mod edits;
mod follow_up;
mod leases;
mod messages;
mod other_directories;
mod same_editor;
mod sub_agents;
mod turns;

use crate::answer::Answer;
use crate::event::{EventKind, HookEvent};
use crate::surroundings::{Surroundings, UnsurePolicy};
use context::{SessionContext, Trouble};
use deconflict_protocol::text::quoted;
use deconflict_registry::Registry;

pub use follow_up::FollowUp;

/// Answers an event, and says what is to be done once the agent has the answer.
pub fn respond(event: &HookEvent, surroundings: &Surroundings) -> (Answer, FollowUp) {
    let mut follow_up = FollowUp::default();
    let answer = SessionContext::open(event, surroundings)
        .and_then(|context| context.respond(&mut follow_up))
        .unwrap_or_else(|trouble| unsure(event, surroundings, &trouble));
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
                "deconflict could not tell whether somebody else holds this, and is told to refuse then: {cause}. \
                 Nothing was changed. `deconflict doctor` finds out what is wrong."
            );
            Answer { notice: Some(reason.clone()), ..Answer::refuse(reason) }
        }
        UnsurePolicy::Allow | UnsurePolicy::Deny => Answer::warning(if is_edit {
            format!(
                "deconflict could not tell whether somebody else holds this, so the edit was neither claimed nor checked: \
                 {cause}. `deconflict doctor` finds out what is wrong."
            )
        } else {
            format!("deconflict could not do its part: {cause}. `deconflict doctor` finds out what is wrong.")
        }),
    }
}

impl SessionContext<'_> {
    fn respond(mut self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        if !self.location.may_be_joined() {
            return Ok(self.not_joined());
        }
        let registry = self.registry()?;
        if let Some(registry) = &registry {
            self = self.below_its_parent(registry)?;
        }
        // The end of a session forgets where else it took part.
        let others = self.others_concerned(registry.as_ref())?;
        let mut answer = self.respond_here(registry, follow_up)?;
        for other in others {
            let brings_messages = |place: &FollowUp| place.delivered.is_some();
            let is_full = brings_messages(follow_up) || follow_up.elsewhere.iter().any(brings_messages);
            let mut theirs = FollowUp { is_full, ..FollowUp::default() };
            answer.add(other.context.respond_here(Some(other.registry), &mut theirs)?);
            follow_up.elsewhere.push(theirs);
        }
        Ok(answer)
    }

    /// Answers in one directory.
    fn respond_here(&self, registry: Option<Registry>, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let answer = match (&self.event.kind, &registry) {
            (EventKind::BeforeEdit(paths), _) => return self.before_edit(registry, paths),
            (EventKind::SessionStarted, None) => Ok(Answer { environment: self.environment(), ..Answer::default() }),
            (EventKind::ShellStarted, _) => return Ok(Answer { environment: self.environment(), ..Answer::default() }),
            // Where nobody coordinates there is nothing to say.
            (_, None) => Ok(Answer::default()),
            (EventKind::SessionStarted, Some(registry)) => self.session_started(registry, follow_up),
            (EventKind::Prompted, Some(registry)) => self.prompted(registry, follow_up),
            (EventKind::BeforeCommand { command, folder }, Some(registry)) => {
                return self.before_command(registry, command, folder);
            }
            (EventKind::AfterEdit(paths), Some(registry)) => self.after_edit(registry, paths, follow_up),
            (EventKind::AfterRead(paths), Some(registry)) => return self.after_read(registry, paths),
            (EventKind::AfterCommand, Some(registry)) => self.after_command(registry, follow_up),
            (EventKind::SubAgentStarted, Some(registry)) => self.sub_agent_started(registry),
            (EventKind::SubAgentEnded, Some(registry)) => self.sub_agent_ended(registry, follow_up),
            (EventKind::SubAgentExpected(sub_agent), Some(registry)) => {
                self.sub_agent_expected(registry, sub_agent.clone())
            }
            (EventKind::SubAgentDone { id, session, is_tools_end }, Some(registry)) => {
                self.sub_agent_done(registry, id.as_ref(), session.as_ref(), *is_tools_end, follow_up)
            }
            (EventKind::TurnEnded, Some(registry)) => self.turn_ended(registry, follow_up),
            (EventKind::SessionEnded, Some(registry)) => self.session_ended(registry, follow_up),
        };
        follow_up.registry = registry;
        answer
    }
}
