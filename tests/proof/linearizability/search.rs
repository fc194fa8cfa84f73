//! Whether what was answered could have been answered one after another.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// Something that was asked, with its answer unless whoever asked was killed before they got it. Times are of a clock that
/// all share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<Op, Ret> {
    pub(crate) who: u32,
    pub(crate) invoked: i64,
    pub(crate) returned: Option<i64>,
    pub(crate) operation: Op,
    pub(crate) answer: Option<Ret>,
}

/// A machine that does one thing after another, and can be told from one in another state.
pub(crate) trait Machine:
    SequentialSpec<Op: Copy + Debug, Ret: Copy + Debug + PartialEq> + Clone + Eq + Hash
{
}

impl<S: SequentialSpec<Op: Copy + Debug, Ret: Copy + Debug + PartialEq> + Clone + Eq + Hash> Machine for S {}

/// True if the answers could have been given one after another, in an order that keeps what ended before something else
/// began before it.
///
/// The tester decides. It tries the orders one after another, which would take it ages for some histories, and the first is
/// the one that its participants are numbered in: so every step is given a participant of its own, numbered in an order
/// that a search of ours proposes. Where that finds none there is none.
pub(crate) fn is_linearizable<S: Machine>(steps: &[Step<S::Op, S::Ret>], start: &S) -> bool {
    let Some(order) = proposed_order(steps, start) else { return false };
    let participant = |at: usize| order.iter().position(|step| *step == at).unwrap_or(order.len() + at);
    assert!(is_consistent(steps, start.clone(), participant), "the tester accepts the order {order:?} of {steps:#?}");
    true
}

/// What the tester says, with its participants numbered like this.
pub(crate) fn is_consistent<S: Machine>(
    steps: &[Step<S::Op, S::Ret>],
    start: S,
    participant: impl Fn(usize) -> usize,
) -> bool {
    let mut tester = LinearizabilityTester::new(start);
    // At one instant, what was asked counts as asked before what was answered was answered: they overlap.
    let mut instants: Vec<(i64, bool, usize)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        instants.push((step.invoked, false, at));
        instants.extend(step.returned.map(|returned| (returned, true, at)));
    }
    instants.sort_unstable();
    for (_, is_answer, at) in instants {
        let participant = participant(at);
        match steps[at].answer.filter(|_| is_answer) {
            Some(answer) => drop(tester.on_return(participant, answer).unwrap()),
            None => drop(tester.on_invoke(participant, steps[at].operation).unwrap()),
        }
    }
    tester.is_consistent()
}

/// An order in which the steps give their answers, with those left out that had no effect; `None` if there is none.
/// No state of the same steps is looked at twice.
fn proposed_order<S: Machine>(steps: &[Step<S::Op, S::Ret>], start: &S) -> Option<Vec<usize>> {
    assert!(steps.len() <= 128, "a set of steps has 128 places");
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    extend(steps, &mut order, 0, start, &mut seen).then_some(order)
}

fn extend<S: Machine>(
    steps: &[Step<S::Op, S::Ret>],
    order: &mut Vec<usize>,
    done: u128,
    state: &S,
    seen: &mut HashSet<(u128, S)>,
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
