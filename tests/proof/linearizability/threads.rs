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
use super::links::Links;
use super::specification::{Answer, Operation, Session, THINGS};
use super::worker::{LEASE, Line, Random, Round, SharedClock, contend, monotonic, session_id};
use crate::support::etcd::{self, EtcdCluster, EtcdNode};
use crate::support::wait_within;
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
    /// Nobody hears the leader any more, and it hears everybody.
    MuteLeader,
    MuteFollower,
    /// It neither hears the others nor is heard by them, and goes on to answer whoever asks it.
    PartLeader,
    PartFollower,
    /// What half of the sessions ask arrives long after they gave up, as from whoever is stopped in the middle of a transaction.
    HoldClients,
    /// The time of day jumps past all claims, or back.
    ClockJump,
}

impl Fault {
    const ALL: [Self; 12] = [
        Self::Nothing,
        Self::KillLeader,
        Self::MuteLeader,
        Self::HoldClients,
        Self::CutOffLeader,
        Self::PartLeader,
        Self::ClockJump,
        Self::KillFollower,
        Self::MuteFollower,
        Self::CutOffFollower,
        Self::PartFollower,
        Self::CutOffMost,
    ];
}

/// A cluster of which everything can fail: members, the ways between them, and the ways from sessions to members.
struct Fallible {
    cluster: EtcdCluster,
    links: Links,
    /// Where each session asks.
    addresses: Vec<String>,
}

impl Fallible {
    fn begin() -> Option<Self> {
        let links = Links::default();
        let cluster = EtcdCluster::reached_by(|name, port| links.before(port, name, None))?;
        let ports: Vec<u16> = cluster.address().split([':', '/', ',']).filter_map(|part| part.parse().ok()).collect();
        let address = |session: &Session| {
            let from = client(*session);
            let reached = |(member, port): (usize, &u16)| links.before(*port, &member_name(member), Some(&from));
            let hosts: Vec<String> =
                ports.iter().enumerate().map(reached).map(|port| format!("127.0.0.1:{port}")).collect();
            format!("etcd://{}/deconflict", hosts.join(","))
        };
        let addresses = SESSIONS.iter().map(address).collect();
        Some(Self { cluster, links, addresses })
    }
}

fn member_name(member: usize) -> String {
    format!("member-{member}")
}

fn client(session: Session) -> String {
    format!("session-{session}")
}

#[test]
fn claims_over_three_members_are_linearizable_while_members_fail() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (12, 350),
        Scale::Long => (720, 20_000),
    };
    let Some(mut cluster) = Fallible::begin() else { return };
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
fn play_under(fault: Fault, number: usize, fallible: &mut Fallible, clock: &Arc<SharedClock>) -> (History, usize) {
    let mut random = Random(number as u64);
    let start = Utc::now().timestamp() * 1_000;
    clock.set(start);
    // Each has connections of its own, and asks another member first.
    let repository = format!("fault-{number}");
    let registries: Vec<_> = fallible
        .addresses
        .iter()
        .map(|address| Registry::over(etcd::open(address, &repository, clock.clone()), clock.clone()))
        .collect();
    let mut history = begun(&registries, start);
    let mut unanswered = 0;
    let (said, heard) = channel();
    thread::scope(|scope| {
        for (session, registry) in SESSIONS.into_iter().zip(&registries) {
            let said = said.clone();
            let round = Round {
                name: format!("round-{number}"),
                operations: 8,
                seed: random.next(),
                may_jump: fault == Fault::ClockJump,
                lease: LEASE,
                sessions: SESSIONS.to_vec(),
            };
            scope.spawn(move || contend(registry, clock, session, &round, &|line| said.send((session, line)).unwrap()));
        }
        let delay = Duration::from_millis(random.below(60) as u64);
        let jump = start + [-3 * LEASE, LEASE + 30_000, 2 * LEASE + 61_000][random.below(3)];
        scope.spawn(move || {
            if fault != Fault::ClockJump {
                return happen(fault, delay, fallible);
            }
            thread::sleep(delay);
            let say = |line: Line| said.send((CONDUCTOR, line)).unwrap();
            say(Line::Invoked { at: monotonic(), operation: Operation::SetClock { now: jump } });
            clock.set(jump);
            say(Line::Returned { at: monotonic(), answer: Answer::Done });
        });
        let all = SESSIONS.into_iter().chain([CONDUCTOR]);
        let mut names: HashMap<Session, u32> = all.map(|session| (session, session)).collect();
        for (session, line) in heard {
            unanswered += usize::from(record(&mut history, &mut names, session, line));
        }
    });
    (history, unanswered)
}

/// Registers each session in a registry of its own, and begins the history of what they do over a store whose clock ends leases.
fn begun<S: Store>(registries: &[Registry<S>], start: i64) -> History {
    for (session, registry) in SESSIONS.iter().zip(registries) {
        let new = NewSession {
            id: Some(session_id(*session)),
            keeper: Some(platform::current_process()),
            ..NewSession::default()
        };
        registry.register(new).unwrap();
    }
    let mut history = History::new(start);
    history.is_whole = true;
    history.is_timed_by_store = true;
    history
}

/// Lets something happen to a cluster, and puts it right again.
fn happen(fault: Fault, delay: Duration, fallible: &mut Fallible) {
    let Fallible { cluster, links, .. } = fallible;
    thread::sleep(delay);
    let leader = cluster.leader().unwrap_or(0);
    let followers: Vec<usize> = (0..cluster.len()).filter(|member| *member != leader).collect();
    let away = Duration::from_millis(700);
    match fault {
        Fault::Nothing | Fault::ClockJump => {}
        Fault::MuteLeader | Fault::MuteFollower | Fault::PartLeader | Fault::PartFollower => {
            let is_leader = matches!(fault, Fault::MuteLeader | Fault::PartLeader);
            let apart = if is_leader { leader } else { followers[0] };
            let others = (0..cluster.len()).filter(|member| *member != apart);
            for (one, other) in others.map(|other| (member_name(apart), member_name(other))) {
                links.cut([(one.clone(), other.clone())]);
                if matches!(fault, Fault::PartLeader | Fault::PartFollower) {
                    links.cut([(other, one)]);
                }
            }
            thread::sleep(away);
            links.join();
        }
        Fault::HoldClients => {
            let held = SESSIONS.iter().take(WORKERS / 2);
            links
                .cut(held.flat_map(|session| (0..cluster.len()).map(|member| (client(*session), member_name(member)))));
            thread::sleep(away);
            links.join();
        }
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

/// Leases that end in the middle: what all had is free then, also to whoever had it, who is told that it is lost.
#[test]
fn claims_whose_leases_end_over_three_members_are_linearizable() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (6, 250),
        Scale::Long => (60, 2_500),
    };
    let Some(cluster) = EtcdCluster::newest() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SharedClock::open(&folder.path().join("clock")));
    let start = Utc::now().timestamp() * 1_000;
    clock.set(start);
    let (cluster, clock) = (&cluster, &clock);
    // At the same time, since most of it is waiting.
    let histories: Vec<(usize, History)> = (0..rounds)
        .step_by(AT_ONCE)
        .flat_map(|first| {
            thread::scope(|scope| {
                let begun: Vec<_> = (first..rounds.min(first + AT_ONCE))
                    .map(|number| (number, scope.spawn(move || play_past_leases(number, cluster, clock, start))))
                    .collect();
                begun.into_iter().map(|(number, round)| (number, round.join().unwrap())).collect::<Vec<_>>()
            })
        })
        .collect();
    let (mut operations, mut lost) = (0, 0);
    for (number, history) in histories {
        assert!(history.is_linearizable(), "round {number}: {history:#?}");
        operations += history.operations();
        lost += history.count(|answer| matches!(answer, Answer::Lost | Answer::NotFound));
    }
    println!(
        "{operations} operations in {rounds} rounds in which leases ended; {lost} times it was told that nothing is held"
    );
    assert!(operations >= at_least && lost > 0, "{operations}, {lost}");
}

/// So many of these rounds at once.
const AT_ONCE: usize = 6;

/// A round, the end of all leases, and another one.
fn play_past_leases(number: usize, cluster: &EtcdCluster, clock: &Arc<SharedClock>, start: i64) -> History {
    let mut random = Random(number as u64);
    let open = |_| Registry::over(cluster.store(&format!("ending-{number}"), clock.clone()), clock.clone());
    let registries = SESSIONS.map(open);
    let mut history = begun(&registries, start);
    let mut names: HashMap<Session, u32> = SESSIONS.into_iter().map(|session| (session, session)).collect();
    for is_second in [false, true] {
        if is_second {
            // The store keeps a lease of a moment for ten seconds.
            for (resource, who) in (0..THINGS).zip((0..CONDUCTOR).rev()) {
                let ended = Operation::Displace { by: CONDUCTOR, resource, force: true };
                history.add(monotonic(), who, Event::Invoked(ended));
            }
            let are_over = || registries[0].claims().is_ok_and(|claims| claims.is_empty()).then_some(());
            wait_within(Duration::from_mins(1), "all leases to end", are_over);
            (0..THINGS).zip((0..CONDUCTOR).rev()).for_each(|(_, who)| {
                history.add(monotonic(), who, Event::Returned(Answer::Done));
            });
        }
        let (said, heard) = channel();
        thread::scope(|scope| {
            for (session, registry) in SESSIONS.into_iter().zip(&registries) {
                let said = said.clone();
                let round = Round {
                    name: format!("round-{number}"),
                    operations: 4,
                    seed: random.next(),
                    may_jump: false,
                    lease: MOMENT,
                    sessions: SESSIONS.to_vec(),
                };
                let say = move |line: Line| said.send((session, line)).unwrap();
                scope.spawn(move || contend(registry, clock, session, &round, &say));
            }
            drop(said);
            for (session, line) in heard {
                record(&mut history, &mut names, session, line);
            }
        });
    }
    history
}

/// How long claims last that are to end.
const MOMENT: i64 = 1_000;

/// Adds what a session said; returns whether it was not answered. Whoever was not answered asks next as somebody else, who may
/// be served before that takes effect.
fn record(history: &mut History, names: &mut HashMap<Session, u32>, session: Session, line: Line) -> bool {
    let who = names[&session];
    match line {
        Line::Invoked { at, operation } => history.add(at, who, Event::Invoked(operation)),
        Line::Returned { at, answer } => history.add(at, who, Event::Returned(answer)),
        Line::Unanswered => {
            names.insert(session, who + 100);
            return true;
        }
        Line::RoundDone | Line::Ready { .. } => {}
        Line::Failed(error) => panic!("session {session}: {error}"),
    }
    false
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
                lease: LEASE,
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
