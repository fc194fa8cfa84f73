//! What claims promise, as a machine that does one thing after another: the checker looks for an order of what many
//! processes did at the same time in which this machine gives every answer that they got.
//!
//! Its rules are those of the protocol page, "Claims", and not those of the code. The first one decides most: a claim
//! that overlaps another session's is refused, in both directions. Whoever comes to hold something counts as the
//! claimant, whatever it came by: a recipient's others are everybody but itself, the giver included. What is not active
//! any more gives way to whoever comes to hold what overlaps it, so it never counts again.

use serde::{Deserialize, Serialize};
use stateright::semantics::SequentialSpec;

/// Something that is claimed: a type, and where it is, folder by folder.
pub(crate) struct Thing {
    pub(crate) kind: &'static str,
    pub(crate) path: &'static [&'static str],
}

/// How many things there are.
pub(crate) const THINGS: usize = 7;

/// A folder with files, a folder in it, and a folder further down that nobody claims; beside it one whose name only
/// begins alike.
pub(crate) const TREE: [Thing; THINGS] = [
    Thing { kind: "directory", path: &["top"] },
    Thing { kind: "directory", path: &["top", "inner"] },
    Thing { kind: "file", path: &["top", "one"] },
    Thing { kind: "file", path: &["top", "inner", "two"] },
    Thing { kind: "file", path: &["top", "inner", "deep", "three"] },
    Thing { kind: "directory", path: &["top-beside"] },
    Thing { kind: "file", path: &["top-beside", "four"] },
];

/// True if holding one excludes others from the other.
pub(crate) fn overlaps(one: usize, other: usize) -> bool {
    let contains = |above: &Thing, below: &Thing| above.kind == "directory" && below.path.starts_with(above.path);
    one == other || contains(&TREE[one], &TREE[other]) || contains(&TREE[other], &TREE[one])
}

/// How much longer a claim of a session on another machine is respected, and how much earlier holders cease to rely on
/// their own where another machine takes part, as one always does here.
const OTHER_CLOCK: i64 = 60_000;

/// The lease of what is handed off.
const FOUR_HOURS: i64 = 4 * 60 * 60 * 1_000;

/// A session's number. Every fourth says that it works on another machine, where nobody here can see its process.
pub(crate) type Session = u32;

pub(crate) fn is_elsewhere(session: Session) -> bool {
    session % 4 == 3
}

/// What a session asks for, or what happens to it. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Claim {
        session: Session,
        resource: usize,
        lease: i64,
        force: bool,
    },
    Renew {
        session: Session,
        resource: usize,
        generation: u64,
        lease: i64,
    },
    Release {
        session: Session,
        resource: usize,
    },
    HandOff {
        session: Session,
        resource: usize,
        to: Session,
    },
    /// What is claimed gets another name, and the claim follows.
    Move {
        session: Session,
        resource: usize,
        generation: u64,
        to: usize,
    },
    Look {
        resource: usize,
    },
    /// The first half of a take-over: what is in the way is ended, one after another.
    Displace {
        by: Session,
        resource: usize,
        force: bool,
    },
    /// The first half of a move: the new place is held and the old one not yet free.
    Arrive {
        session: Session,
        resource: usize,
        generation: u64,
        to: usize,
    },
    /// The process of a session is killed.
    Die {
        session: Session,
    },
    /// Another process goes on with a session whose process was killed.
    Resume {
        session: Session,
    },
    /// The time of day jumps.
    SetClock {
        now: i64,
    },
}

/// What it was told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Granted {
        generation: u64,
        expires: i64,
    },
    AlreadyHeld {
        generation: u64,
        expires: i64,
    },
    /// This claim is in the way.
    Refused {
        by: Session,
        resource: usize,
    },
    Renewed {
        expires: i64,
    },
    Lost,
    Released,
    NotHolder {
        by: Session,
    },
    NotFound,
    HandedOff {
        generation: u64,
        expires: i64,
    },
    RecipientNotLive,
    Moved {
        generation: u64,
        expires: i64,
    },
    /// This claim is in the way of a move, so the old place was given up and nothing is held instead.
    NotMoved {
        by: Session,
        resource: usize,
    },
    Active(Option<Session>),
    /// The lock was busy for too long, so that nothing was changed.
    Busy,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    session: Session,
    /// Zero where whoever made it was not told, or died before it could say.
    generation: u64,
    /// It is greater than this.
    later_than: u64,
    expires: i64,
}

impl Slot {
    fn is_holding(&self, session: Session, generation: u64) -> bool {
        let is_it = self.generation == generation || self.generation == 0 && generation > self.later_than;
        self.session == session && is_it
    }
}

/// All that is known of the resources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Claims {
    now: i64,
    /// Every time of day that there will be.
    times: Vec<i64>,
    slots: [Option<Slot>; THINGS],
    dead: Vec<Session>,
    last_generation: u64,
    /// The store's own clock ends leases, and nobody's time of day does.
    is_timed_by_store: bool,
}

impl Claims {
    /// Begins at this time of day, which later jumps to these others.
    pub(crate) fn new(now: i64, mut times: Vec<i64>, is_timed_by_store: bool) -> Self {
        times.push(now);
        Self { now, times, slots: [None; THINGS], dead: Vec::new(), last_generation: 0, is_timed_by_store }
    }

    fn is_dead(&self, session: Session) -> bool {
        !is_elsewhere(session) && self.dead.contains(&session)
    }

    fn is_active(&self, slot: &Slot) -> bool {
        let respect = if is_elsewhere(slot.session) { OTHER_CLOCK } else { 0 };
        (self.is_timed_by_store || self.now < slot.expires + respect) && !self.is_dead(slot.session)
    }

    /// True if a holder that is told of this end may rely on its claim.
    fn is_in_time(&self, expires: i64) -> bool {
        self.is_timed_by_store || self.now < expires - OTHER_CLOCK
    }

    /// True if a lease that was just given ends then. The time of day may have jumped between the decision and that.
    fn is_lease(&self, expires: i64, lease: i64) -> bool {
        self.times.contains(&(expires - lease))
    }

    fn is_held(&self, session: Session, resource: usize) -> bool {
        self.slots[resource].is_some_and(|slot| slot.session == session)
    }

    /// The holding of this number, if it still stands.
    fn holding(&self, session: Session, resource: usize, generation: u64) -> Option<Slot> {
        self.slots[resource].filter(|slot| slot.is_holding(session, generation))
    }

    /// What keeps a session from coming to hold a resource: claims of others that overlap it and are active. What is
    /// handed to it is not among them.
    fn in_the_way(&self, session: Session, resource: usize, given: Option<usize>) -> Vec<(usize, Session)> {
        let claims = self.slots.iter().enumerate().filter_map(|(at, slot)| Some((at, (*slot)?)));
        let counts = |(at, slot): &(usize, Slot)| {
            slot.session != session && Some(*at) != given && overlaps(*at, resource) && self.is_active(slot)
        };
        claims.filter(counts).map(|(at, slot)| (at, slot.session)).collect()
    }

    fn may_hold(&self, session: Session, resource: usize) -> bool {
        self.in_the_way(session, resource, None).is_empty()
    }

    /// A session comes to hold a resource, which ends all that others have of it.
    fn hold(&mut self, session: Session, resource: usize, generation: u64, expires: i64) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if overlaps(at, resource) && slot.is_some_and(|slot| slot.session != session) {
                *slot = None;
            }
        }
        let later_than = self.last_generation;
        self.slots[resource] = Some(Slot { session, generation, later_than, expires });
        self.last_generation = self.last_generation.max(generation);
    }

    /// The claim of a file that moved, at its new place.
    fn arrive(&mut self, session: Session, resource: usize, generation: u64, to: usize) {
        if let Some(moved) = self.holding(session, resource, generation).filter(|_| self.may_hold(session, to)) {
            self.hold(session, to, 0, moved.expires);
        }
    }
}

impl SequentialSpec for Claims {
    type Op = Operation;
    type Ret = Answer;

    /// Takes effect without anybody knowing what the answer was: for processes that were killed meanwhile.
    fn invoke(&mut self, operation: &Operation) -> Answer {
        match *operation {
            Operation::Claim { session, resource, lease, force } => {
                if force || self.may_hold(session, resource) {
                    // Whoever has it already goes on with the same holding.
                    let held = self.slots[resource].filter(|slot| slot.session == session);
                    self.hold(session, resource, 0, self.now + lease);
                    if let (Some(held), Some(slot)) = (held, &mut self.slots[resource]) {
                        (slot.generation, slot.later_than) = (held.generation, held.later_than);
                    }
                }
            }
            Operation::Renew { session, resource, generation, lease } => {
                if self.holding(session, resource, generation).is_some() && self.may_hold(session, resource) {
                    self.hold(session, resource, generation, self.now + lease);
                }
            }
            Operation::Release { session, resource } => {
                if self.is_held(session, resource) {
                    self.slots[resource] = None;
                }
            }
            Operation::HandOff { session, resource, to } => {
                let may_go = self.in_the_way(to, resource, Some(resource)).is_empty() && !self.is_dead(to);
                if self.is_held(session, resource) && may_go {
                    self.hold(to, resource, 0, self.now + FOUR_HOURS);
                }
            }
            Operation::Move { session, resource, generation, to } => {
                if self.holding(session, resource, generation).is_some() {
                    self.arrive(session, resource, generation, to);
                    self.slots[resource] = None;
                }
            }
            Operation::Arrive { session, resource, generation, to } => self.arrive(session, resource, generation, to),
            Operation::Displace { by, resource, force } => {
                if self.slots[resource].is_some_and(|slot| slot.session != by && (force || !self.is_active(&slot))) {
                    self.slots[resource] = None;
                }
            }
            Operation::Look { .. } => {}
            Operation::Die { session } => self.dead.push(session),
            Operation::Resume { session } => self.dead.retain(|dead| *dead != session),
            Operation::SetClock { now } => self.now = now,
        }
        Answer::Done
    }

    fn is_valid_step(&mut self, operation: &Operation, answer: &Answer) -> bool {
        if *answer == Answer::Busy {
            return true;
        }
        match (*operation, *answer) {
            (Operation::Claim { session, resource, lease, force }, Answer::Granted { generation, expires }) => {
                let is_valid = !self.is_held(session, resource)
                    && (force || self.may_hold(session, resource))
                    && generation > self.last_generation
                    && self.is_lease(expires, lease);
                self.hold(session, resource, generation, expires);
                is_valid
            }
            (Operation::Claim { session, resource, lease, force }, Answer::AlreadyHeld { generation, expires }) => {
                let is_valid = self.holding(session, resource, generation).is_some()
                    && (force || self.may_hold(session, resource))
                    && self.is_lease(expires, lease);
                self.hold(session, resource, generation, expires);
                is_valid
            }
            (Operation::Claim { session, resource, force, .. }, Answer::Refused { by, resource: held }) => {
                !force && self.in_the_way(session, resource, None).contains(&(held, by))
            }
            (Operation::Renew { session, resource, generation, lease }, Answer::Renewed { expires }) => {
                let Some(own) = self.holding(session, resource, generation) else { return false };
                let is_valid = self.may_hold(session, resource)
                    && (expires == own.expires || self.is_lease(expires, lease))
                    && self.is_in_time(expires);
                self.hold(session, resource, generation, expires);
                is_valid
            }
            (Operation::Renew { session, resource, generation, .. }, Answer::Lost) => {
                self.holding(session, resource, generation).is_none() || !self.may_hold(session, resource)
            }
            (Operation::Release { session, resource }, Answer::Released) => {
                let is_valid = self.is_held(session, resource);
                self.slots[resource] = None;
                is_valid
            }
            (Operation::HandOff { session, resource, to }, Answer::HandedOff { generation, expires }) => {
                let is_valid = self.is_held(session, resource)
                    && self.in_the_way(to, resource, Some(resource)).is_empty()
                    && !self.is_dead(to)
                    && generation > self.last_generation
                    && self.is_lease(expires, FOUR_HOURS);
                self.hold(to, resource, generation, expires);
                is_valid
            }
            (Operation::HandOff { session, resource, to }, Answer::Refused { by, resource: held }) => {
                self.is_held(session, resource) && self.in_the_way(to, resource, Some(resource)).contains(&(held, by))
            }
            (Operation::HandOff { session, resource, to }, Answer::RecipientNotLive) => {
                self.is_held(session, resource) && self.is_dead(to)
            }
            (
                Operation::Release { session, resource } | Operation::HandOff { session, resource, .. },
                Answer::NotHolder { by },
            ) => by != session && self.is_held(by, resource),
            (Operation::Release { resource, .. } | Operation::HandOff { resource, .. }, Answer::NotFound) => {
                self.slots[resource].is_none()
            }
            (Operation::Move { session, resource, generation, to }, Answer::Moved { generation: new, expires }) => {
                let Some(own) = self.holding(session, resource, generation) else { return false };
                let is_valid = self.may_hold(session, to) && new > self.last_generation && expires == own.expires;
                self.slots[resource] = None;
                self.hold(session, to, new, expires);
                is_valid
            }
            (Operation::Move { session, resource, generation, to }, Answer::NotMoved { by, resource: held }) => {
                let is_valid = self.holding(session, resource, generation).is_some()
                    && self.in_the_way(session, to, None).contains(&(held, by));
                self.slots[resource] = None;
                is_valid
            }
            (Operation::Move { session, resource, generation, .. }, Answer::Lost) => {
                self.holding(session, resource, generation).is_none()
            }
            (Operation::Look { resource }, Answer::Active(holder)) => {
                self.slots[resource].filter(|slot| self.is_active(slot)).map(|slot| slot.session) == holder
            }
            (
                Operation::Die { .. }
                | Operation::Resume { .. }
                | Operation::SetClock { .. }
                // The store ended what lasted for too long.
                | Operation::Displace { .. },
                Answer::Done,
            ) => {
                self.invoke(operation);
                true
            }
            _ => false,
        }
    }
}
