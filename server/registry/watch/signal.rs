//! What wakes the thread that watches: time, or a signal.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::Changed;
use deconflict_protocol::SessionId;

/// How often the thread wakes by itself. A killed server is seen so soon, and so is a directory on a file system that
/// notifies of nothing.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// The same where the store cannot tell what changes.
pub(super) const UNWATCHED_TICK: Duration = Duration::from_secs(1);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Signal {
    /// The store tells of something.
    Changed(Changed),
    /// The server says whose processes matter.
    Interest(Vec<SessionId>),
    /// The watch is no longer wanted.
    Stop,
}

/// Signals in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct SignalQueue(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Signal>>,
    wake: Condvar,
}

impl SignalQueue {
    /// Adds one, and wakes the thread.
    pub(super) fn send(&self, signal: Signal) {
        self.add(signal);
        self.wake();
    }

    /// Adds one for whoever takes signals next. The thread sleeps on.
    pub(super) fn add(&self, signal: Signal) {
        self.waiting().push_back(signal);
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// The oldest, if it is one of those that are wanted.
    pub(super) fn take_if(&self, is_wanted: impl Fn(&Signal) -> bool) -> Option<Signal> {
        self.waiting().pop_front_if(|signal| is_wanted(signal))
    }

    /// True if nothing waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// All that there are.
    pub(super) fn take_all(&self) -> VecDeque<Signal> {
        std::mem::take(&mut *self.waiting())
    }

    /// Waits until there are some or it is this time.
    pub(super) fn wait(&self, until: Instant) {
        let mut waiting = self.waiting();
        while waiting.is_empty() {
            let pause = until.saturating_duration_since(Instant::now());
            if pause.is_zero() {
                return;
            }
            waiting = self.0.wake.wait_timeout(waiting, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Signal>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
