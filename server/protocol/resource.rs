//! What can be claimed, and what covers what.

use std::fmt;

use serde::Serialize;

use super::{NameError, ResourceType, text};

/// A thing that one session at a time may hold.
///
/// The name of a file or a directory is its path relative to the coordination directory's parent, with `/`;
/// in a linked worktree `//{worktree}/{path}`, and where several repositories share a directory
/// `//{main worktree}//{worktree}/{path}` (protocol page, "What a resource is called").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Resource {
    resource_type: ResourceType,
    #[serde(rename = "resource_name")]
    name: String,
}

/// The longest name that is accepted, in bytes.
const LONGEST_NAME: usize = 8192;

/// A name is shown with at most so many characters.
const LONGEST_SHOWN: usize = 200;

/// The name of the directory that holds everything: the coordination directory's parent.
pub(super) const ROOT: &str = ".";

impl Resource {
    /// Makes a resource of any type.
    pub fn new(resource_type: ResourceType, name: &str) -> Result<Self, NameError> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(NameError::Resource(name.to_owned()));
        }
        Ok(Self { resource_type, name: name.to_owned() })
    }

    /// Makes a file.
    pub fn file(name: &str) -> Result<Self, NameError> {
        Self::new(ResourceType::file(), name)
    }

    /// Makes a directory. The coordination directory's parent itself is called `.`.
    pub fn directory(name: &str) -> Result<Self, NameError> {
        Self::new(ResourceType::directory(), name)
    }

    /// What kind of thing it is.
    pub fn resource_type(&self) -> &ResourceType {
        &self.resource_type
    }

    /// What it is called, as records spell it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True for a file.
    pub fn is_file(&self) -> bool {
        self.resource_type.as_str() == "file"
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.resource_type.as_str() == "directory"
    }

    /// Reads `{type}/{name}`, as messages and menus spell a resource.
    pub fn parse(text: &str) -> Option<Self> {
        let (resource_type, name) = text.split_once('/')?;
        Self::new(ResourceType::foreign(resource_type).ok()?, name).ok()
    }

    /// The same spelling, which [`Resource::parse`] reads.
    pub fn spelled(&self) -> String {
        format!("{}/{}", self.resource_type, self.name)
    }

    /// What people see: the name, for a file or directory in a linked worktree `src/a.rs (worktree feature-x)`.
    pub fn display_name(&self) -> String {
        match self.place() {
            Some((kind, name)) => {
                let path = if self.relative().is_empty() { ROOT } else { self.relative() };
                format!("{path} ({kind} {name})")
            }
            None => self.name.clone(),
        }
    }

    /// What a sentence calls it, quoted: `"src/a.rs"`, `the directory "src"`, `"task deploy"`.
    pub fn in_a_sentence(&self) -> String {
        let name = self.display_name();
        match self.resource_type.as_str() {
            "file" => text::quoted(&name, LONGEST_SHOWN),
            "directory" => format!("the directory {}", text::quoted(&name, LONGEST_SHOWN)),
            other => text::quoted(&format!("{other} {name}"), LONGEST_SHOWN),
        }
    }

    /// Git's name of the linked worktree that a file or directory is in.
    pub fn worktree(&self) -> Option<&str> {
        let root = self.root();
        (!root.is_empty()).then(|| root.rsplit('/').next().unwrap_or(root))
    }

    /// The clone of the team that a file or directory is in, as people call it: `berlin:project`. It stands among the
    /// worktrees, under a name that git gives none: it has colons.
    pub fn clone_of_team(&self) -> Option<&str> {
        let (called, _) = self.worktree()?.rsplit_once(':')?;
        called.contains(':').then_some(called)
    }

    /// What kind of place a file or directory is in, and what it is called; `None` for the main worktree.
    pub fn place(&self) -> Option<(&'static str, &str)> {
        match self.clone_of_team() {
            Some(clone) => Some(("clone", clone)),
            None => self.worktree().map(|worktree| ("worktree", worktree)),
        }
    }

    /// A file or directory of this kind in a worktree, or in a clone of the team.
    pub fn in_worktree(&self, worktree: &str, relative: &str) -> Result<Self, NameError> {
        self.renamed(format!("//{worktree}/{relative}").trim_end_matches('/'))
    }

    /// The path below the worktree's root, or below the coordination directory's parent. Empty for a worktree's root.
    pub fn relative(&self) -> &str {
        self.name[self.root().len()..].trim_start_matches('/')
    }

    /// The same path in whichever worktree, where a merge may conflict; `None` for neither file nor directory.
    pub fn path_in_any_worktree(&self) -> Option<&str> {
        (self.is_file() || self.is_directory()).then(|| self.relative())
    }

    /// The same path in the repository's main worktree; `None` for what is neither a file nor a directory.
    pub fn path_in_main_worktree(&self) -> Option<String> {
        self.path_in_any_worktree().map(|relative| match self.root()[self.root().len().min(2)..].split_once("//") {
            Some((main_worktree, _)) => format!("{main_worktree}/{relative}"),
            None => relative.to_owned(),
        })
    }

    /// The directories that cover this file or directory, nearest first. Other types have none.
    pub fn covering_directories(&self) -> Vec<Resource> {
        if !self.is_file() && !self.is_directory() {
            return Vec::new();
        }
        let root = self.root();
        let mut covering = Vec::new();
        let mut end = self.name.len();
        while let Some(slash) = self.name[..end].rfind('/').filter(|slash| *slash > root.len()) {
            covering.push(directory_named(&self.name[..slash]));
            end = slash;
        }
        let outermost = if root.is_empty() { ROOT } else { root };
        if self.name != outermost {
            covering.push(directory_named(outermost));
        }
        covering
    }

    /// True if this is a directory that contains the other, at any depth.
    pub fn covers(&self, other: &Resource) -> bool {
        if !self.is_directory() || !(other.is_file() || other.is_directory()) || self.root() != other.root() {
            return false;
        }
        let (above, below) = (self.relative(), other.relative());
        if above.is_empty() || above == ROOT {
            return !below.is_empty() && below != ROOT;
        }
        below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
    }

    /// True if holding one excludes holding the other: the same resource, or one covers the other.
    pub fn overlaps(&self, other: &Resource) -> bool {
        self == other || self.covers(other) || other.covers(self)
    }

    /// The same type under another name; used when a file moves.
    pub fn renamed(&self, name: &str) -> Result<Self, NameError> {
        Self::new(self.resource_type.clone(), name)
    }

    /// A resource that stands somewhere under this name, whatever it is.
    pub(super) fn as_named(resource_type: ResourceType, name: &str) -> Self {
        Self { resource_type, name: name.to_owned() }
    }

    /// The worktree prefix (`//{worktree}` or `//{main worktree}//{worktree}`), or nothing.
    fn root(&self) -> &str {
        if !self.is_file() && !self.is_directory() {
            return "";
        }
        let Some(rest) = self.name.strip_prefix("//") else { return "" };
        let worktree_start = rest.find("//").map_or(2, |inner| 2 + inner + 2);
        let worktree_length = self.name[worktree_start..].find('/').unwrap_or(self.name.len() - worktree_start);
        &self.name[..worktree_start + worktree_length]
    }
}

fn directory_named(name: &str) -> Resource {
    Resource { resource_type: ResourceType::directory(), name: name.to_owned() }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource_type, self.display_name())
    }
}
