//! Before and after a shell command.

use std::path::Path;

use chrono::TimeDelta;

use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::file_state::{has_changed, written_at};
use crate::hook_state::Note;
use crate::shell::{self, Deed, Effect, Target};
use crate::surroundings::ShellPolicy;
use deconflict_protocol::Resource;
use deconflict_registry::Claim;
use deconflict_workspace::{Kind, Repository, committed};

/// So many files are compared with the last commit for one command; about the others nothing is said.
const MOST_COMPARED: usize = 50;

const MOST_NAMED: usize = 8;

/// File systems tell times by a clock that ticks only every few milliseconds, and so lags behind.
const FILE_CLOCK: TimeDelta = TimeDelta::milliseconds(50);

/// A file of another session that a command would do something to.
struct Hit {
    deed: Deed,
    wanted: Resource,
    claim: Claim,
}

impl SessionContext<'_> {
    /// Looks whether a command would certainly touch what another session holds.
    pub(super) fn before_command(&self, command: &str, folder: &Path) -> Result<Answer, Trouble> {
        let policy = self.surroundings.policy.shell;
        // An agent that has no session yet has nothing to remember.
        if self.registry.session(&self.own)?.is_some() {
            self.note(&self.own, &[Note::CommandBegan { at: self.now() }])?;
        }
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
        if let Some(hit) = hits.first() {
            text.push_str(&self.advice(&hit.claim));
        }
        text
    }

    /// What a command changed is known to whoever ran it, as far as nobody else holds it.
    pub(super) fn after_command(&self, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        let session = self.take_part()?;
        let state = self.hook_state(&self.own);
        let mut notes = Vec::new();
        if let Some(began) = state.command_began_at {
            for (resource, state) in &state.seen {
                let Some(path) = self.namer.path_of(resource) else { continue };
                let is_of_now = written_at(&path).is_none_or(|written| written >= began - FILE_CLOCK);
                if !is_of_now || !has_changed(&path, state) {
                    continue;
                }
                if self.obstacle(resource)?.is_none() {
                    notes.extend(self.sighting(resource));
                }
            }
        }
        self.note(&self.own, &notes)?;
        self.between_tools(&session, follow_up)
    }
}
