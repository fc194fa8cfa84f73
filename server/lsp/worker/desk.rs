//! A worker's own things, and which job is done by whom.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::mpsc::UnboundedSender;

use super::documents::FileStamp;
use super::housekeeping::Housekeeper;
use super::job::{Done, Job, Refusal};
use super::membership::Profile;
use crate::event::{DirectoryId, Event};
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimOutcome, Completion, DirectoryWatch, Error, Holding, Locking, Registry, Terms, Watch};
use deconflict_words::failure;
use deconflict_workspace::{Exclusions, Ignored, Location, Namer};

/// Another process kept the directory locked for too long.
const BUSY: &str = "busy";

/// What one worker works with.
pub(super) struct Desk {
    pub(super) id: DirectoryId,
    pub(super) location: Location,
    pub(super) namer: Namer,
    pub(super) ignored: Ignored,
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
    is_advice_told: bool,
    /// How the files of unsaved documents were when they were last looked at.
    pub(super) files: HashMap<PathBuf, Option<FileStamp>>,
    /// Waits until the directory appears, as long as it is missing.
    pub(super) appearance: Option<DirectoryWatch>,
    /// The worker's own queue.
    pub(super) jobs: Sender<Job>,
    events: UnboundedSender<Event>,
}

/// The session at the directory, as long as there is one.
pub(super) struct Membership {
    pub(super) registry: Registry,
    pub(super) session: SessionId,
    /// False where the directory can only be looked at.
    pub(super) is_writable: bool,
    pub(super) housekeeper: Option<Housekeeper>,
    /// Dropping it ends the watching.
    pub(super) watch: Option<Watch>,
}

impl Desk {
    pub(super) fn new(
        id: DirectoryId,
        location: Location,
        profile: Profile,
        may_make: bool,
        clock: Arc<dyn Clock>,
        jobs: Sender<Job>,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            id,
            namer: Namer::new(&location),
            location,
            ignored: Ignored::new(),
            exclusions: Exclusions::default(),
            profile,
            may_make,
            clock,
            membership: None,
            last_session: None,
            is_refused: false,
            is_advice_told: false,
            files: HashMap::new(),
            appearance: None,
            jobs,
            events,
        }
    }

    /// Does a job and tells the loop what came of it.
    pub(super) fn run(&mut self, job: Job) {
        let done = match job {
            Job::Join => self.rejoin(),
            Job::Exclude(globs) => {
                // They were checked when the settings were read.
                self.exclusions = Exclusions::new(&globs).unwrap_or_default();
                None
            }
            Job::Examine(examination) => Some(self.examine(*examination)),
            Job::LookAtFiles(files) => self.look_at_files(files),
            Job::Release(holding) => self.release_holding(holding),
            Job::Renew(holding, lease) => self.told(|registry| {
                let outcome = registry.renew(&holding, lease)?;
                Ok(Some(Done::Renewed(holding.clone(), outcome)))
            }),
            Job::MarkIdle(holding, since) => self.told(|registry| {
                let outcome = registry.mark_idle(&holding, since)?;
                Ok(Some(Done::Renewed(holding.clone(), outcome)))
            }),
            Job::Verify(resource) => self.verify(&resource),
            Job::Move(moved) => Some(self.move_claim(*moved)),
            Job::SetEditing(resources) => self.set_editing(&resources),
            Job::SetName(name) => {
                self.profile.name = Some(name.clone());
                self.in_session(|registry, session| registry.set_name(session, &name).map(|()| None))
            }
            Job::KeepAlive => self.keep_alive(),
            Job::Heartbeat(activity) => {
                self.in_session(|registry, session| registry.heartbeat(session, &activity).map(|()| None))
            }
            Job::Send(recipient, draft) => {
                self.in_session(|registry, session| registry.send(session, &recipient, &draft).map(|_| None))
            }
            Job::MarkRead(ids) => self.in_session(|registry, session| {
                registry.mark_read(session, &ids)?;
                Ok(Some(Done::Read(ids.clone())))
            }),
            Job::Command(question, command) => {
                let (answer, consequences) = self.execute(*command);
                Some(Done::Commanded { question, answer, consequences })
            }
            Job::Interest(sessions) => {
                if let Some(watch) = self.membership.as_ref().and_then(|it| it.watch.as_ref()) {
                    watch.set_interest(sessions);
                }
                None
            }
            Job::RefreshBoard => {
                if let Some(housekeeper) = self.membership.as_ref().and_then(|it| it.housekeeper.as_ref()) {
                    housekeeper.poke();
                }
                None
            }
            Job::Complete => Some(self.complete()),
        };
        if let Some(done) = done {
            self.tell(done);
        }
    }

    /// Tells the loop.
    pub(super) fn tell(&self, done: Done) {
        // The loop is gone only while the process ends.
        let _ = self.events.send(Event::Done(self.id, Box::new(done)));
    }

    /// Claims for the session, and says once if that keeps nobody out.
    pub(super) fn claim(&mut self, resource: &Resource, terms: &Terms) -> Result<ClaimOutcome, Refusal> {
        let (outcome, locking) = self.with_session(true, |registry, session| {
            Ok((registry.claim(session, resource, terms)?, registry.locking()))
        })?;
        if locking == Locking::Unsupported && !self.is_advice_told {
            self.is_advice_told = true;
            self.tell(Done::OnlyAdvice(self.directory().to_owned()));
        }
        Ok(outcome)
    }

    /// What gives the loop the changes in the directory.
    pub(super) fn deliver_changes(&self) -> impl Fn(Vec<deconflict_registry::Change>) + Send + 'static {
        let (id, events) = (self.id, self.events.clone());
        move |changes| drop(events.send(Event::Changed(id, changes)))
    }

    /// The coordination directory.
    pub(super) fn directory(&self) -> &Path {
        &self.location.directory
    }

    /// Does something at the directory, if the session takes part there.
    fn told(&self, verb: impl Fn(&Registry) -> Result<Option<Done>, Error>) -> Option<Done> {
        let membership = self.membership.as_ref().filter(|membership| membership.is_writable)?;
        match verb(&membership.registry) {
            Ok(done) => done,
            // It is gone with everything in it, and the watch says so.
            Err(Error::Missing { .. }) => None,
            Err(error) => Some(Done::Failed(failure(&error))),
        }
    }

    /// The same in the name of the session, which is registered again if its record is gone.
    fn in_session(&mut self, verb: impl Fn(&Registry, &SessionId) -> Result<Option<Done>, Error>) -> Option<Done> {
        // Nothing of this is worth making a directory for.
        if !self.membership.as_ref().is_some_and(|it| it.is_writable) || !self.directory().exists() {
            return None;
        }
        match self.with_session(false, verb) {
            Ok(done) => done,
            Err(Refusal::Failed(_, message)) => Some(Done::Failed(message)),
            // What keeps the session out was told when it was found.
            Err(_) => None,
        }
    }

    fn release_holding(&self, holding: Holding) -> Option<Done> {
        let membership = self.membership.as_ref().filter(|membership| membership.is_writable)?;
        match membership.registry.release_holding(&holding) {
            Ok(outcome) => Some(Done::Released(holding, outcome)),
            Err(Error::Missing { .. }) => None,
            Err(error) => {
                if matches!(error, Error::Busy { .. }) {
                    // Nobody else gives it up. What else waits is done first.
                    let _ = self.jobs.send(Job::Release(holding));
                }
                Some(Done::Failed(failure(&error)))
            }
        }
    }

    fn set_editing(&mut self, resources: &[Resource]) -> Option<Done> {
        // Nothing of this is worth making a directory for.
        if !self.membership.as_ref().is_some_and(|it| it.is_writable) || !self.directory().exists() {
            return None;
        }
        match self.with_session(false, |registry, session| registry.set_editing(session, resources)) {
            Err(Refusal::Failed(reason, message)) => {
                if reason == BUSY {
                    self.tell(Done::EditingUntold);
                }
                Some(Done::Failed(message))
            }
            // What keeps the session out was told when it was found.
            Ok(()) | Err(_) => None,
        }
    }

    fn verify(&self, resource: &Resource) -> Option<Done> {
        self.told(|registry| Ok(Some(Done::Verified(resource.clone(), registry.claim_of(resource)?))))
    }

    fn keep_alive(&mut self) -> Option<Done> {
        self.take_part_again();
        self.in_session(|registry, session| registry.keep_alive(session).map(|()| None))
    }

    fn complete(&mut self) -> Done {
        if let Some(membership) = self.membership.take().filter(|it| it.is_writable)
            && self.directory().exists()
        {
            let Membership { registry, session, .. } = &membership;
            let complete = || registry.complete(session, &Completion::default());
            let completed = complete().or_else(|error| {
                if !error.is_about_record_of(session) {
                    return Err(error);
                }
                registry.resume(session, self.new_session())?;
                complete()
            });
            if let Err(error) = completed {
                tracing::warn!("the session could not be completed: {error}");
            }
            if let Some(housekeeper) = membership.housekeeper {
                housekeeper.finish();
            }
        }
        Done::Completed
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
