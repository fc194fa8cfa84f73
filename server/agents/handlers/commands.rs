//! Before and after a shell command.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::attribution::FILE_CLOCK;
use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::file_state::{has_changed, written_at};
use crate::hook_state::{HookState, Run};
use crate::shell::{self, Deed, Effect, Target};
use crate::surroundings::ShellPolicy;
use deconflict_protocol::Resource;
use deconflict_registry::{Claim, Error};
use deconflict_words::COMMIT_OWN;
use deconflict_workspace::{Kind, Repository, committed};

/// So many files are compared with the last commit for one command; about the others nothing is said.
const MOST_COMPARED: usize = 50;

const MOST_NAMED: usize = 8;

/// A file of another session that a command would do something to.
struct Hit {
    deed: Deed,
    wanted: Resource,
    claim: Claim,
}

impl SessionContext<'_> {
    /// Looks whether a command would certainly touch what another session holds.
    pub(super) fn before_command(&self, command: &str, folder: &Path) -> Result<Answer, Trouble> {
        let mut answer = self.judge_command(command, folder)?;
        let summary = shell::summary(command, folder);
        if answer.refusal.is_some() || (summary.only_reads && !command.is_empty()) {
            return Ok(answer);
        }
        match self.take_part() {
            // What others hold is respected all the same.
            Err(Trouble::Registry(Error::ReadOnly { .. })) => return Ok(answer),
            session => self.work_on(&session?),
        }
        // What was changed before is not the command's.
        self.notice(&mut answer)?;
        self.command_begins(Run { at: self.now(), digest: Run::digest_of(command), words: summary.words })?;
        Ok(answer)
    }

    fn judge_command(&self, command: &str, folder: &Path) -> Result<Answer, Trouble> {
        let policy = self.surroundings.policy.shell;
        if policy == ShellPolicy::Off {
            return Ok(Answer::default());
        }
        let mut hits: Vec<Hit> = Vec::new();
        let mut compared = 0;
        for effect in shell::effects(command, folder) {
            self.collect_hits(&effect, &mut compared, &mut hits)?;
        }
        if hits.is_empty() {
            return Ok(Answer::default());
        }
        let text = self.told_as_hit(&hits);
        Ok(if policy == ShellPolicy::Deny {
            Answer::refuse(format!("This command was not run. {text}"))
        } else {
            Answer::warning(format!("Careful. {text}"))
        })
    }

    fn collect_hits(&self, effect: &Effect, compared: &mut usize, hits: &mut Vec<Hit>) -> Result<(), Trouble> {
        // Where it cannot be told what a command means, nothing is said.
        let wanted = match &effect.target {
            Target::Path(path) => self.namer.resource_at(path).ok(),
            Target::Repository(folder) => {
                let folder = self.namer.real_path(folder).ok();
                let root = folder.as_deref().and_then(|folder| Repository::containing(folder).ok().flatten());
                root.and_then(|repository| self.namer.resource(repository.root(), Kind::Directory).ok())
            }
        };
        let Some(wanted) = wanted else { return Ok(()) };
        for claim in self.registry.obstacles(&self.own, &wanted)? {
            let is_file_or_directory = claim.resource.is_file() || claim.resource.is_directory();
            let is_known = hits.iter().any(|hit| hit.claim.resource == claim.resource && hit.deed == effect.deed);
            if is_known || !is_file_or_directory || !self.stands_against(&claim) {
                continue;
            }
            if effect.only_changed {
                // Of a directory that is held, or one that this is in, nobody knows what in it has changed.
                let file = if claim.resource.is_file() { &claim.resource } else { &wanted };
                let Some(path) = self.namer.path_of(file).filter(|_| file.is_file()) else { continue };
                *compared += 1;
                if *compared > MOST_COMPARED || committed::equals_last_commit(&path).unwrap_or(true) {
                    continue;
                }
            }
            let touched = if claim.resource.covers(&wanted) { wanted.clone() } else { claim.resource.clone() };
            hits.push(Hit { deed: effect.deed, wanted: touched, claim });
        }
        Ok(())
    }

    fn told_as_hit(&self, hits: &[Hit]) -> String {
        let mut text = String::new();
        for hit in hits.iter().take(MOST_NAMED) {
            let held = self.told_as_held(&hit.claim, &hit.wanted);
            let deed = format!("It would {} {}.", hit.deed.words(), hit.wanted.in_a_sentence());
            text.push_str(&format!("{deed} {held}\n"));
        }
        if hits.len() > MOST_NAMED {
            text.push_str(&format!("And {} more.\n", hits.len() - MOST_NAMED));
        }
        let is_sweeping = hits.iter().any(|hit| matches!(hit.deed, Deed::Stage | Deed::Commit | Deed::Stash));
        if is_sweeping {
            text.push_str("Name the files that you changed yourself instead of taking everything.\n");
        }
        if hits.iter().any(|hit| matches!(hit.deed, Deed::Stage | Deed::Commit)) {
            text.push_str(&format!("{COMMIT_OWN}\n"));
        }
        if let Some(hit) = hits.first() {
            text.push_str(&self.advice(&hit.claim));
        }
        text
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
