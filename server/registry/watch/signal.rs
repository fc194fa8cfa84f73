//! What wakes the thread that watches.

use std::time::Duration;

use super::hints::Hint;
use deconflict_protocol::SessionId;

/// How often the thread wakes by itself. A killed server is seen so soon, and so is a directory on a file system that
/// notifies of nothing.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// What wakes the thread.
pub(super) enum Signal {
    /// The system noticed something.
    Hint(Hint),
    /// The server says whose processes matter.
    Interest(Vec<SessionId>),
    /// The watch is no longer wanted.
    Stop,
}
