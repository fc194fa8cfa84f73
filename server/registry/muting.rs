//! Sessions of which another wants to hear nothing for a while. It stands in the record of the one that wants so, so that
//! its editor, its terminals and its next server keep to it alike.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::session::Session;
use super::store::Store;
use super::{Error, Message, Registry};
use deconflict_protocol::{SessionId, time};

/// Until when which session is muted, as it stands in a record.
pub type Muted = BTreeMap<String, String>;

impl<S: Store> Registry<S> {
    /// Notes that a session wants to hear nothing of another until then. Returns whom it mutes now.
    pub fn mute(&self, session: &SessionId, other: &SessionId, until: DateTime<Utc>) -> Result<Muted, Error> {
        self.change_muted(session, |muted| {
            muted.insert(other.to_string(), time::format(until));
        })
    }

    /// Notes that a session wants to hear of another again, or of all. Returns whom it still mutes.
    pub fn unmute(&self, session: &SessionId, other: Option<&SessionId>) -> Result<Muted, Error> {
        self.change_muted(session, |muted| muted.retain(|id, _| other.is_some_and(|other| other.as_str() != id)))
    }

    fn change_muted(&self, session: &SessionId, change: impl Fn(&mut Muted)) -> Result<Muted, Error> {
        let now = self.now();
        self.update_session(session, |record| {
            let mut muted = record.muted.take().unwrap_or_default();
            change(&mut muted);
            muted.retain(|_, until| is_later(until, now));
            record.muted = Some(muted).filter(|muted| !muted.is_empty());
        })?;
        Ok(self.session(session)?.and_then(|session| session.record.muted).unwrap_or_default())
    }
}

impl Session {
    /// True if it wants to hear nothing of another now.
    pub fn mutes(&self, other: &SessionId, now: DateTime<Utc>) -> bool {
        let until = self.record.muted.as_ref().and_then(|muted| muted.get(other.as_str()));
        until.is_some_and(|until| is_later(until, now))
    }

    /// True if a message is to be shown to it by itself. What was lost is told whoever did it.
    pub fn wants_to_hear(&self, message: &Message, now: DateTime<Utc>) -> bool {
        message.tells_of_loss() || !message.from.as_ref().is_some_and(|from| self.mutes(from, now))
    }
}

fn is_later(until: &str, now: DateTime<Utc>) -> bool {
    time::parse(until).is_some_and(|until| until > now)
}
