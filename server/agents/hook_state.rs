//! What an agent's hook remembers from one event to the next, since its program runs anew for each.
//!
//! It is a log of notes, one for each session, in the user's own folder of the clone, and says nothing that others go
//! by: claims, sessions and messages have records of their own. Nobody's lock is needed for it but the file's own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::ExpectedSubAgent;
use deconflict_journal::Journal;
use deconflict_protocol::text::hex;
use deconflict_protocol::{Resource, ResourceType, SessionId};
use deconflict_registry::Registry;
use deconflict_workspace::{Lock, PrivateFolder};

/// The purpose of the folder of these logs.
const HOOKS: &str = "hooks";

/// A log is written anew with what still counts whenever it has grown by so many bytes: each event reads all of it.
const GROWTH: u64 = 16 << 10;

/// What still counts is no longer than this, in bytes.
const LONGEST: u64 = 128 << 10;

/// What is younger is kept, whether its session has a record yet or not.
const YOUNG: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub(super) enum Note {
    /// An edit claimed this for the session.
    Claimed {
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The session need not care for its claim of this any more.
    Released {
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The session knows a file as it was then.
    Seen {
        #[serde(with = "spelled")]
        resource: Resource,
        state: String,
    },
    /// The session was told that others changed a file that it had changed, and how it stood then.
    Corrected {
        #[serde(with = "spelled")]
        resource: Resource,
        state: String,
    },
    /// A turn began, and the session could not be told yet which of its files others changed meanwhile.
    CorrectionsOwed,
    CorrectionsTold,
    /// The session changed a file, and has not told the others yet.
    Touched {
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The others were told of all that was touched.
    Told {
        at: DateTime<Utc>,
    },
    Renewed {
        at: DateTime<Utc>,
    },
    /// A turn ended, and with it the long leases.
    TurnEnded,
    /// An edit of this began.
    EditBegan {
        #[serde(with = "spelled")]
        resource: Resource,
        at: DateTime<Utc>,
    },
    /// A command began that may change files by itself.
    CommandBegan(Run),
    /// The command that began then has ended.
    CommandEnded {
        at: DateTime<Utc>,
    },
    /// A command staged a file by its own name that has others' uncommitted changes, which were told.
    StagedByName {
        #[serde(with = "spelled")]
        resource: Resource,
    },
    /// The session was told by which `deconflict run` a command gets what it needs.
    RunAdvised {
        /// What it needs, as `deconflict.toml` calls it.
        name: String,
    },
    /// The log of where `HEAD` was moved was so long when the session last looked.
    HeadLog {
        length: u64,
        at: DateTime<Utc>,
    },
    /// A sub-agent took part under an id of its own.
    #[serde(alias = "helper")]
    SubAgent {
        session: SessionId,
    },
    #[serde(alias = "helper_ended")]
    SubAgentEnded {
        session: SessionId,
    },
    /// A sub-agent was started whose session is not known yet.
    #[serde(alias = "helper_expected")]
    SubAgentExpected(ExpectedSubAgent),
    #[serde(alias = "helper_not_expected")]
    SubAgentNotExpected {
        /// The agent's own id of it; without one, the one that was expected first.
        id: Option<String>,
    },
    /// The session is a sub-agent of another one.
    PartOf {
        session: SessionId,
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

/// A command that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) at: DateTime<Utc>,
    /// Tells which command line it is.
    #[serde(default)]
    pub(super) digest: String,
    /// What it is called in the journal.
    #[serde(default)]
    pub(super) words: Option<String>,
    /// What git's watcher calls the moment at which it began, where that is asked what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moment: Option<String>,
}

impl Run {
    /// Tells a command line from others.
    pub(super) fn digest_of(line: &str) -> String {
        hex(&Sha256::digest(line)[..6])
    }

    /// What the journal calls this run of it.
    pub(super) fn id(&self) -> String {
        self.at.timestamp_micros().to_string()
    }
}

/// What a session's hook remembers, as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HookState {
    /// What edits claimed for the session, in the order in which they did.
    pub(super) claimed: Vec<Resource>,
    /// The files that the session knows, and how they were when it last looked.
    pub(super) seen: HashMap<Resource, String>,
    /// How files stood of which the session was told that others had changed them.
    pub(super) corrected: HashMap<Resource, String>,
    /// True from the beginning of a turn until the session is told which of its files others changed meanwhile.
    pub(super) owes_corrections: bool,
    pub(super) touched: Vec<Resource>,
    pub(super) told_at: Option<DateTime<Utc>>,
    /// When all leases were last renewed; `None` after the end of a turn.
    pub(super) renewed_at: Option<DateTime<Utc>>,
    /// True from the first claim of a turn to its end.
    pub(super) is_turn_open: bool,
    /// When the edits began of which nobody has told the end.
    pub(super) edits: HashMap<Resource, DateTime<Utc>>,
    /// The commands of this turn of which nobody has told the end, the newest last.
    pub(super) runs: Vec<Run>,
    /// Files with others' uncommitted changes that commands of this turn staged by their own names.
    pub(super) staged_by_name: Vec<Resource>,
    /// What the session was told to get by `deconflict run`.
    pub(super) run_advised: Vec<String>,
    /// How long the log of where `HEAD` was moved was when the session last looked, and when that was.
    pub(super) head_log: Option<(u64, DateTime<Utc>)>,
    pub(super) sub_agents: Vec<SessionId>,
    /// Sub-agents that were started in this turn, and whose sessions are not known to be theirs.
    pub(super) expected: Vec<ExpectedSubAgent>,
    /// The session that this one is a sub-agent of, and what kind it is.
    pub(super) part_of: Option<(SessionId, Option<String>)>,
    /// The folders that hold other directories in which the session takes part.
    pub(super) elsewhere: Vec<String>,
}

/// Where the hooks of this user remember what they do in one coordination directory.
#[derive(Debug, Clone)]
pub(super) struct HookStates {
    folder: Option<PrivateFolder>,
    /// What was read at this event. What another hook of the session adds meanwhile is known at the next one.
    known: RefCell<HashMap<SessionId, Rc<HookState>>>,
}

impl HookStates {
    fn of(directory: &Path, state_folder: Option<&Path>) -> Self {
        Self { folder: PrivateFolder::of(directory, HOOKS, state_folder), known: RefCell::default() }
    }

    /// The same for the directory that a journal belongs to.
    pub(super) fn beside(journal: Option<&Journal>) -> Self {
        Self { folder: journal.map(|journal| journal.beside(HOOKS)), known: RefCell::default() }
    }

    /// What a session's hook remembers. What is missing or cannot be read is empty.
    pub(super) fn read(&self, registry: &Registry, session: &SessionId) -> Rc<HookState> {
        if let Some(known) = self.known.borrow().get(session) {
            return Rc::clone(known);
        }
        let stored = self.folder.as_ref().and_then(|folder| folder.read(session.as_str(), 2 * LONGEST).ok().flatten());
        // Earlier versions kept it in the coordination directory.
        let stored = stored.or_else(|| registry.earlier_hook_state(session).ok().flatten());
        let state = Rc::new(HookState::parse(&stored.unwrap_or_default()));
        self.known.borrow_mut().insert(session.clone(), Rc::clone(&state));
        state
    }

    pub(super) fn note(&self, registry: &Registry, session: &SessionId, notes: &[Note]) -> io::Result<()> {
        let Some(folder) = self.folder.as_ref().filter(|_| !notes.is_empty()) else { return Ok(()) };
        let name = session.as_str();
        let earlier = registry.earlier_hook_state(session).ok().flatten();
        // The first line break ends a line that a crash may have cut.
        let mut text = notes.iter().fold(String::from("\n"), |text, note| text + &line(note)).into_bytes();
        if let Some(mut earlier) = earlier.clone().filter(|_| !folder.contains(name)) {
            earlier.append(&mut text);
            text = earlier;
        }
        let file = folder.lock(name, Lock::Exclusive, Duration::MAX)?;
        if file.passes(GROWTH, text.len())? {
            let (_, mut whole) = file.read_end(2 * LONGEST)?;
            whole.append(&mut text);
            file.replace(HookState::parse(&whole).in_short().as_bytes())?;
        } else {
            file.append(&text)?;
        }
        if let Some(known) = self.known.borrow_mut().get_mut(session) {
            let known = Rc::make_mut(known);
            notes.iter().cloned().for_each(|note| known.add(note));
        }
        if earlier.is_some() {
            // Whoever cannot remove it reads it no more all the same.
            let _ = registry.remove_earlier_hook_state(session);
        }
        Ok(())
    }

    pub(super) fn forget(&self, registry: &Registry, session: &SessionId) -> io::Result<()> {
        let _ = registry.remove_earlier_hook_state(session);
        self.known.borrow_mut().remove(session);
        self.folder.as_ref().map_or(Ok(()), |folder| folder.remove(session.as_str()))
    }

    /// Forgets what the hooks of sessions remembered that have no record any more.
    pub(super) fn clean_up(&self, registry: &Registry) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for name in folder.older_than(SystemTime::now().checked_sub(YOUNG).unwrap_or(SystemTime::UNIX_EPOCH))? {
            if !SessionId::foreign(&name).is_ok_and(|session| !matches!(registry.session(&session), Ok(None))) {
                folder.remove(&name)?;
            }
        }
        Ok(())
    }
}

/// The files with others' uncommitted changes that a session's commands staged by their own names in this turn, which
/// only its hook saw: git does not say how something was staged.
pub fn staged_by_name(registry: &Registry, state_folder: Option<&Path>, session: &SessionId) -> Vec<Resource> {
    HookStates::of(registry.path(), state_folder).read(registry, session).staged_by_name.clone()
}

impl HookState {
    fn parse(log: &[u8]) -> Self {
        let mut state = Self::default();
        // A line that was cut by a crash means nothing.
        for note in log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()) {
            state.add(note);
        }
        state
    }

    /// The run of a command line that ends now: the newest of that line, or the newest at all where the line is not told
    /// again.
    pub(super) fn ending(&self, line: &str) -> Option<&Run> {
        let digest = Run::digest_of(line);
        let same = self.runs.iter().rev().find(|run| run.digest == digest);
        same.or_else(|| self.runs.last().filter(|_| line.is_empty()))
    }

    pub(super) fn has_claimed(&self, resource: &Resource) -> bool {
        self.claimed.contains(resource)
    }

    fn add(&mut self, note: Note) {
        match note {
            Note::Claimed { resource } => {
                self.is_turn_open = true;
                add_once(&mut self.claimed, resource);
            }
            Note::Released { resource } => self.claimed.retain(|claimed| *claimed != resource),
            Note::Seen { resource, state } => {
                self.corrected.remove(&resource);
                self.seen.insert(resource, state);
            }
            Note::Corrected { resource, state } => drop(self.corrected.insert(resource, state)),
            Note::CorrectionsOwed => self.owes_corrections = true,
            Note::CorrectionsTold => self.owes_corrections = false,
            Note::Touched { resource } => {
                self.edits.remove(&resource);
                add_once(&mut self.touched, resource);
            }
            Note::Told { at } => {
                self.touched.clear();
                self.told_at = Some(at);
            }
            Note::Renewed { at } => {
                self.is_turn_open = true;
                self.renewed_at = Some(at);
            }
            Note::TurnEnded => {
                self.is_turn_open = false;
                self.renewed_at = None;
                self.expected.clear();
                self.edits.clear();
                self.runs.clear();
                self.staged_by_name.clear();
            }
            Note::EditBegan { resource, at } => drop(self.edits.insert(resource, at)),
            Note::CommandBegan(run) => self.runs.push(run),
            Note::CommandEnded { at } => self.runs.retain(|run| run.at != at),
            Note::HeadLog { length, at } => self.head_log = Some((length, at)),
            Note::StagedByName { resource } => add_once(&mut self.staged_by_name, resource),
            Note::RunAdvised { name } => add_once(&mut self.run_advised, name),
            Note::SubAgent { session } => add_once(&mut self.sub_agents, session),
            Note::SubAgentEnded { session } => self.sub_agents.retain(|sub_agent| *sub_agent != session),
            Note::SubAgentExpected(sub_agent) => {
                match self.expected.iter_mut().find(|known| known.id == sub_agent.id) {
                    Some(known) => known.has_begun |= sub_agent.has_begun,
                    None => self.expected.push(sub_agent),
                }
            }
            Note::SubAgentNotExpected { id: Some(id) } => self.expected.retain(|sub_agent| sub_agent.id != id),
            Note::SubAgentNotExpected { id: None } => drop(self.expected.drain(..self.expected.len().min(1))),
            Note::PartOf { session, kind } => self.part_of = Some((session, kind)),
            Note::OnItsOwn => self.part_of = None,
            Note::Elsewhere { folder } => add_once(&mut self.elsewhere, folder),
        }
    }

    /// The fewest lines that mean the same. Of the files that are only known, those that would not fit are forgotten.
    fn in_short(self) -> String {
        let mut notes: Vec<Note> = self.claimed.into_iter().map(|resource| Note::Claimed { resource }).collect();
        if !self.is_turn_open {
            notes.push(Note::TurnEnded);
        }
        notes.extend(self.told_at.map(|at| Note::Told { at }));
        notes.extend(self.renewed_at.map(|at| Note::Renewed { at }));
        notes.extend(self.edits.into_iter().map(|(resource, at)| Note::EditBegan { resource, at }));
        notes.extend(self.runs.into_iter().map(Note::CommandBegan));
        notes.extend(self.head_log.map(|(length, at)| Note::HeadLog { length, at }));
        notes.extend(self.staged_by_name.into_iter().map(|resource| Note::StagedByName { resource }));
        notes.extend(self.run_advised.into_iter().map(|name| Note::RunAdvised { name }));
        notes.extend(self.sub_agents.into_iter().map(|session| Note::SubAgent { session }));
        notes.extend(self.expected.into_iter().map(Note::SubAgentExpected));
        notes.extend(self.elsewhere.into_iter().map(|folder| Note::Elsewhere { folder }));
        notes.extend(self.part_of.map(|(session, kind)| Note::PartOf { session, kind }));
        notes.extend(self.owes_corrections.then_some(Note::CorrectionsOwed));
        let corrected = self.corrected.into_iter();
        let corrected: Vec<Note> = corrected.map(|(resource, state)| Note::Corrected { resource, state }).collect();
        notes.extend(self.touched.into_iter().map(|resource| Note::Touched { resource }));
        let mut text: String = notes.iter().map(line).collect();
        for (resource, state) in self.seen {
            let line = line(&Note::Seen { resource, state });
            // Half of the length, so that it is not soon written anew again.
            if text.len() + line.len() <= usize::try_from(LONGEST / 2).unwrap_or(usize::MAX) {
                text.push_str(&line);
            }
        }
        // A sighting ends what was told before it, so these come last.
        corrected.iter().fold(text, |text, note| text + &line(note))
    }
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
    use std::fs;
    use std::sync::Arc;

    use deconflict_platform::clock::SystemClock;

    use super::*;

    struct Clone {
        root: tempfile::TempDir,
        registry: Registry,
        states: HookStates,
        session: SessionId,
    }

    fn clone() -> Clone {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("w/COORDINATION");
        let registry = Registry::create(&directory, Arc::new(SystemClock::new())).unwrap();
        let states = HookStates::of(&directory, Some(&root.path().join("state")));
        Clone { root, registry, states, session: SessionId::new("a").unwrap() }
    }

    impl Clone {
        fn note(&self, notes: &[Note]) {
            self.states.note(&self.registry, &self.session, notes).unwrap();
        }

        fn read(&self) -> Rc<HookState> {
            self.states.read(&self.registry, &self.session)
        }
    }

    fn file(name: &str) -> Resource {
        Resource::file(name).unwrap()
    }

    #[test]
    fn what_was_noted_is_known_again_and_a_cut_line_takes_no_other_with_it() {
        let clone = clone();
        assert_eq!(*clone.read(), HookState::default());
        clone.note(&[Note::Claimed { resource: file("a/b.rs") }]);
        let log = clone.states.folder.as_ref().unwrap().path().join("a");
        let mut text = fs::read(&log).unwrap();
        text.extend_from_slice(b"{\"note\":\"clai");
        fs::write(&log, text).unwrap();
        let seen = Note::Seen { resource: file("c"), state: "1".to_owned() };
        clone.note(&[seen, Note::Touched { resource: file("c") }]);
        let state = clone.read();
        assert!(state.has_claimed(&file("a/b.rs")) && state.touched == [file("c")]);
        assert_eq!(state.seen[&file("c")], "1");
        clone.states.forget(&clone.registry, &clone.session).unwrap();
        assert_eq!(*clone.read(), HookState::default());
    }

    #[test]
    fn a_long_log_is_written_anew_without_losing_what_is_held() {
        let clone = clone();
        clone.note(&[Note::Claimed { resource: file("held") }]);
        for number in 0..300 {
            let seen = |other| Note::Seen { resource: file(&format!("{number}-{other}")), state: "1".into() };
            clone.note(&(0..20).map(seen).collect::<Vec<_>>());
        }
        let log = clone.states.folder.as_ref().unwrap().path().join("a");
        assert!(fs::metadata(log).unwrap().len() <= LONGEST);
        assert!(clone.read().has_claimed(&file("held")));
    }

    #[test]
    fn what_an_earlier_version_remembered_is_taken_over_and_removed_there() {
        let clone = clone();
        let earlier = clone.root.path().join("w/COORDINATION/.notebooks");
        fs::create_dir(&earlier).unwrap();
        let log = "{\"note\":\"claimed\",\"resource\":\"file/a.rs\"}\n{\"note\":\"helper\",\"session\":\"b\"}\n";
        fs::write(earlier.join("a"), log).unwrap();
        assert!(clone.read().has_claimed(&file("a.rs")));
        clone.note(&[Note::Claimed { resource: file("b.rs") }]);
        assert!(!earlier.join("a").exists());
        let state = clone.read();
        assert!(state.has_claimed(&file("a.rs")) && state.has_claimed(&file("b.rs")));
        assert_eq!(state.sub_agents, [SessionId::new("b").unwrap()]);
    }
}
