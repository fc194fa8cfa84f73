//! What one event is answered from: where it happened, and in which session.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::answer::Answer;
use crate::event::{EventKind, HookEvent};
use crate::hook_state::{HookState, HookStates, Note};
use crate::names::session_id;
use crate::surroundings::Surroundings;
use crate::words;
use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{DEFAULT_LEASE, NameError, Resource, SessionId};
use deconflict_registry::{self as registry, Claim, Locking, NewSession, Registry, Session};
use deconflict_workspace::{self as workspace, DiscoveryError, Location, Namer, NamingError, Repository};

/// The variable that tells the verbs of a shell whose they are.
pub(super) const SESSION_VARIABLE: &str = "DECONFLICT_SESSION";

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
    #[error("there was no answer in time; perhaps another process keeps the coordination directory locked")]
    Late,
}

/// What one event is answered from.
pub(super) struct SessionContext<'a> {
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
    /// What the hooks remember here.
    pub(super) states: HookStates,
}

impl<'a> SessionContext<'a> {
    pub(super) fn open(event: &'a HookEvent, surroundings: &'a Surroundings) -> Result<Self, Trouble> {
        let folder = existing_folder(&event.folder);
        let location =
            workspace::locate(folder, surroundings.named_directory.as_deref(), surroundings.home.as_deref())?;
        let main = session_id(surroundings.agent, &event.session, None)?;
        let own = match &event.sub_agent {
            Some(sub_agent) => session_id(surroundings.agent, &event.session, Some(sub_agent))?,
            None => main.clone(),
        };
        let kind = event.sub_agent.as_ref().and_then(|sub_agent| sub_agent.kind.clone());
        let states = HookStates::of(&location.directory, surroundings.state_folder.as_deref());
        let namer = Namer::new(&location);
        Ok(Self { event, surroundings, namer, location, main, own, kind, lease: DEFAULT_LEASE, states })
    }

    /// What the hooks of a session of this agent remember.
    pub(super) fn hook_state(&self, registry: &Registry, session: &SessionId) -> HookState {
        self.states.read(registry, session)
    }

    /// Adds to what the hooks of a session remember.
    pub(super) fn note(&self, registry: &Registry, session: &SessionId, notes: &[Note]) -> Result<(), Trouble> {
        Ok(self.states.note(registry, session, notes)?)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.surroundings.clock.now()
    }

    /// The registry; `None` while nobody coordinates here.
    pub(super) fn registry(&self) -> Result<Option<Registry>, Trouble> {
        if !self.location.exists() {
            return Ok(None);
        }
        match Registry::open(&self.location.directory, Arc::clone(&self.surroundings.clock)) {
            Ok(registry) => Ok(Some(registry)),
            Err(registry::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// True where a claim may make the directory: it was named, or this is a git repository other than the home
    /// directory.
    pub(super) fn may_make(&self) -> bool {
        self.location.named || self.location.may_be_made_unasked()
    }

    pub(super) fn make(&self) -> Result<Registry, Trouble> {
        workspace::make_shared(&self.location);
        let registry = Registry::create(&self.location.directory, Arc::clone(&self.surroundings.clock))?;
        // Git will show the directory as untracked then, which does no harm.
        let _ = workspace::exclude(&self.location);
        Ok(registry)
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

    /// Lets the verbs in the agent's shell know whose they are.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        if self.location.exists() || self.may_make() {
            vec![(SESSION_VARIABLE, self.own.to_string())]
        } else {
            Vec::new()
        }
    }

    /// Registers the session in which the event happened, or goes on with it.
    pub(super) fn take_part(&self, registry: &Registry) -> Result<Session, Trouble> {
        let main = self.register(registry, &self.main, None)?;
        if self.own == self.main {
            return Ok(main);
        }
        if let Some(session) = registry.session(&self.own)?.filter(Session::is_live) {
            return Ok(session);
        }
        let kind = self.kind.as_deref().unwrap_or("sub-agent");
        let name = format!("{} ({})", self.surroundings.agent.name, one_line(kind, 40));
        let session = self.register(registry, &self.own, Some(name))?;
        self.note(registry, &self.main, &[Note::SubAgent { session: self.own.clone() }])?;
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

    pub(super) fn register(
        &self,
        registry: &Registry,
        id: &SessionId,
        name: Option<String>,
    ) -> Result<Session, Trouble> {
        let before = registry.session(id)?;
        // A script may have damaged the record; its owner puts it right.
        if let Some(session) = before.as_ref().filter(|session| session.is_live() && !session.is_damaged()) {
            return Ok(session.clone());
        }
        let processes = (self.surroundings.processes)(self.surroundings.agent);
        let repository = self.location.repository.as_ref();
        let new = NewSession {
            id: Some(id.clone()),
            client: Some(self.surroundings.agent.name.to_owned()),
            name,
            branch: repository.and_then(Repository::branch),
            worktree: repository.and_then(Repository::worktree).map(str::to_owned),
            keeper: processes.agent,
            client_pid: processes.editor,
            ..NewSession::default()
        };
        let registered = match before {
            // The agent goes on with a session that ended, or whose process did.
            Some(_) => registry.resume(id, &NewSession { id: None, ..new })?,
            None => match registry.register(new) {
                Ok(session) => Some(session),
                // Another hook of the same agent was faster.
                Err(registry::Error::SessionTaken { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        match registered {
            Some(session) => Ok(session),
            None => registry.session(id)?.ok_or_else(|| registry::Error::UnknownSession { id: id.clone() }.into()),
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

    /// A resource's path as it would be typed in the agent's folder.
    pub(super) fn typed(&self, resource: &Resource) -> String {
        match self.namer.path_of(resource) {
            Some(path) => words::path_to_type(&path, &self.location.workspace),
            None => words::path_to_type(Path::new(resource.name()), &self.location.workspace),
        }
    }

    /// Says who holds what, for a refusal.
    pub(super) fn told_as_held(&self, registry: &Registry, obstacles: &[(Resource, Claim)]) -> String {
        let holder = |claim: &Claim| registry.session(claim.holder()?).ok().flatten();
        let mut lines: Vec<String> = Vec::new();
        for (wanted, claim) in obstacles {
            let line = words::held(claim, holder(claim).as_ref(), wanted, self.now());
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let mut text = lines.join("\n");
        if let Some((_, claim)) = obstacles.first() {
            text.push('\n');
            text.push_str(&words::advice(claim, holder(claim).as_ref(), &self.typed(&claim.resource)));
        }
        text
    }
}

/// The nearest folder that is there: an agent may work in one that was removed under it.
pub(super) fn existing_folder(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder)
}

/// Paths without repeats.
pub(super) fn distinct(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let mut distinct: Vec<&PathBuf> = Vec::new();
    for path in paths {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}
