//! What a process may be doing when it dies: everything that changes the directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use deconflict_platform::Process;
use deconflict_platform::clock::{ManualClock, SystemClock};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{
    Activity, Claim, ClaimOutcome, Completion, Draft, Message, NewSession, Recipient, Registry, Terms,
};

/// Something that changes the directory.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// What is there before.
    pub(crate) prepare: fn(&Registry),
    /// What the process does that dies.
    pub(crate) act: fn(&Registry),
    /// What must be so whenever it dies.
    pub(crate) check: fn(&Registry),
}

pub(crate) const SCENES: &[Scene] = &[
    Scene { name: "the first session", prepare: |_| {}, act: |it| drop(join(it, "anna")), check: |_| {} },
    Scene { name: "claim", prepare: anna_and_berta, act: |it| claim(it, "anna", &file("a")), check: |_| {} },
    Scene {
        name: "claim again",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
        },
        act: |it| {
            let terms = Terms { lease: TimeDelta::hours(9), phase: Some("BUILD".to_owned()), ..Terms::default() };
            it.claim(&id("anna"), &file("a"), &terms).unwrap();
        },
        check: |it| assert!(holds(it, "anna", &file("a"))),
    },
    Scene {
        name: "take over an expired claim",
        prepare: |it| {
            anna_and_berta(it);
            claim(&long_ago(it), "anna", &file("a"));
        },
        act: |it| claim(it, "berta", &file("a")),
        check: |it| {
            if holds(it, "berta", &file("a")) {
                expect_told(it, "anna");
            }
        },
    },
    Scene {
        name: "take over a folder of expired claims",
        prepare: |it| {
            anna_and_berta(it);
            claim(&long_ago(it), "anna", &file("src/a"));
            claim(&long_ago(it), "anna", &file("src/b"));
        },
        act: |it| claim(it, "berta", &Resource::directory("src").unwrap()),
        check: |it| {
            if it.claim_of(&file("src/a")).unwrap().is_none() {
                expect_told(it, "anna");
            }
        },
    },
    Scene {
        name: "take over by force",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
        },
        act: |it| {
            it.claim(&id("berta"), &file("a"), &Terms { force: true, ..Terms::default() }).unwrap();
        },
        check: |it| {
            assert!(holds(it, "anna", &file("a")) != holds(it, "berta", &file("a")), "one of them holds it");
            if holds(it, "berta", &file("a")) {
                expect_told(it, "anna");
            }
        },
    },
    Scene {
        name: "take over a damaged claim",
        prepare: |it| {
            anna_and_berta(it);
            let path = it.path().join("claims/file-a.claim");
            fs::write(&path, "{\"claimed_by\": ").unwrap();
            age(&path, 5);
        },
        act: |it| claim(it, "berta", &file("a")),
        check: |it| {
            // It is never silently deleted.
            let aside = files(&it.path().join(".damaged"));
            let is_set_aside = aside.iter().any(|path| fs::read_to_string(path).unwrap() == "{\"claimed_by\": ");
            let is_in_place =
                fs::read_to_string(it.path().join("claims/file-a.claim")).is_ok_and(|text| text == "{\"claimed_by\": ");
            assert!(is_set_aside || is_in_place);
        },
    },
    Scene {
        name: "renew",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
        },
        act: |it| {
            let holding = it.claim_of(&file("a")).unwrap().unwrap().holding().unwrap();
            it.renew(&holding, TimeDelta::hours(20)).unwrap();
            it.mark_idle(&holding, Some(Utc::now())).unwrap();
        },
        check: |it| assert!(it.claim_of(&file("a")).unwrap().is_some_and(|claim| claim.held_by(&id("anna")))),
    },
    Scene {
        name: "release",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
            claim(it, "anna", &file("b"));
            claim(it, "berta", &file("c"));
        },
        act: |it| {
            it.release(&id("anna"), &file("a")).unwrap();
            it.release_all(&id("anna")).unwrap();
        },
        check: |it| assert!(holds(it, "berta", &file("c"))),
    },
    Scene {
        name: "hand off",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
        },
        act: |it| {
            it.hand_off(&id("anna"), &file("a"), &id("berta"), Some("yours")).unwrap();
        },
        check: |it| assert!(holds(it, "anna", &file("a")) != holds(it, "berta", &file("a")), "one of them holds it"),
    },
    Scene {
        name: "hand off what was claimed in parts before",
        prepare: |it| {
            anna_and_berta(it);
            claim(&long_ago(it), "anna", &file("src/a"));
            claim(it, "anna", &Resource::directory("src").unwrap());
        },
        act: |it| {
            it.hand_off(&id("anna"), &Resource::directory("src").unwrap(), &id("berta"), None).unwrap();
        },
        check: |it| {
            let src = Resource::directory("src").unwrap();
            assert!(holds(it, "anna", &src) != holds(it, "berta", &src), "one of them holds it");
            if holds(it, "berta", &src) {
                assert_eq!(it.claim_of(&file("src/a")).unwrap(), None, "it would count again if it were renewed");
            }
        },
    },
    Scene {
        name: "move into a folder",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
            claim(&long_ago(it), "berta", &Resource::directory("src").unwrap());
        },
        act: |it| {
            if let Some(holding) = it.claim_of(&file("a")).unwrap().and_then(|claim| claim.holding()) {
                it.move_claim(&holding, &file("src/a")).unwrap();
            }
        },
        check: |it| {
            assert!(holds(it, "anna", &file("a")) || holds(it, "anna", &file("src/a")), "there is no gap");
            if holds(it, "anna", &file("src/a")) {
                assert_eq!(it.claim_of(&Resource::directory("src").unwrap()).unwrap(), None, "it may count again");
                expect_told(it, "berta");
            }
        },
    },
    Scene {
        name: "move",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
            claim(&long_ago(it), "berta", &file("b"));
        },
        act: |it| {
            if let Some(holding) = it.claim_of(&file("a")).unwrap().and_then(|claim| claim.holding()) {
                it.move_claim(&holding, &file("b")).unwrap();
            }
        },
        check: |it| assert!(holds(it, "anna", &file("a")) || holds(it, "anna", &file("b")), "there is no gap"),
    },
    Scene {
        name: "send",
        prepare: anna_and_berta,
        act: |it| {
            send(it, "anna", &Recipient::Session(id("berta")), "hello");
            send(it, "anna", &Recipient::Everyone, "hello all");
        },
        check: |_| {},
    },
    Scene {
        name: "read",
        prepare: |it| {
            anna_and_berta(it);
            send(it, "anna", &Recipient::Session(id("berta")), "hello");
            send(it, "anna", &Recipient::Session(id("berta")), "again");
            send(it, "anna", &Recipient::Everyone, "hello all");
        },
        act: |it| {
            let unread = it.unread_messages(&id("berta")).unwrap();
            let ids: Vec<_> = unread.iter().map(|message| message.id.clone()).collect();
            it.mark_read(&id("berta"), &ids[..ids.len().min(1)]).unwrap();
            it.mark_read(&id("berta"), &ids).unwrap();
        },
        check: |it| assert_eq!(it.messages(&id("berta")).unwrap().len(), 3, "whether read or not, they are there"),
    },
    Scene {
        name: "inherit messages",
        prepare: |it| {
            anna_and_berta(it);
            it.register(heir("first", Some(dead_process()))).unwrap();
            send(it, "anna", &Recipient::Session(id("first")), "to the dead");
            send(it, "anna", &Recipient::Everyone, "to all");
        },
        act: |it| {
            // A second time its name is taken.
            let _ = it.register(heir("second", Some(dead_process())));
        },
        check: |it| {
            if it.session(&id("third")).unwrap().is_none() {
                it.register(heir("third", None)).unwrap();
            }
            let said: Vec<_> = texts(&it.unread_messages(&id("third")).unwrap());
            assert!(said.contains(&"to the dead".to_owned()), "{said:?}");
            assert!(said.contains(&"to all".to_owned()), "{said:?}");
        },
    },
    Scene {
        name: "heartbeat",
        prepare: anna_and_berta,
        act: |it| {
            it.heartbeat(&id("anna"), &Activity::new("building", Some("parser".to_owned()))).unwrap();
            it.keep_alive(&id("anna")).unwrap();
            it.set_editing(&id("anna"), &[file("a")]).unwrap();
        },
        check: |_| {},
    },
    Scene {
        name: "end",
        prepare: |it| {
            anna_and_berta(it);
            claim(it, "anna", &file("a"));
        },
        act: |it| {
            let notes = Completion { work_completed: vec!["a".to_owned()], notes: Some("go on".to_owned()) };
            // A second time it has ended already.
            let _ = it.complete(&id("anna"), &notes);
        },
        check: |it| {
            let is_over = it.session(&id("anna")).unwrap().is_some_and(|session| session.state.is_over());
            assert_eq!(is_over, !holds(it, "anna", &file("a")), "what it held is free when it has ended");
        },
    },
    Scene {
        name: "resume",
        prepare: |it| {
            it.register(NewSession { keeper: Some(dead_process()), ..named("anna") }).unwrap();
            join(it, "berta");
            claim(it, "berta", &file("c"));
        },
        act: |it| {
            it.resume(&id("anna"), &named("anna")).unwrap();
        },
        check: |it| assert!(holds(it, "berta", &file("c"))),
    },
    Scene {
        name: "clean up",
        prepare: |it| {
            anna_and_berta(it);
            let old = long_ago(it);
            join(&old, "old");
            claim(&old, "old", &file("old"));
            send(&old, "old", &Recipient::Everyone, "old news");
            send(&old, "old", &Recipient::Session(id("berta")), "read long ago");
            let ids: Vec<_> = it.messages(&id("berta")).unwrap().into_iter().map(|message| message.id).collect();
            it.mark_read(&id("berta"), &ids).unwrap();
            it.mark_read(&id("old"), &ids).unwrap();
            old.complete(&id("old"), &Completion::default()).unwrap();
            claim(&old, "anna", &file("stale"));
            send(it, "anna", &Recipient::Session(id("berta")), "unread");
            it.set_current_session(&id("anna")).unwrap();
            fs::write(it.path().join("claims/.unfinished-0123456789abcdef"), "{").unwrap();
            fs::create_dir(it.path().join("messages/direct/nobody")).unwrap();
            for path in all_files(it.path()) {
                if !path.to_string_lossy().contains("berta") {
                    age(&path, 24 * 30);
                }
            }
        },
        act: |it| {
            it.clean_up().unwrap();
        },
        check: |it| assert!(texts(&it.unread_messages(&id("berta")).unwrap()).contains(&"unread".to_owned())),
    },
    Scene {
        name: "board",
        prepare: |it| {
            anna_and_berta(it);
            // So long ago that the next one reads what others changed since.
            let a_minute_ago = ManualClock::new(Utc::now() - TimeDelta::minutes(1));
            Registry::open(it.path(), Arc::new(a_minute_ago)).unwrap().refresh_board().unwrap();
            claim(it, "anna", &file("a"));
            age(&it.path().join("STATUS_BOARD.md"), 1);
        },
        act: |it| {
            it.refresh_board().unwrap();
            age(&it.path().join("STATUS_BOARD.md"), 1);
            it.refresh_board().unwrap();
            it.set_current_session(&id("anna")).unwrap();
            it.add_script("session-start.sh", "#!/bin/sh\n").unwrap();
        },
        check: |it| assert!(it.path().join("STATUS_BOARD.md").exists()),
    },
];

pub(crate) fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

pub(crate) fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn named(name: &str) -> NewSession {
    NewSession { id: Some(id(name)), ..NewSession::default() }
}

/// Registers a session, unless there is one already.
pub(crate) fn join(registry: &Registry, name: &str) -> SessionId {
    // Made here, because somebody else may have died before all of it was there.
    let registry = Registry::create(registry.path(), Arc::clone(registry.clock())).unwrap();
    if registry.session(&id(name)).unwrap().is_none() {
        registry.register(named(name)).unwrap();
    }
    id(name)
}

fn anna_and_berta(registry: &Registry) {
    join(registry, "anna");
    join(registry, "berta");
}

pub(crate) fn heir(name: &str, keeper: Option<Process>) -> NewSession {
    let user = Some("user".to_owned());
    NewSession { client: Some("client".to_owned()), user, keeper, ..named(name) }
}

pub(crate) fn dead_process() -> Process {
    Process { pid: 1, started: "another one".to_owned() }
}

/// The registry as it was half a month ago.
fn long_ago(registry: &Registry) -> Registry {
    let clock = ManualClock::new(Utc::now() - TimeDelta::days(15));
    Registry::open(registry.path(), Arc::new(clock)).unwrap()
}

pub(crate) fn claim(registry: &Registry, session: &str, resource: &Resource) {
    let outcome = registry.claim(&id(session), resource, &Terms::default()).unwrap();
    assert!(!matches!(outcome, ClaimOutcome::Refused { .. }), "{outcome:?}");
}

pub(crate) fn send(registry: &Registry, from: &str, to: &Recipient, text: &str) -> Message {
    let draft = Draft { subject: text.to_owned(), message: text.to_owned(), ..Draft::new(MessageKind::Note) };
    registry.send(&id(from), to, &draft).unwrap()
}

pub(crate) fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.record.text()).collect()
}

fn holds(registry: &Registry, session: &str, resource: &Resource) -> bool {
    let claim = registry.claim_of(resource).unwrap();
    claim.filter(Claim::is_active).is_some_and(|claim| claim.held_by(&id(session)))
}

/// A displaced holder is told, at the latest by whoever cleans up after the one that died.
fn expect_told(registry: &Registry, session: &str) {
    let clock = ManualClock::new(Utc::now() + TimeDelta::minutes(1));
    Registry::open(registry.path(), Arc::new(clock)).unwrap().clean_up().unwrap();
    let messages = registry.messages(&id(session)).unwrap();
    assert!(messages.iter().any(|message| message.record.kind.as_deref() == Some("taken_over")), "{messages:?}");
}

/// Makes a file look as if it had been written so many hours ago.
pub(crate) fn age(path: &Path, hours: u64) {
    let at = SystemTime::now() - Duration::from_hours(hours);
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

/// Every file in a folder and below it.
pub(crate) fn all_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = files(folder);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        }
    }
    found
}

pub(crate) fn registry(directory: &Path) -> Registry {
    Registry::open(directory, Arc::new(SystemClock::new())).unwrap()
}
