//! Sessions of several machines, whose clocks differ.
//!
//! A lease ends at one time of day, which comes earlier for a machine whose clock is ahead. Takers respect a claim of
//! another machine for 60 seconds after its lease, and where another machine takes part a holder ceases to rely on its
//! own 60 seconds before (protocol page, "Claims"): so clocks may be two minutes apart before two sessions believe at
//! once that they hold one resource. A holder that has ceased gets its claim back by renewing or claiming it, which
//! looks under the lock whether nobody took it.

use chrono::{DateTime, Utc};

use super::claims::{Claim, ClaimState};
use super::leases::OTHER_CLOCK;
use super::session::{Session, list_sessions};
use super::store::{LeaseClock, Reader, Store};
use super::{Error, Registry};

/// Whether all who take part go by this machine's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Machines {
    /// All of them work here.
    #[default]
    One,
    /// A session that is not over works on another machine.
    Several,
}

impl Machines {
    /// Where these sessions work.
    pub fn of<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        // One that stands for a session of another clone claims nothing that is claimed in this one.
        let works_elsewhere = |session: &Session| {
            session.is_elsewhere() && !session.state.is_over() && session.record.stands_for.is_none()
        };
        if sessions.into_iter().any(works_elsewhere) { Self::Several } else { Self::One }
    }
}

impl Claim {
    /// Until when its own holder relies on it.
    pub fn relied_on_until(&self, machines: Machines) -> DateTime<Utc> {
        match machines {
            Machines::One => self.expires_at,
            Machines::Several => self.expires_at - OTHER_CLOCK,
        }
    }

    /// The claim as its own holder has to see it: expired from when it ceases to rely on it.
    #[must_use]
    pub fn as_holder_sees(mut self, machines: Machines, now: DateTime<Utc>) -> Self {
        if self.counts_for_holder() && machines == Machines::Several && now >= self.relied_on_until(machines) {
            self.standing = ClaimState::Expired;
        }
        self
    }

    pub(super) fn counts_for_holder(&self) -> bool {
        matches!(self.standing, ClaimState::Active | ClaimState::Idle)
    }
}

impl<S: Store> Registry<S> {
    /// The claim as its own holder has to see it. Looks at the sessions only in a lease's last minute.
    pub(super) fn as_holder_sees(&self, reader: &dyn Reader, claim: Claim) -> Result<Claim, Error> {
        let now = self.now();
        // A store that ends leases itself goes by one clock.
        if self.store.guarantees().clock == LeaseClock::Store {
            return Ok(claim);
        }
        if !claim.counts_for_holder() || now < claim.relied_on_until(Machines::Several) {
            return Ok(claim);
        }
        let machines = self.machines(reader)?;
        Ok(claim.as_holder_sees(machines, now))
    }

    fn machines(&self, reader: &dyn Reader) -> Result<Machines, Error> {
        for id in list_sessions(reader)? {
            if Machines::of(&self.session_in(reader, &id)?) == Machines::Several {
                return Ok(Machines::Several);
            }
        }
        Ok(Machines::One)
    }
}
