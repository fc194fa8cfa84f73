//! Taking part at the directory: joining it when it is there, making it when it may be made, going on after it was lost.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::guard::GuardReporter;
use super::housekeeping::Housekeeper;
use super::journal_access::JournalAccess;
use super::journal_keeper::{JournalKeeper, News};
use super::session_context::{Membership, SessionContext, refused};
use super::waiting::Waiting;
use crate::job::{Job, JobResult, Refusal};
use crate::settings::journal_settings;
use deconflict_changes::with_losses;
use deconflict_platform::{self as platform, home_directory};
use deconflict_protocol::{Resource, SessionId, Want};
use deconflict_registry::{
    Change, Changed, Claim, ClaimOutcome, Error, KeeperState, Locking, NewSession, Range, Registry, Session, Taker,
    Terms, Turn, View, Viewer, look_at_keeper, named_process, watch, watch_for_directory,
};
use deconflict_words::failure;
use deconflict_workspace as workspace;

/// Every so many seconds the session's record is refreshed, as it promises.
pub(crate) const KEEPALIVE_SECONDS: u32 = 60;

/// A window that comes back after so long begins a new session.
const EARLIER: TimeDelta = TimeDelta::hours(24);

impl SessionContext {
    /// True while there may be a directory some day that is not there yet.
    pub(super) fn awaits_directory(&self) -> bool {
        self.membership.is_none() && !self.is_refused
    }

    /// Joins the directory if it is there, and waits for it otherwise.
    pub(super) fn find_directory(&mut self) {
        match self.join(false) {
            Err(Refusal::NotThere) if self.appearance.is_none() => self.await_directory(),
            Ok(()) | Err(Refusal::NotThere) => {}
            Err(refusal) => tracing::info!("the directory is not joined: {refusal:?}"),
        }
    }

    fn await_directory(&mut self) {
        let jobs = self.jobs.clone();
        let appeared = move || drop(jobs.send(Job::Join));
        self.appearance = watch_for_directory(self.directory(), appeared)
            .inspect_err(|error| tracing::warn!("a directory that appears later will not be noticed: {error}"))
            .ok();
        if self.may_make {
            self.waiting = Waiting::begin(self.directory());
        }
        // Two editors in one clone are worth a directory before anybody claims something in it.
        if self.waiting.as_ref().is_some_and(Waiting::has_company)
            && let Err(refusal) = self.join(true)
        {
            tracing::info!("the directory is not made for the other editor: {refusal:?}");
        }
    }

    /// Registers the session, or makes its record again.
    pub(super) fn rejoin(&mut self) -> Option<JobResult> {
        if self.membership.is_none() {
            self.appearance = None;
            self.find_directory();
            return None;
        }
        self.with_session(false, |registry, session| match registry.session(session)? {
            Some(_) => Ok(None),
            None => Err(Error::UnknownSession { id: session.clone() }),
        })
        .unwrap_or_else(|refusal| {
            tracing::info!("the session is not registered again: {refusal:?}");
            None
        })
    }

    /// Does something in the name of the session, which is registered before if it isn't yet, and again if somebody
    /// ended it, or took its record away or damaged it.
    pub(super) fn with_session<T>(
        &mut self,
        may_make: bool,
        verb: impl Fn(&Registry, &SessionId) -> Result<T, Error>,
    ) -> Result<T, Refusal> {
        self.join(may_make)?;
        let membership = self.membership.as_ref().ok_or(Refusal::NotThere)?;
        if !membership.is_writable {
            return Err(Refusal::Inactive(format!("{} cannot be written to.", self.directory().display())));
        }
        let error = match verb(&membership.registry, &membership.session) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match &error {
            error if error.is_about_record_of(&membership.session) => {
                let (registry, session) = (membership.registry.clone(), membership.session.clone());
                registry.resume(&session, &self.new_session()).map_err(|error| refused(&error))?;
                return verb(&registry, &session).map_err(|error| refused(&error));
            }
            Error::EndedSession { id } if *id == membership.session => {
                self.membership = None;
                self.last_session = None;
            }
            Error::Missing { .. } => self.membership = None,
            _ => return Err(refused(&error)),
        }
        self.join(may_make)?;
        let membership = self.membership.as_ref().ok_or(Refusal::NotThere)?;
        verb(&membership.registry, &membership.session).map_err(|error| refused(&error))
    }

    /// The registry of what this machine has once, if there is one, as the user sees it.
    pub(super) fn machine_registry(&self) -> Option<Registry> {
        let directory = workspace::machine_directory().filter(|directory| directory.is_dir())?;
        let registry = Registry::open(&directory, self.clock.clone()).ok()?;
        Some(registry.seen_by(self.viewer()))
    }

    /// Hears who has or waits for what of the machine, as soon as there is anything of it. It is shown beside what is of the
    /// clone, so that a change of one is as good as a change of the other.
    pub(super) fn watch_machine(&mut self) {
        let Some(registry) = self.machine_registry() else { return };
        let deliver = self.deliver_changes();
        let Some(membership) = &mut self.membership else { return };
        if let Some(watching) = &mut membership.machine {
            watching.look(Duration::ZERO);
            return;
        }
        let hear = move |changed| {
            if !matches!(changed, Changed::Unclear) {
                deliver(vec![Change::Queue]);
            }
        };
        membership.machine = Some(registry.hear(&[Range::all_claims(), Range::Queue], Box::new(hear)));
    }

    /// Takes something by hand if it is the session's turn, and says once if that keeps nobody out.
    pub(super) fn take(&mut self, resource: &Resource, terms: &Terms) -> Result<Turn, Refusal> {
        let wants = [Want::one(resource)];
        let process = named_process(&platform::current_process(), None);
        let (turn, locking) = self.with_session(true, |registry, session| {
            let taker = Taker {
                session,
                arriving: None,
                predecessor: None,
                wants: &wants,
                terms,
                held: &[],
                process: &process,
                is_usable: &|_| true,
            };
            Ok((deconflict_changes::take_in_turn(registry, &taker)?, registry.locking()))
        })?;
        self.tell_only_advice(locking);
        Ok(turn)
    }

    /// Claims for the session, and says once if that keeps nobody out.
    pub(super) fn claim(&mut self, resource: &Resource, terms: &Terms) -> Result<ClaimOutcome, Refusal> {
        let (outcome, locking) = self.with_session(true, |registry, session| {
            Ok((deconflict_changes::claim(registry, session, resource, terms)?, registry.locking()))
        })?;
        self.tell_only_advice(locking);
        Ok(outcome)
    }

    fn tell_only_advice(&mut self, locking: Locking) {
        if locking == Locking::Unsupported && !self.is_advice_told {
            self.is_advice_told = true;
            self.report(JobResult::OnlyAdvice(self.directory().to_owned()));
        }
    }

    /// Registers the session unless it is. Makes the directory if it may.
    fn join(&mut self, may_make: bool) -> Result<(), Refusal> {
        if self.membership.is_some() {
            return Ok(());
        }
        self.locate_again();
        if !self.location.may_be_joined() {
            return Err(self.refuse());
        }
        let registry = if self.location.exists() {
            Registry::open(self.directory(), Arc::clone(&self.clock))
        } else if may_make && self.may_make {
            self.make()
        } else {
            return Err(Refusal::NotThere);
        };
        let registry = registry.map_err(|error| refused(&error))?;
        let registry = with_losses(registry, platform::state_directory().as_deref()).seen_by(self.viewer());
        match self.enter(&registry) {
            Ok((session, claims)) => {
                self.is_refused = false;
                let (id, directory) = (session.id.clone(), self.directory().to_owned());
                // The loop has to know whose view it is before the first change comes.
                let view = View::of(&registry, id.clone());
                self.report(JobResult::Joined { session, claims, view: view.clone(), directory });
                self.begin(registry, id, Some(view));
                Ok(())
            }
            Err(error @ Error::ReadOnly { .. }) => {
                self.observe(registry, &error);
                Err(Refusal::Inactive(failure(&error)))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// The user, to whom their own sessions are theirs.
    fn viewer(&self) -> Viewer {
        let repository = self.location.repository.clone();
        Viewer::here(move || Some(workspace::person(repository.as_ref())))
    }

    /// Finds out once more where the directory is: it may have appeared, or have been adopted.
    fn locate_again(&mut self) {
        let named = self.location.named.then(|| self.location.directory.clone());
        let home = home_directory();
        match workspace::locate(&self.location.workspace, named.as_deref(), home.as_deref()) {
            // Another directory than before is another worker's; this one keeps to its own.
            Ok(location) if location.directory == self.location.directory => self.location = location,
            Ok(_) => {}
            Err(error) => tracing::warn!("{error}"),
        }
    }

    fn refuse(&mut self) -> Refusal {
        let directory = self.directory().to_owned();
        if !self.is_refused {
            self.is_refused = true;
            self.report(JobResult::NotAdopted(directory.clone()));
        }
        Refusal::Inactive(format!("{} is tracked by git and was not adopted.", directory.display()))
    }

    fn make(&self) -> Result<Registry, Error> {
        workspace::make_shared(&self.location);
        let registry = Registry::create(self.directory(), Arc::clone(&self.clock))?;
        if let Err(error) = workspace::exclude(&self.location) {
            tracing::warn!("git could not be told to ignore {}: {error}", self.directory().display());
        }
        Ok(registry)
    }

    /// Goes on with the session that this editor had before its server was killed, or registers a new one.
    fn enter(&self, registry: &Registry) -> Result<(Session, Vec<Claim>), Error> {
        workspace::start_team_helper(&self.location);
        let before = match &self.last_session {
            Some(id) => Some(id.clone()),
            None => match self.earlier_session(registry)? {
                Some(id) => Some(id),
                None => self.session_before(registry)?,
            },
        };
        let resumed = match before {
            Some(id) => registry.resume(&id, &self.new_session())?,
            None => None,
        };
        let Some(session) = resumed else { return Ok((registry.register(self.new_session())?, Vec::new())) };
        let claims = registry.claims()?.into_iter().filter(|claim| claim.held_by(&session.id)).collect();
        Ok((session, claims))
    }

    /// The session that the window had before it was loaded again, if it says so and nobody else has it.
    fn earlier_session(&self, registry: &Registry) -> Result<Option<SessionId>, Error> {
        let new = self.new_session();
        for id in &self.profile.earlier {
            let is_ours = |session: &Session| {
                let record = &session.record;
                (&record.user, &record.client, &record.worktree) == (&new.user, &new.client, &new.worktree)
                    && session.is_kept_alive()
                    && (record.is_completed() || look_at_keeper(record) == KeeperState::Gone)
                    && self.clock.now() - session.last_sign < EARLIER
            };
            if registry.session(id)?.as_ref().is_some_and(is_ours) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    fn session_before(&self, registry: &Registry) -> Result<Option<SessionId>, Error> {
        let Some(client_pid) = self.profile.client_pid else { return Ok(None) };
        let new = self.new_session();
        let is_ours = |session: &Session| {
            session.serves(client_pid)
                && session.record.worktree == new.worktree
                && session.is_kept_alive()
                && !session.record.is_completed()
                && look_at_keeper(&session.record) == KeeperState::Gone
        };
        Ok(registry.sessions()?.into_iter().filter(is_ours).max_by_key(|session| session.last_sign).map(|it| it.id))
    }

    /// What the session says of itself when it registers.
    pub(super) fn new_session(&self) -> NewSession {
        let repository = self.location.repository.as_ref();
        NewSession {
            client: self.profile.client.clone(),
            name: self.profile.name.clone(),
            user: platform::user_name(),
            person: workspace::person(repository),
            branch: repository.and_then(workspace::Repository::branch),
            worktree: repository.and_then(|repository| repository.worktree()).map(str::to_owned),
            keeper: Some(platform::current_process()),
            client_pid: self.profile.client_pid,
            keepalive: Some(KEEPALIVE_SECONDS),
            settings: Some(self.shared_settings.clone()).filter(|settings| !settings.is_empty()),
            ..NewSession::default()
        }
    }

    /// Registers the session of an observer once the directory can be written to.
    pub(super) fn take_part_again(&mut self) {
        if self.membership.as_ref().is_some_and(|it| !it.is_writable && it.registry.is_writable()) {
            self.membership = None;
            self.find_directory();
        }
    }

    fn observe(&mut self, registry: Registry, error: &Error) {
        let Ok(observer) = SessionId::new(&format!("observer-{}", std::process::id())) else { return };
        let directory = self.directory().to_owned();
        tracing::warn!("{error}");
        let view = View::of(&registry, observer.clone());
        self.report(JobResult::Observing { view, directory });
        self.begin(registry, observer, None);
    }

    /// Begins to watch, and to keep the board of a directory that can be written to from its view.
    fn begin(&mut self, registry: Registry, session: SessionId, board: Option<View>) {
        let is_writable = board.is_some();
        let watch = watch(&registry, &session, self.deliver_changes())
            .inspect_err(|error| tracing::error!("{} is not watched: {error}", self.directory().display()))
            .ok();
        let access = |view: &View| JournalAccess::of(&self.location, registry.clone(), session.clone(), view.clone());
        let journal = board.as_ref().and_then(|view| self.keep_journal(access(view)?, view.clone()));
        let access = board.as_ref().and_then(access);
        let losses = access.as_ref().map(|access| access.journal.clone());
        let guard = GuardReporter::of(&self.location, self.reporter());
        let housekeeper =
            board.map(|view| Housekeeper::start(registry.clone(), view, losses, guard)).and_then(|started| {
                started.inspect_err(|error| tracing::error!("nobody keeps the status board: {error}")).ok()
            });
        if is_writable {
            self.last_session = Some(session.clone());
        }
        self.appearance = None;
        self.waiting = None;
        self.membership =
            Some(Membership { registry, session, is_writable, housekeeper, journal, access, watch, machine: None });
        self.watch_machine();
        for resource in std::mem::take(&mut self.seen) {
            self.seen(&resource);
        }
    }

    fn keep_journal(&self, access: JournalAccess, view: View) -> Option<JournalKeeper> {
        let keeper = JournalKeeper::start(access, view, Arc::clone(&self.clock), self.reporter())
            .inspect_err(|error| tracing::error!("nobody keeps the journal: {error}"))
            .ok()?;
        keeper.tell(News::Settings(journal_settings(&self.shared_settings)));
        Some(keeper)
    }
}
