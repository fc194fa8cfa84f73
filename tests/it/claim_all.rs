//! Claims of several resources as one: all of them or none, whoever races for them.

use std::sync::{Arc, Barrier};
use std::thread;

use deconflict_platform::clock::SystemClock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimAllOutcome, ClaimOutcome, NewSession, Predecessor, Registry, RenewOutcome, Terms};
use serde_json::json;

use crate::support::{Coordination, Workspace, timestamp};

struct Scene {
    registry: Registry,
    coordination: Coordination,
    _workspace: Workspace,
}

impl Scene {
    fn new() -> Self {
        let workspace = Workspace::small();
        let registry = Registry::create(&workspace.path("COORDINATION"), Arc::new(SystemClock::new())).unwrap();
        Self { registry, coordination: workspace.coordination(), _workspace: workspace }
    }

    fn session(&self) -> SessionId {
        self.registry.register(NewSession::default()).unwrap().id
    }

    #[track_caller]
    fn claim(&self, session: &SessionId, name: &str) {
        let claimed = self.registry.claim(session, &file(name), &Terms::default()).unwrap();
        assert!(matches!(claimed, ClaimOutcome::Granted { .. }), "{claimed:?}");
    }
}

fn file(name: &str) -> Resource {
    Resource::file(name).unwrap()
}

fn files(names: &[&str]) -> Vec<Resource> {
    names.iter().map(|name| file(name)).collect()
}

#[test]
fn one_that_is_held_keeps_all_others_free() {
    let scene = Scene::new();
    let (one, other) = (scene.session(), scene.session());
    scene.claim(&other, "b");
    let outcome = scene.registry.claim_all(&one, None, &files(&["a", "b", "c"]), &Terms::default()).unwrap();
    let ClaimAllOutcome::Refused(obstacles) = outcome else { panic!("{outcome:?}") };
    assert_eq!(obstacles.len(), 1);
    assert_eq!((&obstacles[0].wanted, obstacles[0].by.holder()), (&file("b"), Some(&other)));
    assert_eq!(scene.coordination.claim_files(), ["file-b.claim"]);
}

#[test]
fn what_it_held_before_stays_its_own_when_the_rest_is_refused() {
    let scene = Scene::new();
    let (one, other) = (scene.session(), scene.session());
    scene.claim(&one, "a");
    scene.claim(&other, "b");
    let outcome = scene.registry.claim_all(&one, None, &files(&["a", "b"]), &Terms::default()).unwrap();
    assert!(matches!(outcome, ClaimAllOutcome::Refused(_)), "{outcome:?}");
    assert_eq!(scene.coordination.holder("a").as_deref(), Some(one.as_str()));
}

#[test]
fn what_was_left_behind_is_taken_over_with_the_rest() {
    let scene = Scene::new();
    let one = scene.session();
    let past = timestamp(chrono::Utc::now() - chrono::TimeDelta::hours(1));
    scene.coordination.write_claim("gone", "file", "b", json!({"claimed_at": past, "expires_at": past}));
    let outcome = scene.registry.claim_all(&one, None, &files(&["a", "b"]), &Terms::default()).unwrap();
    let ClaimAllOutcome::Granted(granted) = outcome else { panic!("{outcome:?}") };
    assert!(granted.iter().all(|one| one.is_new));
    let before = granted[1].took_over.as_ref().unwrap();
    assert_eq!(before.holder().map(SessionId::as_str), Some("gone"));
}

#[test]
fn a_predecessors_claim_goes_over_without_a_word_and_its_directory_stays() {
    let scene = Scene::new();
    let (agent, helper, other) = (scene.session(), scene.session(), scene.session());
    scene.claim(&agent, "src/a");
    let directory = Resource::directory("src").unwrap();
    scene.registry.claim(&agent, &directory, &Terms::default()).unwrap();
    let wanted = files(&["src/a", "src/b"]);
    let outcome =
        scene.registry.claim_all(&helper, Some(Predecessor::Always(&agent)), &wanted, &Terms::default()).unwrap();
    let ClaimAllOutcome::Granted(granted) = outcome else { panic!("{outcome:?}") };
    assert!(granted.iter().all(|one| one.took_over.is_none()), "it is no take-over: {granted:?}");
    assert_eq!(scene.coordination.holder("src/a").as_deref(), Some(helper.as_str()));
    assert_eq!(scene.coordination.holder("src").as_deref(), Some(agent.as_str()));
    assert!(scene.coordination.messages_to(agent.as_str()).is_empty());
    // Nobody else has a predecessor.
    let outcome = scene.registry.claim_all(&other, None, &wanted, &Terms::default()).unwrap();
    assert!(matches!(&outcome, ClaimAllOutcome::Refused(obstacles) if obstacles.len() == 2), "{outcome:?}");
}

#[test]
fn of_many_who_race_for_overlapping_sets_each_gets_all_or_nothing() {
    const RACERS: usize = 8;
    const ROUNDS: usize = 12;
    let scene = Scene::new();
    let sessions: Vec<SessionId> = (0..RACERS).map(|_| scene.session()).collect();
    for round in 0..ROUNDS {
        let barrier = Barrier::new(RACERS);
        let got: Vec<bool> = thread::scope(|scope| {
            let racing = sessions.iter().enumerate().map(|(number, session)| {
                let (registry, barrier) = (&scene.registry, &barrier);
                scope.spawn(move || {
                    // Each wants what its neighbour wants too, in another order.
                    let mut wanted =
                        files(&[&format!("{round}-{number}"), &format!("{round}-{}", (number + 1) % RACERS)]);
                    if number % 2 == 1 {
                        wanted.reverse();
                    }
                    barrier.wait();
                    let outcome = registry.claim_all(session, None, &wanted, &Terms::default()).unwrap();
                    matches!(outcome, ClaimAllOutcome::Granted(_))
                })
            });
            racing.collect::<Vec<_>>().into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let held = |session: &SessionId| {
            let claims = scene.coordination.claims();
            let prefix = format!("{round}-");
            let is_own = |claim: &&serde_json::Value| {
                claim["claimed_by"] == session.as_str() && claim["resource_name"].as_str().unwrap().starts_with(&prefix)
            };
            claims.iter().filter(is_own).count()
        };
        for (session, got) in sessions.iter().zip(&got) {
            assert_eq!(held(session), if *got { 2 } else { 0 }, "round {round}");
        }
        assert!(got.iter().any(|got| *got), "somebody was first");
    }
}

#[test]
fn a_lease_is_only_ever_made_shorter() {
    let scene = Scene::new();
    let one = scene.session();
    scene.claim(&one, "a");
    let holding = scene.registry.claim_of(&file("a")).unwrap().unwrap().holding().unwrap();
    let minutes = |minutes| chrono::TimeDelta::minutes(minutes);
    let end = |outcome: RenewOutcome| match outcome {
        RenewOutcome::Renewed(claim) => claim.expires_at,
        lost @ RenewOutcome::Lost(_) => panic!("{lost:?}"),
    };
    let cut = end(scene.registry.shorten(&holding, minutes(15)).unwrap());
    assert!(cut <= chrono::Utc::now() + minutes(15));
    assert_eq!(end(scene.registry.shorten(&holding, minutes(60)).unwrap()), cut);
}

#[test]
fn what_is_asked_for_twice_is_taken_once() {
    let scene = Scene::new();
    let one = scene.session();
    let outcome = scene.registry.claim_all(&one, None, &files(&["a", "b", "a"]), &Terms::default()).unwrap();
    let ClaimAllOutcome::Granted(granted) = outcome else { panic!("{outcome:?}") };
    let names: Vec<_> = granted.iter().map(|one| (one.claim.resource.name(), one.is_new)).collect();
    assert_eq!(names, [("a", true), ("b", true)]);
}

#[test]
fn an_agent_that_works_on_meanwhile_gives_way_no_more() {
    let scene = Scene::new();
    let [person, agent] = [scene.session(), scene.session()];
    let wanted = files(&["a"]);
    scene.registry.claim_all(&agent, None, &wanted, &Terms::default()).unwrap();
    let claim = || {
        let waits = Some(Predecessor::WhileWaiting(&agent));
        scene.registry.claim_all(&person, waits, &wanted, &Terms::default()).unwrap()
    };
    // Whoever read that it waits may be late: it was prompted before the claim.
    scene.registry.set_turn(&agent, "working").unwrap();
    assert!(matches!(claim(), ClaimAllOutcome::Refused(_)));
    scene.registry.set_turn(&agent, "waiting").unwrap();
    assert!(matches!(claim(), ClaimAllOutcome::Granted(_)));
}

/// What overlaps would be held by two otherwise: what an agent that waits has in a directory, or the directory around a
/// file.
#[test]
fn all_that_overlaps_goes_over_from_an_agent_that_waits() {
    let directory = Resource::directory("src").unwrap();
    for (held, wanted) in [(file("src/a"), directory.clone()), (directory, file("src/a"))] {
        let scene = Scene::new();
        let [person, agent] = [scene.session(), scene.session()];
        scene.registry.claim(&agent, &held, &Terms::default()).unwrap();
        scene.registry.set_turn(&agent, "waiting").unwrap();
        let waits = Some(Predecessor::WhileWaiting(&agent));
        let outcome =
            scene.registry.claim_all(&person, waits, std::slice::from_ref(&wanted), &Terms::default()).unwrap();
        assert!(matches!(outcome, ClaimAllOutcome::Granted(_)), "{outcome:?}");
        let claims = scene.coordination.claims();
        let held: Vec<_> = claims.iter().map(|claim| (&claim["claimed_by"], &claim["resource_name"])).collect();
        assert_eq!(held, [(&json!(person.as_str()), &json!(wanted.name()))]);
        assert!(scene.coordination.messages_to(agent.as_str()).is_empty());
    }
}

#[test]
fn a_directory_takes_over_what_its_predecessor_has_in_it() {
    let scene = Scene::new();
    let [agent, helper] = [scene.session(), scene.session()];
    scene.claim(&agent, "src/a");
    let wanted = [Resource::directory("src").unwrap()];
    scene.registry.claim_all(&helper, Some(Predecessor::Always(&agent)), &wanted, &Terms::default()).unwrap();
    assert_eq!(scene.coordination.holder("src").as_deref(), Some(helper.as_str()));
    assert_eq!(scene.coordination.claims().len(), 1);
}
