//! Thirty-two real `deconflict` processes want one thing at the same instant: one gets it, the others are told who.
//!
//! `races.rs` runs many more rounds with processes that call the library; these go through the program itself, with
//! everything that it does around a claim.

use std::process::{Child, Stdio};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Terminal, Workspace, timestamp};

const RACERS: usize = 32;

/// Sessions, each at a prompt of its own.
struct Race {
    workspace: Workspace,
    racers: Vec<(Terminal, String)>,
}

impl Race {
    fn new() -> Self {
        let workspace = Workspace::small();
        let racers = (0..RACERS).map(|_| Terminal::with_new_session(&workspace)).collect();
        Self { workspace, racers }
    }

    /// Lets all of them claim a task at once, and returns the session that got it.
    #[track_caller]
    fn run(&self, task: &str) -> String {
        let claim = |(terminal, _): &(Terminal, String)| -> Child {
            let mut command = terminal.command(["claim", "task", task, "--json"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running: Vec<Child> = self.racers.iter().map(claim).collect();
        let answers: Vec<(Option<i32>, Value)> = running
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .map(|ended| (ended.status.code(), serde_json::from_slice(&ended.stdout).unwrap()))
            .collect();
        let winners: Vec<usize> = (0..RACERS).filter(|index| answers[*index].0 == Some(0)).collect();
        let [winner] = winners[..] else { panic!("{task}: {} winners in {answers:#?}", winners.len()) };
        let winner = &self.racers[winner].1;
        for (code, answer) in answers.iter().filter(|(code, _)| *code != Some(0)) {
            assert_eq!(*code, Some(1), "{answer}");
            assert_eq!(answer["reason"], "claimed");
            assert_eq!(answer["claim"]["claimed_by"], winner.as_str(), "the losers are told who");
        }
        assert_eq!(self.workspace.coordination().holder(task).as_ref(), Some(winner));
        winner.clone()
    }
}

#[test]
fn one_of_many_gets_what_is_free() {
    let race = Race::new();
    for round in 0..12 {
        race.run(&format!("free-{round}"));
    }
}

#[test]
fn one_of_many_gets_what_ran_out_and_its_holder_is_told_once() {
    let race = Race::new();
    let coordination = race.workspace.coordination();
    coordination.write_session("session-late", json!({}));
    let earlier = timestamp(Utc::now() - TimeDelta::hours(5));
    for round in 0..6 {
        let task = format!("expired-{round}");
        coordination.write_claim("session-late", "task", &task, json!({"claimed_at": earlier, "expires_at": earlier}));
        race.run(&task);
        assert_eq!(coordination.messages_to("session-late").len(), round + 1);
    }
}

#[test]
fn one_of_many_gets_what_a_killed_process_held() {
    let race = Race::new();
    let coordination = race.workspace.coordination();
    for round in 0..6 {
        // A process that keeps a session is killed while the session holds the task.
        let mut keeper = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let id = format!("session-killed-{round}");
        let process = deconflict_platform::process(keeper.id()).unwrap();
        coordination.write_session(
            &id,
            json!({"pid": process.pid, "process_started": process.started, "pid_scope": deconflict_platform::pid_scope()}),
        );
        let task = format!("killed-{round}");
        let holder = Terminal::on(&race.workspace).session(&id);
        holder.run(["claim", "task", &task]).expect_code(0);
        race.racers[0].0.run(["claim", "task", &task]).expect_code(1);
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        race.run(&task);
    }
}

#[test]
fn a_verb_that_is_killed_at_any_instant_leaves_a_whole_directory() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    let coordination = workspace.coordination();
    for round in 0..40 {
        let mut command = terminal.command(["claim", "task", &format!("cut-{round}")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Each is killed a little later than the one before, over about the time that a claim takes.
        let killed_after = std::time::Duration::from_micros(150 * round);
        let start = std::time::Instant::now();
        while start.elapsed() < killed_after {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for file in coordination.claim_files() {
        let text = workspace.read(format!("COORDINATION/claims/{file}"));
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{file} is torn ({error}): {text}"));
    }
    let status = terminal.run(["status", "--json"]).expect_code(0).json();
    assert_eq!(status["damaged"], json!([]));
    terminal.run(["claim", "task", "after all"]).expect_code(0);
}
