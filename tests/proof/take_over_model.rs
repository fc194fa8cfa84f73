//! The protocol of claiming and taking over, tried in every order in which its steps can happen.
//!
//! A session locks, reads the claim, judges it by its own clock, writes, unlocks, and believes that it holds until its
//! own clock says that the lease ends. At any of these points it may be killed, or be stopped and go on later, while
//! time passes. Sessions on one machine share its clock and see each other's processes; machines' clocks differ.
//! However that goes, no two sessions may believe at the same time that they hold.

use stateright::{Checker, Model, Property};

/// Minutes.
type Minutes = i8;

const LEASE: Minutes = 3;

/// How often the claim changes hands, at most.
const HOLDINGS: u8 = 3;

/// What is left out of the model, to show that it would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Omission {
    Nothing,
    /// Sessions decide and write without the lock.
    Lock,
    /// Sessions read and judge before they lock, not after.
    JudgingUnderLock,
    /// A session that wants to renew writes without looking whether it still holds.
    LookingBeforeRenewing,
    /// Takers respect a claim of another machine no longer than its lease.
    RespectForOtherClocks,
}

#[derive(Debug, Clone)]
struct TakeOver {
    /// The machine of each session, and how far each machine's clock is ahead.
    sessions: Vec<usize>,
    clocks: Vec<Minutes>,
    /// How long before its lease ends a holder stops to believe in it, because others' clocks may be ahead.
    holders_margin: Minutes,
    /// How long after its lease a claim of another machine is respected.
    takers_margin: Minutes,
    longest: Minutes,
    omission: Omission,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Claim {
    by: usize,
    /// The number of this holding.
    generation: u8,
    expires: Minutes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// It wants nothing.
    Idle,
    /// It has read and judged before it locks, which only the faulty protocol does.
    Decided,
    /// It has the lock to claim, or to renew the claim that it believes to hold.
    Locked(Option<Claim>),
    /// It has judged that it may write.
    Judged(Option<Claim>),
    /// It has written this and not yet unlocked.
    Written(Claim),
    /// It was told that it holds.
    Told(Claim),
    Dead,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    time: Minutes,
    lock: Option<usize>,
    claim: Option<Claim>,
    generation: u8,
    phases: Vec<Phase>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    /// The session does its next step. One that is stopped is one that takes no step while time passes.
    Step(usize),
    /// The holder wants a longer lease.
    Renew(usize),
    /// The holder gives up.
    Release(usize),
    Kill(usize),
    TimePasses,
}

impl TakeOver {
    fn clock(&self, state: &State, session: usize) -> Minutes {
        state.time + self.clocks[self.sessions[session]]
    }

    fn believes(&self, state: &State, session: usize) -> bool {
        match state.phases[session] {
            Phase::Told(claim) => self.clock(state, session) < claim.expires - self.holders_margin,
            _ => false,
        }
    }

    /// True if a session may write where this claim stands.
    fn may_take(&self, state: &State, session: usize, claim: Claim) -> bool {
        let is_elsewhere = self.sessions[claim.by] != self.sessions[session];
        if claim.by == session || (!is_elsewhere && state.phases[claim.by] == Phase::Dead) {
            return true;
        }
        let is_respected = is_elsewhere && self.omission != Omission::RespectForOtherClocks;
        let margin = if is_respected { self.takers_margin } else { 0 };
        self.clock(state, session) >= claim.expires + margin
    }

    fn step(&self, state: &mut State, session: usize) -> Option<()> {
        let may_claim = |state: &State| {
            state.generation < HOLDINGS && state.claim.is_none_or(|claim| self.may_take(state, session, claim))
        };
        let lock = |state: &mut State| {
            if self.omission != Omission::Lock {
                if state.lock.is_some() {
                    return None;
                }
                state.lock = Some(session);
            }
            Some(())
        };
        state.phases[session] = match state.phases[session] {
            Phase::Idle if self.omission == Omission::JudgingUnderLock => {
                if !may_claim(state) {
                    return None;
                }
                Phase::Decided
            }
            Phase::Idle => {
                lock(state)?;
                Phase::Locked(None)
            }
            Phase::Decided => {
                lock(state)?;
                Phase::Judged(None)
            }
            Phase::Locked(held) => {
                let may_write = match held {
                    _ if self.omission == Omission::LookingBeforeRenewing && held.is_some() => true,
                    // What lapsed is renewed as long as nobody else took it.
                    Some(held) => state.claim.is_some_and(|claim| claim.generation == held.generation),
                    None => may_claim(state),
                };
                if may_write {
                    Phase::Judged(held)
                } else {
                    state.unlock(session);
                    Phase::Idle
                }
            }
            Phase::Judged(held) => {
                let generation = held.map_or(state.generation + 1, |held| held.generation);
                state.generation = state.generation.max(generation);
                let claim = Claim { by: session, generation, expires: self.clock(state, session) + LEASE };
                state.claim = Some(claim);
                Phase::Written(claim)
            }
            Phase::Written(claim) => {
                state.unlock(session);
                Phase::Told(claim)
            }
            Phase::Told(_) | Phase::Dead => return None,
        };
        Some(())
    }
}

impl State {
    fn unlock(&mut self, session: usize) {
        if self.lock == Some(session) {
            self.lock = None;
        }
    }
}

impl Model for TakeOver {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let phases = vec![Phase::Idle; self.sessions.len()];
        vec![State { time: 0, lock: None, claim: None, generation: 0, phases }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for session in 0..self.sessions.len() {
            actions.extend([Action::Step(session), Action::Kill(session)]);
            actions.extend([Action::Renew(session), Action::Release(session)]);
        }
        if state.time < self.longest {
            actions.push(Action::TimePasses);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Step(session) => self.step(&mut state, session)?,
            Action::Renew(session) => {
                let Phase::Told(claim) = state.phases[session] else { return None };
                // It goes on only when it has the lock, and believes in nothing while it waits for the answer.
                if self.omission != Omission::Lock {
                    if state.lock.is_some() {
                        return None;
                    }
                    state.lock = Some(session);
                }
                state.phases[session] = Phase::Locked(Some(claim));
            }
            Action::Release(session) => {
                let Phase::Told(held) = state.phases[session] else { return None };
                if state.lock.is_some() {
                    return None;
                }
                if state.claim.is_some_and(|claim| claim.generation == held.generation) {
                    state.claim = None;
                }
                state.phases[session] = Phase::Idle;
            }
            Action::Kill(session) => {
                if state.phases[session] == Phase::Dead {
                    return None;
                }
                state.unlock(session);
                state.phases[session] = Phase::Dead;
            }
            Action::TimePasses => state.time += 1,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no two sessions believe that they hold", |model: &Self, state: &State| {
                (0..model.sessions.len()).filter(|session| model.believes(state, *session)).count() <= 1
            }),
            Property::sometimes("what lapsed is taken over", |model: &Self, state: &State| {
                let is_second =
                    |session: &usize| matches!(state.phases[*session], Phase::Told(claim) if claim.generation > 1);
                (0..model.sessions.len()).any(|session| is_second(&session) && model.believes(state, session))
            }),
            Property::sometimes("somebody holds for longer than a lease", |model: &Self, state: &State| {
                (0..model.sessions.len()).any(|session| {
                    matches!(state.phases[session], Phase::Told(claim) if claim.generation == 1)
                        && state.time > LEASE
                        && model.believes(state, session)
                })
            }),
        ]
    }
}

/// Two machines whose clocks may differ by two minutes, as the protocol allows with both margins.
fn model(sessions: &[usize], clocks: &[Minutes]) -> TakeOver {
    TakeOver {
        sessions: sessions.to_vec(),
        clocks: clocks.to_vec(),
        holders_margin: 1,
        takers_margin: 1,
        longest: 8,
        omission: Omission::Nothing,
    }
}

fn check(model: TakeOver) -> impl Checker<TakeOver> {
    model.checker().threads(2).spawn_bfs().join()
}

#[test]
fn no_two_sessions_ever_believe_that_they_hold() {
    let cases: [(&[usize], &[Minutes]); 6] = [
        (&[0, 0], &[0]),
        (&[0, 0, 0], &[0]),
        (&[0, 1], &[0, 2]),
        (&[0, 1], &[2, 0]),
        (&[0, 0, 1], &[0, 2]),
        (&[0, 0, 1], &[2, 0]),
    ];
    for (sessions, clocks) in cases {
        let checker = check(model(sessions, clocks));
        println!("sessions on machines {sessions:?}, clocks {clocks:?}: {} states", checker.unique_state_count());
        checker.assert_properties();
    }
}

/// A taker's margin alone covers clocks that differ by a minute.
#[test]
fn the_takers_margin_alone_covers_a_minute() {
    for clocks in [[0, 1], [1, 0]] {
        check(TakeOver { holders_margin: 0, ..model(&[0, 0, 1], &clocks) }).assert_properties();
    }
    let checker = check(TakeOver { holders_margin: 0, ..model(&[0, 1], &[0, 2]) });
    assert!(checker.discovery("no two sessions believe that they hold").is_some());
}

/// Every part of the protocol is there for a reason, and the model would show if it were not.
#[test]
fn whatever_is_left_out_is_missed() {
    let cases: [(Omission, &[usize], &[Minutes]); 4] = [
        (Omission::Lock, &[0, 0], &[0]),
        (Omission::JudgingUnderLock, &[0, 0], &[0]),
        (Omission::LookingBeforeRenewing, &[0, 0], &[0]),
        (Omission::RespectForOtherClocks, &[0, 1], &[0, 2]),
    ];
    for (omission, sessions, clocks) in cases {
        let checker = check(TakeOver { omission, ..model(sessions, clocks) });
        assert!(checker.discovery("no two sessions believe that they hold").is_some(), "without {omission:?}");
    }
    let checker = check(model(&[0, 1], &[0, 3]));
    assert!(checker.discovery("no two sessions believe that they hold").is_some(), "clocks too far apart");
}
