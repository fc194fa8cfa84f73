//! Clean-up by whoever is alive: what nobody needs any more goes, and nothing else.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::Process;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Activity, ClaimOutcome, CleanUp, Completion, NewSession, Recipient, Terms};
use serde_json::json;

use crate::support::{Office, timestamp};

impl Office {
    fn ago(&self, age: TimeDelta) -> DateTime<Utc> {
        self.clock.now() - age
    }

    fn clean_up(&self) -> CleanUp {
        self.registry.clean_up().unwrap()
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.coordination().directory().join(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn gone() -> Process {
    Process { pid: u32::MAX - 1, started: "never".to_owned() }
}

#[test]
fn a_tidy_directory_stays_as_it_is() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    office.claim(&alice, "a", &Terms::default());
    office.send(&alice, &Recipient::Everyone, "hello");
    office.send(&alice, &Recipient::Session(bob), "hello");
    let before = snapshot(office.coordination().directory());
    assert_eq!(office.clean_up(), CleanUp::default());
    assert_eq!(snapshot(office.coordination().directory()), before);
}

#[test]
fn heartbeats_go_after_a_day_whoever_wrote_them() {
    let office = Office::new();
    let alice = office.session("alice");
    let coordination = office.coordination();
    let heartbeat = |name: &str, at: DateTime<Utc>| {
        let record = json!({ "session_id": "x", "timestamp": timestamp(at), "action": "a", "target": "t" });
        coordination.write(&format!("heartbeats/{name}.json"), &record);
    };
    heartbeat("2020-01-01_10-00-old", office.ago(TimeDelta::hours(25)));
    heartbeat("2020-01-01_10-00-00-old", office.ago(TimeDelta::days(400)));
    heartbeat("2020-01-01_10-00-00.000-new-inside", office.ago(TimeDelta::hours(23)));
    coordination.write_text("heartbeats/2020-01-01_10-00-damaged.json", "{");
    coordination.write_text("heartbeats/2020-01-01_10-01-damaged.json", "{");
    coordination.age("heartbeats/2020-01-01_10-01-damaged.json", Duration::from_hours(25));
    coordination.write_text("heartbeats/notes.txt", "not ours");
    coordination.age("heartbeats/notes.txt", Duration::from_hours(100));
    assert_eq!(office.clean_up().heartbeats, 3);
    let left = office.files("heartbeats");
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left.iter().any(|name| name.ends_with("-alice.json")), "{left:?}");

    office.clock.advance(Duration::from_hours(25));
    office.registry.heartbeat(&alice, &Activity::new("building", None)).unwrap();
    assert_eq!(office.clean_up().heartbeats, 3);
}

#[test]
fn our_stale_claims_go_after_an_hour_and_others_stay() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    let crashed = office.register(NewSession { keeper: Some(gone()), ..NewSession::default() }).id;
    office.claim(&alice, "expires", &Terms::default());
    office.claim(&crashed, "abandoned", &Terms::default());
    let coordination = office.coordination();
    let expired = timestamp(office.ago(TimeDelta::hours(30)));
    coordination.write_claim("ghost", "droplet", "foreign", json!({ "expires_at": expired }));
    coordination.write_text("claims/file-damaged.claim", "{");
    coordination.age("claims/file-damaged.claim", Duration::from_hours(100));
    assert_eq!(office.clean_up().claims, 0, "none of them has been stale for an hour");

    office.clock.advance(Duration::from_mins(61));
    assert_eq!(office.clean_up().claims, 1);
    assert_eq!(coordination.claim_files(), ["droplet-foreign.claim", "file-damaged.claim", "file-expires.claim"]);

    office.clock.advance(Duration::from_hours(3));
    assert_eq!(office.clean_up().claims, 0, "it has been expired for a minute");
    office.clock.advance(Duration::from_hours(1));
    assert_eq!(office.clean_up().claims, 1);
    assert_eq!(coordination.claim_files(), ["droplet-foreign.claim", "file-damaged.claim"]);
    let board = office.registry.board_text().unwrap();
    assert!(board.contains("droplet foreign"), "stale claims of other programs are shown: {board}");
    let outcome = office.registry.claim(&bob, &Resource::file("expires").unwrap(), &Terms::default()).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { took_over: None, .. }), "{outcome:?}");
}

#[test]
fn sessions_that_are_over_go_after_a_week_with_what_was_theirs() {
    let office = Office::new();
    let alice = office.session("alice");
    let completed = office.session("completed");
    let new = NewSession { id: SessionId::new("crashed").ok(), keeper: Some(gone()), ..NewSession::default() };
    let crashed = office.register(new).id;
    office.session("quiet");
    let holder = office.session("holder");
    let week = Terms { lease: TimeDelta::days(7), ..Terms::default() };
    for to in [&completed, &crashed] {
        let id = office.send(&alice, &Recipient::Session(to.clone()), "hello").id;
        office.registry.mark_read(to, &[id]).unwrap();
        office.send(&alice, &Recipient::Session(to.clone()), "unread");
    }
    office.registry.complete(&completed, &Completion::default()).unwrap();
    office.clock.advance(Duration::from_hours(6 * 24));
    assert_eq!(office.clean_up().sessions, 0);
    office.registry.claim(&holder, &Resource::file("held").unwrap(), &week).unwrap();
    office.registry.heartbeat(&alice, &Activity::new("building", None)).unwrap();

    office.clock.advance(Duration::from_hours(25));
    let done = office.clean_up();
    assert_eq!(done.sessions, 3, "completed, crashed and quiet");
    assert_eq!(done.messages, 4);
    assert_eq!(office.files("sessions"), ["alice.json", "holder.json"], "who holds something is alive");
    assert_eq!(office.files("messages/direct"), Vec::<String>::new());
    assert_eq!(office.files(".read"), Vec::<String>::new());
    assert_eq!(office.clean_up(), CleanUp::default());
}

#[test]
fn messages_go_after_a_week_unless_somebody_has_yet_to_read_them() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    let to_bob = || Recipient::Session(bob.clone());
    let read = office.send(&alice, &to_bob(), "read").id;
    let unread = office.send(&alice, &to_bob(), "unread").id;
    let broadcast = office.send(&alice, &Recipient::Everyone, "broadcast").id;
    office.registry.mark_read(&bob, &[read, broadcast]).unwrap();
    let old = timestamp(office.ago(TimeDelta::days(8)));
    let script = json!({ "from": "session-002", "to": "broadcast", "timestamp": old, "subject": "s", "message": "m" });
    office.coordination().write("messages/broadcast/2025-11-15_10-03-session-002.json", &script);
    assert_eq!(office.clean_up().messages, 1, "the script's is old already");

    office.clock.advance(Duration::from_hours(7 * 24 + 1));
    for session in [&alice, &bob] {
        office.registry.heartbeat(session, &Activity::new("building", None)).unwrap();
    }
    let late = office.send(&alice, &to_bob(), "late").id;
    office.registry.mark_read(&bob, std::slice::from_ref(&late)).unwrap();
    assert_eq!(office.clean_up().messages, 2);
    let left = office.registry.messages(&bob).unwrap();
    assert_eq!(left.iter().map(|message| &message.id).collect::<Vec<_>>(), [&unread, &late]);
    assert!(left[0].unread && !left[1].unread, "marks of what is left are kept");
    let marks = fs::read_to_string(office.coordination().directory().join(".read/bob.0")).unwrap();
    assert_eq!(marks.trim().lines().count(), 1, "marks of what is gone are not: {marks}");
}

#[test]
fn whoever_was_displaced_is_told_even_if_the_taker_died() {
    let office = Office::new();
    let (alice, bob) = (office.session("alice"), office.session("bob"));
    let file = Resource::file("a").unwrap();
    office.claim(&alice, "a", &Terms::default());
    let force = Terms { force: true, ..Terms::default() };
    let outcome = office.registry.claim(&bob, &file, &force).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { .. }));
    let told = || office.registry.unread_messages(&alice).unwrap();
    let taken_over = told();
    assert_eq!(taken_over.len(), 1);

    // As it is on disk when the taker dies between its two writes.
    let coordination = office.coordination();
    fs::remove_file(office.registry.file_of(&taken_over[0].key)).unwrap();
    let mut record = coordination.claims().remove(0);
    record["displaced"] = json!("alice");
    coordination.write("claims/file-a.claim", &record);
    assert_eq!(office.clean_up().told, 0, "its taker may be about to tell");
    office.clock.advance(Duration::from_mins(1));
    assert_eq!(office.clean_up().told, 1);
    assert_eq!(told().len(), 1);
    assert_eq!(told()[0].id, taken_over[0].id, "the same id tells a repeat");
    assert_eq!(coordination.claims()[0].get("displaced"), None);
    assert_eq!(office.clean_up().told, 0);
}

#[test]
fn unfinished_files_go_after_an_hour() {
    let office = Office::new();
    office.session("alice");
    let coordination = office.coordination();
    for folder in ["", "claims/", "sessions/", "messages/direct/alice/", "messages/broadcast/", ".read/"] {
        coordination.write_text(&format!("{folder}.unfinished-1"), "{");
        coordination.age(&format!("{folder}.unfinished-1"), Duration::from_mins(61));
        coordination.write_text(&format!("{folder}.unfinished-2"), "{");
    }
    assert_eq!(office.clean_up().leftovers, 6);
    assert_eq!(office.clean_up().leftovers, 0);
    assert!(office.files("claims").contains(&".unfinished-2".to_owned()), "it may be just being written");
}

#[test]
fn two_that_clean_up_at_once_disturb_neither_each_other_nor_who_claims() {
    let office = Office::new();
    let alice = office.session("alice");
    for number in 0..60 {
        office.claim(&alice, &format!("file-{number}"), &Terms::default());
    }
    office.clock.advance(Duration::from_hours(6));
    let removed: usize = std::thread::scope(|scope| {
        let cleaners: Vec<_> = (0..2).map(|_| scope.spawn(|| office.clean_up().claims)).collect();
        for number in 0..20 {
            office
                .registry
                .claim(&alice, &Resource::file(&format!("new-{number}")).unwrap(), &Terms::default())
                .unwrap();
        }
        cleaners.into_iter().map(|cleaner| cleaner.join().unwrap()).sum()
    });
    assert_eq!(removed, 60);
    assert_eq!(office.coordination().claim_files().len(), 20);
}

#[test]
#[cfg(unix)]
fn nothing_outside_is_touched() {
    let office = Office::new();
    let coordination = office.coordination();
    let outside = office.workspace.path("outside");
    fs::create_dir(&outside).unwrap();
    let old = "2020-01-01_10-00-00-x.json";
    for name in [old, ".unfinished-1", "x.0"] {
        fs::write(outside.join(name), r#"{"timestamp":"2020-01-01T10:00:00Z"}"#).unwrap();
        let file = fs::File::options().write(true).open(outside.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1000)).unwrap();
    }
    let directory = coordination.directory();
    for folder in ["heartbeats", "messages/broadcast", "scripts", ".read", ".damaged", "messages/direct/bob"] {
        let _ = fs::remove_dir(directory.join(folder));
        std::os::unix::fs::symlink(&outside, directory.join(folder)).unwrap();
    }
    let link = directory.join("messages/direct").join("carol");
    fs::create_dir(&link).unwrap();
    std::os::unix::fs::symlink(outside.join(old), link.join(old)).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(link.join(format!("2{old}"))).status().unwrap().success());
    let before = snapshot(&outside);
    office.clean_up();
    assert_eq!(snapshot(&outside), before);
}

/// Every file below a folder, with its content.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else if path.is_file() {
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}
