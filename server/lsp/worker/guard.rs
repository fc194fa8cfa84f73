//! Whether a guard looks at commits, looked up beside the editor's work: git is asked.

use std::path::PathBuf;

use deconflict_platform as platform;
use deconflict_workspace::{Location, git_hooks};

use crate::job::JobResult;

/// Tells the user once of a guard that is missing.
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

    /// Looks, and tells if it is missing.
    pub(super) fn tell(self) {
        let state_folder = platform::state_directory();
        let missing = git_hooks::missing_guard(&self.repository, &self.directory, state_folder.as_deref(), true);
        if let Some(sentence) = missing {
            (self.report)(JobResult::GuardMissing(sentence));
        }
    }
}
