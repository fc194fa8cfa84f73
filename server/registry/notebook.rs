//! What a session remembers whose program runs anew for each event, such as a coding agent's hook.
//!
//! A notebook is a log in `.notebooks/`, one for each session, that notes are added to under the lock. It says nothing
//! that others go by: claims, sessions and messages have records of their own. What it remembers of a file is an opaque
//! text to the registry.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::directory::{Directory, Durability, Folder};
use super::{Error, Registry};
use deconflict_protocol::{Resource, ResourceType, SessionId};

/// A notebook that grew beyond this is written anew with what still counts, in bytes.
const LONGEST: u64 = 128 * 1024;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// An edit claimed this for the session.
    Claimed {
        /// What was claimed.
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The session need not care for its claim of this any more.
    Released {
        /// What was released.
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The session knows a file as it was then.
    Seen {
        /// The file.
        #[serde(with = "spelled")]
        resource: Resource,
        /// Tells the file's state from later ones.
        state: String,
    },
    /// The session changed a file, and has not told the others yet.
    Touched {
        /// The file.
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The others were told of all that was touched.
    Told {
        /// When.
        at: DateTime<Utc>,
    },
    /// All leases were renewed.
    Renewed {
        /// When.
        at: DateTime<Utc>,
    },
    /// A turn ended, and with it the long leases.
    TurnEnded,
    /// A command began that may change files by itself.
    CommandBegan {
        /// When.
        at: DateTime<Utc>,
    },
    /// A sub-agent took part under an id of its own.
    Helper {
        /// Its session.
        session: SessionId,
    },
    /// A sub-agent is done.
    HelperEnded {
        /// Its session.
        session: SessionId,
    },
    /// A sub-agent was started whose session is not known yet.
    HelperExpected(ExpectedHelper),
    /// It is expected no more.
    HelperNotExpected {
        /// The agent's own id of it; without one, the one that was expected first.
        id: Option<String>,
    },
    /// The session is a sub-agent of another one.
    PartOf {
        /// The session that started it.
        session: SessionId,
        /// What kind of sub-agent it is.
        kind: Option<String>,
    },
    /// The session is nobody's sub-agent.
    OnItsOwn,
    /// The session takes part in another directory too.
    Elsewhere {
        /// The folder that holds that directory.
        folder: String,
    },
}

/// A sub-agent that was started, and whose session is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedHelper {
    /// The agent's own id of it.
    pub id: String,
    /// What kind it is.
    pub kind: Option<String>,
    /// False while a tool was only asked to start it.
    pub has_begun: bool,
}

/// A session's notebook as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notebook {
    /// What edits claimed for the session, in the order in which they did.
    pub claimed: Vec<Resource>,
    /// The files that the session knows, and how they were when it last looked.
    pub seen: HashMap<Resource, String>,
    /// What was touched and not told yet.
    pub touched: Vec<Resource>,
    /// When the others were last told.
    pub told_at: Option<DateTime<Utc>>,
    /// When all leases were last renewed; `None` after the end of a turn.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When the newest command began.
    pub command_began_at: Option<DateTime<Utc>>,
    /// The sessions of sub-agents that are at work.
    pub helpers: Vec<SessionId>,
    /// Sub-agents that were started in this turn, and whose sessions are not known to be theirs.
    pub expected: Vec<ExpectedHelper>,
    /// The session that this one is a sub-agent of, and what kind it is.
    pub part_of: Option<(SessionId, Option<String>)>,
    /// The folders that hold other directories in which the session takes part.
    pub elsewhere: Vec<String>,
}

impl Registry {
    /// Reads a session's notebook. One that is missing or cannot be read is empty.
    pub fn notebook(&self, session: &SessionId) -> Result<Notebook, Error> {
        read(&self.directory()?, session)
    }

    /// Adds to a session's notebook.
    pub fn note(&self, session: &SessionId, notes: &[Note]) -> Result<(), Error> {
        if notes.is_empty() {
            return Ok(());
        }
        let directory = self.directory()?;
        let _lock = self.lock(&directory)?;
        let name = session.as_str();
        let size = directory.stamp(&Folder::Notebooks, name)?.map_or(0, |stamp| stamp.size());
        // The first line break ends a line that a crash may have cut.
        let text = notes.iter().fold(String::from("\n"), |text, note| text + &line(note));
        if size + text.len() as u64 <= LONGEST {
            return directory.append(&Folder::Notebooks, name, text.as_bytes());
        }
        let mut notebook = read(&directory, session)?;
        for note in notes {
            notebook.add(note.clone());
        }
        directory.replace_file(&Folder::Notebooks, name, notebook.in_short().as_bytes(), Durability::Process)
    }

    /// Removes a session's notebook.
    pub fn forget_notes(&self, session: &SessionId) -> Result<(), Error> {
        let directory = self.directory()?;
        let _lock = self.lock(&directory)?;
        directory.remove_file(&Folder::Notebooks, session.as_str()).map(drop)
    }
}

impl Notebook {
    /// True if an edit claimed this for the session.
    pub fn has_claimed(&self, resource: &Resource) -> bool {
        self.claimed.contains(resource)
    }

    fn add(&mut self, note: Note) {
        match note {
            Note::Claimed { resource } => add_once(&mut self.claimed, resource),
            Note::Released { resource } => self.claimed.retain(|claimed| *claimed != resource),
            Note::Seen { resource, state } => {
                self.seen.insert(resource, state);
            }
            Note::Touched { resource } => add_once(&mut self.touched, resource),
            Note::Told { at } => {
                self.touched.clear();
                self.told_at = Some(at);
            }
            Note::Renewed { at } => self.renewed_at = Some(at),
            Note::TurnEnded => {
                self.renewed_at = None;
                self.expected.clear();
            }
            Note::CommandBegan { at } => self.command_began_at = Some(at),
            Note::Helper { session } => add_once(&mut self.helpers, session),
            Note::HelperEnded { session } => self.helpers.retain(|helper| *helper != session),
            Note::HelperExpected(helper) => match self.expected.iter_mut().find(|known| known.id == helper.id) {
                Some(known) => known.has_begun |= helper.has_begun,
                None => self.expected.push(helper),
            },
            Note::HelperNotExpected { id: Some(id) } => self.expected.retain(|helper| helper.id != id),
            Note::HelperNotExpected { id: None } => drop(self.expected.drain(..self.expected.len().min(1))),
            Note::PartOf { session, kind } => self.part_of = Some((session, kind)),
            Note::OnItsOwn => self.part_of = None,
            Note::Elsewhere { folder } => add_once(&mut self.elsewhere, folder),
        }
    }

    /// The fewest lines that mean the same. Of the files that are only known, those that would not fit are forgotten.
    fn in_short(self) -> String {
        let mut notes: Vec<Note> = Vec::new();
        notes.extend(self.told_at.map(|at| Note::Told { at }));
        notes.extend(self.renewed_at.map(|at| Note::Renewed { at }));
        notes.extend(self.command_began_at.map(|at| Note::CommandBegan { at }));
        notes.extend(self.helpers.into_iter().map(|session| Note::Helper { session }));
        notes.extend(self.expected.into_iter().map(Note::HelperExpected));
        notes.extend(self.elsewhere.into_iter().map(|folder| Note::Elsewhere { folder }));
        notes.extend(self.part_of.map(|(session, kind)| Note::PartOf { session, kind }));
        notes.extend(self.claimed.into_iter().map(|resource| Note::Claimed { resource }));
        notes.extend(self.touched.into_iter().map(|resource| Note::Touched { resource }));
        let mut text: String = notes.iter().map(line).collect();
        for (resource, state) in self.seen {
            let line = line(&Note::Seen { resource, state });
            // Half of the room, so that it is not soon written anew again.
            if text.len() + line.len() <= usize::try_from(LONGEST / 2).unwrap_or(usize::MAX) {
                text.push_str(&line);
            }
        }
        text
    }
}

fn read(directory: &Directory, session: &SessionId) -> Result<Notebook, Error> {
    let stored = match directory.read(&Folder::Notebooks, session.as_str()) {
        Ok(Some(stored)) => stored,
        Ok(None) | Err(Error::Unsafe { .. }) => return Ok(Notebook::default()),
        Err(error) => return Err(error),
    };
    let mut notebook = Notebook::default();
    for line in stored.bytes.split(|byte| *byte == b'\n') {
        // A line that was cut by a crash means nothing.
        if let Ok(note) = serde_json::from_slice(line) {
            notebook.add(note);
        }
    }
    Ok(notebook)
}

fn line(note: &Note) -> String {
    // A note is made of texts alone, which can always be written.
    serde_json::to_string(note).unwrap_or_default() + "\n"
}

fn add_once<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

/// A resource as `{type}/{name}`.
mod spelled {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Resource, ResourceType};

    pub(super) fn serialize<S: Serializer>(resource: &Resource, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/{}", resource.resource_type(), resource.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Resource, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (kind, name) = text.split_once('/').ok_or_else(|| D::Error::custom("it has no type"))?;
        let kind = ResourceType::foreign(kind).map_err(D::Error::custom)?;
        Resource::new(kind, name).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Resource {
        Resource::file(name).unwrap()
    }

    fn registry(folder: &tempfile::TempDir) -> Registry {
        Registry::create(folder.path(), std::sync::Arc::new(deconflict_platform::clock::SystemClock::new())).unwrap()
    }

    #[test]
    fn what_was_noted_is_known_again_and_a_cut_line_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = registry(&folder);
        let session = SessionId::new("a").unwrap();
        assert_eq!(registry.notebook(&session).unwrap(), Notebook::default());
        registry.note(&session, &[Note::Claimed { resource: file("a/b.rs") }]).unwrap();
        let log = folder.path().join(".notebooks/a");
        let mut text = std::fs::read(&log).unwrap();
        text.extend_from_slice(b"{\"note\":\"clai");
        std::fs::write(&log, text).unwrap();
        let seen = Note::Seen { resource: file("c"), state: "1".to_owned() };
        registry.note(&session, &[seen, Note::Touched { resource: file("c") }]).unwrap();
        let notebook = registry.notebook(&session).unwrap();
        assert!(notebook.has_claimed(&file("a/b.rs")) && notebook.touched == [file("c")]);
        assert_eq!(notebook.seen[&file("c")], "1");
        registry.forget_notes(&session).unwrap();
        assert_eq!(registry.notebook(&session).unwrap(), Notebook::default());
    }

    #[test]
    fn a_long_notebook_is_written_anew_without_losing_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let registry = registry(&folder);
        let session = SessionId::new("a").unwrap();
        registry.note(&session, &[Note::Claimed { resource: file("held") }]).unwrap();
        for number in 0..300 {
            let notes: Vec<Note> = (0..20)
                .map(|file_number| Note::Seen { resource: file(&format!("{number}-{file_number}")), state: "1".into() })
                .collect();
            registry.note(&session, &notes).unwrap();
        }
        assert!(std::fs::metadata(folder.path().join(".notebooks/a")).unwrap().len() <= LONGEST);
        assert!(registry.notebook(&session).unwrap().has_claimed(&file("held")));
    }
}
