//! Whole processes against each other: people at terminals, language servers, agents' hooks and, for volume, threads
//! with a registry of their own, on folders in folders and files in them, in one scratch repository. Verbs and servers
//! are killed, servers go on with what they held, files and folders move while they are held.
//!
//! What happens is random and never the same twice. It is judged by the invariant alone: by what each was told, and,
//! again and again under the lock, by what stands on disk.

mod editors;
mod players;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chrono::Utc;

use crate::invariant::{Beliefs, Span, Thing, contradiction_on_disk};
use crate::linearizability::{Random, monotonic};
use crate::support::{Terminal, Workspace};
use crate::{Scale, scale};

/// What they contend for. Most things overlap others, at several levels.
const THINGS: [(&str, &str); 8] = [
    ("directory", "src"),
    ("directory", "src/deep"),
    ("file", "src/a.txt"),
    ("file", "src/deep/b.txt"),
    ("file", "src/deep/c.txt"),
    ("directory", "src-beside"),
    ("file", "src-beside/d.txt"),
    ("file", "e.txt"),
];

/// How many of each kind play, and how much each does in a round.
const TERMINALS: (usize, usize) = (3, 60);
const AGENTS: (usize, usize) = (2, 30);
const EDITORS: (usize, usize) = (2, 60);
const THREADS: (usize, usize) = (2, 600);

#[test]
fn no_two_of_many_processes_believe_that_they_hold_what_overlaps() {
    let (at_least, of_processes) = match scale() {
        Scale::Short => (3_000, 500),
        Scale::Long => (100_000, 20_000),
    };
    let started = Utc::now().timestamp_micros().unsigned_abs();
    let mut random = Random(started);
    let mut done = BTreeMap::new();
    let (mut looks, mut told) = (0, 0);
    let count = |done: &BTreeMap<&str, usize>| done.values().sum::<usize>();
    let by_processes = |done: &BTreeMap<&str, usize>| count(done) - done.get("thread").copied().unwrap_or_default();
    while count(&done) < at_least || by_processes(&done) < of_processes {
        let race = Race::new();
        race.run(&mut random);
        looks += race.looks.load(Ordering::Relaxed);
        let beliefs = race.beliefs.into_inner().unwrap();
        told += beliefs.count();
        assert_eq!(beliefs.contradiction(), None);
        for (who, times) in race.done.into_inner().unwrap() {
            *done.entry(who).or_default() += times;
        }
    }
    println!("{} operations, {} of them by whole processes: {done:?}", count(&done), by_processes(&done));
    println!("{told} times somebody was told that it holds something; the disk was looked at {looks} times");
    assert!(told * 20 > at_least && looks > 100, "nobody contended");
}

/// Whatever a killed verb did is done when it is dead: what is told after that is judged as if it had never been asked.
#[test]
fn the_judge_sees_what_comes_after_a_killed_verb() {
    let race = Race::new();
    let (terminal, killed) = Terminal::with_named_session(&race.workspace, "Killed");
    for arguments in [["claim", "directory", "src", "--force"], ["release", "directory", "src", "--json"]] {
        // Now and then it is faster than whoever kills it.
        let when = loop {
            let (when, code) = players::ask(&terminal, &arguments, Some(Duration::ZERO));
            if code == -1 {
                break when;
            }
        };
        let thing = || Thing::new("directory", "src");
        match arguments[0] {
            "claim" => race.forces(when, &killed, thing()),
            _ => race.gives_up(when, &killed, Some(thing())),
        }
    }
    race.told(timed(|| ()).0, &killed, Thing::new("directory", "src"));
    race.told(timed(|| ()).0, "another", Thing::new("file", "src/a.txt"));
    let wrong = race.beliefs.lock().unwrap().contradiction();
    assert!(wrong.is_some(), "two sessions were told of what overlaps");
}

/// One round in a repository of its own.
struct Race {
    workspace: Workspace,
    beliefs: Mutex<Beliefs>,
    /// Who takes part, and may be handed something.
    sessions: Mutex<Vec<Party>>,
    /// How many operations were done, by who did them.
    done: Mutex<BTreeMap<&'static str, usize>>,
    looks: AtomicUsize,
    playing: AtomicUsize,
}

impl Race {
    fn new() -> Self {
        let workspace = Workspace::small();
        for (kind, name) in THINGS {
            let name = if kind == "directory" { format!("{name}/kept.txt") } else { name.to_owned() };
            workspace.write(name, "as committed\n");
        }
        for editor in 0..EDITORS.0 {
            workspace.write(editors::own_file(editor), "as committed\n");
            workspace.write(format!("{}/x.txt", editors::own_folder(editor)), "as committed\n");
        }
        workspace.commit_all("Something to contend for");
        // It is there before anybody comes, so that whoever judges has its lock.
        Terminal::on(&workspace).run(["init"]).expect_code(0);
        Self {
            workspace,
            beliefs: Mutex::default(),
            sessions: Mutex::default(),
            done: Mutex::default(),
            looks: AtomicUsize::new(0),
            playing: AtomicUsize::new(0),
        }
    }

    fn run(&self, random: &mut Random) {
        type Play = fn(&Race, usize, usize, Random);
        let players: [(Play, (usize, usize)); 4] = [
            (players::at_a_terminal, TERMINALS),
            (players::as_an_agent, AGENTS),
            (players::in_a_thread, THREADS),
            (editors::in_an_editor, EDITORS),
        ];
        thread::scope(|scope| {
            for (play, (how_many, operations)) in players {
                for number in 0..how_many {
                    let random = Random(random.next());
                    self.playing.fetch_add(1, Ordering::SeqCst);
                    scope.spawn(move || {
                        let _playing = Playing(&self.playing);
                        play(self, number, operations, random);
                    });
                }
            }
            scope.spawn(|| self.judge());
        });
    }

    /// Looks at the disk whenever nobody writes, until all are done.
    fn judge(&self) {
        let directory = self.workspace.coordination().directory().to_owned();
        while self.playing.load(Ordering::SeqCst) > 0 {
            let lock = File::open(directory.join(".lock"));
            if let Ok(lock) = lock {
                lock.lock().unwrap();
                let wrong = contradiction_on_disk(&directory, Utc::now());
                drop(lock);
                assert_eq!(wrong, None);
                self.looks.fetch_add(1, Ordering::Relaxed);
            }
            // Whoever wants the lock has to get it too.
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn joins(&self, session: &str, gives_up: GivesUp) {
        self.sessions.lock().unwrap().push(Party { session: session.to_owned(), gives_up });
    }

    fn leaves(&self, session: &str) {
        self.sessions.lock().unwrap().retain(|other| other.session != session);
    }

    /// Somebody who takes part.
    fn somebody(&self, random: &mut Random) -> Party {
        let sessions = self.sessions.lock().unwrap();
        sessions[random.below(sessions.len())].clone()
    }

    fn count(&self, who: &'static str) {
        *self.done.lock().unwrap().entry(who).or_default() += 1;
    }

    fn told(&self, when: Span, session: &str, thing: Thing) {
        // No lease ends while this lasts.
        self.beliefs.lock().unwrap().told(when, session, thing, i64::MAX);
    }

    fn gives_up(&self, when: Span, session: &str, thing: Option<Thing>) {
        self.beliefs.lock().unwrap().gives_up(when, session, thing);
    }

    fn forces(&self, when: Span, session: &str, thing: Thing) {
        self.beliefs.lock().unwrap().forces(when, session, thing);
    }
}

/// A session that takes part.
#[derive(Debug, Clone)]
struct Party {
    session: String,
    gives_up: GivesUp,
}

/// How a session gives up what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GivesUp {
    /// Only by what it is seen to ask for.
    WhenSeen,
    /// Also by itself, as editors and agents do.
    ByItself,
}

/// Does something, and says from when to when that took.
fn timed<T>(act: impl FnOnce() -> T) -> (Span, T) {
    let asked = monotonic();
    let done = act();
    (Span { asked, answered: monotonic() }, done)
}

/// One who plays, until it is done or fails.
struct Playing<'a>(&'a AtomicUsize);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
