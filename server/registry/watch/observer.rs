//! The thread that watches: what it knows of the directory, and how it finds out what is different.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::batch::Batch;
use super::change::Change;
use super::folders::Folders;
use super::hints::Hints;
use super::inbox::Inbox;
use super::pace::Pace;
use super::processes::Keepers;
use super::signal::Signal;
use super::suspension::LastSeen;
use super::watched::Watched;
use crate::session::read_session;
use crate::store::files::directory::{Directory, FolderIdentity};
use crate::store::files::folder::Folder;
use crate::store::files::names::{claim_of, series_of, session_of};
use crate::store::{Key, Range, Reader, Stamp};
use crate::{Error, KeeperState, Message, Registry, StoredClaim, look_at_keeper, mailbox};
use deconflict_platform as platform;
use deconflict_protocol::{ClaimKey, SessionId, Status};

/// After so many files a scan looks whether anything more urgent happened.
const STEP: usize = 64;

/// Which directory stands at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    NotLooked,
    Absent,
    Present(FolderIdentity),
}

/// What is known of a file, to tell whether it changed.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// The last round of scanning that met it.
    round: u32,
}

/// What the thread keeps.
pub(super) struct Observer<D> {
    registry: Registry,
    session: SessionId,
    batch: Batch<D>,
    received: Receiver<Signal>,
    stopped: Arc<AtomicBool>,
    folders: Folders,
    directory: Presence,
    claims: HashMap<ClaimKey, Known>,
    sessions: HashMap<SessionId, Known>,
    inbox: Inbox,
    /// Messages that were found and not told yet.
    found: Vec<Message>,
    keepers: Keepers,
    hints: Hints,
    round: u32,
    pace: Pace,
    next_tick: Instant,
    last_seen: LastSeen,
}

impl<D: Fn(Vec<Change>)> Observer<D> {
    /// Knows nothing yet. `received` wakes it, `stopped` ends it.
    pub(super) fn new(
        registry: Registry,
        session: SessionId,
        folders: Folders,
        deliver: D,
        received: Receiver<Signal>,
        stopped: Arc<AtomicBool>,
    ) -> Self {
        let last_seen = LastSeen::now(&**registry.clock());
        Self {
            registry,
            session,
            batch: Batch::new(deliver, Arc::clone(&stopped)),
            received,
            stopped,
            folders,
            directory: Presence::NotLooked,
            claims: HashMap::new(),
            sessions: HashMap::new(),
            inbox: Inbox::default(),
            found: Vec::new(),
            keepers: Keepers::default(),
            hints: Hints::default(),
            round: 0,
            pace: Pace::new(),
            next_tick: Instant::now(),
            last_seen,
        }
    }

    /// Watches until it is stopped.
    pub(super) fn run(mut self) {
        self.tick();
        while !self.is_stopped() {
            let pause = self.next_tick.saturating_duration_since(Instant::now());
            match self.received.recv_timeout(pause) {
                Ok(signal) => {
                    self.notice_suspension();
                    self.take(signal);
                    self.take_waiting();
                    self.follow_hints();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Looked at after each signal too, so that a stream of them keeps nothing from being looked at.
            if Instant::now() >= self.next_tick && !self.is_stopped() {
                self.notice_suspension();
                self.tick();
            }
        }
    }

    /// Looks at what no notification tells.
    fn tick(&mut self) {
        self.look_at_directory();
        if let Presence::Present(_) = self.directory
            && let Ok(directory) = self.registry.directory()
        {
            for folder in self.due_folders(&directory) {
                self.scan(&directory, folder);
            }
            self.look_at_processes();
            self.refresh_inbox(&directory);
        }
        self.tell_messages();
        self.batch.flush();
        self.next_tick = Instant::now() + self.pace.tick(self.folders.is_watching());
    }

    /// The folders to be scanned now.
    fn due_folders(&mut self, directory: &Directory) -> Vec<Watched> {
        let replaced = self.arm(directory);
        if self.pace.is_everything_due() {
            return Watched::WITH_RECORDS.to_vec();
        }
        let is_changed = |folder: &Watched| self.folders.has_changed(directory, *folder);
        let mut due: Vec<Watched> = Watched::WITH_RECORDS.into_iter().filter(is_changed).collect();
        if due.is_empty() || !self.pace.are_changed_folders_due() {
            due.retain(|folder| replaced.contains(folder));
        }
        due
    }

    /// Reads what the notifications named.
    fn follow_hints(&mut self) {
        let hints = std::mem::take(&mut self.hints);
        if hints.directory {
            self.look_at_directory();
        }
        if self.directory == Presence::NotLooked || self.directory == Presence::Absent {
            return;
        }
        let Ok(directory) = self.registry.directory() else { return };
        for id in hints.sessions {
            self.read_session(&directory, id, None);
        }
        for name in hints.claims {
            self.read_named_claim(&directory, &name);
        }
        self.batch.flush();
        // What a new folder had in it before it was watched comes before what was put into it since.
        if !hints.folders.is_empty() {
            hints.folders.iter().for_each(|folder| self.folders.distrust(*folder));
            for folder in self.arm(&directory) {
                self.scan(&directory, folder);
            }
        }
        self.read_named_messages(&directory, hints.messages);
        if hints.everything {
            self.scan_everything(&directory);
        }
        self.tell_messages();
        self.batch.flush();
    }

    /// Finds out whether the directory is there, and whether it is the one it was.
    fn look_at_directory(&mut self) {
        let found = match self.registry.directory() {
            Ok(directory) => Some(directory),
            Err(Error::Missing { .. }) => None,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotADirectory => None,
            // That it cannot be opened just now, for want of file handles say, doesn't mean that it is gone.
            Err(error) => {
                tracing::debug!("{error}");
                return;
            }
        };
        let identity = found.as_ref().and_then(|directory| Some(directory.folder_stamp(&Folder::Root).ok()??.identity));
        if found.is_some() && identity.is_none() {
            return;
        }
        let now = identity.map_or(Presence::Absent, Presence::Present);
        if now == self.directory {
            return;
        }
        let before = std::mem::replace(&mut self.directory, now);
        if before != Presence::Absent && (before != Presence::NotLooked || now == Presence::Absent) {
            self.claims.clear();
            self.sessions.clear();
            self.inbox.clear();
            self.keepers.clear();
            self.batch.tell(Change::DirectoryLost);
        }
        if let (Presence::Present(_), Some(directory)) = (now, found) {
            if before != Presence::NotLooked {
                self.batch.tell(Change::DirectoryBack);
            }
            self.folders.distrust_all();
            self.arm(&directory);
            self.scan_everything(&directory);
            self.tell_messages();
            self.batch.tell(Change::Ready);
        }
        self.batch.flush();
        self.folders.watch_parent();
    }

    /// Sees to it that every folder that is there is watched. Returns those with records that were not, and are now
    /// to be scanned.
    fn arm(&mut self, directory: &Directory) -> Vec<Watched> {
        let renewed = self.folders.arm(directory);
        if let Some(trouble) = self.folders.take_trouble() {
            self.batch.tell(Change::Trouble(trouble));
        }
        renewed
    }

    fn scan_everything(&mut self, directory: &Directory) {
        for folder in Watched::WITH_RECORDS {
            self.scan(directory, folder);
        }
    }

    /// Compares every file of a folder with what is known of it, and reads those that differ.
    fn scan(&mut self, directory: &Directory, folder: Watched) {
        let start = Instant::now();
        self.folders.note_scan(directory, folder);
        let spent_elsewhere = match folder {
            Watched::Claims | Watched::Sessions => self.scan_records(directory, folder),
            _ => self.scan_messages(directory, folder),
        };
        match spent_elsewhere {
            Ok(elsewhere) => self.pace.note_scan(folder, start.elapsed().saturating_sub(elsewhere)),
            Err(error) => tracing::debug!("{error}"),
        }
        self.batch.flush();
    }

    /// Returns how long was spent on what was more urgent.
    fn scan_records(&mut self, directory: &Directory, folder: Watched) -> Result<Duration, Error> {
        self.round = self.round.wrapping_add(1);
        let mut elsewhere = Duration::ZERO;
        for (count, (name, stamp)) in directory.stamps(&self.folders.folder(folder))?.enumerate() {
            if folder == Watched::Claims {
                self.compare_claim(directory, &name, stamp);
            } else {
                self.compare_session(directory, &name, stamp);
            }
            if count % STEP == STEP - 1 {
                let pause = Instant::now();
                // A long scan is no suspension.
                self.notice_suspension();
                self.take_waiting();
                if self.is_stopped() {
                    return Ok(elsewhere);
                }
                self.follow_urgent_hints(directory);
                elsewhere += pause.elapsed();
            }
        }
        self.read_missed(directory, folder);
        Ok(elsewhere)
    }

    fn scan_messages(&mut self, directory: &Directory, folder: Watched) -> Result<Duration, Error> {
        let Some(series) = series_of(&self.folders.folder(folder)) else { return Ok(Duration::ZERO) };
        let keys: HashSet<Key> = directory.scan(&[Range::Series(series.clone())])?.into_iter().collect();
        self.inbox.keep_only(&keys, |key| matches!(key, Key::Entry(of, _) if *of == series));
        self.read_messages(directory, keys);
        Ok(Duration::ZERO)
    }

    /// What was named while a scan goes on is read at once: somebody waits for it.
    fn follow_urgent_hints(&mut self, directory: &Directory) {
        for id in std::mem::take(&mut self.hints.sessions) {
            self.read_session(directory, id, None);
        }
        for name in std::mem::take(&mut self.hints.claims) {
            self.read_named_claim(directory, &name);
        }
        let messages = std::mem::take(&mut self.hints.messages);
        self.read_named_messages(directory, messages);
        self.tell_messages();
        self.batch.flush();
    }

    /// Reads again what a scan did not meet: either it is gone, or it was renamed just then and the list left it out.
    fn read_missed(&mut self, directory: &Directory, folder: Watched) {
        let round = self.round;
        if folder == Watched::Claims {
            let missed = self.claims.iter().filter(|(_, known)| known.round != round);
            for key in missed.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                self.read_claim(directory, key, None);
            }
        } else {
            let missed = self.sessions.iter().filter(|(_, known)| known.round != round);
            for id in missed.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                self.read_session(directory, id, None);
            }
        }
    }

    fn compare_claim(&mut self, directory: &Directory, name: &str, stamp: Stamp) {
        let Some(key) = claim_of(name, directory.naming()) else { return };
        match self.claims.get_mut(&key) {
            Some(known) if known.stamp == stamp => known.round = self.round,
            Some(_) | None => self.read_claim(directory, key, Some(stamp)),
        }
    }

    fn compare_session(&mut self, directory: &Directory, name: &str, stamp: Stamp) {
        let Some(id) = session_of(name) else { return };
        match self.sessions.get_mut(&id) {
            Some(known) if known.stamp == stamp => known.round = self.round,
            Some(_) | None => self.read_session(directory, id, Some(stamp)),
        }
    }

    fn read_named_claim(&mut self, directory: &Directory, name: &str) {
        if let Some(key) = claim_of(name, directory.naming()) {
            self.read_claim(directory, key, None);
        }
    }

    /// Reads a claim and tells of it, even if its stamp is the known one: two writes in one moment may look alike.
    fn read_claim(&mut self, directory: &Directory, key: ClaimKey, listed: Option<Stamp>) {
        let stored = match StoredClaim::read(directory, &key) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!("{error}");
                match directory.stamp(&Key::Claim(key.clone())) {
                    // There is a claim, and nobody can tell whose.
                    Ok(stamp) => stamp.map(|stamp| StoredClaim::unreadable(&key, stamp)),
                    Err(_) => return,
                }
            }
        };
        match &stored {
            Some(stored) => {
                let stamp = listed.unwrap_or(stored.stamp);
                self.claims.insert(key.clone(), Known { stamp, round: self.round });
            }
            None if self.claims.remove(&key).is_none() => return,
            None => {}
        }
        self.batch.tell(Change::Claim(key, stored));
    }

    fn read_session(&mut self, directory: &Directory, id: SessionId, listed: Option<Stamp>) {
        let stored = match read_session(directory, &id) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!("{error}");
                return;
            }
        };
        let Some(stored) = stored else {
            self.keepers.forget(&id);
            if self.sessions.remove(&id).is_some() {
                self.batch.tell(Change::Session(id, None));
            }
            return;
        };
        let known = Known { stamp: listed.unwrap_or(stored.stamp), round: self.round };
        let is_new = self.sessions.insert(id.clone(), known).is_none();
        let record = stored.record.clone().unwrap_or_default();
        let modified = stored.modified;
        self.batch.tell(Change::Session(id.clone(), Some(stored)));
        if record.status() == Status::Completed {
            self.keepers.forget(&id);
            return;
        }
        match look_at_keeper(&record) {
            KeeperState::Unknown => {
                self.keepers.forget(&id);
                if is_new && record.keepalive.is_some() {
                    self.tell_silence(directory, id, modified);
                }
            }
            keeper => {
                let alive = keeper == KeeperState::Alive;
                if alive {
                    self.keepers.look_after(&id, record);
                } else {
                    self.keepers.forget(&id);
                }
                self.batch.tell(Change::Process { session: id, alive });
            }
        }
    }

    /// A session that was silent before this process looked is not given all the time again.
    fn tell_silence(&mut self, directory: &Directory, session: SessionId, modified: DateTime<Utc>) {
        let Some(here) = self.pace.file_system_time(|| directory.file_system_time()) else { return };
        let Ok(age) = (here - modified).to_std() else { return };
        let lasted = age.saturating_sub(platform::time_asleep());
        if !lasted.is_zero() {
            self.batch.tell(Change::Silence { session, lasted });
        }
    }

    fn read_named_messages(&mut self, directory: &Directory, files: BTreeSet<(Watched, String)>) {
        let key = |(folder, name)| Some(Key::Entry(series_of(&self.folders.folder(folder))?, name));
        let keys: Vec<Key> = files.into_iter().filter_map(key).collect();
        self.read_messages(directory, keys);
    }

    fn read_messages(&mut self, directory: &Directory, keys: impl IntoIterator<Item = Key>) {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return;
        }
        self.refresh_inbox(directory);
        for key in keys {
            match self.inbox.look(directory, &key, self.registry.clock().now()) {
                Ok(found) => self.found.extend(found),
                // It may not be finished yet. The next notification or scan looks again.
                Err(Error::Damaged { .. } | Error::Unsafe { .. }) => {
                    self.batch.tell(Change::DamagedMessage(key));
                }
                Err(error) => tracing::debug!("{error}"),
            }
        }
    }

    /// Tells the messages that one look found, in whichever folders it found them, oldest first.
    fn tell_messages(&mut self) {
        mailbox::sort(&mut self.found);
        for message in std::mem::take(&mut self.found) {
            self.batch.tell(Change::Message(Box::new(message)));
        }
    }

    fn refresh_inbox(&mut self, directory: &Directory) {
        match self.inbox.refresh(&self.registry, directory, &self.session) {
            Ok(read) => read.into_iter().for_each(|id| self.batch.tell(Change::MessageRead(id))),
            Err(error) => tracing::debug!("{error}"),
        }
    }

    fn look_at_processes(&mut self) {
        for session in self.keepers.look() {
            self.batch.tell(Change::Process { session, alive: false });
        }
    }

    /// Whoever was suspended missed the others' signs of life, and has to say so before it reads on.
    fn notice_suspension(&mut self) {
        if self.last_seen.was_suspended(&**self.registry.clock()) {
            self.batch.tell(Change::Resumed);
            // What happened meanwhile may have been more than the system keeps for us.
            self.hints.everything = true;
            self.next_tick = Instant::now();
        }
    }

    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Hint(hint) => self.hints.add(hint),
            Signal::Interest(sessions) => self.keepers.set_interest(sessions),
            Signal::Stop => self.stopped.store(true, Ordering::Relaxed),
        }
    }

    fn take_waiting(&mut self) {
        while let Ok(signal) = self.received.try_recv() {
            self.take(signal);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
