//! Messages between sessions: what they are made of, and sending them.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::session::require_active;
use super::store::{Key, LARGEST_RECORD, Reader, Series, Store};
use super::{Error, Registry, random_number, record};
use deconflict_protocol::{BROADCAST, MessageKind, MessageRecord, Resource, SessionId, time};

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// Every session.
    Everyone,
    /// One session.
    Session(SessionId),
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What kind it is.
    pub kind: MessageKind,
    /// One line about it.
    pub subject: String,
    /// The text.
    pub message: String,
    /// Facts for programs; null for none.
    pub details: Value,
    /// The id of the message that it answers.
    pub in_reply_to: Option<String>,
    /// The resource that it is about.
    pub resource: Option<Resource>,
    /// The id by which a repeat is told; without one it gets a random one.
    pub id: Option<String>,
}

impl Draft {
    /// An empty message of a kind.
    pub fn new(kind: MessageKind) -> Self {
        Self {
            kind,
            subject: String::new(),
            message: String::new(),
            details: Value::Null,
            in_reply_to: None,
            resource: None,
            id: None,
        }
    }
}

/// Tells messages apart: the id in the record, else the file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(super) String);

impl MessageId {
    /// Takes an id as a user or another program spells it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What stands in the file.
    pub record: MessageRecord,
    /// The sender, if its name can be followed.
    pub from: Option<SessionId>,
    /// Whom it is for.
    pub to: Recipient,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// True if the session that asks has not read it.
    pub unread: bool,
    /// Where it is kept.
    pub key: Key,
}

impl Message {
    /// True if it tells that somebody changed or removed what the recipient held or had changed.
    pub fn tells_of_loss(&self) -> bool {
        matches!(self.kind().as_str(), "overwritten" | "deleted")
    }

    /// What it is about.
    pub fn resource(&self) -> Option<Resource> {
        Resource::parse(self.record.resource.as_deref()?)
    }
}

pub(super) struct Composed {
    pub(super) series: Series,
    pub(super) at: DateTime<Utc>,
    pub(super) bytes: Vec<u8>,
    record: MessageRecord,
    id: String,
}

impl<S: Store> Registry<S> {
    /// Sends a message. It is on disk, synced, before this returns.
    pub fn send(&self, from: &SessionId, to: &Recipient, draft: &Draft) -> Result<Message, Error> {
        self.prepared(|| {
            let composed = self.composed(&*self.reader()?, from, to, draft)?;
            let key = self.store.add(&composed.series, from, composed.at, &composed.bytes)?;
            Ok(Message {
                id: MessageId(composed.id),
                record: composed.record,
                from: Some(from.clone()),
                to: to.clone(),
                sent_at: composed.at,
                unread: false,
                key,
            })
        })
    }

    /// Puts a message into words, if there is somebody to read it.
    pub(super) fn composed(
        &self,
        reader: &dyn Reader,
        from: &SessionId,
        to: &Recipient,
        draft: &Draft,
    ) -> Result<Composed, Error> {
        let (series, name) = match to {
            Recipient::Everyone => (Series::Broadcasts, BROADCAST.to_owned()),
            Recipient::Session(id) => {
                require_active(reader, id)?;
                (Series::Direct(id.clone()), id.to_string())
            }
        };
        let at = self.now();
        let id = match &draft.id {
            Some(id) => id.clone(),
            None => format!("{:016x}", random_number()?),
        };
        let record = MessageRecord {
            from: Some(from.to_string()),
            to: Some(name),
            timestamp: Some(time::format(at)),
            kind: Some(draft.kind.as_str().to_owned()),
            subject: Some(draft.subject.clone()),
            message: Some(draft.message.clone()),
            details: draft.details.clone(),
            id: Some(id.clone()),
            in_reply_to: draft.in_reply_to.clone(),
            resource: draft.resource.as_ref().map(Resource::spelled),
        };
        let bytes = record::bytes_of(&record)?;
        if bytes.len() > LARGEST_RECORD {
            return Err(Error::TooLarge { size: bytes.len() });
        }
        Ok(Composed { series, at, bytes, record, id })
    }
}
