//! Hearing of what others write.

use std::time::Duration;

use super::{Key, Range};

/// What a store tells of, from whichever thread. It must return at once.
pub type Hear = Box<dyn Fn(Changed) + Send + Sync>;

/// What may be different from now on. It is a hint of what to read again, never the truth: whoever hears it reads what
/// stands there now.
#[derive(Debug)]
pub enum Changed {
    /// A record was written, or is gone.
    Record(Key),
    /// Any record in a range may have been written or be gone.
    Range(Range),
    /// Any record may have been written or be gone, because something was missed. After [`Changed::Lost`]: the store is
    /// there again.
    Everything,
    /// All records are gone, with the store itself.
    Lost,
    /// Something happened of which only [`Watching::look`] finds out what it means.
    Unclear,
    /// The store cannot tell what changes, in words for people. Whoever watches looks more often.
    Trouble(String),
}

/// Watching, for as long as this is kept.
pub trait Watching: Send {
    /// Looks for what nothing has told of. Whoever watches calls it from time to time; the first call comes before
    /// anything is read. `cost` is how long it took to compare all records that are watched with what is known of them,
    /// so that a store that has to ask for this does so the more rarely the more that takes.
    fn look(&mut self, cost: Duration) -> Vec<Changed> {
        let _ = cost;
        Vec::new()
    }
}
