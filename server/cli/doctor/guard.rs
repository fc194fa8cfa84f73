//! Whether commits are looked at before they are made.

use deconflict_workspace::Location;
use deconflict_workspace::git_hooks;

use super::super::context::Context;
use super::super::failure;
use super::report::Report;

impl Report {
    /// A repository does well without the guard, so that it is not there is no more than advice.
    pub(super) fn check_guard(&mut self, context: &Context, location: &Location) {
        if location.repository.is_none() {
            return;
        }
        match git_hooks::hooks_folder(context.folder()) {
            Ok(folder) if !git_hooks::lost_hooks(&folder).is_empty() => self.problem(
                "guard-lost",
                format!(
                    "The guard is not in {} any more: something else wrote what is in {} anew.",
                    git_hooks::lost_hooks(&folder).join(", "),
                    folder.path.display()
                ),
                "To put it back, beside what is there now: deconflict guard --install",
            ),
            Ok(folder) if git_hooks::is_installed(&folder) => {
                self.good("guard", format!("The guard looks at commits, from the hooks in {}.", folder.path.display()));
            }
            Ok(_) => self.note(
                "no-guard",
                "No guard looks at commits here: one could take along what another session holds.",
                "To add it to this repository's hooks: deconflict guard --install",
            ),
            Err(error) => self.note(
                "guard-unknown",
                format!(
                    "Whether a guard looks at commits could not be told. {}",
                    failure::sentence(&error.to_string())
                ),
                "Run doctor in a worktree of the repository.",
            ),
        }
    }
}
