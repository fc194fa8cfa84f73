//! Names that may become part of a path: session ids and resource types.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The recipient that means every session.
pub const BROADCAST: &str = "broadcast";

/// Why a name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a session id that this program writes.
    #[error(
        "\"{0}\" is not a session id: use 1 to 64 letters, digits, dots, dashes or underscores, starting with a letter or digit, not ending with a dot, and neither \"broadcast\" nor a name that Windows keeps for devices, such as \"con\""
    )]
    SessionId(String),
    /// Not a resource type that this program writes.
    #[error("\"{0}\" is not a resource type: use lower-case letters, digits and underscores, starting with a letter")]
    ResourceType(String),
    /// A resource without a name, or with a name that no file name can carry.
    #[error("\"{0}\" cannot name a resource: it is empty, too long or contains a null character")]
    Resource(String),
    /// A name found in a record that could lead out of the directory.
    #[error("the name \"{0}\" could lead out of the directory")]
    Unsafe(String),
}

/// The longest foreign name that is followed, in bytes: with a prefix and an ending it still fits a file name.
const LONGEST_FOREIGN_NAME: usize = 200;

/// True for a name that is one path component on every system and can lead nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_FOREIGN_NAME
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

/// The name of a session. It is always safe as one path component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// Accepts what this program itself would write: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, not ending with a dot,
    /// and in any case neither `broadcast` (it names everybody, and some file systems ignore case) nor a device of
    /// Windows, which opens no file of that name.
    pub fn new(id: &str) -> Result<Self, NameError> {
        let first_is_good = id.starts_with(|c: char| c.is_ascii_alphanumeric());
        let rest_is_good = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let is_taken = is_broadcast(id) || is_windows_device(id);
        if first_is_good && rest_is_good && id.len() <= 64 && !id.ends_with('.') && !is_taken {
            Ok(Self(id.to_owned()))
        } else {
            Err(NameError::SessionId(id.to_owned()))
        }
    }

    /// Accepts the id of another program's session as long as it stays a plain name.
    pub fn foreign(id: &str) -> Result<Self, NameError> {
        if is_plain(id) && !id.starts_with('.') && !is_broadcast(id) {
            Ok(Self(id.to_owned()))
        } else {
            Err(NameError::Unsafe(id.to_owned()))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for a name that Windows keeps for a device, whatever follows after a dot.
fn is_windows_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let is_port = |port: &str| stem.strip_prefix(port).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || is_port("com") || is_port("lpt")
}

/// True for the recipient that means every session, in letters of either case.
pub fn is_broadcast(id: &str) -> bool {
    id.eq_ignore_ascii_case(BROADCAST)
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SessionId {
    type Error = NameError;

    fn try_from(id: String) -> Result<Self, NameError> {
        Self::foreign(&id)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

/// What kind of thing a claim is about: `file`, `directory`, or any other word that a team agrees on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct ResourceType(String);

/// The type of what programs listen on.
pub(super) const PORT: &str = "port";

impl ResourceType {
    /// Accepts what this program itself would write: `[a-z][a-z0-9_]*`, at most 40 characters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let first_is_good = name.starts_with(|c: char| c.is_ascii_lowercase());
        let rest_is_good = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if first_is_good && rest_is_good && name.len() <= 40 {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError::ResourceType(name.to_owned()))
        }
    }

    /// Accepts another program's type as long as it stays a plain name.
    pub fn foreign(name: &str) -> Result<Self, NameError> {
        if is_plain(name) && !name.starts_with('.') {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError::Unsafe(name.to_owned()))
        }
    }

    /// The type of files.
    pub fn file() -> Self {
        Self("file".to_owned())
    }

    /// The type of directories.
    pub fn directory() -> Self {
        Self("directory".to_owned())
    }

    /// The type of what has a name and nothing else.
    pub fn resource() -> Self {
        Self("resource".to_owned())
    }

    /// The type of what programs listen on.
    pub fn port() -> Self {
        Self(PORT.to_owned())
    }

    /// Stands for a type that cannot be told from a file's name.
    pub(super) fn unknown() -> Self {
        Self("unknown".to_owned())
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ResourceType> for String {
    fn from(name: ResourceType) -> Self {
        name.0
    }
}
