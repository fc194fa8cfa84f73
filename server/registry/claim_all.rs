//! Claiming several resources as one: all of them, or none.

use super::claims::{Claim, ClaimOutcome, Terms};
use super::directory::Directory;
use super::holding::{remove_claim, stands_in_the_way};
use super::lock::Lock;
use super::sessions::require_active;
use super::{Error, Registry};
use deconflict_protocol::{Resource, SessionId};

/// What came of a wish to claim several resources at once.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimAllOutcome {
    /// The session holds all of them now, in the order in which they were asked for.
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

impl Registry {
    /// Claims all of these resources for a registered session, or none of them.
    ///
    /// `predecessor` is another session of the same user's work that gives way, such as the one that started a
    /// sub-agent: what it holds of these resources goes over without a word.
    pub fn claim_all(
        &self,
        session: &SessionId,
        predecessor: Option<&SessionId>,
        resources: &[Resource],
        terms: &Terms,
    ) -> Result<ClaimAllOutcome, Error> {
        let directory = self.directory_to_write()?;
        let mut lock = self.lock(&directory)?;
        require_active(&directory, session)?;
        if resources.len() > 1 {
            let obstacles = self.all_obstacles(&directory, session, predecessor, resources, terms)?;
            if !obstacles.is_empty() {
                return Ok(ClaimAllOutcome::Refused(obstacles));
            }
        }
        let mut granted: Vec<Granted> = Vec::with_capacity(resources.len());
        for resource in resources {
            let claimed = self.claim_one_of_many(&mut lock, session, predecessor, resource, terms);
            match claimed {
                Ok(Ok(one)) => granted.push(one),
                // A script that takes no lock was faster, or the disk failed: then it is none of them.
                Ok(Err(obstacle)) => {
                    give_back(&lock, &granted)?;
                    return Ok(ClaimAllOutcome::Refused(vec![obstacle]));
                }
                Err(error) => {
                    give_back(&lock, &granted)?;
                    return Err(error);
                }
            }
        }
        drop(lock);
        for one in &granted {
            self.tell_displaced_if_possible(&one.claim);
        }
        Ok(ClaimAllOutcome::Granted(granted))
    }

    fn all_obstacles(
        &self,
        directory: &Directory,
        session: &SessionId,
        predecessor: Option<&SessionId>,
        resources: &[Resource],
        terms: &Terms,
    ) -> Result<Vec<Obstacle>, Error> {
        let mut obstacles = Vec::new();
        for wanted in resources {
            let is_others =
                |claim: &Claim| !claim.held_by(session) && !predecessor.is_some_and(|other| claim.held_by(other));
            let mut overlapping = self.overlapping(directory, wanted)?.into_iter();
            if let Some(by) = overlapping.find(|claim| is_others(claim) && stands_in_the_way(claim, terms)) {
                obstacles.push(Obstacle { wanted: wanted.clone(), by });
            }
        }
        Ok(obstacles)
    }

    fn claim_one_of_many(
        &self,
        lock: &mut Lock,
        session: &SessionId,
        predecessor: Option<&SessionId>,
        wanted: &Resource,
        terms: &Terms,
    ) -> Result<Result<Granted, Obstacle>, Error> {
        // A script that takes no lock may write a claim between our look and our write: then look again.
        loop {
            let Some(outcome) = self.try_claim(lock, session, predecessor, wanted, terms)? else { continue };
            return Ok(match outcome {
                ClaimOutcome::Granted { claim, took_over } => {
                    let is_others = |before: &Claim| !predecessor.is_some_and(|other| before.held_by(other));
                    Ok(Granted { claim, is_new: true, took_over: took_over.filter(is_others) })
                }
                ClaimOutcome::AlreadyHeld { claim } => Ok(Granted { claim, is_new: false, took_over: None }),
                ClaimOutcome::Refused { by } => Err(Obstacle { wanted: wanted.clone(), by }),
            });
        }
    }
}

/// Ends the claims that were made a moment ago, under the same lock, so that nobody saw them.
fn give_back(lock: &Lock, granted: &[Granted]) -> Result<(), Error> {
    for one in granted.iter().filter(|one| one.is_new) {
        remove_claim(lock, &one.claim.file)?;
    }
    Ok(())
}
