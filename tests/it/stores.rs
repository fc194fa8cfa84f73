//! The registry's verbs over every store by the same scenes: over files, over memory, over memory that takes names as
//! equal that differ only in case, and over every etcd that was fetched.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use deconflict_platform::clock::ManualClock;
use deconflict_protocol::{ClaimRecord, MessageKind, Naming, Resource, SessionId, to_bytes};
use deconflict_registry::{
    Activity, Change, Claim, ClaimOutcome, ClaimState, Completion, Draft, Files, HandOffOutcome, Key, Locking, Memory,
    MoveOutcome, NewSession, Recipient, Registry, ReleaseOutcome, RenewOutcome, Store, Terms, Transaction, View, watch,
};

use crate::support::etcd::EtcdNode;
use crate::support::wait_within;

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn directory(name: &str) -> Resource {
    Resource::directory(name).unwrap()
}

fn register<S: Store>(registry: &Registry<S>, id: &str) -> SessionId {
    let new = NewSession { id: Some(SessionId::new(id).unwrap()), ..NewSession::default() };
    registry.register(new).unwrap().id
}

fn claim<S: Store>(registry: &Registry<S>, session: &SessionId, resource: &Resource) -> ClaimOutcome {
    registry.claim(session, resource, &Terms::default()).unwrap()
}

fn granted<S: Store>(registry: &Registry<S>, session: &SessionId, resource: &Resource) -> Claim {
    match claim(registry, session, resource) {
        ClaimOutcome::Granted { claim, .. } => claim,
        other => panic!("{resource}: {other:?}"),
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Utc::now()))
}

fn memory(ignores_case: bool) -> (Registry<Memory>, Arc<ManualClock>) {
    let clock = clock();
    (Registry::over(Memory::new(clock.clone(), Naming { ignores_case }), clock.clone()), clock)
}

fn files() -> (Registry<Files>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Registry::create(&folder.path().join("COORDINATION"), clock()).unwrap(), folder)
}

#[test]
fn every_verb_does_the_same_over_files_and_over_memory() {
    every_verb(&files().0);
    every_verb(&memory(false).0);
    every_verb(&memory(true).0);
}

#[test]
fn every_verb_does_the_same_over_etcd() {
    for (which, node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        every_verb(&Registry::over(node.store("verbs", clock.clone()), clock.clone()));
        // Another repository of the same team has a registry of its own.
        every_verb(&Registry::over(node.store("others", clock.clone()), clock));
    }
}

fn every_verb<S: Store>(registry: &Registry<S>) {
    let (anna, berta) = (register(registry, "anna"), register(registry, "berta"));
    let first = granted(registry, &anna, &file("src/a.rs"));
    assert!(matches!(claim(registry, &berta, &directory("src")), ClaimOutcome::Refused { by } if by.held_by(&anna)));
    assert!(matches!(claim(registry, &anna, &file("src/a.rs")), ClaimOutcome::AlreadyHeld { .. }));
    let holding = first.holding().unwrap();
    let renewed = registry.renew(&holding, TimeDelta::hours(9)).unwrap();
    assert!(matches!(renewed, RenewOutcome::Renewed(claim) if claim.expires_at > first.expires_at));
    registry.claim_all(&anna, None, &[file("b"), file("c")], &Terms::default()).unwrap();
    assert_eq!(registry.claims().unwrap().len(), 3);

    let claims = registry.claims_covering(&[file("src/a.rs"), file("d")]).unwrap();
    assert!(matches!(&claims[..], [(claim, covered)] if claim.resource == file("src/a.rs") && *covered == [0]));
    let outcome = registry.hand_off(&anna, &file("src/a.rs"), &berta, None).unwrap();
    let HandOffOutcome::HandedOff(given) = outcome else { panic!("{outcome:?}") };
    assert!(given.record.generation > first.record.generation);
    let outcome = registry.move_claim(&given.holding().unwrap(), &file("src/moved.rs")).unwrap();
    assert!(matches!(outcome, MoveOutcome::Moved(ref moved) if moved.held_by(&berta)), "{outcome:?}");
    assert_eq!(registry.release(&anna, &file("src/a.rs")).unwrap(), ReleaseOutcome::NotFound);

    let force = Terms { force: true, ..Terms::default() };
    let outcome = registry.claim(&anna, &directory("src"), &force).unwrap();
    assert!(matches!(outcome, ClaimOutcome::Granted { took_over: Some(_), .. }), "{outcome:?}");
    let unread = registry.unread_messages(&berta).unwrap();
    let kinds: Vec<MessageKind> = unread.iter().map(|message| message.record.kind()).collect();
    assert!(kinds.contains(&MessageKind::HandOff) && kinds.contains(&MessageKind::TakenOver), "{kinds:?}");
    let draft = Draft { message: "hello".to_owned(), ..Draft::new(MessageKind::Note) };
    registry.send(&anna, &Recipient::Everyone, &draft).unwrap();
    let ids: Vec<_> = registry.unread_messages(&berta).unwrap().into_iter().map(|message| message.id).collect();
    assert_eq!((ids.len(), registry.mark_read(&berta, &ids).unwrap()), (3, 3));
    assert_eq!(registry.unread_messages(&berta).unwrap(), []);
    assert_eq!(registry.message_count(&berta).unwrap(), 3);

    let building = Activity { is_said: true, ..Activity::new("building", Some("src".to_owned())) };
    registry.heartbeat(&anna, &building).unwrap();
    assert_eq!(registry.session(&anna).unwrap().unwrap().record.current_work.as_deref(), Some("src"));
    let released = registry.complete(&anna, &Completion::default()).unwrap();
    assert_eq!(released.len(), 3);
    assert_eq!(registry.claims().unwrap(), []);
    assert_eq!(registry.locking(), Locking::Enforced);
    registry.resume(&anna, &NewSession::default()).unwrap().unwrap();
    granted(registry, &anna, &file("again"));
}

/// A folder `new` is not there yet while another holds a file in `New/`; `lib` became `LIB` after it was claimed.
#[test]
fn where_case_is_ignored_a_claim_is_found_however_it_is_spelled() {
    for (held, wanted) in [
        (file("New/a"), directory("new")),
        (directory("new"), file("New/a")),
        (file("Lib/x"), file("LIB/x")),
        (directory("LIB"), directory("lib/deep")),
    ] {
        let (registry, clock) = memory(true);
        let (anna, berta) = (register(&registry, "anna"), register(&registry, "berta"));
        granted(&registry, &anna, &held);
        let outcome = claim(&registry, &berta, &wanted);
        assert!(matches!(outcome, ClaimOutcome::Refused { ref by } if by.resource == held), "{wanted}: {outcome:?}");
        assert!(registry.claims_on(&wanted).unwrap().len() == 1);
        clock.advance(std::time::Duration::from_hours(5));
        granted(&registry, &berta, &wanted);
        assert_eq!(registry.claims().unwrap().len(), 1, "{held} ended by {wanted}");

        let (registry, _) = memory(false);
        let (anna, berta) = (register(&registry, "anna"), register(&registry, "berta"));
        granted(&registry, &anna, &held);
        granted(&registry, &berta, &wanted);
    }
}

/// Somebody else claims what overlaps while a decision is made: then it is made again, on what stands there now.
fn is_decided_again<S: Store>(registry: &Registry<S>, store: &S, mut meanwhile: impl FnMut()) {
    let (anna, _) = (register(registry, "anna"), register(registry, "berta"));
    let naming = store.reader().unwrap().naming();
    let mut decisions = 0;
    let mut was_held = false;
    let mut decide = |tx: &mut Transaction<'_>| {
        use deconflict_registry::Reader;
        decisions += 1;
        was_held = tx.get(&Key::Claim(naming.key(&file("d/a"))))?.is_some();
        if decisions == 1 {
            meanwhile();
        }
        let record = ClaimRecord { claimed_by: Some(anna.clone()), ..ClaimRecord::default() };
        if !was_held {
            tx.put_new(Key::Claim(naming.key(&directory("d"))), to_bytes(&record).unwrap());
        }
        Ok(())
    };
    store.commit(&mut decide).unwrap();
    assert_eq!((decisions, was_held), (2, true));
    let held: Vec<Claim> = registry.claims().unwrap();
    assert!(matches!(&held[..], [claim] if claim.resource == file("d/a") && claim.standing == ClaimState::Active));
}

#[test]
fn a_decision_is_made_again_if_what_it_saw_changed() {
    let clock = clock();
    let store = Arc::new(Memory::new(clock.clone(), Naming::default()));
    let registry = Registry::of(Arc::clone(&store), clock);
    is_decided_again(&registry, &store, || {
        granted(&registry, &SessionId::new("berta").unwrap(), &file("d/a"));
    });
}

#[test]
fn a_decision_is_made_again_if_what_it_saw_in_etcd_changed() {
    for (which, node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        let store = Arc::new(node.store("again", clock.clone()));
        let registry = Registry::of(Arc::clone(&store), clock);
        is_decided_again(&registry, &*store, || {
            granted(&registry, &SessionId::new("berta").unwrap(), &file("d/a"));
        });
    }
}

/// More than etcd compares in one transaction: then everything is compared, deletions too.
#[test]
fn a_decision_over_many_records_of_etcd_is_made_again_after_a_deletion() {
    use deconflict_registry::{Range, Reader};
    for (which, node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        let store = Arc::new(node.store("many", clock.clone()));
        let registry = Registry::of(Arc::clone(&store), clock);
        let anna = register(&registry, "anna");
        let many: Vec<Resource> = (0..150).map(|number| file(&format!("d/{number}"))).collect();
        for some in many.chunks(50) {
            registry.claim_all(&anna, None, some, &Terms::default()).unwrap();
        }
        let mut counted = Vec::new();
        let mut decide = |tx: &mut Transaction<'_>| {
            counted.push(tx.scan(&[Range::all_claims()])?.len());
            if counted.len() == 1 {
                registry.release(&anna, &many[7]).unwrap();
            }
            let record = ClaimRecord { claimed_by: Some(anna.clone()), ..ClaimRecord::default() };
            let key = store.reader().unwrap().naming().key(&file("counted"));
            tx.put_new(Key::Claim(key), to_bytes(&record).unwrap());
            Ok(())
        };
        store.commit(&mut decide).unwrap();
        assert_eq!(counted, [150, 149]);
    }
}

/// It is etcd's own clock that ends a claim: one whose clock is far ahead takes nothing over, and one whose lease ended has
/// nothing left, whatever the record says.
#[test]
fn no_clock_but_etcds_own_ends_a_claim() {
    for (which, node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        let registry = Registry::over(node.store("clocks", clock.clone()), clock.clone());
        let (anna, berta) = (register(&registry, "anna"), register(&registry, "berta"));
        let first = granted(&registry, &anna, &file("a"));
        clock.advance(Duration::from_hours(5));
        assert!(matches!(claim(&registry, &berta, &file("a")), ClaimOutcome::Refused { by } if by.held_by(&anna)));
        let renewed = registry.renew(&first.holding().unwrap(), TimeDelta::hours(4)).unwrap();
        assert!(matches!(renewed, RenewOutcome::Renewed(_)), "{renewed:?}");
        // What belongs to a session whose own lease ended is anybody's.
        let key = Key::Session(anna.clone());
        let forget = |tx: &mut Transaction<'_>| {
            tx.write(deconflict_registry::Write::Delete(key.clone()));
            Ok(())
        };
        registry.store().commit(&mut { forget }).unwrap();
        let outcome = claim(&registry, &berta, &file("a"));
        assert!(matches!(&outcome, ClaimOutcome::Granted { took_over: Some(before), .. } if before.held_by(&anna)));
    }
}

/// A lease of etcd lasts ten seconds at the least here, and takes what hangs on it along.
#[test]
fn a_claim_of_etcd_goes_with_its_lease() {
    let Some(node) = EtcdNode::newest() else { return };
    let clock = clock();
    let registry = Registry::over(node.store("leases", clock.clone()), clock);
    let (anna, berta) = (register(&registry, "anna"), register(&registry, "berta"));
    let terms = Terms { lease: TimeDelta::seconds(1), ..Terms::default() };
    registry.claim(&anna, &file("a"), &terms).unwrap();
    assert!(matches!(claim(&registry, &berta, &file("a")), ClaimOutcome::Refused { .. }));
    wait_within(Duration::from_mins(1), "the end of the lease", || registry.claims().unwrap().is_empty().then_some(()));
    granted(&registry, &berta, &file("a"));
}

/// Nothing hangs while it is away, and all is there again once it is back.
#[test]
fn an_etcd_that_is_away_is_told_within_a_second() {
    for (which, mut node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        let registry = Registry::over(node.store("away", clock.clone()), clock);
        let (anna, berta) = (register(&registry, "anna"), register(&registry, "berta"));
        let first = granted(&registry, &anna, &file("a"));
        node.kill();
        let start = Instant::now();
        let error = registry.claim(&berta, &file("b"), &Terms::default()).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1) && error.may_pass(), "{error:?} in {:?}", start.elapsed());
        assert!(error.to_string().contains(&node.address()), "{error}");
        node.run();
        assert!(matches!(claim(&registry, &berta, &file("a")), ClaimOutcome::Refused { by } if by.held_by(&anna)));
        let next = granted(&registry, &berta, &file("b"));
        assert!(next.record.generation > first.record.generation, "{next:?}");
    }
}

/// Whoever removes the lock's file by hand lets others in. Its owner, which may have been suspended, must not go on.
#[test]
fn a_lock_that_was_removed_by_hand_gives_no_double_grant() {
    let (registry, folder) = files();
    let store = Files::at(registry.path());
    is_decided_again(&registry, &store, || {
        fs::remove_file(folder.path().join("COORDINATION/.lock")).unwrap();
        granted(&registry, &SessionId::new("berta").unwrap(), &file("d/a"));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_stuck_lock_names_who_holds_it() {
    let (registry, folder) = files();
    let anna = register(&registry, "anna");
    let lock = fs::File::open(folder.path().join("COORDINATION/.lock")).unwrap();
    lock.lock().unwrap();
    let error = registry.claim(&anna, &file("a"), &Terms::default()).unwrap_err().to_string();
    assert!(error.contains("another process (it-") && error.contains(&format!(", {})", std::process::id())), "{error}");
}

/// The old run of a session ends while a new one has begun: what the new one holds stays its own.
#[test]
fn an_end_releases_nothing_of_a_new_run() {
    let (registry, _) = memory(false);
    let anna = register(&registry, "anna");
    granted(&registry, &anna, &file("old"));
    let ended = registry.complete_together(std::slice::from_ref(&anna)).unwrap();
    registry.resume(&anna, &NewSession::default()).unwrap().unwrap();
    granted(&registry, &anna, &file("new"));
    assert_eq!(registry.release_all_ended(&ended).unwrap(), []);
    assert!(registry.claim_of(&file("new")).unwrap().unwrap().is_active());
}

/// Takes in what a watch tells until it is as it should be. Returns the subjects of the messages.
fn until(changes: &Receiver<Vec<Change>>, view: &mut View, what: &str, is_so: impl Fn(&View) -> bool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut subjects = Vec::new();
    while !is_so(view) {
        let left = deadline.saturating_duration_since(Instant::now());
        for change in changes.recv_timeout(left).unwrap_or_else(|_| panic!("in vain until {what}")) {
            if let Change::Message(message) = &change {
                subjects.extend(message.record.subject.clone());
            }
            view.apply(change);
        }
    }
    subjects
}

#[test]
fn a_watch_over_any_store_tells_of_what_another_registry_does() {
    tells_of_what_another_does(&files().0);
    let clock = clock();
    let store = Arc::new(Memory::new(clock.clone(), Naming::default()));
    tells_of_what_another_does(&Registry::of(store, clock));
}

#[test]
fn a_watch_over_etcd_tells_of_what_another_registry_does() {
    for (which, node) in EtcdNode::all() {
        println!("{which}");
        let clock = clock();
        tells_of_what_another_does(&Registry::over(node.store("watch", clock.clone()), clock));
    }
}

fn tells_of_what_another_does<S: Store + 'static>(registry: &Registry<S>) {
    let (me, berta) = (register(registry, "me"), register(registry, "berta"));
    let other = registry.clone();
    let (sender, changes) = channel();
    let _watch = watch(registry, &me, move |batch| drop(sender.send(batch))).unwrap();
    let mut view = View::new(me.clone(), Arc::clone(registry.clock()));
    until(&changes, &mut view, "all is told", View::is_complete);
    granted(&other, &berta, &file("a"));
    until(&changes, &mut view, "the claim is told", |view| view.obstacles(&file("a")).len() == 1);
    let draft = |subject: &str| Draft { subject: subject.to_owned(), ..Draft::new(MessageKind::Note) };
    other.send(&berta, &Recipient::Session(me), &draft("direct")).unwrap();
    other.send(&berta, &Recipient::Everyone, &draft("to all")).unwrap();
    other.release(&berta, &file("a")).unwrap();
    let mut subjects = until(&changes, &mut view, "the release is told", |view| view.claims().count() == 0);
    granted(&other, &berta, &file("last"));
    subjects.extend(until(&changes, &mut view, "the last is told", |view| view.claims().count() == 1));
    subjects.sort();
    assert_eq!(subjects, ["direct", "to all"]);
}

/// A store keeps what has changed for a limited time, and who asks too late has to look at everything.
#[test]
fn a_watch_is_right_again_after_changes_that_the_store_has_forgotten() {
    let clock = clock();
    let store = Arc::new(Memory::new(clock.clone(), Naming::default()));
    let registry = Registry::of(Arc::clone(&store), clock);
    let (me, berta) = (register(&registry, "me"), register(&registry, "berta"));
    granted(&registry, &berta, &file("old"));
    let (sender, changes) = channel();
    let _watch = watch(&registry, &me, move |batch| drop(sender.send(batch))).unwrap();
    let mut view = View::new(me.clone(), Arc::clone(registry.clock()));
    until(&changes, &mut view, "all is told", |view| view.is_complete() && view.claims().count() == 1);
    store.forgetting(|| {
        registry.release(&berta, &file("old")).unwrap();
        granted(&registry, &berta, &file("new"));
        let draft = Draft { subject: "missed".to_owned(), ..Draft::new(MessageKind::Note) };
        registry.send(&berta, &Recipient::Session(me), &draft).unwrap();
    });
    let mut subjects = until(&changes, &mut view, "it is right again", |view| {
        view.claim_of(&file("new")).is_some() && view.claim_of(&file("old")).is_none()
    });
    granted(&registry, &berta, &file("last"));
    subjects.extend(until(&changes, &mut view, "the last is told", |view| view.claim_of(&file("last")).is_some()));
    assert_eq!(subjects, ["missed"]);
}
