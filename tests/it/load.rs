//! A directory that many have used for long: 1,000 sessions, 10,000 claims, 100,000 messages and heartbeats. Whoever
//! comes works in it as in an empty one, and what is old goes.
//!
//! Before every change a tenth of it is tried; `DECONFLICT_PROOF_LONG=1` tries all and tells the figures.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::clock::ManualClock;
use deconflict_registry::{CleanUp, Registry};
use serde_json::{Value, json};

use crate::support::{Coordination, Editor, Kept, Terminal, Workspace, is_long, timestamp};

/// How much is in the directory.
struct Load {
    sessions: usize,
    claims: usize,
    /// Half of them broadcasts, half direct.
    messages: usize,
    heartbeats: usize,
}

impl Load {
    fn wanted() -> Self {
        let times = if is_long() { 10 } else { 1 };
        Self { sessions: 100 * times, claims: 1_000 * times, messages: 5_000 * times, heartbeats: 5_000 * times }
    }

    /// Fills a directory as other programs do: everything was written in the hours before `until`.
    fn fill(&self, coordination: &Coordination, until: DateTime<Utc>) {
        coordination.create();
        let directory = coordination.directory();
        let write = |path: String, record: Value| fs::write(directory.join(path), record.to_string()).unwrap();
        let at = |number: usize| until - TimeDelta::milliseconds(i64::try_from(number).unwrap() * 7);
        let named = |number: usize, from: &str| format!("{}-{from}.json", at(number).format("%Y-%m-%d_%H-%M-%S%.3f"));
        let session = |number: usize| format!("worker-{}", number % self.sessions);
        for number in 0..self.sessions {
            let record = json!({
                "session_id": session(number), "started_at": timestamp(at(number)), "status": "active",
                "current_work": "the login form", "last_heartbeat": timestamp(at(number)), "client": "script",
            });
            write(format!("sessions/{}.json", session(number)), record);
        }
        for number in 0..self.claims {
            let record = json!({
                "claimed_by": session(number), "claimed_at": timestamp(at(number)), "resource_type": "file",
                "resource_name": format!("part-{}/{number}.rs", number % 97), "id": format!("{number:032x}"),
                "expires_at": timestamp(until + TimeDelta::hours(4)), "generation": number,
            });
            write(format!("claims/file-part-{}%2F{number}.rs.claim", number % 97), record);
        }
        for number in 0..self.messages {
            let (from, to) = (session(number), session(number * 31 + 1));
            let (folder, to) = if number % 2 == 0 {
                ("messages/broadcast".to_owned(), "broadcast".to_owned())
            } else {
                (format!("messages/direct/{to}"), to)
            };
            fs::create_dir_all(directory.join(&folder)).unwrap();
            let record = json!({
                "from": from, "to": to, "timestamp": timestamp(at(number)), "subject": "The parser",
                "message": "It is done, as far as I can tell.", "id": format!("message-{number}"),
            });
            write(format!("{folder}/{}", named(number, &from)), record);
        }
        for number in 0..self.heartbeats {
            let record = json!({
                "session_id": session(number), "timestamp": timestamp(at(number)), "action": "building",
                "target": "the login form", "phase": "BUILD",
            });
            write(format!("heartbeats/{}", named(number, &session(number))), record);
        }
    }
}

fn told(what: &str, since: Instant) {
    if is_long() {
        println!("{what}: {} ms", since.elapsed().as_millis());
    }
}

#[test]
fn whoever_comes_to_a_full_directory_works_as_in_an_empty_one() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let load = Load::wanted();
    load.fill(&coordination, Utc::now() - TimeDelta::hours(2));
    workspace.write("part-0/0.rs", "fn main() {}\n");
    workspace.write("free.rs", "fn main() {}\n");

    let start = Instant::now();
    let anna = Editor::start(&workspace, "anna");
    anna.open("part-0/0.rs").wait_for_diagnostic("claimed");
    told("start to the first diagnostic", start);
    let berta = Editor::start(&workspace, "berta");
    berta.open("part-0/0.rs").wait_for_diagnostic("claimed");
    let (hers, his) = (anna.open("free.rs"), berta.open("free.rs"));
    his.hover(0, 0);
    let start = Instant::now();
    hers.type_text("x");
    his.wait_for_diagnostic("claimed");
    told("edit to the other's diagnostic", start);
    hers.undo_to_saved();
    his.wait_until_clear();
    assert_eq!(berta.status()["messages"]["unread"], 0, "what was said long before is no news");

    let (terminal, id) = Terminal::with_new_session(&workspace);
    let start = Instant::now();
    terminal.run(["claim", "file", "free.rs"]).expect_code(0);
    told("`claim` in a terminal", start);
    terminal.run(["claim", "file", "part-0/0.rs"]).expect_code(1);
    terminal.run(["send", "broadcast", "Lunch", "At noon"]).expect_code(0);
    berta.open("free.rs").wait_for_diagnostic("claimed");
    let start = Instant::now();
    let all = terminal.run(["status", "--json"]).expect_code(0).json();
    told("`status` in a terminal", start);
    assert_eq!(all["claims"].as_array().unwrap().len(), load.claims + 1, "{id} and all others");
    coordination.wait_for("the board to tell of the new claim", |here| here.board().contains("free.rs").then_some(()));

    let kept = Kept::by(anna.server_id());
    if is_long() {
        println!("resident: {} KiB", kept.resident);
    }
    // It was 20 MiB with all of it in memory.
    assert!(kept.resident < 48 * 1024, "{kept:?}");
    assert_eq!(anna.quit(), 0);
    assert_eq!(berta.quit(), 0);
}

#[test]
fn what_is_old_goes_and_what_is_not_stays() {
    let workspace = Workspace::small();
    let coordination = workspace.coordination();
    let load = Load::wanted();
    let now = Utc::now();
    load.fill(&coordination, now);
    let clock = Arc::new(ManualClock::new(now));
    let registry = Registry::open(coordination.directory(), clock.clone()).unwrap();
    let clean_up = || {
        let start = Instant::now();
        let done = registry.clean_up().unwrap();
        told("clean-up", start);
        done
    };
    assert_eq!(clean_up(), CleanUp::default(), "nothing is old");
    clock.advance(Duration::from_hours(25));
    let expected = CleanUp { heartbeats: load.heartbeats, claims: load.claims, ..CleanUp::default() };
    assert_eq!(clean_up(), expected);
    clock.advance(Duration::from_hours(24 * 8));
    let done = clean_up();
    assert_eq!((done.sessions, done.messages), (load.sessions, load.messages));
    assert_eq!(files_below(coordination.directory()), Vec::<String>::new());
}

/// Every file of a directory but those that are there as long as it is.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if !path.ends_with(".lock") {
            found.push(path.display().to_string());
        }
    }
    found
}
