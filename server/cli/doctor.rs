//! `deconflict doctor`

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use deconflict::platform;
use deconflict::protocol::text::one_line;
use deconflict::protocol::time;
use deconflict::registry::{Claim, DamagedRecord, Registry, ScriptState, Session, SessionState, Standing};
use deconflict::workspace::{self, Ignored, Location, Reason, State};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::{FAINT, GOOD, HEADING, WARNING};
use super::table::{Cell, aligned};
use super::{identity, init, status, words};

/// Check the set-up and the coordination directory, and say how to mend what is wrong
///
/// Exits with 0 if all is well, 1 if something needs mending, 3 if it could not be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut examination = Examination::default();
    examination.fact("version", "Version", env!("CARGO_PKG_VERSION"));
    examination.examine_program();
    match context.location() {
        Ok(location) => examination.examine_directory(context, location),
        Err(failure) => examination.problem(failure.reason, &failure.message, "Name another directory with --dir."),
    }
    context.output.answer_with(examination.is_healthy(), || examination.document(), || examination.in_words())?;
    Ok(if examination.is_healthy() { Exit::Done } else { Exit::Refused })
}

/// What was found out so far.
#[derive(Default)]
struct Examination {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
}

/// Something that is neither good nor bad.
struct Fact {
    name: &'static str,
    title: &'static str,
    value: String,
}

/// Something that is well, or worth knowing, or to be mended.
struct Finding {
    code: &'static str,
    severity: Severity,
    message: String,
    mend: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Good,
    Note,
    Problem,
}

impl Examination {
    fn fact(&mut self, name: &'static str, title: &'static str, value: impl Into<String>) {
        self.facts.push(Fact { name, title, value: value.into() });
    }

    fn good(&mut self, code: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { code, severity: Severity::Good, message: message.into(), mend: None });
    }

    fn note(&mut self, code: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        let (message, mend) = (message.into(), Some(mend.into()));
        self.findings.push(Finding { code, severity: Severity::Note, message, mend });
    }

    fn problem(&mut self, code: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        let (message, mend) = (message.into(), Some(mend.into()));
        self.findings.push(Finding { code, severity: Severity::Problem, message, mend });
    }

    /// What could be found out, or the problem that kept it from being found out.
    fn told<T>(&mut self, code: &'static str, result: Result<T, deconflict::registry::Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let message = super::failure::sentence(&error.to_string());
                self.problem(code, message, "Check the permissions of the directory and of what is in it.");
                None
            }
        }
    }

    fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Problem)
    }

    /// Editors, agents, hooks and scripts call the program by its name.
    fn examine_program(&mut self) {
        let name = format!("deconflict{}", std::env::consts::EXE_SUFFIX);
        let folders = std::env::var_os("PATH").unwrap_or_default();
        match std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|program| program.is_file()) {
            Some(program) => self.fact("program", "Program", program.display().to_string()),
            None => self.note(
                "not-on-path",
                "No folder of the PATH has the program deconflict, so editors and scripts don't find it by its name.",
                "Add its folder to the PATH, or install it: cargo install --path .",
            ),
        }
    }

    fn examine_directory(&mut self, context: &Context, location: &Location) {
        let directory = location.directory.display().to_string();
        self.fact("directory", "Directory", directory.clone());
        self.fact("because", "Why this one", why(location));
        self.examine_others(location);
        self.examine_git(location);
        match context.registry_to_look_at() {
            Ok(Some(registry)) => self.examine_registry(context, location, &registry),
            Ok(None) => self.note(
                "missing",
                format!("There is no {directory} yet: nobody coordinates here."),
                "To begin: eval \"$(deconflict start --export)\"",
            ),
            Err(failure) => {
                self.problem(failure.reason, failure.message, "Check the directory's permissions.");
            }
        }
    }

    /// Directories that somebody might take for the one that is used.
    fn examine_others(&mut self, location: &Location) {
        for passed_over in &location.passed_over {
            let path = passed_over.path.display();
            let message = format!("{path} is not used: {}.", passed_over.reason);
            let mend = match passed_over.reason {
                Reason::UnconfirmedWorktree => "In the main repository: git worktree repair".to_owned(),
                _ => format!("If you trust it, name it: deconflict --dir {path} …"),
            };
            self.problem("passed-over", message, mend);
        }
        for nested in workspace::nested(location) {
            self.problem(
                "nested",
                format!("{} is below the workspace's own directory and is not used.", nested.display()),
                "If nobody works with it, delete it. Whoever opens only that folder would not see the others.",
            );
        }
    }

    fn examine_git(&mut self, location: &Location) {
        let directory = location.directory.display();
        match location.state {
            State::Tracked => self.problem(
                "not-adopted",
                format!("Git tracks {directory}, so it may have come with a clone, and you have not joined it."),
                "To join it: deconflict init --adopt",
            ),
            State::Adopted => self.problem(
                "tracked",
                format!("Git tracks {directory}: checkout and stash turn its records back to older ones."),
                format!("To keep it out of git: git rm -r --cached {directory}, and ignore it"),
            ),
            State::Untracked
                if location.repository.is_some() && !Ignored::new().is_ignored_directory(&location.directory) =>
            {
                self.problem(
                    "not-ignored",
                    format!("Git doesn't ignore {directory}: `git add -A` would commit it, `git clean -fd` delete it."),
                    format!("Add {}/ to .git/info/exclude or .gitignore.", workspace::DIRECTORY_NAME),
                );
            }
            State::Untracked | State::Missing => {}
        }
    }

    fn examine_registry(&mut self, context: &Context, location: &Location, registry: &Registry) {
        self.examine_file_system(&location.directory);
        // Trying things out writes into the directory, which is not ours to do before it was joined.
        if location.may_be_joined() {
            self.examine_locks(registry);
            self.examine_watching(registry);
            self.examine_clock(registry);
        }
        let sessions = self.told("sessions", registry.sessions()).unwrap_or_default();
        self.examine_sessions(context, registry, &sessions);
        self.examine_records(context, registry);
        self.examine_scripts(registry);
    }

    fn examine_file_system(&mut self, directory: &Path) {
        let Some(file_system) = platform::file_system(directory) else { return };
        self.fact("file_system", "File system", file_system.name);
        if file_system.is_shared {
            self.problem(
                "shared-file-system",
                format!(
                    "The directory is on {}, which other machines may share: locks and notices of changes may not \
                     reach from one to the other, and then claims are only advice.",
                    file_system.name
                ),
                "Work in a clone on a local disk of each machine.",
            );
        }
    }

    fn examine_locks(&mut self, registry: &Registry) {
        if let Some(exclude) = self.told("locks", registry.locks_exclude()) {
            if exclude {
                self.good("locks", "Records can be written, and locks keep others out.");
            } else {
                self.problem(
                    "no-locks",
                    "Locks keep nobody out on this file system, so claims are only advice here.",
                    "Move the clone to a local disk.",
                );
            }
        }
    }

    fn examine_watching(&mut self, registry: &Registry) {
        const PATIENCE: Duration = Duration::from_secs(2);
        match self.told("watching", registry.time_to_notice(PATIENCE)) {
            Some(Some(after)) => {
                self.good("watching", format!("Changes are noticed within {} ms.", after.as_millis() + 1));
            }
            Some(None) => self.problem(
                "not-watched",
                "Changes in the directory are not noticed here; servers look every few seconds instead.",
                "On Linux raise fs.inotify.max_user_watches and max_user_instances; else use a local disk.",
            ),
            None => {}
        }
    }

    fn examine_clock(&mut self, registry: &Registry) {
        if let Some(Some(difference)) = self.told("clock", registry.clock_difference())
            && difference.abs() > TimeDelta::minutes(1)
        {
            self.problem(
                "clock",
                format!("The file system's clock differs by {}.", time::duration_in_words(difference.abs())),
                "Set the clocks of both machines, or leases end at the wrong time.",
            );
        }
    }

    fn examine_sessions(&mut self, context: &Context, registry: &Registry, sessions: &[Session]) {
        let alive = self.told("live-sessions", registry.live_sessions()).unwrap_or_default();
        self.fact("live_sessions", "Sessions", format!("{} live", alive.len()));
        self.examine_identity(context, registry);
        for session in sessions {
            let who = words::who(Some(session), &session.id);
            let last = words::moment(session.last_sign, context.now());
            match session.state {
                SessionState::Gone => self.note(
                    "session-gone",
                    format!("{who} is gone without having ended; its last sign was {last}."),
                    "What it held may be claimed. Its record is removed after 7 days.",
                ),
                SessionState::Silent => self.note(
                    "session-silent",
                    format!("{who} has been silent since {last}."),
                    format!("If it is over: deconflict end --session {}", words::shell_word(session.id.as_str())),
                ),
                SessionState::Live | SessionState::Completed => {}
            }
        }
        self.examine_current_session(registry, &alive);
    }

    fn examine_identity(&mut self, context: &Context, registry: &Registry) {
        match (identity::find(context, registry), identity::named(context)) {
            (Ok(Some(own)), _) => self.fact("session", "You", words::who(Some(&own), &own.id)),
            (Ok(None), Ok(Some(named))) => self.problem(
                "unknown-session",
                format!("{} names {named}, and no session is called so here.", identity::VARIABLE),
                format!("Register it: deconflict start --session {named}. Or: unset {}", identity::VARIABLE),
            ),
            (Ok(None), _) => self.fact("session", "You", "no session"),
            (Err(failure), _) => self.problem(failure.reason, failure.message, failure.advice.join(" ")),
        }
    }

    fn examine_current_session(&mut self, registry: &Registry, alive: &[Session]) {
        let Some(Some(current)) = self.told("current-session", registry.current_session()) else { return };
        let live = alive.len();
        if alive.iter().all(|session| session.id != current) {
            self.note(
                "current-session",
                format!(".current_session names {current}, which is no live session."),
                "Scripts of the original would act in its name: delete the file.",
            );
        } else if live > 1 {
            self.note(
                "current-session",
                format!(".current_session names {current}, and there are {live} live sessions."),
                "Scripts of the original act as that one, whoever runs them; use DECONFLICT_SESSION.",
            );
        }
    }

    fn examine_records(&mut self, context: &Context, registry: &Registry) {
        if let Some(overview) = self.told("records", registry.overview()) {
            let damaged: Vec<&DamagedRecord> = status::damaged(&overview).collect();
            for record in &damaged {
                let message = format!("The record {} is damaged: {}.", record.file, record.reason);
                let mend = "Mend the JSON by hand, or delete the file if nobody needs it.";
                self.problem("damaged", one_line(&message, 400), mend);
            }
            for claim in &overview.claims {
                self.examine_claim(context, claim);
            }
            if damaged.is_empty() {
                self.good(
                    "records",
                    format!("All records can be read: {}.", words::count(overview.claims.len(), "claim")),
                );
            }
        }
        for leftover in self.told("leftovers", registry.leftovers()).unwrap_or_default() {
            self.note(
                "leftover",
                format!("{leftover} was left unfinished by a process that died."),
                "It harms nothing: delete it.",
            );
        }
    }

    fn examine_claim(&mut self, context: &Context, claim: &Claim) {
        let what = words::resource(&claim.resource);
        if claim.says_something_else() {
            let said = claim.record.resource_name.as_deref().unwrap_or_default();
            self.problem(
                "says-something-else",
                format!(
                    "claims/{} stands for {what}, and says {} inside. The file's name counts.",
                    claim.file,
                    one_line(said, words::PHRASE)
                ),
                "Release it and claim again what is meant.",
            );
        }
        if matches!(claim.standing, Standing::Expired | Standing::Abandoned) {
            let kind = claim.resource.resource_type();
            let name = words::shell_word(claim.resource.name());
            self.note(
                "stale-claim",
                format!("The claim on {what} is over: {}.", words::term(claim, context.now())),
                format!("Whoever needs it takes it over: deconflict claim {kind} {name}"),
            );
        }
    }

    fn examine_scripts(&mut self, registry: &Registry) {
        for (name, text) in init::SCRIPTS {
            if self.told("scripts", registry.script_state(name, text)) == Some(ScriptState::Different) {
                self.note(
                    "other-script",
                    format!("scripts/{name} is not ours. The original's scripts take no lock and ask nobody."),
                    "To have ours, move it away and run: deconflict init --scripts",
                );
            }
        }
    }

    fn document(&self) -> Value {
        let mut document = json!({});
        for fact in &self.facts {
            document[fact.name] = fact.value.clone().into();
        }
        let findings = self.findings.iter().map(|finding| {
            let severity = match finding.severity {
                Severity::Good => "good",
                Severity::Note => "note",
                Severity::Problem => "problem",
            };
            json!({"code": finding.code, "severity": severity, "message": finding.message, "mend": finding.mend})
        });
        document["findings"] = findings.collect();
        document
    }

    fn in_words(&self) -> String {
        let row = |fact: &Fact| vec![Cell::new(fact.title, HEADING), Cell::plain(fact.value.clone())];
        let rows: Vec<Vec<Cell>> = self.facts.iter().map(row).collect();
        let mut text = aligned(&rows, "");
        text.push('\n');
        for finding in &self.findings {
            let (mark, style) = match finding.severity {
                Severity::Good => ("✓", GOOD),
                Severity::Note => ("·", FAINT),
                Severity::Problem => ("!", WARNING),
            };
            text.push_str(&format!("{style}{mark}{style:#} {}\n", finding.message));
            if let Some(mend) = &finding.mend {
                text.push_str(&format!("  {FAINT}{mend}{FAINT:#}\n"));
            }
        }
        let problems = self.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        text.push_str(&match problems {
            0 => format!("\n{GOOD}All is well.{GOOD:#}\n"),
            _ => format!("\n{WARNING}{} to mend.{WARNING:#}\n", words::count(problems, "thing")),
        });
        text
    }
}

/// Why the directory is where it is.
fn why(location: &Location) -> String {
    let start = location.starting_point.display();
    if location.named {
        "you named it".to_owned()
    } else if location.parent() != location.starting_point {
        format!("it is the nearest one above {start}")
    } else if location.repository.is_none() {
        format!("{start} is in no git repository, so it is its own starting point")
    } else if location.workspace.starts_with(&location.starting_point) {
        format!("{start} is the main worktree of the repository")
    } else {
        format!("{start} is the main worktree of the repository that this worktree is linked to")
    }
}
