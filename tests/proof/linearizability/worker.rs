//! One of the processes that contend: it does at random what sessions do, and says what it asks before it asks it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    Claim, ClaimOutcome, Error, HandOffOutcome, Holding, MoveOutcome, NewSession, Registry, ReleaseOutcome,
    RenewOutcome, Store, Terms,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::specification::{Answer, Operation, Session, THINGS, TREE};

/// Names the directory and the clock's file to a worker.
pub(crate) const DIRECTORY: &str = "DECONFLICT_PROOF_DIRECTORY";
pub(crate) const CLOCK: &str = "DECONFLICT_PROOF_CLOCK";

/// How every line of a worker starts that is not the test harness's own.
pub(crate) const MARK: &str = "worker: ";

/// How long claims last, in milliseconds.
pub(crate) const LEASE: i64 = 10 * 60 * 1_000;

/// What a worker is told to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// To register as this session.
    Join(Session),
    /// To go on with this session, whose process was killed.
    Resume(Session),
    Contend(Round),
}

/// A few operations at random.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Names the resources.
    pub(crate) name: String,
    pub(crate) operations: usize,
    pub(crate) seed: u64,
    /// True if the time of day may jump.
    pub(crate) may_jump: bool,
    /// How long claims last, in milliseconds. What is handed off lasts for longer, so where this is short nothing is.
    pub(crate) lease: i64,
    /// Who else is there.
    pub(crate) sessions: Vec<Session>,
}

/// What a worker says. Times are nanoseconds of the machine's monotonic clock, which all processes share.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    Ready {
        at: i64,
    },
    Invoked {
        at: i64,
        operation: Operation,
    },
    Returned {
        at: i64,
        answer: Answer,
    },
    /// Nobody answered: it took effect, or it will, or it never does.
    Unanswered,
    Failed(String),
    RoundDone,
}

/// Nanoseconds of a clock that never goes back and is the same in every process.
pub(crate) fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// A time of day that many processes share through a file, so that it jumps for all of them at once.
#[derive(Debug)]
pub(crate) struct SharedClock {
    path: PathBuf,
    file: File,
    start: Instant,
}

impl SharedClock {
    pub(crate) fn open(path: &Path) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        Self { path: path.to_owned(), file, start: Instant::now() }
    }

    /// Keeps the time of day from jumping while this lives. A jump in the middle of a verb, between what it reads and
    /// what it decides, is at no instant.
    fn steady(&self) -> File {
        let gate = self.gate();
        let steady = File::open(&self.path).unwrap();
        steady.lock_shared().unwrap();
        drop(gate);
        steady
    }

    /// Whoever wants the time to jump waits here before all who come later.
    fn gate(&self) -> File {
        let gate = File::create(self.path.with_extension("gate")).unwrap();
        gate.lock().unwrap();
        gate
    }

    pub(crate) fn set(&self, milliseconds: i64) {
        let _gate = self.gate();
        self.file.lock().unwrap();
        self.file.write_all_at(&milliseconds.to_le_bytes(), 0).unwrap();
        self.file.unlock().unwrap();
    }
}

impl Clock for SharedClock {
    fn now(&self) -> DateTime<Utc> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        DateTime::from_timestamp_millis(i64::from_le_bytes(bytes)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

pub(crate) fn session_id(session: Session) -> SessionId {
    SessionId::new(&format!("worker-{session}")).unwrap()
}

fn session_of(claim: &Claim) -> Session {
    claim.holder().unwrap().as_str().strip_prefix("worker-").unwrap().parse().unwrap()
}

/// The resources of a round.
fn resources(round: &str) -> [Resource; THINGS] {
    TREE.map(|thing| {
        let path = format!("{round}/{}", thing.path.join("/"));
        match thing.kind {
            "directory" => Resource::directory(&path).unwrap(),
            _ => Resource::file(&path).unwrap(),
        }
    })
}

/// The worker's process; as a test it does nothing.
#[test]
fn worker() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let clock = Arc::new(SharedClock::open(Path::new(&std::env::var_os(CLOCK).unwrap())));
    let registry = Registry::open(Path::new(&directory), clock.clone()).unwrap();
    let mut me = 0;
    for line in std::io::stdin().lines() {
        let order = serde_json::from_str(&line.unwrap()).unwrap();
        let new = NewSession { keeper: Some(platform::current_process()), ..NewSession::default() };
        match order {
            Order::Join(session) => {
                me = session;
                registry.register(NewSession { id: Some(session_id(me)), ..new }).unwrap();
                say(Line::Ready { at: monotonic() });
            }
            Order::Resume(session) => {
                me = session;
                registry.resume(&session_id(me), &new).unwrap().expect("nobody else keeps the session");
                say(Line::Ready { at: monotonic() });
            }
            Order::Contend(round) => contend(&registry, &clock, me, &round, &say),
        }
    }
}

/// Does a few operations, and says what it asks and what it is told.
pub(crate) fn contend<S: Store>(
    registry: &Registry<S>,
    clock: &SharedClock,
    me: Session,
    round: &Round,
    say: &dyn Fn(Line),
) {
    let resources = resources(&round.name);
    // Whoever resumes goes on with what it finds that it holds.
    let held = |resource: &Resource| {
        let mut found = registry.claim_of(resource);
        while let Err(Error::CutOff { .. } | Error::Declined { .. }) = found {
            found = registry.claim_of(resource);
        }
        found.unwrap().filter(|claim| claim.held_by(&session_id(me)))
    };
    let held = resources.each_ref().map(|resource| held(resource).and_then(|claim| claim.holding()));
    let mut worker = Worker { registry, me, resources, held };
    let mut random = Random(round.seed);
    for _ in 0..round.operations {
        let operation = worker.choose(&mut random, round);
        say(Line::Invoked { at: monotonic(), operation });
        let steady = round.may_jump.then(|| clock.steady());
        let answer = worker.carry_out(&operation);
        drop(steady);
        match answer {
            Ok(answer) => say(Line::Returned { at: monotonic(), answer }),
            Err(Error::Busy { .. }) => say(Line::Returned { at: monotonic(), answer: Answer::Busy }),
            // Of what was not written etcd may say that it was declined, while it chooses a leader.
            Err(Error::CutOff { .. } | Error::Declined { .. } | Error::Contended) => say(Line::Unanswered),
            Err(error) => say(Line::Failed(format!("{operation:?}: {error}"))),
        }
    }
    say(Line::RoundDone);
}

fn say(line: Line) {
    let text = format!("{MARK}{}\n", serde_json::to_string(&line).unwrap());
    // In one piece, so that a killed process leaves no half line behind that another could be mistaken for.
    std::io::stdout().lock().write_all(text.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

struct Worker<'a, S> {
    registry: &'a Registry<S>,
    me: Session,
    resources: [Resource; THINGS],
    held: [Option<Holding>; THINGS],
}

impl<S: Store> Worker<'_, S> {
    fn choose(&self, random: &mut Random, round: &Round) -> Operation {
        let Round { sessions, lease, .. } = round;
        let session = self.me;
        // Mostly something that it holds, or most would only be refused.
        let held: Vec<usize> = (0..THINGS).filter(|resource| self.held[*resource].is_some()).collect();
        let resource = match random.below(3) {
            0 | 1 if !held.is_empty() => held[random.below(held.len())],
            _ => random.below(THINGS),
        };
        let generation = self.held[resource].as_ref().and_then(|held| held.generation);
        match (random.below(100), generation) {
            // A longer lease than before, or there would be nothing to write.
            (0..20, Some(generation)) => Operation::Renew { session, resource, generation, lease: 2 * lease },
            (20..35, Some(generation)) => {
                let others = (0..THINGS).filter(|to| *to != resource && TREE[*to].kind == TREE[resource].kind);
                let others: Vec<usize> = others.collect();
                Operation::Move { session, resource, generation, to: others[random.below(others.len())] }
            }
            (35..50, Some(_)) | (90..95, None) if *lease >= LEASE => {
                Operation::HandOff { session, resource, to: sessions[random.below(sessions.len())] }
            }
            (35..65, Some(_)) | (90..100, None) => Operation::Release { session, resource },
            (80..90, _) => Operation::Look { resource },
            _ => Operation::Claim { session, resource, lease: *lease, force: random.below(16) == 0 },
        }
    }

    fn carry_out(&mut self, operation: &Operation) -> Result<Answer, Error> {
        let me = session_id(self.me);
        Ok(match *operation {
            Operation::Claim { resource, lease, force, .. } => {
                let terms = Terms { lease: TimeDelta::milliseconds(lease), force, ..Terms::default() };
                match self.registry.claim(&me, &self.resources[resource], &terms)? {
                    ClaimOutcome::Granted { claim, .. } => {
                        let (generation, expires) = self.take(resource, &claim);
                        Answer::Granted { generation, expires }
                    }
                    ClaimOutcome::AlreadyHeld { claim } => {
                        let (generation, expires) = self.take(resource, &claim);
                        Answer::AlreadyHeld { generation, expires }
                    }
                    ClaimOutcome::Refused { by } => Answer::Refused { by: session_of(&by), resource: self.place(&by) },
                }
            }
            Operation::Renew { resource, lease, .. } => {
                let holding = self.held[resource].clone().unwrap();
                match self.registry.renew(&holding, TimeDelta::milliseconds(lease))? {
                    RenewOutcome::Renewed(claim) => Answer::Renewed { expires: claim.expires_at.timestamp_millis() },
                    RenewOutcome::Lost(_) => {
                        self.held[resource] = None;
                        Answer::Lost
                    }
                }
            }
            Operation::Release { resource, .. } => match self.registry.release(&me, &self.resources[resource])? {
                ReleaseOutcome::Released(_) => {
                    self.held[resource] = None;
                    Answer::Released
                }
                ReleaseOutcome::NotHolder(by) => Answer::NotHolder { by: session_of(&by) },
                ReleaseOutcome::NotFound => Answer::NotFound,
            },
            Operation::HandOff { resource, to, .. } => {
                match self.registry.hand_off(&me, &self.resources[resource], &session_id(to), None)? {
                    HandOffOutcome::HandedOff(claim) => Answer::HandedOff {
                        generation: claim.record.generation.unwrap(),
                        expires: claim.expires_at.timestamp_millis(),
                    },
                    HandOffOutcome::NotHolder(by) => Answer::NotHolder { by: session_of(&by) },
                    HandOffOutcome::NotFound => Answer::NotFound,
                    HandOffOutcome::Refused { by } => {
                        Answer::Refused { by: session_of(&by), resource: self.place(&by) }
                    }
                    HandOffOutcome::RecipientNotLive(_) => Answer::RecipientNotLive,
                }
            }
            Operation::Move { resource, to, .. } => {
                let holding = self.held[resource].take().unwrap();
                match self.registry.move_claim(&holding, &self.resources[to])? {
                    MoveOutcome::Moved(claim) => {
                        let (generation, expires) = self.take(to, &claim);
                        Answer::Moved { generation, expires }
                    }
                    MoveOutcome::Released { target } => {
                        Answer::NotMoved { by: session_of(&target), resource: self.place(&target) }
                    }
                    MoveOutcome::Lost(_) => Answer::Lost,
                }
            }
            Operation::Look { resource } => {
                let claim = self.registry.claim_of(&self.resources[resource])?;
                Answer::Active(claim.filter(Claim::is_active).map(|claim| session_of(&claim)))
            }
            Operation::Displace { .. }
            | Operation::Arrive { .. }
            | Operation::Die { .. }
            | Operation::Resume { .. }
            | Operation::SetClock { .. } => unreachable!("not for a session to do"),
        })
    }

    fn take(&mut self, resource: usize, claim: &Claim) -> (u64, i64) {
        self.held[resource] = claim.holding();
        (claim.record.generation.unwrap(), claim.expires_at.timestamp_millis())
    }

    fn place(&self, claim: &Claim) -> usize {
        self.resources.iter().position(|resource| *resource == claim.resource).unwrap()
    }
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}
