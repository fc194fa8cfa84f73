//! What is known of the records, and how it is found out what is different.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::batch::Batch;
use super::change::Change;
use super::inbox::Inbox;
use super::processes::Keepers;
use super::signal::{Signal, SignalQueue, TICK, UNWATCHED_TICK};
use super::suspension::LastSeen;
use crate::session::read_session;
use crate::store::{Changed, Key, Range, Reader, Series, Stamp, Store, Watching};
use crate::{Error, KeeperState, Message, Registry, StoredClaim, look_at_keeper, mailbox};
use deconflict_platform as platform;
use deconflict_protocol::{ClaimKey, SessionId};

/// After so many records a scan looks whether anything more urgent happened.
const STEP: usize = 64;

/// Of records that are named quickly one after the other, so many are read at once in this time, and the others together.
const AT_ONCE: u32 = 8;
const QUICKLY: Duration = Duration::from_millis(10);

/// A reading of the store's clock counts for so long: with a thousand sessions it is wanted a thousand times.
const READING_COUNTS: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Lost,
    Everything,
}

/// What is known of a record, to tell whether it changed.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// The last round of scanning that met it.
    round: u32,
}

/// What was heard and not yet followed, each once.
#[derive(Debug, Default)]
struct Heard {
    keys: BTreeSet<Key>,
    ranges: Vec<Range>,
    is_lost: bool,
    is_unclear: bool,
    everything: bool,
}

impl Heard {
    fn is_anything(&self) -> bool {
        let Self { keys, ranges, is_lost, is_unclear, everything } = self;
        !keys.is_empty() || !ranges.is_empty() || *is_lost || *is_unclear || *everything
    }

    fn take_keys(&mut self) -> (Vec<Key>, Vec<Key>) {
        std::mem::take(&mut self.keys).into_iter().partition(is_message)
    }
}

pub(super) struct Observer<S, D> {
    registry: Registry<S>,
    session: SessionId,
    /// Sessions first, because claims are judged by them.
    ranges: [Range; 5],
    watching: Box<dyn Watching>,
    batch: Batch<D>,
    signals: SignalQueue,
    stopped: Arc<AtomicBool>,
    told: Told,
    known: HashMap<Key, Known>,
    inbox: Inbox,
    /// Messages that were found and not told yet.
    found: Vec<Message>,
    keepers: Keepers,
    /// Claims that last as long as a command, which ran when it was last looked.
    in_use: HashSet<ClaimKey>,
    heard: Heard,
    round: u32,
    /// What the last scan of each range has cost.
    costs: [Duration; 5],
    time: Option<(Instant, Option<DateTime<Utc>>)>,
    tick: Duration,
    next_tick: Instant,
    last_seen: LastSeen,
    /// How often records were read at once since when.
    at_once: (Instant, u32),
}

/// What a session watches: all sessions, all claims, who waits, and the messages that may be to it.
pub(super) fn watched_by(session: &SessionId) -> [Range; 5] {
    let (all, direct) = (Range::Series(Series::Broadcasts), Range::Series(Series::Direct(session.clone())));
    [Range::Sessions, Range::all_claims(), Range::Queue, all, direct]
}

impl<S: Store, D: Fn(Vec<Change>)> Observer<S, D> {
    /// Knows nothing yet. It follows these signals; `stopped` ends it.
    pub(super) fn new(
        registry: Registry<S>,
        session: SessionId,
        watching: Box<dyn Watching>,
        deliver: D,
        signals: SignalQueue,
        stopped: Arc<AtomicBool>,
    ) -> Self {
        let last_seen = LastSeen::now(&**registry.clock());
        Self {
            ranges: watched_by(&session),
            registry,
            session,
            watching,
            batch: Batch::new(deliver, Arc::clone(&stopped)),
            signals,
            stopped,
            told: Told::Nothing,
            known: HashMap::new(),
            inbox: Inbox::default(),
            found: Vec::new(),
            keepers: Keepers::default(),
            in_use: HashSet::new(),
            heard: Heard { everything: true, ..Heard::default() },
            round: 0,
            costs: Default::default(),
            time: None,
            tick: TICK,
            next_tick: Instant::now(),
            last_seen,
            at_once: (Instant::now(), 0),
        }
    }

    /// Follows the signals that wait, and looks at what is due. Returns when there is something to do next, if no signal
    /// comes before; `None` once nobody watches any more.
    pub(super) fn work(&mut self) -> Option<Instant> {
        if !self.signals.is_empty() {
            self.notice_suspension();
            self.take_waiting();
            self.follow();
        }
        // Looked at after signals too, so that a stream of them keeps nothing from being looked at.
        if Instant::now() >= self.next_tick && !self.is_stopped() {
            self.notice_suspension();
            self.tick();
        }
        (!self.is_stopped()).then_some(self.next_tick)
    }

    /// Reads the records that were named, without waiting for anything but their files: for the thread that heard of
    /// them. Returns false if there is more to do than that, or if so many are named that they had better be read together.
    pub(super) fn read_at_once(&mut self) -> bool {
        self.notice_suspension();
        let has_more_to_do = self.heard.is_anything() || self.told != Told::Everything;
        if has_more_to_do || self.is_stopped() || !self.may_read_at_once() {
            return false;
        }
        while let Some(signal) = self.signals.take_if(is_of_record) {
            self.take(signal);
        }
        let (_, records) = self.heard.take_keys();
        self.read_all(records);
        self.batch.flush();
        self.signals.is_empty()
    }

    fn may_read_at_once(&mut self) -> bool {
        if self.at_once.0.elapsed() > QUICKLY {
            self.at_once = (Instant::now(), 0);
        }
        self.at_once.1 += 1;
        self.at_once.1 <= AT_ONCE
    }

    fn tick(&mut self) {
        self.heard.is_unclear = true;
        self.follow();
        if self.told == Told::Everything {
            for session in self.keepers.look() {
                self.batch.tell(Change::Process { session, alive: false });
            }
            let registry = self.registry.clone();
            if let Ok(reader) = registry.reader() {
                self.refresh_inbox(&*reader);
                // A command that has ended writes nothing, and what it held is free.
                for claim in self.in_use.iter().cloned().collect::<Vec<_>>() {
                    self.read_in_use(&*reader, claim);
                }
            }
        }
        self.batch.flush();
        self.next_tick = Instant::now() + self.tick;
    }

    fn follow(&mut self) {
        if std::mem::take(&mut self.heard.is_unclear) {
            for changed in self.watching.look(self.costs.iter().sum()) {
                self.hear(changed);
            }
        }
        let mut heard = std::mem::take(&mut self.heard);
        let (messages, records) = heard.take_keys();
        if heard.is_lost {
            self.lose();
        }
        let is_told = self.told == Told::Everything;
        if is_told {
            self.read_all(records);
            self.batch.flush();
        }
        // What a new folder had in it before it was watched comes before what was put into it since.
        if heard.everything {
            // What cannot be read now is read later; that it is gone is for the store to say.
            match self.registry.reader().map(drop) {
                Ok(()) => self.tell_everything(),
                Err(_) => self.heard.everything = true,
            }
        } else if is_told {
            for range in &heard.ranges {
                self.scan(range);
            }
        }
        self.read_all(messages);
        self.tell_messages();
        self.batch.flush();
    }

    fn lose(&mut self) {
        self.known.clear();
        self.inbox.clear();
        self.keepers.clear();
        self.in_use.clear();
        self.told = Told::Lost;
        self.batch.tell(Change::DirectoryLost);
        self.batch.flush();
    }

    fn tell_everything(&mut self) {
        let before = std::mem::replace(&mut self.told, Told::Everything);
        if before == Told::Lost {
            self.batch.tell(Change::DirectoryBack);
        }
        for range in self.ranges.clone() {
            self.scan(&range);
        }
        if before != Told::Everything {
            self.tell_messages();
            self.batch.tell(Change::Ready);
        }
    }

    /// Compares every record of a range with what is known of it, and reads those that differ.
    fn scan(&mut self, range: &Range) {
        let start = Instant::now();
        let spent_elsewhere = match range {
            Range::Series(_) => self.scan_messages(range),
            _ => self.scan_records(range),
        };
        match (spent_elsewhere, self.ranges.iter().position(|other| other == range)) {
            (Ok(elsewhere), Some(at)) => self.costs[at] = start.elapsed().saturating_sub(elsewhere),
            (Ok(_), None) => {}
            (Err(error), _) => tracing::debug!("{error}"),
        }
        self.batch.flush();
    }

    /// Returns how long was spent on what was more urgent.
    fn scan_records(&mut self, range: &Range) -> Result<Duration, Error> {
        self.round = self.round.wrapping_add(1);
        let mut elsewhere = Duration::ZERO;
        let registry = self.registry.clone();
        let keys = registry.reader()?.scan(std::slice::from_ref(range))?;
        for some in keys.chunks(STEP) {
            // Newer than what was read meanwhile, where a reader sees one moment.
            let reader = registry.reader()?;
            for key in some {
                self.compare(&*reader, key);
            }
            let pause = Instant::now();
            // A long scan is no suspension.
            self.notice_suspension();
            self.take_waiting();
            if self.is_stopped() {
                return Ok(elsewhere);
            }
            // What was named meanwhile is read at once: somebody waits for it.
            let (messages, records) = self.heard.take_keys();
            self.read_all(records);
            self.read_all(messages);
            self.tell_messages();
            self.batch.flush();
            elsewhere += pause.elapsed();
        }
        // What the scan did not meet is gone, or was renamed just then and the list left it out.
        let reader = registry.reader()?;
        let round = self.round;
        let missed = self.known.iter().filter(|(key, known)| range.contains(key) && known.round != round);
        for key in missed.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.read(&*reader, key, None);
        }
        Ok(elsewhere)
    }

    fn scan_messages(&mut self, range: &Range) -> Result<Duration, Error> {
        let registry = self.registry.clone();
        let reader = registry.reader()?;
        let keys: HashSet<Key> = reader.scan(std::slice::from_ref(range))?.into_iter().collect();
        self.inbox.keep_only(&keys, |key| range.contains(key));
        if !keys.is_empty() {
            self.refresh_inbox(&*reader);
        }
        for key in keys {
            self.read_message(&*reader, key);
        }
        Ok(Duration::ZERO)
    }

    fn read_all(&mut self, keys: impl IntoIterator<Item = Key>) {
        let mut keys = keys.into_iter().peekable();
        let Some(first) = keys.peek() else { return };
        let registry = self.registry.clone();
        match registry.reader() {
            Ok(reader) => {
                if is_message(first) {
                    self.refresh_inbox(&*reader);
                }
                for key in keys {
                    self.read(&*reader, key, None);
                }
            }
            Err(error) => tracing::debug!("{error}"),
        }
    }

    fn compare(&mut self, reader: &dyn Reader, key: &Key) {
        let stamp = reader.stamp(key).ok().flatten().unwrap_or(Stamp::unknown(DateTime::UNIX_EPOCH));
        match self.known.get_mut(key) {
            Some(known) if known.stamp == stamp => known.round = self.round,
            _ => self.read(reader, key.clone(), Some(stamp)),
        }
    }

    /// Reads a record and tells of it, even if its stamp is the known one: two writes in one moment may look alike.
    fn read(&mut self, reader: &dyn Reader, key: Key, listed: Option<Stamp>) {
        match key {
            Key::Session(id) => self.read_session(reader, id, listed),
            Key::Claim(claim) => self.read_claim(reader, claim, listed),
            Key::Ticket(_) => self.note_ticket(reader, key, listed),
            Key::Entry(..) => self.read_message(reader, key),
        }
    }

    fn know(&mut self, key: Key, stamp: Stamp) -> bool {
        self.known.insert(key, Known { stamp, round: self.round }).is_none()
    }

    fn read_claim(&mut self, reader: &dyn Reader, claim: ClaimKey, listed: Option<Stamp>) {
        let key = Key::Claim(claim.clone());
        let stored = match StoredClaim::read(reader, &claim) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!("{error}");
                match reader.stamp(&key) {
                    // There is a claim, and nobody can tell whose.
                    Ok(stamp) => stamp.map(|stamp| StoredClaim::unreadable(&claim, stamp)),
                    Err(_) => return,
                }
            }
        };
        let is_in_use = stored.as_ref().is_some_and(StoredClaim::is_in_use_by_command);
        if is_in_use {
            self.in_use.insert(claim.clone())
        } else {
            self.in_use.remove(&claim)
        };
        match &stored {
            Some(stored) => drop(self.know(key, listed.unwrap_or(stored.stamp))),
            None if self.known.remove(&key).is_none() => return,
            None => {}
        }
        self.batch.tell(Change::Claim(claim, stored));
    }

    /// Reads a claim again if the command that used it has ended.
    fn read_in_use(&mut self, reader: &dyn Reader, claim: ClaimKey) {
        let is_in_use =
            StoredClaim::read(reader, &claim).is_ok_and(|it| it.is_some_and(|it| it.is_in_use_by_command()));
        if !is_in_use {
            self.read_claim(reader, claim, None);
        }
    }

    /// Who waits for what is read where it is shown: few wait.
    fn note_ticket(&mut self, reader: &dyn Reader, key: Key, listed: Option<Stamp>) {
        let is_news = match listed.or_else(|| reader.stamp(&key).ok().flatten()) {
            Some(stamp) => {
                self.known.insert(key, Known { stamp, round: self.round }).is_none_or(|it| it.stamp != stamp)
            }
            None => self.known.remove(&key).is_some(),
        };
        if is_news {
            self.batch.tell(Change::Queue);
        }
    }

    fn read_session(&mut self, reader: &dyn Reader, id: SessionId, listed: Option<Stamp>) {
        let key = Key::Session(id.clone());
        let stored = match read_session(reader, &id) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!("{error}");
                return;
            }
        };
        let Some(stored) = stored else {
            self.keepers.forget(&id);
            if self.known.remove(&key).is_some() {
                self.batch.tell(Change::Session(id, None));
            }
            return;
        };
        let is_new = self.know(key, listed.unwrap_or(stored.stamp));
        let record = stored.record.clone().unwrap_or_default();
        let modified = stored.modified;
        self.batch.tell(Change::Session(id.clone(), Some(stored)));
        if record.is_completed() {
            self.keepers.forget(&id);
            return;
        }
        match look_at_keeper(&record) {
            KeeperState::Unknown => {
                self.keepers.forget(&id);
                if is_new && record.keepalive.is_some() {
                    self.tell_silence(reader, id, modified);
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
    fn tell_silence(&mut self, reader: &dyn Reader, session: SessionId, modified: DateTime<Utc>) {
        let (_, time) = match self.time {
            Some(reading) if reading.0.elapsed() < READING_COUNTS => reading,
            _ => *self.time.insert((Instant::now(), reader.time())),
        };
        let Some(Ok(age)) = time.map(|here| (here - modified).to_std()) else { return };
        let lasted = age.saturating_sub(platform::time_asleep());
        if !lasted.is_zero() {
            self.batch.tell(Change::Silence { session, lasted });
        }
    }

    fn read_message(&mut self, reader: &dyn Reader, key: Key) {
        match self.inbox.look(reader, &key, self.registry.clock().now()) {
            Ok(found) => self.found.extend(found),
            // It may not be finished yet. The next notification or scan looks again.
            Err(Error::Damaged { .. } | Error::Unsafe { .. }) => self.batch.tell(Change::DamagedMessage(key)),
            Err(error) => tracing::debug!("{error}"),
        }
    }

    /// Tells the messages that one look found, in whichever folders it found them, oldest first.
    fn tell_messages(&mut self) {
        mailbox::sort(&mut self.found);
        for message in std::mem::take(&mut self.found) {
            self.batch.tell(Change::Message(Box::new(message)));
        }
    }

    fn refresh_inbox(&mut self, reader: &dyn Reader) {
        match self.inbox.refresh(&self.registry, reader, &self.session) {
            Ok(read) => read.into_iter().for_each(|id| self.batch.tell(Change::MessageRead(id))),
            Err(error) => tracing::debug!("{error}"),
        }
    }

    /// Whoever was suspended missed the others' signs of life, and has to say so before it reads on.
    fn notice_suspension(&mut self) {
        if self.last_seen.was_suspended(&**self.registry.clock()) {
            self.batch.tell(Change::Resumed);
            // What happened meanwhile may have been more than the system keeps for us.
            self.heard.everything = true;
            self.next_tick = Instant::now();
        }
    }

    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Changed(changed) => self.hear(changed),
            Signal::Interest(sessions) => self.keepers.set_interest(sessions),
            Signal::Stop => self.stopped.store(true, Ordering::Relaxed),
        }
    }

    fn hear(&mut self, changed: Changed) {
        match changed {
            Changed::Record(key) => drop(self.heard.keys.insert(key)),
            Changed::Range(range) => self.heard.ranges.push(range),
            Changed::Everything => self.heard.everything = true,
            // What was heard before is gone, too.
            Changed::Lost => self.heard = Heard { is_lost: true, ..Heard::default() },
            Changed::Unclear => self.heard.is_unclear = true,
            Changed::Trouble(trouble) => {
                self.tick = UNWATCHED_TICK;
                self.batch.tell(Change::Trouble(trouble));
            }
        }
    }

    fn take_waiting(&mut self) {
        for signal in self.signals.take_all() {
            self.take(signal);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// True if it names a session's or a claim's record.
fn is_of_record(signal: &Signal) -> bool {
    matches!(signal, Signal::Changed(Changed::Record(key)) if !is_message(key))
}

fn is_message(key: &Key) -> bool {
    matches!(key, Key::Entry(..))
}
