//! What is done at which event: the same for all agents.

mod commands;
mod edits;
mod elsewhere;
mod helpers;
mod kin;
mod leases;
mod mail;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Answer, Event, Happening, Surroundings, UnsurePolicy, session_id, words};
use deconflict_protocol::text::one_line;
use deconflict_protocol::{NameError, Resource, SessionId};
use deconflict_registry::{
    self as registry, Claim, ExpectedHelper, Locking, MessageId, NewSession, Note, Registry, Session, Standing,
};
use deconflict_workspace::{self as workspace, DiscoveryError, Location, Namer, NamingError, Repository};

/// The variable that tells the verbs of a shell whose they are.
const SESSION_VARIABLE: &str = "DECONFLICT_SESSION";

/// The lease of what an edit claims, renewed by each event.
const LEASE: TimeDelta = TimeDelta::hours(4);

/// Answers an event, and says what is to be done once the agent has the answer.
pub fn respond(event: &Event, surroundings: &Surroundings) -> (Answer, Afterwards) {
    let mut afterwards = Afterwards::default();
    let answer = Desk::open(event, surroundings)
        .and_then(|desk| desk.respond(&mut afterwards))
        .unwrap_or_else(|trouble| unsure(event, surroundings, &trouble));
    (answer, afterwards)
}

/// The answer to an event when the time is over before there is another.
pub fn too_late(event: &Event, surroundings: &Surroundings) -> Answer {
    unsure(event, surroundings, &Trouble::Late)
}

/// What follows when the agent has its answer.
#[derive(Debug, Default)]
pub struct Afterwards {
    registry: Option<Registry>,
    delivered: Option<(SessionId, Vec<MessageId>)>,
    /// True where the answer has no room for more messages.
    is_full: bool,
    ended: Vec<SessionId>,
    refresh_board: bool,
    clean_up: bool,
    /// The same in other directories.
    elsewhere: Vec<Afterwards>,
}

impl Afterwards {
    /// Marks the messages that were delivered as read, releases what sessions held that ended, and brings the status
    /// board up to date. Returns what failed, in words for people: nobody waits for it any more.
    pub fn carry_out(mut self) -> Vec<String> {
        let elsewhere = std::mem::take(&mut self.elsewhere);
        let mut failures = self.carry_out_here();
        failures.extend(elsewhere.into_iter().flat_map(Self::carry_out));
        failures
    }

    fn carry_out_here(self) -> Vec<String> {
        let mut failures = Vec::new();
        let Some(registry) = self.registry else { return failures };
        let mut note =
            |result: Result<(), registry::Error>| failures.extend(result.err().map(|error| error.to_string()));
        if let Some((session, ids)) = self.delivered {
            note(registry.mark_read(&session, &ids).map(drop));
        }
        if !self.ended.is_empty() {
            note(registry.release_all_of(&self.ended).map(drop));
        }
        if self.clean_up {
            note(registry.clean_up().map(drop));
        }
        if self.refresh_board {
            note(registry.refresh_board().map(drop));
        }
        failures
    }
}

/// Why it could not be told what stands against an edit.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    Naming(#[from] NamingError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("there was no answer in time; perhaps another process keeps the coordination directory locked")]
    Late,
}

/// Never silent: the user and the model are told, and the policy decides about an edit.
fn unsure(event: &Event, surroundings: &Surroundings, trouble: &Trouble) -> Answer {
    let cause = one_line(&trouble.to_string(), 600);
    let is_edit = matches!(event.happening, Happening::BeforeEdit(_));
    match surroundings.policy.when_unsure {
        UnsurePolicy::Deny if is_edit => {
            let reason = format!(
                "deconflict could not tell whether somebody else holds this, and is told to refuse then: {cause}. \
                 Nothing was changed. `deconflict doctor` finds out what is wrong."
            );
            Answer { notice: Some(reason.clone()), ..Answer::refuse(reason) }
        }
        UnsurePolicy::Allow | UnsurePolicy::Deny => {
            let warning = if is_edit {
                format!(
                    "deconflict could not tell whether somebody else holds this, so the edit was neither claimed nor \
                     checked: {cause}. `deconflict doctor` finds out what is wrong."
                )
            } else {
                format!("deconflict could not do its part: {cause}. `deconflict doctor` finds out what is wrong.")
            };
            let mut answer = Answer { notice: Some(warning.clone()), ..Answer::default() };
            answer.tell(warning);
            answer
        }
    }
}

/// What one event is answered from.
struct Desk<'a> {
    event: &'a Event,
    surroundings: &'a Surroundings,
    location: Location,
    namer: Namer,
    /// The session of the agent itself.
    main: SessionId,
    /// The session in which the event happened: the agent's own, or a sub-agent's.
    own: SessionId,
    /// What kind of sub-agent that is.
    kind: Option<String>,
    /// How long a claim lasts that an edit makes or that is renewed.
    lease: TimeDelta,
}

impl<'a> Desk<'a> {
    fn open(event: &'a Event, surroundings: &'a Surroundings) -> Result<Self, Trouble> {
        let folder = existing_folder(&event.folder);
        let location =
            workspace::locate(folder, surroundings.named_directory.as_deref(), surroundings.home.as_deref())?;
        let main = session_id(surroundings.agent, &event.session, None)?;
        let own = match &event.helper {
            Some(helper) => session_id(surroundings.agent, &event.session, Some(helper))?,
            None => main.clone(),
        };
        let kind = event.helper.as_ref().and_then(|helper| helper.kind.clone());
        Ok(Self { event, surroundings, namer: Namer::new(&location), location, main, own, kind, lease: LEASE })
    }

    fn respond(mut self, afterwards: &mut Afterwards) -> Result<Answer, Trouble> {
        if !self.location.may_be_joined() {
            return Ok(self.not_joined());
        }
        let registry = self.registry()?;
        if let Some(registry) = &registry {
            self = self.below_its_parent(registry)?;
        }
        // The end of a session forgets where else it took part.
        let others = self.others_concerned(registry.as_ref())?;
        let mut answer = self.respond_here(registry, afterwards)?;
        for other in others {
            let brings_messages = |place: &Afterwards| place.delivered.is_some();
            let is_full = brings_messages(afterwards) || afterwards.elsewhere.iter().any(brings_messages);
            let mut theirs = Afterwards { is_full, ..Afterwards::default() };
            answer.add(other.desk.respond_here(Some(other.registry), &mut theirs)?);
            afterwards.elsewhere.push(theirs);
        }
        Ok(answer)
    }

    /// Answers in one directory.
    fn respond_here(&self, registry: Option<Registry>, afterwards: &mut Afterwards) -> Result<Answer, Trouble> {
        let answer = match (&self.event.happening, &registry) {
            (Happening::BeforeEdit(paths), _) => return self.before_edit(registry, paths),
            (Happening::SessionStarted, None) => Ok(Answer { environment: self.environment(), ..Answer::default() }),
            (Happening::ShellStarted, _) => return Ok(Answer { environment: self.environment(), ..Answer::default() }),
            // Where nobody coordinates there is nothing to say.
            (_, None) => Ok(Answer::default()),
            (Happening::SessionStarted, Some(registry)) => self.session_started(registry, afterwards),
            (Happening::Prompted, Some(registry)) => self.prompted(registry, afterwards),
            (Happening::BeforeCommand { command, folder }, Some(registry)) => {
                return self.before_command(registry, command, folder);
            }
            (Happening::AfterEdit(paths), Some(registry)) => self.after_edit(registry, paths, afterwards),
            (Happening::AfterRead(paths), Some(registry)) => return self.after_read(registry, paths),
            (Happening::AfterCommand, Some(registry)) => self.after_command(registry, afterwards),
            (Happening::HelperStarted, Some(registry)) => self.helper_started(registry),
            (Happening::HelperEnded, Some(registry)) => self.helper_ended(registry, afterwards),
            (Happening::HelperExpected { id, kind, has_begun }, Some(registry)) => {
                let helper = ExpectedHelper { id: id.clone(), kind: kind.clone(), has_begun: *has_begun };
                self.helper_expected(registry, helper)
            }
            (Happening::HelperDone { id, session, is_tools_end }, Some(registry)) => {
                self.helper_done(registry, id.as_ref(), session.as_ref(), *is_tools_end, afterwards)
            }
            (Happening::TurnEnded, Some(registry)) => self.turn_ended(registry, afterwards),
            (Happening::SessionEnded, Some(registry)) => self.session_ended(registry, afterwards),
        };
        afterwards.registry = registry;
        answer
    }

    fn now(&self) -> DateTime<Utc> {
        self.surroundings.clock.now()
    }

    /// The registry; `None` while nobody coordinates here.
    fn registry(&self) -> Result<Option<Registry>, Trouble> {
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
    fn may_make(&self) -> bool {
        self.location.named || self.location.may_be_made_unasked()
    }

    fn make(&self) -> Result<Registry, Trouble> {
        let registry = Registry::create(&self.location.directory, Arc::clone(&self.surroundings.clock))?;
        // Git will show the directory as untracked then, which does no harm.
        let _ = workspace::exclude(&self.location);
        Ok(registry)
    }

    /// A directory that came with a clone is none of ours before the user says so; that is told once.
    fn not_joined(&self) -> Answer {
        if self.event.happening != Happening::SessionStarted {
            return Answer::default();
        }
        let notice = format!(
            "Git tracks {}, so it may have come with a clone, and you have not joined it: edits are neither claimed nor \
             checked. To join it: deconflict init --adopt",
            self.location.directory.display()
        );
        Answer { notice: Some(notice), ..Answer::default() }
    }

    /// Lets the verbs in the agent's shell know whose they are.
    fn environment(&self) -> Vec<(&'static str, String)> {
        if self.location.exists() || self.may_make() {
            vec![(SESSION_VARIABLE, self.own.to_string())]
        } else {
            Vec::new()
        }
    }

    /// Registers the session in which the event happened, or goes on with it.
    fn take_part(&self, registry: &Registry) -> Result<Session, Trouble> {
        let main = self.register(registry, &self.main, None)?;
        if self.own == self.main {
            return Ok(main);
        }
        if let Some(session) = registry.session(&self.own)?.filter(Session::is_live) {
            return Ok(session);
        }
        let kind = self.kind.as_deref().unwrap_or("sub-agent");
        let name = format!("{} ({})", self.surroundings.agent.name(), one_line(kind, 40));
        let session = self.register(registry, &self.own, Some(name))?;
        registry.note(&self.main, &[Note::Helper { session: self.own.clone() }])?;
        Ok(session)
    }

    /// Says to user and model if claims keep nobody out.
    fn tell_if_only_advice(&self, locking: Locking, answer: &mut Answer) {
        if locking == Locking::Unsupported {
            let advice = words::only_advice(&self.location.directory);
            answer.notice = Some(advice.clone());
            answer.tell(advice);
        }
    }

    fn register(&self, registry: &Registry, id: &SessionId, name: Option<String>) -> Result<Session, Trouble> {
        let before = registry.session(id)?;
        // A script may have damaged the record; its owner puts it right.
        if let Some(session) = before.as_ref().filter(|session| session.is_live() && !session.is_damaged()) {
            return Ok(session.clone());
        }
        let processes = (self.surroundings.processes)(self.surroundings.agent);
        let repository = self.location.repository.as_ref();
        let new = NewSession {
            id: Some(id.clone()),
            client: Some(self.surroundings.agent.name().to_owned()),
            name,
            branch: repository.and_then(Repository::branch),
            worktree: repository.and_then(Repository::worktree).map(str::to_owned),
            keeper: processes.agent,
            client_pid: processes.editor,
            ..NewSession::default()
        };
        let registered = match before {
            // The agent goes on with a session that ended, or whose process did.
            Some(_) => registry.resume(id, NewSession { id: None, ..new })?,
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
    fn predecessor(&self) -> Option<&SessionId> {
        (self.own != self.main).then_some(&self.main)
    }

    /// True for a claim that another than this agent would have to give up first.
    fn stands_against(&self, claim: &Claim) -> bool {
        let is_kin = claim.held_by(&self.own) || self.predecessor().is_some_and(|main| claim.held_by(main));
        !is_kin && matches!(claim.standing, Standing::Active | Standing::Pending | Standing::Damaged)
    }

    /// A resource's path as it would be typed in the agent's folder.
    fn typed(&self, resource: &Resource) -> String {
        match self.namer.path_of(resource) {
            Some(path) => words::path_to_type(&path, &self.location.workspace),
            None => words::path_to_type(Path::new(resource.name()), &self.location.workspace),
        }
    }

    /// Says who holds what, for a refusal.
    fn told_as_held(&self, registry: &Registry, obstacles: &[(Resource, Claim)]) -> String {
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
fn existing_folder(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder)
}

/// Paths without repeats.
fn distinct(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let mut distinct: Vec<&PathBuf> = Vec::new();
    for path in paths {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}
