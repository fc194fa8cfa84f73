//! Messages between sessions: what they are made of, and sending them.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::directory::{Durability, Folder, LARGEST_RECORD, random_number};
use super::heartbeats::create_stamped;
use super::sessions::require_active;
use super::{Error, Registry, record};
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
    /// Where it is.
    pub file: PathBuf,
}

impl Message {
    /// What it is about.
    pub fn resource(&self) -> Option<Resource> {
        Resource::parse(self.record.resource.as_deref()?)
    }
}

impl Registry {
    /// Sends a message. It is on disk, synced, before this returns.
    pub fn send(&self, from: &SessionId, to: &Recipient, draft: &Draft) -> Result<Message, Error> {
        let directory = self.directory_to_write()?;
        let folder = match to {
            Recipient::Everyone => Folder::Broadcasts,
            Recipient::Session(id) => {
                require_active(&directory, id)?;
                Folder::Direct(id.clone())
            }
        };
        let now = self.now();
        let id = match &draft.id {
            Some(id) => id.clone(),
            None => format!("{:016x}", random_number()?),
        };
        let name = match to {
            Recipient::Everyone => BROADCAST.to_owned(),
            Recipient::Session(id) => id.to_string(),
        };
        let message = MessageRecord {
            from: Some(from.to_string()),
            to: Some(name),
            timestamp: Some(time::format(now)),
            kind: Some(draft.kind.as_str().to_owned()),
            subject: Some(draft.subject.clone()),
            message: Some(draft.message.clone()),
            details: draft.details.clone(),
            id: Some(id.clone()),
            in_reply_to: draft.in_reply_to.clone(),
            resource: draft.resource.as_ref().map(Resource::spelled),
        };
        let size = record::bytes_of(&directory, &folder, "message", &message)?.len();
        if size as u64 > LARGEST_RECORD {
            return Err(Error::TooLarge { size });
        }
        let file = create_stamped(&directory, &folder, from, now, Durability::Power, &message)?;
        Ok(Message {
            id: MessageId(id),
            record: message,
            from: Some(from.clone()),
            to: to.clone(),
            sent_at: now,
            unread: false,
            file: directory.path_of(&folder).join(file),
        })
    }
}
