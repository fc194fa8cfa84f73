//! How often something is told that may change many times a second.

use std::time::Duration;

/// So many are told at once, because single changes must not wait.
const BURST: u32 = 4;

/// Those that follow come this far apart.
const INTERVAL: Duration = Duration::from_millis(250);

/// A few at once, then a few per second (the generic cell rate algorithm, as in ATM networks).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RateLimit {
    /// When the next one would be due if all came at the steady rate.
    steady: Duration,
}

impl RateLimit {
    /// When the next may be told: `None` if at once.
    pub(super) fn delayed_until(&self, now: Duration) -> Option<Duration> {
        let at = self.steady.saturating_sub(INTERVAL * (BURST - 1));
        (at > now).then_some(at)
    }

    /// Counts one that is told now.
    pub(super) fn count(&mut self, now: Duration) {
        self.steady = self.steady.max(now) + INTERVAL;
    }
}
