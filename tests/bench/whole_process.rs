//! Terminal verbs and the hooks of coding agents as whole processes, beside an empty Rust program.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use deconflict_protocol::SessionId;
use deconflict_registry::NewSession;
use serde_json::{Value, json};

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::populate::{Size, populate};
use crate::programs::{deconflict, empty_program};
use crate::support::{Workspace, clean_environment};

const ROUNDS: usize = 100;
const STATUS_ROUNDS: usize = 20;

/// How often a person claims or releases, at most, and how often that is measured.
const PACE: Duration = Duration::from_millis(1100);
const PACED_ROUNDS: usize = 50;

pub(crate) fn measure(size: Size) -> Vec<Figure> {
    let place = Place::new(size);
    let workspace = &place.workspace;
    let (mut floor, mut claims, mut refusals, mut releases) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let name = format!("src/free-{round}.rs");
        floor.push(place.floor());
        claims.push(place.verb(&place.session, &["claim", "file", &name], 0));
        refusals.push(place.verb(&place.other, &["claim", "file", &name], 1));
        releases.push(place.verb(&place.session, &["release", "file", &name], 0));
    }
    // An agent holds what it has edited until its turn ends, so that there are more and more claims from here on.
    let (mut allowed, mut denied) = (vec![], vec![]);
    // It starts its session long before its first edit.
    for agent in ["first", "second"] {
        hook(workspace, agent, "README.md").answer();
    }
    for round in 0..ROUNDS {
        floor.push(place.floor());
        let name = format!("src/edited-{round}.rs");
        allowed.push(milliseconds(|| assert_eq!(hook(workspace, "first", &name).answer(), "")));
        denied.push(milliseconds(|| assert!(hook(workspace, "second", &name).answer().contains("deny"))));
    }
    let floor = quantile(&mut floor, 0.5);
    let row = |name, samples: &mut [f64]| figure(name, size, samples, 0.5, floor);
    let mut figures = vec![
        row("`deconflict claim`, refused, p50", &mut refusals),
        row("`deconflict hook`, edit allowed, p50", &mut allowed),
        row("`deconflict hook`, edit denied, p50", &mut denied),
    ];
    let mut statuses: Vec<f64> = (0..STATUS_ROUNDS).map(|_| place.verb(&place.session, &["status"], 0)).collect();
    figures.push(Figure { goal: Goal::AtMost(200.0), ..row("`deconflict status`, p50", &mut statuses) });
    figures.extend(quantiles(CLAIM, size, &mut claims, floor));
    figures.extend(quantiles(RELEASE, size, &mut releases, floor));
    figures
}

const CLAIM: [&str; 3] =
    ["`deconflict claim`, granted, p50", "`deconflict claim`, granted, p95", "`deconflict claim`, granted, p99"];
const RELEASE: [&str; 3] = ["`deconflict release`, p50", "`deconflict release`, p95", "`deconflict release`, p99"];
const CLAIM_AT_PACE: [&str; 3] = [
    "`deconflict claim`, one each 1.1 s, p50",
    "`deconflict claim`, one each 1.1 s, p95",
    "`deconflict claim`, one each 1.1 s, p99",
];
const RELEASE_AT_PACE: [&str; 3] = [
    "`deconflict release`, one each 1.1 s, p50",
    "`deconflict release`, one each 1.1 s, p95",
    "`deconflict release`, one each 1.1 s, p99",
];

/// Verbs at the pace of a person, with the least and the most in the directory, and no server running.
pub(crate) fn measure_pace() -> Vec<Figure> {
    let sizes = [Size::LEAST, Size::MOST];
    let places = sizes.map(Place::new);
    let mut floor = vec![];
    let [mut claims, mut releases] = [(); 2].map(|()| sizes.map(|_| vec![]));
    for round in 0..PACED_ROUNDS {
        let name = format!("src/free-{round}.rs");
        for (verb, samples) in [("claim", &mut claims), ("release", &mut releases)] {
            let begin = Instant::now();
            for (place, samples) in places.iter().zip(samples) {
                floor.push(place.floor());
                samples.push(place.verb(&place.session, &[verb, "file", &name], 0));
            }
            // The pace is what is measured here, so nothing is waited for.
            sleep(PACE.saturating_sub(begin.elapsed()));
        }
    }
    let floor = quantile(&mut floor, 0.5);
    let mut figures = Vec::new();
    for (index, size) in sizes.into_iter().enumerate() {
        figures.extend(quantiles(CLAIM_AT_PACE, size, &mut claims[index], floor));
        figures.extend(quantiles(RELEASE_AT_PACE, size, &mut releases[index], floor));
    }
    figures
}

/// The median, which has a goal, and what the slowest ones take.
fn quantiles(names: [&'static str; 3], size: Size, samples: &mut [f64], floor: f64) -> [Figure; 3] {
    let mut row = |name, share| figure(name, size, samples, share, floor);
    let [p50, p95, p99] = [row(names[0], 0.5), row(names[1], 0.95), row(names[2], 0.99)];
    [p50, Figure { goal: Goal::None, ..p95 }, Figure { goal: Goal::None, ..p99 }]
}

fn figure(name: &'static str, size: Size, samples: &mut [f64], share: f64, floor: f64) -> Figure {
    let value = quantile(samples, share);
    Figure { name, size, unit: "ms", value, floor: Some(floor), goal: Goal::TimesFloor(3.0) }
}

/// A workspace with two sessions in which verbs run.
struct Place {
    workspace: Workspace,
    session: SessionId,
    other: SessionId,
    empty: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Place {
    fn new(size: Size) -> Self {
        let workspace = Workspace::small();
        let registry = populate(&workspace.path("COORDINATION"), size);
        let [session, other] = [(); 2].map(|()| registry.register(NewSession::default()).unwrap().id);
        let scratch = tempfile::tempdir().unwrap();
        Self { workspace, session, other, empty: empty_program(scratch.path()), _scratch: scratch }
    }

    fn verb(&self, session: &SessionId, arguments: &[&str], code: i32) -> f64 {
        let mut command = Command::new(deconflict());
        clean_environment(&mut command, self.workspace.home());
        command.args(["--session", session.as_str()]).args(arguments).current_dir(self.workspace.root());
        run(command, code)
    }

    fn floor(&self) -> f64 {
        run(Command::new(&self.empty), 0)
    }
}

/// A verb of somebody without a session.
pub(crate) fn verb(workspace: &Workspace, arguments: &[&str]) -> f64 {
    let mut command = Command::new(deconflict());
    clean_environment(&mut command, workspace.home());
    command.args(arguments).current_dir(workspace.root());
    run(command, 0)
}

pub(crate) fn run(mut command: Command, code: i32) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    milliseconds(|| assert_eq!(command.status().unwrap().code(), Some(code), "{command:?}"))
}

/// A hook that a coding agent starts before it edits a file.
pub(crate) struct Hook {
    command: Command,
    event: String,
}

fn hook(workspace: &Workspace, agent: &str, file: &str) -> Hook {
    hook_of(
        workspace,
        "claude-code",
        &json!({
            "session_id": agent, "cwd": workspace.root(), "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": workspace.path(file), "content": "x"},
        }),
    )
}

/// The same of any agent with any event.
pub(crate) fn hook_of(workspace: &Workspace, agent: &str, event: &Value) -> Hook {
    let mut command = Command::new(deconflict());
    clean_environment(&mut command, workspace.home());
    command.args(["hook", agent]).current_dir(workspace.root());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Hook { command, event: event.to_string() }
}

impl Hook {
    pub(crate) fn answer(mut self) -> String {
        let mut child = self.command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(self.event.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }
}
