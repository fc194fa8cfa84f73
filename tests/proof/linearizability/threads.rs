//! The same verbs over the store in memory and over etcd, where threads contend instead of processes; and a decision that
//! has to be made again because something else changed meanwhile is ordinary there.

use std::collections::HashMap;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use chrono::Utc;
use deconflict_platform as platform;
use deconflict_protocol::Naming;
use deconflict_registry::{LeaseClock, Memory, NewSession, Registry, Store};

use super::WORKERS;
use super::history::{CONDUCTOR, Event, History};
use super::specification::{Answer, Operation, Session};
use super::worker::{LEASE, Line, Random, Round, SharedClock, contend, monotonic, session_id};
use crate::support::etcd::{EtcdCluster, EtcdNode};
use crate::{Scale, scale};

/// Their sessions, all of this machine.
const SESSIONS: [Session; WORKERS] = [0, 1, 2, 4, 5, 6];

#[test]
fn claims_of_many_threads_in_memory_are_linearizable() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (150, 5_000),
        Scale::Long => (2_500, 100_000),
    };
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SharedClock::open(&folder.path().join("clock")));
    let (mut operations, mut granted, mut refused, mut moved) = (0, 0, 0, 0);
    for number in 0..rounds {
        let memory = Memory::new(clock.clone(), Naming::default());
        let history = play(number, &clock, &Registry::over(memory, clock.clone()));
        assert_eq!(history.beliefs().contradiction(), None, "round {number}: {history:#?}");
        assert!(history.is_linearizable(), "round {number}: {history:#?}");
        operations += history.operations();
        granted += history.count(|answer| matches!(answer, Answer::Granted { .. }));
        refused += history.count(|answer| matches!(answer, Answer::Refused { .. }));
        moved += history.count(|answer| matches!(answer, Answer::Moved { .. } | Answer::HandedOff { .. }));
    }
    println!("{operations} operations in {rounds} rounds");
    println!("{granted} granted, {refused} refused, {moved} moved or handed off");
    assert!(operations >= at_least, "{operations}");
    assert!(refused * 10 > operations && granted * 20 > operations && moved > rounds, "nobody contended");
}

#[test]
fn claims_of_many_threads_over_etcd_are_linearizable() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (20, 600),
        Scale::Long => (600, 20_000),
    };
    for (which, node) in EtcdNode::all() {
        let mut operations = 0;
        for (round, history) in rounds_over(&node).take(rounds).enumerate() {
            assert_eq!(history.beliefs().contradiction(), None, "{which}, round {round}: {history:#?}");
            assert!(history.is_linearizable(), "{which}, round {round}: {history:#?}");
            operations += history.operations();
        }
        println!("{which}: {operations} operations in {rounds} rounds");
        assert!(operations >= at_least, "{operations}");
    }
}

/// What happens to the members of a cluster in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    Nothing,
    KillLeader,
    KillFollower,
    /// It neither hears nor says anything, and then goes on as if nothing had been.
    CutOffLeader,
    CutOffFollower,
    /// Most members are away for a moment, so that nothing can be written.
    CutOffMost,
}

impl Fault {
    const ALL: [Self; 6] = [
        Self::Nothing,
        Self::KillLeader,
        Self::KillFollower,
        Self::CutOffLeader,
        Self::CutOffFollower,
        Self::CutOffMost,
    ];
}

#[test]
fn claims_over_three_members_are_linearizable_while_members_fail() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (18, 500),
        Scale::Long => (600, 20_000),
    };
    let Some(mut cluster) = EtcdCluster::newest() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SharedClock::open(&folder.path().join("clock")));
    let (mut operations, mut unanswered, mut granted, mut refused) = (0, 0, 0, 0);
    let mut faults: HashMap<Fault, usize> = HashMap::new();
    for number in 0..rounds {
        let fault = Fault::ALL[number % Fault::ALL.len()];
        let (history, without_answer) = play_under(fault, number, &mut cluster, &clock);
        assert_eq!(history.beliefs().contradiction(), None, "round {number}, {fault:?}: {history:#?}");
        assert!(history.is_linearizable(), "round {number}, {fault:?}: {history:#?}");
        operations += history.operations();
        unanswered += without_answer;
        granted += history.count(|answer| matches!(answer, Answer::Granted { .. }));
        refused += history.count(|answer| matches!(answer, Answer::Refused { .. }));
        *faults.entry(fault).or_default() += 1;
    }
    println!("{operations} operations in {rounds} rounds, {unanswered} of them without an answer");
    println!("{granted} granted, {refused} refused; what went wrong: {faults:?}");
    assert!(operations >= at_least, "{operations}");
    assert!(unanswered > 0 && unanswered * 2 < operations, "{unanswered} of {operations} without an answer");
    assert!(refused * 20 > operations && granted * 20 > operations, "nobody contended");
}

/// One round over the members of a cluster, to which something happens meanwhile. Returns how many operations had no answer, too.
fn play_under(fault: Fault, number: usize, cluster: &mut EtcdCluster, clock: &Arc<SharedClock>) -> (History, usize) {
    let mut random = Random(number as u64);
    let start = Utc::now().timestamp() * 1_000;
    clock.set(start);
    // Each has connections of its own, and asks another member first.
    let registries =
        SESSIONS.map(|_| Registry::over(cluster.store(&format!("fault-{number}"), clock.clone()), clock.clone()));
    for (session, registry) in SESSIONS.iter().zip(&registries) {
        let new = NewSession {
            id: Some(session_id(*session)),
            keeper: Some(platform::current_process()),
            ..NewSession::default()
        };
        registry.register(new).unwrap();
    }
    let mut history = History::new(start);
    history.is_whole = true;
    let mut unanswered = 0;
    let (said, heard) = channel();
    thread::scope(|scope| {
        for (session, registry) in SESSIONS.into_iter().zip(&registries) {
            let said = said.clone();
            let round = Round {
                name: format!("round-{number}"),
                operations: 8,
                seed: random.next(),
                may_jump: false,
                sessions: SESSIONS.to_vec(),
            };
            scope.spawn(move || contend(registry, clock, session, &round, &|line| said.send((session, line)).unwrap()));
        }
        drop(said);
        let delay = Duration::from_millis(random.below(60) as u64);
        scope.spawn(move || happen(fault, delay, cluster));
        // Whoever was not answered asks next as somebody else, who may be served before that takes effect.
        let mut names: HashMap<Session, u32> = SESSIONS.into_iter().map(|session| (session, session)).collect();
        for (session, line) in heard {
            let who = names[&session];
            match line {
                Line::Invoked { at, operation } => history.add(at, who, Event::Invoked(operation)),
                Line::Returned { at, answer } => history.add(at, who, Event::Returned(answer)),
                Line::Unanswered => {
                    unanswered += 1;
                    names.insert(session, who + 100);
                }
                Line::RoundDone | Line::Ready { .. } => {}
                Line::Failed(error) => panic!("session {session}: {error}"),
            }
        }
    });
    (history, unanswered)
}

/// Lets something happen to a cluster, and puts it right again.
fn happen(fault: Fault, delay: Duration, cluster: &mut EtcdCluster) {
    thread::sleep(delay);
    let leader = cluster.leader().unwrap_or(0);
    let followers: Vec<usize> = (0..cluster.len()).filter(|member| *member != leader).collect();
    let away = Duration::from_millis(700);
    match fault {
        Fault::Nothing => {}
        Fault::KillLeader | Fault::KillFollower => {
            let victim = if fault == Fault::KillLeader { leader } else { followers[0] };
            cluster.kill(victim);
            thread::sleep(away);
            cluster.start(victim);
        }
        Fault::CutOffLeader | Fault::CutOffFollower | Fault::CutOffMost => {
            let victims = match fault {
                Fault::CutOffLeader => vec![leader],
                Fault::CutOffMost => followers.clone(),
                _ => vec![followers[0]],
            };
            for victim in &victims {
                cluster.cut_off(*victim);
            }
            thread::sleep(away);
            for victim in &victims {
                cluster.join_again(*victim);
            }
        }
    }
    cluster.wait_until_it_answers();
}

/// The check is worth something only if it finds what it is there to find.
#[test]
fn comparisons_that_are_left_out_over_etcd_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let faults = folder.path().join("faults");
    std::fs::write(&faults, "no-lock\n").unwrap();
    let told = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "linearizability::threads::without_comparisons", "--ignored"])
        .env("DECONFLICT_FAULTS", faults)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

#[test]
#[ignore = "a test runs it that has comparisons left out"]
fn without_comparisons() {
    for (which, node) in EtcdNode::all() {
        let is_found = |history: History| history.beliefs().contradiction().is_some();
        assert!(rounds_over(&node).take(100).any(is_found), "{which}");
    }
}

fn rounds_over(node: &EtcdNode) -> impl Iterator<Item = History> {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SharedClock::open(&folder.path().join("clock")));
    (0..).map(move |number| {
        let _kept = &folder;
        let store = node.store(&format!("round-{number}"), clock.clone());
        play(number, &clock, &Registry::over(store, clock.clone()))
    })
}

/// One round over a store of its own. The time of day jumps in some, and in some what keeps a session dies, and its
/// thread goes on with the session later.
fn play<S: Store>(number: usize, clock: &Arc<SharedClock>, registry: &Registry<S>) -> History {
    let mut random = Random(number as u64);
    let start = Utc::now().timestamp() * 1_000;
    clock.set(start);
    let mortal = SESSIONS.into_iter().find(|_| random.below(WORKERS) == 0);
    let mut keeper = mortal.map(|_| Command::new("sleep").arg("60").spawn().unwrap());
    for session in SESSIONS {
        let stand_in = keeper.as_ref().filter(|_| Some(session) == mortal);
        let keeper = stand_in.map_or_else(platform::current_process, |child| platform::process(child.id()).unwrap());
        let new = NewSession { id: Some(session_id(session)), keeper: Some(keeper), ..NewSession::default() };
        registry.register(new).unwrap();
    }
    let mut history = History::new(start);
    let (said, heard) = channel();
    thread::scope(|scope| {
        for session in SESSIONS {
            let said = said.clone();
            let say = move |line: Line| said.send((session, line)).unwrap();
            let round = |random: &mut Random| Round {
                name: format!("round-{number}"),
                operations: 4,
                seed: random.next(),
                may_jump: true,
                sessions: SESSIONS.to_vec(),
            };
            let rounds = [round(&mut random), round(&mut random)];
            let keeper = keeper.take_if(|_| Some(session) == mortal);
            scope.spawn(move || take_part(registry, clock, session, &rounds, keeper, &say));
        }
        drop(said);
        let due = random.below(WORKERS * 8);
        let jumps = [None, Some(-3 * LEASE), Some(LEASE + 30_000), Some(2 * LEASE + 61_000)];
        // Where the store itself ends leases, nobody's time of day does.
        let goes_by_clocks = registry.store().guarantees().clock == LeaseClock::Participants;
        let mut jump = jumps[random.below(jumps.len())].filter(|_| goes_by_clocks).map(|by| start + by);
        let mut answers = 0;
        for (who, line) in heard {
            match line {
                Line::Invoked { at, operation } => history.add(at, who, Event::Invoked(operation)),
                Line::Returned { at, answer } => {
                    answers += 1;
                    history.add(at, who, Event::Returned(answer));
                }
                Line::RoundDone | Line::Ready { .. } => {}
                line @ (Line::Failed(_) | Line::Unanswered) => panic!("session {who}: {line:?}"),
            }
            if let Some(now) = jump.take_if(|_| answers == due) {
                history.add(monotonic(), CONDUCTOR, Event::Invoked(Operation::SetClock { now }));
                clock.set(now);
                history.add(monotonic(), CONDUCTOR, Event::Returned(Answer::Done));
            }
        }
    });
    history
}

/// What one thread does. Where something else keeps its session, that is killed in between.
fn take_part<S: Store>(
    registry: &Registry<S>,
    clock: &SharedClock,
    session: Session,
    rounds: &[Round; 2],
    keeper: Option<Child>,
    say: &dyn Fn(Line),
) {
    contend(registry, clock, session, &rounds[0], say);
    if let Some(mut keeper) = keeper {
        say(Line::Invoked { at: monotonic(), operation: Operation::Die { session } });
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        say(Line::Returned { at: monotonic(), answer: Answer::Done });
        // Meanwhile others may take what is abandoned.
        thread::sleep(Duration::from_millis(2));
        say(Line::Invoked { at: monotonic(), operation: Operation::Resume { session } });
        let new = NewSession { keeper: Some(platform::current_process()), ..NewSession::default() };
        registry.resume(&session_id(session), &new).unwrap().expect("nobody else keeps the session");
        say(Line::Returned { at: monotonic(), answer: Answer::Done });
    }
    contend(registry, clock, session, &rounds[1], say);
}
