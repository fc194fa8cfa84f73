//! `deconflict setup`

mod assets;
mod words;

use std::borrow::Cow;

use clap::builder::{PossibleValue, PossibleValuesParser};
use deconflict_setup::{CarriedFile, Error, Lock, PROGRAM, Plan, Setup, SetupTarget};
use serde_json::{Value, json};

use super::failure::{Exit, Failure};
use super::output::Output;
use super::style::{FAINT, GOOD};
use super::{completions, demo, man, words as phrases};
use assets::targets;

pub(super) use assets::assets;

/// Set up the editors and coding agents on this machine, and show that it works
///
/// Installs the program, and gives each editor its extension or plugin and each agent its hooks. Never overwrites what
/// you wrote yourself. Ends with a live check: two language servers and a terminal on a scratch repository. Safe to run
/// again: it updates whatever is older.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these, even if they are not found here [default: all that are found]
    #[arg(value_name = "EDITOR", value_parser = names())]
    editors: Vec<String>,
    /// Show every change without making any
    #[arg(long)]
    dry_run: bool,
    /// Undo what setup did, and leave everything else as it is
    #[arg(long)]
    remove: bool,
}

const NEXT: &str = "Restart the editors and agents that are open now, so that they take part.\n\
                    To check commits too, run in each repository: deconflict guard --install\n\
                    To undo all of this: deconflict setup --remove";

fn names() -> PossibleValuesParser {
    // An agent that is called as its editor is meant by that editor's name too.
    let is_editor_too = |target: &SetupTarget| targets().any(|other| target.aliases.contains(&other.name));
    let names = targets().filter(|target| !is_editor_too(target));
    PossibleValuesParser::new(names.map(|target| PossibleValue::new(target.name).aliases(target.aliases)))
}

pub(super) fn run(arguments: &Arguments, command: clap::Command, output: Output) -> Result<Exit, Failure> {
    let assets = assets(for_shells(command)?);
    let opened = if arguments.dry_run {
        Setup::of_this_user(assets).map(|setup| (setup, None))
    } else {
        Setup::to_change(assets).map(|(setup, lock)| (setup, Some(lock)))
    };
    let (setup, lock) = opened.map_err(|error| failure(&error))?;
    let mode =
        words::RunMode { dry_run: lock.is_none(), removes: arguments.remove, by_name: !arguments.editors.is_empty() };
    let run = SetupRun { setup, lock, output, mode, done: Vec::new(), worst: Exit::Done };
    if arguments.remove { run.remove(&arguments.editors) } else { run.set_up(&arguments.editors) }
}

/// Completions for the user's shells, and the man page.
fn for_shells(command: clap::Command) -> Result<Vec<CarriedFile>, Failure> {
    let page = man::page(command).map_err(|error| Failure::could_not("make the man page", &error))?;
    let scripts = completions::installed().into_iter();
    let files = scripts.chain([("man/man1/deconflict.1", page)]);
    Ok(files.map(|(place, content)| (place.to_owned(), Cow::Owned(content))).collect())
}

struct SetupRun {
    setup: Setup,
    /// The right to change something, which a dry run does without.
    lock: Option<Lock>,
    output: Output,
    mode: words::RunMode,
    done: Vec<Value>,
    worst: Exit,
}

impl SetupRun {
    fn set_up(mut self, names: &[String]) -> Result<Exit, Failure> {
        let targets = if names.is_empty() { self.setup.found() } else { self.called(names) };
        self.take(&PROGRAM, Setup::plan)?;
        if self.worst == Exit::Failed {
            // Nothing else would find the program.
            return self.end(None, None);
        }
        for target in &targets {
            self.take(target, Setup::plan)?;
        }
        if targets.is_empty() {
            self.tell(
                "\nSetup found no editor or agent that it knows. Other editors take part by starting \"deconflict lsp\" as a language server for every kind of file.",
            )?;
        }
        if self.mode.dry_run {
            return self.end(None, Some("Nothing was changed. Without --dry-run, a live check follows."));
        }
        self.tell(&format!("\n{}", words::heading("Live check, on a scratch repository")))?;
        match demo::check(&self.setup.program(), self.output.clone()) {
            Ok(facts) => {
                let (steps, took) = (facts["steps"].as_array().map_or(0, Vec::len), &facts["milliseconds"]);
                let seconds = took.as_f64().unwrap_or_default() / 1_000.0;
                self.tell(&format!("  {GOOD}All {steps} steps were seen, in {seconds:.1} s.{GOOD:#}"))?;
                let facts = json!({"steps": steps, "milliseconds": took});
                self.end(Some(&facts), (!targets.is_empty()).then_some(NEXT))
            }
            Err(failure) => {
                let facts = self.done;
                Err(failure.advise("What is listed above is set up anyway.").fact("parts", facts))
            }
        }
    }

    fn remove(mut self, names: &[String]) -> Result<Exit, Failure> {
        let recorded = self.setup.recorded();
        let targets: Vec<_> = match names {
            [] => recorded,
            names => recorded.into_iter().filter(|target| names.iter().any(|name| target.is_called(name))).collect(),
        };
        for target in &targets {
            // What is not taken back still needs the program.
            let is_needed = target.name == PROGRAM.name && self.worst != Exit::Done;
            if !is_needed {
                self.take(target, Setup::plan_removal)?;
            }
        }
        let last = match (targets.is_empty(), self.mode.dry_run) {
            (true, _) => Some("None of this was set up from here."),
            (false, true) => Some("Nothing was changed."),
            (false, false) => None,
        };
        self.end(None, last)
    }

    /// Plans what is to be done about one target, shows the plan and carries it out.
    fn take(
        &mut self,
        target: &'static SetupTarget,
        plan: impl FnOnce(&Setup, &'static SetupTarget) -> Result<Plan, Error>,
    ) -> Result<(), Failure> {
        let planned = plan(&self.setup, target);
        let mut told = match &planned {
            Ok(plan) => words::of_plan(plan, self.setup.places(), self.mode),
            Err(error) => words::of_error(target, error),
        };
        match &planned {
            Ok(plan) if !plan.obstacles.is_empty() => self.worsen(Exit::Refused),
            Ok(plan) => match &self.lock {
                None => self.setup.assume(plan),
                Some(lock) => {
                    if let Err(error) = self.setup.carry_out(plan, lock) {
                        told = words::of_error(target, &error);
                        self.worsen(Exit::Failed);
                    }
                }
            },
            // An editor that was only found, and not named, may lack it.
            Err(Error::NoCommand { .. }) if !self.mode.by_name => {}
            Err(_) => self.worsen(Exit::Failed),
        }
        self.done.push(told.document);
        self.tell(&told.text)
    }

    fn called(&self, names: &[String]) -> Vec<&'static SetupTarget> {
        let mut called: Vec<&'static SetupTarget> = Vec::new();
        for target in names.iter().flat_map(|name| self.setup.called(name)) {
            if called.iter().all(|other| other.name != target.name) {
                called.push(target);
            }
        }
        called
    }

    fn worsen(&mut self, exit: Exit) {
        if self.worst != Exit::Failed {
            self.worst = exit;
        }
    }

    fn tell(&self, text: &str) -> Result<(), Failure> {
        if self.output.is_json() {
            return Ok(());
        }
        Output::text(text).map(drop)
    }

    fn end(self, check: Option<&Value>, last: Option<&str>) -> Result<Exit, Failure> {
        let changes: usize = self.done.iter().map(|target| target["changes"].as_array().map_or(0, Vec::len)).sum();
        let is_well = self.worst == Exit::Done;
        self.output.answer_with(
            is_well,
            || json!({"dry_run": self.mode.dry_run, "parts": self.done, "live_check": check}),
            || {
                let last = last.map(|last| format!("\n{FAINT}{last}{FAINT:#}")).unwrap_or_default();
                match (is_well, self.mode.dry_run) {
                    (false, _) => last + "\nSome of it could not be done; see above.",
                    (true, true) => format!("{last}\n{}", phrases::count(changes, "change")),
                    (true, false) => last,
                }
            },
        )?;
        Ok(self.worst)
    }
}

fn failure(error: &Error) -> Failure {
    let reason = match error {
        Error::NoHome => "no-home",
        Error::Unreadable { .. } => "unreadable",
        Error::Record { .. } => "damaged",
        Error::Command { .. } | Error::Silent { .. } | Error::NoCommand { .. } => "editor",
        Error::Busy { .. } => "busy",
        Error::Changed { .. } => "changed",
        Error::DanglingLink { .. } => "dangling-link",
        Error::Io { .. } => "io",
    };
    let mut failure = Failure::failed(reason, super::failure::sentence(&error.to_string()));
    if let Error::Busy(Some(process), _) = error {
        failure = failure.fact("process", *process);
    }
    words::advice(error).into_iter().fold(failure, Failure::advise)
}
