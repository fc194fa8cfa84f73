//! `deconflict hook AGENT`: the thin edge of [`deconflict_agents`].
//!
//! An agent waits for its hook, and takes some exit codes for a refusal. So this one always answers within a time limit,
//! and exits with 0 or, where there was no event that could be answered, with 3, which no agent takes for one.

mod monitor;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use deconflict_agents::{
    self as agents, AGENTS, Agent, Answer, EventKind, HookEvent, HookPolicy, ShellPolicy, Surroundings, UnsurePolicy,
};
use deconflict_platform as platform;
use deconflict_platform::clock::SystemClock;
use deconflict_workspace::{DIRECTORY_VARIABLE, locate, start_team_helper};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::output::{Output, Printed};
use super::team_files::TeamOfClone;
use super::{keeper, upkeep, words};

/// Answer one event of a coding agent's hooks
///
/// Reads the event from standard input and answers in the agent's own format. Claims a file before it is edited, and
/// refuses the edit if another session holds it; delivers messages; releases claims when the turn ends. The files under
/// `editors/` configure it. Exits with 0, or with 3 if the input is not an event; its exit code never blocks an agent.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which agent is asking; `opencode` also stands for any that uses our plugin's format
    #[arg(value_name = "AGENT", value_parser = agents())]
    agent: &'static Agent,
    /// What to do with a shell command that would certainly touch what another session holds
    #[arg(long, value_name = "POLICY", default_value = "deny", value_parser = choice(SHELL_POLICIES))]
    shell: ShellPolicy,
    /// What to do with an edit when it is unclear whether somebody holds the file
    #[arg(long, value_name = "POLICY", default_value = "allow", value_parser = choice(UNSURE_POLICIES))]
    when_unsure: UnsurePolicy,
    /// Keep running and print a line for each new message, until the agent ends
    #[arg(long)]
    monitor: bool,
}

/// The words for the policies, what they mean, and which they are.
type Choices<T> = &'static [(&'static str, &'static str, T)];

const SHELL_POLICIES: Choices<ShellPolicy> = &[
    ("deny", "Refuse it", ShellPolicy::Deny),
    ("warn", "Run it, with a warning", ShellPolicy::Warn),
    ("off", "Don't look at commands", ShellPolicy::Off),
];

const UNSURE_POLICIES: Choices<UnsurePolicy> =
    &[("allow", "Make it, with a warning", UnsurePolicy::Allow), ("deny", "Refuse it", UnsurePolicy::Deny)];

/// No agent gives its hook less time than this, except at the end of a session.
const LIMIT: Duration = Duration::from_secs(5);

/// The limit is waited for in parts of this length: a process that was suspended meanwhile loses no more than one of them,
/// and still hears the event that has arrived by then.
const PART: Duration = Duration::from_millis(250);

/// More than any event holds, in bytes; a tool's arguments may be a whole file.
const LONGEST_EVENT: u64 = 64 << 20;

fn agents() -> impl TypedValueParser<Value = &'static Agent> {
    let named = |name: String| AGENTS.iter().find(|agent| agent.name == name).ok_or("no such agent");
    PossibleValuesParser::new(AGENTS.iter().map(|agent| agent.name)).try_map(named)
}

fn choice<T: Clone + Send + Sync>(choices: Choices<T>) -> impl TypedValueParser<Value = T> {
    let named = |name: String| choices.iter().find(|(word, ..)| *word == name).map(|(.., it)| it.clone());
    let words = choices.iter().map(|(word, meaning, _)| PossibleValue::new(*word).help(*meaning));
    PossibleValuesParser::new(words).try_map(move |name| named(name).ok_or("no such policy"))
}

/// True for a command line that was meant for this verb, however wrong it is.
pub(super) fn is_meant(words: &[OsString]) -> bool {
    words.iter().skip(1).any(|word| word == "hook")
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let agent = arguments.agent;
    if arguments.monitor {
        return monitor::run(agent, context);
    }
    let policy = HookPolicy { shell: arguments.shell, when_unsure: arguments.when_unsure };
    let surroundings = surroundings(agent, policy, context);
    let watchdog = Watchdog::start(surroundings.clone(), context);
    let event = match read(agent, context) {
        Ok(Some(event)) => event,
        // What is nothing to us gets the answer that says nothing, in the agent's form.
        Ok(None) => {
            return watchdog.answer_first(|| Output::text(&agent.write("", &Answer::default()))).map(|_| Exit::Done);
        }
        Err(error) => return Err(unreadable(&error)),
    };
    watchdog.knows(&event);
    let (mut answer, follow_up) = agents::respond(&event, &surroundings);
    export(agent, &event, &mut answer, context);
    // Not every agent shows a notice at every event; what stands on standard error is in its log at least.
    if let Some(notice) = &answer.notice {
        Output::remark(notice);
    }
    let printed = watchdog.answer_first(|| Output::text(&agent.write(&event.name, &answer)))?;
    // Where only hooks live, nobody else would start it again if it was ended.
    if matches!(event.kind, EventKind::SessionStarted | EventKind::Prompted)
        && let Ok(location) =
            locate(&event.folder, surroundings.named_directory.as_deref(), surroundings.home.as_deref())
    {
        start_team_helper(&location);
    }
    if printed == Printed::Whole {
        for failure in follow_up.carry_out(&upkeep::start_beside) {
            Output::remark(&format!("deconflict: {failure}"));
        }
    }
    Ok(Exit::Done)
}

fn read(agent: &Agent, context: &Context) -> Result<Option<HookEvent>, String> {
    let mut input = Vec::new();
    std::io::stdin().lock().take(LONGEST_EVENT).read_to_end(&mut input).map_err(|error| error.to_string())?;
    agent.read(&input, context.folder()).map_err(|error| error.to_string())
}

/// Answers in place of work that takes too long, and ends the process: nothing keeps the agent waiting for ever.
struct Watchdog {
    /// True once there is an answer; locked while somebody answers, because there is only one.
    answered: Arc<Mutex<bool>>,
    event: Arc<Awaited>,
}

/// The event, once it was read. Waiting for it needs no memory, which would be the second thread's first, and dear.
#[derive(Default)]
struct Awaited {
    event: Mutex<Option<HookEvent>>,
    is_there: Condvar,
}

impl Watchdog {
    fn start(surroundings: Surroundings, context: &Context) -> Self {
        let answered = Arc::new(Mutex::new(false));
        let awaited = Arc::new(Awaited::default());
        let watchdog = Self { answered: Arc::clone(&answered), event: Arc::clone(&awaited) };
        let is_json = context.output.is_json();
        let watch = move || {
            let mut event = awaited.event.lock().unwrap_or_else(PoisonError::into_inner);
            let mut waited = Duration::ZERO;
            while event.is_none() && waited < LIMIT {
                let start = Instant::now();
                let part = awaited.is_there.wait_timeout_while(event, PART, |event| event.is_none());
                event = part.unwrap_or_else(PoisonError::into_inner).0;
                waited += start.elapsed().min(PART);
            }
            let Some(event) = event.take() else {
                let failure = unreadable("no event arrived on standard input in time");
                std::process::exit(Output::new(is_json).failure(&failure) as i32);
            };
            let limit = limit(&event);
            while waited < limit {
                let part = PART.min(limit.saturating_sub(waited));
                std::thread::sleep(part);
                waited += part;
            }
            let has_answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
            if !*has_answered {
                let answer = agents::too_late(&event, &surroundings);
                // If nobody listens, there is nobody left to tell.
                let _ = Output::text(&surroundings.agent.write(&event.name, &answer));
            }
            std::process::exit(0);
        };
        // Without a thread to spare there is no watchdog, and the agent's own limit is left.
        let _ = std::thread::Builder::new().stack_size(256 * 1024).spawn(watch);
        watchdog
    }

    /// From now on there is something to answer.
    fn knows(&self, event: &HookEvent) {
        *self.event.event.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.clone());
        self.event.is_there.notify_one();
    }

    /// Answers, unless the watchdog has: then this process ends before the lock is had.
    fn answer_first<T>(&self, answer: impl FnOnce() -> T) -> T {
        let mut has_answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *has_answered = true;
        answer()
    }
}

fn limit(event: &HookEvent) -> Duration {
    match event.kind {
        // Claude Code waits for 1.5 seconds.
        EventKind::SessionEnded => Duration::from_millis(1_200),
        // Codex waits for 3 seconds.
        EventKind::TurnEnded if event.name == "Interrupt" => Duration::from_millis(2_500),
        _ => LIMIT,
    }
}

fn surroundings(agent: &'static Agent, policy: HookPolicy, context: &Context) -> Surroundings {
    Surroundings {
        agent,
        policy,
        clock: Arc::new(SystemClock::new()),
        named_directory: context.named_directory().map(|directory| context.folder().join(directory)),
        home: platform::home_directory(),
        state_folder: platform::state_directory(),
        team: Arc::new(TeamOfClone),
        processes: keeper::behind_a_hook,
    }
}

/// Lets the verbs in the agent's shell know whose they are, where the agent names a file for that.
fn export(agent: &Agent, event: &HookEvent, answer: &mut Answer, context: &Context) {
    if event.kind != EventKind::SessionStarted || answer.environment.is_empty() {
        return;
    }
    // Some agents take what was written for another.
    let variables = std::iter::once(agent).chain(&AGENTS).filter_map(|agent| agent.environment_file);
    let file = variables.filter_map(std::env::var_os).find(|file| !file.is_empty());
    let Some(file) = file.map(PathBuf::from) else { return };
    let line = |name: &str, value: &str| format!("export {name}={}\n", words::shell_word(value));
    let mut lines = answer.environment.iter().fold(String::new(), |lines, (name, value)| lines + &line(name, value));
    // Whoever names the directory here means it for the verbs that follow, wherever they run.
    if let Some(directory) = &context.shared.dir {
        let directory = context.folder().join(directory);
        lines.push_str(&line(DIRECTORY_VARIABLE, &directory.to_string_lossy()));
    }
    let written = OpenOptions::new().append(true).create(true).open(&file);
    if let Err(error) = written.and_then(|mut file| file.write_all(lines.as_bytes())) {
        let notice = format!("The agent's shell won't know its session: {}: {error}", file.display());
        answer.notice = Some(answer.notice.take().map_or(notice.clone(), |before| format!("{before}\n{notice}")));
    }
}

fn unreadable(error: &str) -> Failure {
    Failure::failed("unreadable-event", format!("{}.", error.trim_end_matches('.')))
        .advise("It is started by a coding agent's hooks: see `deconflict hook --help`.")
}
