//! Records in etcd: one transaction for each decision, which compares all that the decision read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::clock::Clock;
use deconflict_platform::faults;
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{
    Committed, Error, Guarantees, Hear, Key, LeaseClock, Locking, Presence, Range, Reader, Series, Stamp, Store,
    Stored, Transaction, Watching, Write,
};

use super::access::EtcdAccess;
use super::gateway::{Gateway, Trouble};
use super::keys;
use super::kv::{self, Comparison, Operation};
use super::lifetime::Lifetime;
use super::snapshot::{EtcdSnapshot, record_of, value_of};
use super::watching::EtcdWatching;

/// For so long a decision is made again that others' writes came between.
const PATIENCE: Duration = Duration::from_secs(2);

/// etcd refuses a transaction of more than 128 operations.
const MOST_OPERATIONS: usize = 120;

/// What is kept of a record that could not be understood.
const SET_ASIDE: i64 = 30 * 24 * 3600;

/// A registry in etcd, below the prefix of its repository.
#[derive(Debug)]
pub struct Etcd {
    pub(super) gateway: Arc<Gateway>,
    pub(super) prefix: String,
    clock: Arc<dyn Clock>,
}

/// How a cluster does.
#[derive(Debug, Clone)]
pub struct Health {
    /// etcd's version.
    pub version: String,
    /// How long it took to write something and take it back, each in a transaction.
    pub written_in: Duration,
    /// How far its clock is ahead of this machine's, as far as it tells.
    pub ahead: Option<TimeDelta>,
}

impl Etcd {
    /// Nothing is contacted yet.
    pub fn open(access: &EtcdAccess, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Ok(Self { gateway: Arc::new(Gateway::new(access)?), prefix: access.prefix(), clock })
    }

    /// Asks how the cluster does, and tries out the right to write.
    pub fn health(&self, now: DateTime<Utc>) -> Result<Health, Error> {
        let told = |trouble| self.gateway.error(trouble);
        let version = self.gateway.version().map_err(told)?;
        let key = format!("{}trial/{:016x}", self.prefix, getrandom::u64().unwrap_or_default()).into_bytes();
        // The connection is made.
        let start = Instant::now();
        kv::transact(&self.gateway, &[], &[Operation::Put(key.clone(), Vec::new(), 0)]).map_err(told)?;
        let written_in = start.elapsed();
        kv::transact(&self.gateway, &[], &[Operation::Delete(key)]).map_err(told)?;
        Ok(Health { version, written_in, ahead: self.gateway.told_time().map(|told| told - now) })
    }

    /// Lets what stands under a key last for as long again as if it were written now, without telling anybody; false if it is
    /// gone.
    pub fn keep(&self, key: &Key, record: &[u8]) -> Result<bool, Error> {
        let lifetime = Lifetime::of(&self.prefix, key, record, self.clock.now());
        kv::keep_alive(&self.gateway, lifetime.lease).map_err(|trouble| self.gateway.error(trouble))
    }

    fn snapshot(&self) -> EtcdSnapshot<'_> {
        EtcdSnapshot::new(&self.gateway, &self.prefix)
    }

    /// Makes a decision once; `None` if something else was written meanwhile.
    fn try_commit(
        &self,
        decide: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), Error>,
    ) -> Result<Option<Committed>, Error> {
        let snapshot = self.snapshot();
        let mut transaction = Transaction::new(&snapshot);
        decide(&mut transaction)?;
        let (writes, token) = transaction.decided();
        if writes.is_empty() {
            return Ok(Some(Committed { token, ..Committed::default() }));
        }
        let written = self.write(&snapshot, &writes, token);
        written.map_err(|trouble| self.gateway.error(trouble))
    }

    fn write(
        &self,
        snapshot: &EtcdSnapshot<'_>,
        writes: &[Write],
        token: Option<u64>,
    ) -> Result<Option<Committed>, Trouble> {
        let now = self.clock.now();
        let mut outcome = Outcome { store: self, snapshot, now, records: BTreeMap::new(), other: Vec::new() };
        for write in writes {
            outcome.add(write)?;
        }
        let mut comparisons = snapshot.comparisons();
        if faults::are_locks_broken() {
            comparisons.clear();
        }
        let mut operations = outcome.operations()?;
        if let Some(token) = token {
            let (_, unchanged) = snapshot.last_token()?;
            if !faults::are_locks_broken() {
                comparisons.push(unchanged);
            }
            operations.push(Operation::Put(keys::token(&self.prefix), token.to_string().into_bytes(), 0));
        }
        if operations.iter().any(|operation| matches!(operation, Operation::Delete(_))) {
            operations.push(Operation::Put(keys::deletions(&self.prefix), Vec::new(), 0));
        }
        let Some(revision) = self.transact(&comparisons, &operations)? else { return Ok(None) };
        let claims = outcome.records.iter().filter_map(|(key, record)| {
            let stamp = |size| Stamp { modified: now, size, version: u64::try_from(revision).unwrap_or_default() };
            let record = record.as_ref()?;
            let stored = Stored { bytes: record.clone(), stamp: stamp(record.len() as u64) };
            matches!(key, Key::Claim(_)).then(|| (key.clone(), Some(stored)))
        });
        Ok(Some(Committed { token, claims: claims.collect() }))
    }

    /// Writes all of it or nothing, if etcd takes so much at once.
    fn transact(&self, comparisons: &[Comparison], operations: &[Operation]) -> Result<Option<i64>, Trouble> {
        if operations.len() <= MOST_OPERATIONS {
            return kv::transact(&self.gateway, comparisons, operations);
        }
        Err(Trouble::Declined(format!("{} records cannot be written at once there", operations.len())))
    }

    /// Sees to it that there is a lease of that number, and that it begins anew.
    pub(super) fn hold(&self, lifetime: Lifetime, known: i64) -> Result<(), Trouble> {
        if known == lifetime.lease && kv::keep_alive(&self.gateway, lifetime.lease)? {
            return Ok(());
        }
        match kv::grant(&self.gateway, lifetime.lease, lifetime.seconds) {
            Err(Trouble::LeaseExists) => {
                if kv::keep_alive(&self.gateway, lifetime.lease)? {
                    return Ok(());
                }
                // It ended just now.
                kv::grant(&self.gateway, lifetime.lease, lifetime.seconds)
            }
            granted => granted,
        }
    }
}

impl Store for Etcd {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, Error> {
        Ok(Box::new(self.snapshot()))
    }

    fn commit(&self, decide: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), Error>) -> Result<Committed, Error> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match self.try_commit(decide) {
                Ok(Some(committed)) => return Ok(committed),
                Ok(None) | Err(Error::Contended) if start.elapsed() < PATIENCE => {}
                Ok(None) => return Err(Error::Contended),
                Err(error) => return Err(error),
            }
            // Of many who contend not all come again in the same moment.
            let share = getrandom::u32().unwrap_or_default() % 1000;
            thread::sleep(pause * share / 1000);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn add(&self, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: &[u8]) -> Result<Key, Error> {
        let added = RefKey::default();
        self.commit(&mut |tx| {
            let key = free_name(series, by, at, |key| tx.get(key).map(|found| found.is_some()))?;
            tx.put_new(key.clone(), bytes.to_vec());
            added.set(Some(key));
            Ok(())
        })?;
        added.take().ok_or(Error::Contended)
    }

    fn watch(&self, ranges: &[Range], hear: Hear) -> Box<dyn Watching> {
        Box::new(EtcdWatching::start(Arc::clone(&self.gateway), self.prefix.clone(), ranges, hear))
    }

    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { exclusion: Locking::Enforced, clock: LeaseClock::Store, presence: Presence::Lease }
    }
}

type RefKey = std::cell::Cell<Option<Key>>;

/// The first name of a series from this time on that nothing has.
fn free_name<E>(
    series: &Series,
    by: &SessionId,
    at: DateTime<Utc>,
    mut is_taken: impl FnMut(&Key) -> Result<bool, E>,
) -> Result<Key, E> {
    let mut at = at;
    loop {
        let key = Key::Entry(series.clone(), format!("{}-{by}.json", time::stamp(at)));
        if !is_taken(&key)? {
            return Ok(key);
        }
        at += TimeDelta::milliseconds(1);
    }
}

/// What is to stand there after all writes of a decision.
struct Outcome<'a> {
    store: &'a Etcd,
    snapshot: &'a EtcdSnapshot<'a>,
    now: DateTime<Utc>,
    /// What each key is to have; `None` for nothing.
    records: BTreeMap<Key, Option<Vec<u8>>>,
    /// What is kept beside the records.
    other: Vec<Operation>,
}

impl Outcome<'_> {
    fn add(&mut self, write: &Write) -> Result<(), Trouble> {
        match write.clone() {
            Write::Put { key, bytes, .. } => drop(self.records.insert(key, Some(bytes))),
            Write::Delete(key) => drop(self.records.insert(key, None)),
            Write::SetAside(key) => {
                if let Some(record) = self.record(&key)? {
                    let name = format!("{}set-aside/{key}-{}", self.store.prefix, time::stamp(self.now));
                    let lifetime = Lifetime { seconds: SET_ASIDE, ..self.lifetime(&key, &record) };
                    let lifetime = Lifetime { lease: lifetime.lease ^ 1, ..lifetime };
                    self.store.hold(lifetime, 0)?;
                    self.other.push(Operation::Put(name.into_bytes(), value_of(&record, self.now), lifetime.lease));
                }
                self.records.insert(key, None);
            }
            Write::Add { series, by, at, bytes } => {
                let key = free_name(&series, &by, at, |key| Ok(self.record(key)?.is_some()))?;
                self.records.insert(key, Some(bytes));
            }
            Write::Append(key, more) => {
                let before = self.record(&key)?.unwrap_or_default();
                self.records.insert(key, Some([before, more].concat()));
            }
            Write::Move { from, to, names } => {
                let Some(record) = self.record(&from)? else { return Ok(()) };
                for name in names {
                    let key = Key::Entry(to.clone(), name);
                    if self.record(&key)?.is_none() {
                        self.records.insert(from, None);
                        self.records.insert(key, Some(record));
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// What stands under a key after the writes so far.
    fn record(&self, key: &Key) -> Result<Option<Vec<u8>>, Trouble> {
        if let Some(known) = self.records.get(key) {
            return Ok(known.clone());
        }
        let found = self.snapshot.read(&keys::name(&self.store.prefix, key))?;
        Ok(found.map(|found| record_of(&found.value).1.to_vec()))
    }

    fn lifetime(&self, key: &Key, record: &[u8]) -> Lifetime {
        Lifetime::of(&self.store.prefix, key, record, self.now)
    }

    /// What is to be written, with leases that there are.
    fn operations(&self) -> Result<Vec<Operation>, Trouble> {
        let mut held = HashSet::new();
        let mut operations = self.other.clone();
        for (key, record) in &self.records {
            let name = keys::name(&self.store.prefix, key);
            let Some(record) = record else {
                operations.push(Operation::Delete(name));
                continue;
            };
            let lifetime = self.lifetime(key, record);
            if held.insert(lifetime) {
                self.store.hold(lifetime, self.snapshot.lease_of(&name))?;
            }
            operations.push(Operation::Put(name, value_of(record, self.now), lifetime.lease));
        }
        Ok(operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_passed() {
        let by: SessionId = SessionId::new("anna").unwrap();
        let at = Utc::now();
        let mut taken = 3;
        let key = free_name(&Series::Broadcasts, &by, at, |_| {
            taken -= 1;
            Ok::<bool, ()>(taken > 0)
        });
        let late = time::stamp(at + TimeDelta::milliseconds(2));
        assert_eq!(key.unwrap(), Key::Entry(Series::Broadcasts, format!("{late}-anna.json")));
    }
}
