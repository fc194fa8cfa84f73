//! Waiting until it is one's turn, woken by what others write.
//!
//! Of many who wait for the same, only the first looks at what is held, and hears of all claims and tickets. Each of the others
//! rests until whoever is right in front of it leaves, and hears of nothing but that one's ticket and its own, so that a
//! release wakes nobody but the one whose turn it is. Whoever gives one of these what it waits for writes its ticket anew.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::super::liveness;
use super::super::store::{Changed, Key, Range, Reader, Store, Watching};
use super::super::{Claim, Error, Registry};
use super::deciding::{Depth, Queued, Taker, Turn};
use super::ends::Ends;
use super::picking::Lack;
use super::ticket::{StoredTicket, TicketKey, read_ticket, ticket_keys};
use deconflict_protocol::ProcessRecord;

/// How often it is looked for what the system may have missed.
const REST: Duration = Duration::from_secs(5);

/// How often it is looked for what nothing tells: programs that no longer listen, whoever does not take what is free.
const TICK: Duration = Duration::from_secs(1);

/// Whoever could be served and does not take it for so long is passed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks no more than this counts: whoever was stopped saw nothing of what others did meanwhile.
const LONGEST_LOOK: Duration = Duration::from_millis(1200);

/// No more tickets in front are read to find one that wants the same.
const MOST_READ: usize = 8;

/// How much there is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// Whether somebody who waits for the same is in front.
    Front,
    /// Also whether that one takes what is free.
    All,
}

/// Whoever waits does not want it any more.
struct GaveUp;

enum Wake {
    Changed(Changed),
    Ended,
    Interrupted,
}

/// Ends a wait from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Sender<Wake>);

impl Waker {
    /// Whoever waits gives up.
    pub fn interrupt(&self) {
        // Nobody waits any more only after the end.
        let _ = self.0.send(Wake::Interrupted);
    }
}

/// What a wait came to.
#[derive(Debug)]
pub enum Step {
    /// Something was decided.
    Turn(Turn),
    /// Nothing came of it in the time that was given.
    Waiting,
    /// Somebody gave up.
    Interrupted,
}

/// Somebody who waits. Their ticket goes with the value.
pub struct Waiter<'a, S: Store> {
    registry: &'a Registry<S>,
    /// Another one, in which some of those who hold what is wanted may wait.
    beside: Option<&'a Registry<S>>,
    taker: Taker<'a>,
    ticket: Option<TicketKey>,
    watching: Option<Box<dyn Watching>>,
    /// What that tells of.
    heard_of: Vec<Range>,
    wakes: (Sender<Wake>, Receiver<Wake>),
    awaited: Awaited,
    /// How long each ticket in front could have been served, and when that was looked at last.
    served_for: HashMap<TicketKey, (Duration, Instant)>,
    ends: Ends,
    /// Somebody's place may be another one since it was told.
    has_moved: bool,
}

/// What would make it worth looking again.
#[derive(Debug, Default)]
struct Awaited {
    /// Whoever is right in front, and wants the same: nothing is free for this one before that one is gone.
    behind: Option<TicketKey>,
    /// So many come first, of whatever they wait for.
    ahead: usize,
    /// The claims that are in the way, with the ids of the holdings.
    in_the_way: HashMap<Key, Option<String>>,
    /// When it is looked in any case.
    look_at: Option<Instant>,
}

impl Awaited {
    fn rest(&mut self, limit: Duration) {
        let at = Instant::now() + limit;
        self.look_at = Some(self.look_at.map_or(at, |known| known.min(at)));
    }
}

impl<'a, S: Store> Waiter<'a, S> {
    /// Waits for nothing yet.
    pub fn new(registry: &'a Registry<S>, taker: Taker<'a>) -> Self {
        Self {
            registry,
            beside: None,
            taker,
            ticket: None,
            watching: None,
            heard_of: Vec::new(),
            wakes: channel(),
            awaited: Awaited::default(),
            served_for: HashMap::new(),
            ends: Ends::new(),
            has_moved: true,
        }
    }

    /// The same beside another registry, in which some of those who hold what is wanted may wait.
    #[must_use]
    pub fn beside(mut self, other: Option<&'a Registry<S>>) -> Self {
        self.beside = other;
        self
    }

    /// What ends the wait.
    pub fn waker(&self) -> Waker {
        Waker(self.wakes.0.clone())
    }

    /// Takes what is wanted, or a ticket for it.
    pub fn begin(&mut self) -> Result<Turn, Error> {
        let turn = self.take()?;
        // No lock covers both registries. Everybody has a ticket before they look, so that of all who close a circle one
        // sees it at the least.
        if let (Turn::Queued(_), Some(beside)) = (&turn, self.beside)
            && let Some(circle) =
                self.registry.circle_across(beside, self.taker.whom(), self.taker.wants, self.ticket.as_ref())?
        {
            self.leave()?;
            return Ok(Turn::Circle(circle));
        }
        Ok(turn)
    }

    /// Waits for at most so long.
    pub fn wait(&mut self, limit: Duration) -> Result<Step, Error> {
        let end = Instant::now() + limit;
        let mut why = None;
        if self.watching.is_none() {
            why = Some(Extent::All);
        }
        loop {
            if let Some(look) = why
                && self.may_go(look)?
            {
                // Whatever keeps it from being written may pass.
                self.awaited.look_at = Some(Instant::now() + TICK);
                match self.take() {
                    // It may have got another ticket.
                    Ok(Turn::Queued(_)) if self.listen() => {
                        why = Some(Extent::All);
                        continue;
                    }
                    // Somebody may be deleting the directory. It is made again once they are done.
                    Ok(Turn::Queued(_)) | Err(Error::Vanished { .. }) => {}
                    Ok(turn) => return Ok(Step::Turn(turn)),
                    Err(error) => {
                        if let Error::Busy { .. } = error {
                            self.awaited.look_at = Some(Instant::now());
                        }
                        return Err(error);
                    }
                }
            }
            let now = Instant::now();
            if now >= end {
                return Ok(Step::Waiting);
            }
            let due = self.awaited.look_at.map_or(REST, |at| at.saturating_duration_since(now));
            why = match self.wakes.1.recv_timeout((end - now).min(due)) {
                Ok(wake) => match self.heard(wake) {
                    Ok(why) => why,
                    Err(GaveUp) => return Ok(Step::Interrupted),
                },
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let is_due = self.awaited.look_at.is_none_or(|at| Instant::now() >= at);
                    if is_due {
                        self.look();
                    }
                    is_due.then_some(Extent::All)
                }
            };
        }
    }

    /// Where this one stands now, if that may be another place than when it was asked last.
    pub fn place(&mut self) -> Result<Option<Queued>, Error> {
        if !std::mem::take(&mut self.has_moved) {
            return Ok(None);
        }
        match self.registry.queued(&self.taker, self.ticket.as_ref()) {
            Err(Error::Missing { .. }) => Ok(None),
            done => done.map(Some),
        }
    }

    /// The last attempt of somebody who does not wait any longer.
    pub fn try_once_more(&mut self) -> Result<Turn, Error> {
        self.take()
    }

    /// Gives up waiting, and leaves nothing behind.
    pub fn leave(&mut self) -> Result<(), Error> {
        self.ticket.take().map_or(Ok(()), |ticket| self.registry.leave_queue(&ticket))
    }

    /// Takes all that has been told, and says what of it makes it worth looking, unless somebody gave up.
    fn heard(&mut self, first: Wake) -> Result<Option<Extent>, GaveUp> {
        let (mut why, mut is_unclear) = (None, false);
        let mut next = Some(first);
        while let Some(wake) = next {
            match wake {
                Wake::Interrupted => return Err(GaveUp),
                Wake::Changed(Changed::Record(key)) => why = why.max(self.matters(&key)),
                Wake::Changed(_) => is_unclear = true,
                Wake::Ended => why = why.max(Some(Extent::Front)),
            }
            next = self.wakes.1.try_recv().ok();
        }
        if is_unclear {
            self.look();
            self.has_moved = true;
            why = Some(Extent::All);
        }
        Ok(why)
    }

    fn matters(&mut self, key: &Key) -> Option<Extent> {
        if let Key::Ticket(ticket) = key {
            let is_in_front = self.ticket.as_ref().is_none_or(|own| ticket <= own);
            self.has_moved |= is_in_front;
            return match &self.awaited.behind {
                // It may have been given what it waits for.
                _ if Some(ticket) == self.ticket.as_ref() => Some(Extent::All),
                Some(front) => (ticket == front).then_some(Extent::Front),
                None => is_in_front.then_some(Extent::Front),
            };
        }
        if !self.awaited.in_the_way.contains_key(key) {
            return None;
        }
        self.has_moved = true;
        Some(Extent::Front)
    }

    /// Hears of what makes it worth looking. Returns true if that is something else than before, so that some of it may have
    /// happened already.
    fn listen(&mut self) -> bool {
        let one = |key: &TicketKey| Range::One(Key::Ticket(key.clone()));
        let ranges = match (&self.ticket, &self.awaited.behind) {
            (Some(own), Some(front)) => vec![one(own), one(front)],
            // Whoever ends gives up what they hold.
            _ => vec![Range::all_claims(), Range::Queue],
        };
        if self.watching.is_some() && ranges == self.heard_of {
            return false;
        }
        let tell = self.wakes.0.clone();
        let hear = move |changed| drop(tell.send(Wake::Changed(changed)));
        self.watching = Some(self.registry.store.watch(&ranges, Box::new(hear)));
        self.heard_of = ranges;
        self.look();
        true
    }

    fn look(&mut self) {
        if let Some(watching) = &mut self.watching {
            watching.look(Duration::ZERO);
        }
    }

    fn take(&mut self) -> Result<Turn, Error> {
        let overdue: HashSet<TicketKey> = self.overdue().cloned().collect();
        let (turn, ticket) = self.registry.take_with(&self.taker, self.ticket.as_ref(), &overdue, true)?;
        self.ticket = ticket;
        Ok(turn)
    }

    fn overdue(&self) -> impl Iterator<Item = &TicketKey> {
        self.served_for.iter().filter(|(_, (lasted, _))| *lasted >= PATIENCE).map(|(key, _)| key)
    }

    /// Whether it is worth taking the lock. Looking needs none, so that many who wait don't keep those who hold from
    /// releasing.
    fn may_go(&mut self, extent: Extent) -> Result<bool, Error> {
        let Some(own) = self.ticket.clone() else { return Ok(true) };
        let (reader, front) = loop {
            let reader = match self.registry.reader() {
                Ok(reader) => reader,
                // The next commit makes it again.
                Err(Error::Missing { .. }) => return Ok(true),
                Err(error) => return Err(error),
            };
            let Some(mine) = read_ticket(&*reader, &own)? else { return Ok(true) };
            if mine.record.passed == Some(true) || mine.record.given_up == Some(true) {
                return Ok(true);
            }
            let front = self.front(&*reader, &mine)?;
            self.awaited.behind = front.as_ref().map(|front| front.key.clone());
            if !self.listen() {
                break (reader, front);
            }
        };
        let reader = &*reader;
        let is_behind_another = front.is_some();
        if let Some(front) = front {
            self.notice_end(front.record.process.iter());
            if extent == Extent::Front {
                return Ok(false);
            }
        }
        // Whoever stands near the front is soon the one to see that those before it don't take what is free.
        let ahead = u32::try_from(self.awaited.ahead).unwrap_or(u32::MAX);
        let rest = if is_behind_another { REST.min(TICK.saturating_mul(ahead)) } else { REST };
        self.awaited.look_at = Some(Instant::now() + rest);
        // As long as somebody holds it, it makes no difference who is in front.
        let whom = self.taker.whom();
        if let Err(lack) = self.registry.pick(reader, whom, self.taker.wants, self.taker.is_usable)? {
            self.served_for.clear();
            self.await_lack(reader, &lack, is_behind_another)?;
            return Ok(false);
        }
        let overdue: HashSet<TicketKey> = self.overdue().cloned().collect();
        let survey = self.registry.survey(reader, &self.taker, Some(&own), &overdue, Depth::ToBlocker)?;
        let Some(blocker) = survey.blocker.filter(|_| survey.to_pass.is_empty()) else { return Ok(true) };
        let key = blocker.ticket.key.clone();
        self.served_for.retain(|known, _| *known == key && blocker.is_served);
        if blocker.is_served {
            let now = Instant::now();
            let (lasted, looked) = self.served_for.entry(key).or_insert((Duration::ZERO, now));
            *lasted += now.duration_since(*looked).min(LONGEST_LOOK);
            *looked = now;
            self.awaited.rest(TICK);
        }
        self.notice_end(blocker.ticket.record.process.iter());
        Ok(false)
    }

    /// The next in front that waits for just the same, so that nothing is free for this one as long as it waits.
    fn front(&mut self, reader: &dyn Reader, mine: &StoredTicket) -> Result<Option<StoredTicket>, Error> {
        // What it is nested in, and what gives way to it, is free for this one alone.
        if !self.taker.held.is_empty() || self.taker.predecessor.is_some() {
            return Ok(None);
        }
        let mut keys = ticket_keys(reader)?;
        keys.retain(|key| *key < mine.key);
        self.has_moved |= std::mem::replace(&mut self.awaited.ahead, keys.len()) != keys.len();
        for key in keys.iter().rev().take(MOST_READ) {
            if let Some(ticket) = read_ticket(reader, key)?
                && ticket.record.resources == mine.record.resources
                && ticket.record.passed != Some(true)
                && ticket.record.given_up != Some(true)
                && !self.registry.has_left(reader, &ticket)?
            {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// Remembers what has to change before anything is free.
    fn await_lack(&mut self, reader: &dyn Reader, lack: &Lack, is_behind_another: bool) -> Result<(), Error> {
        let before = std::mem::take(&mut self.awaited.in_the_way);
        if !lack.in_use.is_empty() && !is_behind_another {
            // Nothing tells when a program ceases to listen.
            self.awaited.rest(TICK);
        }
        let mut processes = Vec::new();
        for obstacle in &lack.obstacles {
            let claim = &obstacle.by;
            self.awaited.in_the_way.insert(Key::Claim(claim.key.clone()), claim.record.id.clone());
            if claim.record.process.is_none() {
                let left = (claim.expires_at - self.registry.now()).to_std().unwrap_or(TICK);
                self.awaited.rest(left);
            }
            processes.extend(self.process_behind(reader, claim)?);
        }
        self.has_moved |= self.awaited.in_the_way != before;
        if !is_behind_another {
            self.notice_end(&processes);
        }
        Ok(())
    }

    /// The process with which a claim ends.
    fn process_behind(&self, reader: &dyn Reader, claim: &Claim) -> Result<Option<ProcessRecord>, Error> {
        if let Some(process) = &claim.record.process {
            return Ok(Some(process.clone()));
        }
        let Some(holder) = claim.holder() else { return Ok(None) };
        let session = self.registry.session_in(reader, holder)?;
        Ok(session.map(|session| liveness::keeper_of(&session.record)))
    }

    fn notice_end<'p>(&mut self, processes: impl IntoIterator<Item = &'p ProcessRecord>) {
        let mut watched = Vec::new();
        for process in processes {
            match liveness::process_to_outlast(process) {
                Some(process) => watched.push(process),
                // Of another machine, or what it left behind goes on: nothing tells when that ends.
                None => self.awaited.rest(TICK),
            }
        }
        let tell = self.wakes.0.clone();
        if !self.ends.watch(watched, move || drop(tell.send(Wake::Ended))) {
            self.awaited.rest(TICK);
        }
    }
}

impl<S: Store> Drop for Waiter<'_, S> {
    /// What cannot be removed now is removed by the next who looks, once this process has ended.
    fn drop(&mut self) {
        let _ = self.leave();
    }
}
