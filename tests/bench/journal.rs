//! What the journal costs: at an edit and at a shell command of a coding agent, when it is asked, and on the disk.
//!
//! Unless it is said otherwise the directory has 10 claims in it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_changes::{Recorder, author_of};
use deconflict_journal::{Author, Cause, Journal, Observation};
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::Resource;
use deconflict_registry::{NewSession, Registry};
use deconflict_workspace::{Ignored, Namer, locate};
use serde_json::{Value, json};

use crate::figures::{Figure, Goal, milliseconds, quantile};
use crate::pipe::Server;
use crate::populate::{Size, populate};
use crate::programs::empty_program;
use crate::support::{GitMonitor, Workspace};
use crate::whole_process::{hook_of, run, verb};

/// The length of an edited file, in bytes.
const LENGTH: usize = 20 << 10;

const ROUNDS: usize = 60;

/// An edit of a file of 20 KB by a coding agent's tool: the hook before it, the hook after it, which keeps what stands
/// there then, and the hook that refuses it to another one. Before the first edit of a file all of it is new to the
/// journal.
pub(crate) fn measure_edits(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    for round in 0..ROUNDS {
        workspace.write(file(round), text_of(LENGTH, round));
    }
    workspace.commit_all("Files");
    populate(&workspace.path("COORDINATION"), size);
    // A journal that has been in use has most of its folders.
    let clone = Clone::of(&workspace);
    for number in 0..1500 {
        clone.journal.keep(format!("{number}").as_bytes()).unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    let empty = empty_program(scratch.path());
    for agent in ["first", "second"] {
        before_edit(&workspace, agent, "README.md");
    }
    let (mut floor, mut first, mut before, mut after, mut denied) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let name = file(round);
        let edit = |version: usize, before: &mut Vec<f64>, after: &mut Vec<f64>| {
            before.push(milliseconds(|| assert_eq!(before_edit(&workspace, "first", &name), "")));
            workspace.write(&name, text_of(LENGTH, version));
            after.push(milliseconds(|| drop(edit_event(&workspace, "first", "PostToolUse", &name))));
        };
        floor.push(run(Command::new(&empty), 0));
        edit(round + 1000, &mut first, &mut vec![]);
        edit(round + 2000, &mut before, &mut after);
        denied.push(milliseconds(|| assert!(before_edit(&workspace, "second", &name).contains("deny"))));
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
        row("hook before the first edit of a file of 20 KB, p50", &mut first),
        row("hook before an edit of 20 KB, allowed, p50", &mut before),
        row("hook after an edit of 20 KB, p50", &mut after),
        row("hook before an edit of 20 KB, denied, p50", &mut denied),
    ]
}

fn before_edit(workspace: &Workspace, agent: &str, name: &str) -> String {
    edit_event(workspace, agent, "PreToolUse", name)
}

fn edit_event(workspace: &Workspace, agent: &str, event: &str, name: &str) -> String {
    let input = json!({"file_path": workspace.path(name), "content": "x"});
    tool_event(workspace, agent, event, "Write", input)
}

fn tool_event(workspace: &Workspace, agent: &str, event: &str, tool: &str, input: Value) -> String {
    let event = json!({
        "session_id": agent, "cwd": workspace.root(), "hook_event_name": event, "tool_name": tool, "tool_input": input,
    });
    hook_of(workspace, "claude-code", &event).answer()
}

/// A shell command of a coding agent: the hooks before and after it, over as many empty programs.
pub(crate) fn measure_commands() -> Vec<Figure> {
    const FILES: usize = 20_000;
    const UNCOMMITTED: usize = 50;
    let workspace = Workspace::small();
    for number in 0..FILES {
        workspace.write(format!("src/{}/{}/{number}.rs", number % 20, number / 20 % 50), format!("// {number}\n"));
    }
    workspace.write("work/0.rs", "// 0\n");
    workspace.commit_all("Files");
    populate(&workspace.path("COORDINATION"), Size::LEAST);
    // Git looks once more, so that its index tells of all what they are like.
    std::thread::sleep(Duration::from_millis(1100));
    workspace.git(&["status", "--porcelain"]);
    let clone = Clone::of(&workspace);
    for number in 0..UNCOMMITTED {
        clone.edit(&format!("work/{number}.rs"), &text_of(2000, number), Utc::now());
    }
    let scratch = tempfile::tempdir().unwrap();
    let empty = empty_program(scratch.path());
    tool_event(&workspace, "agent", "PreToolUse", "Bash", json!({"command": "make"}));
    let pair = |round: usize, change: &dyn Fn(usize)| {
        let command = json!({"command": format!("make all {round}")});
        let before = milliseconds(|| drop(tool_event(&workspace, "agent", "PreToolUse", "Bash", command.clone())));
        change(round);
        before + milliseconds(|| drop(tool_event(&workspace, "agent", "PostToolUse", "Bash", command)))
    };
    let all_pairs = |change: &dyn Fn(usize)| {
        let mut over: Vec<f64> =
            (0..ROUNDS).map(|round| pair(round, change) - 2.0 * run(Command::new(&empty), 0)).collect();
        quantile(&mut over, 0.5)
    };
    let nothing = |_: usize| {};
    let one = |round: usize| workspace.write("work/0.rs", text_of(2000, 1000 + round));
    let clean =
        |round: usize| workspace.write(format!("src/{}/0/{}.rs", round % 20, round % 20), format!("// {round}\n"));
    let mut figures = vec![
        row(
            "hooks of a command that changes nothing, 20,000 files, over empty programs, p50",
            all_pairs(&nothing),
            30.0,
        ),
        row("hooks of a command that changes an uncommitted file, the same", all_pairs(&one), 30.0),
        row("hooks of a command that changes a clean file, the same", all_pairs(&clean), 30.0),
    ];
    if let Some(_monitor) = GitMonitor::start(&workspace) {
        figures.extend([
            row("hooks of a command that changes nothing, beside git's fsmonitor, p50", all_pairs(&nothing), 10.0),
            row(
                "hooks of a command that changes an uncommitted file, beside git's fsmonitor, p50",
                all_pairs(&one),
                10.0,
            ),
            row("hooks of a command that changes a clean file, beside git's fsmonitor, p50", all_pairs(&clean), 10.0),
        ]);
    }
    let mut server = Server::start(&workspace, "anna");
    server.open(&workspace.uri("README.md"), &workspace.read("README.md"));
    server.catch_up(&workspace.uri("README.md"));
    // It has looked around by then.
    std::thread::sleep(Duration::from_secs(5));
    figures.extend([
        row("hooks of a command that changes nothing, beside a live server, p50", all_pairs(&nothing), 10.0),
        row("hooks of a command that changes an uncommitted file, beside a live server, p50", all_pairs(&one), 10.0),
    ]);
    figures
}

/// What was changed in one of many files, and whose its lines are.
pub(crate) fn measure_questions() -> Vec<Figure> {
    const FILES: usize = 1000;
    const ENTRIES: usize = 100;
    const LINES: usize = 5000;
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), Size::LEAST);
    let clone = Clone::of(&workspace);
    let now = Utc::now();
    for entry in 0..ENTRIES {
        for number in 0..FILES {
            let at = now + TimeDelta::milliseconds(i64::try_from(entry * FILES + number).unwrap());
            clone.note(&format!("many/{number}.txt"), &format!("{entry}\n"), at);
        }
    }
    let lines = |changed: usize| {
        (0..LINES).fold(String::new(), |mut text, line| {
            let version = if line % 50 <= changed { line % 50 } else { 0 };
            writeln!(text, "let value_{line} = work_on(line, {version});").unwrap();
            text
        })
    };
    workspace.write("long.rs", lines(0));
    workspace.git(&["add", "long.rs"]);
    workspace.git(&["commit", "--quiet", "--message", "A long file"]);
    for changed in 1..40 {
        clone.edit("long.rs", &lines(changed), now);
    }
    let timed = |arguments: &[&str]| {
        let mut samples: Vec<f64> = (0..20).map(|_| verb(&workspace, arguments)).collect();
        quantile(&mut samples, 0.5)
    };
    vec![
        row("`deconflict history` of a file among 100,000 entries, p50", timed(&["history", "many/500.txt"]), 20.0),
        row("`deconflict blame` of 5,000 lines, p50", timed(&["blame", "long.rs"]), 50.0),
    ]
}

/// A day of heavy work.
pub(crate) fn measure_day() -> Vec<Figure> {
    const EDITS: usize = 20_000;
    const FILES: usize = 50;
    const DAY: i64 = 8 * 3600;
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), Size::LEAST);
    let clone = Clone::of(&workspace);
    let begin = Utc::now();
    let mut texts: Vec<String> = (0..FILES).map(|number| text_of(LENGTH, number)).collect();
    let mut random = 1_u64;
    for edit in 0..EDITS {
        let at = begin + TimeDelta::seconds(DAY * i64::try_from(edit).unwrap() / i64::try_from(EDITS).unwrap());
        // Some lines at a place by chance are others.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let text = &mut texts[edit % FILES];
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let place = usize::try_from(random >> 33).unwrap() % (lines.len() - 5);
        for line in &mut lines[place..place + 5] {
            *line = format!("    let value_{edit} = compute({random:x}, {place});");
        }
        *text = lines.join("\n") + "\n";
        clone.edit(&format!("work/{}.rs", edit % FILES), text, at);
        // A verb or a server does so once in an hour.
        if edit % (EDITS / 8) == 0 {
            clone.recorder().maintain_when_due(at).unwrap();
        }
    }
    let end = begin + TimeDelta::seconds(DAY) + TimeDelta::hours(1);
    clone.recorder().maintain_when_due(end).unwrap();
    #[allow(clippy::cast_precision_loss)]
    let kept = disk_use(&clone.journal.path()) as f64 / 1e6;
    vec![Figure {
        name: "kept of a day with 20,000 edits of 20 KB files",
        size: Size::LEAST,
        unit: "MB",
        value: kept,
        floor: None,
        goal: Goal::AtMost(60.0),
    }]
}

/// How much room a folder takes on the disk, in bytes.
fn disk_use(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &Path| {
        let found = fs::symlink_metadata(path).unwrap();
        found.blocks() * 512 + if found.is_dir() { disk_use(path) } else { 0 }
    };
    fs::read_dir(folder).unwrap().map(|entry| of(&entry.unwrap().path())).sum()
}

/// A clone in which one session works, whose edits are recorded without a process for each.
struct Clone<'a> {
    workspace: &'a Workspace,
    registry: Registry,
    journal: Journal,
    namer: Namer,
    ignored: Ignored,
    author: Author,
}

impl<'a> Clone<'a> {
    fn of(workspace: &'a Workspace) -> Self {
        let directory = workspace.path("COORDINATION");
        let registry = Registry::open(&directory, Arc::new(SystemClock::new())).unwrap();
        let author = author_of(&registry.register(NewSession::default()).unwrap());
        let journal = Journal::of(&directory, None).unwrap();
        let namer = Namer::new(&locate(workspace.root(), None, None).unwrap());
        Self { workspace, registry, journal, namer, ignored: Ignored::new(), author }
    }

    fn recorder(&self) -> Recorder<'_> {
        Recorder { journal: &self.journal, namer: &self.namer, ignored: &self.ignored, registry: Some(&self.registry) }
    }

    /// The same without looking who lost by it.
    fn note(&self, path: &str, text: &str, at: DateTime<Utc>) {
        self.workspace.write(path, text);
        let observation = Observation::by(self.author.clone(), Cause::Edit, at, at);
        self.journal.observe(&Resource::file(path).unwrap(), &self.workspace.path(path), &observation).unwrap();
    }

    fn edit(&self, path: &str, text: &str, at: DateTime<Utc>) {
        let resource = Resource::file(path).unwrap();
        self.workspace.write(path, text);
        self.recorder().changed_by(&self.author, Cause::Edit, &resource, at, at).unwrap();
    }
}

fn file(number: usize) -> String {
    format!("work/file-{number}.rs")
}

/// A text of so many bytes that looks like a program's.
fn text_of(length: usize, seed: usize) -> String {
    let mut text = String::with_capacity(length + 80);
    let mut line = seed.wrapping_mul(7919);
    while text.len() < length {
        line = line.wrapping_mul(31).wrapping_add(17) % 1_000_003;
        writeln!(text, "    let value_{line} = compute(input_{}, {seed});", line % 97).unwrap();
    }
    text
}

/// How long something takes, in milliseconds, and the most that it should.
fn row(name: &'static str, value: f64, most: f64) -> Figure {
    Figure { name, size: Size::LEAST, unit: "ms", value, floor: None, goal: Goal::AtMost(most) }
}
