//! Sessions that give way to others of the same user's work.

use chrono::{DateTime, Utc};

use super::claims::Claim;
use super::judging::Observer;
use super::session::{Session, require_active};
use super::store::{Reader, Store};
use super::{Error, Registry};
use deconflict_protocol::{Resource, SessionId, SessionRecord};

/// Another session of the same user's work that gives way: what it holds of what is claimed goes over without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor<'a> {
    /// It gives way whatever it does: the agent that started a sub-agent.
    Always(&'a SessionId),
    /// It is an agent, and gives way as long as its turn has ended. That is decided together with the claim, because it
    /// may go on working at any moment.
    WhileWaiting(&'a SessionId),
}

impl<S: Store> Registry<S> {
    /// True for a coding agent whose turn has ended, so that it waits for its user.
    pub fn is_waiting(&self, session: &Session) -> Result<bool, Error> {
        Ok(is_waiting(&*self.reader()?, &session.id, &session.record, session.modified))
    }
}

/// An agent waits if its record says so, and it has told of nothing that it did since: a hook that could not write into
/// the record that its agent works on must not make others take what it works on.
fn is_waiting(reader: &dyn Reader, id: &SessionId, record: &SessionRecord, written: DateTime<Utc>) -> bool {
    let has_gone_on = || Observer::new(reader).newest_heartbeat(id).is_some_and(|heartbeat| heartbeat > written);
    record.is_waiting() && !has_gone_on()
}

impl<'a> Predecessor<'a> {
    /// The same, if it gives way now.
    pub(super) fn now(self, reader: &dyn Reader) -> Result<Option<Self>, Error> {
        match self {
            Self::Always(_) => Ok(Some(self)),
            Self::WhileWaiting(session) => match require_active(reader, session) {
                Ok((record, stamp)) => Ok(is_waiting(reader, session, &record.value, stamp.modified).then_some(self)),
                // What it holds is abandoned, and can be taken over by anybody.
                Err(Error::UnknownSession { .. } | Error::EndedSession { .. } | Error::Damaged { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    pub(super) fn session(self) -> &'a SessionId {
        let (Self::Always(session) | Self::WhileWaiting(session)) = self;
        session
    }

    pub(super) fn is_holder_of(self, claim: &Claim) -> bool {
        claim.held_by(self.session())
    }

    /// True for what it goes on holding beside its successor: an agent goes on with the directory in which it lets a
    /// sub-agent edit. All else that overlaps goes over, because two that know nothing of each other would hold it.
    pub(super) fn keeps(self, claim: &Claim, wanted: &Resource) -> bool {
        matches!(self, Self::Always(_)) && self.is_holder_of(claim) && claim.resource.covers(wanted)
    }
}
