//! A verb brings the status board up to date with what it changed, and leaves the very board that somebody writes who
//! reads everything: after any sequence of verbs, in a small directory and in one whose lists are longer than the
//! board's.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use deconflict_platform::Process;
use deconflict_platform::clock::{Clock, ManualClock, SystemClock};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Activity, Completion, Draft, NewSession, Recipient, Registry, Terms, named_process};
use serde_json::json;

use crate::support::{Office, Workspace, timestamp};

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

struct Course {
    office: Office,
    /// Nobody edits what others hold, and all work in one worktree: most verbs concern nothing but what they change.
    is_calm: bool,
    dice: Dice,
    sessions: Vec<SessionId>,
    log: Vec<String>,
}

const FILES: [&str; 9] =
    ["a.rs", "src/a.rs", "src/b.rs", "src/deep/c.rs", "docs/x", "y", "//twin/a.rs", "//twin/src/b.rs", "//other/a.rs"];

impl Course {
    fn new(seed: u64) -> Self {
        // Files are written now, whatever the clock says. Folders that were not written to since are passed over, so it
        // must not run ahead of them.
        let workspace = Workspace::plain();
        let clock = Arc::new(ManualClock::new(Utc::now() - TimeDelta::days(30)));
        let registry = Registry::create(&workspace.root().join("COORDINATION"), clock.clone()).unwrap();
        let office = Office { workspace, registry, clock };
        let mut course =
            Self { office, is_calm: seed.is_multiple_of(2), dice: Dice(seed), sessions: Vec::new(), log: Vec::new() };
        for _ in 0..3 {
            course.join();
        }
        course
    }

    /// Another process of the same clone.
    fn registry(&self) -> Registry {
        Registry::open(self.office.registry.path(), Arc::clone(self.office.registry.clock())).unwrap()
    }

    fn join(&mut self) {
        let gone = Process { pid: u32::MAX - 1, started: "never".to_owned() };
        let new = NewSession {
            name: (self.dice.below(2) == 0).then(|| format!("Name {}", self.sessions.len())),
            keeper: (self.dice.below(6) == 0 && !self.is_calm).then_some(gone),
            current_work: (self.dice.below(2) == 0).then(|| "the login form ".repeat(20)),
            user: Some("somebody".to_owned()),
            client: Some("script".to_owned()),
            ..NewSession::default()
        };
        let registry = self.registry();
        self.sessions.push(registry.register(new).unwrap().id);
        registry.refresh_board().unwrap();
    }

    fn resource(&mut self) -> Resource {
        match self.dice.below(12) {
            0 => Resource::directory("src").unwrap(),
            1 => Resource::parse("task/deploy").unwrap(),
            number @ 2..=5 => Resource::file(&format!("many/{}", self.dice.below(8 * number))).unwrap(),
            _ => {
                let files: &[&'static str] = if self.is_calm { &FILES[..6] } else { &FILES };
                let file: &&str = self.dice.of(files);
                Resource::file(file).unwrap()
            }
        }
    }

    fn terms(&mut self) -> Terms {
        Terms {
            lease: TimeDelta::minutes(i64::try_from(1 + self.dice.below(300)).unwrap()),
            automatic: self.dice.below(2) == 0,
            phase: (self.dice.below(3) == 0).then(|| "*BUILD* ".repeat(30)),
            force: self.dice.below(3) == 0,
            ..Terms::default()
        }
    }

    /// One verb, as a process of its own does it. What it refuses is no concern of the board.
    fn verb(&mut self, registry: &Registry) {
        let (session, other) = (self.dice.of(&self.sessions).clone(), self.dice.of(&self.sessions).clone());
        let resource = self.resource();
        let held = registry.claims().unwrap();
        let holding = if held.is_empty() { None } else { self.dice.of(&held).holding() };
        let choice = match self.dice.below(22) {
            // Editing and asking are what findings are about, and so are processes that are gone.
            12 | 15 if self.is_calm => self.dice.below(11),
            choice => choice,
        };
        self.log.push(format!("{choice}: {session} {other} {resource} {:?}", holding.as_ref().map(|it| &it.resource)));
        match (choice, holding) {
            (0..=4, _) => drop(registry.claim(&session, &resource, &self.terms())),
            (5, _) => drop(registry.claim_all(&session, None, &[resource, self.resource()], &self.terms())),
            (6 | 7, Some(holding)) => drop(registry.release(&holding.session, &holding.resource)),
            (8, Some(holding)) => drop(registry.renew(&holding, TimeDelta::hours(2))),
            (9, Some(holding)) => drop(registry.mark_idle(&holding, Some(self.office.clock.now()))),
            (10, Some(holding)) => drop(registry.hand_off(&holding.session, &holding.resource, &other, None)),
            (11, Some(holding)) => drop(registry.move_claim(&holding, &resource)),
            (12, Some(holding)) => {
                let about = Some(holding.resource.clone());
                let draft = Draft { resource: about, ..Draft::new(MessageKind::ReleaseRequest) };
                drop(registry.send(&session, &Recipient::Session(holding.session), &draft));
            }
            (13, _) => {
                let draft = Draft { message: "hello _there_ ".repeat(40), ..Draft::new(MessageKind::Note) };
                drop(registry.send(&session, &Recipient::Everyone, &draft));
            }
            (14, _) => {
                let draft = Draft { subject: "only for you".to_owned(), ..Draft::new(MessageKind::Note) };
                drop(registry.send(&session, &Recipient::Session(other), &draft));
            }
            (15, _) => drop(registry.set_editing(&session, &[resource, self.resource()])),
            (16, _) => drop(registry.set_name(&session, &format!("Renamed {}", self.log.len()))),
            (17, _) => drop(registry.complete(&session, &Completion::default())),
            (18, _) => drop(registry.complete_together(&[session])),
            (19, _) => drop(registry.resume(&session, &NewSession::default())),
            (20, _) => drop(registry.clean_up()),
            _ => {
                let activity = Activity { phase: Some("TEST".to_owned()), ..Activity::new("building", None) };
                drop(registry.heartbeat(&session, &activity));
            }
        }
    }

    /// Something that no verb of ours does.
    fn script(&mut self) {
        self.log.push("a script".to_owned());
        let coordination = self.office.coordination();
        let (session, number) = (self.dice.of(&self.sessions).to_string(), self.log.len());
        let lie = json!({ "resource_name": "the truth" });
        match self.dice.below(4) {
            0 => coordination.write_claim(&session, "file", &format!("scripted {number}"), json!({})),
            1 => coordination.write_claim(&session, "file", &format!("a lie {number}"), lie),
            2 => coordination.write_session(&format!("scripted-{number}"), json!({ "name": "Scripted" })),
            _ => {
                let file = format!("heartbeats/2025-11-{:02}_10-{:02}-scripted.json", 1 + number / 60, number % 60);
                let told = json!({
                    "session_id": "scripted", "timestamp": timestamp(self.office.clock.now()), "action": "testing",
                });
                coordination.write(&file, &told);
            }
        }
    }

    fn step(&mut self) {
        let pause = match self.dice.below(30) {
            0 => Duration::from_hours(3),
            1 => Duration::from_hours(30),
            2 => Duration::from_mins(6),
            _ => Duration::from_millis(500 + self.dice.below(3_000)),
        };
        self.office.clock.advance(pause);
        if self.dice.below(25) == 0 {
            self.join();
        }
        if self.dice.below(15) == 0 {
            self.script();
        }
        if self.dice.below(15) == 0 {
            // A process that dies before it comes to the board.
            let dying = self.registry();
            self.verb(&dying);
        }
        while self.dice.below(3) == 0 {
            // A hook, which leaves the board to the next verb.
            let hook = self.registry();
            self.verb(&hook);
            hook.leave_board().unwrap();
        }
        let registry = self.registry();
        self.verb(&registry);
        registry.refresh_board().unwrap();
        self.expect_the_whole_truth();
    }

    fn expect_the_whole_truth(&self) {
        let is_told = |line: &&str| !line.starts_with("**Last Updated");
        let (is, should) = (self.office.coordination().board(), self.registry().board_text().unwrap());
        let (is, should): (Vec<_>, Vec<_>) =
            (is.lines().filter(is_told).collect(), should.lines().filter(is_told).collect());
        let difference: Vec<_> = is.iter().zip(&should).filter(|(is, should)| is != should).take(5).collect();
        assert!(
            is == should,
            "(is, should be) {difference:#?} of {} and {} lines after {:#?}",
            is.len(),
            should.len(),
            &self.log[self.log.len().saturating_sub(6)..]
        );
    }

    fn last_read(&self) -> Vec<u8> {
        last_read(self.office.registry.path())
    }
}

/// When everything was read last for the board of a directory, as it is kept: it stands before the rows.
fn last_read(directory: &Path) -> Vec<u8> {
    let state = fs::read(directory.join(".board-state")).unwrap();
    // The first line tells a state that was written whole.
    let start = state.iter().position(|byte| *byte == b'\n').unwrap();
    let longest = "2025-11-15T10:05:00.123456789Z".len();
    state[start..][..longest].to_vec()
}

#[test]
fn any_sequence_of_verbs_leaves_the_board_of_one_who_reads_everything() {
    let (mut steps, mut without_reading) = (0, 0);
    for seed in 1..=16 {
        let mut course = Course::new(seed * 7_919);
        for _ in 0..60 {
            let before = course.last_read();
            course.step();
            steps += 1;
            without_reading += usize::from(course.last_read() == before);
        }
    }
    assert!(without_reading > steps / 2, "most of the {steps} verbs read nothing else: {without_reading} did");
}

#[test]
fn so_it_is_where_the_lists_are_longer_than_the_board() {
    let course = Course::new(41);
    for number in 0..260 {
        let holder = course.sessions[number % 3].clone();
        let terms = Terms { lease: TimeDelta::minutes(if number % 2 == 0 { 30 } else { 240 }), ..Terms::default() };
        let file = Resource::file(&format!("full/{number}.rs")).unwrap();
        course.office.registry.claim(&holder, &file, &terms).unwrap();
        let name = format!("session-full-{number}");
        course.office.coordination().write_session(&name, json!({}));
        course.office.clock.advance(Duration::from_millis(300));
    }
    course.office.registry.refresh_board().unwrap();
    course.expect_the_whole_truth();
    // One after the other is given up until the board would be shorter than the list.
    for number in (60..260).rev() {
        let before = course.last_read();
        let registry = course.registry();
        let resource = Resource::file(&format!("full/{number}.rs")).unwrap();
        registry.release(&course.sessions[number % 3].clone(), &resource).unwrap();
        registry.refresh_board().unwrap();
        if number > 205 || number % 20 == 0 {
            course.expect_the_whole_truth();
        }
        if number > 211 {
            assert_eq!(course.last_read(), before, "nothing else is read for one that was given up");
        }
    }
}

#[test]
fn so_it_is_after_any_verb_where_the_lists_are_longer_than_the_board() {
    let mut course = Course::new(42);
    for number in 0..300 {
        let holder = course.sessions[number % 3].clone();
        let file = Resource::file(&format!("full/{number}.rs")).unwrap();
        course.office.registry.claim(&holder, &file, &Terms::default()).unwrap();
        course.office.clock.advance(Duration::from_millis(300));
    }
    for _ in 0..60 {
        course.step();
    }
}

#[test]
fn what_a_command_holds_is_held_whatever_became_of_its_session() {
    let course = Course::new(6);
    let [alice, bob, _] = &course.sessions[..] else { panic!("three joined") };
    let command = named_process(&deconflict_platform::current_process(), None);
    let terms = Terms { process: Some(command), ..Terms::default() };
    course.registry().claim(alice, &Resource::parse("port/3000").unwrap(), &terms).unwrap();
    course.registry().complete_together(std::slice::from_ref(alice)).unwrap();
    for number in 0..3 {
        course.office.clock.advance(Duration::from_secs(1));
        let registry = course.registry();
        registry.claim(bob, &Resource::file(&format!("{number}.rs")).unwrap(), &Terms::default()).unwrap();
        registry.refresh_board().unwrap();
        course.expect_the_whole_truth();
        assert!(course.office.coordination().board().contains("**port/3000** - "));
    }
}

/// Who only looked in between changes nothing on the board.
#[test]
fn what_a_script_and_a_dead_process_left_is_on_the_board_after_the_next_verb() {
    let course = Course::new(3);
    let [alice, bob, _] = &course.sessions[..] else { panic!("three joined") };
    let dying = course.registry();
    dying.claim(alice, &Resource::file("by the dead").unwrap(), &Terms::default()).unwrap();
    course.office.coordination().write_claim(bob.as_str(), "file", "by a script", json!({}));
    assert!(!course.office.coordination().board().contains("by the dead"));
    course.office.clock.advance(Duration::from_secs(1));
    let next = course.registry();
    next.heartbeat(bob, &Activity::new("building", None)).unwrap();
    next.refresh_board().unwrap();
    let board = course.office.coordination().board();
    assert!(board.contains("by the dead") && board.contains("by a script"), "{board}");
}

#[test]
fn what_is_kept_beside_the_board_may_be_missing_or_damaged() {
    let course = Course::new(4);
    let alice = &course.sessions[0];
    let state = course.office.registry.path().join(".board-state");
    for (number, content) in
        [None, Some(""), Some("{\"form\":1}"), Some("{\"form\":7}"), Some("[[[[")].iter().enumerate()
    {
        match content {
            Some(content) => fs::write(&state, content).unwrap(),
            None => fs::remove_file(&state).unwrap(),
        }
        course.office.clock.advance(Duration::from_secs(1));
        let registry = course.registry();
        let file = Resource::file(&format!("{number}.rs")).unwrap();
        registry.claim(alice, &file, &Terms::default()).unwrap();
        registry.refresh_board().unwrap();
        course.expect_the_whole_truth();
        assert!(course.office.coordination().board().contains(&format!("{number}.rs")));
    }
}

#[test]
fn what_is_half_written_beside_the_board_is_not_believed() {
    let course = Course::new(5);
    let alice = &course.sessions[0];
    let state = course.office.registry.path().join(".board-state");
    let claim = |name: &str| {
        course.office.clock.advance(Duration::from_secs(1));
        let registry = course.registry();
        registry.claim(alice, &Resource::file(name).unwrap(), &Terms::default()).unwrap();
        registry.refresh_board().unwrap();
    };
    claim("one.rs");
    // Its writer died when it had written the first half over an older state: all of it can be read.
    let whole = fs::read(&state).unwrap();
    let mut half_written = whole.clone();
    let start = whole.windows(6).position(|name| name == b"one.rs").unwrap();
    half_written[start..][..6].copy_from_slice(b"two.rs");
    fs::write(&state, half_written).unwrap();
    claim("three.rs");
    course.expect_the_whole_truth();
}

/// A commit releases all that was on the list at once.
#[test]
fn a_list_goes_on_without_reading_everything_where_that_takes_long() {
    let workspace = Workspace::plain();
    let path = workspace.root().join("COORDINATION");
    let registry = || Registry::create(&path, Arc::new(SystemClock::new())).unwrap();
    let first = registry();
    let claim = |folder: &str, count: usize| {
        let session = first.register(NewSession::default()).unwrap().id;
        let files: Vec<Resource> =
            (0..count).map(|number| Resource::file(&format!("{folder}/{number}")).unwrap()).collect();
        first.claim_all(&session, None, &files, &Terms::default()).unwrap();
        session
    };
    let (_, released) = (claim("older", 3000), claim("newer", 100));
    first.refresh_board().unwrap();
    let before = last_read(&path);
    assert_eq!(fs::read_to_string(path.join("STATUS_BOARD.md")).unwrap().matches("file/newer/").count(), 100);
    let second = registry();
    assert_eq!(second.release_all(&released).unwrap().len(), 100);
    second.refresh_board().unwrap();
    let board = fs::read_to_string(path.join("STATUS_BOARD.md")).unwrap();
    assert_eq!(board.matches("file/older/").count(), 100, "{board}");
    assert!(board.contains("2900 more") && !board.contains("file/newer/"), "{board}");
    assert_eq!(last_read(&path), before, "everything was read again");
}

/// Hooks claim what an agent edits, and a commit releases it: neither was ever on the board.
#[test]
fn what_was_claimed_by_hooks_and_released_again_is_no_reason_to_read_everything() {
    let workspace = Workspace::plain();
    let path = workspace.root().join("COORDINATION");
    let registry = || Registry::create(&path, Arc::new(SystemClock::new())).unwrap();
    let first = registry();
    let session = first.register(NewSession::default()).unwrap().id;
    let files = |folder: &str, count: usize| -> Vec<Resource> {
        (0..count).map(|number| Resource::file(&format!("{folder}/{number}")).unwrap()).collect()
    };
    first.claim_all(&session, None, &files("older", 3000), &Terms::default()).unwrap();
    first.refresh_board().unwrap();
    let before = last_read(&path);
    for folder in ["one", "two"] {
        let hook = registry();
        hook.claim_all(&session, None, &files(folder, 300), &Terms { automatic: true, ..Terms::default() }).unwrap();
        hook.leave_board().unwrap();
    }
    let commit = registry();
    let edited = [files("one", 300), files("two", 299)].concat();
    assert_eq!(commit.release_where(&edited, &|claim, _| claim.is_automatic()).unwrap().len(), 599);
    commit.refresh_board().unwrap();
    let board = fs::read_to_string(path.join("STATUS_BOARD.md")).unwrap();
    assert!(board.contains("file/two/299") && board.contains("2901 more"), "{board}");
    assert_eq!(board.matches("file/older/").count(), 99, "{board}");
    assert_eq!(last_read(&path), before, "everything was read again");
}
