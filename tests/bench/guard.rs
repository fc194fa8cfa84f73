//! What the guard adds to git: the same command with the guard's hooks and without any, in turn, in a repository with many
//! files.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use deconflict_protocol::SessionId;
use deconflict_registry::NewSession;
use serde_json::json;

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::populate::{Size, populate};
use crate::programs;
use crate::support::{Workspace, clean_environment, wait_for};
use crate::whole_process::hook_of;

const FILES: usize = 20_000;
const COMMITTED_AT_ONCE: usize = 2_000;
const TAGS: usize = 1_500;
const ROUNDS: usize = 20;
/// Of what takes long.
const LONG_ROUNDS: usize = 5;
const AGENT: &str = "codex";
const NO_HOOKS: &[&str] = &["-c", "core.hooksPath=/dev/null"];

pub(crate) fn measure() -> Vec<Figure> {
    let clone = Clone::new();
    let mut figures =
        vec![row("commit where nobody coordinates, 20,000 files", Size::LEAST, clone.commit_of_one(), 15.0)];
    let registry = populate(&clone.workspace.path("COORDINATION"), Size::MOST);
    // As the hook of the agent that patches below calls its session.
    let id = SessionId::new(&format!("{AGENT}-bench")).unwrap();
    let session = registry.register(NewSession { id: Some(id), ..NewSession::default() }).unwrap().id.to_string();
    let clone = Clone { session: Some(session), ..clone };
    figures.push(row("commit with 10,000 claims, 20,000 files", Size::MOST, clone.commit_of_one(), 40.0));
    figures.push(row("commit of 2,000 files that nobody holds", Size::MOST, clone.commit_of_many(false), 150.0));
    figures.push(row(
        "commit of 2,000 files of one's own automatic claims",
        Size::MOST,
        clone.commit_of_many(true),
        150.0,
    ));
    figures.push(row("push of 1,500 tags", Size::MOST, clone.push_of_tags(), 200.0));
    figures
}

/// A repository with the guard in its hooks, and somebody who commits there.
struct Clone {
    workspace: Workspace,
    session: Option<String>,
}

impl Clone {
    fn new() -> Self {
        let workspace = Workspace::small();
        for number in 0..FILES {
            workspace.write(name_of(number), format!("// {number}\n"));
        }
        workspace.commit_all("Files");
        // Nothing of git's own beside it.
        for (key, value) in [("gc.auto", "0"), ("maintenance.auto", "false")] {
            workspace.git(&["config", key, value]);
        }
        let remote = workspace.beside("remote.git");
        workspace.git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
        workspace.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
        workspace.git(&["push", "--quiet", "origin", "main"]);
        fs::write(workspace.root().join(".git/info/exclude"), "COORDINATION/\n").unwrap();
        let clone = Self { workspace, session: None };
        clone.run(programs::deconflict().to_str().unwrap(), &["guard", "--install"]);
        clone
    }

    /// Runs a program to its end, and tells how long that took.
    fn run(&self, program: &str, arguments: &[&str]) -> f64 {
        let mut command = Command::new(program);
        clean_environment(&mut command, self.workspace.home());
        command.args(arguments).current_dir(self.workspace.root()).stdin(Stdio::null());
        command.envs(self.session.iter().map(|session| ("DECONFLICT_SESSION", session)));
        let mut output = None;
        let took = milliseconds(|| output = Some(command.output().unwrap()));
        let output = output.unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }

    /// How much longer git takes with its hooks than without, at the median.
    fn added(rounds: usize, mut git: impl FnMut(usize, &[&str]) -> f64) -> f64 {
        let (mut with, mut without) = (vec![], vec![]);
        for round in 0..rounds {
            without.push(git(2 * round, NO_HOOKS));
            with.push(git(2 * round + 1, &[]));
        }
        quantile(&mut with, 0.5) - quantile(&mut without, 0.5)
    }

    fn commit_of_one(&self) -> f64 {
        Self::added(ROUNDS, |round, options| {
            self.workspace.write("README.md", format!("{round}\n"));
            self.workspace.git(&["add", "README.md"]);
            self.run("git", &[options, &["commit", "--quiet", "--message", "One"]].concat())
        })
    }

    fn commit_of_many(&self, are_held: bool) -> f64 {
        let files: Vec<String> = (FILES - COMMITTED_AT_ONCE..FILES).map(name_of).collect();
        Self::added(LONG_ROUNDS, |round, options| {
            let patch = || {
                for file in &files {
                    self.workspace.write(file, format!("// {file} {round} {are_held}\n"));
                }
            };
            if are_held {
                self.patch_as_agent(&files, patch);
            } else {
                patch();
            }
            self.workspace.git(&["add", "--all"]);
            let took = self.run("git", &[options, &["commit", "--quiet", "--message", "Many"]].concat());
            // What is released of many files is released apart, and the next commit is not to be measured beside that.
            if are_held && options.is_empty() {
                let is_held = |file: &String| self.workspace.coordination().claim_path("file", file).exists();
                wait_for("the claims on what was committed to go", || (!files.iter().any(is_held)).then_some(()));
            }
            took
        })
    }

    /// What an agent does with a patch of many files: its hook claims them before, and keeps what became of them after it.
    fn patch_as_agent(&self, files: &[String], patch: impl FnOnce()) {
        let hunks: String = files.iter().flat_map(|file| ["*** Update File: ", file, "\n@@\n-a\n+b\n"]).collect();
        let hear = |name: &str| {
            let event = json!({
                "hook_event_name": name, "session_id": "bench", "cwd": self.workspace.root(),
                "tool_name": "apply_patch", "tool_use_id": "call", "tool_response": {},
                "tool_input": {"command": format!("*** Begin Patch\n{hunks}*** End Patch\n")},
            });
            let answer = hook_of(&self.workspace, AGENT, &event).answer();
            assert!(!answer.contains("deny"), "{answer}");
        };
        hear("PreToolUse");
        patch();
        hear("PostToolUse");
        let coordination = self.workspace.coordination();
        assert!(files.iter().all(|file| coordination.claim_path("file", file).exists()));
    }

    fn push_of_tags(&self) -> f64 {
        self.run("git", &[NO_HOOKS, &["push", "--quiet", "origin", "main"]].concat());
        Self::added(LONG_ROUNDS, |round, options| {
            let head = self.workspace.git(&["rev-parse", "HEAD"]);
            let refs = self.workspace.beside("refs");
            let mut lines = String::new();
            for tag in 0..TAGS {
                writeln!(lines, "create refs/tags/v{round}.{tag} {}", head.trim()).unwrap();
            }
            fs::write(&refs, lines).unwrap();
            let line = format!("git update-ref --stdin < '{}'", refs.display());
            self.run("sh", &["-c", &line]);
            let tags = format!("refs/tags/v{round}.*:refs/tags/v{round}.*");
            self.run("git", &[options, &["push", "--quiet", "origin", &tags]].concat())
        })
    }
}

fn name_of(number: usize) -> String {
    format!("many/{}/{}/{number}.rs", number % 20, number / 20 % 50)
}

fn row(name: &'static str, size: Size, value: f64, most: f64) -> Figure {
    Figure { name, size, unit: "ms", value, floor: None, goal: Goal::AtMost(most) }
}
