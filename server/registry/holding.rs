//! Taking, renewing and giving up claims. Each verb decides and changes under the lock, so that no two sessions are
//! ever told that they hold one resource at the same time.

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::{
    Claim, ClaimOutcome, Holding, ReadClaim, ReleaseOutcome, RenewOutcome, Standing, StoredClaim, Terms, list_claims,
};
use super::directory::{Directory, Durability, Folder, random_number};
use super::lock::Lock;
use super::sessions::{read_session, require_active};
use super::{Error, Registry, record};
use deconflict_protocol::{ClaimFileName, ClaimRecord, LONGEST_LEASE, Resource, SessionId, time};

/// Renewing writes at most this often.
const RENEWAL_PAUSE: TimeDelta = TimeDelta::minutes(5);

impl Registry {
    /// Claims a resource for a registered session.
    ///
    /// Refused while an active claim of another session overlaps it, unless the terms say force. Expired, abandoned
    /// and forgotten claims in the way are taken over; a holder that still lives is told.
    pub fn claim(&self, session: &SessionId, resource: &Resource, terms: &Terms) -> Result<ClaimOutcome, Error> {
        let directory = self.directory_to_write()?;
        let mut lock = self.lock(&directory)?;
        require_active(&directory, session)?;
        // A script that takes no lock may write a claim between our look and our write: then look again.
        loop {
            if let Some(outcome) = self.try_claim(&mut lock, session, None, resource, terms)? {
                drop(lock);
                if let ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } = &outcome {
                    self.tell_displaced_if_possible(claim);
                }
                return Ok(outcome);
            }
        }
    }

    /// Prolongs a holding by a lease from now. Writes at most once in 5 minutes, or in a third of a shorter lease.
    pub fn renew(&self, holding: &Holding, lease: TimeDelta) -> Result<RenewOutcome, Error> {
        self.with_holding(holding, |claim, record, now| {
            let expires_at = now + lease.min(LONGEST_LEASE);
            let pause = RENEWAL_PAUSE.min(lease / 3);
            let has_lapsed = claim.expires_at <= now || claim.standing == Standing::Expired;
            if !has_lapsed && expires_at - claim.expires_at < pause {
                return;
            }
            record.expires_at = Some(time::format(expires_at));
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

    /// Gives a resource up. Only its holder can.
    pub fn release(&self, session: &SessionId, resource: &Resource) -> Result<ReleaseOutcome, Error> {
        self.release_if(resource, |claim| claim.held_by(session))
    }

    /// Gives up this very holding: not a later one of the same session.
    pub fn release_holding(&self, holding: &Holding) -> Result<ReleaseOutcome, Error> {
        self.release_if(&holding.resource, |claim| holding.is(&claim.record))
    }

    /// Gives up everything that a session holds. Returns what that was.
    pub fn release_all(&self, session: &SessionId) -> Result<Vec<Claim>, Error> {
        self.release_all_of(std::slice::from_ref(session))
    }

    /// The same for several sessions at once.
    pub fn release_all_of(&self, sessions: &[SessionId]) -> Result<Vec<Claim>, Error> {
        let directory = self.directory()?;
        let lock = self.lock(&directory)?;
        let mut released = Vec::new();
        for file in list_claims(&directory)? {
            let Some(stored) = StoredClaim::read(&directory, &file)? else { continue };
            let holder = stored.record.as_ref().and_then(|record| record.claimed_by.as_ref());
            if holder.is_some_and(|holder| sessions.contains(holder)) {
                let claim = stored.judge(None, self.now());
                remove_claim(&lock, &file)?;
                released.push(claim);
            }
        }
        Ok(released)
    }

    /// One try to claim; `None` if something else wrote the claim's file meanwhile. What `predecessor` holds is no
    /// obstacle, and goes over without a word.
    pub(super) fn try_claim(
        &self,
        lock: &mut Lock,
        session: &SessionId,
        predecessor: Option<&SessionId>,
        resource: &Resource,
        terms: &Terms,
    ) -> Result<Option<ClaimOutcome>, Error> {
        let directory = lock.directory();
        let file = resource.claim_file_name();
        let (own, mut others): (Vec<_>, Vec<_>) =
            self.overlapping(directory, resource)?.into_iter().partition(|claim| claim.held_by(session));
        let is_predecessors = |claim: &Claim| predecessor.is_some_and(|predecessor| claim.held_by(predecessor));
        // A directory that the predecessor holds stays its own: only the very resource goes over.
        others.retain(|claim| claim.file == file || !is_predecessors(claim));
        if let Some(by) = others.iter().find(|claim| stands_in_the_way(claim, terms) && !is_predecessors(claim)) {
            return Ok(Some(ClaimOutcome::Refused { by: by.clone() }));
        }
        let outcome = if let Some(held) = own.into_iter().find(|claim| claim.file == file) {
            self.take_over(lock, session, others)?;
            let held = self.as_holder_sees(directory, held)?;
            let Some(claim) = self.prolong(directory, &held, terms)? else { return Ok(None) };
            ClaimOutcome::AlreadyHeld { claim }
        } else {
            let (replaced, covered): (Vec<_>, Vec<_>) = others.into_iter().partition(|claim| claim.file == file);
            let replaced = replaced.into_iter().next();
            let took_over = replaced.clone().or_else(|| covered.first().cloned());
            self.take_over(lock, session, covered)?;
            let displaced = replaced.as_ref().filter(|replaced| !is_predecessors(replaced));
            let record = self.new_record(lock, session, resource, terms, displaced)?;
            if !write_claim(lock, &file, &record, replaced.as_ref())? {
                return Ok(None);
            }
            let claim = self.reread_own(directory, &file)?;
            ClaimOutcome::Granted { claim, took_over }
        };
        Ok(Some(outcome))
    }

    /// Ends claims that overlap the wanted one. A holder that lives is told first, so that it is told in any case.
    pub(super) fn take_over(&self, lock: &Lock, by: &SessionId, claims: Vec<Claim>) -> Result<(), Error> {
        for claim in claims {
            if let Some(holder) = claim.holder().filter(|holder| self.is_going_on(lock.directory(), holder)) {
                self.send_taken_over(by, holder, &claim.resource, claim.record.id.as_deref())?;
            }
            set_aside_if_damaged(lock, &claim)?;
            remove_claim(lock, &claim.file)?;
        }
        Ok(())
    }

    /// Renews the session's own claim under new terms; `None` if something else wrote it meanwhile.
    fn prolong(&self, directory: &Directory, held: &Claim, terms: &Terms) -> Result<Option<Claim>, Error> {
        let Some(read) = ReadClaim::read(directory, &held.file)? else { return Ok(None) };
        let Some(before) = read.record.filter(|before| before.value == held.record) else { return Ok(None) };
        let now = self.now();
        let wanted_end = now + terms.lease.min(LONGEST_LEASE);
        let mut record = before.value.clone();
        if !terms.automatic {
            record.automatic = record.automatic.map(|_| false);
            record.expires_at = Some(time::format(wanted_end));
            record.estimated_duration = Some(time::duration_in_words(terms.lease));
            record.allow_coordination = Some(terms.allow_coordination);
        } else if held.standing == Standing::Expired
            || wanted_end - held.expires_at >= RENEWAL_PAUSE.min(terms.lease / 3)
        {
            record.expires_at = Some(time::format(wanted_end));
        }
        record.idle_since = None;
        if terms.phase.is_some() {
            record.phase.clone_from(&terms.phase);
        }
        if record != before.value {
            before.rewrite(directory, &Folder::Claims, held.file.as_str(), &record)?;
        }
        self.reread_own(directory, &held.file).map(Some)
    }

    pub(super) fn new_record(
        &self,
        lock: &mut Lock,
        session: &SessionId,
        resource: &Resource,
        terms: &Terms,
        replaced: Option<&Claim>,
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
            generation: Some(lock.next_generation(now)?),
            automatic: Some(terms.automatic),
            branch: terms.branch.clone(),
            worktree: terms.worktree.clone(),
            idle_since: None,
            displaced: self.displaced(lock, replaced),
        })
    }

    /// Whom a claim displaces by replacing another; `None` where nobody is left to be told.
    pub(super) fn displaced(&self, lock: &Lock, replaced: Option<&Claim>) -> Option<SessionId> {
        let holder = replaced?.holder()?;
        self.is_going_on(lock.directory(), holder).then(|| holder.clone())
    }

    /// Reads a claim that was just written, so that what is reported as held was seen on disk.
    pub(super) fn reread(&self, directory: &Directory, file: &ClaimFileName) -> Result<Claim, Error> {
        let path = || directory.path_of(&Folder::Claims).join(file.as_str());
        let stored = StoredClaim::read(directory, file)?.ok_or_else(|| Error::Io {
            action: "find",
            path: path(),
            source: std::io::Error::new(std::io::ErrorKind::NotFound, "it was removed as soon as it was written"),
        })?;
        self.judged_claim(directory, &stored)
    }

    /// The same for the holder, as it has to see it.
    fn reread_own(&self, directory: &Directory, file: &ClaimFileName) -> Result<Claim, Error> {
        let claim = self.reread(directory, file)?;
        self.as_holder_sees(directory, claim)
    }

    /// Changes the record of a holding if it still stands and nothing stands in its way.
    fn with_holding(
        &self,
        holding: &Holding,
        change: impl FnOnce(&Claim, &mut ClaimRecord, DateTime<Utc>),
    ) -> Result<RenewOutcome, Error> {
        let directory = self.directory()?;
        let lock = self.lock(&directory)?;
        let file = holding.resource.claim_file_name();
        let Some(read) = ReadClaim::read(&directory, &file)? else { return Ok(RenewOutcome::Lost(None)) };
        let claim = self.judged_claim(&directory, &read.stored)?;
        let claim = self.as_holder_sees(&directory, claim)?;
        let Some(before) = read.record.filter(|before| holding.is(&before.value)) else {
            return Ok(RenewOutcome::Lost(Some(claim)));
        };
        if !matches!(claim.standing, Standing::Active | Standing::Idle) {
            if let Some(successor) = self.active_obstacle(&directory, &holding.session, &holding.resource)? {
                return Ok(RenewOutcome::Lost(Some(successor)));
            }
            // It counts again from now on.
            let mut stale = self.overlapping(&directory, &holding.resource)?;
            stale.retain(|claim| !claim.held_by(&holding.session));
            self.take_over(&lock, &holding.session, stale)?;
        }
        let mut record = before.value.clone();
        change(&claim, &mut record, self.now());
        if record == before.value {
            return Ok(RenewOutcome::Renewed(claim));
        }
        before.rewrite(&directory, &Folder::Claims, file.as_str(), &record)?;
        self.reread_own(&directory, &file).map(RenewOutcome::Renewed)
    }

    /// The first claim of another session that excludes holding this.
    pub(super) fn active_obstacle(
        &self,
        directory: &Directory,
        session: &SessionId,
        resource: &Resource,
    ) -> Result<Option<Claim>, Error> {
        let overlapping = self.overlapping(directory, resource)?;
        Ok(overlapping.into_iter().find(|claim| !claim.held_by(session) && !claim.can_be_taken_over()))
    }

    fn release_if(&self, resource: &Resource, is_own: impl Fn(&Claim) -> bool) -> Result<ReleaseOutcome, Error> {
        let directory = self.directory()?;
        let lock = self.lock(&directory)?;
        let file = resource.claim_file_name();
        let Some(stored) = StoredClaim::read(&directory, &file)? else { return Ok(ReleaseOutcome::NotFound) };
        let claim = self.judged_claim(&directory, &stored)?;
        if !is_own(&claim) {
            return Ok(ReleaseOutcome::NotHolder(claim));
        }
        remove_claim(&lock, &file)?;
        Ok(ReleaseOutcome::Released(claim))
    }

    /// True if a session has a record and neither ended nor is gone: then it wants to know what happens to its claims.
    pub(super) fn is_going_on(&self, directory: &Directory, session: &SessionId) -> bool {
        let stored = read_session(directory, session).ok().flatten();
        stored.is_some_and(|stored| self.judged(directory, &stored).is_live())
    }
}

/// A random id for a new holding.
pub(super) fn new_holding_id() -> Result<String, Error> {
    Ok(format!("{:016x}{:016x}", random_number()?, random_number()?))
}

/// True for another session's claim that has to end before a resource can be claimed under these terms. What is being
/// written may turn out to be a claim, so not even force goes over it.
pub(super) fn stands_in_the_way(claim: &Claim, terms: &Terms) -> bool {
    claim.standing == Standing::Pending || !(terms.force || claim.can_be_taken_over())
}

/// Writes a claim where nothing stands, or in place of the one that is replaced. Returns false if something else was
/// written there meanwhile.
pub(super) fn write_claim(
    lock: &Lock,
    file: &ClaimFileName,
    claim: &ClaimRecord,
    replaced: Option<&Claim>,
) -> Result<bool, Error> {
    let bytes = record::bytes_of(lock.directory(), &Folder::Claims, file.as_str(), claim)?;
    write_claim_bytes(lock, file, &bytes, replaced)
}

/// The same with a record that was put into words already.
pub(super) fn write_claim_bytes(
    lock: &Lock,
    file: &ClaimFileName,
    bytes: &[u8],
    replaced: Option<&Claim>,
) -> Result<bool, Error> {
    let directory = lock.directory();
    let Some(replaced) = replaced else {
        return directory.create_file(&Folder::Claims, file.as_str(), bytes, Durability::Process);
    };
    let now = StoredClaim::read(directory, file)?;
    if now.is_some_and(|now| now.record.unwrap_or_default() != replaced.record) {
        return Ok(false);
    }
    set_aside_if_damaged(lock, replaced)?;
    directory.replace_file(&Folder::Claims, file.as_str(), bytes, Durability::Process)?;
    Ok(true)
}

pub(super) fn remove_claim(lock: &Lock, file: &ClaimFileName) -> Result<bool, Error> {
    lock.directory().remove_file(&Folder::Claims, file.as_str())
}

/// Keeps a damaged record out of the way before its place is used: it is never silently deleted.
fn set_aside_if_damaged(lock: &Lock, claim: &Claim) -> Result<(), Error> {
    if claim.holder().is_none() {
        let name = format!("{}-{:08x}", claim.file, random_number()? >> 32);
        // A name that leaves no room for the suffix is cut: only people read it.
        let name: String = name.chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
        lock.directory().move_file(&Folder::Claims, claim.file.as_str(), &Folder::Damaged, &name)?;
    }
    Ok(())
}
