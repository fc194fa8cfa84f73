//! Whether a guard that looked at commits was lost, looked up beside the editor's work: git is asked.

use std::path::PathBuf;

use deconflict_platform as platform;
use deconflict_workspace::{Location, git_hooks};

use crate::job::JobResult;

/// Tells the user once of a guard that was lost. That there never was one is no reason to bother somebody who edits: agents
/// and terminals say it where a session begins.
pub(super) struct GuardReporter {
    repository: PathBuf,
    directory: PathBuf,
    report: Box<dyn Fn(JobResult) + Send>,
}

impl GuardReporter {
    /// For a directory in a git repository.
    pub(super) fn of(location: &Location, report: impl Fn(JobResult) + Send + 'static) -> Option<Self> {
        let repository = location.repository.as_ref()?.root().to_owned();
        Some(Self { repository, directory: location.directory.clone(), report: Box::new(report) })
    }

    /// Looks, and tells if it was lost.
    pub(super) fn tell(self) {
        let state_folder = platform::state_directory();
        let lost = git_hooks::missing_guard(&self.repository, &self.directory, state_folder.as_deref(), false);
        if let Some(sentence) = lost {
            (self.report)(JobResult::GuardMissing(sentence));
        }
    }
}
