//! How often everything is looked at, so that watching costs next to nothing while nothing happens.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::signal::TICK;
use super::watched::Watched;

/// Looking at everything never takes more than this part of the time: one two-thousandth, which is 0.05 % of a core.
const SHARE_OF_EVERYTHING: u32 = 2000;

/// Looking again at a folder in which names changed may take more, because then something happens: one fiftieth.
const SHARE_OF_CHANGED: u32 = 50;

/// Everything is looked at no more often than this.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);

/// The same, and the pause between two looks, where the system notifies of nothing.
const UNWATCHED_TICK: Duration = Duration::from_secs(1);

/// A reading of the file system's clock counts for so long.
const READING_COUNTS: Duration = Duration::from_millis(100);

/// When what is due, by what it has cost before.
#[derive(Debug)]
pub(super) struct Pace {
    /// What the last scan of each folder with records has cost.
    costs: [Duration; Watched::WITH_RECORDS.len()],
    last_everything: Instant,
    last_changed: Instant,
    is_watching: bool,
    file_system_time: Option<(Instant, Option<DateTime<Utc>>)>,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            costs: Default::default(),
            last_everything: now,
            last_changed: now,
            is_watching: true,
            file_system_time: None,
        }
    }

    /// How long to pause if nothing happens.
    pub(super) fn tick(&mut self, is_watching: bool) -> Duration {
        self.is_watching = is_watching;
        if is_watching { TICK } else { UNWATCHED_TICK }
    }

    /// Notes what a scan has cost.
    pub(super) fn note_scan(&mut self, folder: Watched, cost: Duration) {
        if let Some(index) = Watched::WITH_RECORDS.iter().position(|other| *other == folder) {
            self.costs[index] = cost;
        }
    }

    /// True if it is time to compare every file, and then counts from now on again.
    pub(super) fn is_everything_due(&mut self) -> bool {
        let cost: Duration = self.costs.iter().sum();
        let least = if self.is_watching { LEAST_INTERVAL } else { UNWATCHED_TICK };
        let share = if self.is_watching { SHARE_OF_EVERYTHING } else { SHARE_OF_EVERYTHING / 4 };
        let is_due = self.last_everything.elapsed() >= least.max(cost * share);
        if is_due {
            self.last_everything = Instant::now();
        }
        is_due
    }

    /// True if folders whose names changed may be looked at, and then counts from now on again.
    pub(super) fn are_changed_folders_due(&mut self) -> bool {
        let cost: Duration = self.costs.iter().sum();
        let is_due = self.last_changed.elapsed() >= cost * SHARE_OF_CHANGED;
        if is_due {
            self.last_changed = Instant::now();
        }
        is_due
    }

    /// The time by the file system's clock, read anew only after a while: with a thousand sessions it is wanted a
    /// thousand times.
    pub(super) fn file_system_time(&mut self, read: impl FnOnce() -> Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        match self.file_system_time {
            Some((at, time)) if at.elapsed() < READING_COUNTS => time,
            _ => {
                let time = read();
                self.file_system_time = Some((Instant::now(), time));
                time
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_a_scan_costs_the_later_is_the_next() {
        let mut pace = Pace::new();
        let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
        pace.last_everything = ago(Duration::from_secs(6));
        assert!(pace.is_everything_due());
        assert!(!pace.is_everything_due(), "it counts from the last time");

        pace.note_scan(Watched::Claims, Duration::from_millis(20));
        pace.last_everything = ago(Duration::from_secs(39));
        assert!(!pace.is_everything_due());
        pace.last_everything = ago(Duration::from_secs(41));
        assert!(pace.is_everything_due());

        pace.last_changed = ago(Duration::from_millis(900));
        assert!(!pace.are_changed_folders_due());
        pace.last_changed = ago(Duration::from_millis(1100));
        assert!(pace.are_changed_folders_due());
    }
}
