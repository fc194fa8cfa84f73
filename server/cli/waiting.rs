//! Who waits in line for what.

use chrono::{DateTime, Utc};
use deconflict_protocol::{SessionId, Want, time};
use deconflict_registry::{Registry, Session, StoredTicket};
use serde_json::{Value, json};

use super::failure::Failure;

/// Somebody who waits.
pub(super) struct Waiter {
    ticket: StoredTicket,
    pub(super) session: Option<Session>,
}

impl Waiter {
    /// All who wait, in the order of their tickets.
    pub(super) fn all(registry: &Registry) -> Result<Vec<Self>, Failure> {
        let session = |ticket: &StoredTicket| registry.session(ticket.session()?).ok().flatten();
        let tickets = registry.tickets()?.into_iter();
        Ok(tickets.map(|ticket| Self { session: session(&ticket), ticket }).collect())
    }

    /// What they wait for.
    pub(super) fn wants(&self) -> &[Want] {
        self.ticket.record.wants()
    }

    pub(super) fn id(&self) -> Option<&SessionId> {
        self.ticket.session()
    }

    pub(super) fn since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.ticket.since(now)
    }

    /// For programs; the first in line has place 1.
    pub(super) fn document(&self, place: usize, now: DateTime<Utc>) -> Value {
        json!({
            "place": place,
            "session": self.id(),
            "label": self.session.as_ref().map(Session::label),
            "since": time::format(self.since(now)),
            "passed": self.ticket.record.passed == Some(true),
        })
    }
}

/// A place in one line.
pub(super) struct PlaceInLine {
    /// What is waited for, as people call it.
    pub(super) what: String,
    /// The first in line has place 1.
    pub(super) number: usize,
    pub(super) waiter: Waiter,
}

/// Every place in every line. Whoever waits for several things has a place in the line of each, and is told for the first.
pub(super) fn places(registry: &Registry) -> Result<Vec<PlaceInLine>, Failure> {
    let naming = registry.naming()?;
    let mut places: Vec<PlaceInLine> = Vec::new();
    for waiter in Waiter::all(registry)? {
        let Some(want) = waiter.wants().first() else { continue };
        let wants_it = |place: &&PlaceInLine| place.waiter.wants().iter().any(|theirs| theirs.overlaps(want, naming));
        let number = places.iter().filter(wants_it).count() + 1;
        let more = waiter.wants().len() - 1;
        let what = if more == 0 { want.called() } else { format!("{} and {more} more", want.called()) };
        places.push(PlaceInLine { what, number, waiter });
    }
    Ok(places)
}

impl PlaceInLine {
    /// For programs.
    pub(super) fn document(&self, now: DateTime<Utc>) -> Value {
        let mut document = self.waiter.document(self.number, now);
        document["resource"] = self.what.clone().into();
        document
    }
}
