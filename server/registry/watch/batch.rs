//! Changes on their way to whoever watches, many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::change::Change;

/// At most so many changes are delivered at once, so that thousands of records are never in memory twice.
const MOST: usize = 256;

pub(super) struct Batch<D> {
    changes: Vec<Change>,
    deliver: D,
    stopped: Arc<AtomicBool>,
}

impl<D: Fn(Vec<Change>)> Batch<D> {
    /// Delivers nothing any more once `stopped` is set.
    pub(super) fn new(deliver: D, stopped: Arc<AtomicBool>) -> Self {
        Self { changes: Vec::new(), deliver, stopped }
    }

    pub(super) fn tell(&mut self, change: Change) {
        self.changes.push(change);
        if self.changes.len() >= MOST {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() && !self.stopped.load(Ordering::Relaxed) {
            (self.deliver)(changes);
        }
    }
}
