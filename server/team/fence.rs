//! What keeps a file that cannot be merged whole beyond a clone: who may push it, and what its last holder left.

use deconflict_protocol::{ClaimKey, ClaimRecord, SessionId};
use deconflict_registry::Error;
use serde::{Deserialize, Serialize};

use super::Etcd;
use super::gateway::Trouble;
use super::keys;
use super::kv::{self, Comparison, KeyValue, Operation};
use super::snapshot::record_of;

/// What a holder left is remembered for so long, in seconds: after that everybody has it, or nobody wants it.
const REMEMBERED: i64 = 90 * 24 * 3600;

/// etcd refuses a transaction of more than 128 comparisons, and each file needs two.
const AT_ONCE: usize = 60;

/// What stood in a file that cannot be merged when its holder released it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftContent {
    /// What git calls it.
    pub blob: String,
    /// What people call whoever left it.
    pub by: String,
    /// In which clone.
    pub clone: String,
    /// When, as records spell times.
    pub at: String,
}

/// Why a push of a file is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Nobody holds it, or not any more.
    NotHeld,
    /// This session holds it, and it is not the pushing one's, or its holding is another by now.
    HeldBy(SessionId),
    /// Its holder has not said that this commit is to be pushed.
    NotNamed,
}

impl Etcd {
    /// Lets this session push a commit that changes these files, for as long as its claims of them last: writes its fencing
    /// tokens beside the commit, under the claims. Returns the files that it does not hold.
    pub fn name_push(&self, session: &SessionId, files: &[ClaimKey], commit: &str) -> Result<Vec<ClaimKey>, Error> {
        let mut not_held = Vec::new();
        for some in files.chunks(AT_ONCE) {
            not_held.extend(self.named_at_once(session, some, commit).map_err(|trouble| self.gateway.error(trouble))?);
        }
        Ok(not_held)
    }

    fn named_at_once(&self, session: &SessionId, files: &[ClaimKey], commit: &str) -> Result<Vec<ClaimKey>, Trouble> {
        let (mut not_held, mut comparisons, mut operations) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            let claim = self.claim_key(file);
            let (_, [found, _]) = kv::read_now(&self.gateway, [&claim, &claim])?;
            let held = found.as_ref().and_then(|found| Some((found, token_of(found, Some(session))?)));
            let Some((found, token)) = held else {
                not_held.push(file.clone());
                continue;
            };
            comparisons.push(Comparison::Unchanged(claim, found.mod_revision));
            operations.push(Operation::Put(self.push_key(file, commit), token.to_string().into_bytes(), found.lease));
        }
        if !not_held.is_empty() || operations.is_empty() {
            return Ok(not_held);
        }
        match kv::transact(&self.gateway, &comparisons, &operations) {
            Ok(Some(_)) => Ok(Vec::new()),
            // It was lost in this moment.
            Ok(None) | Err(Trouble::LeaseEnded) => Ok(files.to_vec()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether a commit may be pushed that changes these files: for each its holder said so under the very claim that stands
    /// now. That all of it holds at once is decided in one transaction. Returns why not, for each that may not.
    pub fn admits(&self, files: &[ClaimKey], commit: &str) -> Result<Vec<(ClaimKey, NotAdmitted)>, Error> {
        let mut refused = Vec::new();
        for some in files.chunks(AT_ONCE) {
            refused.extend(self.admitted_at_once(some, commit).map_err(|trouble| self.gateway.error(trouble))?);
        }
        Ok(refused)
    }

    fn admitted_at_once(&self, files: &[ClaimKey], commit: &str) -> Result<Vec<(ClaimKey, NotAdmitted)>, Trouble> {
        let (mut refused, mut comparisons) = (Vec::new(), Vec::new());
        for file in files {
            let [claim_key, push_key] = [self.claim_key(file), self.push_key(file, commit)];
            let (_, [claim, push]) = kv::read_now(&self.gateway, [&claim_key, &push_key])?;
            match verdict(claim.as_ref(), push.as_ref()) {
                Some(why) => refused.push((file.clone(), why)),
                None => {
                    for (key, found) in [(claim_key, claim), (push_key, push)] {
                        comparisons.push(Comparison::Unchanged(key, found.map_or(0, |found| found.mod_revision)));
                    }
                }
            }
        }
        if !refused.is_empty() || comparisons.is_empty() {
            return Ok(refused);
        }
        match kv::transact(&self.gateway, &comparisons, &[])? {
            Some(_) => Ok(refused),
            None => Ok(files.iter().map(|file| (file.clone(), NotAdmitted::NotHeld)).collect()),
        }
    }

    /// Remembers what a holder leaves.
    pub fn remember_left(&self, file: &ClaimKey, left: &LeftContent) -> Result<(), Error> {
        let told = |trouble| self.gateway.error(trouble);
        let bytes = serde_json::to_vec(left).unwrap_or_default();
        let lease = super::lifetime::numbered(&self.prefix, &format!("left {file}"), REMEMBERED);
        self.hold(lease, 0).map_err(told)?;
        kv::transact(&self.gateway, &[], &[Operation::Put(self.left_key(file), bytes, lease.lease)]).map_err(told)?;
        Ok(())
    }

    /// What the last holder left.
    pub fn left(&self, file: &ClaimKey) -> Result<Option<LeftContent>, Error> {
        let key = self.left_key(file);
        let (_, [found, _]) =
            kv::read_now(&self.gateway, [&key, &key]).map_err(|trouble| self.gateway.error(trouble))?;
        Ok(found.and_then(|found| serde_json::from_slice(&found.value).ok()))
    }

    fn claim_key(&self, file: &ClaimKey) -> Vec<u8> {
        keys::name(&self.prefix, &deconflict_registry::Key::Claim(file.clone()))
    }

    fn push_key(&self, file: &ClaimKey, commit: &str) -> Vec<u8> {
        format!("{}pushes/{file}/{commit}", self.prefix).into_bytes()
    }

    fn left_key(&self, file: &ClaimKey) -> Vec<u8> {
        format!("{}left/{file}", self.prefix).into_bytes()
    }
}

/// Why this does not admit a push; `None` where it does.
fn verdict(claim: Option<&KeyValue>, push: Option<&KeyValue>) -> Option<NotAdmitted> {
    let Some(token) = claim.and_then(|claim| token_of(claim, None)) else { return Some(NotAdmitted::NotHeld) };
    let holder = claim.and_then(|claim| ClaimRecord::read(record_of(&claim.value).1).ok()?.claimed_by);
    match push.map(|push| String::from_utf8_lossy(&push.value).into_owned()) {
        Some(named) if named == token.to_string() => None,
        Some(_) => Some(holder.map_or(NotAdmitted::NotHeld, NotAdmitted::HeldBy)),
        None => Some(NotAdmitted::NotNamed),
    }
}

/// The fencing token of a claim, if somebody holds it, or this session does.
fn token_of(claim: &KeyValue, holder: Option<&SessionId>) -> Option<u64> {
    let record = ClaimRecord::read(record_of(&claim.value).1).ok()?;
    record.generation.filter(|_| holder.is_none_or(|holder| record.claimed_by.as_ref() == Some(holder)))
}
