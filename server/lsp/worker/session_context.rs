//! What a worker works with: where its directory is, and the session there.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::housekeeping::Housekeeper;
use super::journal_access::JournalAccess;
use super::journal_keeper::{JournalKeeper, News};
use super::waiting::Waiting;
use crate::event::{DirectoryId, Event};
use crate::event_loop::Events;
use crate::job::Profile;
use crate::job::{Job, JobResult, Refusal};
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{DirectoryWatch, Error, Registry, Watch, Watching};
use deconflict_words::failure;
use deconflict_workspace::{Branches, Exclusions, Ignored, Kind, Location, Namer};

/// Another process kept the directory locked for too long.
pub(super) const BUSY: &str = "busy";

/// What tells that a file was written: when, and how long it is now.
pub(super) type FileStamp = (SystemTime, u64);

/// One session at one coordination directory.
pub(super) struct SessionContext {
    pub(super) id: DirectoryId,
    pub(super) location: Location,
    pub(super) namer: Namer,
    pub(super) ignored: Ignored,
    pub(super) branches: Branches,
    pub(super) exclusions: Exclusions,
    pub(super) profile: Profile,
    /// An edit or a command may make the directory.
    pub(super) may_make: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) membership: Option<Membership>,
    /// The id under which the session was registered last.
    pub(super) last_session: Option<SessionId>,
    pub(super) is_refused: bool,
    /// The user was told that claims are only advice.
    pub(super) is_advice_told: bool,
    /// The stamps of unsaved documents' files when they were last checked.
    pub(super) files: HashMap<PathBuf, Option<FileStamp>>,
    /// The stamps of files whose encoding is not known here, when they were last compared with what is edited.
    pub(super) stamps: HashMap<PathBuf, FileStamp>,
    /// Waits until the directory appears, as long as it is missing.
    pub(super) appearance: Option<DirectoryWatch>,
    /// Tells other editors that this one waits for it.
    pub(super) waiting: Option<Waiting>,
    /// What the editor wants that others than the editor need to know too.
    pub(super) shared_settings: Map<String, Value>,
    /// Files that the user has looked at.
    pub(super) seen: BTreeSet<Resource>,
    /// The worker's own queue.
    pub(super) jobs: Sender<Job>,
    events: Events,
}

/// The session at the directory, as long as there is one.
pub(super) struct Membership {
    pub(super) registry: Registry,
    pub(super) session: SessionId,
    /// False where the directory can only be read.
    pub(super) is_writable: bool,
    pub(super) housekeeper: Option<Housekeeper>,
    pub(super) journal: Option<JournalKeeper>,
    /// The journal, as far as the session takes part.
    pub(super) access: Option<JournalAccess>,
    /// Dropping it ends the watching.
    pub(super) watch: Option<Watch>,
    /// Of what the machine has once.
    pub(super) machine: Option<Box<dyn Watching>>,
}

impl SessionContext {
    pub(super) fn new(
        id: DirectoryId,
        location: Location,
        profile: Profile,
        may_make: bool,
        clock: Arc<dyn Clock>,
        jobs: Sender<Job>,
        events: Events,
    ) -> Self {
        Self {
            id,
            namer: Namer::new(&location),
            location,
            ignored: Ignored::new(),
            branches: Branches::new(),
            exclusions: Exclusions::default(),
            profile,
            may_make,
            clock,
            membership: None,
            last_session: None,
            is_refused: false,
            is_advice_told: false,
            files: HashMap::new(),
            stamps: HashMap::new(),
            appearance: None,
            waiting: None,
            shared_settings: Map::new(),
            seen: BTreeSet::new(),
            jobs,
            events,
        }
    }

    /// Tells the loop.
    pub(super) fn report(&self, done: JobResult) {
        self.events.send(Event::JobResult(self.id, Box::new(done)));
    }

    /// The same from another thread.
    pub(super) fn reporter(&self) -> impl Fn(JobResult) + Send + 'static {
        let (id, events) = (self.id, self.events.clone());
        move |done| events.send(Event::JobResult(id, Box::new(done)))
    }

    /// Tells whoever keeps the journal, if anybody does.
    pub(super) fn tell_journal(&self, news: News) {
        if let Some(keeper) = self.membership.as_ref().and_then(|membership| membership.journal.as_ref()) {
            keeper.tell(news);
        }
    }

    /// The user looks at a file, or begins to edit it. What stands there is kept at once, before anything is saved; or as
    /// soon as there is a journal.
    pub(super) fn seen(&mut self, resource: &Resource) {
        let is_new = self.seen.insert(resource.clone());
        let Some(membership) = &self.membership else { return };
        if let Some(access) = membership.access.as_ref().filter(|_| is_new) {
            access.succeeded(access.recorder().look(resource, self.clock.now()));
        }
        self.tell_journal(News::Seen(resource.clone()));
    }

    /// Keeps what stands at a path, or what anybody holds below it.
    pub(super) fn keep(&self, path: &Path) {
        let Some(access) = self.membership.as_ref().and_then(|membership| membership.access.as_ref()) else { return };
        let files = match self.namer.resource(path, Kind::at(path)) {
            Ok(resource) if resource.is_directory() => access.held_below(path),
            Ok(resource) => vec![resource],
            Err(_) => Vec::new(),
        };
        for resource in files {
            access.succeeded(access.recorder().look(&resource, self.clock.now()));
            self.tell_journal(News::Seen(resource));
        }
    }

    /// What gives the loop the changes in the directory.
    pub(super) fn deliver_changes(&self) -> impl Fn(Vec<deconflict_registry::Change>) + Send + Sync + 'static {
        let (id, events) = (self.id, self.events.clone());
        move |changes| events.send(Event::Changed(id, changes))
    }

    /// The coordination directory.
    pub(super) fn directory(&self) -> &Path {
        &self.location.directory
    }
}

/// Says why the registry could not do something.
pub(super) fn refused(error: &Error) -> Refusal {
    match error {
        Error::Missing { .. } => Refusal::NotThere,
        Error::ReadOnly { .. } => Refusal::Failed("read-only", failure(error)),
        Error::UnknownSession { id } | Error::EndedSession { id } => {
            Refusal::UnknownSession(id.to_string(), Vec::new())
        }
        Error::Busy { .. } => Refusal::Failed(BUSY, failure(error)),
        Error::Name(_) => Refusal::Failed("invalid-name", failure(error)),
        Error::TooLarge { .. } => Refusal::Failed("too-large", failure(error)),
        _ => Refusal::Failed("failed", failure(error)),
    }
}
