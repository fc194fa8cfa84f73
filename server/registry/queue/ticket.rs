//! Tickets as they stand.

use std::fmt;

use chrono::{DateTime, Utc};

use super::super::liveness;
use super::super::store::{Key, Range, Reader, Stamp, Store};
use super::super::{Error, KeeperState, Registry};
use deconflict_protocol::{SessionId, TicketRecord, time};

/// By what a ticket is found. They are ordered by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketKey {
    number: u64,
    name: String,
}

impl TicketKey {
    pub(super) fn new(number: u64, session: &SessionId) -> Self {
        Self { number, name: format!("{number:08}-{session}") }
    }

    /// A name as a store spells it; `None` for what is none.
    pub fn parse(name: &str) -> Option<Self> {
        let number = name.split_once('-')?.0.parse().ok()?;
        (!name.contains(['/', '\\'])).then(|| Self { number, name: name.to_owned() })
    }

    /// Its place in the order of all.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A ticket as it was read.
#[derive(Debug, Clone)]
pub struct StoredTicket {
    /// By what it is found.
    pub key: TicketKey,
    /// What it says.
    pub record: TicketRecord,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

impl StoredTicket {
    /// Who waits; a record without a session is none.
    pub fn session(&self) -> Option<&SessionId> {
        self.record.session.as_ref()
    }

    /// Since when.
    pub fn since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        time::believed(self.record.since.as_deref(), self.modified, now)
    }
}

pub(super) fn ticket_keys(reader: &dyn Reader) -> Result<Vec<TicketKey>, Error> {
    let keys = reader.scan(&[Range::Queue])?;
    let mut tickets: Vec<TicketKey> =
        keys.into_iter().filter_map(|key| if let Key::Ticket(ticket) = key { Some(ticket) } else { None }).collect();
    tickets.sort();
    Ok(tickets)
}

/// Reads a ticket. What cannot be understood keeps nobody waiting.
pub(super) fn read_ticket(reader: &dyn Reader, key: &TicketKey) -> Result<Option<StoredTicket>, Error> {
    match reader.get(&Key::Ticket(key.clone())) {
        Ok(stored) => Ok(stored.and_then(|stored| {
            let record = TicketRecord::read(&stored.bytes).ok()?;
            Some(StoredTicket { key: key.clone(), record, modified: stored.stamp.modified })
        })),
        Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl<S: Store> Registry<S> {
    /// Who waits, in the order of their tickets.
    pub fn tickets(&self) -> Result<Vec<StoredTicket>, Error> {
        let reader = self.reader()?;
        let mut tickets = Vec::new();
        for key in ticket_keys(&*reader)? {
            if let Some(ticket) = read_ticket(&*reader, &key)?
                && ticket.record.given_up != Some(true)
                && !self.has_left(&*reader, &ticket)?
            {
                tickets.push(ticket);
            }
        }
        Ok(tickets)
    }

    /// True for a ticket whose process is gone, or whose session ended where no process tells.
    pub(super) fn has_left(&self, reader: &dyn Reader, ticket: &StoredTicket) -> Result<bool, Error> {
        match ticket.record.process.as_ref().map(liveness::look_at_process) {
            Some(KeeperState::Alive) => Ok(false),
            Some(KeeperState::Gone) => Ok(true),
            Some(KeeperState::Unknown) | None => {
                let Some(session) = ticket.session() else { return Ok(true) };
                Ok(self.session_in(reader, session)?.is_some_and(|session| !session.is_live()))
            }
        }
    }

    /// Removes what nobody waits with any more, records that cannot be understood included.
    pub(crate) fn remove_left_tickets(&self) -> Result<usize, Error> {
        let is_over = |reader: &dyn Reader, key: &TicketKey| -> Result<bool, Error> {
            if let Some(ticket) = read_ticket(reader, key)? {
                return self.has_left(reader, &ticket);
            }
            // It may be being written, if a script does that.
            let stamp = reader.stamp(&Key::Ticket(key.clone()))?;
            let written = stamp.unwrap_or(Stamp::unknown(self.now())).modified;
            Ok(self.now() - written > super::super::BEING_WRITTEN)
        };
        let reader = self.reader()?;
        let mut left = Vec::new();
        for key in ticket_keys(&*reader)? {
            if is_over(&*reader, &key)? {
                left.push(key);
            }
        }
        if left.is_empty() {
            return Ok(0);
        }
        let (removed, _) = self.commit(|tx| {
            let mut removed = 0;
            for key in &left {
                if is_over(tx, key)? {
                    tx.write(super::super::store::Write::Delete(Key::Ticket(key.clone())));
                    removed += 1;
                }
            }
            Ok(removed)
        })?;
        Ok(removed)
    }
}
