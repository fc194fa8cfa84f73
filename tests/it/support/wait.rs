//! Waiting: always for something, always with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen, unless it says otherwise. It is generous because test machines are
/// slow and shared; what the product promises in time is asserted where it is promised.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Between two looks no more than this counts: where the machine or this process was paused, nothing had time to happen.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Asks `probe` until it has an answer, and fails the test when that takes longer than [`DEADLINE`].
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE, what, probe)
}

/// Asks `probe` until it has an answer, and fails the test when that takes longer than `limit`.
#[track_caller]
pub(crate) fn wait_within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let (mut waited, mut last) = (Duration::ZERO, Instant::now());
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        waited += last.elapsed().min(LONGEST_LOOK);
        last = Instant::now();
        assert!(waited < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
