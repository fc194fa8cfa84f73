//! Watching a registry: what others change reaches a server without its asking.
//!
//! What the store tells of is a hint of where to look, never the truth: it is read again. One [`Observer`] does it all,
//! and whoever has it works alone. Mostly that is a thread of its own. While nothing happens that wakes every
//! [`TICK`](signal::TICK), for a few system calls: the store looks for what it has not told of, and the processes that
//! keep sessions are looked at, because a killed process changes no record.
//!
//! A single record is read by the very thread that the store tells of it, for somebody waits to see it, and waking
//! another thread takes longer than reading it. Whatever came before it comes first: it is left to the observer's thread
//! as long as anything else waits.

mod batch;
mod change;
mod inbox;
mod observer;
mod processes;
mod signal;
mod suspension;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use change::Change;

use self::observer::{Observer, watched_by};
use self::signal::{Signal, SignalQueue};
use super::store::{Changed, Hear, Range, Store, Watching};
use super::{Error, Registry};
use deconflict_protocol::SessionId;

/// Watching, for as long as this is kept.
#[derive(Debug)]
pub struct Watch {
    signals: SignalQueue,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    /// Names the sessions whose end matters most: those that hold what is open in the editor. Their processes are
    /// looked at every time, however many sessions there are.
    pub fn set_interest(&self, sessions: Vec<SessionId>) {
        self.signals.send(Signal::Interest(sessions));
    }
}

impl Drop for Watch {
    /// Stops without waiting: nothing more is delivered, except what is being delivered right now.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.signals.send(Signal::Stop);
    }
}

/// Watches a registry for one session, on a thread of its own. All that is there is delivered first, then
/// [`Change::Ready`], then what changes. `deliver` is called on that thread or on the store's own, one call after the
/// other, and should not keep it.
///
/// # Errors
///
/// Only if the system gives no thread. What cannot be watched is looked at instead, and [`Change::Trouble`] says so.
pub fn watch<S: Store + 'static>(
    registry: &Registry<S>,
    session: &SessionId,
    deliver: impl Fn(Vec<Change>) + Send + 'static,
) -> Result<Watch, Error> {
    watch_with(|ranges, hear| registry.store.watch(ranges, hear), registry, session, deliver)
}

fn watch_with<S: Store + 'static>(
    begin: impl FnOnce(&[Range], Hear) -> Box<dyn Watching>,
    registry: &Registry<S>,
    session: &SessionId,
    deliver: impl Fn(Vec<Change>) + Send + 'static,
) -> Result<Watch, Error> {
    let signals = SignalQueue::default();
    let stopped = Arc::new(AtomicBool::new(false));
    let watch = Watch { signals: signals.clone(), stopped: Arc::clone(&stopped) };
    let shared = Arc::new(Mutex::new(None));
    let hear = {
        // The observer keeps what calls this.
        let (signals, shared) = (signals.clone(), Arc::downgrade(&shared));
        move |changed| hear(changed, &signals, &shared)
    };
    let watching = begin(&watched_by(session), Box::new(hear));
    let observer = Observer::new(registry.clone(), session.clone(), watching, deliver, signals.clone(), stopped);
    *lock(&shared) = Some(observer);
    let thread = std::thread::Builder::new().name("watch".to_owned());
    thread.spawn(move || work(&signals, &shared)).map_err(Error::NoThread)?;
    Ok(watch)
}

/// Works whenever there is something to do, until nobody watches any more.
fn work<S: Store, D: Fn(Vec<Change>)>(signals: &SignalQueue, shared: &Mutex<Option<Observer<S, D>>>) {
    loop {
        // The observer is free while the thread sleeps.
        let next = lock(shared).as_mut().and_then(Observer::work);
        let Some(next) = next else { break };
        signals.wait(next);
    }
    drop(lock(shared).take());
}

/// Reads what was named at once if nobody else works, and leaves it to the thread otherwise. It never waits: the
/// observer may be waiting for the very thread that calls this.
fn hear<S: Store, D: Fn(Vec<Change>)>(
    changed: Changed,
    signals: &SignalQueue,
    shared: &Weak<Mutex<Option<Observer<S, D>>>>,
) {
    signals.add(Signal::Changed(changed));
    let is_done = shared.upgrade().is_some_and(|shared| {
        shared.try_lock().is_ok_and(|mut observer| observer.as_mut().is_some_and(Observer::read_at_once))
    });
    if !is_done {
        signals.wake();
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::store::files::watch::FilesWatching;
    use crate::{ClaimState, Key, NewSession, Terms, View};
    use deconflict_platform::clock::SystemClock;
    use deconflict_protocol::{Naming, Resource};

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn what_cannot_be_watched_is_looked_at_and_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let registry = Registry::create(&folder.path().join("COORDINATION"), clock.clone()).unwrap();
        let me = registry.register(NewSession::default()).unwrap().id;
        let (sender, changes) = channel();
        let deliver = move |batch| drop(sender.send(batch));
        let begin =
            |ranges: &[Range], _| -> Box<dyn Watching> { Box::new(FilesWatching::unwatched(registry.path(), ranges)) };
        let _watch = watch_with(begin, &registry, &me, deliver).unwrap();
        let mut view = View::new(me.clone(), clock);
        let mut troubles = 0;
        let mut until = |view: &mut View, is_so: &dyn Fn(&View) -> bool| {
            while !is_so(view) {
                for change in changes.recv_timeout(PATIENCE).unwrap() {
                    troubles += usize::from(matches!(change, Change::Trouble(_)));
                    view.apply(change);
                }
            }
            troubles
        };
        until(&mut view, &View::is_complete);

        let resource = Resource::file("a.rs").unwrap();
        registry.claim(&me, &resource, &Terms::default()).unwrap();
        until(&mut view, &|view| view.claim_of(&resource).is_some());
        // In place and of the same length: only the file's own stamp tells.
        let path = registry.file_of(&Key::Claim(Naming::default().key(&resource)));
        let text = std::fs::read_to_string(&path).unwrap().replace("file", "fool");
        std::fs::write(&path, text).unwrap();
        until(&mut view, &|view| view.claim_of(&resource).is_some_and(|claim| claim.says_something_else()));
        std::fs::remove_dir_all(registry.path()).unwrap();
        until(&mut view, &|view| !view.is_complete());
        let again = registry.register(NewSession::default()).unwrap().id;
        registry.claim(&again, &resource, &Terms::default()).unwrap();
        let troubles = until(&mut view, &|view| {
            view.claim_of(&resource).is_some_and(|claim| claim.standing == ClaimState::Active)
        });
        assert_eq!(troubles, 1);
    }
}
