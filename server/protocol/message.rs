//! The record of a message.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{lenient_text, typed};
use super::{RecordError, SessionId, time};

/// A message as it stands in `messages/broadcast/` or `messages/direct/{to}/`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageRecord {
    /// The sender.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The recipient, or [`BROADCAST`](super::BROADCAST).
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When it was sent.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What kind it is; see [`MessageKind`].
    #[serde(rename = "type", deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// One line about it.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Facts for programs, or the text of a sender that writes no `message`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// Tells a repeat from a new message.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the message that it answers.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// The resource that it is about, as `{type}/{name}`.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl MessageRecord {
    /// Reads a message.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        typed(bytes)
    }

    /// The text, wherever the sender put it.
    pub fn text(&self) -> String {
        match (&self.message, &self.details) {
            (Some(message), _) => message.clone(),
            (None, Value::Object(details)) => {
                let field = |(name, value): (&String, &Value)| match value {
                    Value::String(text) => format!("{name}: {text}"),
                    other => format!("{name}: {other}"),
                };
                details.iter().map(field).collect::<Vec<_>>().join("; ")
            }
            (None, Value::String(details)) => details.clone(),
            (None, _) => String::new(),
        }
    }

    /// The sender, if its name can be followed.
    pub fn sender(&self) -> Option<SessionId> {
        self.from.as_deref().and_then(|from| SessionId::foreign(from).ok())
    }

    /// What kind of message it is.
    pub fn kind(&self) -> MessageKind {
        MessageKind::parse(self.kind.as_deref().unwrap_or("note"))
    }

    /// When it was sent, as far as that can be believed.
    pub fn sent_at(&self, modified: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        time::believed(self.timestamp.as_deref(), modified, now)
    }
}

/// The kinds of messages that this program sends or acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageKind {
    /// A person's or agent's own words.
    Note,
    /// Asks the recipient to release a resource.
    ReleaseRequest,
    /// A resource came free that the recipient asked for.
    Released,
    /// The recipient's claim was taken over.
    TakenOver,
    /// A claim or work was given to the recipient.
    HandOff,
    /// Work on a resource is done.
    WorkCompleted,
    /// A sender's own kind.
    Other(String),
}

impl MessageKind {
    const KNOWN: [Self; 6] =
        [Self::Note, Self::ReleaseRequest, Self::Released, Self::TakenOver, Self::HandOff, Self::WorkCompleted];

    /// Reads the word that stands in `type`.
    pub fn parse(word: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// The word that stands in `type`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Note => "note",
            Self::ReleaseRequest => "release_request",
            Self::Released => "released",
            Self::TakenOver => "taken_over",
            Self::HandOff => "handoff",
            Self::WorkCompleted => "work_completed",
            Self::Other(word) => word,
        }
    }
}
