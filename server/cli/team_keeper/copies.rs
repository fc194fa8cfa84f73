//! Copies of one registry's records in another, which change and go with them.

use std::collections::{BTreeMap, BTreeSet};

use deconflict_protocol::{ClaimRecord, SessionRecord, to_bytes};
use deconflict_registry::{Changed, Error, Files, Key, Range, Reader, Registry, Store, Write};
use deconflict_team::Etcd;

/// So many records are written at once.
const AT_ONCE: usize = 50;

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) is_everything: bool,
    pub(super) keys: BTreeSet<Key>,
}

impl Due {
    pub(super) fn everything() -> Self {
        Self { is_everything: true, keys: BTreeSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_everything && self.keys.is_empty()
    }

    pub(super) fn add(&mut self, changed: Changed) {
        match changed {
            Changed::Record(key) => drop(self.keys.insert(key)),
            Changed::Range(_) | Changed::Everything => self.is_everything = true,
            // Whoever watches looks again, and is told what it means.
            Changed::Lost | Changed::Unclear | Changed::Trouble(_) => {}
        }
    }
}

/// A record under another key.
pub(super) type Copied = (Key, Vec<u8>);

/// The copies of sessions and claims that stand in `to`.
pub(super) struct Copies<'a, F, T> {
    from: &'a Registry<F>,
    to: &'a Registry<T>,
    /// By their keys.
    there: BTreeMap<Key, Vec<u8>>,
    /// By the keys of what they are copies of.
    of: BTreeMap<Key, Key>,
    /// What an earlier process left is known.
    is_taken_up: bool,
}

impl<'a, F: Store, T: Store> Copies<'a, F, T> {
    pub(super) fn new(from: &'a Registry<F>, to: &'a Registry<T>) -> Self {
        Self { from, to, there: BTreeMap::new(), of: BTreeMap::new(), is_taken_up: false }
    }

    /// Finds what an earlier process left, so that it changes and goes too.
    pub(super) fn take_up(&mut self, is_copy: impl Fn(&Key, &[u8]) -> bool) -> Result<(), Error> {
        if self.is_taken_up {
            return Ok(());
        }
        let reader = self.to.store().reader()?;
        for key in reader.scan(&[Range::Sessions, Range::all_claims()])? {
            if let Some(found) = reader.get(&key)?
                && is_copy(&key, &found.bytes)
            {
                self.there.insert(key, found.bytes);
            }
        }
        self.is_taken_up = true;
        Ok(())
    }

    /// Makes the copies of what is due be as `copy` says. Of what fails in the middle, everything is due again.
    pub(super) fn bring_up_to_date(
        &mut self,
        due: &Due,
        copy: impl Fn(&dyn Reader, &Key) -> Result<Option<Copied>, Error>,
    ) -> Result<(), Error> {
        let reader = self.from.store().reader()?;
        let mut sources: BTreeSet<Key> =
            due.keys.iter().filter(|key| matches!(key, Key::Session(_) | Key::Claim(_))).cloned().collect();
        if due.is_everything {
            sources.extend(reader.scan(&[Range::Sessions, Range::all_claims()])?);
            sources.extend(self.of.keys().cloned());
        }
        let gone = sources.iter().filter(|key| matches!(key, Key::Session(_)) && self.of.contains_key(key));
        let held: Vec<Key> = gone.flat_map(|session| self.held_by(session)).collect();
        sources.extend(held);
        reader.prefetch(&|| sources.iter().cloned().collect())?;
        let (mut writes, mut wanted) = (Vec::new(), BTreeMap::new());
        for source in &sources {
            let copied = copy(&*reader, source)?;
            if let Some(before) = self.of.get(source)
                && copied.as_ref().is_none_or(|(key, _)| key != before)
            {
                writes.push(Write::Delete(before.clone()));
            }
            if let Some((key, bytes)) = copied {
                if self.there.get(&key) != Some(&bytes) {
                    writes.push(Write::Put { key: key.clone(), bytes, is_new: false });
                }
                wanted.insert(source.clone(), key);
            }
        }
        if due.is_everything {
            let kept: BTreeSet<&Key> = wanted.values().collect();
            let left = self.there.keys().filter(|key| !kept.contains(key));
            writes.extend(left.cloned().map(Write::Delete));
        }
        self.write(&writes)?;
        self.of.retain(|source, _| !sources.contains(source));
        self.of.extend(wanted);
        Ok(())
    }

    /// Forgets those that are gone, and returns what they were copies of.
    pub(super) fn forget_lost(&mut self, due: &Due) -> Result<Vec<Key>, Error> {
        let suspects: Vec<Key> = if due.is_everything {
            self.there.keys().cloned().collect()
        } else {
            due.keys.iter().filter(|key| self.there.contains_key(key)).cloned().collect()
        };
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.to.store().reader()?;
        if due.is_everything {
            // Read at once, so that each is known.
            reader.scan(&[Range::Sessions, Range::all_claims()])?;
        }
        for key in suspects {
            if reader.stamp(&key)?.is_none() {
                self.there.remove(&key);
            }
        }
        Ok(self.of.iter().filter(|(_, key)| !self.there.contains_key(key)).map(|(source, _)| source.clone()).collect())
    }

    /// Takes all of them away, as far as that can be done.
    pub(super) fn take_away(&mut self) {
        // What stays goes with its lease, or when somebody works here again.
        let all: Vec<Write> = self.there.keys().cloned().map(Write::Delete).collect();
        let _ = self.write(&all);
    }

    /// Their keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.there.keys()
    }

    /// What they are copies of, with their keys.
    pub(super) fn sources(&self) -> &BTreeMap<Key, Key> {
        &self.of
    }

    /// True if one stands under this key.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.there.contains_key(key)
    }

    fn write(&mut self, writes: &[Write]) -> Result<(), Error> {
        for some in writes.chunks(AT_ONCE) {
            let is_known = |write: &Write| matches!(write, Write::Put { key, .. } if self.there.contains_key(key));
            self.to.store().commit(&mut |tx| {
                for write in some {
                    // What was not read is taken for new.
                    if let Write::Put { key, .. } = write
                        && is_known(write)
                    {
                        tx.get(key)?;
                    }
                    tx.write(write.clone());
                }
                Ok(())
            })?;
            for write in some {
                match write {
                    Write::Put { key, bytes, .. } => drop(self.there.insert(key.clone(), bytes.clone())),
                    Write::Delete(key) => drop(self.there.remove(key)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The claims of which copies stand there, that a session holds of which one does.
    fn held_by(&self, session: &Key) -> Vec<Key> {
        let Some(Key::Session(holder)) = self.of.get(session) else { return Vec::new() };
        let is_held = |key: &Key| {
            let record = self.there.get(key).and_then(|bytes| ClaimRecord::read(bytes).ok());
            record.is_some_and(|record| record.claimed_by.as_ref() == Some(holder))
        };
        let claims = self.of.iter().filter(|(source, _)| matches!(source, Key::Claim(_)));
        claims.filter(|(_, key)| is_held(key)).map(|(source, _)| source.clone()).collect()
    }
}

impl<F: Store> Copies<'_, F, Files> {
    /// Says in the sessions' records when they were last heard of, where nothing is heard now.
    pub(super) fn set_known_at(&mut self, at: Option<&String>) -> Result<(), Error> {
        let marked = |(key, bytes): (&Key, &Vec<u8>)| {
            let record = matches!(key, Key::Session(_)).then(|| SessionRecord::read(bytes).ok()).flatten()?;
            let record = SessionRecord { known_at: at.cloned(), ..record };
            let bytes = to_bytes(&record).ok().filter(|marked| marked != bytes)?;
            Some(Write::Put { key: key.clone(), bytes, is_new: false })
        };
        let writes: Vec<Write> = self.there.iter().filter_map(marked).collect();
        self.write(&writes)
    }
}

impl<F: Store> Copies<'_, F, Etcd> {
    /// Lets the sessions last for as long again; false if one is gone.
    pub(super) fn refresh(&self) -> Result<bool, Error> {
        let mut are_there = true;
        for (key, record) in self.there.iter().filter(|(key, _)| matches!(key, Key::Session(_))) {
            are_there &= self.to.store().keep(key, record)?;
        }
        Ok(are_there)
    }
}
