//! Telling people that no guard looks at their commits.

use std::path::Path;

use super::{GuardState, hooks_folder, state, wanted};
use crate::private_folder::PrivateFolder;

/// What says in the user's own folder of the clone that they were told once that there is no guard.
const TOLD: &str = "told";

/// What is to be told of a guard that is missing in a repository, with the way to have it and the way to hear no more of it:
/// of one that was lost; of one that was never there, once in a clone, and only beside others.
pub fn missing_guard(
    repository: &Path,
    directory: &Path,
    state_folder: Option<&Path>,
    others_are_here: bool,
) -> Option<String> {
    if wanted(repository).is_none() && !others_are_here {
        return None;
    }
    let folder = hooks_folder(repository).ok()?;
    let found = state(repository, &folder);
    let missing = found.missing(&folder)?;
    let remedy = GuardState::REMEDY;
    if found != GuardState::Absent {
        return Some(format!(
            "{missing} To have it check: {remedy}. To stop this reminder: deconflict guard --uninstall"
        ));
    }
    let is_told_first = || {
        let told = PrivateFolder::of(directory, "guard", state_folder)?;
        (!told.contains(TOLD) && told.put(TOLD, b"").is_ok()).then_some(())
    };
    is_told_first()?;
    Some(format!("{missing} To have it check: {remedy}. You are told only this once."))
}
