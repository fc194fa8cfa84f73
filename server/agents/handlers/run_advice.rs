//! Commands that need something shared which is no file, as `deconflict.toml` says: by which `deconflict run` they get it.

use std::path::Path;

use super::context::{SessionContext, Trouble};
use crate::answer::Answer;
use crate::hook_state::Note;
use crate::{shell, words};
use deconflict_workspace::{Declared, DeclaredResource, Repository};

impl<R> SessionContext<'_, R> {
    /// What a command line would use without having it, with the command that does. What runs inside `deconflict run` is
    /// no command of the line.
    pub(super) fn used_without_run(&self, line: &str, folder: &Path) -> Vec<(DeclaredResource, Vec<String>)> {
        let root = self.location.repository.as_ref().map_or_else(|| self.location.parent(), Repository::root);
        let bound: Vec<_> = Declared::read(root).resources.into_iter().filter(|it| it.command.is_some()).collect();
        if bound.is_empty() {
            return Vec::new();
        }
        let commands = shell::commands(line, folder);
        let used = |resource: DeclaredResource| {
            let begins_with: Vec<&str> = resource.command.as_deref().unwrap_or_default().split_whitespace().collect();
            let is_bound = |command: &&Vec<String>| {
                !begins_with.is_empty() && command.iter().take(begins_with.len()).eq(begins_with.iter())
            };
            let command = commands.iter().find(is_bound)?.clone();
            Some((resource, command))
        };
        bound.into_iter().filter_map(used).collect()
    }
}

impl SessionContext<'_> {
    /// Says once for each thing by which `run` a command gets it. Nothing is refused: whoever waits for it is no worse off
    /// than before.
    pub(super) fn advise_run(&self, line: &str, folder: &Path, answer: &mut Answer) -> Result<(), Trouble> {
        if !self.surroundings.agent.takes_context(&self.event.name) {
            return Ok(());
        }
        for (resource, command) in self.used_without_run(line, folder) {
            if self.hook_state(&self.own).run_advised.contains(&resource.name) {
                continue;
            }
            answer.tell(words::run_advice(&resource, &command));
            self.note(&self.own, &[Note::RunAdvised { name: resource.name }])?;
        }
        Ok(())
    }
}
