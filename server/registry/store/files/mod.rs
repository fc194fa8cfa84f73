//! A directory of plain files, which everybody reads and writes by themselves: the coordination directory.

pub(crate) mod directory;
pub(crate) mod folder;
pub(crate) mod lock;
pub(crate) mod names;
pub(crate) mod watch;
mod writing;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use self::directory::{Directory, FolderIdentity, Traits};
use self::folder::Folder;
use self::lock::ClaimLock;
use self::names::{durability_in, durability_of, file_of, folder_of, folder_of_range, key_of};
use self::watch::FilesWatching;
use super::{
    Committed, Guarantees, Hear, Key, LeaseClock, Locking, Presence, Range, Reader, Series, Snapshot, Stamp, Store,
    Stored, Transaction, Watching, Write,
};
use crate::changes::Changes;
use crate::{Error, random_number};
use deconflict_protocol::{Naming, SessionId, time};

/// What the sessions' records say of processes, remembered beside them.
pub(crate) const SESSION_PROCESSES: &str = ".session-processes";

/// How long a decision is made anew because scripts that take no lock write in between.
const PATIENCE: Duration = Duration::from_secs(2);

/// The coordination directory. Each reading and each commit opens it anew, so that one that was deleted or replaced is
/// never written to behind everybody's back.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    /// True if the last lock could not be taken, because the file system has none.
    is_without_locks: AtomicBool,
    /// What was found out about the folder that stood there last.
    known: Mutex<Option<(FolderIdentity, Arc<Traits>)>>,
    /// What is not on the status board yet.
    pub(crate) changes: Arc<Changes>,
}

impl Files {
    /// The directory at this path, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_without_locks: AtomicBool::new(false),
            known: Mutex::default(),
            changes: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn directory(&self) -> Result<Directory, Error> {
        let directory = Directory::open(&self.path)?.noting(&self.changes);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, traits)) = known.as_ref().filter(|(identity, _)| *identity == directory.identity) {
            return Ok(directory.known_as(traits));
        }
        *known = Some((directory.identity, Arc::clone(directory.traits())));
        Ok(directory)
    }

    /// Takes the lock, and remembers whether there is one.
    pub(crate) fn lock<'a>(&self, directory: &'a Directory) -> Result<ClaimLock<'a>, Error> {
        let lock = ClaimLock::take(directory)?;
        self.is_without_locks.store(lock.locking() == Locking::Unsupported, Ordering::Relaxed);
        Ok(lock)
    }
}

impl Store for Files {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, Error> {
        Ok(Box::new(self.directory()?))
    }

    fn commit(&self, decide: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), Error>) -> Result<Committed, Error> {
        let start = Instant::now();
        loop {
            let directory = self.directory()?;
            let locked = Locked { lock: self.lock(&directory)?, seen: RefCell::default(), kept: Cell::default() };
            let mut transaction = Transaction::new(&locked);
            decide(&mut transaction)?;
            let (writes, token) = transaction.decided();
            if let Some(committed) = locked.carry_out(&writes, token)? {
                return Ok(committed);
            }
            if start.elapsed() >= PATIENCE {
                return Err(Error::Contended);
            }
        }
    }

    fn add(&self, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: &[u8]) -> Result<Key, Error> {
        add(&self.directory()?, series, by, at, bytes)
    }

    fn watch(&self, ranges: &[Range], hear: Hear) -> Box<dyn Watching> {
        Box::new(FilesWatching::start(&self.path, ranges, hear))
    }

    /// Whoever deleted the directory gets it back with the next record.
    fn prepare(&self) -> Result<(), Error> {
        Directory::create(&self.path).map(drop)
    }

    /// What cannot be removed counts for a moment only.
    fn forget_processes(&self) {
        let _ = self.directory().and_then(|directory| directory.remove_file(&Folder::Root, SESSION_PROCESSES));
    }

    fn guarantees(&self) -> Guarantees {
        let is_without_locks = self.is_without_locks.load(Ordering::Relaxed);
        Guarantees {
            exclusion: if is_without_locks { Locking::Unsupported } else { Locking::Enforced },
            clock: LeaseClock::Participants,
            presence: Presence::Process,
        }
    }
}

impl Reader for Directory {
    fn naming(&self) -> Naming {
        Naming { ignores_case: self.ignores_case() }
    }

    fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let (folder, name) = file_of(key);
        self.read(&folder, &name)
    }

    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error> {
        let (folder, name) = file_of(key);
        self.file_stamp(&folder, &name)
    }

    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        let mut listed: Option<(Folder, Vec<String>)> = None;
        for range in ranges {
            let Some(folder) = folder_of_range(range) else {
                for to in self.list(&Folder::Recipients)?.iter().filter_map(|name| SessionId::foreign(name).ok()) {
                    keys.extend(self.scan(&[Range::Series(Series::Direct(to))])?);
                }
                continue;
            };
            // Neighbouring ranges lie in one folder, which is listed once.
            let names = match listed.take() {
                Some((of, names)) if of == folder => names,
                _ => self.list(&folder)?,
            };
            let found = names.iter().filter_map(|name| key_of(range, name, self.naming()));
            keys.extend(found.filter(|key| range.contains(key)));
            listed = Some((folder, names));
        }
        Ok(keys)
    }

    fn is_empty(&self, range: &Range) -> Result<bool, Error> {
        let folder = folder_of_range(range).unwrap_or(Folder::Recipients);
        Ok(self.list(&folder)?.is_empty())
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        self.file_system_time()
    }
}

struct Locked<'a> {
    lock: ClaimLock<'a>,
    /// Which files stood there when they were read. Who takes no lock may write one before it is written here.
    seen: RefCell<HashMap<Key, Option<Seen>>>,
    /// How many bytes of these files are kept.
    kept: Cell<usize>,
}

/// A file as it was read for a decision.
struct Seen {
    stamp: Stamp,
    /// What was in it, so that whoever changes it need not read it again; `None` where that would be too much.
    bytes: Option<Vec<u8>>,
}

/// Of what is read for a decision no more is kept. That is enough for thousands of claims that are released at once.
const MOST_KEPT: usize = 1 << 20;

impl Locked<'_> {
    fn directory(&self) -> &Directory {
        self.lock.directory()
    }

    fn keep(&self, stored: &Stored) -> Seen {
        let kept = self.kept.get() + stored.bytes.len();
        let bytes = (kept <= MOST_KEPT).then(|| stored.bytes.clone());
        if bytes.is_some() {
            self.kept.set(kept);
        }
        Seen { stamp: stored.stamp, bytes }
    }

    /// Writes what was decided; `None` if something else wrote there since it was read.
    fn carry_out(&self, writes: &[Write], token: Option<u64>) -> Result<Option<Committed>, Error> {
        if writes.is_empty() {
            return Ok(Some(Committed { token, ..Committed::default() }));
        }
        if let Some(token) = token {
            self.lock.keep_token(token)?;
        }
        let is_all_or_none = writes.iter().any(|write| matches!(write, Write::Put { is_new: true, .. }));
        let mut done = Vec::new();
        for (at, write) in writes.iter().enumerate() {
            // What comes last is done or not done, and needs no undoing.
            let may_be_undone = is_all_or_none && at + 1 < writes.len();
            let written = self.write(write, may_be_undone.then_some(&mut done));
            if !matches!(written, Ok(true)) {
                for undo in done.iter().rev() {
                    undo.carry_out(self.directory());
                }
                return written.map(|_| None);
            }
        }
        for undo in &done {
            undo.forget(self.directory());
        }
        let claims = writes.iter().filter_map(|write| match write {
            Write::Put { key: key @ Key::Claim(_), .. } => {
                Some(self.directory().get(key).map(|stored| (key.clone(), stored)))
            }
            _ => None,
        });
        Ok(Some(Committed { token, claims: claims.collect::<Result<_, _>>()? }))
    }

    /// Returns false, and writes nothing, if the state that was decided on is not the one that stands there. Adds how it
    /// is undone, where that is asked for.
    fn write(&self, write: &Write, done: Option<&mut Vec<Undo>>) -> Result<bool, Error> {
        // Whoever deletes the lock's file lets others in, even while this process is suspended.
        if !self.lock.is_current() {
            return Ok(false);
        }
        let directory = self.directory();
        match write {
            Write::Put { key, .. } | Write::Delete(key) | Write::SetAside(key) if !self.is_as_seen(key)? => {
                return Ok(false);
            }
            Write::Put { key, .. } | Write::Delete(key) => {
                let (folder, name) = file_of(key);
                let kept = if done.is_some() { directory.keep_file(&folder, &name)? } else { None };
                let undo = Undo { folder, name, kept };
                let changed = self.change(key, write, &undo);
                match done {
                    Some(done) if matches!(changed, Ok(true)) => done.push(undo),
                    _ => undo.forget(directory),
                }
                return changed;
            }
            Write::SetAside(key) => {
                let (folder, name) = file_of(key);
                let aside = format!("{name}-{:08x}", random_number()? >> 32);
                // A name that leaves no room for the suffix is cut: only people read it.
                let aside: String = aside.chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
                directory.move_file(&folder, &name, &Folder::Damaged, &aside)?;
            }
            Write::Add { series, by, at, bytes } => {
                let added = add(directory, series, by, *at, bytes)?;
                if let Some(done) = done {
                    let (folder, name) = file_of(&added);
                    done.push(Undo { folder, name, kept: None });
                }
            }
            Write::Append(key, bytes) => {
                let (folder, name) = file_of(key);
                directory.append(&folder, &name, bytes)?;
            }
            Write::Move { from, to, names } => {
                let ((folder, name), target) = (file_of(from), folder_of(to));
                for new_name in names {
                    if directory.move_file_safely(&folder, &name, &target, new_name)? {
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    /// Puts or deletes a record. Returns false, and changes nothing, if something came to stand there.
    fn change(&self, key: &Key, write: &Write, Undo { folder, name, .. }: &Undo) -> Result<bool, Error> {
        let directory = self.directory();
        let mut seen = self.seen.borrow_mut();
        let seen = seen.get_mut(key).and_then(Option::as_mut);
        let is_there = seen.is_some();
        let before = seen.and_then(|seen| seen.bytes.take());
        match write {
            Write::Put { key, bytes, .. } if is_there => {
                directory.replace_read_file(folder, name, before, bytes, durability_of(key)).map(|()| true)
            }
            Write::Put { key, bytes, .. } => directory.create_file(folder, name, bytes, durability_of(key)),
            _ => directory.remove_read_file(folder, name, before).map(|_| true),
        }
    }

    /// True if the file is still the one that was read, or gone. A script may have written another one.
    fn is_as_seen(&self, key: &Key) -> Result<bool, Error> {
        let seen = self.seen.borrow();
        let Some(Some(Seen { stamp: seen, .. })) = seen.get(key) else { return Ok(true) };
        Ok(self.directory().stamp(key)?.is_none_or(|stamp| stamp == *seen))
    }
}

/// How a change that was made a moment ago is undone, under the same lock. It needs no room on the disk.
struct Undo {
    folder: Folder,
    name: String,
    /// What the file that had the name before is called now.
    kept: Option<String>,
}

impl Undo {
    /// Nobody can be told more than why it came to this.
    fn carry_out(&self, directory: &Directory) {
        let _ = match &self.kept {
            Some(kept) => directory.move_file(&Folder::Root, kept, &self.folder, &self.name),
            None => directory.remove_file(&self.folder, &self.name),
        };
    }

    /// What is left goes with the next clean-up.
    fn forget(&self, directory: &Directory) {
        let _ = self.kept.as_ref().map(|kept| directory.remove_file(&Folder::Root, kept));
    }
}

impl Reader for Locked<'_> {
    fn naming(&self) -> Naming {
        self.directory().naming()
    }

    fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let stored = self.directory().get(key);
        let seen = match &stored {
            Ok(stored) => stored.as_ref().map(|stored| self.keep(stored)),
            Err(_) => self.directory().stamp(key).unwrap_or_default().map(|stamp| Seen { stamp, bytes: None }),
        };
        self.seen.borrow_mut().entry(key.clone()).or_insert(seen);
        stored
    }

    fn stamp(&self, key: &Key) -> Result<Option<Stamp>, Error> {
        self.directory().stamp(key)
    }

    fn scan(&self, ranges: &[Range]) -> Result<Vec<Key>, Error> {
        self.directory().scan(ranges)
    }

    fn is_empty(&self, range: &Range) -> Result<bool, Error> {
        self.directory().is_empty(range)
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        Reader::time(self.directory())
    }
}

impl Snapshot for Locked<'_> {
    fn next_token(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        self.lock.next_token(now)
    }
}

/// Writes a record under `{stamp}-{session}.json`; while the name is taken, a millisecond later.
fn add(directory: &Directory, series: &Series, by: &SessionId, at: DateTime<Utc>, bytes: &[u8]) -> Result<Key, Error> {
    let names = (0..).map(|later| format!("{}-{by}.json", time::stamp(at + TimeDelta::milliseconds(later))));
    let name = directory.create_file_under_first(&folder_of(series), names, bytes, durability_in(series))?;
    // Nobody has all names of all times.
    name.map(|name| Key::Entry(series.clone(), name)).ok_or(Error::Contended)
}
