//! Whether commits are looked at before they are made.

use deconflict_workspace::Location;
use deconflict_workspace::git_hooks::{self, GuardState};

use super::super::context::Context;
use super::super::failure;
use super::report::Report;

impl Report {
    /// A repository does well without the guard, so that it is not there is no more than advice.
    pub(super) fn check_guard(&mut self, context: &Context, location: &Location) {
        if location.repository.is_none() {
            return;
        }
        let folder = match git_hooks::hooks_folder(context.folder()) {
            Ok(folder) => folder,
            Err(error) => {
                return self.note(
                    "guard-unknown",
                    format!("Could not tell whether a guard checks commits. {}", failure::sentence(&error.to_string())),
                    "Run doctor inside a worktree of the repository.",
                );
            }
        };
        let state = git_hooks::state(context.folder(), &folder);
        let missing = state.missing(&folder).unwrap_or_default();
        match state {
            GuardState::Lost(..) => self.problem(
                "guard-lost",
                missing,
                format!("To put it back, alongside what is there now: {}", GuardState::REMEDY),
            ),
            GuardState::Absent => {
                self.note("no-guard", missing, format!("To add it to this repository's hooks: {}", GuardState::REMEDY));
            }
            GuardState::Complete => {
                self.good("guard", format!("The guard checks commits, from the hooks in {}.", folder.path.display()));
                if folder.is_of_one_worktree {
                    self.note(
                        "guard-in-one-worktree",
                        "core.hooksPath leads to these hooks in this worktree only, so commits in others are not checked.",
                        format!("To add the guard there, in each of them: {}", GuardState::REMEDY),
                    );
                }
            }
        }
    }
}
