//! What many processes asked and were told, in the order in which it happened, and whether one thing after another
//! could have given the same answers.

use std::collections::HashSet;

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use super::specification::{Answer, Claims, FOLDER, Operation, RESOURCES};

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
}

/// Something that was asked, with its answer unless the process was killed before it got it.
#[derive(Debug, Clone, Copy)]
struct Step {
    invoked: i64,
    returned: Option<i64>,
    operation: Operation,
    answer: Option<Answer>,
}

impl History {
    /// Begins when the time of day was this, in milliseconds.
    pub(crate) fn new(started_at: i64) -> Self {
        Self { started_at, events: Vec::new() }
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
    ///
    /// The tester decides. It tries the orders one after another, which would take it ages for some histories, and
    /// the first is the one that its participants are numbered in: so every step is given a participant of its own,
    /// numbered in an order that a search of ours proposes. Where that finds none there is none.
    pub(crate) fn is_linearizable(&self) -> bool {
        let steps = self.steps();
        let Some(order) = proposed_order(&steps, &Claims::at(self.started_at)) else { return false };
        assert!(self.is_consistent(&steps, &order), "the tester accepts the order {order:?} of {steps:#?}");
        true
    }

    /// What the tester says with no order proposed. It may take very long unless the history is short.
    pub(crate) fn is_linearizable_in_any_order(&self) -> bool {
        let steps = self.steps();
        self.is_consistent(&steps, &(0..steps.len()).collect::<Vec<_>>())
    }

    fn is_consistent(&self, steps: &[Step], order: &[usize]) -> bool {
        let mut tester = LinearizabilityTester::new(Claims::at(self.started_at));
        // At one instant, what was asked counts as asked before what was answered was answered: they overlap.
        let mut instants: Vec<(i64, bool, usize)> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            instants.push((step.invoked, false, at));
            instants.extend(step.returned.map(|returned| (returned, true, at)));
        }
        instants.sort_unstable();
        for (_, is_answer, at) in instants {
            let participant = order.iter().position(|step| *step == at).unwrap_or(order.len() + at);
            match steps[at].answer.filter(|_| is_answer) {
                Some(answer) => drop(tester.on_return(participant, answer).unwrap()),
                None => drop(tester.on_invoke(participant, steps[at].operation).unwrap()),
            }
        }
        tester.is_consistent()
    }

    fn steps(&self) -> Vec<Step> {
        let mut events = self.events.clone();
        events.sort_by_key(|(at, _, event)| (*at, matches!(event, Event::Returned(_))));
        let mut steps = Vec::new();
        for (position, (invoked, who, event)) in events.iter().enumerate() {
            let Event::Invoked(operation) = *event else { continue };
            let answer = events[position + 1..].iter().find_map(|(at, other, event)| match event {
                Event::Returned(answer) if other == who => Some((*at, *answer)),
                _ => None,
            });
            let (returned, answer) = answer.unzip();
            let parts = if answer.is_none() { parts_of(&operation) } else { Vec::new() };
            let step = |operation| Step { invoked: *invoked, returned, operation, answer };
            steps.extend(parts.into_iter().map(step));
            steps.push(step(operation));
        }
        steps
    }
}

/// What a claim does before it takes effect: of these, a process that is killed may have done any.
fn parts_of(operation: &Operation) -> Vec<Operation> {
    let Operation::Claim { session, resource, force, .. } = *operation else { return Vec::new() };
    let overlapping = (0..RESOURCES).filter(|other| *other != resource && [*other, resource].contains(&FOLDER));
    overlapping.map(|resource| Operation::Displace { by: session, resource, force }).collect()
}

/// An order in which the steps give their answers, with those left out that had no effect; `None` if there is none.
/// No state of the same steps is looked at twice.
fn proposed_order(steps: &[Step], start: &Claims) -> Option<Vec<usize>> {
    assert!(steps.len() <= 128, "a set of steps has 128 places");
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    extend(steps, &mut order, 0, start, &mut seen).then_some(order)
}

fn extend(
    steps: &[Step],
    order: &mut Vec<usize>,
    done: u128,
    state: &Claims,
    seen: &mut HashSet<(u128, Claims)>,
) -> bool {
    let open = || steps.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
    // Nothing comes before what was answered before it was asked.
    let Some(horizon) = open().filter_map(|(_, step)| step.returned).min() else { return true };
    if !seen.insert((done, state.clone())) {
        return false;
    }
    for (at, step) in open().filter(|(_, step)| step.invoked <= horizon) {
        let mut next = state.clone();
        let is_possible = if let Some(answer) = &step.answer {
            next.is_valid_step(&step.operation, answer)
        } else {
            next.invoke(&step.operation);
            true
        };
        if is_possible {
            order.push(at);
            if extend(steps, order, done | (1 << at), &next, seen) {
                return true;
            }
            order.pop();
        }
    }
    false
}
