//! Which of the things that would do somebody gets, and what is in the way.

use std::collections::HashSet;

use super::super::claims::Claim;
use super::super::predecessor::Predecessor;
use super::super::store::{Reader, Store};
use super::super::{Error, Obstacle, Registry};
use super::ticket::StoredTicket;
use deconflict_protocol::{Resource, SessionId, Want};

/// For whom it is looked what is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct For<'a> {
    pub(super) session: &'a SessionId,
    pub(super) predecessor: Option<Predecessor<'a>>,
    /// Ids of holdings that it waits inside of, and shares.
    pub(super) held: &'a [String],
    /// What the session holds otherwise does not do.
    pub(super) apart: bool,
}

/// One of the things that somebody gets.
#[derive(Debug, Clone)]
pub(super) enum Pick {
    /// It is free, or its claim can be taken over.
    Free(Resource),
    /// It is held already by whoever this is nested in.
    Shared(Claim),
}

/// Why somebody cannot have all of it now.
#[derive(Debug, Clone, Default)]
pub(super) struct Lack {
    /// What others hold of it.
    pub(super) obstacles: Vec<Obstacle>,
    /// What nobody holds, and is in use all the same.
    pub(super) in_use: Vec<Resource>,
}

/// Whether something that nobody holds can be used.
pub(super) type IsUsable<'a> = &'a dyn Fn(&Resource) -> bool;

impl StoredTicket {
    /// For whom; `None` where it does not say so.
    pub(super) fn whom(&self) -> Option<For<'_>> {
        let session = self.session()?;
        let apart = self.record.apart == Some(true);
        Some(For { session, predecessor: None, held: &self.record.held, apart })
    }
}

impl For<'_> {
    /// True for a claim that cannot end before the wait does: its session holds it by hand, or waits inside of it.
    pub(super) fn pins(&self, claim: &Claim) -> bool {
        let is_inside = || claim.record.id.as_ref().is_some_and(|id| self.held.contains(id));
        (claim.held_by(self.session) && claim.record.process.is_none()) || is_inside()
    }

    fn shares(&self, claim: &Claim) -> bool {
        claim.is_active() && claim.record.id.as_ref().is_some_and(|id| self.held.contains(id))
    }

    fn is_in_the_way(&self, claim: &Claim) -> bool {
        let is_own = claim.held_by(self.session) && !self.apart && claim.record.process.is_none();
        let gives_way = self.predecessor.is_some_and(|predecessor| predecessor.is_holder_of(claim));
        !is_own && !gives_way && !claim.can_be_taken_over()
    }
}

impl<S: Store> Registry<S> {
    /// The claims that keep somebody from having this.
    pub(super) fn in_the_way(
        &self,
        reader: &dyn Reader,
        whom: For<'_>,
        resource: &Resource,
    ) -> Result<Vec<Claim>, Error> {
        let mut claims = self.overlapping(reader, resource)?;
        claims.retain(|claim| whom.is_in_the_way(claim));
        Ok(claims)
    }

    /// What somebody gets if nobody else is asked: all that is wanted, or nothing.
    pub(super) fn pick(
        &self,
        reader: &dyn Reader,
        whom: For<'_>,
        wants: &[Want],
        is_usable: IsUsable<'_>,
    ) -> Result<Result<Vec<Vec<Pick>>, Lack>, Error> {
        let naming = reader.naming();
        let mut used = HashSet::new();
        let mut picked = Vec::new();
        let mut lack = Lack::default();
        let shared = self.shared(reader, whom)?;
        for want in wants {
            let mut picks = Vec::new();
            for claim in shared.iter().filter(|_| want.count() > 0) {
                let is_meant = want.candidates().any(|candidate| naming.key(&candidate) == claim.key);
                if picks.len() < want.count() && is_meant && used.insert(claim.key.clone()) {
                    picks.push(Pick::Shared(claim.clone()));
                }
            }
            let mut missing = Lack::default();
            for candidate in want.candidates() {
                if picks.len() >= want.count() {
                    break;
                }
                let key = naming.key(&candidate);
                if used.contains(&key) {
                    continue;
                }
                if let Some(by) = self.in_the_way(reader, whom, &candidate)?.into_iter().next() {
                    missing.obstacles.push(Obstacle { wanted: candidate, by });
                } else if !is_usable(&candidate) {
                    missing.in_use.push(candidate);
                } else {
                    used.insert(key);
                    picks.push(Pick::Free(candidate));
                }
            }
            if picks.len() < want.count() {
                lack.obstacles.append(&mut missing.obstacles);
                lack.in_use.append(&mut missing.in_use);
            }
            picked.push(picks);
        }
        let is_all = wants.iter().zip(&picked).all(|(want, picks)| picks.len() >= want.count());
        Ok(if is_all { Ok(picked) } else { Err(lack) })
    }

    fn shared(&self, reader: &dyn Reader, whom: For<'_>) -> Result<Vec<Claim>, Error> {
        if whom.held.is_empty() {
            return Ok(Vec::new());
        }
        let mut claims = Vec::new();
        for key in super::super::overlap::claim_keys(reader, &[super::super::Range::all_claims()])? {
            claims.extend(self.claim_at(reader, &key)?.filter(|claim| whom.shares(claim)));
        }
        Ok(claims)
    }
}
