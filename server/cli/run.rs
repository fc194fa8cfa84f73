//! `deconflict run --with RESOURCE… -- COMMAND…`

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use deconflict_platform::{self as platform, Ending, Job, Life};
use deconflict_protocol::{DEFAULT_LEASE, Resource, Want};
use deconflict_registry::{
    Activity, Claim, Completion, Error, Holding, NewSession, Registry, Session, Taken, Taker, Terms, named_process,
};
use deconflict_workspace::Scope;

use super::acting::Acting;
use super::asked::{self, Asked};
use super::context::Context;
use super::failure::{Exit, Failure, sentence};
use super::in_line::{self, Kept, Line};
use super::interrupts::Interrupts;
use super::kept_in::KeptIn;
use super::output::Output;
use super::scope::ScopeWord;
use super::{candidates, standing_in, upkeep, values, words};

/// Hold resources while a command runs
///
/// All of them or none: a database, a port, a device, anything with a name. Nobody else gets them while the command
/// runs, and they are free again however it ends. The command uses your terminal, and its exit code is returned.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A RESOURCE is NAME or TYPE:NAME. Add *N for N places, or VARIABLE= in front to learn which one you got. `port:any`, `port:3000-3010` and `port:8080` are ports on which nothing listens; they are passed in PORT, PORT_2 and so on."
)]
pub(crate) struct Arguments {
    /// What the command needs
    #[arg(long = "with", value_name = "RESOURCE", required = true, value_delimiter = ',', add = candidates::to_run_with())]
    with: Vec<String>,
    /// Wait in line for them, up to this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<TimeDelta>,
    /// Who shares them, instead of what deconflict.toml says
    #[arg(long, value_name = "SCOPE")]
    scope: Option<ScopeWord>,
    /// The command, with its arguments
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<OsString>,
}

/// The ids of what is held around a command, for those that it runs itself.
const HELD: &str = "DECONFLICT_HELD";

/// What is held is renewed so often.
const RENEWAL: Duration = Duration::from_mins(15);

/// Where nobody else can see the command's process, its session is refreshed so often. That takes three questions.
const REFRESH: Duration = Duration::from_secs(30);

/// A command that ends sooner is not worth a sign of life.
const WORTH_TELLING: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match hold_and_run(arguments, context) {
        Ok(ended) => ended.end(),
        Err(failure) => {
            Output::remark(&format!("deconflict: {}", failure.message));
            failure.advice.iter().for_each(|advice| Output::remark(&format!("  {advice}")));
            Ok(failure.exit)
        }
    }
}

/// How this process ends.
enum Ended {
    Command(Ending),
    Interrupted(i32),
}

impl Ended {
    fn end(self) -> ! {
        /// Keys that mean every program of the terminal's job, such as the script that started this one.
        const KEYS: [i32; 2] = [2, 3];
        match self {
            Self::Command(Ending::Code(code)) => std::process::exit(code),
            Self::Command(Ending::Signal { number, had_terminal }) => {
                platform::end_by_signal(number, had_terminal && KEYS.contains(&number));
                std::process::exit(128 + number)
            }
            Self::Interrupted(number) => Interrupts::end(number),
        }
    }
}

fn hold_and_run(arguments: &Arguments, context: &Context) -> Result<Ended, Failure> {
    // Before anything starts a thread.
    let interrupts = Interrupts::take()?;
    // Its number is in the claims from the first moment on, so that there is none in which it runs and they are free.
    let mut job = Job::prepare(&arguments.command, &interrupts.signals().taken(), not_started)
        .map_err(|error| could_not_start(&error))?;
    if arguments.wait.is_some() {
        interrupts.end_a_wait(&context.give_up)?;
    }
    let asked = asked::asked(&arguments.with, arguments.scope.map(Scope::from), context)?;
    context.check_joined()?;
    let acting = match in_line::within(arguments.wait, context, || Acting::for_a_command(context)) {
        Ok(acting) => acting,
        Err(failure) => return context.give_up.asked().map(Ended::Interrupted).ok_or(failure),
    };
    let patience = arguments.wait;
    let (run, start) =
        (Run { arguments, context, acting: &acting, asked: &asked, patience, interrupts: &interrupts }, Instant::now());
    let (ended, left) = run.go(&mut job);
    match left {
        Some(holdings) => acting.end_of_command(&holdings, start.elapsed() >= WORTH_TELLING),
        None => acting.end(context),
    }
    ended
}

fn could_not_start(error: &io::Error) -> Failure {
    Failure::could_not("start the command", error)
}

struct Run<'a> {
    arguments: &'a Arguments,
    context: &'a Context,
    acting: &'a Acting,
    asked: &'a [Asked],
    patience: Option<TimeDelta>,
    interrupts: &'a Interrupts,
}

/// What is held in one registry while the command runs.
struct Held<S> {
    registry: Registry<S>,
    session: Session,
    /// The session lasts as long as this process.
    is_own: bool,
    holdings: Vec<Holding>,
    ids: Vec<String>,
    /// When the session's record was refreshed, where it depends on that.
    refreshed: Option<Instant>,
    /// What kept it from being refreshed was said.
    is_told: bool,
}

/// The same whatever keeps the registry.
trait Holds {
    /// The ids of the holdings.
    fn ids(&self) -> &[String];

    /// Renews the holdings.
    fn renew(&mut self);

    /// Keeps the session alive where nobody else can see the command, and says after how long again.
    fn refresh_when_due(&mut self) -> Option<Duration>;

    /// Gives it back once the command is over, unless the session that was made for the command does, together with its own
    /// end: then these are the holdings.
    fn end(self: Box<Self>, is_over: bool, with_session: bool) -> Vec<Holding>;
}

impl Run<'_> {
    /// Returns also what ends with the session that was made for the command; `None` while something that the command
    /// started still runs.
    fn go(&self, job: &mut Job) -> (Result<Ended, Failure>, Option<Vec<Holding>>) {
        let mut held = Vec::new();
        let mut values: Vec<Option<Vec<Resource>>> = self.asked.iter().map(|_| None).collect();
        let mut end = Ok(None);
        // Everybody takes those of the clone first and those of the team last, so that two who take of several never wait for
        // each other.
        for scope in [Scope::Clone, Scope::Machine, Scope::Team] {
            let places: Vec<usize> = (0..self.asked.len()).filter(|place| self.asked[*place].scope == scope).collect();
            if places.is_empty() {
                continue;
            }
            match self.take_of(scope, &places, job, &mut values, &mut held) {
                Ok(None) => {}
                other => {
                    end = other;
                    break;
                }
            }
        }
        let ended = match end {
            Ok(None) => self.run(job, &values, &mut held).map(Ended::Command),
            Ok(Some(number)) => Ok(Ended::Interrupted(number)),
            Err(failure) => Err(failure),
        };
        let is_over = ended.as_ref().map_or(true, |ended| match ended {
            Ended::Command(_) => {
                let process = job.process();
                platform::group_life(process.pid, Some(&process.started), job.group()) != Life::Alive
            }
            Ended::Interrupted(_) => true,
        });
        let mut with_session = Vec::new();
        for held in held {
            with_session.extend(held.end(is_over, self.acting.is_passing()));
        }
        (ended, is_over.then_some(with_session))
    }

    /// Takes what belongs to one scope; returns the signal that asked to give up.
    fn take_of(
        &self,
        scope: Scope,
        places: &[usize],
        job: &Job,
        values: &mut [Option<Vec<Resource>>],
        held: &mut Vec<Box<dyn Holds>>,
    ) -> Result<Option<i32>, Failure> {
        match scope {
            Scope::Clone => {
                let mine = Held::new(self.acting.registry.clone(), self.acting.session.clone(), false);
                let beside = self.context.existing_machine_registry()?;
                self.take(mine, beside.as_ref(), places, job, values, held)
            }
            Scope::Machine => {
                self.acting.arrive()?;
                let registry = self.context.machine_registry()?;
                let session = registry.unregistered(self.new_session()?)?;
                let mine = Held::new(registry, session, true);
                self.take(mine, Some(&self.acting.registry), places, job, values, held)
            }
            Scope::Team => {
                self.acting.arrive()?;
                let registry = self.context.team_registry()?;
                let keepalive = u32::try_from(REFRESH.as_secs()).ok();
                let session = registry.unregistered(NewSession { keepalive, ..self.new_session()? })?;
                self.take(Held::new(registry, session, true), None, places, job, values, held)
            }
        }
    }

    /// The same in its registry; `beside` is another in which some of those who hold it may wait.
    fn take<S: KeptIn + 'static>(
        &self,
        mut mine: Held<S>,
        beside: Option<&Registry<S>>,
        places: &[usize],
        job: &Job,
        values: &mut [Option<Vec<Resource>>],
        held: &mut Vec<Box<dyn Holds>>,
    ) -> Result<Option<i32>, Failure> {
        let is_passing = mine.is_own || self.acting.is_passing();
        let wants: Vec<Want> = places.iter().map(|place| self.asked[*place].want.clone()).collect();
        let process = named_process(job.process(), job.group());
        let waiting = named_process(&platform::current_process(), None);
        let terms = Terms {
            lease: DEFAULT_LEASE,
            branch: self.context.branch()?,
            worktree: self.context.worktree()?,
            process: Some(process),
            ..Terms::default()
        };
        let around = held_around();
        let taker = Taker {
            session: &mine.session.id,
            arriving: is_passing.then_some(&mine.session),
            predecessor: None,
            wants: &wants,
            terms: &terms,
            held: &around,
            process: &waiting,
            is_usable: &asked::is_usable,
        };
        let register = || -> Result<(), Failure> {
            let new = NewSession { keepalive: mine.session.record.keepalive, ..self.new_session()? };
            mine.registry.resume(&mine.session.id, &new)?;
            Ok(())
        };
        let typed: Vec<&str> = places.iter().map(|place| self.asked[*place].typed.as_str()).collect();
        let line = Line {
            context: self.context,
            registry: &mine.registry,
            beside,
            what: typed.join(", "),
            mark: "deconflict: ",
            register: is_passing.then_some(&register),
        };
        let outcome = line.take(taker, self.patience);
        let failed = match outcome {
            Ok(Ok(got)) => {
                for (place, some) in places.iter().zip(got) {
                    let claims: Vec<(Claim, bool)> = some.into_iter().map(claim_of).collect();
                    values[*place] = Some(claims.iter().map(|(claim, _)| claim.resource.clone()).collect());
                    let new = claims.iter().filter(|(_, is_new)| *is_new).map(|(claim, _)| claim);
                    mine.ids.extend(new.clone().filter_map(|claim| claim.record.id.clone()));
                    mine.holdings.extend(new.filter_map(Claim::holding));
                }
                held.push(Box::new(mine));
                return Ok(None);
            }
            Ok(Err(Kept::Interrupted(number))) => Ok(Some(number)),
            Ok(Err(Kept::Circle(circle))) => Err(line.circle(&circle)),
            Ok(Err(Kept::GivenUp)) => Err(line.given_up()),
            Ok(Err(Kept::Queued(queued))) => Err(match self.patience {
                Some(patience) => {
                    let patience = deconflict_protocol::time::duration_in_words(patience);
                    line.refusal(&queued).advise(format!("It was not free within {patience}: {}.", line.place(&queued)))
                }
                None => line.refusal(&queued).advise(format!("Wait in turn: {}", self.waiting())),
            }),
            Err(failure) => Err(failure),
        };
        mine.give_back(true);
        failed
    }

    /// The same command line, of somebody who waits.
    fn waiting(&self) -> String {
        let with: Vec<String> = self.arguments.with.iter().map(|word| words::shell_word(word)).collect();
        let command = self.arguments.command.iter().map(|word| words::shell_word(&word.to_string_lossy()));
        let scope = self.arguments.scope.map(|word| format!(" --scope {}", Scope::from(word).as_str()));
        let (scope, command) = (scope.unwrap_or_default(), command.collect::<Vec<_>>().join(" "));
        format!("deconflict run --wait 10m --with {}{scope} -- {command}", with.join(","))
    }

    fn new_session(&self) -> Result<NewSession, Failure> {
        Ok(NewSession {
            is_passing: true,
            keeper: Some(platform::current_process()),
            ..standing_in::describe(&self.acting.session, self.context)?
        })
    }

    fn run(
        &self,
        job: &mut Job,
        values: &[Option<Vec<Resource>>],
        held: &mut [Box<dyn Holds>],
    ) -> Result<Ending, Failure> {
        job.begin(&self.variables(values, held)).map_err(|error| could_not_start(&error))?;
        let mut due = Due::from(Instant::now());
        let meanwhile = || {
            if due.has_to_tell(Instant::now()) {
                self.tell();
            }
            if due.has_to_renew(Instant::now()) {
                for held in held.iter_mut() {
                    held.renew();
                }
            }
            let rest = due.next(Instant::now());
            held.iter_mut().filter_map(|held| held.refresh_when_due()).min().map_or(rest, |refresh| refresh.min(rest))
        };
        job.attend(self.interrupts.signals(), meanwhile)
            .map_err(|error| Failure::could_not("wait for the command's end", &error))
    }

    fn tell(&self) {
        if self.acting.is_passing() {
            return upkeep::refresh_board(&self.acting.registry);
        }
        let typed: Vec<&str> = self.asked.iter().map(|asked| asked.typed.as_str()).collect();
        let activity = Activity { action: "running".to_owned(), target: Some(typed.join(", ")), ..Activity::default() };
        upkeep::sign_of_life(&self.acting.registry, &self.acting.session, &activity);
    }

    /// What the command finds in its environment: which one it got of several, and what is held around it.
    fn variables(&self, values: &[Option<Vec<Resource>>], held: &[Box<dyn Holds>]) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut ports = 0;
        for (asked, resources) in self.asked.iter().zip(values) {
            for (place, resource) in resources.iter().flatten().enumerate() {
                let numbered = |name: &str, number: usize| {
                    if number == 1 { name.to_owned() } else { format!("{name}_{number}") }
                };
                if let Some(variable) = &asked.variable {
                    variables.push((numbered(variable, place + 1), resource.name().to_owned()));
                } else if asked.is_port {
                    ports += 1;
                    variables.push((numbered("PORT", ports), resource.name().to_owned()));
                }
            }
        }
        let mut ids: Vec<String> = held_around();
        let known: HashSet<String> = ids.iter().cloned().collect();
        ids.extend(held.iter().flat_map(|held| held.ids()).filter(|id| !known.contains(*id)).cloned());
        variables.push((HELD.to_owned(), ids.join(",")));
        variables
    }
}

/// When what is to be done while a command runs is due.
struct Due {
    begun: Instant,
    is_told: bool,
    renewed: Instant,
}

impl Due {
    fn from(begun: Instant) -> Self {
        Self { begun, is_told: false, renewed: begun }
    }

    /// True once.
    fn has_to_tell(&mut self, now: Instant) -> bool {
        let is_due = now - self.begun >= WORTH_TELLING;
        is_due && !std::mem::replace(&mut self.is_told, true)
    }

    /// True once each time.
    fn has_to_renew(&mut self, now: Instant) -> bool {
        let is_due = now - self.renewed >= RENEWAL;
        if is_due {
            self.renewed = now;
        }
        is_due
    }

    /// How long nothing is due.
    fn next(&self, now: Instant) -> Duration {
        let at = if self.is_told { self.renewed + RENEWAL } else { self.begun + WORTH_TELLING };
        at.saturating_duration_since(now)
    }
}

impl<S: KeptIn> Held<S> {
    fn new(registry: Registry<S>, session: Session, is_own: bool) -> Self {
        let refreshed = (is_own && session.record.keepalive.is_some()).then(Instant::now);
        let (holdings, ids) = (Vec::new(), Vec::new());
        Self { registry, session, is_own, holdings, ids, refreshed, is_told: false }
    }

    /// Keeps the promise to refresh the session's record, on which all that it holds depends.
    fn refresh(&mut self) {
        match self.registry.keep_alive(&self.session.id) {
            Ok(()) => self.is_told = false,
            Err(_) if self.is_told => {}
            Err(error) => {
                self.is_told = true;
                let lost = if let Error::UnknownSession { .. } = error {
                    "The team has not heard of this command for too long, and others may have what it uses".to_owned()
                } else {
                    format!("{error}. Others get what this command uses if that lasts for minutes")
                };
                Output::remark(&format!("deconflict: {}", sentence(&lost)));
            }
        }
    }

    /// What processes that the command left behind still use is theirs until they end.
    fn give_back(&self, is_over: bool) {
        let mut given_back = Ok(());
        if self.is_own {
            given_back = if is_over {
                self.registry.dismiss(&self.session.id, &self.holdings)
            } else {
                self.registry.complete(&self.session.id, &Completion::default()).map(drop)
            };
            if let Some(registry) = S::in_directory(&self.registry) {
                let _ = registry.clean_up_when_due();
            }
        } else if is_over && !self.holdings.is_empty() {
            given_back = self.registry.release_holdings(&self.holdings).map(drop);
        }
        // Who got nothing has nothing to give back.
        if let Err(error) = given_back
            && !self.holdings.is_empty()
        {
            let then = if self.refreshed.is_some() { "It is free in a few minutes" } else { "It is free anyway" };
            Output::remark(&format!("deconflict: What was held could not be released: {error}. {then}."));
        }
    }
}

impl<S: KeptIn> Holds for Held<S> {
    fn ids(&self) -> &[String] {
        &self.ids
    }

    fn renew(&mut self) {
        for holding in &self.holdings {
            // It counts while the command runs, renewed or not; only older programs go by its lease.
            let _ = self.registry.renew(holding, DEFAULT_LEASE);
        }
    }

    fn refresh_when_due(&mut self) -> Option<Duration> {
        let due = REFRESH.saturating_sub(self.refreshed?.elapsed());
        if !due.is_zero() {
            return Some(due);
        }
        self.refreshed = Some(Instant::now());
        self.refresh();
        Some(REFRESH)
    }

    fn end(self: Box<Self>, is_over: bool, with_session: bool) -> Vec<Holding> {
        if is_over && !self.is_own && with_session {
            return self.holdings;
        }
        self.give_back(is_over);
        Vec::new()
    }
}

fn claim_of(taken: Taken) -> (Claim, bool) {
    match taken {
        Taken::Granted(granted) => (granted.claim, true),
        Taken::Shared(claim) => (claim, false),
    }
}

fn held_around() -> Vec<String> {
    let held = std::env::var(HELD).unwrap_or_default();
    held.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// A command that could not be started, as a shell says it.
fn not_started(error: &io::Error, program: &OsStr) -> i32 {
    let is_missing = error.kind() == std::io::ErrorKind::NotFound;
    let why = if is_missing { "command not found".to_owned() } else { error.to_string() };
    Output::remark(&format!("deconflict: {}: {why}", program.to_string_lossy()));
    if is_missing { 127 } else { 126 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No test could wait for it.
    #[test]
    fn what_is_held_is_renewed_each_quarter_of_an_hour_while_the_command_runs() {
        let begun = Instant::now();
        let mut due = Due::from(begun);
        assert!(!due.has_to_tell(begun) && !due.has_to_renew(begun));
        let mut now = begun + due.next(begun);
        assert!(due.has_to_tell(now) && !due.has_to_tell(now) && !due.has_to_renew(now));
        for round in 1..=20 {
            now += due.next(now);
            assert_eq!(now - begun, RENEWAL * round);
            assert!(due.has_to_renew(now) && !due.has_to_renew(now) && !due.has_to_tell(now));
        }
    }
}
