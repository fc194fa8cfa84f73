//! Terminal verbs and the hooks of coding agents as whole processes, beside an empty Rust program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deconflict_registry::NewSession;
use serde_json::json;

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::populate::{Size, populate};
use crate::support::{Workspace, clean_environment};

const ROUNDS: usize = 100;

pub(crate) fn measure(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    let registry = populate(&workspace.path("COORDINATION"), size);
    let session = registry.register(NewSession::default()).unwrap().id;
    let other = registry.register(NewSession::default()).unwrap().id;
    let scratch = tempfile::tempdir().unwrap();
    let empty = empty_program(scratch.path());
    let verb = |session: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deconflict"));
        clean_environment(&mut command, workspace.home());
        command.args(["--session", session]).args(arguments).current_dir(workspace.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let run = |mut command: Command, code: i32| {
        milliseconds(|| assert_eq!(command.status().unwrap().code(), Some(code), "{command:?}"))
    };
    let (mut floor, mut claims, mut refusals, mut allowed, mut denied) = (vec![], vec![], vec![], vec![], vec![]);
    // An agent starts its session long before its first edit.
    for agent in ["first", "second"] {
        hook(&workspace, agent, "README.md").answer();
    }
    for round in 0..ROUNDS {
        let name = format!("src/free-{round}.rs");
        let mut bare = Command::new(&empty);
        bare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        floor.push(run(bare, 0));
        claims.push(run(verb(session.as_str(), &["claim", "file", &name]), 0));
        refusals.push(run(verb(other.as_str(), &["claim", "file", &name]), 1));
        let name = format!("src/edited-{round}.rs");
        allowed.push(milliseconds(|| assert_eq!(hook(&workspace, "first", &name).answer(), "")));
        denied.push(milliseconds(|| assert!(hook(&workspace, "second", &name).answer().contains("deny"))));
    }
    let floor = quantile(&mut floor, 0.5);
    let row = |name, samples: &mut [f64]| Figure {
        name,
        size,
        unit: "ms",
        value: quantile(samples, 0.5),
        floor: Some(floor),
        goal: Goal::TimesFloor(3.0),
    };
    vec![
        row("`deconflict claim`, granted, p50", &mut claims),
        row("`deconflict claim`, refused, p50", &mut refusals),
        row("`deconflict hook`, edit allowed, p50", &mut allowed),
        row("`deconflict hook`, edit denied, p50", &mut denied),
    ]
}

/// A hook that a coding agent starts before it edits a file.
struct Hook {
    command: Command,
    event: String,
}

fn hook(workspace: &Workspace, agent: &str, file: &str) -> Hook {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deconflict"));
    clean_environment(&mut command, workspace.home());
    command.args(["hook", "claude-code"]).current_dir(workspace.root());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let event = json!({
        "session_id": agent, "cwd": workspace.root(), "hook_event_name": "PreToolUse", "tool_name": "Write",
        "tool_input": {"file_path": workspace.path(file), "content": "x"},
    });
    Hook { command, event: event.to_string() }
}

impl Hook {
    fn answer(mut self) -> String {
        let mut child = self.command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(self.event.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Builds the program that does nothing.
fn empty_program(folder: &Path) -> PathBuf {
    let source = folder.join("empty.rs");
    std::fs::write(&source, "fn main() {}\n").unwrap();
    let program = folder.join("empty");
    let built = Command::new("rustc").args(["-O", "-o"]).arg(&program).arg(&source).status().unwrap();
    assert!(built.success(), "rustc builds an empty program");
    program
}
