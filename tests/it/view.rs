//! What a server's view tells after changes and as time passes: what a registry in memory was made to say, taken in by a
//! view whose clock is set by hand.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use deconflict_platform::clock::{Clock, ManualClock};
use deconflict_protocol::{ClaimRecord, Naming, Resource, SessionId, SessionRecord, time, to_bytes};
use deconflict_registry::{
    Affected, BEING_WRITTEN, Change, Claim, ClaimState, Key, Memory, Registry, SessionState, Store, View, Watch, watch,
};

const PATIENCE: Duration = Duration::from_secs(20);

const START: &str = "2025-11-15T10:00:00Z";

struct Seen {
    clock: Arc<ManualClock>,
    store: Arc<Memory>,
    view: View,
    changes: Receiver<Vec<Change>>,
    _watch: Watch,
}

impl Seen {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(time::parse(START).unwrap()));
        let store = Arc::new(Memory::new(clock.clone(), Naming::default()));
        let (sender, changes) = channel();
        let registry = Registry::of(Arc::clone(&store), clock.clone());
        let watched = watch(&registry, &id("me"), move |batch| drop(sender.send(batch))).unwrap();
        let view = View::new(id("me"), clock.clone());
        let seen = Self { clock, store, view, changes, _watch: watched };
        let told = seen.changes.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(told[..], [Change::Ready]), "{told:?}");
        seen
    }

    /// Someone claims something for four hours.
    fn claim(&mut self, holder: &str, resource: &Resource) -> Affected {
        let json = format!(r#"{{"claimed_by":"{holder}","claimed_at":"{START}"}}"#);
        self.write(Key::Claim(Naming::default().key(resource)), json.into_bytes())
    }

    fn session(&mut self, session: &str, record: SessionRecord) -> Affected {
        self.write(Key::Session(id(session)), to_bytes(&record).unwrap())
    }

    /// Writes a record and takes in what the watch tells of it. What that sees of the clock's leaps is left out.
    fn write(&mut self, key: Key, bytes: Vec<u8>) -> Affected {
        let mut put = |tx: &mut deconflict_registry::Transaction<'_>| {
            tx.put_new(key.clone(), bytes.clone());
            Ok(())
        };
        self.store.commit(&mut put).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let told = self.changes.recv_timeout(left).unwrap_or_else(|_| panic!("{key} was not told"));
            let is_it = |change: &Change| match (change, &key) {
                (Change::Claim(told, Some(it)), Key::Claim(key)) => {
                    told == key && it.modified == self.clock.now() && it.record == ClaimRecord::read(&bytes).ok()
                }
                (Change::Session(told, Some(it)), Key::Session(id)) => {
                    told == id && it.modified == self.clock.now() && it.record == SessionRecord::read(&bytes).ok()
                }
                _ => false,
            };
            if let Some(change) = told.into_iter().find(is_it) {
                return self.view.apply(change);
            }
        }
    }

    fn state(&self, session: &str) -> SessionState {
        self.view.session(&id(session)).unwrap().state
    }

    fn standing(&self, resource: &Resource) -> ClaimState {
        self.view.claim_of(resource).unwrap().standing
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn id(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn directory(name: &str) -> Resource {
    Resource::directory(name).unwrap()
}

fn names(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.resource.name()).collect()
}

fn promising() -> SessionRecord {
    SessionRecord { keepalive: Some(60), ..SessionRecord::default() }
}

#[test]
fn what_overlaps_is_found_above_and_below() {
    let mut seen = Seen::new();
    for name in ["src/a.rs", "src/deep/ b.rs", "src!/x.rs", "srcs/c.rs", "src"] {
        seen.claim("other", &file(name));
    }
    seen.claim("other", &directory("src/deep/er"));
    seen.claim("me", &file("src/mine.rs"));
    let obstacles = |resource| seen.view.obstacles(&resource);
    assert_eq!(names(&obstacles(directory("src"))), ["src/a.rs", "src/deep/ b.rs", "src/deep/er"]);
    assert_eq!(names(&obstacles(file("src/deep/er/x/y.rs"))), ["src/deep/er"]);
    assert_eq!(names(&obstacles(file("src/a.rs"))), ["src/a.rs"]);
    assert_eq!(names(&obstacles(file("src/mine.rs"))), Vec::<&str>::new());
    assert_eq!(obstacles(directory(".")).len(), 6);
}

#[test]
fn a_claim_comes_back_as_it_was_stored() {
    let mut seen = Seen::new();
    let long = file(&format!("src/{}.rs", "x".repeat(300)));
    let json = r#"{"claimed_by":"other","claimed_at":"2025-11-15T09:00:00Z","phase":"BUILD","expires_at":"",
        "allow_coordination":false,"id":"7f","generation":18446744073709551615,"automatic":true,"displaced":"x"}"#;
    for resource in [file("src/a.rs"), long] {
        let mut record = ClaimRecord::read(json.as_bytes()).unwrap();
        record.resource_type = Some("file".to_owned());
        record.resource_name = Some(resource.name().to_owned());
        seen.write(Key::Claim(Naming::default().key(&resource)), to_bytes(&record).unwrap());
        let claim = seen.view.claim_of(&resource).unwrap();
        assert_eq!((claim.record, claim.resource), (record, resource));
    }
}

#[test]
fn the_same_again_affects_nothing() {
    let mut seen = Seen::new();
    assert_eq!(seen.claim("other", &file("a.rs")).claims, [file("a.rs")]);
    assert!(seen.claim("other", &file("a.rs")).is_nothing());
    assert_eq!(seen.claim("another", &file("a.rs")).claims, [file("a.rs")]);
    assert!(!seen.session("another", promising()).is_nothing());
    let refreshed = SessionRecord { last_heartbeat: Some("2025-11-15T10:01:00Z".to_owned()), ..promising() };
    assert!(seen.session("another", refreshed).is_nothing());
    let gone = seen.view.apply(Change::Claim(Naming::default().key(&file("a.rs")), None));
    assert!(gone.concerns(&file("a.rs")) && gone.concerns(&directory(".")) && !gone.concerns(&file("b.rs")));
    assert_eq!(seen.view.claims().count(), 0);
}

#[test]
fn a_lease_ends_by_time_alone() {
    let mut seen = Seen::new();
    assert_eq!(seen.view.next_change_at(), None);
    seen.claim("other", &file("a.rs"));
    let end = time::parse("2025-11-15T14:00:00Z").unwrap();
    assert_eq!(seen.view.next_change_at(), Some(end));
    seen.pass(4 * 3600 - 1);
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Active);
    seen.pass(1);
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Expired);
    assert_eq!(seen.view.next_change_at(), Some(end + TimeDelta::seconds(60)), "holders elsewhere are given more time");
    seen.pass(60);
    assert_eq!(seen.view.next_change_at(), None);
}

#[test]
fn an_unreadable_claim_is_pending_and_then_damaged() {
    let mut seen = Seen::new();
    // The file has to be younger than this machine's start.
    seen.clock.jump(Utc::now() - seen.clock.now());
    seen.write(Key::Claim(Naming::default().key(&file("a.rs"))), b"{".to_vec());
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Pending);
    assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + BEING_WRITTEN));
    seen.pass(5);
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Damaged);
}

#[test]
fn a_broken_promise_abandons_claims() {
    let mut seen = Seen::new();
    seen.session("other", promising());
    seen.claim("other", &file("a.rs"));
    assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + TimeDelta::milliseconds(120_001)));
    seen.pass(121);
    assert_eq!(seen.state("other"), SessionState::Silent);
    seen.pass(180);
    assert_eq!(seen.state("other"), SessionState::Gone);
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Abandoned);

    let back = seen.session("other", promising());
    assert_eq!(seen.state("other"), SessionState::Live);
    assert_eq!(back.claims, [file("a.rs")], "its claims count again");
}

#[test]
fn silence_before_the_first_look_counts() {
    let mut seen = Seen::new();
    seen.session("other", promising());
    seen.view.apply(Change::Silence { session: id("other"), lasted: Duration::from_secs(290) });
    assert_eq!(seen.state("other"), SessionState::Silent);
    seen.pass(11);
    assert_eq!(seen.state("other"), SessionState::Gone);
}

#[test]
fn who_promised_nothing_is_silent_after_a_day_and_never_gone() {
    let mut seen = Seen::new();
    seen.session("other", SessionRecord::default());
    seen.pass(23 * 3600);
    assert_eq!(seen.state("other"), SessionState::Live);
    seen.pass(2 * 3600);
    assert_eq!(seen.state("other"), SessionState::Silent);
    seen.view.apply(Change::Process { session: id("other"), alive: false });
    assert_eq!(seen.state("other"), SessionState::Gone);
}

#[test]
fn who_completed_is_so_though_its_process_runs() {
    let mut seen = Seen::new();
    seen.session("other", SessionRecord { status: Some("completed".to_owned()), ..promising() });
    seen.view.apply(Change::Process { session: id("other"), alive: true });
    assert_eq!(seen.state("other"), SessionState::Completed);
}

#[test]
fn a_wrong_clock_makes_nobody_look_gone() {
    let mut seen = Seen::new();
    seen.session("other", promising());
    seen.clock.jump(TimeDelta::hours(3));
    assert_eq!(seen.state("other"), SessionState::Live);
}

#[test]
fn whoever_was_suspended_judges_nobody_for_one_keepalive() {
    let mut seen = Seen::new();
    seen.session("other", promising());
    seen.session("gone", promising());
    seen.view.apply(Change::Process { session: id("gone"), alive: false });
    seen.pass(600);
    assert!(seen.view.apply(Change::Resumed).everything);
    assert_eq!((seen.state("other"), seen.state("gone")), (SessionState::Live, SessionState::Gone));
    assert_eq!(seen.view.next_change_at(), Some(seen.clock.now() + TimeDelta::seconds(60)));
    seen.pass(59);
    assert_eq!(seen.state("other"), SessionState::Live);
    seen.pass(1);
    assert_eq!(seen.state("other"), SessionState::Gone);
}

#[test]
fn a_process_proves_more_than_silence() {
    let mut seen = Seen::new();
    let kept = SessionRecord { pid: Some(7), ..promising() };
    seen.session("other", kept.clone());
    seen.claim("other", &file("a.rs"));
    seen.view.apply(Change::Process { session: id("other"), alive: true });
    assert_eq!(seen.view.next_change_at(), Some(time::parse("2025-11-15T14:00:00Z").unwrap()));
    seen.pass(3600);
    assert_eq!(seen.state("other"), SessionState::Live);

    let ended = seen.view.apply(Change::Process { session: id("other"), alive: false });
    assert_eq!((ended.sessions, ended.claims), (vec![id("other")], vec![file("a.rs")]));
    assert_eq!(seen.standing(&file("a.rs")), ClaimState::Abandoned);

    seen.session("other", SessionRecord { pid: Some(8), ..kept });
    assert_eq!(seen.state("other"), SessionState::Live, "a new process has yet to be looked at");
}

#[test]
fn one_path_in_several_worktrees_is_found_from_each() {
    let mut seen = Seen::new();
    let claimed = ["src/a.rs", "//x/src/a.rs", "//y/src/a.rs", "//x/src/b.rs", "//repo//x/src/a.rs", "repo/src/a.rs"];
    for name in claimed {
        seen.claim("other", &file(name));
    }
    let elsewhere = |name: &str| {
        let claims = seen.view.claims_in_other_worktrees(&file(name));
        claims.iter().map(|claim| claim.resource.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere("src/a.rs"), ["//x/src/a.rs", "//y/src/a.rs"]);
    assert_eq!(elsewhere("//x/src/a.rs"), ["src/a.rs", "//y/src/a.rs"]);
    assert_eq!(elsewhere("//z/src/a.rs"), ["src/a.rs", "//x/src/a.rs", "//y/src/a.rs"]);
    assert_eq!(elsewhere("src/b.rs"), ["//x/src/b.rs"]);
    assert_eq!(elsewhere("repo/src/a.rs"), ["//repo//x/src/a.rs"]);
    assert_eq!(elsewhere("//repo//x/src/a.rs"), ["repo/src/a.rs"]);
    assert_eq!(elsewhere("src/c.rs"), Vec::<String>::new());
    let affected = Affected { claims: vec![file("//x/src/a.rs")], ..Affected::default() };
    assert!(affected.concerns(&file("src/a.rs")) && !affected.concerns(&file("repo/src/a.rs")));
}

#[test]
fn editors_are_known_while_they_live() {
    let mut seen = Seen::new();
    let editing = |names: &[&str]| SessionRecord {
        editing: names.iter().map(|name| (*name).to_owned()).collect(),
        ..SessionRecord::default()
    };
    assert_eq!(seen.session("other", editing(&["a.rs", "b.rs"])).editing.len(), 2);
    seen.session("me", editing(&["a.rs"]));
    let editors = |seen: &Seen, name: &str| {
        seen.view.editors_of(&file(name)).into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(editors(&seen, "a.rs"), [id("other")]);
    assert_eq!(seen.session("other", editing(&["a.rs"])).editing, ["b.rs"]);
    assert_eq!(editors(&seen, "b.rs"), []);
    seen.view.apply(Change::Process { session: id("other"), alive: false });
    assert_eq!(editors(&seen, "a.rs"), []);
    seen.view.apply(Change::Session(id("other"), None));
    assert_eq!(editors(&seen, "a.rs"), []);
}

#[test]
fn a_lost_directory_leaves_nothing() {
    let mut seen = Seen::new();
    seen.session("other", promising());
    seen.claim("other", &file("//x/a.rs"));
    assert!(seen.view.apply(Change::DirectoryLost).everything);
    assert_eq!((seen.view.claims().count(), seen.view.sessions().count()), (0, 0));
    assert_eq!(seen.view.next_change_at(), None);
    assert!(seen.view.obstacles(&directory("//x")).is_empty());
}
