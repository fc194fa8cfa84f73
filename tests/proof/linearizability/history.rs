//! What many processes asked and were told, in the order in which it happened, and whether one thing after another
//! could have given the same answers.

use super::search::{is_consistent, is_linearizable};
use super::specification::{Answer, Claims, Operation, Session, THINGS, TREE, overlaps};
use crate::invariant::{Beliefs, Span, Thing};

/// Whoever sets the clock and kills is a participant too.
pub(crate) const CONDUCTOR: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Invoked(Operation),
    Returned(Answer),
}

/// One round: all that was asked and answered about one set of resources that were free before.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) started_at: i64,
    events: Vec<(i64, u32, Event)>,
    /// What is not answered took effect as a whole or not at all.
    pub(crate) is_whole: bool,
    /// The store's own clock ends leases.
    pub(crate) is_timed_by_store: bool,
    /// Two sessions that hold what overlaps on disk, when all have done what they did.
    pub(crate) left: Option<String>,
}

type Step = super::search::Step<Operation, Answer>;

impl History {
    /// Begins when the time of day was this, in milliseconds.
    pub(crate) fn new(started_at: i64) -> Self {
        Self { started_at, events: Vec::new(), is_whole: false, is_timed_by_store: false, left: None }
    }

    /// Adds what a participant asked or was told, with the time of a clock that all of them share.
    pub(crate) fn add(&mut self, at: i64, who: u32, event: Event) {
        self.events.push((at, who, event));
    }

    /// How many operations were asked for.
    pub(crate) fn operations(&self) -> usize {
        self.events.iter().filter(|(.., event)| matches!(event, Event::Invoked(_))).count()
    }

    /// How many answers were of a kind.
    pub(crate) fn count(&self, is_it: impl Fn(&Answer) -> bool) -> usize {
        self.events.iter().filter(|(.., event)| matches!(event, Event::Returned(answer) if is_it(answer))).count()
    }

    /// True if the answers could have been given one after another, in an order that keeps what ended before
    /// something else began before it. What a killed process asked for last may have taken effect, or not, or, where
    /// it had to take several claims out of its way, in part.
    pub(crate) fn is_linearizable(&self) -> bool {
        is_linearizable(&self.steps(), &self.beginning())
    }

    /// What the sessions were told of what they hold, for the invariant that knows nothing of the specification.
    pub(crate) fn beliefs(&self) -> Beliefs {
        let mut beliefs = Beliefs::default();
        beliefs.clock_is_set(Span { asked: 0, answered: 0 }, self.started_at);
        let steps: Vec<Step> = self.asked().collect();
        let seen_dead = |step: &Step| {
            let deaths = steps.iter().filter(|death| matches!(death.operation, Operation::Die { .. }));
            deaths.filter_map(|death| death.returned).find(|returned| *returned > step.invoked)
        };
        // What was not answered may take effect until the end.
        let end = self.events.iter().map(|(at, ..)| *at).max().unwrap_or_default() + 1;
        for step in &steps {
            let answered = step.returned.or_else(|| seen_dead(step)).or(self.is_whole.then_some(end));
            let answered = answered.expect("only the dead do not answer");
            let when = Span { asked: step.invoked, answered };
            match (step.operation, step.answer) {
                (
                    Operation::Claim { session, resource, force, .. },
                    Some(Answer::Granted { expires, .. } | Answer::AlreadyHeld { expires, .. }),
                ) => {
                    beliefs.told(when, &name(session), thing(resource), expires);
                    if force {
                        beliefs.forces(when, &name(session), thing(resource));
                    }
                }
                (Operation::Claim { session, resource, force: true, .. }, None) => {
                    beliefs.forces(when, &name(session), thing(resource));
                }
                (Operation::Renew { session, resource, .. }, Some(Answer::Renewed { expires })) => {
                    beliefs.told(when, &name(session), thing(resource), expires);
                }
                (Operation::HandOff { session, resource, to }, answer) => {
                    beliefs.gives_up(when, &name(session), Some(thing(resource)));
                    if let Some(Answer::HandedOff { expires, .. }) = answer {
                        beliefs.told(when, &name(to), thing(resource), expires);
                    }
                }
                (Operation::Move { session, resource, to, .. }, answer) => {
                    beliefs.gives_up(when, &name(session), Some(thing(resource)));
                    // What it holds at the new place, if it held that before, is under the terms of what moved.
                    beliefs.gives_up(when, &name(session), Some(thing(to)));
                    if let Some(Answer::Moved { expires, .. }) = answer {
                        beliefs.told(when, &name(session), thing(to), expires);
                    }
                }
                (Operation::Release { session, resource }, _) => {
                    beliefs.gives_up(when, &name(session), Some(thing(resource)));
                }
                (Operation::Die { session }, _) => beliefs.gives_up(when, &name(session), None),
                (Operation::SetClock { now }, _) => beliefs.clock_is_set(when, now),
                _ => {}
            }
        }
        beliefs
    }

    /// What the tester says with no order proposed; `None` where that would take very long, because somebody was killed.
    pub(crate) fn is_linearizable_in_any_order(&self) -> Option<bool> {
        let steps = self.steps();
        let is_all_answered = steps.iter().all(|step| step.answer.is_some());
        is_all_answered.then(|| is_consistent(&steps, self.beginning(), |at| steps[at].who as usize))
    }

    fn beginning(&self) -> Claims {
        let time = |(_, _, event): &(i64, u32, Event)| match event {
            Event::Invoked(Operation::SetClock { now }) => Some(*now),
            _ => None,
        };
        Claims::new(self.started_at, self.events.iter().filter_map(time).collect(), self.is_timed_by_store)
    }

    /// What was asked, in the order of asking, with its answer.
    fn asked(&self) -> impl Iterator<Item = Step> {
        let mut events = self.events.clone();
        events.sort_by_key(|(at, _, event)| (*at, matches!(event, Event::Returned(_))));
        let answer_to = |position: usize| {
            let who = events[position].1;
            events[position + 1..].iter().find_map(|(at, other, event)| match event {
                Event::Returned(answer) if *other == who => Some((*at, *answer)),
                _ => None,
            })
        };
        let step = |position: usize| {
            let (invoked, who, Event::Invoked(operation)) = events[position] else { return None };
            let (returned, answer) = answer_to(position).unzip();
            Some(Step { who, invoked, returned, operation, answer })
        };
        (0..events.len()).filter_map(step).collect::<Vec<_>>().into_iter()
    }

    /// The same, with the parts of what was never answered as steps of their own.
    fn steps(&self) -> Vec<Step> {
        let with_parts = |step: Step| {
            let parts = if step.answer.is_none() && !self.is_whole { parts_of(&step.operation) } else { Vec::new() };
            parts.into_iter().map(move |operation| Step { operation, ..step }).chain([step])
        };
        let asked: Vec<Step> = self.asked().collect();
        let is_certain = |step: &&Step| !may_have_seen_half(step, &asked);
        asked.iter().filter(is_certain).copied().flat_map(with_parts).collect()
    }
}

/// True for a look, which takes no lock, that may have come between the writes of one change: where a take-over ended
/// some of the claims in its way and not yet all, or where a claim that moves stands at both places.
fn may_have_seen_half(look: &Step, asked: &[Step]) -> bool {
    let ended = |step: &Step| step.returned.unwrap_or(i64::MAX);
    let is_meanwhile = |step: &Step| step.invoked <= ended(look) && look.invoked <= ended(step);
    let is_moving = |step: &Step| matches!(step.operation, Operation::Move { .. }) && is_meanwhile(step);
    matches!(look.operation, Operation::Look { .. })
        && (look.answer == Some(Answer::Active(None)) || asked.iter().any(is_moving))
}

fn name(session: Session) -> String {
    format!("session {session}")
}

fn thing(at: usize) -> Thing {
    Thing::new(TREE[at].kind, &TREE[at].path.join("/"))
}

/// What is done before an operation takes effect: of these, a process that is killed may have done any.
fn parts_of(operation: &Operation) -> Vec<Operation> {
    let displacing = |by: Session, wanted: usize, force: bool| {
        let in_the_way = (0..THINGS).filter(move |other| *other != wanted && overlaps(*other, wanted));
        in_the_way.map(move |resource| Operation::Displace { by, resource, force })
    };
    match *operation {
        Operation::Claim { session, resource, force, .. } => displacing(session, resource, force).collect(),
        Operation::Renew { session, resource, .. } => displacing(session, resource, false).collect(),
        Operation::HandOff { resource, to, .. } => displacing(to, resource, false).collect(),
        Operation::Move { session, resource, generation, to } => {
            displacing(session, to, false).chain([Operation::Arrive { session, resource, generation, to }]).collect()
        }
        _ => Vec::new(),
    }
}
