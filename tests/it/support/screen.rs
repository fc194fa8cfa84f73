//! A terminal as a person sits in front of: a tmux of its own, whose screen can be read and whose keys can be pressed.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::editors::report_missing;
use super::environment::clean_environment;
use super::wait::{DEADLINE, wait_for};
use super::workspace::Workspace;

/// Programs look at the terminal so often that a test need not look oftener.
const LOOK: Duration = Duration::from_millis(20);

/// A terminal in which one program runs. All of it ends with the value.
pub(crate) struct Screen {
    home: PathBuf,
    folder: PathBuf,
    /// Where the server of this tmux listens.
    socket: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Screen {
    /// A terminal at the root of the workspace, unless tmux is missing, which is said aloud.
    pub(crate) fn on(workspace: &Workspace) -> Option<Self> {
        let there = Command::new("tmux").arg("-V").stdin(Stdio::null()).output().is_ok();
        if !there {
            report_missing("tmux is not here");
            return None;
        }
        Some(Self {
            home: workspace.home().to_owned(),
            folder: workspace.root().to_owned(),
            socket: TempDir::new().unwrap(),
            environment: Vec::new(),
        })
    }

    /// The same with an environment variable for what is started.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts a program in it, with this many columns and rows.
    #[track_caller]
    pub(crate) fn start<A: AsRef<OsStr>>(
        self,
        (columns, rows): (u16, u16),
        program: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = self.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "0"]);
        command.args(["-x", &columns.to_string(), "-y", &rows.to_string(), "-c"]).arg(&self.folder);
        // Several words are run as they are, without a shell; one alone would go through one.
        command.arg("env").args(program);
        finish(command);
        self
    }

    /// Types text as it is.
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) {
        finish(self.tmux(&["send-keys", "-t", "0", "-l", text]));
    }

    /// Presses keys by their names: `Enter`, `Escape`, `C-c`.
    #[track_caller]
    pub(crate) fn press(&self, keys: &[&str]) {
        let mut command = self.tmux(&["send-keys", "-t", "0"]);
        command.args(keys);
        finish(command);
    }

    /// Makes it as large as that.
    #[track_caller]
    pub(crate) fn resize(&self, (columns, rows): (u16, u16)) {
        finish(self.tmux(&["resize-window", "-t", "0", "-x", &columns.to_string(), "-y", &rows.to_string()]));
    }

    /// Closes the terminal under the program, as a window is closed.
    #[track_caller]
    pub(crate) fn close(&self) {
        finish(self.tmux(&["kill-session", "-t", "0"]));
    }

    /// Kills the program, which learns nothing of it, with all that it started in this terminal.
    #[cfg(target_os = "linux")]
    pub(crate) fn kill_program(&self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = self.state("#{pane_pid}").parse().ok().and_then(Pid::from_raw);
        kill_process_group(group.unwrap(), Signal::KILL).unwrap();
    }

    /// What is to be read on it.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&finish(self.tmux(&["capture-pane", "-t", "0", "-p"])).stdout).into_owned()
    }

    /// The same with its colours, as terminals are told of them.
    #[track_caller]
    pub(crate) fn coloured(&self) -> String {
        String::from_utf8_lossy(&finish(self.tmux(&["capture-pane", "-t", "0", "-p", "-e"])).stdout).into_owned()
    }

    /// What tmux says of it, in its own notation: `#{cursor_flag}`.
    #[track_caller]
    pub(crate) fn state(&self, format: &str) -> String {
        let output = finish(self.tmux(&["display-message", "-t", "0", "-p", format]));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until `probe` finds something on it.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, probe: impl Fn(&str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let text = self.text();
            if let Some(found) = probe(&text) {
                return found;
            }
            assert!(start.elapsed() < 2 * DEADLINE, "waited in vain for {what}. The screen:\n{text}");
            thread::sleep(LOOK);
        }
    }

    /// Waits for this text, and returns the line in which it stands.
    #[track_caller]
    pub(crate) fn wait_for(&self, wanted: &str) -> String {
        self.wait(&format!("{wanted:?}"), |text| text.lines().find(|line| line.contains(wanted)).map(str::to_owned))
    }

    /// Waits until this text stands nowhere.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, unwanted: &str) {
        self.wait(&format!("{unwanted:?} to go"), |text| (!text.contains(unwanted)).then_some(()));
    }

    /// Waits until the program has ended, and the terminal with it.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        wait_for("the program to end", || {
            let is_there = self.tmux(&["has-session", "-t", "0"]).output().unwrap().status.success();
            (!is_there).then_some(())
        });
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        clean_environment(&mut command, &self.home);
        command
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .envs(self.environment.iter().cloned())
            .arg("-u")
            .arg("-S")
            .arg(self.socket.path().join("socket"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
    }
}

#[track_caller]
fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}
