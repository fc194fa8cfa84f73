//! Claiming several resources as one: all of them, or none.

use std::collections::HashSet;

use super::claims::{Claim, ClaimOutcome, Terms};
use super::holding::keys_read_first;
use super::predecessor::Predecessor;
use super::session::active_session;
use super::store::{Committed, Reader, Store, Transaction};
use super::{Error, Registry, StoredSession};
use deconflict_protocol::{Resource, SessionId};

/// The outcome of claiming several resources at once.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimAllOutcome {
    /// The session holds all of them now, in the order in which they were asked for, each once.
    Granted(Vec<Granted>),
    /// It got none of them. What stands in the way of each that others hold, in the same order.
    Refused(Vec<Obstacle>),
}

/// One of several resources that a session holds now.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The claim as it is now.
    pub claim: Claim,
    /// True unless the session held it before.
    pub is_new: bool,
    /// The claim of another session that ended by it.
    pub took_over: Option<Claim>,
}

/// Why one of several resources could not be claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Obstacle {
    /// What was asked for.
    pub wanted: Resource,
    /// The claim in its way: of the resource itself, or of one that overlaps it.
    pub by: Claim,
}

impl<S: Store> Registry<S> {
    /// Claims all of these resources for a registered session, or none of them.
    pub fn claim_all(
        &self,
        session: &SessionId,
        predecessor: Option<Predecessor>,
        resources: &[Resource],
        terms: &Terms,
    ) -> Result<ClaimAllOutcome, Error> {
        let (outcome, committed) = self.commit_making(|tx| {
            tx.prefetch(&|| keys_read_first(tx.naming(), session, resources))?;
            let predecessor = predecessor.map(|it| it.now(tx)).transpose()?.flatten();
            let mut keys = HashSet::new();
            let resources: Vec<&Resource> = resources.iter().filter(|it| keys.insert(tx.naming().key(it))).collect();
            if resources.len() > 1 {
                let obstacles = self.all_obstacles(tx, session, predecessor, &resources, terms)?;
                if !obstacles.is_empty() {
                    return Ok(ClaimAllOutcome::Refused(obstacles));
                }
            }
            let mut granted: Vec<Granted> = Vec::with_capacity(resources.len());
            let known = if resources.len() > 1 { Some(active_session(tx, session)?) } else { None };
            for resource in resources {
                match self.decide_one_of_many(tx, session, known.as_ref(), predecessor, resource, terms)? {
                    Ok(one) => granted.push(one),
                    Err(obstacle) => {
                        tx.give_up();
                        return Ok(ClaimAllOutcome::Refused(vec![obstacle]));
                    }
                }
            }
            Ok(ClaimAllOutcome::Granted(granted))
        })?;
        let ClaimAllOutcome::Granted(granted) = outcome else { return Ok(outcome) };
        let granted = granted.into_iter().map(|one| self.confirmed_one(&committed, one));
        let granted = granted.collect::<Result<Vec<_>, _>>()?;
        for one in &granted {
            self.tell_displaced_if_possible(&one.claim);
        }
        Ok(ClaimAllOutcome::Granted(granted))
    }

    fn all_obstacles(
        &self,
        tx: &Transaction,
        session: &SessionId,
        predecessor: Option<Predecessor>,
        resources: &[&Resource],
        terms: &Terms,
    ) -> Result<Vec<Obstacle>, Error> {
        let mut obstacles = Vec::new();
        for &wanted in resources {
            let is_others = |claim: &Claim| {
                !claim.goes_on_for(session, terms) && !predecessor.is_some_and(|other| other.is_holder_of(claim))
            };
            let mut overlapping = self.overlapping(tx, wanted)?.into_iter();
            if let Some(by) = overlapping.find(|claim| is_others(claim) && claim.stands_in_the_way(terms)) {
                obstacles.push(Obstacle { wanted: wanted.clone(), by });
            }
        }
        Ok(obstacles)
    }

    fn decide_one_of_many(
        &self,
        tx: &mut Transaction,
        session: &SessionId,
        known: Option<&StoredSession>,
        predecessor: Option<Predecessor>,
        wanted: &Resource,
        terms: &Terms,
    ) -> Result<Result<Granted, Obstacle>, Error> {
        Ok(match self.decide_claim(tx, session, known, predecessor, wanted, terms)? {
            ClaimOutcome::Granted { claim, took_over } => {
                let is_others = |before: &Claim| !predecessor.is_some_and(|other| other.is_holder_of(before));
                Ok(Granted { claim, is_new: true, took_over: took_over.filter(is_others) })
            }
            ClaimOutcome::AlreadyHeld { claim } => Ok(Granted { claim, is_new: false, took_over: None }),
            ClaimOutcome::Refused { by } => Err(Obstacle { wanted: wanted.clone(), by }),
        })
    }

    fn confirmed_one(&self, committed: &Committed, one: Granted) -> Result<Granted, Error> {
        Ok(Granted { claim: self.confirmed_claim(committed, one.claim)?, ..one })
    }
}
