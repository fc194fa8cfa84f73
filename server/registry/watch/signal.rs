//! What wakes the thread that watches: time, or a signal.

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
