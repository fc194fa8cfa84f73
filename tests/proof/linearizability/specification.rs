//! What claims promise, as a machine that does one thing after another: the checker looks for an order of what many
//! processes did at the same time in which this machine gives every answer that they got.

use serde::{Deserialize, Serialize};
use stateright::semantics::SequentialSpec;

/// A folder and two files in it. The folder overlaps both files, and these don't overlap each other.
pub(crate) const RESOURCES: usize = 3;
pub(crate) const FOLDER: usize = 0;

/// How much longer a claim of a session on another machine is respected, and how much earlier holders cease to rely on
/// their own where another machine takes part, as one always does here.
const OTHER_CLOCK: i64 = 60_000;

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
    Look {
        resource: usize,
    },
    /// A part of a take-over: whoever takes a folder first removes what is in its way, file by file.
    Displace {
        by: Session,
        resource: usize,
        force: bool,
    },
    /// The process of a session is killed.
    Die {
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
    Active(Option<Session>),
    /// The lock was busy for too long, so that nothing was changed.
    Busy,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    session: Session,
    /// Zero where the process that made it died before it could say.
    generation: u64,
    expires: i64,
}

/// All that is known of the resources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Claims {
    now: i64,
    slots: [Option<Slot>; RESOURCES],
    dead: Vec<Session>,
    last_generation: u64,
}

impl Claims {
    pub(crate) fn at(now: i64) -> Self {
        Self { now, slots: [None; RESOURCES], dead: Vec::new(), last_generation: 0 }
    }

    fn is_active(&self, slot: &Slot) -> bool {
        if is_elsewhere(slot.session) {
            return self.now < slot.expires + OTHER_CLOCK;
        }
        self.now < slot.expires && !self.dead.contains(&slot.session)
    }

    fn is_relied_on(&self, slot: &Slot) -> bool {
        self.is_active(slot) && self.is_in_time(slot.expires)
    }

    /// True if a holder that is told of this end may rely on its claim.
    fn is_in_time(&self, expires: i64) -> bool {
        self.now < expires - OTHER_CLOCK
    }

    fn slot_of(&self, session: Session, resource: usize) -> Option<Slot> {
        self.slots[resource].filter(|slot| slot.session == session)
    }

    /// The claims of others that exclude a session from a resource.
    fn obstacles(&self, session: Session, resource: usize) -> impl Iterator<Item = (usize, Slot)> {
        let others = self.slots.iter().enumerate().filter_map(|(at, slot)| Some((at, (*slot)?)));
        others.filter(move |(at, slot)| overlaps(*at, resource) && slot.session != session && self.is_active(slot))
    }

    /// What overlaps a resource that is given to a session, and would stay with others.
    fn kept_by_others(&self, to: Session, resource: usize) -> impl Iterator<Item = (usize, Slot)> {
        self.obstacles(to, resource).filter(move |(at, _)| *at != resource)
    }

    fn is_excluded(&self, session: Session, resource: usize) -> bool {
        self.obstacles(session, resource).next().is_some()
    }

    /// Removes what others have and what is in the way.
    fn clear(&mut self, session: Session, resource: usize) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if overlaps(at, resource) && slot.is_some_and(|slot| slot.session != session) {
                *slot = None;
            }
        }
    }

    fn hold(&mut self, session: Session, resource: usize, generation: u64, expires: i64) {
        self.slots[resource] = Some(Slot { session, generation, expires });
        self.last_generation = self.last_generation.max(generation);
    }
}

fn overlaps(one: usize, other: usize) -> bool {
    one == other || one == FOLDER || other == FOLDER
}

impl SequentialSpec for Claims {
    type Op = Operation;
    type Ret = Answer;

    /// Takes effect without anybody knowing what the answer was: for processes that were killed meanwhile.
    fn invoke(&mut self, operation: &Operation) -> Answer {
        match *operation {
            Operation::Claim { session, resource, lease, force } => {
                if force || !self.is_excluded(session, resource) {
                    self.clear(session, resource);
                    self.hold(session, resource, 0, self.now + lease);
                }
            }
            Operation::Renew { session, resource, generation, lease } => {
                let now = self.now;
                let is_excluded = self.is_excluded(session, resource);
                if let Some(slot) = &mut self.slots[resource]
                    && (slot.session, slot.generation) == (session, generation)
                    && !is_excluded
                {
                    slot.expires = now + lease;
                }
            }
            Operation::Release { session, resource } => {
                if self.slot_of(session, resource).is_some() {
                    self.slots[resource] = None;
                }
            }
            Operation::HandOff { session, resource, to } => {
                if self.slot_of(session, resource).is_some()
                    && !self.is_excluded(session, resource)
                    && self.kept_by_others(to, resource).next().is_none()
                {
                    self.clear(to, resource);
                    self.hold(to, resource, 0, self.now + FOUR_HOURS);
                }
            }
            Operation::Displace { by, resource, force } => {
                if self.slots[resource].is_some_and(|slot| slot.session != by && (force || !self.is_active(&slot))) {
                    self.slots[resource] = None;
                }
            }
            Operation::Look { .. } => {}
            Operation::Die { session } => self.dead.push(session),
            Operation::SetClock { now } => self.now = now,
        }
        Answer::Done
    }

    fn is_valid_step(&mut self, operation: &Operation, answer: &Answer) -> bool {
        if *answer == Answer::Busy {
            return true;
        }
        match (*operation, *answer) {
            (Operation::Claim { session, resource, force, .. }, Answer::Granted { generation, expires }) => {
                let is_valid = self.slot_of(session, resource).is_none()
                    && (force || !self.is_excluded(session, resource))
                    && generation > self.last_generation;
                self.clear(session, resource);
                self.hold(session, resource, generation, expires);
                is_valid
            }
            (Operation::Claim { session, resource, force, .. }, Answer::AlreadyHeld { generation, expires }) => {
                let own = self.slot_of(session, resource);
                let is_valid = own.is_some_and(|slot| slot.generation == generation || slot.generation == 0)
                    && (force || !self.is_excluded(session, resource));
                self.clear(session, resource);
                self.hold(session, resource, generation, expires);
                is_valid
            }
            (Operation::Claim { session, resource, force, .. }, Answer::Refused { by, resource: held }) => {
                !force && self.obstacles(session, resource).any(|(at, slot)| (at, slot.session) == (held, by))
            }
            (Operation::Renew { session, resource, generation, .. }, answer) => {
                let own = self.slot_of(session, resource).filter(|slot| slot.generation == generation);
                let is_lost = own.is_none_or(|own| !self.is_relied_on(&own) && self.is_excluded(session, resource));
                match answer {
                    Answer::Renewed { expires } if !is_lost => {
                        self.hold(session, resource, generation, expires);
                        self.is_in_time(expires)
                    }
                    Answer::Lost => is_lost,
                    _ => false,
                }
            }
            (Operation::Release { session, resource }, Answer::Released) => {
                let is_valid = self.slot_of(session, resource).is_some();
                self.slots[resource] = None;
                is_valid
            }
            (Operation::HandOff { session, resource, to }, Answer::HandedOff { generation, expires }) => {
                let is_valid = self.slot_of(session, resource).is_some()
                    && !self.is_excluded(session, resource)
                    && self.kept_by_others(to, resource).next().is_none()
                    && (is_elsewhere(to) || !self.dead.contains(&to))
                    && generation > self.last_generation;
                self.clear(to, resource);
                self.hold(to, resource, generation, expires);
                is_valid
            }
            (Operation::HandOff { session, resource, to }, Answer::Refused { by, resource: kept }) => {
                self.slot_of(session, resource).is_some()
                    && self.kept_by_others(to, resource).any(|(at, slot)| (at, slot.session) == (kept, by))
            }
            (Operation::HandOff { session, resource, to }, Answer::RecipientNotLive) => {
                self.slot_of(session, resource).is_some() && self.dead.contains(&to)
            }
            (Operation::Release { session, resource }, Answer::NotHolder { by }) => {
                by != session && self.slot_of(by, resource).is_some()
            }
            (Operation::HandOff { session, resource, .. }, Answer::NotHolder { by }) => {
                let has_it = by != session && self.slot_of(by, resource).is_some();
                has_it || self.obstacles(session, resource).any(|(_, slot)| slot.session == by)
            }
            (Operation::Release { resource, .. } | Operation::HandOff { resource, .. }, Answer::NotFound) => {
                self.slots[resource].is_none()
            }
            (Operation::Look { resource }, Answer::Active(holder)) => {
                self.slots[resource].filter(|slot| self.is_active(slot)).map(|slot| slot.session) == holder
            }
            (operation @ (Operation::Die { .. } | Operation::SetClock { .. }), Answer::Done) => {
                self.invoke(&operation);
                true
            }
            _ => false,
        }
    }
}

/// The lease of what is handed off.
const FOUR_HOURS: i64 = 4 * 60 * 60 * 1_000;
