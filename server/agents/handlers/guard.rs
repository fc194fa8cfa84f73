//! Whether a guard looks at commits, told where a session begins.

use super::context::SessionContext;
use crate::answer::Answer;
use deconflict_workspace::PrivateFolder;
use deconflict_workspace::git_hooks::{self, GuardState};

/// What says in the user's own folder of the clone that they were told once that there is no guard.
const TOLD: &str = "told";

impl SessionContext<'_> {
    /// Tells the user of a guard that was lost; of one that was never there, once in a clone, and only beside others.
    pub(super) fn tell_of_guard(&self, others_are_here: bool, answer: &mut Answer) {
        let Some(repository) = &self.location.repository else { return };
        let root = repository.root();
        if git_hooks::wanted(root).is_none() && !others_are_here {
            return;
        }
        let Ok(folder) = git_hooks::hooks_folder(root) else { return };
        let state = git_hooks::state(root, &folder);
        let Some(missing) = state.missing(&folder) else { return };
        if state == GuardState::Absent && !(others_are_here && self.is_told_first()) {
            return;
        }
        answer.add(Answer::notice(format!("{missing} To have it look: {}", GuardState::REMEDY)));
    }

    fn is_told_first(&self) -> bool {
        let state_folder = self.surroundings.state_folder.as_deref();
        let folder = PrivateFolder::of(&self.location.directory, "guard", state_folder);
        folder.is_some_and(|folder| !folder.contains(TOLD) && folder.put(TOLD, b"").is_ok())
    }
}
