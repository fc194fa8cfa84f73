//! Many processes want one resource at the same instant. Exactly one gets it, and the others are told who.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Naming, Resource, SessionId, time};
use deconflict_registry::{ClaimOutcome, Key, NewSession, Registry, Terms};
use serde_json::json;

/// So many processes race, so many times.
const RACERS: usize = 32;
const ROUNDS: usize = 1_000;

/// Names the directory to the processes that race.
const DIRECTORY: &str = "DECONFLICT_TEST_RACE_IN";

/// How every line of a racer starts that is not the test harness's own.
const MARK: &str = "racer: ";

#[test]
fn one_of_many_processes_gets_a_free_resource() {
    let mut race = Race::new();
    for round in 0..ROUNDS {
        race.run(&format!("free-{round}"));
    }
}

#[test]
fn one_of_many_processes_gets_an_expired_resource() {
    let mut race = Race::new();
    for round in 0..ROUNDS {
        let name = format!("expired-{round}");
        let long_ago = time::format(Utc::now() - TimeDelta::hours(1));
        let claim = json!({
            "claimed_by": "gone-home", "resource_type": "file", "resource_name": name,
            "claimed_at": long_ago, "expires_at": long_ago,
        });
        let key = Naming::default().key(&Resource::file(&name).unwrap());
        std::fs::write(race.registry.file_of(&Key::Claim(key)), claim.to_string()).unwrap();
        race.run(&name);
    }
}

#[test]
fn one_of_many_processes_gets_what_a_killed_holder_had() {
    let mut race = Race::new();
    let name = "kept";
    let mut holder = race.run(name);
    for _ in 0..ROUNDS {
        race.replace_killed(holder);
        holder = race.run(name);
    }
}

/// The process that races; by itself it does nothing.
#[test]
fn racer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let registry = Registry::open(Path::new(&directory), Arc::new(SystemClock::new())).unwrap();
    let keeper = Some(platform::current_process());
    let session = registry.register(NewSession { keeper, ..NewSession::default() }).unwrap().id;
    println!("{MARK}{session}");
    for line in std::io::stdin().lines() {
        let resource = Resource::file(&line.unwrap()).unwrap();
        let said = match registry.claim(&session, &resource, &Terms::default()).unwrap() {
            ClaimOutcome::Granted { claim, .. } => format!("granted {}", claim.record.generation.unwrap()),
            ClaimOutcome::Refused { by } => format!("refused {}", by.holder().unwrap()),
            ClaimOutcome::AlreadyHeld { .. } => "held".to_owned(),
        };
        println!("{MARK}{said}");
    }
}

struct Race {
    registry: Registry,
    racers: Vec<Racer>,
    last_generation: u64,
    _folder: tempfile::TempDir,
}

impl Race {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::create(&folder.path().join("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
        let racers = (0..RACERS).map(|_| Racer::start(registry.path())).collect();
        Self { registry, racers, last_generation: 0, _folder: folder }
    }

    /// Lets all claim one file, and returns the position of the one that got it.
    fn run(&mut self, name: &str) -> usize {
        for racer in &mut self.racers {
            writeln!(racer.input, "{name}").unwrap();
        }
        let outcomes: Vec<_> = self.racers.iter_mut().map(Racer::line).collect();
        let winners: Vec<_> = (0..RACERS).filter(|racer| outcomes[*racer].starts_with("granted")).collect();
        assert_eq!(winners.len(), 1, "{name}: {outcomes:?}");
        let winner = winners[0];
        let generation = outcomes[winner].strip_prefix("granted ").unwrap().parse().unwrap();
        assert!(generation > self.last_generation, "a later holding has a greater number");
        self.last_generation = generation;
        let refused = format!("refused {}", self.racers[winner].session);
        for (racer, outcome) in outcomes.iter().enumerate() {
            assert!(racer == winner || *outcome == refused, "{name}: {outcome}, but {refused} is true");
        }
        winner
    }

    /// Kills a racer, as a crash would, and puts a new one in its place.
    fn replace_killed(&mut self, position: usize) {
        self.racers[position] = Racer::start(self.registry.path());
    }
}

/// A process that claims what it is told to. Dropping it kills it.
struct Racer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: SessionId,
}

impl Racer {
    fn start(directory: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["races::racer", "--exact", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut racer = Self { process, input, output, session: SessionId::new("unknown").unwrap() };
        racer.session = SessionId::new(&racer.line()).unwrap();
        racer
    }

    fn line(&mut self) -> String {
        let mut lines = self.output.by_ref().lines();
        let marked = |line: String| line.split_once(MARK).map(|(_, said)| said.to_owned());
        lines.find_map(|line| marked(line.unwrap())).expect("the racer answers")
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
