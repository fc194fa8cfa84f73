//! Watching a registry: what others change reaches a server without its asking.
//!
//! What the store tells of is a hint of where to look, never the truth: it is read again. One thread does it all. While
//! nothing happens it wakes every [`TICK`](signal::TICK), for a few system calls: the store looks for what it has not told of, and the
//! processes that keep sessions are looked at, because a killed process changes no record.

mod batch;
mod change;
mod inbox;
mod observer;
mod processes;
mod signal;
mod suspension;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

pub use change::Change;

use self::observer::{Observer, watched_by};
use self::signal::Signal;
use super::store::{Hear, Range, Store, Watching};
use super::{Error, Registry};
use deconflict_protocol::SessionId;

/// Watching, for as long as this is kept.
#[derive(Debug)]
pub struct Watch {
    signals: Sender<Signal>,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    /// Names the sessions whose end matters most: those that hold what is open in the editor. Their processes are
    /// looked at every time, however many sessions there are.
    pub fn set_interest(&self, sessions: Vec<SessionId>) {
        // The thread is gone only if it failed, and then nothing is looked at.
        let _ = self.signals.send(Signal::Interest(sessions));
    }
}

impl Drop for Watch {
    /// Stops without waiting: nothing more is delivered, except what is being delivered right now.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = self.signals.send(Signal::Stop);
    }
}

/// Watches a registry for one session, on a thread of its own. All that is there is delivered first, then
/// [`Change::Ready`], then what changes. `deliver` is called on that thread and should not keep it.
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
    let (signals, received) = channel();
    let stopped = Arc::new(AtomicBool::new(false));
    let watch = Watch { signals: signals.clone(), stopped: Arc::clone(&stopped) };
    // Nobody listens only after the watch was dropped.
    let hear = move |changed| drop(signals.send(Signal::Changed(changed)));
    let watching = begin(&watched_by(session), Box::new(hear));
    let observer = Observer::new(registry.clone(), session.clone(), watching, deliver, received, stopped);
    let thread = std::thread::Builder::new().name("watch".to_owned());
    thread.spawn(move || observer.run()).map_err(Error::NoThread)?;
    Ok(watch)
}

#[cfg(test)]
mod tests {
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
