//! Waiting in turn, over the store in memory: rounds without number, and hours without waiting for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use deconflict_platform as platform;
use deconflict_platform::clock::{Clock, ManualClock, SystemClock};
use deconflict_protocol::{Naming, ProcessRecord, Resource, ResourceType, SessionId, Want};
use deconflict_registry::{Memory, NewSession, Registry, Step, Taken, Taker, Terms, Turn, Waiter, named_process};

fn named(name: &str) -> Resource {
    Resource::new(ResourceType::resource(), name).unwrap()
}

fn registry(clock: Arc<dyn Clock>) -> Registry<Memory> {
    Registry::over(Memory::new(clock.clone(), Naming::default()), clock)
}

fn register(registry: &Registry<Memory>) -> SessionId {
    registry.register(NewSession::default()).unwrap().id
}

/// Somebody's wants, as a command has them.
struct Person<'a> {
    session: SessionId,
    terms: Terms,
    process: ProcessRecord,
    wants: Vec<Want>,
    registry: &'a Registry<Memory>,
}

impl<'a> Person<'a> {
    fn new(registry: &'a Registry<Memory>, wants: &[&str]) -> Self {
        let process = named_process(&platform::current_process(), None);
        let terms = Terms { process: Some(process.clone()), ..Terms::default() };
        let wants = wants.iter().map(|name| Want::one(&named(name))).collect();
        Self { session: register(registry), terms, process, wants, registry }
    }

    fn taker(&self) -> Taker<'_> {
        Taker {
            session: &self.session,
            arriving: None,
            predecessor: None,
            wants: &self.wants,
            terms: &self.terms,
            held: &[],
            process: &self.process,
            is_usable: &|_| true,
        }
    }

    fn release(&self, taken: Vec<Vec<Taken>>) {
        for one in taken.into_iter().flatten() {
            let Taken::Granted(granted) = one else { panic!("{one:?}") };
            self.registry.release_holding(&granted.claim.holding().unwrap()).unwrap();
        }
    }

    fn waiter(&self) -> Waiter<'_, Memory> {
        Waiter::new(self.registry, self.taker())
    }
}

fn taken(turn: Turn) -> Vec<Vec<Taken>> {
    match turn {
        Turn::Taken(taken) => taken,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_who_want_the_same_two_in_both_orders_never_wait_for_ever() {
    const ROUNDS: usize = 2_500;
    let registry = registry(Arc::new(SystemClock::new()));
    let inside = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for wants in [["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]] {
            let (registry, inside) = (&registry, &inside);
            scope.spawn(move || {
                let person = Person::new(registry, &wants);
                for round in 0..ROUNDS {
                    let mut waiter = person.waiter();
                    let mut turn = waiter.begin().unwrap();
                    for _ in 0..60 {
                        // Where this process was paused, a wait is over before anything could happen.
                        let Turn::Queued(_) = turn else { break };
                        if let Step::Turn(next) = waiter.wait(Duration::from_secs(1)).unwrap() {
                            turn = next;
                        }
                    }
                    let Turn::Taken(taken) = turn else { panic!("round {round}: {turn:?}") };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone");
                    inside.fetch_sub(1, Ordering::SeqCst);
                    person.release(taken);
                }
            });
        }
    });
    assert!(registry.tickets().unwrap().is_empty());
    assert!(registry.claims().unwrap().is_empty());
}

#[test]
fn a_ticket_for_several_lets_others_pass_for_ten_minutes() {
    let clock = Arc::new(ManualClock::new(Utc::now()));
    let registry = registry(clock.clone());
    let (holder, several, other) =
        (Person::new(&registry, &["a"]), Person::new(&registry, &["a", "b"]), Person::new(&registry, &["b"]));
    let a = taken(registry.take(&holder.taker()).unwrap());
    let mut waiting = several.waiter();
    assert!(matches!(waiting.begin().unwrap(), Turn::Queued(_)));

    let b = taken(registry.take(&other.taker()).unwrap());
    other.release(b);
    clock.advance(TimeDelta::minutes(11).to_std().unwrap());
    let Turn::Queued(queued) = registry.take(&other.taker()).unwrap() else { panic!("it is kept for who waits") };
    assert_eq!(queued.ahead, std::slice::from_ref(&several.session));
    assert!(queued.obstacles.is_empty());

    holder.release(a);
    // What is free is the turn of who came first, and not the turn of who asks first.
    assert!(matches!(registry.take(&holder.taker()).unwrap(), Turn::Queued(_)));
    let Step::Turn(turn) = waiting.wait(Duration::from_secs(30)).unwrap() else { panic!() };
    several.release(taken(turn));
    drop(waiting);
    let b = taken(registry.take(&other.taker()).unwrap());
    other.release(b);
}

#[test]
fn places_are_given_out_one_by_one_and_a_session_that_ended_keeps_what_its_command_uses() {
    let registry = registry(Arc::new(SystemClock::new()));
    let mut people: Vec<Person> = (0..4).map(|_| Person::new(&registry, &[])).collect();
    for person in &mut people {
        person.wants = vec![Want::places(&named("emulator"), 3, 1)];
    }
    let mut names = Vec::new();
    for person in &people[..3] {
        for one in taken(registry.take(&person.taker()).unwrap()).remove(0) {
            let Taken::Granted(granted) = one else { panic!("{one:?}") };
            names.push(granted.claim.resource.name().to_owned());
        }
    }
    assert_eq!(names, ["emulator", "emulator#2", "emulator#3"]);
    registry.complete(&people[0].session, &deconflict_registry::Completion::default()).unwrap();
    let Turn::Queued(queued) = registry.take(&people[3].taker()).unwrap() else { panic!("its process runs") };
    assert_eq!(queued.obstacles.len(), 3);
}

#[test]
fn an_edit_sees_holders_only() {
    let registry = registry(Arc::new(SystemClock::new()));
    let file = Resource::file("a.rs").unwrap();
    let mut person = Person::new(&registry, &[]);
    person.wants = vec![Want::one(&file), Want::one(&named("db"))];
    let holder = Person::new(&registry, &["db"]);
    let db = taken(registry.take(&holder.taker()).unwrap());
    let mut waiter = person.waiter();
    assert!(matches!(waiter.begin().unwrap(), Turn::Queued(_)));
    let editor = register(&registry);
    let terms = Terms { automatic: true, ..Terms::default() };
    let claimed = registry.claim(&editor, &file, &terms).unwrap();
    assert!(matches!(claimed, deconflict_registry::ClaimOutcome::Granted { .. }), "{claimed:?}");
    holder.release(db);
    waiter.leave().unwrap();
    assert!(registry.tickets().unwrap().is_empty());
}
