//! Waiting in turn is linearizable, over both stores: who came first gets it first, a newcomer passes nobody, and everybody
//! is told the place in which they stand.
//!
//! Six want one of two things, or both. They wait, look again, leave, come without waiting, and give back what they got; what
//! keeps one of them is killed now and then, whose ticket and holdings are gone at that moment.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use deconflict_platform as platform;
use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Naming, ProcessRecord, Resource, ResourceType, SessionId, Want};
use deconflict_registry::{Memory, NewSession, Registry, Store, Taken, Taker, Terms, Turn, Waiter, named_process};
use stateright::semantics::SequentialSpec;

use super::WORKERS;
use super::search::{Step, is_linearizable};
use super::worker::{Random, monotonic};
use crate::{Scale, scale};

/// The things, each a bit.
const THINGS: [&str; 2] = ["one", "two"];

/// Which of the things somebody wants or holds.
type Mask = u8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    /// Takes it, or begins to wait for it.
    Begin(Mask),
    /// Looks again, with the ticket.
    Again,
    /// Takes it, or goes away.
    Now(Mask),
    Leave,
    /// Gives one thing back.
    Release(Mask),
    /// The process that it waits and holds with is killed.
    Die,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Taken,
    /// So many who want something of it come first.
    Behind(usize),
    Done,
}

/// All that is known of the things and of those who wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Line {
    held: Vec<(u32, Mask)>,
    waiting: Vec<(u32, Mask)>,
}

impl Line {
    fn is_free(&self, mask: Mask) -> bool {
        self.held.iter().all(|(_, held)| held & mask == 0)
    }

    /// Takes it if it is free and nobody in front could have what they want of it.
    fn take(&mut self, who: u32, mask: Mask) -> Answer {
        let own = self.waiting.iter().position(|(other, _)| *other == who).unwrap_or(self.waiting.len());
        let in_front: Vec<Mask> =
            self.waiting[..own].iter().map(|(_, wanted)| *wanted).filter(|wanted| wanted & mask != 0).collect();
        if !self.is_free(mask) || in_front.iter().any(|wanted| self.is_free(*wanted)) {
            return Answer::Behind(in_front.len());
        }
        self.leave(who);
        self.held.push((who, mask));
        self.held.sort_unstable();
        Answer::Taken
    }

    fn leave(&mut self, who: u32) {
        self.waiting.retain(|(other, _)| *other != who);
    }

    fn release(&mut self, who: u32, mask: Mask) {
        for (_, held) in self.held.iter_mut().filter(|(other, _)| *other == who) {
            *held &= !mask;
        }
        self.held.retain(|(_, held)| *held != 0);
    }
}

impl SequentialSpec for Line {
    type Op = (u32, Operation);
    type Ret = Answer;

    fn invoke(&mut self, (who, operation): &(u32, Operation)) -> Answer {
        let who = *who;
        match *operation {
            Operation::Begin(mask) => {
                let answer = self.take(who, mask);
                if answer != Answer::Taken {
                    self.waiting.push((who, mask));
                }
                return answer;
            }
            Operation::Now(mask) => return self.take(who, mask),
            Operation::Again => {
                let mask = self.waiting.iter().find(|(other, _)| *other == who).map_or(0, |(_, mask)| *mask);
                return self.take(who, mask);
            }
            Operation::Leave => self.leave(who),
            Operation::Release(mask) => self.release(who, mask),
            Operation::Die => {
                self.leave(who);
                self.release(who, Mask::MAX);
            }
        }
        Answer::Done
    }
}

#[test]
fn queues_in_memory_are_linearizable() {
    let naming = Naming::default();
    let clock = || Arc::new(SystemClock::new());
    show(|_| {
        let registry = Arc::new(Registry::over(Memory::new(clock(), naming), clock()));
        move || Arc::clone(&registry)
    });
}

#[test]
fn queues_in_files_are_linearizable() {
    let folder = tempfile::tempdir().unwrap();
    show(|round| {
        let directory = folder.path().join(format!("{round}/COORDINATION"));
        std::fs::create_dir_all(directory.parent().unwrap()).unwrap();
        drop(Registry::create(&directory, Arc::new(SystemClock::new())).unwrap());
        // Each has opened it for itself, as processes do.
        move || Arc::new(Registry::open(&directory, Arc::new(SystemClock::new())).unwrap())
    });
}

/// The check is worth something only if it finds what it is there to find.
#[test]
fn a_newcomer_that_passes_is_found_out() {
    let step = |who, at, operation, answer| Step {
        who,
        invoked: at,
        returned: Some(at + 1),
        operation: (who, operation),
        answer: Some(answer),
    };
    let mut steps = vec![
        step(1, 0, Operation::Begin(1), Answer::Taken),
        step(2, 10, Operation::Begin(1), Answer::Behind(0)),
        step(1, 20, Operation::Release(1), Answer::Done),
        step(3, 30, Operation::Now(1), Answer::Behind(1)),
        step(2, 40, Operation::Again, Answer::Taken),
    ];
    assert!(is_linearizable(&steps, &Line::default()));
    steps[3].answer = Some(Answer::Taken);
    assert!(!is_linearizable(&steps[..4], &Line::default()));
}

/// Plays rounds, each in a registry of its own, which `open` gives to each who takes part.
fn show<S: Store + 'static, O: Fn() -> Arc<Registry<S>>>(begin: impl Fn(usize) -> O) {
    let rounds = match scale() {
        Scale::Short => 150,
        Scale::Long => 3_000,
    };
    let (mut operations, mut taken, mut behind) = (0, 0, 0);
    for round in 0..rounds {
        let open = begin(round);
        let steps = play(round, &open);
        assert!(is_linearizable(&steps, &Line::default()), "round {round}: {steps:#?}");
        let registry = open();
        assert_eq!(registry.tickets().unwrap().len(), 0, "round {round}: a ticket was left behind");
        let count = |is_it: &dyn Fn(&Answer) -> bool| {
            steps.iter().filter(|step| step.answer.as_ref().is_some_and(is_it)).count()
        };
        operations += steps.len();
        taken += count(&|answer| *answer == Answer::Taken);
        behind += count(&|answer| matches!(answer, Answer::Behind(ahead) if *ahead > 0));
    }
    println!("{operations} operations in {rounds} rounds, {taken} taken, {behind} behind others");
    assert!(taken * 10 > operations && behind * 20 > operations, "nobody contended");
}

fn play<S: Store + 'static>(round: usize, open: &dyn Fn() -> Arc<Registry<S>>) -> Vec<Step<(u32, Operation), Answer>> {
    let mut random = Random(round as u64);
    let (said, heard) = channel();
    let victim = random.below(2 * WORKERS);
    thread::scope(|scope| {
        for number in 0..WORKERS {
            let keeper = (number == victim).then(|| Command::new("sleep").arg("60").spawn().unwrap());
            let (registry, said, seed) = (open(), said.clone(), random.next());
            let who = u32::try_from(number).unwrap();
            scope.spawn(move || take_part(&registry, who, seed, keeper, &said));
        }
    });
    drop(said);
    heard.into_iter().collect()
}

type Said = Sender<Step<(u32, Operation), Answer>>;

/// What one of them does, until all that it began has ended.
fn take_part<S: Store>(registry: &Registry<S>, who: u32, seed: u64, mut keeper: Option<Child>, said: &Said) {
    const OPERATIONS: usize = 7;
    let mut random = Random(seed);
    let session = registry.register(NewSession::default()).unwrap().id;
    let process = keeper.as_ref().map_or_else(platform::current_process, |it| platform::process(it.id()).unwrap());
    let me = Me { session, process: named_process(&process, None) };
    let wants = [1, 2, 3].map(|mask: Mask| {
        let named = |name: &&str| Want::one(&Resource::new(ResourceType::resource(), name).unwrap());
        let chosen = THINGS.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
        chosen.map(|(_, name)| named(name)).collect::<Vec<_>>()
    });
    let terms = Terms { process: Some(me.process.clone()), ..Terms::default() };
    let tell = |operation, act: &mut dyn FnMut() -> Answer| {
        let invoked = monotonic();
        let answer = act();
        let operation = (who, operation);
        said.send(Step { who, invoked, returned: Some(monotonic()), operation, answer: Some(answer) }).unwrap();
        answer
    };
    let mut done = 0;
    while done < OPERATIONS {
        let mask = [1, 2, 3, 1][random.below(4)];
        let taker = me.taker(&wants[usize::from(mask) - 1], &terms);
        let mut waiter = Waiter::new(registry, taker);
        let mut got = Vec::new();
        let mut keep = |turn: Turn| match turn {
            Turn::Taken(holdings) => {
                got = holdings;
                Answer::Taken
            }
            Turn::Queued(queued) => Answer::Behind(queued.ahead.len()),
            other => panic!("{other:?}"),
        };
        let mut answer = if random.below(4) == 0 {
            tell(Operation::Now(mask), &mut || keep(registry.take(&taker).unwrap()))
        } else {
            let mut answer = tell(Operation::Begin(mask), &mut || keep(waiter.begin().unwrap()));
            done += 1;
            while answer != Answer::Taken && random.below(5) != 0 {
                thread::yield_now();
                answer = tell(Operation::Again, &mut || keep(waiter.try_once_more().unwrap()));
                done += 1;
            }
            answer
        };
        done += 1;
        if let Some(mut keeper) = keeper.take_if(|_| done >= OPERATIONS / 2) {
            tell(Operation::Die, &mut || {
                keeper.kill().unwrap();
                keeper.wait().unwrap();
                Answer::Done
            });
            return;
        }
        if answer == Answer::Taken {
            for one in got.drain(..).flatten() {
                let Taken::Granted(granted) = one else { panic!("{one:?}") };
                let at = THINGS.iter().position(|name| *name == granted.claim.resource.name()).unwrap();
                answer = tell(Operation::Release(1 << at), &mut || {
                    registry.release_holding(&granted.claim.holding().unwrap()).unwrap();
                    Answer::Done
                });
            }
        } else {
            answer = tell(Operation::Leave, &mut || {
                waiter.leave().unwrap();
                Answer::Done
            });
        }
        assert_eq!(answer, Answer::Done);
        done += 1;
    }
    if let Some(mut keeper) = keeper {
        keeper.kill().unwrap();
        keeper.wait().unwrap();
    }
}

struct Me {
    session: SessionId,
    process: ProcessRecord,
}

impl Me {
    fn taker<'a>(&'a self, wants: &'a [Want], terms: &'a Terms) -> Taker<'a> {
        Taker {
            session: &self.session,
            arriving: None,
            predecessor: None,
            wants,
            terms,
            held: &[],
            process: &self.process,
            is_usable: &|_| true,
        }
    }
}
