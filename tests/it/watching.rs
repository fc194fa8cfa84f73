//! Watching a directory: what changes in it reaches whoever watches, whatever changed it and however.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use deconflict_platform as platform;
use deconflict_platform::clock::{ManualClock, SystemClock};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{
    Change, ClaimState, Draft, NewSession, Recipient, Registry, SessionState, Terms, View, Watch, watch,
    watch_for_directory,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with a session that watches it.
struct Watching {
    folder: tempfile::TempDir,
    registry: Registry,
    me: SessionId,
    view: View,
    changes: Receiver<Vec<Change>>,
    watch: Watch,
}

impl Watching {
    fn start() -> Self {
        Self::prepared(Arc::new(SystemClock::new()), |_| {})
    }

    fn prepared(clock: Arc<dyn deconflict_platform::clock::Clock>, prepare: impl FnOnce(&Registry)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock).unwrap();
        let me = register(&registry, "me");
        prepare(&registry);
        let (sender, changes) = channel();
        let watch = watch(&registry, &me, move |batch| drop(sender.send(batch))).unwrap();
        let view = View::new(me.clone(), Arc::clone(registry.clock()));
        let mut watching = Self { folder, registry, me, view, changes, watch };
        watching.until("everything is told", |change, _| matches!(change, Change::Ready));
        watching
    }

    /// Takes changes in until one of them, or what the view shows after it, is what is waited for.
    fn until(&mut self, what: &str, is_it: impl Fn(&Change, &View) -> bool) -> Change {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let batch = self.changes.recv_timeout(left).unwrap_or_else(|_| panic!("in vain until {what}"));
            let mut found = None;
            for change in batch {
                // A message is no part of the view, so it is looked at before.
                let early = matches!(change, Change::Message(_) | Change::Ready | Change::Trouble(_));
                if early && found.is_none() && is_it(&change, &self.view) {
                    found = Some(change);
                    continue;
                }
                let copy = sketch(&change);
                self.view.apply(change);
                if found.is_none() && is_it(&copy, &self.view) {
                    found = Some(copy);
                }
            }
            if let Some(found) = found {
                return found;
            }
        }
    }

    fn until_view(&mut self, what: &str, is_so: impl Fn(&View) -> bool) {
        if !is_so(&self.view) {
            self.until(what, |_, view| is_so(view));
        }
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("COORDINATION")
    }
}

/// The kind of a change, without what the view took.
fn sketch(change: &Change) -> Change {
    match change {
        Change::Claim(file, _) => Change::Claim(file.clone(), None),
        Change::Session(id, _) => Change::Session(id.clone(), None),
        Change::Process { session, alive } => Change::Process { session: session.clone(), alive: *alive },
        Change::Silence { session, lasted } => Change::Silence { session: session.clone(), lasted: *lasted },
        Change::Message(message) => Change::Message(message.clone()),
        Change::MessageRead(id) => Change::MessageRead(id.clone()),
        Change::Queue => Change::Queue,
        Change::Resumed => Change::Resumed,
        Change::DirectoryLost => Change::DirectoryLost,
        Change::DirectoryBack => Change::DirectoryBack,
        Change::Ready => Change::Ready,
        Change::DamagedMessage(key) => Change::DamagedMessage(key.clone()),
        Change::Trouble(words) => Change::Trouble(words.clone()),
    }
}

fn register(registry: &Registry, id: &str) -> SessionId {
    let new = NewSession { id: Some(SessionId::new(id).unwrap()), ..NewSession::default() };
    registry.register(new).unwrap().id
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

/// A process that runs until it is killed.
fn sleeper() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn remake(directory: &Path) {
    for folder in ["sessions", "heartbeats", "claims", "messages/broadcast", "messages/direct", "handoffs"] {
        fs::create_dir_all(directory.join(folder)).unwrap();
    }
}

#[test]
fn what_is_there_already_is_told_first() {
    let watching = Watching::prepared(Arc::new(SystemClock::new()), |registry| {
        let other = register(registry, "other");
        for number in 0..600 {
            registry.claim(&other, &file(&format!("src/{number}.rs")), &Terms::default()).unwrap();
        }
    });
    assert_eq!(watching.view.claims().count(), 600);
    assert_eq!(watching.view.sessions().count(), 2);
    assert_eq!(watching.view.obstacles(&Resource::directory("src").unwrap()).len(), 600);
    assert_eq!(watching.view.obstacles(&file("src/17.rs"))[0].standing, ClaimState::Active);
}

#[test]
fn claims_and_releases_are_told() {
    let mut watching = Watching::start();
    let other = register(&watching.registry, "other");
    watching.registry.claim(&other, &file("a b/ü.rs"), &Terms::default()).unwrap();
    watching.until_view("the claim is seen", |view| view.obstacles(&file("a b/ü.rs")).len() == 1);
    watching.registry.release(&other, &file("a b/ü.rs")).unwrap();
    watching.until_view("the release is seen", |view| view.claims().count() == 0);
    watching.registry.complete(&other, &deconflict_registry::Completion::default()).unwrap();
    watching.until_view("the end is seen", |view| {
        view.session(&SessionId::new("other").unwrap()).is_some_and(|session| session.state == SessionState::Completed)
    });
}

#[test]
fn records_written_in_place_by_other_programs_are_told() {
    let mut watching = Watching::start();
    let path = watching.directory().join("claims/file-notes.md.claim");
    fs::write(&path, "{").unwrap();
    watching.until_view("the unfinished claim is seen", |view| {
        view.claim_of(&file("notes.md")).is_some_and(|claim| claim.standing == ClaimState::Pending)
    });
    for phase in ["ONE", "TWO"] {
        fs::write(&path, format!(r#"{{"claimed_by":"session-7","phase":"{phase}","expires_at":""}}"#)).unwrap();
        watching.until_view(phase, |view| {
            view.claim_of(&file("notes.md")).is_some_and(|claim| claim.record.phase.as_deref() == Some(phase))
        });
    }
    fs::remove_file(&path).unwrap();
    watching.until_view("it is gone", |view| view.claim_of(&file("notes.md")).is_none());
}

/// A name outside of the directory for the same file: writing through it notifies nobody who watches the directory.
#[test]
#[cfg(unix)]
fn what_no_notification_told_is_found_by_looking() {
    let mut watching = Watching::start();
    let path = watching.directory().join("claims/file-a.claim");
    fs::write(&path, r#"{"claimed_by":"session-7","phase":"ONE"}"#).unwrap();
    watching.until_view("the claim is seen", |view| view.claim_of(&file("a")).is_some_and(|it| it.holder().is_some()));
    let unwatched = watching.folder.path().join("elsewhere");
    fs::create_dir(&unwatched).unwrap();
    fs::hard_link(&path, unwatched.join("same")).unwrap();
    fs::write(unwatched.join("same"), r#"{"claimed_by":"session-7","phase":"OTHER"}"#).unwrap();
    watching.until_view("the change is found", |view| {
        view.claim_of(&file("a")).is_some_and(|claim| claim.record.phase.as_deref() == Some("OTHER"))
    });
}

#[test]
fn a_message_is_told_once_also_if_it_is_the_first_one_ever() {
    let watching = Watching::start();
    let other = register(&watching.registry, "other");
    let send = |to: &Recipient, subject: &str| {
        let draft = Draft { subject: subject.to_owned(), ..Draft::new(MessageKind::Note) };
        watching.registry.send(&other, to, &draft).unwrap();
    };
    send(&Recipient::Session(watching.me.clone()), "direct");
    send(&Recipient::Everyone, "to all");
    send(&Recipient::Session(watching.me.clone()), "last");
    let mut told = Vec::new();
    while told.len() < 3 {
        // Several may come at once.
        for change in watching.changes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("only {told:?} came")) {
            if let Change::Message(message) = change {
                told.push(message.record.subject.unwrap());
            }
        }
    }
    let position = |subject| told.iter().position(|told| told == subject).unwrap_or_else(|| panic!("{told:?}"));
    assert!(position("direct") < position("last"), "{told:?}");
    position("to all");
}

#[test]
fn what_a_terminal_of_the_session_reads_is_told_to_its_server() {
    let mut watching = Watching::start();
    let other = register(&watching.registry, "other");
    let draft = Draft { subject: "hello".to_owned(), ..Draft::new(MessageKind::Note) };
    let sent = watching.registry.send(&other, &Recipient::Session(watching.me.clone()), &draft).unwrap();
    watching.until("the message comes", |change, _| matches!(change, Change::Message(_)));
    watching.registry.mark_read(&watching.me, std::slice::from_ref(&sent.id)).unwrap();
    watching.until("it is read", |change, _| matches!(change, Change::MessageRead(id) if *id == sent.id));
}

#[test]
fn a_killed_keeper_is_seen_by_others() {
    let mut keeper = sleeper();
    let process = platform::process(keeper.id());
    let mut watching = Watching::prepared(Arc::new(SystemClock::new()), |registry| {
        let kept = NewSession {
            id: Some(SessionId::new("kept").unwrap()),
            keeper: process,
            keepalive: Some(60),
            ..NewSession::default()
        };
        let kept = registry.register(kept).unwrap().id;
        registry.claim(&kept, &file("a.rs"), &Terms::default()).unwrap();
    });
    assert_eq!(watching.view.claim_of(&file("a.rs")).unwrap().standing, ClaimState::Active);
    watching.watch.set_interest(vec![SessionId::new("kept").unwrap()]);

    let killed = Instant::now();
    keeper.kill().unwrap();
    watching.until_view("its claim is abandoned", |view| {
        view.claim_of(&file("a.rs")).is_some_and(|claim| claim.standing == ClaimState::Abandoned)
    });
    let took = killed.elapsed();
    keeper.wait().unwrap();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

#[test]
fn a_deleted_directory_takes_everything_with_it_and_comes_back() {
    let mut watching = Watching::start();
    let other = register(&watching.registry, "other");
    watching.registry.claim(&other, &file("a.rs"), &Terms::default()).unwrap();
    watching.until_view("the claim is seen", |view| view.claims().count() == 1);

    fs::remove_dir_all(watching.directory()).unwrap();
    watching.until("the loss is told", |change, _| matches!(change, Change::DirectoryLost));
    assert_eq!((watching.view.claims().count(), watching.view.sessions().count()), (0, 0));

    let again = register(&watching.registry, "other");
    watching.until("it is back", |change, _| matches!(change, Change::DirectoryBack));
    watching.registry.claim(&again, &file("b.rs"), &Terms::default()).unwrap();
    watching.until_view("the new claim is seen", |view| view.claim_of(&file("b.rs")).is_some());
    watching.registry.release(&again, &file("b.rs")).unwrap();
    watching.until_view("its release is seen", |view| view.claim_of(&file("b.rs")).is_none());
}

#[test]
fn a_replaced_directory_is_told_apart_from_the_old_one() {
    let mut watching = Watching::start();
    let other = register(&watching.registry, "other");
    watching.registry.claim(&other, &file("a.rs"), &Terms::default()).unwrap();
    watching.until_view("the claim is seen", |view| view.claims().count() == 1);

    let directory = watching.directory();
    let replacement = watching.folder.path().join("replacement");
    remake(&replacement);
    fs::write(replacement.join("claims/file-b.rs.claim"), r#"{"claimed_by":"session-8"}"#).unwrap();
    fs::rename(&directory, watching.folder.path().join("old")).unwrap();
    fs::rename(&replacement, &directory).unwrap();
    watching.until("the loss is told", |change, _| matches!(change, Change::DirectoryLost));
    watching.until_view("the new claim is seen", |view| view.claim_of(&file("b.rs")).is_some());
    assert!(watching.view.claim_of(&file("a.rs")).is_none());

    // The new folders are watched, not the old ones.
    fs::write(directory.join("claims/file-c.rs.claim"), r#"{"claimed_by":"session-8"}"#).unwrap();
    watching.until_view("a later claim is seen", |view| view.claim_of(&file("c.rs")).is_some());
}

#[test]
fn a_folder_that_is_deleted_and_made_again_is_watched_again() {
    let mut watching = Watching::start();
    let claims = watching.directory().join("claims");
    for round in 0..5 {
        let name = format!("{round}.rs");
        fs::write(claims.join(format!("file-{name}.claim")), r#"{"claimed_by":"session-8"}"#).unwrap();
        watching.until_view("the claim is seen", |view| view.claim_of(&file(&name)).is_some());
        fs::remove_dir_all(&claims).unwrap();
        fs::create_dir(&claims).unwrap();
        watching.until_view("its end is seen", |view| view.claims().count() == 0);
    }
}

#[test]
fn whoever_was_suspended_says_so_first() {
    let clock = Arc::new(ManualClock::new(chrono::Utc::now()));
    let mut watching = Watching::prepared(clock.clone(), |_| {});
    clock.advance(Duration::from_mins(10));
    watching.until("the suspension is told", |change, _| matches!(change, Change::Resumed));
}

#[test]
fn nothing_is_delivered_after_the_watch_was_dropped() {
    let watching = Watching::start();
    drop(watching.watch);
    let other = register(&watching.registry, "other");
    watching.registry.claim(&other, &file("a.rs"), &Terms::default()).unwrap();
    // The thread ends, and what it delivered to goes with it.
    let deadline = Instant::now() + PATIENCE;
    loop {
        match watching.changes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(changes) => {
                assert!(!changes.iter().any(|change| matches!(change, Change::Claim(..))), "a claim was delivered");
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the thread goes on"),
        }
    }
}

#[test]
fn a_directory_that_is_made_later_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("COORDINATION");
    let (sender, appeared) = channel();
    let _watch = watch_for_directory(&directory, move || assert!(sender.send(()).is_ok())).unwrap();
    fs::create_dir(folder.path().join("something else")).unwrap();
    fs::create_dir(&directory).unwrap();
    assert!(appeared.recv_timeout(Duration::from_millis(50)).is_err(), "it has no folders yet");
    fs::create_dir(directory.join("claims")).unwrap();
    appeared.recv_timeout(PATIENCE).unwrap();
}

/// A program that takes the system's word for it and reads nothing again must not take a new record for a removed one.
#[test]
#[cfg(target_os = "linux")]
fn the_last_that_is_heard_of_a_replaced_record_is_that_it_came() {
    use notify::event::{ModifyKind, RenameMode};
    use notify::{EventKind, RecursiveMode, Watcher};

    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::create(&folder.path().join("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
    let me = register(&registry, "me");
    let (sender, events) = channel();
    let mut watcher = notify::recommended_watcher(sender).unwrap();
    watcher.watch(&registry.path().join("sessions"), RecursiveMode::NonRecursive).unwrap();
    registry.set_name(&me, "Ada").unwrap();
    fs::write(registry.path().join("sessions/last"), "").unwrap();
    let mut heard = Vec::new();
    loop {
        let event = events.recv_timeout(PATIENCE).unwrap().unwrap();
        if event.paths[0].ends_with("last") {
            break;
        }
        if event.paths[0].ends_with("me.json") {
            heard.push(event.kind);
        }
    }
    let came_or_went = |kind: &&EventKind| {
        let renamed = |mode| EventKind::Modify(ModifyKind::Name(mode));
        kind.is_remove() || kind.is_create() || **kind == renamed(RenameMode::From) || **kind == renamed(RenameMode::To)
    };
    let last = heard.iter().rfind(came_or_went);
    assert_eq!(last, Some(&EventKind::Modify(ModifyKind::Name(RenameMode::To))), "{heard:?}");
}
