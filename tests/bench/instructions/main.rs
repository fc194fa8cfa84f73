//! How many instructions the hot paths take, counted by valgrind: unlike time, that is the same on a busy machine, so
//! a change that made something dearer shows at once.
//!
//! `cargo bench --bench instructions` prints the counts; with `-- --check` it fails if one is over the baseline beside
//! this file by more than a few per cent, and with `-- --keep` it writes a new baseline. Counts depend on the compiler,
//! so a baseline says with which one it was taken, and with another nothing is compared, which is said aloud.
//! `tests/bench/order` runs it with `-- --order PROGRAM`, which counts nothing (`order.rs`).
//!
//! What is counted is the difference between doing a thing often and seldom, so that starting and ending don't count.
//! The system's own work is not in it: `figures` has that. Nor are servers: how often their timers fire depends on time.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints counts, and ends when it cannot take them"
)]
#![allow(clippy::needless_pass_by_value, reason = "JSON literals read better without a reference")]

#[allow(dead_code, unused_imports, reason = "it needs a part of the tests' vocabulary")]
#[path = "../../it/support/mod.rs"]
mod support;

#[allow(dead_code, reason = "it needs a part of the figures' vocabulary")]
#[path = "../populate.rs"]
mod populate;

mod baseline;
mod order;
mod work;

use std::path::Path;
use std::process::{Command, ExitCode};

use baseline::{Baseline, Circumstances};
use populate::{Size, populate};
use support::Workspace;
use work::{SELDOM, Work};

/// A count may be over its baseline by so much: the compiler lays code out in another way when something near changes.
const TOLERANCE: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if work::was_asked_for(&arguments) {
        return ExitCode::SUCCESS;
    }
    let Some(circumstances) = Circumstances::here() else {
        println!("SKIPPED: valgrind is not here, so no instructions were counted");
        return ExitCode::SUCCESS;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(program) = arguments.iter().skip_while(|argument| *argument != "--order").nth(1) {
        order::write(Path::new(program), &circumstances, &root.join("server/order.txt"));
        return ExitCode::SUCCESS;
    }
    let file = root.join("tests/bench/instructions/baseline.txt");
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let known = Baseline::read(&file);
    let is_comparable = known.as_ref().is_some_and(|known| known.circumstances == circumstances);
    if has("--check") && !is_comparable {
        println!("SKIPPED: there is no baseline for {circumstances}, so nothing was compared");
        return ExitCode::SUCCESS;
    }
    let counted = Baseline { circumstances, counts: count_all() };
    let mut is_dearer = false;
    println!("| hot path | instructions | baseline | change |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, count) in &counted.counts {
        let before = known.as_ref().filter(|_| is_comparable).and_then(|known| known.count_of(name));
        let change = before.map(|before| count / before - 1.0);
        is_dearer |= change.is_some_and(|change| change > TOLERANCE);
        let before = before.map_or(String::new(), |before| format!("{before:.0}"));
        let change = change.map_or(String::new(), |change| format!("{:+.1} %", change * 100.0));
        println!("| {name} | {count:.0} | {before} | {change} |");
    }
    if has("--keep") {
        counted.write(&file);
    }
    if has("--check") && is_dearer {
        println!(
            "A hot path takes over {:.0} % more instructions than before. If that is worth it, \
             `cargo bench --bench instructions -- --keep` makes it the baseline.",
            TOLERANCE * 100.0
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn count_all() -> Vec<(String, f64)> {
    let mut counts = Vec::new();
    for size in [Size::LEAST, Size::MOST] {
        let workspace = Workspace::small();
        let directory = workspace.path("COORDINATION");
        let registry = populate(&directory, size);
        for work in Work::ALL {
            eprintln!("counting: {work}, {size} claims");
            let count = |times: usize| {
                let mut command = valgrind(&workspace);
                command.arg(std::env::current_exe().unwrap()).args(work.arguments(times)).arg(&directory);
                assert!(command.status().unwrap().success(), "{work}");
                // The next count begins with what this one began with.
                for session in registry.sessions().unwrap().iter().filter(|session| session.record.client.is_none()) {
                    registry.release_all(&session.id).unwrap();
                }
                collected(&workspace)
            };
            counts.push((format!("{work}, {size} claims"), difference(count)));
        }
        if size == Size::MOST {
            eprintln!("counting: a verb that claims, {size} claims");
            let count = work::claim(&workspace, &registry);
            counts.push((format!("`deconflict claim`, whole process, {size} claims"), count));
        }
    }
    eprintln!("counting: a verb that only looks");
    counts.push(("`deconflict check`, whole process".to_owned(), work::check(&Workspace::small())));
    counts
}

/// What one time costs.
fn difference(count: impl Fn(usize) -> f64) -> f64 {
    let (seldom, often) = (count(SELDOM), count(SELDOM * 5));
    (often - seldom) / f64::from(u32::try_from(SELDOM * 4).unwrap())
}

/// Counts what the program takes that is added to it.
fn valgrind(workspace: &Workspace) -> Command {
    let mut command = Command::new("valgrind");
    support::clean_environment(&mut command, workspace.home());
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--log-file={}", workspace.beside("valgrind.log").display()));
    command
}

/// The count of the last run.
fn collected(workspace: &Workspace) -> f64 {
    let log = std::fs::read_to_string(workspace.beside("valgrind.log")).unwrap();
    let line = log.lines().find_map(|line| line.split_once("Collected : ")).unwrap_or_else(|| panic!("{log}"));
    line.1.trim().parse().unwrap()
}
