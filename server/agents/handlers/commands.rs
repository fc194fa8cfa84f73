//! Before and after a shell command.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::attribution::FILE_CLOCK;
use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::file_state::{has_changed, written_at};
use crate::hook_state::{HookState, Run};
use crate::shell;
use crate::surroundings::ShellPolicy;
use deconflict_registry::Error;

impl SessionContext<'_> {
    /// Looks whether a command would certainly touch what another session holds.
    pub(super) fn before_command(&self, command: &str, folder: &Path) -> Result<Answer, Trouble> {
        let mut answer = self.judge_command(command, folder)?;
        if answer.refusal.is_none() {
            self.advise_run(command, folder, &mut answer)?;
        }
        let summary = shell::summary(command, folder);
        if answer.refusal.is_some() || (summary.only_reads && !command.is_empty()) {
            return Ok(answer);
        }
        match self.take_part() {
            // What others hold is respected all the same.
            Err(Trouble::Registry(Error::ReadOnly { .. })) => return Ok(answer),
            session => self.work_on(&session?),
        }
        let claimed = self.claim(&self.sort(&shell::written(command, folder))?)?.answer;
        match claimed.refusal {
            Some(refusal) if self.surroundings.policy.shell == ShellPolicy::Deny => {
                return Ok(Answer::refuse(format!("This command was not run. {refusal}")));
            }
            // That was said already.
            Some(_) => {}
            None => answer.add(claimed),
        }
        // What was changed before is not the command's.
        self.keep_held();
        self.notice(&mut answer)?;
        self.notice_move(&mut answer)?;
        self.command_begins(Run {
            at: self.now(),
            digest: Run::digest_of(command),
            words: summary.words,
            moment: None,
        })?;
        Ok(answer)
    }

    /// What a command changed is the session's.
    pub(super) fn after_command(&self, command: &str, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = self.take_part()?;
        let mut answer = Answer::default();
        let state = self.hook_state(&self.own);
        if let Some(run) = state.ending(command) {
            self.command_ends(run)?;
            self.see_changes(&state, run.at)?;
            self.attribute(&session, run, &mut answer)?;
            follow_up.refresh_board = self.tell_others(&self.own, false)?;
        }
        // Said here to those who could not be told before it.
        self.advise_run(command, &self.event.folder, &mut answer)?;
        answer.add(self.between_tools(&session, follow_up)?);
        Ok(answer)
    }

    /// What a command changed is known to whoever ran it, as far as nobody else holds it.
    fn see_changes(&self, state: &HookState, began: DateTime<Utc>) -> Result<(), Trouble> {
        let mut notes = Vec::new();
        for (resource, state) in &state.seen {
            let Some(path) = self.namer.path_of(resource) else { continue };
            let is_of_now = written_at(&path).is_none_or(|written| written >= began - FILE_CLOCK);
            if is_of_now && has_changed(&path, state) && self.obstacle(resource)?.is_none() {
                notes.extend(self.sighting(resource));
            }
        }
        self.note(&self.own, &notes)
    }
}
