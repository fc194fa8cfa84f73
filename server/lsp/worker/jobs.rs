//! The jobs, each with what does it.

use super::journal_keeper::News;
use super::session_context::{BUSY, Membership, SessionContext};
use crate::job::{Claimability, Job, JobResult, Refusal};
use crate::settings::journal_settings;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Completion, Error, Holding, Registry, ReleaseOutcome};
use deconflict_words::failure;
use deconflict_workspace::Exclusions;

impl SessionContext {
    /// Does a job and tells the loop what came of it.
    pub(super) fn run(&mut self, job: Job) {
        let done = match job {
            Job::Join => self.rejoin(),
            Job::Exclude(globs) => {
                // They were checked when the settings were read.
                self.exclusions = Exclusions::new(&globs).unwrap_or_default();
                None
            }
            Job::Share(settings) => {
                self.shared_settings = settings;
                self.tell_journal(News::Settings(journal_settings(&self.shared_settings)));
                let settings = Some(&self.shared_settings).filter(|settings| !settings.is_empty()).cloned();
                self.in_session(|registry, session| registry.set_settings(session, settings.as_ref()).map(|()| None))
            }
            Job::Moved(paths) => {
                self.tell_journal(News::Moved(paths));
                None
            }
            Job::Saving(path, at) => {
                if let Claimability::Inside { resource, is_work: true, .. } = self.place(&path) {
                    self.tell_journal(News::Saving(resource, at));
                }
                None
            }
            Job::JournalHeard => {
                self.tell_journal(News::Heard);
                None
            }
            Job::Keep(paths, reply) => {
                for path in &paths {
                    self.keep(path);
                }
                if let Some(reply) = reply {
                    reply.send(Ok(None));
                }
                None
            }
            Job::ReadLosses(resource) => {
                self.tell_journal(News::Losses(resource));
                None
            }
            Job::Settle(losses, how) => {
                self.tell_journal(News::Settled(losses, how));
                None
            }
            Job::CheckDisk(check) => Some(self.check_disk(*check)),
            Job::CheckFiles(files) => self.check_files(files),
            Job::Release(holding) => self.give_up(holding, Job::Release, Registry::release_holding),
            Job::GiveWay(holding) => self.give_up(holding, Job::GiveWay, Registry::give_way),
            Job::Renew(holding, lease) => self.told(|registry| {
                let outcome = registry.renew(&holding, lease)?;
                Ok(Some(JobResult::Renewed(holding.clone(), outcome)))
            }),
            Job::MarkIdle(holding, since) => self.told(|registry| {
                let outcome = registry.mark_idle(&holding, since)?;
                Ok(Some(JobResult::Renewed(holding.clone(), outcome)))
            }),
            Job::Verify(resource) => self.verify(&resource),
            Job::LookAtMachine(resources) => Some(self.look_at_machine(resources)),
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
                Ok(Some(JobResult::Read(ids.clone())))
            }),
            Job::Command(question, command) => {
                let (answer, consequences) = self.execute(*command);
                Some(JobResult::Commanded { question, answer, consequences })
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
                self.tell_journal(News::Claims);
                None
            }
            Job::Complete => Some(self.complete()),
        };
        if let Some(done) = done {
            self.report(done);
        }
    }

    /// Does something at the directory, if the session takes part there.
    fn told(&self, verb: impl Fn(&Registry) -> Result<Option<JobResult>, Error>) -> Option<JobResult> {
        let membership = self.membership.as_ref().filter(|membership| membership.is_writable)?;
        match verb(&membership.registry) {
            Ok(done) => done,
            // It is gone with everything in it, and the watch says so.
            Err(Error::Missing { .. }) => None,
            Err(error) => Some(JobResult::Failed(failure(&error))),
        }
    }

    /// The same in the name of the session, which is registered again if its record is gone.
    fn in_session(
        &mut self,
        verb: impl Fn(&Registry, &SessionId) -> Result<Option<JobResult>, Error>,
    ) -> Option<JobResult> {
        // Nothing of this is worth making a directory for.
        if !self.membership.as_ref().is_some_and(|it| it.is_writable) || !self.directory().exists() {
            return None;
        }
        match self.with_session(false, verb) {
            Ok(done) => done,
            Err(Refusal::Failed(_, message)) => Some(JobResult::Failed(message)),
            // What keeps the session out was told when it was found.
            Err(_) => None,
        }
    }

    fn give_up(
        &self,
        holding: Holding,
        again: fn(Holding) -> Job,
        verb: fn(&Registry, &Holding) -> Result<ReleaseOutcome, Error>,
    ) -> Option<JobResult> {
        let membership = self.membership.as_ref().filter(|membership| membership.is_writable)?;
        match verb(&membership.registry, &holding) {
            Ok(outcome) => Some(JobResult::Released(holding, outcome)),
            Err(Error::Missing { .. }) => None,
            Err(error) => {
                if matches!(error, Error::Busy { .. }) {
                    // Nobody else gives it up. What else waits is done first.
                    let _ = self.jobs.send(again(holding));
                }
                Some(JobResult::Failed(failure(&error)))
            }
        }
    }

    fn set_editing(&mut self, resources: &[Resource]) -> Option<JobResult> {
        // Nothing of this is worth making a directory for.
        if !self.membership.as_ref().is_some_and(|it| it.is_writable) || !self.directory().exists() {
            return None;
        }
        match self.with_session(false, |registry, session| registry.set_editing(session, resources)) {
            Err(Refusal::Failed(reason, message)) => {
                if reason == BUSY {
                    self.report(JobResult::EditingUntold);
                }
                Some(JobResult::Failed(message))
            }
            // What keeps the session out was told when it was found.
            Ok(()) | Err(_) => None,
        }
    }

    fn verify(&self, resource: &Resource) -> Option<JobResult> {
        self.told(|registry| Ok(Some(JobResult::Verified(resource.clone(), registry.claim_of(resource)?))))
    }

    fn look_at_machine(&self, mut resources: Vec<Resource>) -> JobResult {
        // What cannot be read is not known to be free.
        let is_free = |claims: Result<Vec<Claim>, Error>| {
            claims.is_ok_and(|claims| !claims.iter().any(|claim| claim.stands_against(None)))
        };
        if let Some(registry) = self.machine_registry() {
            resources.retain(|resource| is_free(registry.claims_on(resource)));
        }
        JobResult::FreeOfMachine(resources)
    }

    fn keep_alive(&mut self) -> Option<JobResult> {
        self.take_part_again();
        self.watch_machine();
        self.in_session(|registry, session| registry.keep_alive(session).map(|()| None))
    }

    fn complete(&mut self) -> JobResult {
        if let Some(membership) = self.membership.take().filter(|it| it.is_writable)
            && self.directory().exists()
        {
            let Membership { registry, session, .. } = &membership;
            let complete = || registry.complete(session, &Completion::default());
            let completed = complete().or_else(|error| {
                if !error.is_about_record_of(session) {
                    return Err(error);
                }
                registry.resume(session, &self.new_session())?;
                complete()
            });
            if let Err(error) = completed {
                tracing::warn!("the session could not be completed: {error}");
            }
            // Its thread may not come to that before the process ends.
            if let Some(access) = &membership.access {
                access.forget_settings();
            }
            if let Some(housekeeper) = membership.housekeeper {
                housekeeper.finish();
            }
        }
        JobResult::Completed
    }
}
