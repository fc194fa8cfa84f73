//! Whoever runs git: a person at a plain terminal, a coding agent, somebody with a session.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::environment::clean_environment;
use super::terminal::Outcome;
use super::workspace::{Workspace, timestamp};

/// Somebody with a shell, to whom `deconflict` is on the path.
#[derive(Clone)]
pub(crate) struct Committer {
    folder: PathBuf,
    home: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// The program that runs what is run; without one nobody does.
    program: Option<PathBuf>,
}

impl Committer {
    /// A person at a plain terminal, which no program of whoever runs these tests is above.
    pub(crate) fn person(workspace: &Workspace) -> Self {
        Self {
            folder: workspace.root().to_owned(),
            home: workspace.home().to_owned(),
            environment: Vec::new(),
            program: None,
        }
    }

    /// A coding agent's shell: the program that runs it has the agent's name.
    pub(crate) fn agent(workspace: &Workspace, name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let program = workspace.beside(name);
        fs::write(&program, "#!/bin/sh\n\"$@\"\nexit $?\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { program: Some(program), ..Self::person(workspace) }
    }

    /// The same as this session.
    pub(crate) fn session(self, id: &str) -> Self {
        self.env("DECONFLICT_SESSION", id)
    }

    /// The same with an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The same in another folder.
    pub(crate) fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = self.folder.join(folder);
        self
    }

    /// Runs git to its end.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> Outcome {
        self.run(Path::new("git"), arguments)
    }

    /// Runs `deconflict` to its end.
    #[track_caller]
    pub(crate) fn deconflict(&self, arguments: &[&str]) -> Outcome {
        self.run(Path::new(env!("CARGO_BIN_EXE_deconflict")), arguments)
    }

    /// Runs a program to its end.
    #[track_caller]
    pub(crate) fn run(&self, program: &Path, arguments: &[&str]) -> Outcome {
        let scratch = tempfile::tempdir().unwrap();
        let code = scratch.path().join("code");
        // Its parent ends at once, so that what runs these tests is not above it.
        let mut command = Command::new("setsid");
        let line = "code=$1; shift; \"$@\"; echo $? > \"$code.new\"; mv \"$code.new\" \"$code\"";
        clean_environment(&mut command, &self.home);
        command.args(["--fork", "sh", "-c", line, "sh"]).arg(&code);
        command.args(&self.program).arg(program).args(arguments);
        let binaries = Path::new(env!("CARGO_BIN_EXE_deconflict")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([binaries].into_iter().chain(std::env::split_paths(&path))).unwrap();
        command.env("PATH", path).envs(self.environment.iter().cloned());
        // The pipes end with the last that has them.
        let ended = command.current_dir(&self.folder).stdin(Stdio::null()).output().unwrap();
        let code = super::wait_for("a program to end", || fs::read_to_string(&code).ok());
        Outcome {
            exit_code: code.trim().parse().unwrap(),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        }
    }
}

/// A repository with the guard and a bare remote that has its first commit, in which an agent works, Robin; and the person
/// who commits there.
pub(crate) fn guarded_workspace() -> (Workspace, Committer) {
    let workspace = Workspace::small();
    workspace.add_remote("origin");
    workspace.git(&["push", "--quiet", "origin", "main"]);
    fs::write(workspace.root().join(".git/info/exclude"), "COORDINATION/\n").unwrap();
    workspace.coordination().write_session("agent", json!({"name": "Robin", "client": "claude-code"}));
    let person = Committer::person(&workspace);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    (workspace, person)
}

/// Lets that agent hold a file since some time ago.
pub(crate) fn hold_since(workspace: &Workspace, file: &str, since: TimeDelta) {
    let since = timestamp(Utc::now() + since);
    workspace.coordination().write_claim("agent", "file", file, json!({"claimed_at": since}));
}
