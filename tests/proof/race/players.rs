//! Who takes part with one process for each thing it does, or with none: people at terminals, agents' hooks, threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::TimeDelta;
use deconflict_platform as platform;
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    ClaimOutcome, Completion, Error, HandOffOutcome, Holding, MoveOutcome, NewSession, Registry, RenewOutcome, Terms,
};

use super::{GivesUp, Party, Race, THINGS, timed};
use crate::invariant::{Span, Thing};
use crate::linearizability::Random;
use crate::support::{CodingAgent, Terminal};

/// Claims, gives up, hands off, takes by force, ends and begins anew; now and then a verb is killed.
pub(crate) fn at_a_terminal(race: &Race, number: usize, operations: usize, mut random: Random) {
    let start = || {
        let (terminal, session) = Terminal::with_named_session(&race.workspace, &format!("Terminal {number}"));
        race.joins(&session, GivesUp::WhenSeen);
        (terminal, session)
    };
    let (mut terminal, mut session) = start();
    for _ in 0..operations {
        let (kind, name) = THINGS[random.below(THINGS.len())];
        let thing = Thing::new(kind, name);
        let to = race.somebody(&mut random);
        let arguments: &[&str] = match random.below(100) {
            0..55 => &["claim", kind, name],
            55..60 => &["claim", kind, name, "--force"],
            60..75 => &["release", kind, name],
            75..95 => &["hand-off", kind, name, &to.session],
            _ => &["end"],
        };
        let is_killed = random.below(12) == 0;
        let pause = Duration::from_micros(random.next() % 20_000);
        let (when, code) = ask(&terminal, arguments, is_killed.then_some(pause));
        race.count("terminal");
        assert!((0..=3).contains(&code) || is_killed, "{arguments:?}: {code}");
        let is_done = code == 0;
        match arguments[0] {
            "claim" => {
                if arguments.len() == 4 {
                    race.forces(when, &session, thing.clone());
                }
                if is_done {
                    race.told(when, &session, thing);
                }
            }
            "release" => race.gives_up(when, &session, Some(thing)),
            "hand-off" => {
                race.gives_up(when, &session, Some(thing.clone()));
                if is_done && to.gives_up == GivesUp::WhenSeen {
                    race.told(when, &to.session, thing);
                }
            }
            _ => {
                race.gives_up(when, &session, None);
                race.leaves(&session);
                (terminal, session) = start();
            }
        }
    }
}

/// Runs a verb, which is killed after a while if so wanted. What it had asked for may be done even then, but not later
/// than it was seen dead; and nobody was told.
pub(super) fn ask(terminal: &Terminal, arguments: &[&str], killed_after: Option<Duration>) -> (Span, i32) {
    timed(|| {
        let mut running = terminal.spawn(arguments);
        if let Some(pause) = killed_after {
            thread::sleep(pause);
            running.kill();
        }
        running.wait().exit_code
    })
}

/// Edits what its hook lets it edit; between turns it has given everything up.
pub(crate) fn as_an_agent(race: &Race, number: usize, operations: usize, mut random: Random) {
    let agent = CodingAgent::on(&race.workspace, &format!("agent-{number}"));
    let session = agent.id();
    agent.start();
    race.joins(&session, GivesUp::ByItself);
    for operation in 0..operations {
        let files: Vec<&str> = THINGS.iter().filter(|(kind, _)| *kind == "file").map(|(_, name)| *name).collect();
        let file = files[random.below(files.len())];
        if random.below(8) == 0 {
            let (when, _) = timed(|| agent.stop());
            race.gives_up(when, &session, None);
            agent.prompt();
            race.count("hook");
            race.count("hook");
        }
        let (when, told) = timed(|| agent.before_edit(file));
        race.count("hook");
        if told.denial().is_some() {
            continue;
        }
        // Where it could not tell whether somebody holds the file it says so.
        if told.notice().is_empty() && told.context().is_empty() {
            race.told(when, &session, Thing::new("file", file));
        }
        race.workspace.write(file, format!("edit {operation} of {session}\n"));
        agent.after_edit(file);
        race.count("hook");
    }
    let (when, _) = timed(|| agent.end());
    race.gives_up(when, &session, None);
    race.leaves(&session);
}

/// Does with a registry of its own what all of them do, and moves what it holds.
pub(crate) fn in_a_thread(race: &Race, number: usize, operations: usize, mut random: Random) {
    let clock = Arc::new(SystemClock::new());
    let registry = Registry::open(race.workspace.coordination().directory(), clock).unwrap();
    let mut lives = 0;
    while lives * 100 < operations {
        let mut thread = Thread::join(race, &registry, format!("thread-{number}-{lives}"));
        for _ in 0..100 {
            match thread.act(&mut random) {
                Ok(()) | Err(Error::Busy { .. } | Error::UnknownSession { .. } | Error::EndedSession { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            race.count("thread");
            thread::sleep(Duration::from_micros(random.next() % 8_000));
        }
        thread.end();
        lives += 1;
    }
}

struct Thread<'a> {
    race: &'a Race,
    registry: &'a Registry,
    session: SessionId,
    held: HashMap<Resource, Holding>,
}

impl<'a> Thread<'a> {
    fn join(race: &'a Race, registry: &'a Registry, session: String) -> Self {
        let id = Some(SessionId::new(&session).unwrap());
        let keeper = Some(platform::current_process());
        let session = registry.register(NewSession { id, keeper, ..NewSession::default() }).unwrap().id;
        race.joins(session.as_str(), GivesUp::WhenSeen);
        Self { race, registry, session, held: HashMap::new() }
    }

    fn end(self) {
        let (when, ended) = timed(|| self.registry.complete(&self.session, &Completion::default()));
        // Whoever waits for the lock in vain has ended all the same, and what it held is free.
        assert!(matches!(ended, Ok(_) | Err(Error::Busy { .. })), "{ended:?}");
        self.race.gives_up(when, self.session.as_str(), None);
        self.race.leaves(self.session.as_str());
    }

    fn act(&mut self, random: &mut Random) -> Result<(), Error> {
        let any = |random: &mut Random| {
            let (kind, name) = THINGS[random.below(THINGS.len())];
            resource(kind, name)
        };
        let held: Vec<Resource> = self.held.keys().cloned().collect();
        let wanted =
            if held.is_empty() || random.below(2) == 0 { any(random) } else { held[random.below(held.len())].clone() };
        match random.below(100) {
            0..55 => self.claim(&wanted, random.below(20) == 0),
            55..65 => self.release(&wanted),
            65..80 => self.hand_off(&wanted, &self.race.somebody(random)),
            80..90 => self.renew(&wanted),
            _ => {
                let to = any(random);
                let is_alike = to != wanted && to.is_directory() == wanted.is_directory();
                if is_alike { self.move_to(&wanted, &to) } else { self.claim(&to, false) }
            }
        }
    }

    fn claim(&mut self, wanted: &Resource, force: bool) -> Result<(), Error> {
        let terms = Terms { force, ..Terms::default() };
        let (when, outcome) = timed(|| self.registry.claim(&self.session, wanted, &terms));
        if force {
            self.race.forces(when, self.session.as_str(), thing(wanted));
        }
        if let ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } = outcome? {
            self.held.extend(claim.holding().map(|holding| (wanted.clone(), holding)));
            self.race.told(when, self.session.as_str(), thing(wanted));
        }
        Ok(())
    }

    fn release(&mut self, wanted: &Resource) -> Result<(), Error> {
        let (when, outcome) = timed(|| self.registry.release(&self.session, wanted));
        self.race.gives_up(when, self.session.as_str(), Some(thing(wanted)));
        self.held.remove(wanted);
        outcome.map(drop)
    }

    fn hand_off(&mut self, wanted: &Resource, to: &Party) -> Result<(), Error> {
        let recipient = SessionId::new(&to.session).unwrap();
        let (when, outcome) = timed(|| self.registry.hand_off(&self.session, wanted, &recipient, None));
        self.race.gives_up(when, self.session.as_str(), Some(thing(wanted)));
        if let HandOffOutcome::HandedOff(_) = outcome? {
            self.held.remove(wanted);
            if to.gives_up == GivesUp::WhenSeen {
                self.race.told(when, &to.session, thing(wanted));
            }
        }
        Ok(())
    }

    fn renew(&mut self, wanted: &Resource) -> Result<(), Error> {
        let Some(holding) = self.held.get(wanted) else { return Ok(()) };
        let (when, outcome) = timed(|| self.registry.renew(holding, TimeDelta::hours(8)));
        match outcome? {
            RenewOutcome::Renewed(_) => self.race.told(when, self.session.as_str(), thing(wanted)),
            RenewOutcome::Lost(_) => drop(self.held.remove(wanted)),
        }
        Ok(())
    }

    fn move_to(&mut self, wanted: &Resource, to: &Resource) -> Result<(), Error> {
        let Some(holding) = self.held.remove(wanted) else { return Ok(()) };
        let (when, outcome) = timed(|| self.registry.move_claim(&holding, to));
        self.race.gives_up(when, self.session.as_str(), Some(thing(wanted)));
        if let MoveOutcome::Moved(claim) = outcome? {
            self.held.extend(claim.holding().map(|holding| (to.clone(), holding)));
            self.race.told(when, self.session.as_str(), thing(to));
        }
        Ok(())
    }
}

fn resource(kind: &str, name: &str) -> Resource {
    if kind == "directory" { Resource::directory(name).unwrap() } else { Resource::file(name).unwrap() }
}

fn thing(resource: &Resource) -> Thing {
    Thing::new(resource.resource_type().as_str(), resource.name())
}
