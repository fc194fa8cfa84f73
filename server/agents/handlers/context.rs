//! What one event is answered from: where it happened, and in which session.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::answer::Answer;
use crate::event::{EventKind, HookEvent};
use crate::file_state::state_of;
use crate::hook_state::{HookState, HookStates, Note};
use crate::names::session_id;
use crate::surroundings::Surroundings;
use crate::words;
use deconflict_changes::{Recorder, with_losses};
use deconflict_journal::{Entry, Journal, Watched};
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{DEFAULT_LEASE, NameError, Resource, SessionId, SessionRecord};
use deconflict_registry::{self as registry, Claim, Locking, NewSession, Registry, Session};
use deconflict_workspace::{self as workspace, DiscoveryError, Ignored, Location, Namer, NamingError, Repository};

/// The variable that tells the verbs of a shell whose they are.
const SESSION_VARIABLE: &str = "DECONFLICT_SESSION";

/// Why it could not be told what stands against an edit.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    Naming(#[from] NamingError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("what the hooks remember could not be written: {0}")]
    State(#[from] io::Error),
    #[error("there was no answer in time; another process may be keeping the coordination directory locked")]
    Late,
}

/// What one event is answered from: in a directory with its registry, or, with `()`, where nobody coordinates yet.
pub(super) struct SessionContext<'a, R = Registry> {
    pub(super) event: &'a HookEvent,
    pub(super) surroundings: &'a Surroundings,
    pub(super) location: Location,
    pub(super) namer: Namer,
    /// The session of the agent itself.
    pub(super) main: SessionId,
    /// The session in which the event happened: the agent's own, or a sub-agent's.
    pub(super) own: SessionId,
    /// What kind of sub-agent that is.
    pub(super) kind: Option<String>,
    /// How long a claim lasts that an edit makes or that is renewed.
    pub(super) lease: TimeDelta,
    pub(super) states: HookStates,
    /// What stood in files; `None` where nothing can be kept.
    pub(super) journal: Option<Journal>,
    pub(super) ignored: Ignored,
    /// The first failure that hinders nobody.
    pub(super) failure: RefCell<Option<String>>,
    /// The changes that the answer says took something of the session's work.
    pub(super) told: RefCell<Vec<Entry>>,
    /// True once it was seen at this event that the session lives.
    pub(super) lives: Cell<bool>,
    pub(super) registry: R,
}

impl<'a> SessionContext<'a, ()> {
    pub(super) fn open(event: &'a HookEvent, surroundings: &'a Surroundings) -> Result<Self, Trouble> {
        let folder = existing_folder(&event.folder);
        let location =
            workspace::locate(folder, surroundings.named_directory.as_deref(), surroundings.home.as_deref())?;
        let journal = Journal::of(&location.directory, surroundings.state_folder.as_deref());
        Ok(Self {
            event,
            surroundings,
            namer: Namer::new(&location),
            main: session_id(surroundings.agent, &event.session, None)?,
            own: session_id(surroundings.agent, &event.session, event.sub_agent.as_ref())?,
            kind: event.sub_agent.as_ref().and_then(|sub_agent| sub_agent.kind.clone()),
            lease: DEFAULT_LEASE,
            states: HookStates::beside(journal.as_ref()),
            journal,
            ignored: Ignored::new(),
            failure: RefCell::default(),
            told: RefCell::default(),
            lives: Cell::default(),
            location,
            registry: (),
        })
    }

    /// A directory that came with a clone is none of ours before the user says so; that is told once.
    pub(super) fn not_joined(&self) -> Answer {
        if self.event.kind != EventKind::SessionStarted {
            return Answer::default();
        }
        Answer::notice(format!(
            "Git tracks {}, so it may have come with a clone, and you have not joined it: edits are neither claimed nor \
             checked. To join it: deconflict init --adopt",
            quoted(&self.location.directory.display().to_string(), 300)
        ))
    }

    /// True where the directory was deleted, as `git clean -fdx` does it, and unfinished work was changed: whoever lost some
    /// of that is to be told.
    pub(super) fn was_deleted(&self) -> bool {
        let is_meant = matches!(
            self.event.kind,
            EventKind::Prompted
                | EventKind::BeforeCommand { .. }
                | EventKind::AfterCommand { .. }
                | EventKind::AfterEdit(_)
        );
        let Some(journal) = self.journal.as_ref().filter(|_| is_meant && self.may_make()) else { return false };
        let (namer, ignored, now) = (&self.namer, &self.ignored, self.surroundings.clock.now());
        let recorder = Recorder { journal, namer, ignored, registry: None };
        let has_changed = |watched: &Watched| {
            let look = || recorder.look(&watched.resource, now).is_ok_and(|entry| entry.is_some());
            watched.is_unsettled || (recorder.may_have_changed(watched) && look())
        };
        journal.watched().is_ok_and(|watched| watched.iter().any(has_changed))
    }

    pub(super) fn make(self) -> Result<SessionContext<'a>, Trouble> {
        workspace::make_shared(&self.location);
        let registry = Registry::create(&self.location.directory, Arc::clone(&self.surroundings.clock))?;
        // Git will show the directory as untracked then, which does no harm.
        let _ = workspace::exclude(&self.location);
        let registry = with_losses(registry, self.surroundings.state_folder.as_deref());
        Ok(self.with(registry))
    }
}

impl<'a, R> SessionContext<'a, R> {
    /// The same event where a registry is.
    pub(super) fn with<S>(self, registry: S) -> SessionContext<'a, S> {
        SessionContext {
            event: self.event,
            surroundings: self.surroundings,
            location: self.location,
            namer: self.namer,
            main: self.main,
            own: self.own,
            kind: self.kind,
            lease: self.lease,
            states: self.states,
            journal: self.journal,
            ignored: self.ignored,
            failure: self.failure,
            told: self.told,
            lives: self.lives,
            registry,
        }
    }

    /// The registry of a directory; `None` while nobody coordinates there.
    pub(super) fn registry_at(&self, location: &Location) -> Result<Option<Registry>, Trouble> {
        if !location.exists() {
            return Ok(None);
        }
        match Registry::open(&location.directory, Arc::clone(&self.surroundings.clock)) {
            Ok(registry) => Ok(Some(with_losses(registry, self.surroundings.state_folder.as_deref()))),
            Err(registry::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// True where a claim may make the directory: it was named, or this is a git repository other than the home
    /// directory.
    pub(super) fn may_make(&self) -> bool {
        self.location.named || self.location.may_be_made_unasked()
    }

    /// Lets the verbs in the agent's shell know whose they are.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        if self.location.exists() || self.may_make() {
            vec![(SESSION_VARIABLE, self.own.to_string())]
        } else {
            Vec::new()
        }
    }
}

impl SessionContext<'_> {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.surroundings.clock.now()
    }

    pub(super) fn hook_state(&self, session: &SessionId) -> Rc<HookState> {
        self.states.read(&self.registry, session)
    }

    pub(super) fn note(&self, session: &SessionId, notes: &[Note]) -> Result<(), Trouble> {
        Ok(self.states.note(&self.registry, session, notes)?)
    }

    pub(super) fn sighting(&self, resource: &Resource) -> Option<Note> {
        let state = state_of(&self.namer.path_of(resource)?)?;
        Some(Note::Seen { resource: resource.clone(), state })
    }

    pub(super) fn is_live(&self, session: &SessionId) -> Result<bool, Trouble> {
        Ok(self.registry.session(session)?.is_some_and(|session| session.is_live()))
    }

    /// The same of the session in which the event happened.
    pub(super) fn is_own_live(&self) -> Result<bool, Trouble> {
        if !self.lives.get() {
            self.lives.set(self.is_live(&self.own)?);
        }
        Ok(self.lives.get())
    }

    /// Registers the session in which the event happened, or goes on with it.
    pub(super) fn take_part(&self) -> Result<Session, Trouble> {
        let session = self.take_part_anew()?;
        self.lives.set(session.is_live());
        Ok(session)
    }

    fn take_part_anew(&self) -> Result<Session, Trouble> {
        let main = self.register(&self.main, None)?;
        if self.own == self.main {
            return Ok(main);
        }
        if let Some(session) = self.registry.session(&self.own)?.filter(Session::is_live) {
            return Ok(session);
        }
        let kind = self.kind.as_deref().unwrap_or("sub-agent");
        let session = self.register(&self.own, Some(one_line(kind, 40)))?;
        self.note(&self.main, &[Note::SubAgent { session: self.own.clone() }])?;
        Ok(session)
    }

    /// Says to user and model if claims keep nobody out.
    pub(super) fn tell_if_only_advice(&self, locking: Locking, answer: &mut Answer) {
        if locking == Locking::Unsupported {
            let advice = words::only_advice(&self.location.directory);
            answer.notice = Some(advice.clone());
            answer.tell(advice);
        }
    }

    fn register(&self, id: &SessionId, sub_agent: Option<String>) -> Result<Session, Trouble> {
        let before = self.registry.session(id)?;
        // A script may have damaged the record; its owner puts it right.
        if let Some(session) = before.as_ref().filter(|session| session.is_live() && !session.is_damaged()) {
            return Ok(session.clone());
        }
        let processes = (self.surroundings.processes)(self.surroundings.agent);
        let keeper = if *id == self.main {
            self.keeper_among(&processes)?
        } else {
            self.registry.session(&self.main)?.and_then(|main| main.keeper()).or(processes.agent)
        };
        let repository = self.location.repository.as_ref();
        let new = NewSession {
            id: Some(id.clone()),
            client: Some(self.surroundings.agent.name.to_owned()),
            sub_agent,
            person: workspace::person(repository),
            agent: Some(self.surroundings.agent.name.to_owned()),
            // What begins without a word of its user's waits for none.
            turn: (self.event.kind != EventKind::SessionStarted).then(|| SessionRecord::WORKING.to_owned()),
            branch: repository.and_then(Repository::branch),
            worktree: repository.and_then(Repository::worktree).map(str::to_owned),
            keeper,
            client_pid: processes.editor,
            ..NewSession::default()
        };
        let registered = match before {
            // The agent goes on with a session that ended, or whose process did.
            Some(_) => self.registry.resume(id, &NewSession { id: None, ..new })?,
            None => match self.registry.register(new) {
                Ok(session) => Some(session),
                // Another hook of the same agent was faster.
                Err(registry::Error::SessionTaken { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        match registered {
            Some(session) => Ok(session),
            None => self.registry.session(id)?.ok_or_else(|| registry::Error::UnknownSession { id: id.clone() }.into()),
        }
    }

    /// The session that gives way to this one: the agent's own to its sub-agents.
    pub(super) fn predecessor(&self) -> Option<&SessionId> {
        (self.own != self.main).then_some(&self.main)
    }

    /// True for a claim that another than this agent would have to give up first.
    pub(super) fn stands_against(&self, claim: &Claim) -> bool {
        claim.stands_against(Some(&self.own)) && !self.predecessor().is_some_and(|main| claim.held_by(main))
    }

    /// The first claim that another would have to give up before this could be claimed.
    pub(super) fn obstacle(&self, wanted: &Resource) -> Result<Option<Claim>, Trouble> {
        Ok(self.registry.obstacles(&self.own, wanted)?.into_iter().find(|claim| self.stands_against(claim)))
    }

    pub(super) fn holder(&self, claim: &Claim) -> Option<Session> {
        self.registry.session(claim.holder()?).ok().flatten()
    }

    pub(super) fn told_as_held(&self, claim: &Claim, wanted: &Resource) -> String {
        words::held(claim, self.holder(claim).as_ref(), wanted, self.now())
    }

    pub(super) fn advice(&self, claim: &Claim) -> String {
        let path = self.namer.path_of(&claim.resource).unwrap_or_else(|| claim.resource.name().into());
        let typed = words::path_to_type(&path, &self.location.workspace);
        self.as_typed(words::advice(claim, self.holder(claim).as_ref(), &typed))
    }

    /// Advice with the session in its commands, for an agent whose shells do not know whose they are.
    pub(super) fn as_typed(&self, advice: String) -> String {
        if !self.surroundings.agent.hides_session {
            return advice;
        }
        advice.replace(": deconflict ", &format!(": deconflict --session {} ", self.own))
    }
}

/// The nearest folder that is there: an agent may work in one that was removed under it.
pub(super) fn existing_folder(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder)
}

pub(super) fn distinct(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let mut distinct: Vec<&PathBuf> = Vec::new();
    for path in paths {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}
