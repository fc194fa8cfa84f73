//! How often everything is looked at, so that watching costs next to nothing while nothing happens.

use std::time::{Duration, Instant};

/// Looking at everything never takes more than this part of the time: one two-thousandth, which is 0.05 % of a core.
const SHARE_OF_EVERYTHING: u32 = 2000;

/// Looking again at a folder in which names changed may take more, because then something happens: one fiftieth.
const SHARE_OF_CHANGED: u32 = 50;

const LEAST_INTERVAL: Duration = Duration::from_secs(5);

/// The same where the system notifies of nothing.
const LEAST_UNWATCHED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Pace {
    last_everything: Instant,
    last_changed: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { last_everything: Instant::now(), last_changed: Instant::now() }
    }

    /// True if it is time to compare every file, and then counts from now on again.
    pub(super) fn is_everything_due(&mut self, cost: Duration, is_watching: bool) -> bool {
        let interval = if is_watching {
            LEAST_INTERVAL.max(cost * SHARE_OF_EVERYTHING)
        } else {
            LEAST_UNWATCHED.max(cost * (SHARE_OF_EVERYTHING / 4))
        };
        is_due(&mut self.last_everything, interval)
    }

    /// True if folders whose names changed may be looked at, and then counts from now on again.
    pub(super) fn are_changed_folders_due(&mut self, cost: Duration) -> bool {
        is_due(&mut self.last_changed, cost * SHARE_OF_CHANGED)
    }
}

fn is_due(last: &mut Instant, interval: Duration) -> bool {
    let is_due = last.elapsed() >= interval;
    if is_due {
        *last = Instant::now();
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_a_scan_costs_the_later_is_the_next() {
        let mut pace = Pace::new();
        let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
        let (none, much) = (Duration::ZERO, Duration::from_millis(20));
        pace.last_everything = ago(Duration::from_secs(6));
        assert!(pace.is_everything_due(none, true));
        assert!(!pace.is_everything_due(none, true), "it counts from the last time");

        pace.last_everything = ago(Duration::from_secs(39));
        assert!(!pace.is_everything_due(much, true));
        pace.last_everything = ago(Duration::from_secs(41));
        assert!(pace.is_everything_due(much, true));

        pace.last_changed = ago(Duration::from_millis(900));
        assert!(!pace.are_changed_folders_due(much));
        pace.last_changed = ago(Duration::from_millis(1100));
        assert!(pace.are_changed_folders_due(much));
    }
}
