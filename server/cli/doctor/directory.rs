//! The coordination directory: which one it is, what git and the file system make of it.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use deconflict_platform as platform;
use deconflict_protocol::time;
use deconflict_registry::{Locking, Registry};
use deconflict_workspace::{self as workspace, DirectoryState, Ignored, Location, Reason};

use super::super::context::Context;
use super::super::words;
use super::report::Report;

impl Report {
    pub(super) fn check_directory(&mut self, context: &Context, location: &Location) {
        let directory = location.directory.display().to_string();
        self.fact("directory", "Directory", directory.clone());
        self.fact("because", "Why this one", why(location));
        self.check_others(location);
        self.check_git(location);
        self.check_guard(context, location);
        match context.existing_registry() {
            Ok(Some(registry)) => self.check_registry(context, location, &registry),
            Ok(None) => self.note(
                "missing",
                format!("There is no {directory} yet: nobody coordinates here."),
                "To begin: eval \"$(deconflict start --export)\"",
            ),
            Err(failure) => {
                let mend = failure.advice.first().map_or("Check the directory's permissions.", String::as_str);
                self.problem(failure.reason, failure.message.clone(), mend);
            }
        }
    }

    /// Directories that somebody might take for the one that is used.
    fn check_others(&mut self, location: &Location) {
        for passed_over in &location.passed_over {
            let path = passed_over.path.display();
            let message = format!("{path} is not used: {}.", passed_over.reason);
            let mend = match passed_over.reason {
                Reason::UnconfirmedWorktree => "In the main repository: git worktree repair".to_owned(),
                _ => {
                    format!("If you trust it, name it: export DECONFLICT_DIR={}", words::shell_word(&path.to_string()))
                }
            };
            self.problem("passed-over", message, mend);
        }
        for nested in workspace::nested(location) {
            self.problem(
                "nested",
                format!("{} is below the workspace's own directory and is not used.", nested.display()),
                "If nobody works with it, delete it. Anyone who opens only that folder would not see the others.",
            );
        }
    }

    fn check_git(&mut self, location: &Location) {
        let directory = location.directory.display();
        match location.state {
            DirectoryState::Tracked => self.problem(
                "not-adopted",
                format!("Git tracks {directory}, so it may have come with a clone, and you have not joined it."),
                "To join it: deconflict init --adopt",
            ),
            DirectoryState::Adopted => self.problem(
                "tracked",
                format!("Git tracks {directory}: checkout and stash turn its records back to older ones."),
                format!("To keep it out of git: git rm -r --cached {directory}, and ignore it"),
            ),
            DirectoryState::Untracked
                if location.repository.is_some() && !Ignored::new().is_ignored_directory(&location.directory) =>
            {
                self.problem(
                    "not-ignored",
                    format!("Git doesn't ignore {directory}: `git add -A` would commit it, and `git clean -fd` would delete it."),
                    format!("Add {}/ to .git/info/exclude or .gitignore.", deconflict_protocol::DIRECTORY_NAME),
                );
            }
            DirectoryState::Untracked | DirectoryState::Missing => {}
        }
    }

    fn check_registry(&mut self, context: &Context, location: &Location, registry: &Registry) {
        self.check_file_system(&location.directory);
        // Trying things out writes into the directory, which is not ours to do before it was joined.
        if location.may_be_joined() {
            self.check_locks(registry);
            self.check_watching(registry);
            self.check_clock(registry);
        }
        let sessions = self.told("sessions", registry.sessions()).unwrap_or_default();
        self.check_sessions(context, registry, &sessions);
        self.check_records(context, registry);
        self.check_scripts(registry);
    }

    fn check_file_system(&mut self, directory: &Path) {
        let Some(file_system) = platform::file_system(directory) else { return };
        self.fact("file_system", "File system", file_system.name);
        if file_system.is_shared {
            self.problem(
                "shared-file-system",
                format!(
                    "The directory is on {}, which other machines may share: locks and notices of changes may not \
                     reach from one to the other, and then claims are only advice.",
                    file_system.name
                ),
                "Work in a clone on a local disk of each machine.",
            );
        }
    }

    fn check_locks(&mut self, registry: &Registry) {
        if let Some(exclude) = self.told("locks", registry.locks_exclude()) {
            if exclude && registry.locking() == Locking::Enforced {
                self.good("locks", "Records can be written, and locks work.");
            } else {
                self.problem(
                    "no-locks",
                    "Locks don't keep everybody out on this file system, so claims are only advice here.",
                    "Put the directory on a file system that can lock files, and name it with --dir.",
                );
            }
        }
    }

    fn check_watching(&mut self, registry: &Registry) {
        const PATIENCE: Duration = Duration::from_secs(2);
        match self.told("watching", registry.time_to_notice(PATIENCE)) {
            Some(Some(after)) => {
                self.good("watching", format!("Changes are noticed within {} ms.", after.as_millis() + 1));
            }
            Some(None) => self.problem(
                "not-watched",
                "The system doesn't report changes in the directory; servers check every few seconds instead.",
                "On Linux, raise fs.inotify.max_user_watches and max_user_instances; elsewhere, use a local disk.",
            ),
            None => {}
        }
    }

    fn check_clock(&mut self, registry: &Registry) {
        if let Some(Some(difference)) = self.told("clock", registry.clock_difference())
            && difference.abs() > TimeDelta::minutes(1)
        {
            self.problem(
                "clock",
                format!("The file system's clock differs by {}.", time::duration_in_words(difference.abs())),
                "Set the clocks of both machines, or claims end at the wrong time.",
            );
        }
    }
}

fn why(location: &Location) -> String {
    let start = location.starting_point.display();
    if location.named {
        "you named it".to_owned()
    } else if location.parent() != location.starting_point {
        format!("it is the nearest one above {start}")
    } else if location.repository.is_none() {
        format!("{start} is not in a git repository, so it is its own starting point")
    } else if location.workspace.starts_with(&location.starting_point) {
        format!("{start} is the main worktree of the repository")
    } else {
        format!("{start} is the main worktree of the repository that this worktree is linked to")
    }
}
