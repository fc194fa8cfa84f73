//! Which claims overlap a resource: one look-up, for stores and for the view of a server alike.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;

use super::claims::{Claim, StoredClaim};
use super::record;
use super::session::Session;
use super::store::{Key, LeaseClock, Range, Reader, Stamp, Store, Stored};
use super::{Error, Registry};
use deconflict_platform::{in_shares, threads};
use deconflict_protocol::{ClaimKey, ClaimRecord, Naming, Resource, SessionId};

pub(super) trait ClaimSource {
    fn naming(&self) -> Naming;

    fn keys(&self, ranges: &[Range]) -> Result<Vec<ClaimKey>, Error>;

    fn claim(&self, key: &ClaimKey) -> Result<Option<Claim>, Error>;
}

/// All claims that overlap a resource: its own first, then those of the directories above it, nearest first, then those
/// below it. Only a directory has to look through the keys; a file costs a look-up for each folder above.
pub(super) fn overlapping(source: &impl ClaimSource, resource: &Resource) -> Result<Vec<Claim>, Error> {
    let same = source.claim(&source.naming().key(resource))?;
    Ok(same.into_iter().chain(overlapping_others(source, resource)?).collect())
}

/// The same without the resource's own claim.
fn overlapping_others(source: &impl ClaimSource, resource: &Resource) -> Result<Vec<Claim>, Error> {
    let naming = source.naming();
    let mut keys: Vec<_> = resource.covering_directories().iter().map(|directory| naming.key(directory)).collect();
    if resource.is_directory() {
        let own = naming.key(resource);
        keys.extend(source.keys(&Range::below(naming, resource))?.into_iter().filter(|key| *key != own));
    }
    let mut claims = Vec::new();
    for key in keys {
        claims.extend(source.claim(&key)?.filter(|claim| naming.overlap(&claim.resource, resource)));
    }
    Ok(claims)
}

/// A claim together with what was read, to be rewritten.
#[derive(Debug)]
pub(super) struct ReadClaim {
    pub(super) stored: StoredClaim,
    bytes: Vec<u8>,
}

/// Of more resources than this the names of all claims are read at once.
const MOST_ASKED_FOR: usize = 256;

/// Reading so many claims or fewer is not worth a thread.
const LEAST_SHARE: usize = 128;

impl ReadClaim {
    /// Reads a claim; `None` if there is none. What is no record, or too large for one, is a damaged claim.
    pub(super) fn read(reader: &dyn Reader, key: &ClaimKey) -> Result<Option<Self>, Error> {
        let name = Key::Claim(key.clone());
        match reader.get(&name) {
            Ok(stored) => Ok(stored.map(|stored| Self::understood(key, stored))),
            Err(Error::Unsafe { .. }) => {
                // What is too large has an age, and counts as any damaged record; what is no file never was one.
                let stamp = reader.stamp(&name)?.unwrap_or_else(|| Stamp::unknown(DateTime::UNIX_EPOCH));
                Ok(Some(Self { stored: StoredClaim::unreadable(key, stamp), bytes: Vec::new() }))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn understood(key: &ClaimKey, Stored { bytes, stamp }: Stored) -> Self {
        let record = ClaimRecord::read(&bytes).ok();
        let said =
            record.as_ref().and_then(|said| Some((said.resource_type.as_deref()?, said.resource_name.as_deref()?)));
        let resource = key.resource(said);
        Self { stored: StoredClaim { key: key.clone(), resource, record, modified: stamp.modified, stamp }, bytes }
    }

    /// Puts a changed record into words, with all fields that only other programs know, for this key.
    pub(super) fn rewritten(&self, key: &Key, record: &ClaimRecord) -> Result<Vec<u8>, Error> {
        let before = self.stored.record.as_ref();
        record::rewritten(&self.bytes, before.unwrap_or(&ClaimRecord::default()), record, key)
    }
}

impl StoredClaim {
    /// What cannot be read, so that nobody knows whose it is.
    pub(super) fn unreadable(key: &ClaimKey, stamp: Stamp) -> Self {
        Self { key: key.clone(), resource: key.resource(None), record: None, modified: stamp.modified, stamp }
    }

    /// The holder, if that is known.
    pub fn holder(&self) -> Option<&SessionId> {
        self.record.as_ref()?.claimed_by.as_ref()
    }

    pub(super) fn read(reader: &dyn Reader, key: &ClaimKey) -> Result<Option<Self>, Error> {
        Ok(ReadClaim::read(reader, key)?.map(|read| read.stored))
    }
}

/// Claims as a store has them, judged by their holders' sessions as they stand.
pub(super) struct Judged<'a, S> {
    pub(super) registry: &'a Registry<S>,
    pub(super) reader: &'a dyn Reader,
}

impl<S: Store> ClaimSource for Judged<'_, S> {
    fn naming(&self) -> Naming {
        self.reader.naming()
    }

    fn keys(&self, ranges: &[Range]) -> Result<Vec<ClaimKey>, Error> {
        claim_keys(self.reader, ranges)
    }

    fn claim(&self, key: &ClaimKey) -> Result<Option<Claim>, Error> {
        let stored = StoredClaim::read(self.reader, key)?;
        stored.map(|stored| self.registry.judged_claim(self.reader, stored)).transpose()
    }
}

pub(super) fn claim_keys(reader: &dyn Reader, ranges: &[Range]) -> Result<Vec<ClaimKey>, Error> {
    let claim = |key| if let Key::Claim(key) = key { Some(key) } else { None };
    Ok(reader.scan(ranges)?.into_iter().filter_map(claim).collect())
}

impl<S: Store> Registry<S> {
    /// The claim of exactly this resource, in whatever state.
    pub fn claim_of(&self, resource: &Resource) -> Result<Option<Claim>, Error> {
        let reader = self.reader()?;
        self.claim_at(&*reader, &reader.naming().key(resource))
    }

    /// All claims of other sessions that overlap this resource, in whatever state.
    pub fn obstacles(&self, session: &SessionId, resource: &Resource) -> Result<Vec<Claim>, Error> {
        let mut obstacles = self.claims_on(resource)?;
        obstacles.retain(|claim| !claim.held_by(session));
        Ok(obstacles)
    }

    /// All claims that overlap this resource, whoever holds them, in whatever state.
    pub fn claims_on(&self, resource: &Resource) -> Result<Vec<Claim>, Error> {
        self.overlapping(&*self.reader()?, resource)
    }

    /// The claims that cover any of many resources, in whatever state and in the order of their resources: each
    /// resource's own and those of the directories above it, with the positions of what they cover. The keys are
    /// listed once, and only what matters is read.
    pub fn claims_covering(&self, resources: &[Resource]) -> Result<Vec<(Claim, Vec<usize>)>, Error> {
        let reader = self.reader()?;
        let naming = reader.naming();
        let mut wanted: HashMap<ClaimKey, Vec<usize>> = HashMap::new();
        for (position, resource) in resources.iter().enumerate() {
            for resource in resource.covering_directories().iter().chain([resource]) {
                wanted.entry(naming.key(resource)).or_default().push(position);
            }
        }
        // Who asks about few does not wait for the names of all.
        let keys = if wanted.len() <= MOST_ASKED_FOR {
            wanted.keys().cloned().collect()
        } else {
            claim_keys(&*reader, &[Range::all_claims()])?
        };
        let keys: Vec<ClaimKey> = keys.into_iter().filter(|key| wanted.contains_key(key)).collect();
        let mut claims = Vec::new();
        let mut holders = HashMap::new();
        for (key, stored) in keys.iter().zip(self.stored_claims(&keys)?) {
            let (Some(positions), Some(stored)) = (wanted.get(key), stored) else { continue };
            let is_covered = |position: &&usize| {
                let resource = &resources[**position];
                naming.overlap(&stored.resource, resource) || *key == naming.key(resource)
            };
            let covered: Vec<usize> = positions.iter().filter(is_covered).copied().collect();
            if covered.is_empty() {
                continue;
            }
            claims.push((self.judged_with(&*reader, stored, &mut holders)?, covered));
        }
        claims.sort_by(|(a, _), (b, _)| a.resource.cmp(&b.resource));
        Ok(claims)
    }

    /// Those of some resources under whose very names claims stand, in whatever state. None of these is read.
    pub fn claimed_among<'a>(&self, resources: &'a [Resource]) -> Result<Vec<&'a Resource>, Error> {
        let reader = self.reader()?;
        let naming = reader.naming();
        if resources.len() <= MOST_ASKED_FOR {
            let mut claimed = Vec::new();
            for resource in resources {
                if reader.stamp(&Key::Claim(naming.key(resource)))?.is_some() {
                    claimed.push(resource);
                }
            }
            return Ok(claimed);
        }
        let keys: HashSet<ClaimKey> = claim_keys(&*reader, &[Range::all_claims()])?.into_iter().collect();
        Ok(resources.iter().filter(|resource| keys.contains(&naming.key(resource))).collect())
    }

    /// What is claimed, in whatever state, by the claims' names alone: none of them is read.
    pub fn claimed_names(&self) -> Result<Vec<Resource>, Error> {
        let keys = claim_keys(&*self.reader()?, &[Range::all_claims()])?;
        Ok(keys.iter().map(|key| key.resource(None)).collect())
    }

    /// All claims, in the order of their resources.
    pub fn claims(&self) -> Result<Vec<Claim>, Error> {
        let reader = self.reader()?;
        let keys = claim_keys(&*reader, &[Range::all_claims()])?;
        let mut claims = Vec::new();
        let mut holders = HashMap::new();
        for stored in self.stored_claims(&keys)?.into_iter().flatten() {
            claims.push(self.judged_with(&*reader, stored, &mut holders)?);
        }
        claims.sort_by(|a, b| a.resource.cmp(&b.resource));
        Ok(claims)
    }

    /// The claims under some keys, unjudged. Many are read by several processors, each of which reads for itself.
    fn stored_claims(&self, keys: &[ClaimKey]) -> Result<Vec<Option<StoredClaim>>, Error> {
        let shares: Vec<&[ClaimKey]> = keys.chunks(keys.len().div_ceil(threads()).max(LEAST_SHARE)).collect();
        let read = |share: &&[ClaimKey]| {
            let reader = self.reader()?;
            share.iter().map(|key| StoredClaim::read(&*reader, key)).collect::<Result<Vec<_>, Error>>()
        };
        let stored: Result<Vec<_>, Error> = in_shares(&shares, 1, read).into_iter().collect();
        Ok(stored?.into_iter().flatten().collect())
    }

    /// All claims, judged by sessions that were read already.
    pub(super) fn claims_of(&self, reader: &dyn Reader, sessions: &[Session]) -> Result<Vec<Claim>, Error> {
        let sessions: HashMap<_, _> = sessions.iter().map(|session| (&session.id, session)).collect();
        let mut claims = Vec::new();
        for key in claim_keys(reader, &[Range::all_claims()])? {
            if let Some(stored) = StoredClaim::read(reader, &key)? {
                let holder = stored.holder().and_then(|holder| sessions.get(holder).copied());
                claims.push(self.judged_by_holder(stored, holder));
            }
        }
        Ok(claims)
    }

    /// Judges a stored claim now, by its holder's session as it stands.
    pub(super) fn judged_claim(&self, reader: &dyn Reader, stored: StoredClaim) -> Result<Claim, Error> {
        let session = match stored.holder() {
            Some(holder) => self.session_in(reader, holder)?,
            None => None,
        };
        Ok(self.judged_by_holder(stored, session.as_ref()))
    }

    /// The same where that session was looked up already.
    pub(super) fn judged_by_holder(&self, stored: StoredClaim, holder: Option<&Session>) -> Claim {
        let claim = stored.judge(holder, self.now());
        match self.store.guarantees().clock {
            LeaseClock::Participants => claim,
            LeaseClock::Store => claim.kept_by_lease(holder),
        }
    }

    /// The same for one of many claims: each holder's session is read once. Many claims of one holder are common.
    pub(super) fn judged_with(
        &self,
        reader: &dyn Reader,
        stored: StoredClaim,
        holders: &mut HashMap<SessionId, Option<Session>>,
    ) -> Result<Claim, Error> {
        let Some(holder) = stored.holder() else { return Ok(stored.judge(None, self.now())) };
        if !holders.contains_key(holder) {
            holders.insert(holder.clone(), self.session_in(reader, holder)?);
        }
        let session = holders.get(holder).and_then(Option::as_ref);
        Ok(self.judged_by_holder(stored, session))
    }

    /// The claim under a key, in whatever state.
    pub(super) fn claim_at(&self, reader: &dyn Reader, key: &ClaimKey) -> Result<Option<Claim>, Error> {
        Judged { registry: self, reader }.claim(key)
    }

    /// All claims that overlap a resource but its own, in the order of [`overlapping`].
    pub(super) fn overlapping_others(&self, reader: &dyn Reader, resource: &Resource) -> Result<Vec<Claim>, Error> {
        overlapping_others(&Judged { registry: self, reader }, resource)
    }

    /// All claims that overlap a resource, in the order of [`overlapping`].
    pub(super) fn overlapping(&self, reader: &dyn Reader, resource: &Resource) -> Result<Vec<Claim>, Error> {
        overlapping(&Judged { registry: self, reader }, resource)
    }
}
