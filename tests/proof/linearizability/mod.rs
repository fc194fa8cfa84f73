//! Claims are linearizable: whatever many processes do at once, each is told what it would be told if everything
//! happened one after another.
//!
//! Rounds of a few operations of six processes on folders in folders and files in them are recorded, with the time of
//! the clock that all processes of a machine share, and checked one by one. In most rounds something goes wrong: a
//! process is killed, and perhaps another goes on with its session, processes are stopped and go on later, the time of
//! day jumps past the leases or back. Beside the search for an order, an invariant that knows nothing of the
//! specification is checked on what the sessions were told and on what stands on disk.

mod history;
mod links;
mod queues;
mod search;
mod specification;
mod threads;
mod worker;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use chrono::Utc;
use deconflict_platform::clock::Clock;
use deconflict_registry::Registry;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use self::history::{CONDUCTOR, Event, History};
use self::specification::{Answer, Operation, Session, is_elsewhere};
use self::worker::{CLOCK, DIRECTORY, LEASE, Line, MARK, Order, Round, SharedClock, session_id};
pub(crate) use self::worker::{Random, monotonic};
use crate::invariant::contradiction_on_disk;
use crate::{Scale, scale};

const WORKERS: usize = 6;

/// No process may be silent for so long.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn claims_of_many_processes_are_linearizable() {
    let (rounds, at_least) = match scale() {
        Scale::Short => (200, 8_000),
        Scale::Long => (2_300, 100_000),
    };
    let mut arena = Arena::new("", 8);
    let (mut operations, mut granted, mut refused, mut lost, mut moved) = (0, 0, 0, 0, 0);
    for round in 0..rounds {
        let history = arena.run(round);
        assert_eq!(history.left, None, "round {round}: {history:#?}");
        let contradiction = history.beliefs().contradiction();
        assert_eq!(contradiction, None, "round {round}: {history:#?}");
        assert!(history.is_linearizable(), "round {round}: {history:#?}");
        operations += history.operations();
        granted += history.count(|answer| matches!(answer, Answer::Granted { .. }));
        refused += history.count(|answer| matches!(answer, Answer::Refused { .. }));
        lost += history.count(|answer| matches!(answer, Answer::Lost));
        moved += history.count(|answer| matches!(answer, Answer::Moved { .. } | Answer::HandedOff { .. }));
    }
    println!("{operations} operations in {rounds} rounds");
    println!("{granted} granted, {refused} refused, {lost} lost, {moved} moved or handed off");
    println!("what went wrong: {:?}", arena.disturbances);
    assert!(operations >= at_least, "{operations}");
    // Otherwise nobody contended, and nothing was shown.
    assert!(refused * 10 > operations && granted * 20 > operations && lost > rounds / 20 && moved > rounds);
}

/// The check is worth something only if it finds what it is there to find.
#[test]
fn a_broken_lock_is_found_out() {
    // Few operations, because to show that no order exists all of them have to be tried.
    let mut arena = Arena::new("no-lock\nslow rename 2000\nslow link 2000\n", 2);
    let (mut by_order, mut by_belief, mut on_disk) = (false, false, false);
    for round in 0..200 {
        let history = arena.run(round);
        by_belief |= history.beliefs().contradiction().is_some();
        on_disk |= history.left.is_some();
        if !by_order && !history.is_linearizable() {
            let by_tester = history.is_linearizable_in_any_order();
            assert_ne!(by_tester, Some(true), "{history:#?}");
            by_order = by_tester.is_some();
        }
        if by_order && by_belief && on_disk {
            return;
        }
    }
    panic!("locks kept nobody out: noticed by order {by_order}, by what is told {by_belief}, on disk {on_disk}");
}

/// What goes wrong in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Disturbance {
    Nothing,
    Kill,
    KillAndResume,
    Pause,
    ClockForward,
    ClockBack,
    KillThePaused,
}

impl Disturbance {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Kill,
        Self::KillAndResume,
        Self::Pause,
        Self::ClockForward,
        Self::ClockBack,
        Self::KillThePaused,
    ];
}

/// A process's number. Another one may go on with the same session.
type Participant = u32;

/// A line, and who said it.
type Said = (Participant, Line);

/// The directory that all contend in, and the processes.
struct Arena {
    registry: Registry,
    clock: Arc<SharedClock>,
    workers: Vec<Worker>,
    /// A process that is there already, for whoever comes next.
    spare: Worker,
    said: Sender<Said>,
    heard: Receiver<Said>,
    next_session: Session,
    disturbances: HashMap<Disturbance, usize>,
    /// How many operations each process does in a round. Checking takes the longer, the more there are.
    operations: usize,
    folder: tempfile::TempDir,
}

impl Arena {
    fn new(faults: &str, operations: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("faults"), faults).unwrap();
        let clock = Arc::new(SharedClock::open(&folder.path().join("clock")));
        clock.set(Utc::now().timestamp_millis());
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock.clone()).unwrap();
        let (said, heard) = channel();
        let mut arena = Self {
            spare: Worker::start(0, registry.path(), folder.path(), said.clone()),
            registry,
            clock,
            workers: Vec::new(),
            said,
            heard,
            next_session: 0,
            disturbances: HashMap::new(),
            operations,
            folder,
        };
        for _ in 0..WORKERS {
            arena.add_session();
        }
        arena
    }

    /// A process without a session, while the next one starts.
    fn take_spare(&mut self) -> Worker {
        let next = Worker::start(self.spare.who + 1, self.registry.path(), self.folder.path(), self.said.clone());
        std::mem::replace(&mut self.spare, next)
    }

    fn add_session(&mut self) {
        let session = self.next_session;
        self.next_session += 1;
        let mut worker = self.take_spare();
        worker.session = session;
        worker.tell(&Order::Join(session));
        let (said_by, line) = self.heard.recv_timeout(PATIENCE).expect("a worker starts");
        assert!(said_by == worker.who && matches!(line, Line::Ready { .. }), "{line:?}");
        if is_elsewhere(session) {
            move_elsewhere(&self.registry.path().join(format!("sessions/{}.json", session_id(session))));
        }
        self.workers.push(worker);
    }

    /// Lets all of them contend for resources that were never used before.
    fn run(&mut self, number: usize) -> History {
        let mut random = Random(number as u64);
        let disturbance = Disturbance::ALL[random.below(Disturbance::ALL.len())];
        *self.disturbances.entry(disturbance).or_default() += 1;
        let start = Utc::now().timestamp() * 1_000;
        self.clock.set(start);
        let mut history = History::new(start);
        let sessions: Vec<Session> = self.workers.iter().map(|worker| worker.session).collect();
        let round = |random: &mut Random| Round {
            name: format!("round-{number}"),
            operations: self.operations,
            seed: random.next(),
            may_jump: [Disturbance::ClockForward, Disturbance::ClockBack].contains(&disturbance),
            lease: LEASE,
            sessions: sessions.clone(),
        };
        for worker in &mut self.workers {
            worker.tell(&Order::Contend(round(&mut random)));
        }
        let victim = random.below(WORKERS);
        let begin = random.below(WORKERS * self.operations / 2);
        let last_round = round(&mut random);
        let mut course =
            Course { disturbance, victim, begin, end: begin + 1 + random.below(12), start, stopped: false };
        let mut answers = 0;
        let mut working: HashSet<Participant> = self.workers.iter().map(|worker| worker.who).collect();
        while !working.is_empty() {
            match self.next_line(&course, number) {
                Some((who, Line::Invoked { at, operation })) => history.add(at, who, Event::Invoked(operation)),
                Some((who, Line::Returned { at, answer })) => {
                    answers += 1;
                    history.add(at, who, Event::Returned(answer));
                }
                Some((who, Line::Ready { at })) => history.add(at, who, Event::Returned(Answer::Done)),
                Some((who, Line::RoundDone)) => drop(working.remove(&who)),
                Some((who, line)) => panic!("process {who}: {line:?}"),
                // Whoever was stopped keeps the others from going on.
                None => course.end = 0,
            }
            if self.disturb(&mut course, answers, working.len(), &mut history) {
                self.take_last_words(victim, &mut history);
                working.remove(&self.workers[victim].who);
            }
            let is_over = answers >= course.end || working.len() <= 1;
            if course.disturbance == Disturbance::KillAndResume && self.workers[victim].is_dead() && is_over {
                course.disturbance = Disturbance::Nothing;
                let session = self.workers[victim].session;
                self.workers[victim] = self.take_spare();
                let heir = &mut self.workers[victim];
                heir.session = session;
                history.add(monotonic(), heir.who, Event::Invoked(Operation::Resume { session }));
                heir.tell(&Order::Resume(session));
                heir.tell(&Order::Contend(last_round.clone()));
                working.insert(heir.who);
            }
        }
        history.left = contradiction_on_disk(self.registry.path(), self.clock.now());
        if self.workers[victim].is_dead() {
            self.workers.remove(victim);
            self.add_session();
        }
        // Left behind, thousands of them would make looking at a folder slow.
        for entry in fs::read_dir(self.registry.path().join("claims")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        history
    }

    /// What somebody says next. `None` when nobody says anything because a stopped process has the lock; now and then
    /// the others have to give up waiting for it.
    fn next_line(&self, course: &Course, number: usize) -> Option<Said> {
        let is_resumed_early = course.stopped && !number.is_multiple_of(16);
        let patience = if is_resumed_early { Duration::from_millis(50) } else { PATIENCE };
        let line = self.heard.recv_timeout(patience);
        assert!(line.is_ok() || is_resumed_early, "nobody goes on");
        line.ok()
    }

    /// Does what is due after so many answers. Returns true when it has killed the victim.
    fn disturb(&mut self, course: &mut Course, answers: usize, working: usize, history: &mut History) -> bool {
        let worker = &mut self.workers[course.victim];
        let is_due = answers >= course.begin;
        let is_over = answers >= course.end || working <= 1;
        match course.disturbance {
            Disturbance::ClockForward | Disturbance::ClockBack if is_due => {
                // Past the leases that there are, within or beyond what others' clocks are given, or to before.
                let by = match (course.disturbance, course.victim % 2) {
                    (Disturbance::ClockBack, _) => -3 * LEASE,
                    (_, 0) => LEASE + 30_000,
                    _ => 2 * LEASE + 61_000,
                };
                let now = course.start + by;
                history.add(monotonic(), CONDUCTOR, Event::Invoked(Operation::SetClock { now }));
                self.clock.set(now);
                history.add(monotonic(), CONDUCTOR, Event::Returned(Answer::Done));
                course.disturbance = Disturbance::Nothing;
                if by > 0 && course.victim.is_multiple_of(3) {
                    // And back again, so that what had expired runs again.
                    course.disturbance = Disturbance::ClockBack;
                    course.begin = course.end;
                }
            }
            Disturbance::Pause | Disturbance::KillThePaused if is_due && !course.stopped => {
                worker.signal(Signal::STOP);
                course.stopped = true;
            }
            Disturbance::Pause if course.stopped && is_over => {
                worker.signal(Signal::CONT);
                course.stopped = false;
                course.disturbance = Disturbance::Nothing;
            }
            Disturbance::KillThePaused if !(course.stopped && is_over) => {}
            Disturbance::KillThePaused | Disturbance::Kill | Disturbance::KillAndResume
                if is_due && !worker.is_dead() =>
            {
                worker.kill(history);
                course.stopped = false;
                // Nobody goes on for a session of another machine: it would be one of this machine from then on.
                if course.disturbance != Disturbance::KillAndResume || is_elsewhere(worker.session) {
                    course.disturbance = Disturbance::Nothing;
                }
                return true;
            }
            _ => {}
        }
        false
    }

    /// Takes in what a dead worker said before it died, which is still on its way.
    fn take_last_words(&mut self, victim: usize, history: &mut History) {
        let worker = &mut self.workers[victim];
        worker.reader.take().unwrap().join().unwrap();
        let victim = worker.who;
        let mut others = Vec::new();
        for (who, line) in self.heard.try_iter() {
            match line {
                _ if who != victim => others.push((who, line)),
                Line::Invoked { at, operation } => history.add(at, who, Event::Invoked(operation)),
                Line::Returned { at, answer } => history.add(at, who, Event::Returned(answer)),
                Line::RoundDone => {}
                Line::Ready { .. } | Line::Unanswered | Line::Failed(_) => panic!("{line:?}"),
            }
        }
        for line in others {
            self.said.send(line).unwrap();
        }
    }
}

/// How far a round's disturbance has come.
struct Course {
    disturbance: Disturbance,
    victim: usize,
    begin: usize,
    end: usize,
    start: i64,
    stopped: bool,
}

/// A process that contends. Dropping it kills it.
struct Worker {
    who: Participant,
    session: Session,
    process: Child,
    input: ChildStdin,
    /// What takes in what it says; gone when the process is.
    reader: Option<thread::JoinHandle<()>>,
}

impl Worker {
    fn start(who: Participant, directory: &Path, folder: &Path, lines: Sender<Said>) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["linearizability::worker::worker", "--exact", "--nocapture"])
            .env(DIRECTORY, directory)
            .env(CLOCK, folder.join("clock"))
            .env("DECONFLICT_FAULTS", faults_in(folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let said = line.split_once(MARK).and_then(|(_, said)| serde_json::from_str(said).ok());
                if said.is_some_and(|said| lines.send((who, said)).is_err()) {
                    return;
                }
            }
        });
        Self { who, session: 0, process, input, reader: Some(reader) }
    }

    fn tell(&mut self, order: &Order) {
        writeln!(self.input, "{}", serde_json::to_string(order).unwrap()).unwrap();
    }

    fn is_dead(&self) -> bool {
        self.reader.is_none()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Kills it, as a crash would. What becomes of it is certain only when it was collected.
    fn kill(&mut self, history: &mut History) {
        history.add(monotonic(), CONDUCTOR, Event::Invoked(Operation::Die { session: self.session }));
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        history.add(monotonic(), CONDUCTOR, Event::Returned(Answer::Done));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn faults_in(folder: &Path) -> PathBuf {
    folder.join("faults")
}

/// Makes a session look as if it worked on another machine.
fn move_elsewhere(path: &Path) {
    let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    record["host"] = json!("another-machine");
    record["pid_scope"] = json!("another-machine");
    fs::write(path, record.to_string()).unwrap();
}
