//! Whether a guard looks at commits, told where a session begins.

use super::context::SessionContext;
use crate::answer::Answer;
use deconflict_workspace::git_hooks;

impl SessionContext<'_> {
    /// Tells the user of a guard that is missing.
    pub(super) fn tell_of_guard(&self, others_are_here: bool, answer: &mut Answer) {
        let Some(repository) = &self.location.repository else { return };
        let state_folder = self.surroundings.state_folder.as_deref();
        let directory = &self.location.directory;
        let missing = git_hooks::missing_guard(repository.root(), directory, state_folder, others_are_here);
        if let Some(missing) = missing {
            answer.add(Answer::notice(missing));
        }
    }
}
