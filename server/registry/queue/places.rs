//! Who waits in which place of which line.

use chrono::{DateTime, Utc};

use super::super::store::{Reader, Store};
use super::super::{Error, Registry, Session};
use super::ticket::{StoredTicket, TicketKey};
use deconflict_protocol::{SessionId, Want};

/// A place in one line.
#[derive(Debug, Clone)]
pub struct PlaceInLine {
    /// What is waited for, as people call it.
    pub what: String,
    /// The first in line has place 1.
    pub number: usize,
    /// Who waits, as far as that is known.
    pub session: Option<Session>,
    ticket: StoredTicket,
}

impl PlaceInLine {
    /// By what the ticket is found.
    pub fn key(&self) -> &TicketKey {
        &self.ticket.key
    }

    /// Who waits.
    pub fn id(&self) -> Option<&SessionId> {
        self.ticket.session()
    }

    /// What for: all of it, or nothing.
    pub fn wants(&self) -> &[Want] {
        self.ticket.record.wants()
    }

    /// Since when.
    pub fn since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.ticket.since(now)
    }

    /// Their turn came, and they did not take it: others go first until they look again.
    pub fn is_passed(&self) -> bool {
        self.ticket.record.passed == Some(true)
    }
}

impl<S: Store> Registry<S> {
    /// Every place in every line, in the order of the tickets. Whoever waits for several things has a place in the line of
    /// each, and is told for the first.
    pub fn places_in_line(&self) -> Result<Vec<PlaceInLine>, Error> {
        let reader = self.reader()?;
        let naming = Reader::naming(&*reader);
        let mut places: Vec<PlaceInLine> = Vec::new();
        // Most want the same, and are compared as one.
        let mut before: Vec<(Vec<Want>, usize)> = Vec::new();
        for ticket in self.tickets()? {
            let wants = ticket.record.wants();
            let Some(want) = wants.first() else { continue };
            let wants_it = |(wants, _): &&(Vec<Want>, usize)| wants.iter().any(|theirs| theirs.overlaps(want, naming));
            let number = before.iter().filter(wants_it).map(|(_, count)| count).sum::<usize>() + 1;
            match before.iter_mut().find(|(known, _)| *known == wants) {
                Some((_, count)) => *count += 1,
                None => before.push((wants.to_vec(), 1)),
            }
            let what = match wants.len() - 1 {
                0 => want.called(),
                more => format!("{} and {more} more", want.called()),
            };
            let session = ticket.session().map(|id| self.session(id)).transpose().unwrap_or_default().flatten();
            places.push(PlaceInLine { what, number, session, ticket });
        }
        Ok(places)
    }
}
