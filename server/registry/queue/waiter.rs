//! Waiting until it is one's turn, woken by what others write.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::super::liveness;
use super::super::store::{Changed, Key, Range, Reader, Store, Watching};
use super::super::{Error, Registry};
use super::deciding::{Depth, Taker, Turn};
use super::ends::Ends;
use super::ticket::{TicketKey, read_ticket};
use deconflict_platform::Process;
use deconflict_protocol::ProcessRecord;

/// How often it is looked for what nothing tells: processes that ended elsewhere, leases that ran out, programs that no
/// longer listen.
const TICK: Duration = Duration::from_secs(1);

/// Whoever could be served and does not take it for so long is passed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks no more than this counts: whoever was stopped saw nothing of what others did meanwhile.
const LONGEST_LOOK: Duration = Duration::from_millis(1200);

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
    /// Something was decided. [`Turn::Queued`] means that the time is over for now.
    Turn(Turn),
    /// Somebody gave up.
    Interrupted,
}

/// Somebody who waits. Their ticket goes with the value.
pub struct Waiter<'a, S: Store> {
    registry: &'a Registry<S>,
    taker: Taker<'a>,
    ticket: Option<TicketKey>,
    watching: Option<Box<dyn Watching>>,
    wakes: (Sender<Wake>, Receiver<Wake>),
    /// For how long each ticket in front could have been served, and when that was looked at last.
    served_for: HashMap<TicketKey, (Duration, Instant)>,
    ends: Ends,
}

impl<'a, S: Store> Waiter<'a, S> {
    /// Waits for nothing yet.
    pub fn new(registry: &'a Registry<S>, taker: Taker<'a>) -> Self {
        Self {
            registry,
            taker,
            ticket: None,
            watching: None,
            wakes: channel(),
            served_for: HashMap::new(),
            ends: Ends::new(),
        }
    }

    /// What ends the wait.
    pub fn waker(&self) -> Waker {
        Waker(self.wakes.0.clone())
    }

    /// Takes what is wanted, or a ticket for it.
    pub fn begin(&mut self) -> Result<Turn, Error> {
        self.take()
    }

    /// Waits for at most so long.
    pub fn wait(&mut self, limit: Duration) -> Result<Step, Error> {
        let end = Instant::now() + limit;
        if self.watching.is_none() {
            self.watch();
        }
        let mut is_worth_looking = true;
        loop {
            if is_worth_looking && self.may_go()? {
                match self.take()? {
                    Turn::Queued(_) if Instant::now() < end => {}
                    turn => return Ok(Step::Turn(turn)),
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.take().map(Step::Turn);
            }
            is_worth_looking = match self.wakes.1.recv_timeout(left.min(TICK)) {
                Ok(wake) => match self.heard(wake) {
                    Some(is_worth_looking) => is_worth_looking,
                    None => return Ok(Step::Interrupted),
                },
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.look();
                    true
                }
            };
        }
    }

    /// Gives up waiting, and leaves nothing behind.
    pub fn leave(&mut self) -> Result<(), Error> {
        self.ticket.take().map_or(Ok(()), |ticket| self.registry.leave_queue(&ticket))
    }

    /// Takes all that has been told. `None` if somebody gave up, else whether anything of it may matter.
    fn heard(&mut self, first: Wake) -> Option<bool> {
        let (mut matters, mut is_unclear) = (false, false);
        let mut next = Some(first);
        while let Some(wake) = next {
            match wake {
                Wake::Interrupted => return None,
                Wake::Changed(Changed::Unclear) => is_unclear = true,
                Wake::Changed(Changed::Record(Key::Ticket(ticket))) => {
                    matters |= self.ticket.as_ref().is_none_or(|own| ticket <= *own);
                }
                Wake::Changed(_) | Wake::Ended => matters = true,
            }
            next = self.wakes.1.try_recv().ok();
        }
        if is_unclear {
            self.look();
        }
        Some(matters || is_unclear)
    }

    fn watch(&mut self) {
        let tell = self.wakes.0.clone();
        let hear = move |changed| drop(tell.send(Wake::Changed(changed)));
        let ranges = [Range::Sessions, Range::all_claims(), Range::Queue];
        self.watching = Some(self.registry.store.watch(&ranges, Box::new(hear)));
        self.look();
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
    fn may_go(&mut self) -> Result<bool, Error> {
        let reader = match self.registry.reader() {
            Ok(reader) => reader,
            // The next commit makes it again.
            Err(Error::Missing { .. }) => return Ok(true),
            Err(error) => return Err(error),
        };
        let reader = &*reader;
        let Some(own) = self.ticket.clone() else { return Ok(true) };
        let Some(mine) = read_ticket(reader, &own)? else { return Ok(true) };
        if mine.record.passed == Some(true) {
            return Ok(true);
        }
        // As long as somebody holds it, it makes no difference who is in front. Where many wait, that saves each of them
        // from reading the tickets of all others at each change.
        let whom = self.taker.whom();
        if let Err(lack) = self.registry.pick(reader, whom, self.taker.wants, self.taker.is_usable)? {
            let mut processes = Vec::new();
            for obstacle in &lack.obstacles {
                processes.extend(self.process_behind(reader, &obstacle.by)?);
            }
            self.served_for.clear();
            self.notice_end(processes);
            return Ok(false);
        }
        let overdue: HashSet<TicketKey> = self.overdue().cloned().collect();
        let survey = self.registry.survey(reader, &self.taker, Some(&own), &overdue, Depth::ToBlocker)?;
        let Some(blocker) = survey.blocker else { return Ok(true) };
        let key = blocker.ticket.key.clone();
        self.served_for.retain(|known, _| *known == key && blocker.is_served);
        if blocker.is_served {
            let now = Instant::now();
            let (lasted, looked) = self.served_for.entry(key).or_insert((Duration::ZERO, now));
            *lasted += now.duration_since(*looked).min(LONGEST_LOOK);
            *looked = now;
        }
        let process = blocker.ticket.record.process.as_ref().and_then(of_this_machine);
        self.notice_end(process);
        Ok(false)
    }

    /// The process with which a claim ends.
    fn process_behind(&self, reader: &dyn Reader, claim: &super::super::Claim) -> Result<Option<Process>, Error> {
        if let Some(process) = &claim.record.process {
            return Ok(of_this_machine(process));
        }
        let Some(holder) = claim.holder() else { return Ok(None) };
        let session = self.registry.session_in(reader, holder)?;
        Ok(session.and_then(|session| of_this_machine(&liveness::keeper_of(&session.record))))
    }

    fn notice_end(&mut self, processes: impl IntoIterator<Item = Process>) {
        let tell = self.wakes.0.clone();
        self.ends.watch(processes.into_iter().collect(), move || drop(tell.send(Wake::Ended)));
    }
}

impl<S: Store> Drop for Waiter<'_, S> {
    /// What cannot be removed now is removed by the next who looks, once this process has ended.
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

fn of_this_machine(process: &ProcessRecord) -> Option<Process> {
    let is_alive = liveness::look_at_process(process) == super::super::KeeperState::Alive;
    let started = process.process_started.clone().unwrap_or_default();
    process.pid.filter(|_| is_alive).map(|pid| Process { pid, started })
}
