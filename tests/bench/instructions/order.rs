//! Which functions run where the program is started for a moment, so that the linker lays these close together: a
//! third of such a process' page faults came from functions that lie all over 18 MB (`server/build.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use deconflict_platform::clock::SystemClock;
use deconflict_registry::{NewSession, Registry};
use serde_json::{Value, json};

use crate::baseline::Circumstances;
use crate::support::Workspace;
use crate::valgrind;

/// Writes the functions of `program`, which has its symbols, to `file`: those that most of its runs need first.
pub(crate) fn write(program: &Path, circumstances: &Circumstances, file: &Path) {
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    for functions in all_runs(program) {
        for function in functions {
            *runs.entry(function).or_default() += 1;
        }
    }
    let mut functions: Vec<(String, usize)> = runs.into_iter().collect();
    functions.sort_by(|(a, often), (b, seldom)| seldom.cmp(often).then_with(|| a.cmp(b)));
    let mut text = format!(
        "# Functions in the order in which the linker lays them, written by tests/bench/order.\n\
         # Names depend on the compiler and on the versions of packages. Here: {circumstances}.\n"
    );
    for (function, _) in functions {
        text.push_str(&function);
        text.push('\n');
    }
    fs::write(file, text).unwrap();
}

/// What hooks of agents and of git, and people and scripts, start most often.
fn all_runs(program: &Path) -> Vec<BTreeSet<String>> {
    let workspace = Workspace::small();
    let registry = Registry::create(&workspace.path("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
    let [session, other] = [(); 2].map(|()| registry.register(NewSession::default()).unwrap().id);
    let run = |words: &[&str], input: &str| functions_of(program, &workspace, words, input);
    let verb = |session: &str, words: &[&str]| run(&[&["--session", session], words].concat(), "");
    let hook = |event: &str, more: Value| {
        let mut told = json!({"session_id": "an-agent", "cwd": workspace.root(), "hook_event_name": event});
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        run(&["hook", "claude-code"], &told.to_string())
    };
    let edit = |event, name| {
        let input = json!({"file_path": workspace.path(name), "old_string": "a", "new_string": "b"});
        hook(event, json!({"tool_name": "Edit", "tool_input": input}))
    };
    let command = |event| hook(event, json!({"tool_name": "Bash", "tool_input": {"command": "cargo test"}}));
    let mut runs = Vec::new();
    // What is remembered since the first time makes the second one another.
    for round in 0..2 {
        runs.push(verb(session.as_str(), &["claim", "README.md"]));
        runs.push(verb(other.as_str(), &["claim", "README.md"]));
        runs.push(verb(other.as_str(), &["check", "README.md"]));
        runs.push(hook("SessionStart", json!({"source": "startup"})));
        runs.push(hook("UserPromptSubmit", json!({"prompt": "Go on"})));
        runs.push(edit("PreToolUse", "src/lib.rs"));
        workspace.write("src/lib.rs", format!("pub mod parser; // {round}\n"));
        runs.push(edit("PostToolUse", "src/lib.rs"));
        runs.push(edit("PreToolUse", "README.md"));
        runs.push(command("PreToolUse"));
        runs.push(command("PostToolUse"));
        runs.push(hook("Stop", json!({})));
        runs.push(verb(session.as_str(), &["release", "README.md"]));
        runs.push(verb(session.as_str(), &["status", "--oneline"]));
        runs.push(verb(session.as_str(), &["run", "--with", "a-thing", "--", "true"]));
        runs.push(run(&["run", "--with", "a-thing", "--", "true"], ""));
        workspace.write("src/main.rs", format!("fn main() {{}} // {round}\n"));
        workspace.git(&["add", "src/main.rs"]);
        runs.push(run(&["guard", "pre-commit", "--quiet", "--when-unsure", "allow"], ""));
    }
    runs
}

/// The functions that run while the program does what `words` say.
fn functions_of(program: &Path, workspace: &Workspace, words: &[&str], input: &str) -> BTreeSet<String> {
    let profile = workspace.beside("callgrind.out");
    let mut command = valgrind(workspace);
    command.args(["--demangle=no", "--compress-strings=no"]);
    command.arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(program).args(words).current_dir(workspace.root());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // Some verbs end without having read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    assert!(child.wait().unwrap().code().is_some_and(|code| code <= 3), "{words:?}");
    let profile = fs::read_to_string(profile).unwrap();
    let names = profile.lines().filter_map(|line| line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")));
    // A function that calls itself has a number behind its name.
    let names = names.map(|name| name.split_once('\'').map_or(name, |(name, _)| name));
    names.filter(|name| !name.starts_with("0x") && !name.starts_with('(')).map(str::to_owned).collect()
}
