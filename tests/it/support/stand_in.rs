//! Processes that stand in for editors and agents, by the names under which those are known.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::terminal::{Outcome, Terminal};
use super::wait::wait_for;
use super::workspace::Workspace;

/// Writes a program that runs lines of shell: as a process, it has the program's name.
pub(crate) fn stand_in_program(workspace: &Workspace, name: &str, lines: &str) -> PathBuf {
    let path = workspace.beside(name);
    let binary = env!("CARGO_BIN_EXE_deconflict");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\ndeconflict() {{ '{binary}' \"$@\"; }}\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Such a program at work, until it is dropped.
pub(crate) struct StandIn(Child);

impl StandIn {
    pub(crate) fn start(workspace: &Workspace, program: &Path) -> Self {
        let prompt = Terminal::on(workspace).command::<&str>([]);
        let mut command = Command::new(program);
        command.env_clear().envs(prompt.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(workspace.root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process of a Claude Code that gives its events to hooks, below others.
pub(crate) struct AgentProcess {
    process: StandIn,
    folder: PathBuf,
    /// How many events it gave to hooks.
    count: Mutex<usize>,
}

impl AgentProcess {
    /// Starts it below processes of these names, the outermost first.
    pub(crate) fn below(workspace: &Workspace, names: &[&str]) -> Self {
        // It ends with its input, so that it never outlives the test.
        let lines = "while read -r event; do\n  deconflict hook claude-code < \"$event\" > \"$event.out\" 2> \"$event.err\"\n  \
                     echo $? > \"$event.ended\"\n  mv \"$event.ended\" \"$event.code\"\ndone";
        let mut program = stand_in_program(workspace, "agent/claude", lines);
        for (depth, name) in names.iter().enumerate().rev() {
            let starts = format!("'{}'\nexit $?", program.display());
            program = stand_in_program(workspace, &format!("agent/{depth}/{name}"), &starts);
        }
        let process = StandIn::start(workspace, &program);
        Self { process, folder: workspace.beside("agent"), count: Mutex::new(0) }
    }

    /// The id of the outermost process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Gives an event to a hook.
    pub(super) fn hook(&self, event: &str) -> Outcome {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let path = self.folder.join(format!("event-{count}"));
        let beside = |what: &str| path.with_extension(what);
        fs::write(&path, event).unwrap();
        writeln!(self.process.0.stdin.as_ref().unwrap(), "{}", path.display()).unwrap();
        let code = wait_for("the end of a hook", || fs::read_to_string(beside("code")).ok());
        Outcome {
            exit_code: code.trim().parse().unwrap(),
            stdout: fs::read_to_string(beside("out")).unwrap(),
            stderr: fs::read_to_string(beside("err")).unwrap(),
        }
    }
}
