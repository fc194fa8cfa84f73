//! What all verbs share: where they run, which directory is theirs, how they answer.

use std::cell::{Cell, OnceCell};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use deconflict_platform as platform;
use deconflict_platform::clock::{Clock, SystemClock};
use deconflict_protocol::{Resource, ResourceType, SessionId};
use deconflict_registry::{Error, NewSession, Registry, Store, Viewer};
use deconflict_team::Etcd;
use deconflict_workspace::{self as workspace, DiscoveryError, Kind, Location, Namer, Repository, TeamSettings};

use super::failure::Failure;
use super::interrupts::GiveUp;
use super::output::Output;
use super::recording::Recording;
use super::{processes, team_access, values};

/// The variable that names the session, as `deconflict start --export` sets it.
pub(super) const SESSION_VARIABLE: &str = "DECONFLICT_SESSION";

/// What every verb takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Shared {
    /// Act as this session, by its name or the beginning of its id, instead of this terminal's
    #[arg(long, global = true, value_name = "SESSION", value_parser = values::session_id)]
    pub(crate) session: Option<SessionId>,
    /// Use this coordination directory instead of this workspace's
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON document, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Speak as the original's scripts do; the wrappers that `init --scripts` writes use it
    #[arg(long, global = true, hide = true, conflicts_with = "json")]
    pub(crate) original: bool,
}

/// Where a verb runs. Nothing in it is looked up before it is needed.
#[derive(Debug)]
pub(crate) struct Context {
    pub(super) shared: Shared,
    pub(super) output: Output,
    /// Ends a wait.
    pub(super) give_up: GiveUp,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    location: OnceCell<Location>,
    registry: OnceCell<Registry>,
    recording: OnceCell<Rc<Recording>>,
    team: OnceCell<Option<Registry<Etcd>>>,
    /// This verb made the directory.
    is_made: Cell<bool>,
}

impl Context {
    pub(super) fn new(shared: Shared, output: Output) -> Result<Self, Failure> {
        let folder =
            std::env::current_dir().map_err(|error| Failure::could_not("find out which folder this is", &error))?;
        Ok(Self {
            shared,
            output,
            give_up: GiveUp::default(),
            clock: Arc::new(SystemClock::new()),
            folder,
            location: OnceCell::new(),
            registry: OnceCell::new(),
            recording: OnceCell::new(),
            team: OnceCell::new(),
            is_made: Cell::new(false),
        })
    }

    /// The same for somebody who may give up waiting.
    pub(super) fn with_give_up(self, give_up: &GiveUp) -> Self {
        Self { give_up: give_up.clone(), ..self }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory that the caller names: with `--dir`, else in `DECONFLICT_DIR`.
    pub(crate) fn named_directory(&self) -> Option<PathBuf> {
        let from_environment = || {
            std::env::var_os(workspace::DIRECTORY_VARIABLE).filter(|directory| !directory.is_empty()).map(PathBuf::from)
        };
        self.shared.dir.clone().or_else(from_environment)
    }

    /// The session that the caller names, whether there is one or not: with `--session`, else in `DECONFLICT_SESSION`.
    pub(crate) fn named_session(&self) -> Result<Option<SessionId>, Failure> {
        match &self.shared.session {
            Some(id) => Ok(Some(id.clone())),
            None => Self::variable_session(),
        }
    }

    /// The session that `DECONFLICT_SESSION` names.
    pub(crate) fn variable_session() -> Result<Option<SessionId>, Failure> {
        match std::env::var(SESSION_VARIABLE) {
            Ok(id) if id.is_empty() => Ok(None),
            Ok(id) => SessionId::foreign(&id)
                .map(Some)
                .map_err(|error| Failure::usage(format!("{SESSION_VARIABLE} does not name a session: {error}."))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Failure::usage(format!("{SESSION_VARIABLE} does not name a session: it is not Unicode.")))
            }
        }
    }

    pub(crate) fn location(&self) -> Result<&Location, Failure> {
        Ok(self.find_location()?)
    }

    /// The same, with the reason if there is no answer.
    pub(crate) fn find_location(&self) -> Result<&Location, DiscoveryError> {
        if let Some(location) = self.location.get() {
            return Ok(location);
        }
        let home = platform::home_directory();
        let found = workspace::locate(&self.folder, self.named_directory().as_deref(), home.as_deref())?;
        Ok(self.location.get_or_init(|| found))
    }

    /// The registry of a directory that exists, for reading; `None` if nobody coordinates here yet.
    pub(crate) fn existing_registry(&self) -> Result<Option<Registry>, Failure> {
        let location = self.location()?;
        if !location.exists() && !self.is_made.get() {
            return Ok(None);
        }
        if let Some(known) = self.registry.get() {
            return Ok(known.is_there()?.then(|| known.clone()));
        }
        match Registry::open(&location.directory, self.clock.clone()) {
            Ok(registry) => {
                let registry = self.as_seen_here(with_losses(registry))?;
                Ok(Some(self.registry.get_or_init(|| registry).clone()))
            }
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The journal of this workspace, which is empty where nobody ever coordinated.
    pub(crate) fn recording(&self) -> Result<Rc<Recording>, Failure> {
        if let Some(known) = self.recording.get() {
            return Ok(Rc::clone(known));
        }
        let registry = self.existing_registry()?;
        let recording = Rc::new(Recording::open(self.location()?, registry, self.namer()?, &self.folder)?);
        // Where there is no directory yet, this verb may make one.
        Ok(if recording.has_directory() { Rc::clone(self.recording.get_or_init(|| recording)) } else { recording })
    }

    /// The same for a verb that writes. Where the directory was deleted, and something is kept, it is made again.
    pub(crate) fn recording_again(&self) -> Result<Rc<Recording>, Failure> {
        let recording = self.recording()?;
        if recording.has_directory() || recording.journal.files()?.is_empty() {
            return Ok(recording);
        }
        self.registry_or_create()?;
        self.recording()
    }

    /// The registry of what this machine has once, for all clones of this user.
    pub(crate) fn machine_registry(&self) -> Result<Registry, Failure> {
        let Some(directory) = workspace::machine_directory() else {
            return Err(Failure::failed(
                "no-home",
                "You have no home directory, which is where claims for the whole machine are kept.",
            ));
        };
        let registry = Registry::create(&directory, self.clock.clone())?;
        self.as_seen_here(registry)
    }

    /// The same if it is there already.
    pub(crate) fn existing_machine_registry(&self) -> Result<Option<Registry>, Failure> {
        let Some(directory) = workspace::machine_directory().filter(|directory| directory.is_dir()) else {
            return Ok(None);
        };
        let registry = Registry::open(&directory, self.clock.clone())?;
        self.as_seen_here(registry).map(Some)
    }

    /// True if a team is named for this clone. Nothing is contacted.
    pub(crate) fn has_team(&self) -> bool {
        // One that is named wrongly is told of by whoever opens it.
        self.team_settings().map_or(true, |settings| settings.is_some())
    }

    /// What the user says of this clone's team; `None` without one.
    pub(crate) fn team_settings(&self) -> Result<Option<TeamSettings>, Failure> {
        team_access::settings(self.location()?, &self.folder)
    }

    /// The registry of this clone's team.
    pub(crate) fn team_registry(&self) -> Result<Registry<Etcd>, Failure> {
        self.existing_team_registry()?.ok_or_else(|| {
            Failure::failed("no-team", "This clone has no team.")
                .advise("Name one: deconflict team set etcds://HOST:PORT/PREFIX")
                .advise("Or share it in this clone only: --scope clone")
        })
    }

    /// The same, `None` without a team.
    pub(crate) fn existing_team_registry(&self) -> Result<Option<Registry<Etcd>>, Failure> {
        if let Some(known) = self.team.get() {
            return Ok(known.clone());
        }
        let registry = match self.team_settings()? {
            Some(settings) => {
                let registry = team_access::open(&settings, self.location()?, self.clock.clone())?;
                Some(self.as_seen_here(registry)?)
            }
            None => None,
        };
        Ok(self.team.get_or_init(|| registry).clone())
    }

    /// To a person their own sessions are theirs; to an agent, and to whoever asks for JSON, all are somebody's.
    fn as_seen_here<S: Store>(&self, registry: Registry<S>) -> Result<Registry<S>, Failure> {
        if self.output.is_json() || self.output.is_kept() {
            return Ok(registry);
        }
        let repository = self.location()?.repository.clone();
        let is_person = || !processes::run_by_an_agent();
        Ok(registry.seen_by(Viewer::here(move || is_person().then(|| workspace::person(repository.as_ref())))))
    }

    /// The registry for a verb that acts as a session, so that the directory exists and was joined.
    pub(crate) fn registry(&self) -> Result<Registry, Failure> {
        self.check_joined()?;
        self.existing_registry()?.ok_or_else(|| self.nobody_here())
    }

    /// The same, where the directory is made if it is missing.
    pub(crate) fn registry_or_create(&self) -> Result<Registry, Failure> {
        self.check_joined()?;
        let location = self.location()?;
        if let Some(registry) = self.existing_registry()? {
            return Ok(registry);
        }
        workspace::make_shared(location);
        let registry = self.as_seen_here(with_losses(Registry::create(&location.directory, self.clock.clone())?))?;
        self.is_made.set(true);
        if let Err(error) = workspace::exclude(location) {
            Output::remark(&format!(
                "Git will show {} as untracked, because it could not be added to .git/info/exclude: {error}.",
                location.directory.display()
            ));
        }
        Ok(registry)
    }

    /// Fails for a directory that came with a clone and was not joined yet.
    pub(crate) fn check_joined(&self) -> Result<(), Failure> {
        let location = self.location()?;
        // It may have been joined a moment ago, by this very command.
        if location.may_be_joined() || workspace::is_adopted(location) {
            return Ok(());
        }
        let message = format!(
            "Git tracks {}, so it may have come with a clone, and you have not joined it yet.",
            location.directory.display()
        );
        Err(Failure::failed("not-adopted", message)
            .advise("To join it: deconflict init --adopt")
            .fact("directory", location.directory.display().to_string()))
    }

    fn nobody_here(&self) -> Failure {
        let directory = self.location.get().map(|location| location.directory.display().to_string());
        let directory = directory.unwrap_or_default();
        let begin = match self.named_session() {
            Ok(Some(id)) => format!("Begin it again: deconflict start --session {id}"),
            _ => "Begin one: eval \"$(deconflict start --export)\"".to_owned(),
        };
        Failure::usage(format!("You have no session here yet, and neither has anyone else: there is no {directory}."))
            .reason("no-session")
            .advise(begin)
            .fact("directory", directory)
    }

    /// What names files and directories here.
    pub(crate) fn namer(&self) -> Result<Namer, Failure> {
        let location = self.location()?;
        let namer = Namer::new(location);
        // Whoever runs the original's scripts where they are means files of the workspace, not of the directory.
        let is_among_scripts = self.shared.original && self.folder.starts_with(&location.directory);
        Ok(if is_among_scripts { namer.relative_to(location.parent()) } else { namer })
    }

    /// What is meant by a type and a name on the command line: files and directories are paths.
    pub(crate) fn resource(&self, resource_type: &ResourceType, name: &str) -> Result<Resource, Failure> {
        let kind = match resource_type.as_str() {
            "file" => Kind::File,
            "directory" => Kind::Directory,
            _ => return Ok(Resource::new(resource_type.clone(), name)?),
        };
        Ok(self.namer()?.resource(Path::new(name), kind)?)
    }

    /// What may be meant by a claim's name, likeliest first: a claimed file may be gone or lead elsewhere by now.
    pub(crate) fn claimed_resources(&self, resource_type: &ResourceType, name: &str) -> Result<Vec<Resource>, Failure> {
        let recorded = Resource::new(resource_type.clone(), name)?;
        match self.resource(resource_type, name) {
            Ok(resource) if resource == recorded => Ok(vec![resource]),
            Ok(resource) => Ok(vec![resource, recorded]),
            Err(_) => Ok(vec![recorded]),
        }
    }

    /// Names of files as records spell them; a path that is outside stays as it was given.
    pub(crate) fn names_of_files(&self, paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
        let namer = self.namer()?;
        let name = |path: PathBuf| match namer.resource_at(&path) {
            Ok(resource) => resource.name().to_owned(),
            Err(_) => path.display().to_string(),
        };
        Ok(paths.iter().flat_map(|path| self.separated(path)).map(name).collect())
    }

    /// Several paths in one word, separated by commas, unless there is a file of that very name.
    fn separated(&self, word: &Path) -> Vec<PathBuf> {
        match word.to_str() {
            Some(text) if text.contains(',') && !self.folder.join(word).exists() => {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(PathBuf::from).collect()
            }
            _ => vec![word.to_owned()],
        }
    }

    pub(crate) fn branch(&self) -> Result<Option<String>, Failure> {
        Ok(self.location()?.repository.as_ref().and_then(Repository::branch))
    }

    pub(crate) fn worktree(&self) -> Result<Option<String>, Failure> {
        Ok(self.location()?.repository.as_ref().and_then(Repository::worktree).map(str::to_owned))
    }

    /// What a session that works here says of itself.
    pub(crate) fn new_session(&self) -> Result<NewSession, Failure> {
        Ok(NewSession {
            person: self.person()?,
            branch: self.branch()?,
            worktree: self.worktree()?,
            ..NewSession::default()
        })
    }

    /// What the person is called who looks, to whom their own agents are theirs; `None` for an agent, or where nobody can
    /// tell.
    pub(crate) fn person_who_looks(&self) -> Option<String> {
        if processes::run_by_an_agent() { None } else { self.person().ok().flatten() }
    }

    /// What the person is called who works here.
    pub(crate) fn person(&self) -> Result<Option<String>, Failure> {
        Ok(workspace::person(self.location()?.repository.as_ref()))
    }
}

/// Its status board tells what was lost here, too.
fn with_losses(registry: Registry) -> Registry {
    deconflict_changes::with_losses(registry, platform::state_directory().as_deref())
}

/// What a program or a person writes to standard input, at most so many bytes of it.
pub(crate) fn standard_input(limit: u64, what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(limit).read_to_string(&mut text);
    read.map(|_| text).map_err(|error| Failure::could_not(what, &error))
}
