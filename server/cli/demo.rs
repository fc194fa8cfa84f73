//! `deconflict demo`

mod editor;
mod problem;
mod scene;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use deconflict_protocol::DIRECTORY_NAME;
use deconflict_registry::board_below;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::{FAINT, GOOD, HEADING, WARNING};
use super::table::wrapped;
use editor::{Editor, Sight};
use problem::{Problem, poll};
use scene::{INVOICES, ORDERS, Scene};

/// Watch two editors and a terminal share one clone
///
/// Starts two real language servers on a scratch git repository, lets them get in each other's way, and shows step by
/// step what each of them sees and how long it takes. Removes everything at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

const CLEAN: &str = "Everything that the demo started has ended, and the scratch repository is gone.";

/// Between what widths the story is told.
const WIDTHS: (usize, usize) = (60, 92);

pub(super) fn run(_: &Arguments, output: Output) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::could_not("find this program", &error))?;
    Story::new(output, false).told(&program)?.end()
}

/// The same with another program of ours, told in a line for each step. Returns the facts.
pub(super) fn check(program: &Path, output: Output) -> Result<Value, Failure> {
    Ok(Story::new(output, true).told(program)?.facts())
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
    let agent = an_agent_joins(story, &scene, &mut alice)?;
    a_server_is_killed(story, &mut alice, bob)?;
    the_board_tells_it(story, &scene)?;
    everybody_leaves(story, &scene, alice, &agent)
}

fn both_want_one_file(story: &mut Story, alice: &mut Editor, bob: &mut Editor) -> Result<(), Problem> {
    story.step("alice", "types into src/orders.rs. Bob has it open too, and types nothing.")?;
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
    story.saw("alice", "no longer has the warning", &cleared)?;
    let asked = Instant::now();
    bob.execute("deconflict.requestRelease", ORDERS, Some("May I fix the rounding?"))?;
    let request = alice.message(asked, "May I fix the rounding?")?;
    story.saw("alice", "reads", &request)
}

fn it_changes_hands(story: &mut Story, alice: &mut Editor, bob: &mut Editor) -> Result<(), Problem> {
    story.step("alice", "saves and releases it.")?;
    alice.save(ORDERS)?;
    let released = Instant::now();
    alice.execute("deconflict.release", ORDERS, None)?;
    let cleared = bob.all_clear(released, ORDERS)?;
    let told = bob.message(released, "orders.rs")?;
    story.saw("bob", "no longer has a notice", &cleared)?;
    story.saw("bob", "is told", &told)?;

    story.step("bob", "types into it. Now it is his.")?;
    bob.reload(ORDERS)?;
    let typed = bob.type_text(ORDERS, "// Rounded to cents.\n");
    let notice = alice.diagnostic(typed, ORDERS, "claimed")?;
    story.saw("alice", "sees", &notice)
}

/// Returns the id of the agent's session.
fn an_agent_joins(story: &mut Story, scene: &Scene, alice: &mut Editor) -> Result<String, Problem> {
    story.step("agent", "works in a terminal, without an editor.")?;
    let started = scene.run("agent", &["start", "--name", "agent"])?.check("agent", "deconflict start")?;
    let agent = started.output.trim().to_owned();
    let asked = Instant::now();
    let claim = ["--session", &agent, "claim", "file", INVOICES, "--phase", "new numbers"];
    let claimed = scene.run("agent", &claim)?.check("agent", "deconflict claim")?;
    story.ran(&format!("deconflict claim file {INVOICES}"), 0, claimed.first_line(), claimed.took)?;
    let notice = alice.diagnostic(asked, INVOICES, "claimed")?;
    story.saw("alice", "sees", &notice)?;

    let refused = scene.run("agent", &["--session", &agent, "claim", "file", ORDERS])?;
    if refused.code != Some(1) {
        return Err(Problem::Unseen { who: "agent", what: "a refusal of what bob holds".to_owned(), ended: false });
    }
    story.ran(&format!("deconflict claim file {ORDERS}"), 1, refused.first_line(), refused.took)?;
    Ok(agent)
}

fn a_server_is_killed(story: &mut Story, alice: &mut Editor, bob: Editor) -> Result<(), Problem> {
    story.step("bob", "loses his server to kill -9. Nobody is left to release what he held.")?;
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
    let path = board_below(&scene.repository().join(DIRECTORY_NAME));
    let claims = poll(|| {
        let board = fs::read_to_string(&path).unwrap_or_default();
        let claims: Vec<String> =
            board.lines().filter(|line| line.starts_with("- **file/")).map(str::to_owned).collect();
        let tells = |file: &str, who: &str| claims.iter().any(|line| line.contains(file) && line.contains(who));
        Ok((tells(ORDERS, "alice") && tells(INVOICES, "agent")).then_some(claims))
    })?;
    let unseen = || Problem::Unseen { who: "the board", what: "both claims".to_owned(), ended: false };
    story.quoted_lines(&claims.ok_or_else(unseen)?)
}

fn everybody_leaves(story: &mut Story, scene: &Scene, alice: Editor, agent: &str) -> Result<(), Problem> {
    story.step("all", "leave: alice closes her editor, the agent ends its session.")?;
    let left = Instant::now();
    alice.quit()?;
    scene.run("agent", &["--session", agent, "end"])?.check("agent", "deconflict end")?;
    let took = left.elapsed();
    let status = scene.run("agent", &["status", "--json"])?.check("agent", "deconflict status")?;
    let status: Value = serde_json::from_str(&status.output).unwrap_or_default();
    if status["claims"] != json!([]) {
        return Err(Problem::Unseen { who: "the directory", what: "no claims".to_owned(), ended: false });
    }
    story.saw("all", "claims are released, all sessions completed", &Sight { text: String::new(), took })
}

/// What was seen so far: told at once to people, at the end to programs.
struct Story {
    output: Output,
    /// A line is told for each step, after its first effect; else also who sees what, in whose words.
    is_brief: bool,
    width: usize,
    start: Instant,
    steps: Vec<Value>,
}

impl Story {
    fn new(output: Output, is_brief: bool) -> Self {
        let columns = terminal_size::terminal_size().map_or(usize::MAX, |(columns, _)| usize::from(columns.0));
        Self { output, is_brief, width: columns.clamp(WIDTHS.0, WIDTHS.1), start: Instant::now(), steps: Vec::new() }
    }

    fn told(mut self, program: &Path) -> Result<Self, Failure> {
        match tell(&mut self, program) {
            Ok(()) => Ok(self),
            Err(problem) => Err(self.break_off(&problem)),
        }
    }

    fn begin(&mut self) -> Result<(), Problem> {
        let explanation = "Two real language servers and a real terminal on a scratch git repository. Each time on the right was measured just now, from the cause in one process to its effect in another.";
        let title = "Two editors and an agent in one clone";
        self.tell(&format!("{HEADING}{title}{HEADING:#}\n{}", wrapped(explanation, self.width).join("\n")))
    }

    fn step(&mut self, who: &str, does: &str) -> Result<(), Problem> {
        let number = self.steps.len() + 1;
        self.steps.push(json!({ "step": number, "who": who, "does": does, "seen": [] }));
        self.tell(&format!("\n{FAINT}{number:>2}{FAINT:#}  {} {HEADING}{does}{HEADING:#}", name(who)))
    }

    fn saw(&mut self, who: &str, what: &str, sight: &Sight) -> Result<(), Problem> {
        let Sight { text, took } = sight;
        self.note(Some(*took), json!({ "who": who, "what": what, "text": text, "milliseconds": milliseconds(*took) }))?;
        self.tell(&self.timed(&format!("    {} {what}", name(who)), *took))?;
        self.quote(text)
    }

    /// What stands at the end of a line of text.
    fn showed(&mut self, line: &str, hint: &str) -> Result<(), Problem> {
        self.note(None, json!({ "what": "inlay hint", "text": hint }))?;
        self.tell(&format!("          {FAINT}1 │{FAINT:#} {line}  {WARNING}{hint}{WARNING:#}"))
    }

    fn ran(&mut self, command: &str, exit: i32, said: &str, took: Duration) -> Result<(), Problem> {
        let seen = json!({ "command": command, "exit": exit, "text": said, "milliseconds": milliseconds(took) });
        self.note(Some(took), seen)?;
        let style = if exit == 0 { GOOD } else { WARNING };
        self.tell(&self.timed(&format!("    $ {command}  {style}exit {exit}{style:#}"), took))?;
        self.quote(said)
    }

    fn quoted_lines(&mut self, lines: &[String]) -> Result<(), Problem> {
        self.note(None, json!({ "text": lines.join("\n") }))?;
        lines.iter().try_for_each(|line| self.quote(line))
    }

    fn end(self) -> Result<Exit, Failure> {
        let (steps, seconds) = (self.steps.len(), self.start.elapsed().as_secs_f64());
        let clean = wrapped(CLEAN, self.width).join("\n");
        self.output.answer(
            || self.facts(),
            || format!("\n{GOOD}All {steps} steps were seen, in {seconds:.1} s.{GOOD:#}\n{clean}"),
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
            .advise("\"deconflict doctor\" checks what may be wrong on this machine.")
            .fact("steps", self.steps)
    }

    /// Notes what was seen in this step. Told briefly, a step is one line, as soon as its first effect is seen.
    fn note(&mut self, took: Option<Duration>, seen: Value) -> Result<(), Problem> {
        let Some(step) = self.steps.last_mut() else { return Ok(()) };
        let (who, does) = (step["who"].as_str().unwrap_or_default(), step["does"].as_str().unwrap_or_default());
        let line = format!("  {GOOD}✓{GOOD:#} {} {does}", name(who));
        let Some(list) = step["seen"].as_array_mut() else { return Ok(()) };
        list.push(seen);
        if !self.is_brief || list.len() > 1 {
            return Ok(());
        }
        self.print(&took.map_or_else(|| line.clone(), |took| self.timed(&line, took)))
    }

    fn quote(&self, text: &str) -> Result<(), Problem> {
        let lines = wrapped(text, self.width - 12);
        lines.iter().try_for_each(|line| self.tell(&format!("          {FAINT}{line}{FAINT:#}")))
    }

    /// A line with a time at its right end.
    fn timed(&self, line: &str, took: Duration) -> String {
        let time = format!("{:.1} ms", took.as_secs_f64() * 1_000.0);
        let length = anstream::adapter::strip_str(line).to_string().width() + time.len();
        format!("{line}{}{GOOD}{time}{GOOD:#}", " ".repeat(self.width.saturating_sub(length).max(2)))
    }

    fn tell(&self, line: &str) -> Result<(), Problem> {
        if self.is_brief { Ok(()) } else { self.print(line) }
    }

    fn print(&self, line: &str) -> Result<(), Problem> {
        if self.output.is_json() {
            return Ok(());
        }
        Output::text(line).map(drop).map_err(|_| Problem::Silent)
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

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}
