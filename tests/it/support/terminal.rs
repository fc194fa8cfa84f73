//! The verbs of the terminal, run as a person or a script runs them.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::environment::clean_environment;
use super::wait::wait_within;
use super::workspace::Workspace;

/// No verb may take longer than this, except one that was told to wait.
const LIMIT: Duration = Duration::from_secs(30);

/// A shell prompt in a folder, perhaps with a session of its own.
#[derive(Clone)]
pub(crate) struct Terminal {
    folder: PathBuf,
    home: PathBuf,
    environment: Vec<(OsString, OsString)>,
    program: PathBuf,
    user: Option<u32>,
}

impl Terminal {
    /// A prompt at the root of the workspace, without a session.
    pub(crate) fn on(workspace: &Workspace) -> Self {
        Self {
            folder: workspace.root().to_owned(),
            home: workspace.home().to_owned(),
            environment: Vec::new(),
            program: env!("CARGO_BIN_EXE_deconflict").into(),
            user: None,
        }
    }

    /// A prompt with a session that was just started, and its id.
    #[track_caller]
    pub(crate) fn with_new_session(workspace: &Workspace) -> (Self, String) {
        Self::starting(workspace, &["start"])
    }

    /// The same with a session of this name.
    #[track_caller]
    pub(crate) fn with_named_session(workspace: &Workspace, name: &str) -> (Self, String) {
        Self::starting(workspace, &["start", "--name", name])
    }

    #[track_caller]
    fn starting(workspace: &Workspace, arguments: &[&str]) -> (Self, String) {
        let terminal = Self::on(workspace);
        let started = terminal.run(arguments.iter().copied());
        assert_eq!(started.exit_code, 0, "{started:?}");
        let id = started.stdout.trim().to_owned();
        (terminal.session(&id), id)
    }

    /// The same prompt in another folder.
    pub(crate) fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = self.folder.join(folder);
        self
    }

    /// The same prompt as another session.
    pub(crate) fn session(self, id: &str) -> Self {
        self.env("DECONFLICT_SESSION", id)
    }

    /// The same prompt with an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The same prompt where this is found for the program: a script that starts it in surroundings of its own.
    pub(crate) fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// The same prompt of another user, which only root can have.
    #[allow(dead_code, reason = "only the proof needs it")]
    #[cfg(unix)]
    pub(crate) fn run_as(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Runs `deconflict` with these arguments to its end.
    #[track_caller]
    pub(crate) fn run<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.spawn(arguments).wait()
    }

    /// Runs `deconflict` with these arguments and this standard input to its end.
    #[track_caller]
    pub(crate) fn run_with_input<A: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Outcome {
        let mut running = self.spawn_with(arguments, Stdio::piped());
        let mut stdin = running.child.stdin.take().unwrap();
        // A program that ends without reading its input is a valid outcome, so a broken pipe is none of our business.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        running.wait()
    }

    /// Starts `deconflict` with these arguments; it gets no more than so many bytes of memory.
    #[cfg(target_os = "linux")]
    pub(crate) fn spawn_limited(&self, memory: u64, arguments: &[&str]) -> Running {
        let limit = [format!("--as={memory}").into(), self.program.clone().into_os_string()];
        let limited = Self { program: "prlimit".into(), ..self.clone() };
        limited.spawn(limit.into_iter().chain(arguments.iter().map(OsString::from)))
    }

    /// Starts `deconflict` with these arguments and lets it run.
    pub(crate) fn spawn<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        self.spawn_with(arguments, Stdio::null())
    }

    /// The same as a command, for a test that needs more say in how it runs.
    pub(crate) fn command<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        clean_environment(&mut command, &self.home);
        #[cfg(unix)]
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
        }
        command
            .args(arguments.into_iter().map(Into::into))
            .envs(self.environment.iter().cloned())
            .current_dir(&self.folder);
        command
    }

    fn spawn_with<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>, input: Stdio) -> Running {
        let mut child =
            self.command(arguments).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = read_in_background(child.stdout.take().unwrap());
        let stderr = read_in_background(child.stderr.take().unwrap());
        Running { child, output: Some((stdout, stderr)) }
    }
}

/// What a verb said and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code, or -1 when a signal ended it.
    pub(crate) exit_code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// What `--json` printed: exactly one document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON document ({error}): {self:?}"))
    }

    /// Fails the test unless the verb ended with this code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.exit_code, code, "{self:?}");
        self
    }
}

/// A verb that still runs. It is killed with the value.
pub(crate) struct Running {
    child: Child,
    output: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(self) -> Outcome {
        self.wait_for_at_most(LIMIT)
    }

    /// Waits for its end, and fails the test when that takes longer than `limit`.
    #[track_caller]
    pub(crate) fn wait_for_at_most(mut self, limit: Duration) -> Outcome {
        let status = wait_within(limit, "a verb to end", || self.child.try_wait().unwrap());
        let (stdout, stderr) = self.output.take().unwrap();
        Outcome {
            exit_code: status.code().unwrap_or(-1),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_in_background(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
