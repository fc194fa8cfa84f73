//! The sessions that name some processes, found without reading all: where there are a thousand, to read them takes longer
//! than anything that a verb of their user does.
//!
//! What each record names is remembered beside them. It only tells which records need not be read: those that count are read
//! anew.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::session::{Session, StoredSession};
use super::store::files::SESSION_PROCESSES;
use super::store::files::directory::{Contents, Directory, Durability};
use super::store::files::folder::Folder;
use super::store::files::names::{file_of, session_of};
use super::store::{Key, Stamp, Stored};
use super::{Error, Registry};
use deconflict_protocol::{SessionId, SessionRecord};

/// Another number means another form.
const FORM: u32 = 2;

/// So few are read each time.
const FEW: usize = 16;

/// For so long a file's number alone tells that it is still the same one. Then each is asked when it was written, because
/// another program may write into a file, and numbers are given away again.
const FRESH: TimeDelta = TimeDelta::seconds(2);

/// What is remembered, in a form that is looked at where it lies: a verb has no time to make a thousand values of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known<'a> {
    form: u32,
    /// In order.
    #[serde(borrow)]
    files: Numbers<'a>,
    /// Theirs, in the same order.
    #[serde(borrow)]
    stamps: Numbers<'a>,
    /// Each as often as it names a process.
    #[serde(borrow)]
    naming: Numbers<'a>,
    /// The processes, in the same order.
    #[serde(borrow)]
    named: Numbers<'a>,
}

impl Known<'_> {
    fn new(mut files: Vec<(u64, u64)>, naming: &[(u64, u64)]) -> Self {
        files.sort_unstable();
        let (files, stamps): (Vec<u64>, Vec<u64>) = files.into_iter().unzip();
        let (naming, named): (Vec<u64>, Vec<u64>) = naming.iter().copied().unzip();
        let [files, stamps, naming, named] = [files, stamps, naming, named].map(Numbers::new);
        Self { form: FORM, files, stamps, naming, named }
    }

    fn stamp_of(&self, file: u64) -> Option<u64> {
        self.stamps.at(self.files.place_of(file)?)
    }

    fn naming(&self) -> impl Iterator<Item = (u64, u64)> {
        self.naming.iter().zip(self.named.iter())
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Numbers<'a>(#[serde(borrow, with = "serde_bytes")] Cow<'a, [u8]>);

impl Numbers<'_> {
    fn new(numbers: Vec<u64>) -> Self {
        Self(numbers.into_iter().flat_map(u64::to_le_bytes).collect())
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number))
    }

    fn at(&self, place: usize) -> Option<u64> {
        self.0.as_chunks().0.get(place).map(|number| u64::from_le_bytes(*number))
    }

    /// Where they are in order.
    fn place_of(&self, number: u64) -> Option<usize> {
        self.0.as_chunks().0.binary_search_by_key(&number, |number| u64::from_le_bytes(*number)).ok()
    }
}

impl Registry {
    /// The live sessions that name one of these processes as the one that keeps them or that they serve.
    pub fn live_sessions_naming(&self, pids: &[u32]) -> Result<Vec<Session>, Error> {
        let directory = self.directory()?;
        let Some(contents) = directory.contents(&Folder::Sessions)? else { return Ok(Vec::new()) };
        let listed = contents.numbered_names()?;
        let ids = if listed.len() > FEW {
            self.remembered(&directory, &contents, &listed, pids)?
        } else {
            listed.iter().filter_map(|(name, _)| session_of(name)).collect()
        };
        let mut sessions = Vec::new();
        for id in ids {
            let (_, name) = file_of(&Key::Session(id.clone()));
            let Some((Some(record), stamp)) = read(&contents, &name)? else { continue };
            if processes_in(&record).any(|pid| pids.contains(&pid)) {
                sessions.push(self.judged(&directory, StoredSession::read_as(&id, record, stamp)));
            }
        }
        sessions.retain(Session::is_live);
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_sign));
        Ok(sessions)
    }

    /// Those that may name one of these processes, by what is remembered and by what was written since.
    fn remembered(
        &self,
        directory: &Directory,
        contents: &Contents,
        listed: &[(String, u64)],
        pids: &[u32],
    ) -> Result<Vec<SessionId>, Error> {
        let stored = directory.read(&Folder::Root, SESSION_PROCESSES).ok().flatten();
        let before: Known =
            stored.as_ref().and_then(|stored| postcard::from_bytes(&stored.bytes).ok()).unwrap_or_default();
        let before = if before.form == FORM { before } else { Known::default() };
        let age = stored.as_ref().map(|stored| self.now() - stored.stamp.modified);
        let is_fresh = age.is_some_and(|age| age >= TimeDelta::zero() && age < FRESH);
        let (mut files, mut naming) = (Vec::with_capacity(listed.len()), Vec::new());
        let (mut found, mut anew) = (Vec::new(), HashSet::new());
        let names_one = |(_, pid): &(u64, u64)| pids.iter().any(|it| u64::from(*it) == *pid);
        let known_to_name_one: Vec<u64> = before.naming().filter(names_one).map(|(file, _)| file).collect();
        for (name, number) in listed {
            let file = number_for((name, number));
            let known = match before.stamp_of(file) {
                Some(stamp) if is_fresh && *number != 0 => Some(stamp),
                Some(stamp) => contents.stamp(name)?.map(number_for_stamp).filter(|current| *current == stamp),
                None => None,
            };
            let names_one = if let Some(stamp) = known {
                files.push((file, stamp));
                known_to_name_one.contains(&file)
            } else if session_of(name).is_some()
                && let Some((record, stamp)) = read(contents, name)?
            {
                anew.insert(file);
                files.push((file, number_for_stamp(stamp)));
                let before = naming.len();
                naming.extend(record.iter().flat_map(processes_in).map(|pid| (file, u64::from(pid))));
                naming.iter().skip(before).any(names_one)
            } else {
                false
            };
            found.extend(names_one.then(|| session_of(name)).flatten());
        }
        if anew.len() > FEW || !is_fresh {
            let known: HashSet<u64> = files.iter().map(|(file, _)| *file).collect();
            naming.extend(before.naming().filter(|(file, _)| known.contains(file) && !anew.contains(file)));
            // Whoever cannot write it reads the records another time, too.
            let bytes = postcard::to_allocvec(&Known::new(files, &naming)).unwrap_or_default();
            let _ = directory.replace_file(&Folder::Root, SESSION_PROCESSES, &bytes, Durability::Process);
        }
        Ok(found)
    }
}

/// A number that no other name, or stamp, has.
fn number_for(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn number_for_stamp(stamp: Stamp) -> u64 {
    number_for((stamp.modified.timestamp_nanos_opt(), stamp.size, stamp.version))
}

/// Reads a record, if it names processes: of thousands of others nothing but the bytes are looked at.
fn read(contents: &Contents, name: &str) -> Result<Option<(Option<SessionRecord>, Stamp)>, Error> {
    match contents.read(name) {
        Ok(stored) => Ok(stored.map(|Stored { bytes, stamp }| {
            let record = may_name_process(&bytes).then(|| SessionRecord::read(&bytes).ok());
            (record.flatten(), stamp)
        })),
        Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// False for a record that names no process; `pid` is the end of the fields that do. Only another program would spell them
/// with escapes.
fn may_name_process(record: &[u8]) -> bool {
    record.windows(4).any(|it| it == b"pid\"") || record.contains(&b'\\')
}

fn processes_in(record: &SessionRecord) -> impl Iterator<Item = u32> {
    [record.pid, record.client_pid].into_iter().flatten()
}
