//! Git's own file system monitor, as a user has it who sets `core.fsmonitor`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Workspace, clean_environment, say_skipped, wait_for};

/// It watches until this is dropped.
pub(crate) struct GitMonitor(Child);

impl GitMonitor {
    /// Lets it watch a clone. Git has it on Linux since 2.55; `None` where none was fetched.
    pub(crate) fn start(workspace: &Workspace) -> Option<Self> {
        let git = Path::new(env!("CARGO_MANIFEST_DIR")).join(".editors/git-tools/newest/bin/git");
        if !git.is_file() {
            say_skipped("a git with a file system monitor is not here; tests/git-tools/fetch fetches it");
            return None;
        }
        let run = |arguments: &[&str]| {
            let mut command = Command::new(&git);
            clean_environment(&mut command, workspace.home());
            command.args(arguments).current_dir(workspace.root()).stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        workspace.git(&["config", "core.fsmonitor", "true"]);
        let monitor = Self(run(&["fsmonitor--daemon", "run"]).stderr(Stdio::null()).spawn().unwrap());
        wait_for("git's file system monitor to watch", || {
            run(&["fsmonitor--daemon", "status"]).status().unwrap().success().then_some(())
        });
        // Git's index says of all files from now on that they are monitored.
        assert!(run(&["status", "--porcelain"]).status().unwrap().success());
        Some(monitor)
    }
}

impl Drop for GitMonitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
