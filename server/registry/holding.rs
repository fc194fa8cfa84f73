//! Taking, renewing and giving up claims. Each verb decides on one consistent state and writes in the same commit, so
//! that no two sessions are ever told that they hold one resource at the same time.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::{Claim, ClaimOutcome, ClaimState, Holding, ReleaseOutcome, RenewOutcome, StoredClaim, Terms};
use super::leases::renewal_pause;
use super::overlap::{ReadClaim, claim_keys};
use super::predecessor::Predecessor;
use super::record;
use super::session::{Session, StoredSession, active_session};
use super::store::{Committed, Key, Range, Reader, Store, Transaction, Write};
use super::{Error, Registry, random_number};
use deconflict_protocol::{ClaimRecord, LONGEST_LEASE, Naming, Resource, SessionId, time};

impl<S: Store> Registry<S> {
    /// Claims a resource for a registered session.
    ///
    /// Refused while an active claim of another session overlaps it, unless the terms say force. Expired, abandoned
    /// and forgotten claims in the way are taken over; a holder that still lives is told.
    pub fn claim(&self, session: &SessionId, resource: &Resource, terms: &Terms) -> Result<ClaimOutcome, Error> {
        let (outcome, committed) =
            self.commit_making(|tx| self.decide_claim(tx, session, None, None, resource, terms))?;
        let outcome = self.confirmed(&committed, outcome)?;
        if let ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } = &outcome {
            self.tell_displaced_if_possible(claim);
        }
        Ok(outcome)
    }

    /// Prolongs a holding by a lease from now. Writes at most once in 5 minutes, or in a third of a shorter lease.
    pub fn renew(&self, holding: &Holding, lease: TimeDelta) -> Result<RenewOutcome, Error> {
        self.with_holding(holding, |claim, record, now| {
            let expires_at = now + lease.min(LONGEST_LEASE);
            let has_lapsed = claim.expires_at <= now || claim.standing == ClaimState::Expired;
            if has_lapsed || expires_at - claim.expires_at >= renewal_pause(lease) {
                record.expires_at = Some(time::format(expires_at));
            }
        })
    }

    /// Cuts a holding's lease to at most so long from now.
    pub fn shorten(&self, holding: &Holding, lease: TimeDelta) -> Result<RenewOutcome, Error> {
        self.with_holding(holding, |claim, record, now| {
            if claim.expires_at > now + lease {
                record.expires_at = Some(time::format(now + lease));
            }
        })
    }

    /// Says since when a document has been left unsaved and untouched, or that it is touched again. While it says so,
    /// anyone may take the claim over without force.
    pub fn mark_idle(&self, holding: &Holding, since: Option<DateTime<Utc>>) -> Result<RenewOutcome, Error> {
        self.with_holding(holding, |_, record, _| record.idle_since = since.map(time::format))
    }

    /// Gives a resource up. Only its holder can. Whoever asked for it is told, here and by all that gives something up.
    pub fn release(&self, session: &SessionId, resource: &Resource) -> Result<ReleaseOutcome, Error> {
        self.release_if(resource, |claim| claim.held_by(session))
    }

    /// Gives up what an agent holds, as long as its turn has ended: whoever it works for asked for it.
    pub fn release_of_waiting(&self, agent: &SessionId, resource: &Resource) -> Result<ReleaseOutcome, Error> {
        let (outcome, _) = self.commit(|tx| {
            let waiting = Predecessor::WhileWaiting(agent).now(tx)?;
            self.decide_release(tx, resource, |claim| waiting.is_some_and(|agent| agent.is_holder_of(claim)))
        })?;
        Ok(self.answered(outcome))
    }

    /// Gives up this very holding: not a later one of the same session.
    pub fn release_holding(&self, holding: &Holding) -> Result<ReleaseOutcome, Error> {
        self.release_if(&holding.resource, |claim| holding.is(&claim.record))
    }

    /// The same, to somebody who waits for it right now and sees it: nobody is told.
    pub fn give_way(&self, holding: &Holding) -> Result<ReleaseOutcome, Error> {
        let (outcome, _) =
            self.commit(|tx| self.decide_release(tx, &holding.resource, |claim| holding.is(&claim.record)))?;
        Ok(outcome)
    }

    /// Gives up these very holdings at once. Returns those that still were.
    pub fn release_holdings(&self, holdings: &[Holding]) -> Result<Vec<Claim>, Error> {
        let (released, _) = self.commit(|tx| self.release_in(tx, holdings))?;
        self.answer_requests(&released);
        Ok(released)
    }

    pub(super) fn release_in(&self, tx: &mut Transaction, holdings: &[Holding]) -> Result<Vec<Claim>, Error> {
        let mut released = Vec::new();
        for holding in holdings {
            let key = tx.naming().key(&holding.resource);
            if let Some(stored) = StoredClaim::read(tx, &key)? {
                let claim = stored.judge(None, self.now());
                if holding.is(&claim.record) {
                    released.push(claim);
                }
            }
        }
        end_at_last(tx, &released);
        Ok(released)
    }

    /// Gives up those of the claims of these very resources for which this is true of a claim and its holder, each read
    /// once. Returns them.
    pub fn release_where(
        &self,
        resources: &[Resource],
        is_given_up: &dyn Fn(&Claim, Option<&Session>) -> bool,
    ) -> Result<Vec<Claim>, Error> {
        let (released, _) = self.commit(|tx| {
            let (mut released, mut holders) = (Vec::new(), HashMap::new());
            for key in resources.iter().map(|resource| tx.naming().key(resource)) {
                let Some(stored) = StoredClaim::read(tx, &key)? else { continue };
                let claim = self.judged_with(tx, stored, &mut holders)?;
                let holder = claim.holder().and_then(|holder| holders.get(holder)?.as_ref());
                if is_given_up(&claim, holder) {
                    released.push(claim);
                }
            }
            end_at_last(tx, &released);
            Ok(released)
        })?;
        self.answer_requests(&released);
        Ok(released)
    }

    /// Ends claims, whoever holds them, because what they were about is gone.
    pub fn end_where(&self, is_gone: impl Fn(&Resource) -> bool) -> Result<Vec<Claim>, Error> {
        self.commit(|tx| {
            let mut ended = Vec::new();
            for key in claim_keys(tx, &[Range::all_claims()])? {
                let stored = StoredClaim::read(tx, &key)?.filter(|it| is_gone(&it.resource));
                ended.extend(stored.map(|stored| stored.judge(None, self.now())));
            }
            end_at_last(tx, &ended);
            Ok(ended)
        })
        .map(|(ended, _)| ended)
    }

    /// Gives up everything that a session holds. Returns what that was.
    pub fn release_all(&self, session: &SessionId) -> Result<Vec<Claim>, Error> {
        self.release_all_of(std::slice::from_ref(session))
    }

    /// The same for several sessions at once.
    pub fn release_all_of(&self, sessions: &[SessionId]) -> Result<Vec<Claim>, Error> {
        let (released, _) = self.commit(|tx| self.end_all_of(tx, |holder| sessions.contains(holder)))?;
        self.answer_requests(&released);
        Ok(released)
    }

    pub(super) fn end_all_of(
        &self,
        tx: &mut Transaction,
        is_meant: impl Fn(&SessionId) -> bool,
    ) -> Result<Vec<Claim>, Error> {
        let mut released = Vec::new();
        for key in claim_keys(tx, &[Range::all_claims()])? {
            if let Some(stored) = StoredClaim::read(tx, &key)?.filter(|it| it.holder().is_some_and(&is_meant)) {
                let claim = stored.judge(None, self.now());
                // It is free when the command has ended, and not before.
                if !claim.is_in_use_by_command() {
                    released.push(claim);
                }
            }
        }
        end_at_last(tx, &released);
        Ok(released)
    }

    /// Decides whether a session may hold a resource. What `predecessor` holds is no obstacle, and goes over without a
    /// word. The session's record, unless it is `known` already, is read only where something may be granted: who is
    /// refused need not be registered.
    pub(super) fn decide_claim(
        &self,
        tx: &mut Transaction,
        session: &SessionId,
        known: Option<&StoredSession>,
        predecessor: Option<Predecessor>,
        resource: &Resource,
        terms: &Terms,
    ) -> Result<ClaimOutcome, Error> {
        let is_in_the_way = |claim: &Claim| {
            let is_predecessors = predecessor.is_some_and(|predecessor| predecessor.is_holder_of(claim));
            !claim.goes_on_for(session, terms) && !is_predecessors && claim.stands_in_the_way(terms)
        };
        let key = tx.naming().key(resource);
        tx.prefetch(&|| keys_read_first(tx.naming(), session, [resource]))?;
        // What refuses most often is a claim of the very resource, and then nothing else need be read.
        let same = self.claim_at(tx, &key)?;
        if let Some(by) = same.as_ref().filter(|claim| is_in_the_way(claim)) {
            return Ok(ClaimOutcome::Refused { by: by.clone() });
        }
        let overlapping = same.into_iter().chain(self.overlapping_others(tx, resource)?);
        let (own, mut others): (Vec<_>, Vec<_>) = overlapping.partition(|claim| claim.goes_on_for(session, terms));
        others.retain(|claim| !predecessor.is_some_and(|predecessor| predecessor.keeps(claim, resource)));
        if let Some(by) = others.iter().find(|claim| is_in_the_way(claim)) {
            return Ok(ClaimOutcome::Refused { by: by.clone() });
        }
        let asker = known.map_or_else(|| active_session(tx, session), |known| Ok(known.clone()))?;
        let holder = &self.judged(tx, asker);
        let untold = predecessor.map(Predecessor::session);
        if let Some(held) = own.into_iter().find(|claim| claim.key == key) {
            self.end_overlapping(tx, &holder.id, untold, &others)?;
            let held = self.as_holder_sees(tx, held)?;
            return Ok(ClaimOutcome::AlreadyHeld { claim: self.prolong(tx, holder, held, terms)? });
        }
        let took_over = others.iter().find(|claim| claim.key == key).or_else(|| others.first()).cloned();
        let record = self.new_record(tx, &holder.id, resource, terms)?;
        let new = NewClaim { holder, resource, record, untold, moved_from: None };
        let claim = self.hold(tx, new, others)?;
        Ok(ClaimOutcome::Granted { claim: self.as_holder_sees(tx, claim)?, took_over })
    }

    /// Lets a session hold a resource. Every new holding comes to be here, and ends all that overlaps it: whatever may be
    /// taken over would come back when its holder resumes.
    pub(super) fn hold(
        &self,
        tx: &mut Transaction,
        new: NewClaim<'_>,
        overlapping: Vec<Claim>,
    ) -> Result<Claim, Error> {
        let NewClaim { holder, resource, mut record, untold, moved_from } = new;
        let key = tx.naming().key(resource);
        let (replaced, covered): (Vec<_>, Vec<_>) = overlapping.into_iter().partition(|claim| claim.key == key);
        self.end_overlapping(tx, &holder.id, untold, &covered)?;
        if let Some(replaced) = replaced.first() {
            set_aside_if_damaged(tx, replaced);
            // A holder whose claim stood right here is told after the commit: the new record says whom it displaced.
            record.displaced = replaced
                .holder()
                .filter(|id| **id != holder.id && untold != Some(*id) && self.is_going_on(tx, id))
                .cloned();
        }
        let name = Key::Claim(key.clone());
        let bytes = match moved_from {
            Some(before) => before.rewritten(&name, &record)?,
            None => record::bytes_of(&record)?,
        };
        tx.put_new(name, bytes);
        let stored = StoredClaim::written_now(key, resource.clone(), record, self.now());
        Ok(self.judged_by_holder(stored, Some(holder)))
    }

    /// Ends claims that overlap one that counts from now on. A holder that lives is told first, so that it is told in any
    /// case; `untold` gave way, and is not.
    pub(super) fn end_overlapping(
        &self,
        tx: &mut Transaction,
        by: &SessionId,
        untold: Option<&SessionId>,
        claims: &[Claim],
    ) -> Result<(), Error> {
        for claim in claims {
            let is_told = |holder: &&SessionId| untold != Some(*holder) && self.is_going_on(tx, holder);
            if let Some(holder) = claim.holder().filter(is_told) {
                self.tell_taken_over(tx, by, holder, &claim.resource, claim.record.id.as_deref())?;
            }
            if !set_aside_if_damaged(tx, claim) {
                tx.write(Write::Delete(Key::Claim(claim.key.clone())));
            }
        }
        Ok(())
    }

    fn prolong(&self, tx: &mut Transaction, holder: &Session, held: Claim, terms: &Terms) -> Result<Claim, Error> {
        let key = Key::Claim(held.key.clone());
        let before = record::read(tx, &key, ClaimRecord::read)?.ok_or(Error::Contended)?;
        let now = self.now();
        let wanted_end = now + terms.lease.min(LONGEST_LEASE);
        let mut record = before.value.clone();
        if !terms.automatic {
            record.automatic = record.automatic.map(|_| false);
            record.expires_at = Some(time::format(wanted_end));
            record.estimated_duration = Some(time::duration_in_words(terms.lease));
            record.allow_coordination = Some(terms.allow_coordination);
        } else if held.standing == ClaimState::Expired || wanted_end - held.expires_at >= renewal_pause(terms.lease) {
            record.expires_at = Some(time::format(wanted_end));
        }
        record.idle_since = None;
        if terms.phase.is_some() {
            record.phase.clone_from(&terms.phase);
        }
        if record == before.value {
            return Ok(held);
        }
        let bytes = before.rewritten(&key, &record)?;
        tx.put(key, bytes);
        self.changed(tx, Some(holder), held, record)
    }

    pub(super) fn new_record(
        &self,
        tx: &mut Transaction,
        session: &SessionId,
        resource: &Resource,
        terms: &Terms,
    ) -> Result<ClaimRecord, Error> {
        let now = self.now();
        let lease = terms.lease.min(LONGEST_LEASE);
        Ok(ClaimRecord {
            claimed_by: Some(session.clone()),
            claimed_at: Some(time::format(now)),
            resource_type: Some(resource.resource_type().to_string()),
            resource_name: Some(resource.name().to_owned()),
            phase: terms.phase.clone(),
            estimated_duration: Some(time::duration_in_words(lease)),
            expires_at: Some(time::format(now + lease)),
            allow_coordination: Some(terms.allow_coordination),
            id: Some(new_holding_id()?),
            generation: Some(tx.next_token(now)?),
            automatic: Some(terms.automatic),
            branch: terms.branch.clone(),
            worktree: terms.worktree.clone(),
            idle_since: None,
            displaced: None,
            process: terms.process.clone(),
            in_clone: terms.in_clone.clone(),
            unconfirmed: None,
            uncommitted_of: None,
        })
    }

    /// A claim as it is with a changed record, as its own holder has to see it.
    fn changed(
        &self,
        reader: &dyn Reader,
        holder: Option<&Session>,
        before: Claim,
        record: ClaimRecord,
    ) -> Result<Claim, Error> {
        let stored = StoredClaim::written_now(before.key, before.resource, record, self.now());
        self.as_holder_sees(reader, self.judged_by_holder(stored, holder))
    }

    /// A claim that was decided on, as it was seen to stand there when it had been written: what is reported as held was
    /// read again.
    pub(super) fn confirmed_claim(&self, committed: &Committed, decided: Claim) -> Result<Claim, Error> {
        let key = Key::Claim(decided.key.clone());
        let Some((_, stored)) = committed.claims.iter().find(|(written, _)| *written == key) else {
            return Ok(decided);
        };
        let Some(stored) = stored else { return Err(Error::Vanished { key }) };
        let read = ReadClaim::understood(&decided.key, stored.clone()).stored;
        if read.record.as_ref() == Some(&decided.record) {
            return Ok(Claim { modified: read.modified, ..decided });
        }
        // A script that takes no lock wrote there at once.
        let reader = self.reader()?;
        let claim = self.judged_claim(&*reader, read)?;
        self.as_holder_sees(&*reader, claim)
    }

    fn confirmed(&self, committed: &Committed, outcome: ClaimOutcome) -> Result<ClaimOutcome, Error> {
        Ok(match outcome {
            ClaimOutcome::Granted { claim, took_over } => {
                ClaimOutcome::Granted { claim: self.confirmed_claim(committed, claim)?, took_over }
            }
            ClaimOutcome::AlreadyHeld { claim } => {
                ClaimOutcome::AlreadyHeld { claim: self.confirmed_claim(committed, claim)? }
            }
            refused @ ClaimOutcome::Refused { .. } => refused,
        })
    }

    /// Changes the record of a holding if it still stands and nothing stands in its way.
    fn with_holding(
        &self,
        holding: &Holding,
        change: impl Fn(&Claim, &mut ClaimRecord, DateTime<Utc>),
    ) -> Result<RenewOutcome, Error> {
        let (outcome, committed) = self.commit(|tx| {
            let key = tx.naming().key(&holding.resource);
            let Some(read) = ReadClaim::read(tx, &key)? else { return Ok(RenewOutcome::Lost(None)) };
            if !read.stored.record.as_ref().is_some_and(|record| holding.is(record)) {
                let claim = self.judged_claim(tx, read.stored)?;
                return Ok(RenewOutcome::Lost(Some(self.as_holder_sees(tx, claim)?)));
            }
            let holder = self.session_in(tx, &holding.session)?;
            let claim = self.as_holder_sees(tx, self.judged_by_holder(read.stored.clone(), holder.as_ref()))?;
            if !claim.counts_for_holder() {
                // It counts again from now on.
                let mut others = self.overlapping(tx, &holding.resource)?;
                others.retain(|other| !other.held_by(&holding.session));
                if let Some(successor) = others.iter().find(|other| !other.can_be_taken_over()) {
                    return Ok(RenewOutcome::Lost(Some(successor.clone())));
                }
                self.end_overlapping(tx, &holding.session, None, &others)?;
            }
            let mut record = claim.record.clone();
            change(&claim, &mut record, self.now());
            if record == claim.record {
                return Ok(RenewOutcome::Renewed(claim));
            }
            let key = Key::Claim(key);
            let bytes = read.rewritten(&key, &record)?;
            tx.put(key, bytes);
            self.changed(tx, holder.as_ref(), claim, record).map(RenewOutcome::Renewed)
        })?;
        match outcome {
            RenewOutcome::Renewed(claim) => self.confirmed_claim(&committed, claim).map(RenewOutcome::Renewed),
            lost @ RenewOutcome::Lost(_) => Ok(lost),
        }
    }

    fn release_if(&self, resource: &Resource, is_own: impl Fn(&Claim) -> bool) -> Result<ReleaseOutcome, Error> {
        let (outcome, _) = self.commit(|tx| self.decide_release(tx, resource, &is_own))?;
        Ok(self.answered(outcome))
    }

    fn decide_release(
        &self,
        tx: &mut Transaction,
        resource: &Resource,
        may_release: impl Fn(&Claim) -> bool,
    ) -> Result<ReleaseOutcome, Error> {
        let key = tx.naming().key(resource);
        let Some(stored) = StoredClaim::read(tx, &key)? else { return Ok(ReleaseOutcome::NotFound) };
        let claim = self.judged_claim(tx, stored)?;
        if !may_release(&claim) {
            return Ok(ReleaseOutcome::NotHolder(claim));
        }
        tx.write(Write::Delete(Key::Claim(key)));
        Ok(ReleaseOutcome::Released(claim))
    }

    /// True if a session has a record and neither ended nor is gone: then it wants to know what happens to its claims.
    fn is_going_on(&self, reader: &dyn Reader, session: &SessionId) -> bool {
        self.session_in(reader, session).is_ok_and(|session| session.is_some_and(|session| session.is_live()))
    }
}

pub(super) struct NewClaim<'a> {
    pub(super) holder: &'a Session,
    pub(super) resource: &'a Resource,
    pub(super) record: ClaimRecord,
    /// Whose claims go over without a word.
    pub(super) untold: Option<&'a SessionId>,
    /// The record that it goes on from under another key, with fields that only other programs know.
    pub(super) moved_from: Option<&'a ReadClaim>,
}

/// What decisions on a session's claims of these resources read first.
pub(super) fn keys_read_first<'a>(
    naming: Naming,
    session: &SessionId,
    resources: impl IntoIterator<Item = &'a Resource>,
) -> Vec<Key> {
    let mut keys = vec![Key::Session(session.clone())];
    for resource in resources {
        keys.push(Key::Claim(naming.key(resource)));
        keys.extend(resource.covering_directories().iter().map(|above| Key::Claim(naming.key(above))));
    }
    keys
}

/// Ends claims when everything has been read: what was written is looked through by each reading that follows.
fn end_at_last(tx: &mut Transaction, claims: &[Claim]) {
    for claim in claims {
        tx.write(Write::Delete(Key::Claim(claim.key.clone())));
    }
}

pub(super) fn new_holding_id() -> Result<String, Error> {
    Ok(format!("{:016x}{:016x}", random_number()?, random_number()?))
}

/// Keeps a damaged record out of the way before its place is used, because it is never silently deleted. Returns
/// whether it was one.
fn set_aside_if_damaged(tx: &mut Transaction, claim: &Claim) -> bool {
    let is_damaged = claim.holder().is_none();
    if is_damaged {
        tx.write(Write::SetAside(Key::Claim(claim.key.clone())));
    }
    is_damaged
}
