//! Claims as they stand: reading them and judging what they are worth now.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::directory::{Contents, Directory, Folder, Stamp};
use super::liveness;
use super::machines::OTHER_CLOCK;
use super::record::Record;
use super::sessions::read_session;
use super::{Error, Registry, Session};
use deconflict_protocol::{ClaimFileName, ClaimRecord, Resource, SessionId, lease_end, time};

/// A record that cannot be read yet may still be written by a script: it counts as pending for so long.
pub(super) const BEING_WRITTEN: TimeDelta = TimeDelta::seconds(5);

/// What a claim is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its holder has it: only force takes it over.
    Active,
    /// Its lease runs, but its document was left unsaved and untouched: anyone may take it over.
    Idle,
    /// Its lease ended: anyone may take it over.
    Expired,
    /// Its holder is gone: anyone may take it over.
    Abandoned,
    /// It cannot be read yet; somebody may be writing it. It is respected.
    Pending,
    /// It cannot be read. It is respected for as long as a default lease, because nobody knows whose it is.
    Damaged,
}

impl Standing {
    /// The standing in one word, as programs and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Abandoned => "abandoned",
            Self::Pending => "pending",
            Self::Damaged => "damaged",
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A claim's record as it was read, not yet judged.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredClaim {
    /// The file's name, which decides what is claimed.
    pub file: ClaimFileName,
    /// What is claimed.
    pub resource: Resource,
    /// What stands in the file; `None` if that cannot be understood.
    pub record: Option<ClaimRecord>,
    /// When the file was written.
    pub modified: DateTime<Utc>,
    pub(super) stamp: Stamp,
}

/// A claim that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The file's name.
    pub file: ClaimFileName,
    /// What is claimed.
    pub resource: Resource,
    /// What the record says. Empty where it cannot be understood.
    pub record: ClaimRecord,
    /// Since when.
    pub claimed_at: DateTime<Utc>,
    /// Until when it is believed.
    pub expires_at: DateTime<Utc>,
    /// When the record was written.
    pub modified: DateTime<Utc>,
    /// What it is worth.
    pub standing: Standing,
}

/// What a claim that was granted is known by. It goes stale when the resource changes hands, even back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holding {
    /// The holder.
    pub session: SessionId,
    /// What is held.
    pub resource: Resource,
    /// The random id of this holding; absent in other programs' records.
    pub id: Option<String>,
    /// Greater than that of any holding before it; absent in other programs' records.
    pub generation: Option<u64>,
    /// Since when, as the record spells it: tells holdings apart that have no id.
    claimed_at: Option<String>,
}

/// Under which terms a resource is claimed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// For how long.
    pub lease: TimeDelta,
    /// True if an edit asks for it, not a person or agent by hand.
    pub automatic: bool,
    /// What the holder means to do with it.
    pub phase: Option<String>,
    /// False where others should not write to the holder about it.
    pub allow_coordination: bool,
    /// True to displace a holder whose claim is active.
    pub force: bool,
    /// The branch that the holder edits on.
    pub branch: Option<String>,
    /// The linked worktree that the holder edits in.
    pub worktree: Option<String>,
}

impl Default for Terms {
    /// By hand, for 4 hours, open to messages, without force.
    fn default() -> Self {
        Self {
            lease: deconflict_protocol::DEFAULT_LEASE,
            automatic: false,
            phase: None,
            allow_coordination: true,
            force: false,
            branch: None,
            worktree: None,
        }
    }
}

/// What came of a wish to claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// The session holds it now.
    Granted {
        /// The new claim.
        claim: Claim,
        /// The claim that ended by it, if one stood there.
        took_over: Option<Claim>,
    },
    /// The session held it already; the claim was renewed.
    AlreadyHeld {
        /// The claim as it is now.
        claim: Claim,
    },
    /// Another session holds it, or something that overlaps it.
    Refused {
        /// The claim in the way.
        by: Claim,
    },
}

/// What came of a wish to release.
#[derive(Debug, Clone, PartialEq)]
pub enum ReleaseOutcome {
    /// It is free now; this was the claim.
    Released(Claim),
    /// Another session holds it.
    NotHolder(Claim),
    /// Nobody holds it.
    NotFound,
}

/// What came of a wish to renew.
#[derive(Debug, Clone, PartialEq)]
pub enum RenewOutcome {
    /// The session still holds it.
    Renewed(Claim),
    /// It doesn't any more; this stands in its way, if anything does.
    Lost(Option<Claim>),
}

/// What came of a wish to hand off.
#[derive(Debug, Clone, PartialEq)]
pub enum HandOffOutcome {
    /// The recipient holds it now.
    HandedOff(Claim),
    /// Another session holds it.
    NotHolder(Claim),
    /// Nobody holds it.
    NotFound,
    /// The giver holds something else that overlaps it, and would keep that.
    Refused {
        /// The giver's other claim.
        by: Claim,
    },
    /// The recipient is not a live session.
    RecipientNotLive(Option<Session>),
}

/// What came of a claim whose file was moved.
#[derive(Debug, Clone, PartialEq)]
pub enum MoveOutcome {
    /// The session holds the new place, and no longer the old one.
    Moved(Claim),
    /// Another session holds the new place; the old one was released.
    Released {
        /// The claim on the new place.
        target: Claim,
    },
    /// The session no longer held the old place.
    Lost(Option<Claim>),
}

impl Claim {
    /// Who holds it; `None` where the record cannot be understood.
    pub fn holder(&self) -> Option<&SessionId> {
        self.record.claimed_by.as_ref()
    }

    /// True if it was made by the first edit, not by hand.
    pub fn is_automatic(&self) -> bool {
        self.record.automatic == Some(true)
    }

    /// True while its holder has it.
    pub fn is_active(&self) -> bool {
        self.standing == Standing::Active
    }

    /// True if anyone may take it over without force.
    pub fn can_be_taken_over(&self) -> bool {
        matches!(self.standing, Standing::Idle | Standing::Expired | Standing::Abandoned)
    }

    /// True unless its holder wants no messages about it.
    pub fn allows_coordination(&self) -> bool {
        self.record.allow_coordination != Some(false)
    }

    /// True if this session is the holder.
    pub fn held_by(&self, session: &SessionId) -> bool {
        self.holder() == Some(session)
    }

    /// What this holding is known by; `None` where nobody is known to hold it.
    pub fn holding(&self) -> Option<Holding> {
        Some(Holding {
            session: self.holder()?.clone(),
            resource: self.resource.clone(),
            id: self.record.id.clone(),
            generation: self.record.generation,
            claimed_at: self.record.claimed_at.clone(),
        })
    }

    /// True if the record names another resource than the file's name does.
    pub fn says_something_else(&self) -> bool {
        let said = |field: &Option<String>, is: &str| field.as_deref().is_none_or(|said| said == is);
        !said(&self.record.resource_type, self.resource.resource_type().as_str())
            || !said(&self.record.resource_name, self.resource.name())
    }
}

impl StoredClaim {
    pub(super) fn read(directory: &Directory, file: &ClaimFileName) -> Result<Option<Self>, Error> {
        Ok(ReadClaim::read(directory, file)?.map(|read| read.stored))
    }

    /// Judges the claim. `holder` is the holder's session, if it has one.
    pub fn judge(&self, holder: Option<&Session>, now: DateTime<Utc>) -> Claim {
        let record = self.record.as_ref();
        let expires_at = lease_end(record, self.modified, now);
        let claimed_at = time::believed(record.and_then(|record| record.claimed_at.as_deref()), self.modified, now);
        Claim {
            file: self.file.clone(),
            resource: self.resource.clone(),
            record: self.record.clone().unwrap_or_default(),
            claimed_at,
            expires_at,
            modified: self.modified,
            standing: self.standing(holder, expires_at, now),
        }
    }

    fn standing(&self, holder: Option<&Session>, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Standing {
        let Some(record) = &self.record else { return self.standing_unread(expires_at, now) };
        if holder.is_some_and(|session| session.state.is_over()) {
            return Standing::Abandoned;
        }
        let is_elsewhere = holder.is_some_and(Session::is_elsewhere);
        let respected_until = if is_elsewhere { expires_at + OTHER_CLOCK } else { expires_at };
        if now >= respected_until {
            Standing::Expired
        } else if record.automatic == Some(true) && record.idle_since.is_some() {
            Standing::Idle
        } else {
            Standing::Active
        }
    }

    fn standing_unread(&self, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Standing {
        let age = now - self.modified;
        // A file from the future would count for ever.
        let is_from_the_future = age < -time::CLOCK_TOLERANCE;
        if now >= expires_at || liveness::is_older_than_boot(self.modified) || is_from_the_future {
            Standing::Expired
        } else if age < BEING_WRITTEN && age > -BEING_WRITTEN {
            Standing::Pending
        } else {
            Standing::Damaged
        }
    }
}

impl Holding {
    /// True if the record is this very holding and not a later or an earlier one.
    pub(super) fn is(&self, record: &ClaimRecord) -> bool {
        record.claimed_by.as_ref() == Some(&self.session)
            && record.id == self.id
            && record.generation == self.generation
            && (self.id.is_some() || record.claimed_at == self.claimed_at)
    }
}

/// A claim with the record's own fields, to be rewritten.
#[derive(Debug)]
pub(super) struct ReadClaim {
    pub(super) stored: StoredClaim,
    /// `None` where the record cannot be understood.
    pub(super) record: Option<Record<ClaimRecord>>,
}

impl ReadClaim {
    /// Reads a claim's file; `None` if there is none. What is no regular file, or too large, is a damaged claim.
    pub(super) fn read(directory: &Directory, file: &ClaimFileName) -> Result<Option<Self>, Error> {
        let contents = directory.contents(&Folder::Claims)?;
        contents.map_or(Ok(None), |contents| Self::read_in(&contents, file))
    }

    /// The same for whoever reads several: the folder is opened only once for all of them.
    fn read_in(contents: &Contents, file: &ClaimFileName) -> Result<Option<Self>, Error> {
        let stored = match contents.read(file.as_str()) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(None),
            Err(Error::Unsafe { .. }) => {
                // What is too large has an age, and counts as any damaged record; what is no file never was one.
                let stamp = contents.stamp(file.as_str())?;
                let stamp = stamp.unwrap_or_else(|| Stamp::unknown(DateTime::UNIX_EPOCH));
                let modified = stamp.modified;
                let stored =
                    StoredClaim { file: file.clone(), resource: file.resource(None), record: None, modified, stamp };
                return Ok(Some(Self { stored, record: None }));
            }
            Err(error) => return Err(error),
        };
        let record = Record::understand(&stored, ClaimRecord::from_fields).ok();
        let said = record.as_ref().map(|record| &record.value);
        let said = said.and_then(|claim| Some((claim.resource_type.as_deref()?, claim.resource_name.as_deref()?)));
        let stored = StoredClaim {
            file: file.clone(),
            resource: file.resource(said),
            record: record.as_ref().map(|record| record.value.clone()),
            modified: stored.stamp.modified,
            stamp: stored.stamp,
        };
        Ok(Some(Self { stored, record }))
    }
}

impl Registry {
    /// The claim of exactly this resource, in whatever standing.
    pub fn claim_of(&self, resource: &Resource) -> Result<Option<Claim>, Error> {
        let directory = self.directory()?;
        let stored = StoredClaim::read(&directory, &resource.claim_file_name())?;
        stored.map(|stored| self.judged_claim(&directory, &stored)).transpose()
    }

    /// All claims of other sessions that overlap this resource, in whatever standing.
    pub fn obstacles(&self, session: &SessionId, resource: &Resource) -> Result<Vec<Claim>, Error> {
        let directory = self.directory()?;
        let mut obstacles = self.overlapping(&directory, resource)?;
        obstacles.retain(|claim| !claim.held_by(session));
        Ok(obstacles)
    }

    /// All claims that overlap this resource, whoever holds them, in whatever standing.
    pub fn claims_on(&self, resource: &Resource) -> Result<Vec<Claim>, Error> {
        self.overlapping(&self.directory()?, resource)
    }

    /// The claims that cover any of many resources, in whatever standing and in the order of their resources: each
    /// resource's own and those of the directories above it, with the positions of what they cover. The folder is
    /// listed once, and only what matters is read.
    pub fn claims_covering(&self, resources: &[Resource]) -> Result<Vec<(Claim, Vec<usize>)>, Error> {
        let directory = self.directory()?;
        let ignores_case = directory.ignores_case();
        let key = |file: &ClaimFileName| {
            if ignores_case { file.as_str().to_lowercase() } else { file.as_str().to_owned() }
        };
        let mut wanted: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, resource) in resources.iter().enumerate() {
            let covering = resource.covering_directories();
            for resource in covering.iter().chain([resource]) {
                wanted.entry(key(&resource.claim_file_name())).or_default().push(position);
            }
        }
        let mut claims = Vec::new();
        for file in list_claims(&directory)? {
            let Some(positions) = wanted.get(&key(&file)) else { continue };
            let Some(stored) = StoredClaim::read(&directory, &file)? else { continue };
            let is_covered = |position: &&usize| {
                let resource = &resources[**position];
                stored.resource.overlaps(resource) || key(&file) == key(&resource.claim_file_name())
            };
            let covered: Vec<usize> = positions.iter().filter(is_covered).copied().collect();
            if !covered.is_empty() {
                claims.push((self.judged_claim(&directory, &stored)?, covered));
            }
        }
        claims.sort_by(|(a, _), (b, _)| a.resource.cmp(&b.resource));
        Ok(claims)
    }

    /// All claims, in the order of their resources.
    pub fn claims(&self) -> Result<Vec<Claim>, Error> {
        let directory = self.directory()?;
        let mut claims = Vec::new();
        for file in list_claims(&directory)? {
            if let Some(stored) = StoredClaim::read(&directory, &file)? {
                claims.push(self.judged_claim(&directory, &stored)?);
            }
        }
        claims.sort_by(|a, b| a.resource.cmp(&b.resource));
        Ok(claims)
    }

    /// All claims, judged by sessions that were read already.
    pub(super) fn claims_of(&self, directory: &Directory, sessions: &[Session]) -> Result<Vec<Claim>, Error> {
        let sessions: HashMap<_, _> = sessions.iter().map(|session| (&session.id, session)).collect();
        let mut claims = Vec::new();
        for file in list_claims(directory)? {
            if let Some(stored) = StoredClaim::read(directory, &file)? {
                let holder = stored.record.as_ref().and_then(|record| record.claimed_by.as_ref());
                claims.push(stored.judge(holder.and_then(|holder| sessions.get(holder).copied()), self.now()));
            }
        }
        Ok(claims)
    }

    /// Judges a stored claim now, by its holder's session as it stands.
    pub(super) fn judged_claim(&self, directory: &Directory, stored: &StoredClaim) -> Result<Claim, Error> {
        let holder = stored.record.as_ref().and_then(|record| record.claimed_by.as_ref());
        let session = match holder {
            Some(holder) => read_session(directory, holder)?.map(|stored| self.judged(directory, &stored)),
            None => None,
        };
        Ok(stored.judge(session.as_ref(), self.now()))
    }

    /// All claims that overlap a resource: its own first, then those of the directories above it, nearest first,
    /// then those below it. Only a directory has to list the folder; a file costs a look-up for each folder above.
    pub(super) fn overlapping(&self, directory: &Directory, resource: &Resource) -> Result<Vec<Claim>, Error> {
        let mut files = vec![resource.claim_file_name()];
        files.extend(resource.covering_directories().iter().map(Resource::claim_file_name));
        if resource.is_directory() {
            files.extend(claims_below(directory, resource)?);
        }
        let mut claims = Vec::new();
        let Some(contents) = directory.contents(&Folder::Claims)? else { return Ok(claims) };
        for file in files {
            if let Some(ReadClaim { stored, .. }) = ReadClaim::read_in(&contents, &file)?
                && (stored.resource.overlaps(resource) || file == resource.claim_file_name())
            {
                claims.push(self.judged_claim(directory, &stored)?);
            }
        }
        Ok(claims)
    }
}

/// The names of all claim files.
pub(super) fn list_claims(directory: &Directory) -> Result<Vec<ClaimFileName>, Error> {
    let names = directory.list(&Folder::Claims)?;
    Ok(names.iter().filter_map(|name| ClaimFileName::from_file_name(name)).collect())
}

fn claims_below(directory: &Directory, above: &Resource) -> Result<Vec<ClaimFileName>, Error> {
    let prefixes = ClaimFileName::prefixes_below(above);
    let own = above.claim_file_name();
    let mut files = list_claims(directory)?;
    if directory.ignores_case() {
        let prefixes = prefixes.map(|prefix| prefix.to_lowercase());
        files.retain(|file| prefixes.iter().any(|prefix| file.as_str().to_lowercase().starts_with(prefix)));
    } else {
        files.retain(|file| prefixes.iter().any(|prefix| file.as_str().starts_with(prefix)));
    }
    files.retain(|file| *file != own);
    Ok(files)
}
