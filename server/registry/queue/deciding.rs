//! Taking what one waits for, in turn: decided and written in one commit.

use std::collections::HashSet;

use super::super::claim_all::Granted;
use super::super::claims::{ClaimOutcome, Terms};
use super::super::predecessor::Predecessor;
use super::super::session::{Session, StoredSession, active_session};
use super::super::sessions::arrive_in;
use super::super::store::{Key, Reader, Store, Transaction, Write};
use super::super::{Error, Obstacle, Registry, record};
use super::circle::CircleLink;
use super::picking::{For, Lack, Pick};
use super::ticket::{StoredTicket, TicketKey, read_ticket, ticket_keys};
use chrono::TimeDelta;
use deconflict_protocol::{ProcessRecord, Resource, SessionId, TicketRecord, Want, time};

/// For so long others may use what is free of several things that a ticket waits for.
const LONGEST_PASSED: TimeDelta = TimeDelta::minutes(10);

/// Who wants to take what, and how.
#[derive(Clone, Copy)]
pub struct Taker<'a> {
    /// Who.
    pub session: &'a SessionId,
    /// It is registered by what it takes, or by its ticket, where it is not registered yet.
    pub arriving: Option<&'a Session>,
    /// Another session of the same user's work that gives way.
    pub predecessor: Option<Predecessor<'a>>,
    /// What: all of it, or nothing.
    pub wants: &'a [Want],
    /// Under which terms. With a process it is a holding of its own, beside what the session holds already.
    pub terms: &'a Terms,
    /// The ids of holdings that it is nested in, and shares.
    pub held: &'a [String],
    /// The process that waits.
    pub process: &'a ProcessRecord,
    /// Whether something that nobody holds can be used: nothing may listen on a port.
    pub is_usable: &'a dyn Fn(&Resource) -> bool,
}

impl std::fmt::Debug for Taker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taker").field("session", &self.session).field("wants", &self.wants).finish_non_exhaustive()
    }
}

impl<'a> Taker<'a> {
    pub(super) fn whom(&self) -> For<'a> {
        let apart = self.terms.process.is_some();
        For { session: self.session, predecessor: self.predecessor, held: self.held, apart }
    }
}

/// What came of an attempt to take something.
#[derive(Debug, Clone)]
pub enum Turn {
    /// All of it, in the order of what was wanted: a list for each want.
    Taken(Vec<Vec<Taken>>),
    /// It is not free, or others come first.
    Queued(Queued),
    /// Waiting for it would never end.
    Circle(Vec<CircleLink>),
    /// Its user ended the wait from elsewhere.
    GivenUp,
}

/// One of the things that were taken.
#[derive(Debug, Clone)]
pub enum Taken {
    /// The session holds it now.
    Granted(Granted),
    /// It is shared with whoever this is nested in, and ends with that.
    Shared(super::super::Claim),
}

/// Where somebody stands who cannot have it yet.
#[derive(Debug, Clone, Default)]
pub struct Queued {
    /// Who comes first, in their order.
    pub ahead: Vec<SessionId>,
    /// What is in the way.
    pub obstacles: Vec<Obstacle>,
    /// What nobody holds, and is in use all the same.
    pub in_use: Vec<Resource>,
}

/// What the tickets in front of somebody mean for them.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) left: Vec<TicketKey>,
    pub(super) to_pass: Vec<StoredTicket>,
    pub(super) ahead: Vec<SessionId>,
    pub(super) blocker: Option<Blocker>,
}

/// A ticket that has to be served first.
#[derive(Debug)]
pub(super) struct Blocker {
    pub(super) ticket: StoredTicket,
    /// All that it wants is free.
    pub(super) is_served: bool,
}

/// How much of the queue is worth looking at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Until somebody comes first.
    ToBlocker,
    /// All, with who comes first.
    All,
    /// All, to tell the place and nothing more.
    Place,
}

impl<S: Store> Registry<S> {
    /// Takes all that is wanted if it is free and nobody comes first. Without a ticket it is a newcomer.
    pub fn take(&self, taker: &Taker<'_>) -> Result<Turn, Error> {
        self.take_with(taker, None, &HashSet::new(), false).map(|(turn, _)| turn)
    }

    /// The same with the ticket that somebody waits with, which goes when it is served. Whoever has none gets one if it has
    /// to wait and wants to.
    pub(super) fn take_with(
        &self,
        taker: &Taker<'_>,
        own: Option<&TicketKey>,
        overdue: &HashSet<TicketKey>,
        waits: bool,
    ) -> Result<(Turn, Option<TicketKey>), Error> {
        let ((turn, ticket), committed) = self.commit_making(|tx| self.decide_take(tx, taker, own, overdue, waits))?;
        let Turn::Taken(got) = turn else { return Ok((turn, ticket)) };
        let confirm = |one| match one {
            Taken::Granted(one) => {
                Ok(Taken::Granted(Granted { claim: self.confirmed_claim(&committed, one.claim)?, ..one }))
            }
            shared @ Taken::Shared(_) => Ok(shared),
        };
        let confirmed = got.into_iter().map(|some| some.into_iter().map(confirm).collect());
        let confirmed: Vec<Vec<Taken>> = confirmed.collect::<Result<_, Error>>()?;
        for one in confirmed.iter().flatten() {
            if let Taken::Granted(one) = one {
                self.tell_displaced_if_possible(&one.claim);
            }
        }
        Ok((Turn::Taken(confirmed), ticket))
    }

    fn decide_take(
        &self,
        tx: &mut Transaction,
        taker: &Taker<'_>,
        own: Option<&TicketKey>,
        overdue: &HashSet<TicketKey>,
        waits: bool,
    ) -> Result<(Turn, Option<TicketKey>), Error> {
        let whom = taker.whom();
        let mine = own.map(|key| read_ticket(tx, key)).transpose()?.flatten();
        if let Some(given_up) = mine.as_ref().filter(|mine| mine.record.given_up == Some(true)) {
            tx.write(Write::Delete(Key::Ticket(given_up.key.clone())));
            return Ok((Turn::GivenUp, None));
        }
        // Somebody may have removed it, with the whole directory perhaps.
        let own = own.filter(|_| mine.is_some());
        // A command that ends meanwhile frees what it held. So it is looked first what is free for this one: whatever is, is
        // then seen to be free for those in front, too.
        let picked = self.pick(tx, whom, taker.wants, taker.is_usable)?;
        let survey = self.survey(tx, taker, own, overdue, Depth::All)?;
        for key in &survey.left {
            tx.write(Write::Delete(Key::Ticket(key.clone())));
        }
        for ticket in &survey.to_pass {
            let passed = TicketRecord { passed: Some(true), ..ticket.record.clone() };
            tx.put(Key::Ticket(ticket.key.clone()), record::bytes_of(&passed)?);
        }
        let lack = match picked {
            Ok(picks) if survey.blocker.is_none() => {
                if let Some(taken) = self.grant(tx, taker, picks)? {
                    if let Some(key) = own {
                        tx.write(Write::Delete(Key::Ticket(key.clone())));
                    }
                    return Ok((Turn::Taken(taken), None));
                }
                Lack::default()
            }
            Ok(_) => Lack::default(),
            Err(lack) => lack,
        };
        if waits && let Some(circle) = self.circle(tx, whom, taker.wants, own)? {
            if let Some(key) = own {
                tx.write(Write::Delete(Key::Ticket(key.clone())));
            }
            return Ok((Turn::Circle(circle), None));
        }
        let queued = Queued { ahead: survey.ahead, obstacles: lack.obstacles, in_use: lack.in_use };
        let ticket = match (own, mine) {
            (Some(key), Some(mine)) => {
                if mine.record.passed == Some(true) {
                    let here = TicketRecord { passed: None, ..mine.record };
                    tx.put(Key::Ticket(key.clone()), record::bytes_of(&here)?);
                }
                Some(key.clone())
            }
            _ if waits => Some(self.draw(tx, taker)?),
            _ => None,
        };
        Ok((Turn::Queued(queued), ticket))
    }

    /// Gives somebody the ticket after all that there are.
    fn draw(&self, tx: &mut Transaction, taker: &Taker<'_>) -> Result<TicketKey, Error> {
        let number = ticket_keys(tx)?.last().map_or(0, TicketKey::number) + 1;
        if let Some(session) = taker.arriving {
            arrive_in(tx, session)?;
        }
        let key = TicketKey::new(number, taker.session);
        let ticket = TicketRecord {
            number: Some(number),
            session: Some(taker.session.clone()),
            since: Some(time::format(self.now())),
            resources: Some(taker.wants.to_vec()),
            process: Some(taker.process.clone()),
            apart: taker.terms.process.as_ref().map(|_| true),
            held: taker.held.to_vec(),
            passed: None,
            given_up: None,
        };
        tx.put_new(Key::Ticket(key.clone()), record::bytes_of(&ticket)?);
        Ok(key)
    }

    fn grant(
        &self,
        tx: &mut Transaction,
        taker: &Taker<'_>,
        picks: Vec<Vec<Pick>>,
    ) -> Result<Option<Vec<Vec<Taken>>>, Error> {
        let known = match taker.arriving {
            Some(session) => {
                arrive_in(tx, session)?;
                StoredSession::of(session)
            }
            None => active_session(tx, taker.session)?,
        };
        let predecessor = taker.predecessor.map(|it| it.now(tx)).transpose()?.flatten();
        let mut got = Vec::new();
        for some in picks {
            let mut one_want = Vec::new();
            for pick in some {
                let resource = match pick {
                    Pick::Shared(claim) => {
                        one_want.push(Taken::Shared(claim));
                        continue;
                    }
                    Pick::Free(resource) => resource,
                };
                match self.decide_claim(tx, taker.session, Some(&known), predecessor, &resource, taker.terms)? {
                    ClaimOutcome::Granted { claim, took_over } => {
                        let is_others =
                            |before: &super::super::Claim| !predecessor.is_some_and(|other| other.is_holder_of(before));
                        let took_over = took_over.filter(is_others);
                        one_want.push(Taken::Granted(Granted { claim, is_new: true, took_over }));
                    }
                    ClaimOutcome::AlreadyHeld { claim } => {
                        one_want.push(Taken::Granted(Granted { claim, is_new: false, took_over: None }));
                    }
                    // An agent that was to give way has gone on working.
                    ClaimOutcome::Refused { .. } => {
                        tx.give_up();
                        return Ok(None);
                    }
                }
            }
            got.push(one_want);
        }
        Ok(Some(got))
    }

    /// Where somebody stands who waits with this ticket.
    pub(super) fn queued(&self, taker: &Taker<'_>, own: Option<&TicketKey>) -> Result<Queued, Error> {
        let reader = self.reader()?;
        let lack = self.pick(&*reader, taker.whom(), taker.wants, taker.is_usable)?.err().unwrap_or_default();
        let survey = self.survey(&*reader, taker, own, &HashSet::new(), Depth::Place)?;
        Ok(Queued { ahead: survey.ahead, obstacles: lack.obstacles, in_use: lack.in_use })
    }

    /// Looks at the tickets in front.
    pub(super) fn survey(
        &self,
        reader: &dyn Reader,
        taker: &Taker<'_>,
        own: Option<&TicketKey>,
        overdue: &HashSet<TicketKey>,
        depth: Depth,
    ) -> Result<Survey, Error> {
        let naming = reader.naming();
        let mut survey = Survey::default();
        for key in ticket_keys(reader)?.into_iter().take_while(|key| own.is_none_or(|own| key < own)) {
            let Some(ticket) = read_ticket(reader, &key)? else { continue };
            let is_about_same = || {
                ticket.record.wants().iter().any(|theirs| taker.wants.iter().any(|mine| mine.overlaps(theirs, naming)))
            };
            if !is_about_same() {
                continue;
            }
            if self.has_left(reader, &ticket)? {
                survey.left.push(key);
                continue;
            }
            if ticket.record.given_up == Some(true) {
                continue;
            }
            survey.ahead.extend(ticket.session().cloned());
            if depth == Depth::Place || survey.blocker.is_some() || ticket.record.passed == Some(true) {
                continue;
            }
            let Some(whom) = ticket.whom() else { continue };
            let is_served = self.pick(reader, whom, ticket.record.wants(), taker.is_usable)?.is_ok();
            if is_served && overdue.contains(&key) {
                survey.to_pass.push(ticket);
            } else if is_served || self.is_reserved(reader, taker, &ticket, whom)? {
                survey.blocker = Some(Blocker { ticket, is_served });
                if depth == Depth::ToBlocker {
                    break;
                }
            }
        }
        Ok(survey)
    }

    /// True for a ticket for several things that has been passed for long enough, so that what is free of them is kept for
    /// it. Not from somebody whom it waits for itself.
    fn is_reserved(
        &self,
        reader: &dyn Reader,
        taker: &Taker<'_>,
        ticket: &StoredTicket,
        whom: For<'_>,
    ) -> Result<bool, Error> {
        let wants = ticket.record.wants();
        let is_several = wants.iter().map(Want::count).sum::<usize>() > 1;
        let now = self.now();
        if !is_several || now - ticket.since(now) < LONGEST_PASSED {
            return Ok(false);
        }
        let mine = taker.whom();
        for candidate in wants.iter().flat_map(Want::candidates) {
            if self.in_the_way(reader, whom, &candidate)?.iter().any(|claim| mine.pins(claim)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends somebody's wait, who then gives up. Returns false if nobody waits with this ticket.
    pub fn end_wait(&self, key: &TicketKey) -> Result<bool, Error> {
        let (is_waiting, _) = self.commit(|tx| {
            let Some(ticket) = read_ticket(tx, key)? else { return Ok(false) };
            if self.has_left(tx, &ticket)? {
                return Ok(false);
            }
            let given_up = TicketRecord { given_up: Some(true), ..ticket.record };
            tx.put(Key::Ticket(key.clone()), record::bytes_of(&given_up)?);
            Ok(true)
        })?;
        Ok(is_waiting)
    }

    /// Gives up waiting.
    pub(super) fn leave_queue(&self, key: &TicketKey) -> Result<(), Error> {
        self.commit(|tx| {
            if tx.get(&Key::Ticket(key.clone()))?.is_some() {
                tx.write(Write::Delete(Key::Ticket(key.clone())));
            }
            Ok(())
        })
        .map(drop)
    }
}

/// Lets somebody who waits for this look again, because it was given to them past the line.
pub(in super::super) fn wake_who_waits(
    tx: &mut Transaction,
    session: &SessionId,
    resource: &Resource,
) -> Result<(), Error> {
    let given = Want::one(resource);
    for key in ticket_keys(tx)? {
        let Some(ticket) = read_ticket(tx, &key)?.filter(|ticket| ticket.session() == Some(session)) else { continue };
        if ticket.record.wants().iter().any(|want| want.overlaps(&given, tx.naming())) {
            tx.put(Key::Ticket(key), record::bytes_of(&ticket.record)?);
        }
    }
    Ok(())
}
