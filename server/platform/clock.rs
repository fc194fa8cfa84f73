//! Time as something that is handed in, so that expiry can be tested without waiting for it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::faults;

/// What tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, which may jump.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some moment before, which never goes back and stands still while the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] from now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + faults::clock_error()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock {
    time: Mutex<(DateTime<Utc>, Duration)>,
}

impl ManualClock {
    /// Starts at a time of day.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { time: Mutex::new((now, Duration::ZERO)) }
    }

    /// Lets time pass, for both readings alike.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.0 += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        time.1 += by;
    }

    /// Lets the time of day jump, as a wrong or mended clock does, or a machine that slept.
    pub fn jump(&self, by: TimeDelta) {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn elapsed(&self) -> Duration {
        self.time.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
