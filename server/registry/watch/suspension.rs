//! Whether this process, or the whole machine, was suspended for a while.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::signal::TICK;
use deconflict_platform::clock::Clock;

/// A pause that is longer than [`TICK`] by this much means that this process or the machine was suspended.
const SUSPENSION: Duration = Duration::from_secs(5);

/// Both readings of the clock when the thread last ran.
pub(super) struct LastSeen {
    elapsed: Duration,
    wall: DateTime<Utc>,
}

impl LastSeen {
    /// It runs now.
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self { elapsed: clock.elapsed(), wall: clock.now() }
    }

    /// True if the thread was suspended since it last ran. It runs now.
    pub(super) fn was_suspended(&mut self, clock: &dyn Clock) -> bool {
        let before = std::mem::replace(self, Self::now(clock));
        let (monotonic, of_day) = (self.elapsed.saturating_sub(before.elapsed), self.wall - before.wall);
        let longest = TICK + SUSPENSION;
        monotonic > longest || of_day > TimeDelta::from_std(longest).unwrap_or(TimeDelta::MAX)
    }
}
