//! The thread that works at one coordination directory: it does the loop's jobs in their order, and may wait for the
//! disk as the loop may not.

mod commands;
mod documents;
mod guard;
mod housekeeping;
mod jobs;
mod journal_access;
mod journal_commands;
mod journal_keeper;
mod membership;
mod session_context;
mod waiting;
mod watched_files;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use super::event::DirectoryId;
use super::event_loop::Events;
use super::job::{Job, Profile};
use deconflict_platform::clock::Clock;
use deconflict_workspace::Location;
use session_context::SessionContext;

/// A running worker. It ends with [`Job::Complete`].
#[derive(Debug)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
    is_ending: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(
        id: DirectoryId,
        location: Location,
        profile: Profile,
        may_make: bool,
        clock: Arc<dyn Clock>,
        events: Events,
    ) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let worker = Self { jobs, is_ending: Arc::clone(&is_ending) };
        let session = SessionContext::new(id, location, profile, may_make, clock, worker.jobs.clone(), events);
        thread::Builder::new().name("registry".to_owned()).spawn(move || work(session, &waiting, &is_ending))?;
        Ok(worker)
    }

    /// Queues a job.
    pub(super) fn send(&self, job: Job) {
        if matches!(job, Job::Complete) {
            // What else waits before it would only delay the release of everything.
            self.is_ending.store(true, Ordering::Release);
        }
        let _ = self.jobs.send(job);
    }
}

fn work(mut session: SessionContext, jobs: &mpsc::Receiver<Job>, is_ending: &AtomicBool) {
    for job in jobs {
        let is_last = matches!(job, Job::Complete);
        // What the user asked for before the end is done.
        let is_asked_for = matches!(job, Job::Command(..));
        if is_ending.load(Ordering::Acquire) && !is_last && !is_asked_for {
            continue;
        }
        if catch_unwind(AssertUnwindSafe(|| session.run(job))).is_err() {
            tracing::error!("a job failed unexpectedly; the next one goes on");
        }
        if is_last {
            return;
        }
    }
}
