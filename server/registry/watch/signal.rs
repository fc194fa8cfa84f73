//! What wakes the thread that watches: time, or a signal.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::store::Changed;
use deconflict_protocol::SessionId;

/// How often the thread wakes by itself. A killed server is seen so soon, and so is a directory on a file system that
/// notifies of nothing.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// The same where the store cannot tell what changes.
pub(super) const UNWATCHED_TICK: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(super) enum Signal {
    /// The store tells of something.
    Changed(Changed),
    /// The server says whose processes matter.
    Interest(Vec<SessionId>),
    /// The watch is no longer wanted.
    Stop,
}

/// SignalQueue on their way to the thread, in their order.
#[derive(Default)]
pub(super) struct SignalQueue {
    waiting: Mutex<VecDeque<Signal>>,
    arrived: Condvar,
}

impl SignalQueue {
    pub(super) fn send(&self, signal: Signal) {
        self.waiting().push_back(signal);
        self.arrived.notify_one();
    }

    /// Takes one if there is any.
    pub(super) fn take(&self) -> Option<Signal> {
        self.waiting().pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Waits until there is one, for at most so long.
    pub(super) fn wait(&self, longest: Duration) {
        drop(self.arrived.wait_timeout_while(self.waiting(), longest, |waiting| waiting.is_empty()));
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Signal>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
