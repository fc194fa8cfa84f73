//! Sessions that give way to others of the same user's work.

use super::Error;
use super::claims::Claim;
use super::session::require_active;
use super::store::Reader;
use deconflict_protocol::{Resource, SessionId};

/// Another session of the same user's work that gives way: what it holds of what is claimed goes over without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor<'a> {
    /// It gives way whatever it does: the agent that started a sub-agent.
    Always(&'a SessionId),
    /// It is an agent, and gives way as long as its turn has ended. That is decided together with the claim, because it
    /// may go on working at any moment.
    WhileWaiting(&'a SessionId),
}

impl<'a> Predecessor<'a> {
    /// The same, if it gives way now.
    pub(super) fn now(self, reader: &dyn Reader) -> Result<Option<Self>, Error> {
        match self {
            Self::Always(_) => Ok(Some(self)),
            Self::WhileWaiting(session) => match require_active(reader, session) {
                Ok((record, _)) => Ok(record.value.is_waiting().then_some(self)),
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
