//! `deconflict demo`

mod editor;
mod scene;

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thiserror::Error;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::style;
use super::table::wrapped;
use deconflict_registry::board_below;
use editor::{Editor, Sight};
use scene::Scene;

/// Watch two editors and a terminal share one clone
///
/// Starts two real language servers on a scratch git repository, lets them get in each other's way, and tells step by
/// step what each of them sees and how long that took. Everything is removed again at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// The file that both want.
const ORDERS: &str = "src/orders.rs";

/// The file that the agent works on.
const INVOICES: &str = "src/invoices.rs";

/// What whoever watches can wait for.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is said at the end, whatever the end.
const CLEAN: &str = "Everything that was started is ended, and the scratch repository is removed.";

/// The width of what is told, if the terminal is not narrower.
const WIDEST: usize = 92;

/// No terminal is narrower than this.
const NARROWEST: usize = 60;

pub(super) fn run(_: &Arguments, output: Output) -> Result<Exit, Failure> {
    let mut story = Story::new(output, Telling::Whole);
    let told = std::env::current_exe()
        .map_err(|cause| Problem::io("find this program", cause))
        .and_then(|program| tell(&mut story, &program));
    match told {
        Ok(()) => story.end(),
        Err(problem) => Err(story.break_off(&problem)),
    }
}

/// The same with another program of ours, told in a line for each step. Returns the facts.
pub(super) fn check(program: &Path, output: Output) -> Result<Value, Failure> {
    let mut story = Story::new(output, Telling::Brief);
    match tell(&mut story, program) {
        Ok(()) => Ok(story.facts()),
        Err(problem) => Err(story.break_off(&problem)),
    }
}

/// The whole story. A step that is not seen ends it.
fn tell(story: &mut Story, program: &Path) -> Result<(), Problem> {
    let scene = Scene::set(program)?;
    let mut alice = Editor::start(&scene, "alice")?;
    let mut bob = Editor::start(&scene, "bob")?;
    for editor in [&mut alice, &mut bob] {
        editor.wait_for_session()?;
        editor.open(ORDERS)?;
    }
    alice.open(INVOICES)?;
    story.begin()?;

    both_want_one_file(story, &mut alice, &mut bob)?;
    it_changes_hands(story, &mut alice, &mut bob)?;
    let agent = an_agent_joins(story, &scene, &alice)?;
    a_server_is_killed(story, &mut alice, bob)?;
    the_board_tells_it(story, &scene)?;
    everybody_leaves(story, &scene, alice, &agent)
}

fn both_want_one_file(story: &mut Story, alice: &mut Editor, bob: &mut Editor) -> Result<(), Problem> {
    story.step("alice", "types into src/orders.rs. Bob has it open too, and touches no key.")?;
    let typed = alice.type_text(ORDERS, "// Totals will include tax.\n");
    let notice = bob.diagnostic(typed, ORDERS, "claimed")?;
    let (line, hint) = bob.first_line_with_hint(ORDERS)?;
    story.saw("bob", "sees a notice in his editor", &notice)?;
    story.showed(&line, &hint)?;

    story.step("bob", "types into it all the same.")?;
    let typed = bob.type_text(ORDERS, "// Rounding?\n");
    let told = bob.message(typed, "alice")?;
    let warned = alice.diagnostic(typed, ORDERS, "contended")?;
    story.saw("bob", "is told", &told)?;
    story.saw("alice", "is told", &warned)?;

    story.step("bob", "undoes it, and asks alice for the file instead.")?;
    let undone = bob.reload(ORDERS)?;
    let cleared = alice.all_clear(undone, ORDERS)?;
    story.saw("alice", "is rid of the warning", &cleared)?;
    let asked = Instant::now();
    let request = json!({ "uri": bob.uri(ORDERS), "message": "May I fix the rounding?" });
    bob.execute("deconflict.requestRelease", &request)?;
    let request = alice.message(asked, "May I fix the rounding?")?;
    story.saw("alice", "reads", &request)
}

fn it_changes_hands(story: &mut Story, alice: &mut Editor, bob: &mut Editor) -> Result<(), Problem> {
    story.step("alice", "saves and releases it.")?;
    alice.save(ORDERS)?;
    let released = Instant::now();
    alice.execute("deconflict.release", &json!({ "uri": alice.uri(ORDERS) }))?;
    let cleared = bob.all_clear(released, ORDERS)?;
    let told = bob.message(released, "orders.rs")?;
    story.saw("bob", "has no notice any more", &cleared)?;
    story.saw("bob", "is told", &told)?;

    story.step("bob", "types into it. Now it is his.")?;
    bob.reload(ORDERS)?;
    let typed = bob.type_text(ORDERS, "// Rounded to cents.\n");
    let notice = alice.diagnostic(typed, ORDERS, "claimed")?;
    story.saw("alice", "sees", &notice)
}

/// Returns the id of the agent's session.
fn an_agent_joins(story: &mut Story, scene: &Scene, alice: &Editor) -> Result<String, Problem> {
    story.step("agent", "works in a terminal, without an editor.")?;
    let started = scene.run("agent", &["start", "--name", "agent"])?;
    let agent = String::from_utf8_lossy(&started.stdout).trim().to_owned();
    if !started.status.success() {
        return Err(Problem::Refused {
            who: "agent",
            what: "deconflict start".to_owned(),
            message: scene::words(&started),
        });
    }
    let asked = Instant::now();
    let claimed = scene.run("agent", &["--session", &agent, "claim", "file", INVOICES, "--phase", "new numbers"])?;
    let took = asked.elapsed();
    if !claimed.status.success() {
        return Err(Problem::Refused {
            who: "agent",
            what: "deconflict claim".to_owned(),
            message: scene::words(&claimed),
        });
    }
    story.ran(&format!("deconflict claim file {INVOICES}"), 0, &scene::first_line(&claimed), took)?;
    let notice = alice.diagnostic(asked, INVOICES, "claimed")?;
    story.saw("alice", "sees", &notice)?;

    let asked = Instant::now();
    let refused = scene.run("agent", &["--session", &agent, "claim", "file", ORDERS])?;
    let took = asked.elapsed();
    if refused.status.code() != Some(1) {
        return Err(Problem::Unseen { who: "agent", what: "a refusal of what bob holds".to_owned(), ended: false });
    }
    story.ran(&format!("deconflict claim file {ORDERS}"), 1, &scene::first_line(&refused), took)?;
    Ok(agent)
}

fn a_server_is_killed(story: &mut Story, alice: &mut Editor, bob: Editor) -> Result<(), Problem> {
    story.step("bob", "loses his server to kill -9. Nobody is left to release anything.")?;
    let killed = bob.kill_server()?;
    let notice = alice.diagnostic(killed, ORDERS, "claim-stale")?;
    story.saw("alice", "sees", &notice)?;

    story.step("alice", "types into it again. It is hers at once.")?;
    alice.reload(ORDERS)?;
    let typed = alice.type_text(ORDERS, "// Tax is in the next release.\n");
    let cleared = alice.all_clear(typed, ORDERS)?;
    story.saw("alice", "holds it, and the notice is gone", &cleared)
}

fn the_board_tells_it(story: &mut Story, scene: &Scene) -> Result<(), Problem> {
    story.step("all", "can read how things stand in COORDINATION/STATUS_BOARD.md.")?;
    let start = Instant::now();
    loop {
        let board = fs::read_to_string(board_below(&scene.directory())).unwrap_or_default();
        let claims: Vec<&str> = section(&board, "Active Claims");
        let tells = |file: &str, who: &str| claims.iter().any(|line| line.contains(file) && line.contains(who));
        if tells(ORDERS, "alice") && tells(INVOICES, "agent") {
            return story.quoted_lines(&claims);
        }
        if start.elapsed() > DEADLINE {
            return Err(Problem::Unseen { who: "the board", what: "both claims".to_owned(), ended: false });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn everybody_leaves(story: &mut Story, scene: &Scene, alice: Editor, agent: &str) -> Result<(), Problem> {
    story.step("all", "leave: alice closes her editor, the agent ends its session.")?;
    let left = Instant::now();
    alice.quit()?;
    let ended = scene.run("agent", &["--session", agent, "end"])?;
    let claims =
        fs::read_dir(scene.directory().join("claims")).map_err(|cause| Problem::io("list the claims", cause))?;
    let names = claims.flatten().map(|entry| entry.file_name());
    let has_claims = names.into_iter().any(|name| name.to_string_lossy().ends_with(".claim"));
    if has_claims || !ended.status.success() {
        return Err(Problem::Unseen { who: "the directory", what: "no claim any more".to_owned(), ended: false });
    }
    story.saw(
        "all",
        "claims are released, all sessions completed",
        &Sight { text: String::new(), took: left.elapsed() },
    )
}

/// The lines of a section of the board, without its heading.
fn section<'a>(board: &'a str, heading: &str) -> Vec<&'a str> {
    board
        .lines()
        .skip_while(|line| !(line.starts_with('#') && line.contains(heading)))
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| !matches!(line.trim(), "" | "---"))
        .collect()
}

/// Why the story cannot go on.
#[derive(Debug, Error)]
enum Problem {
    #[error("{who} did not get to see {what}{}", if *.ended { ", because the language server ended" } else { "" })]
    Unseen { who: &'static str, what: String, ended: bool },
    #[error("{who} was refused {what}: {message}")]
    Refused { who: &'static str, what: String, message: String },
    #[error("could not {action}: {cause}")]
    Io { action: &'static str, cause: io::Error },
    #[error("could not print what happened")]
    Silent,
    #[error("interrupted")]
    Interrupted,
}

impl Problem {
    fn io(action: &'static str, cause: io::Error) -> Self {
        Self::Io { action, cause }
    }
}

/// How much of the story people are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// Who does what, who sees what, in whose words.
    Whole,
    /// Who does what, and after how long that was seen elsewhere.
    Brief,
}

/// What was seen so far: told at once to people, at the end to programs.
struct Story {
    output: Output,
    telling: Telling,
    width: usize,
    start: Instant,
    steps: Vec<Value>,
}

impl Story {
    fn new(output: Output, telling: Telling) -> Self {
        let columns = terminal_size::terminal_size().map_or(WIDEST, |(columns, _)| usize::from(columns.0));
        let width = columns.clamp(NARROWEST, WIDEST);
        Self { output, telling, width, start: Instant::now(), steps: Vec::new() }
    }

    fn begin(&mut self) -> Result<(), Problem> {
        let bold = style::HEADING;
        let explanation = "Two real language servers and a real terminal on a scratch git repository. Each time on \
                           the right is measured now, from the cause in one process to its effect in another.";
        self.print_whole(&format!(
            "{bold}Two editors and an agent in one clone{bold:#}\n{}",
            wrapped(explanation, self.width).join("\n")
        ))
    }

    /// Begins a step: who does what.
    fn step(&mut self, who: &str, does: &str) -> Result<(), Problem> {
        self.steps.push(json!({ "step": self.steps.len() + 1, "who": who, "does": does, "seen": [] }));
        let number = self.steps.len();
        let name = name(who);
        self.print_whole(&format!(
            "\n{}{number:>2}{:#}  {name} {}{does}{:#}",
            style::FAINT,
            style::FAINT,
            style::HEADING,
            style::HEADING
        ))
    }

    /// Somebody saw something, so long after its cause.
    fn saw(&mut self, who: &str, what: &str, sight: &Sight) -> Result<(), Problem> {
        self.tick(Some(sight.took))?;
        self.note(json!({
            "who": who, "what": what, "text": sight.text, "milliseconds": milliseconds(sight.took),
        }));
        self.print_whole(&self.timed(&format!("    {} {what}", name(who)), 5 + padded(who) + what.len(), sight.took))?;
        self.quote(&sight.text)
    }

    /// What stands at the end of a line of text.
    fn showed(&mut self, line: &str, hint: &str) -> Result<(), Problem> {
        self.note(json!({ "what": "inlay hint", "text": hint }));
        let (faint, marked) = (style::FAINT, style::WARNING);
        self.print_whole(&format!("          {faint}1 │{faint:#} {line}  {marked}{hint}{marked:#}"))
    }

    /// A command ran in a terminal.
    fn ran(&mut self, command: &str, exit: i32, said: &str, took: Duration) -> Result<(), Problem> {
        self.tick(Some(took))?;
        self.note(json!({ "command": command, "exit": exit, "text": said, "milliseconds": milliseconds(took) }));
        let marked = if exit == 0 { style::GOOD } else { style::WARNING };
        let line = format!("    $ {command}  {marked}exit {exit}{marked:#}");
        self.print_whole(&self.timed(&line, 6 + command.len() + 7 + exit.to_string().len(), took))?;
        self.quote(said)
    }

    fn quoted_lines(&mut self, lines: &[&str]) -> Result<(), Problem> {
        self.tick(None)?;
        self.note(json!({ "text": lines.join("\n") }));
        lines.iter().try_for_each(|line| self.quote(line))
    }

    /// Everything was seen.
    fn end(self) -> Result<Exit, Failure> {
        let (steps, took) = (self.steps.len(), self.start.elapsed());
        let good = style::GOOD;
        self.output.answer(
            || self.facts(),
            || {
                format!(
                    "\n{good}All {steps} steps were seen, in {:.1} s.{good:#}\n{}",
                    took.as_secs_f64(),
                    wrapped(CLEAN, self.width).join("\n")
                )
            },
        )?;
        Ok(Exit::Done)
    }

    fn facts(&self) -> Value {
        json!({ "steps": self.steps, "milliseconds": milliseconds(self.start.elapsed()) })
    }

    fn break_off(self, problem: &Problem) -> Failure {
        let place = match self.steps.len() {
            0 => "could not begin".to_owned(),
            step => format!("broke off in step {step}"),
        };
        let problem = problem.to_string();
        Failure::failed("unseen", format!("The demonstration {place}: {}.", problem.trim_end_matches('.')))
            .advise(CLEAN)
            .advise("\"deconflict doctor\" looks for what may be wrong on this machine.")
            .fact("steps", self.steps)
    }

    fn note(&mut self, seen: Value) {
        if let Some(list) = self.steps.last_mut().and_then(|step| step["seen"].as_array_mut()) {
            list.push(seen);
        }
    }

    fn quote(&self, text: &str) -> Result<(), Problem> {
        let faint = style::FAINT;
        for line in wrapped(text, self.width - 12) {
            self.print_whole(&format!("          {faint}{line}{faint:#}"))?;
        }
        Ok(())
    }

    /// A line with a time at its right end. `length` is how long the line looks.
    fn timed(&self, line: &str, length: usize, took: Duration) -> String {
        let time = format!("{:.1} ms", took.as_secs_f64() * 1_000.0);
        let gap = self.width.saturating_sub(length + time.len()).max(2);
        let good = style::GOOD;
        format!("{line}{}{good}{time}{good:#}", " ".repeat(gap))
    }

    /// Told briefly, a step is one line, as soon as its first effect is seen.
    fn tick(&self, took: Option<Duration>) -> Result<(), Problem> {
        let Some(step) = self.steps.last().filter(|step| step["seen"].as_array().is_none_or(Vec::is_empty)) else {
            return Ok(());
        };
        let (who, does) = (step["who"].as_str().unwrap_or_default(), step["does"].as_str().unwrap_or_default());
        let (mark, length) = (style::GOOD, 5 + padded(who) + does.chars().count());
        let line = format!("  {mark}✓{mark:#} {} {does}", name(who));
        self.print_brief(&took.map_or_else(|| line.clone(), |took| self.timed(&line, length, took)))
    }

    fn print_brief(&self, line: &str) -> Result<(), Problem> {
        if self.telling == Telling::Brief { self.print(line) } else { Ok(()) }
    }

    fn print_whole(&self, line: &str) -> Result<(), Problem> {
        if self.telling == Telling::Whole { self.print(line) } else { Ok(()) }
    }

    fn print(&self, line: &str) -> Result<(), Problem> {
        if self.output.is_json() {
            return Ok(());
        }
        Output::text(line).map(|_| ()).map_err(|_| Problem::Silent)
    }
}

/// Everybody has a colour of their own.
fn name(who: &str) -> String {
    let colour = match who {
        "alice" => anstyle::AnsiColor::Cyan,
        "bob" => anstyle::AnsiColor::Magenta,
        "agent" => anstyle::AnsiColor::Yellow,
        _ => anstyle::AnsiColor::White,
    };
    let style = colour.on_default().bold();
    format!("{style}{who:<5}{style:#}")
}

fn padded(who: &str) -> usize {
    who.len().max(5)
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}
