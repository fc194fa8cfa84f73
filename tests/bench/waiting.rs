//! What it costs to run a command with `deconflict run`, and to wait for what it holds: how soon the next one begins, and
//! what a processor has to do while nothing happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::figures::{Figure, Goal, quantile};
use crate::populate::{Size, populate};
use crate::programs::{self, empty_program, small_program};
use crate::rest::processor_time;
use crate::support::{Workspace, clean_environment, wait_within};
use crate::whole_process::run;

const ROUNDS: usize = 100;

/// So many wait for the same.
const CROWD: usize = 64;

/// How long it is watched what those who wait cost.
const REST: Duration = Duration::from_secs(20);

const PATIENCE: Duration = Duration::from_mins(2);

/// A command under `run`, beside the same command alone.
pub(crate) fn measure_run(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), size);
    let scratch = tempfile::tempdir().unwrap();
    let empty = empty_program(scratch.path());
    let (mut alone, mut held) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(run(Command::new(&empty), 0));
        held.push(run(with(&workspace, "db", &[], &[&empty]), 0));
    }
    let (alone, held) = (quantile(&mut alone, 0.5), quantile(&mut held, 0.5));
    let row = |name, value, floor, goal| Figure { name, size, unit: "ms", value, floor, goal };
    vec![
        row("`deconflict run` of an empty program, p50", held, Some(alone), Goal::None),
        row("the same, over the program alone", held - alone, None, Goal::AtMost(2.0)),
    ]
}

/// A crowd that waits: what each of it costs, and how soon the next one begins when one has ended.
pub(crate) fn measure_crowd() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (places, cost, names) in [
        (
            1,
            "each of 64 who wait, share of a core",
            ["from a command's end to the next of 64, p50", "from a command's end to the next of 64, p99"],
        ),
        (
            3,
            "each of 64 who wait for three places, share of a core",
            ["the same with three places, p50", "the same with three places, p99"],
        ),
    ] {
        let mut crowd = Crowd::gather(places);
        let row = |name, unit, value, goal| Figure { name, size: Size::LEAST, unit, value, floor: None, goal };
        figures.push(row(cost, "%", crowd.cost_of_waiting() * 100.0, Goal::AtMost(0.05)));
        let mut gaps = crowd.gaps();
        figures.push(row(names[0], "ms", quantile(&mut gaps, 0.5), Goal::AtMost(5.0)));
        figures.push(row(names[1], "ms", quantile(&mut gaps, 0.99), Goal::AtMost(50.0)));
    }
    figures
}

fn with(workspace: &Workspace, what: &str, wait: &[&str], command: &[&Path]) -> Command {
    let mut run = Command::new(programs::deconflict());
    clean_environment(&mut run, workspace.home());
    run.args(["run", "--with", what]).args(wait).arg("--").args(command).current_dir(workspace.root());
    run
}

struct Crowd {
    workspace: Workspace,
    places: usize,
    holder: Child,
    waiting: Vec<Child>,
    log: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Crowd {
    fn gather(places: usize) -> Self {
        let workspace = Workspace::small();
        workspace.write("deconflict.toml", format!("[resources.db]\ncount = {places}\n"));
        let scratch = tempfile::tempdir().unwrap();
        let log = scratch.path().join("log");
        let stamps = small_program(scratch.path(), "stamps", STAMPS);
        let start = |what: &str, command: &[&Path]| {
            let mut run = with(&workspace, what, &["--wait", "30m"], command);
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let holder = start(&format!("db*{places}"), &[Path::new("sleep"), Path::new("1000")]);
        let claims = workspace.path("COORDINATION/claims");
        wait_within(PATIENCE, "the holder", || {
            (fs::read_dir(&claims).is_ok_and(|claims| claims.count() == places)).then_some(())
        });
        let queue = workspace.path("COORDINATION/.queue");
        let mut waiting = Vec::new();
        for number in 0..CROWD {
            waiting.push(start("db", &[&stamps, &log]));
            wait_within(PATIENCE, "a ticket", || {
                fs::read_dir(&queue).is_ok_and(|tickets| tickets.count() > number).then_some(())
            });
        }
        Self { workspace, places, holder, waiting, log, _scratch: scratch }
    }

    fn cost_of_waiting(&self) -> f64 {
        let used = || self.waiting.iter().filter_map(|one| processor_time(one.id())).sum::<Duration>();
        // Whoever has just begun to wait says so.
        sleep(Duration::from_secs(2));
        let (before, start) = (used(), Instant::now());
        // What is measured here is what those do who wait, so nothing is waited for.
        sleep(REST);
        let cost = used().saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64();
        cost / f64::from(u32::try_from(CROWD).unwrap())
    }

    /// From the end of each command to the start of the next, in milliseconds.
    fn gaps(&mut self) -> Vec<f64> {
        self.holder.kill().unwrap();
        let claims = self.workspace.path("COORDINATION/claims");
        for claim in fs::read_dir(claims).unwrap() {
            let record: serde_json::Value = serde_json::from_slice(&fs::read(claim.unwrap().path()).unwrap()).unwrap();
            let group = record["process"]["process_group"].as_i64().unwrap();
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status();
        }
        self.holder.wait().unwrap();
        for one in &mut self.waiting {
            let ended = one.wait().unwrap();
            assert!(ended.success(), "{ended}");
        }
        let log = fs::read_to_string(&self.log).unwrap();
        let mut moments: Vec<(u128, bool)> = log
            .lines()
            .map(|line| {
                let (what, at) = line.split_once(' ').unwrap();
                (at.parse().unwrap(), what == "begin")
            })
            .collect();
        moments.sort_unstable();
        // Each end makes a place, and the next begin takes it.
        let (mut ends, mut gaps) = (std::collections::VecDeque::new(), Vec::new());
        for (at, is_begin) in moments {
            match (is_begin, ends.pop_front()) {
                (false, end) => {
                    ends.extend(end);
                    ends.push_back(at);
                }
                (true, Some(end)) => {
                    #[allow(clippy::cast_precision_loss, reason = "no gap lasts for years")]
                    gaps.push((at - end) as f64 / 1e6);
                }
                (true, None) => {}
            }
        }
        assert_eq!(gaps.len(), CROWD - self.places, "{log}");
        gaps
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for one in self.waiting.iter_mut().chain([&mut self.holder]) {
            let _ = one.kill();
            let _ = one.wait();
        }
    }
}

/// Writes when it begins and when it ends, 10 ms later.
const STAMPS: &str = r#"
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let mut log = std::fs::File::options().append(true).create(true).open(path).unwrap();
    let mut say = |what: &str| {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        log.write_all(format!("{what} {at}\n").as_bytes()).unwrap();
    };
    say("begin");
    std::thread::sleep(Duration::from_millis(10));
    say("end");
}
"#;
