//! What the journal says: the lines of a file's log, as plain values.

use std::fmt;

use chrono::{DateTime, Utc};
use deconflict_protocol::{Resource, SessionId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::content_id::ContentId;
use super::error::Error;
use super::stamp::Stamp;

/// The name of an entry: 12 hexadecimal digits, by chance. People may name it by a beginning that no other one has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId(String);

impl EntryId {
    pub(super) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).map_err(Error::Random)?;
        Ok(Self(deconflict_protocol::text::hex(&bytes)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands under a file's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its bytes.
        content: ContentId,
        /// Whether it may be run.
        #[serde(default, skip_serializing_if = "is_false")]
        executable: bool,
        /// How many bytes.
        length: u64,
    },
    /// A link.
    Link {
        /// Where it leads to, as it is written in the link.
        content: ContentId,
    },
    /// Something whose bytes are not kept: a larger file, one that may not be read, or neither file nor link.
    NotKept {
        /// How many bytes it has, as far as that means something.
        length: u64,
        /// What git would call it, where that is known. The bytes are not there.
        #[serde(rename = "blob", default, skip_serializing_if = "Option::is_none")]
        content: Option<ContentId>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl FileState {
    /// The content that [`Journal::content`](super::Journal::content) gives back.
    pub fn kept(&self) -> Option<ContentId> {
        match self {
            Self::File { content, .. } | Self::Link { content } => Some(*content),
            Self::Absent | Self::NotKept { .. } => None,
        }
    }
}

/// What changed a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An agent's edit.
    Edit,
    /// An editor's save.
    Save,
    /// A shell command.
    Command {
        /// Program and paths, with everything left out that may be secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
    },
    /// A restore, an undo or a merge.
    Restore,
    /// Nobody knows.
    Unknown,
}

impl Cause {
    /// The protocol's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Save => "save",
            Self::Command { .. } => "command",
            Self::Restore => "restore",
            Self::Unknown => "unknown",
        }
    }

    /// The command, if it was one and its words are known.
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Command { command } => command.as_deref(),
            _ => None,
        }
    }
}

/// Whose a change is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Author {
    /// The session.
    pub session: SessionId,
    /// What people call it.
    pub label: String,
    /// The user that it works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The kind of agent, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// When it was noticed.
    pub at: DateTime<Utc>,
    /// The file.
    #[serde(with = "spelled")]
    pub resource: Resource,
    /// What changed it.
    pub cause: Cause,
    /// Whose it is; nobody's if nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Who may have done what nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<SessionId>,
    /// What stood there before.
    pub before: FileState,
    /// What stood there after it.
    pub after: FileState,
    /// The file on disk with `after` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// How many lines were added; zero where it is not text.
    #[serde(default)]
    pub added: u32,
    /// How many lines were removed; zero where it is not text.
    #[serde(default)]
    pub removed: u32,
}

impl Entry {
    /// True if it may turn out to be this author's, by an edit, a save or a command of theirs: nobody knows whose it is, or it
    /// was noticed after another one's command. An edit or a save with exactly this text is surer than a command that ran
    /// meanwhile.
    pub fn may_be_of(&self, author: &Author, cause: &Cause) -> bool {
        match &self.author {
            None => self.cause == Cause::Unknown,
            Some(known) if known.session == author.session => false,
            Some(_) => matches!(self.cause, Cause::Command { .. }) && matches!(cause, Cause::Edit | Cause::Save),
        }
    }
}

/// How a loss came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// What was lost stands there again.
    Restored,
    /// Both sides' changes stand there.
    Merged,
    /// Its owner knows, and leaves it.
    Acknowledged,
    /// It is in a commit.
    Committed,
}

/// One line of a file's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The file was changed.
    Change(Entry),
    /// What stood there, without a change: the first sight of the file, or another stamp.
    Seen {
        /// The file.
        #[serde(with = "spelled")]
        resource: Resource,
        /// What stands there.
        state: FileState,
        /// The file on disk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stamp: Option<Stamp>,
        /// When it was seen.
        at: DateTime<Utc>,
    },
    /// A change found its author.
    Attributed {
        /// The change.
        entry: EntryId,
        /// Whose it is.
        author: Author,
        /// What it was.
        cause: Cause,
    },
    /// All that one has changed and not committed becomes another's.
    Given {
        /// Whose it was.
        from: SessionId,
        /// Whose it is.
        to: Author,
        /// When.
        at: DateTime<Utc>,
    },
    /// A change took something of another one's.
    Lost {
        /// The change.
        entry: EntryId,
        /// Who lost by it.
        owner: Author,
        /// When it was found.
        at: DateTime<Utc>,
    },
    /// A loss came to its end.
    Settled {
        /// The change.
        entry: EntryId,
        /// Whose loss; everybody's if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<SessionId>,
        /// How.
        how: Settlement,
        /// When.
        at: DateTime<Utc>,
    },
    /// Who lost by a change was found out.
    Judged {
        /// The change.
        entry: EntryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// A session was told of a change.
    Told {
        /// The change.
        entry: EntryId,
        /// The session.
        session: SessionId,
        /// When.
        at: DateTime<Utc>,
        /// An answer that is under way tells it. It may never come, so after some seconds this counts for nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        begun: bool,
    },
    /// What stood there is in a commit.
    Committed {
        /// Whose changes; everybody's if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        /// The commit, as git names it.
        commit: String,
        /// What the commit before it has; nothing if it had no such file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<ContentId>,
        /// What the commit has; nothing if it removed the file. The journal may not have it.
        #[serde(rename = "blob", default, skip_serializing_if = "Option::is_none")]
        content: Option<ContentId>,
        /// When.
        at: DateTime<Utc>,
    },
}

impl Line {
    /// The change that it is or is about.
    pub fn entry(&self) -> Option<&EntryId> {
        match self {
            Self::Change(entry) => Some(&entry.id),
            Self::Attributed { entry, .. }
            | Self::Lost { entry, .. }
            | Self::Settled { entry, .. }
            | Self::Judged { entry, .. }
            | Self::Told { entry, .. } => Some(entry),
            Self::Seen { .. } | Self::Given { .. } | Self::Committed { .. } => None,
        }
    }
}

impl Line {
    /// When it was written; `None` for what only adds to a change.
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Change(Entry { at, .. })
            | Self::Seen { at, .. }
            | Self::Given { at, .. }
            | Self::Lost { at, .. }
            | Self::Settled { at, .. }
            | Self::Judged { at, .. }
            | Self::Told { at, .. }
            | Self::Committed { at, .. } => Some(*at),
            Self::Attributed { .. } => None,
        }
    }
}

/// A resource as messages spell it.
mod spelled {
    use super::{Deserialize, Deserializer, Resource, Serializer};

    pub(super) fn serialize<S: Serializer>(resource: &Resource, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&resource.spelled())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Resource, D::Error> {
        let text = String::deserialize(deserializer)?;
        Resource::parse(&text).ok_or_else(|| serde::de::Error::custom("it names no resource"))
    }
}
