//! What was sent to this process and not read yet.

/// Tells of standard input without reading it.
#[derive(Debug)]
pub struct InputGlance(());

#[cfg(unix)]
impl InputGlance {
    /// `None` where the system cannot tell.
    pub fn of_standard_input() -> Option<Self> {
        Some(Self(()))
    }

    /// True if a read would not wait, since something has arrived or nothing more will.
    pub fn has_arrived(&self) -> bool {
        use rustix::event::Timespec;
        has_arrived_within(Some(Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    /// Waits until that is so.
    pub fn wait(&self) {
        has_arrived_within(None);
    }
}

#[cfg(unix)]
fn has_arrived_within(limit: Option<rustix::event::Timespec>) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let input = std::io::stdin();
    // Where it cannot be asked, the read that follows says why.
    let asked = rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&input, PollFlags::IN)], limit.as_ref()));
    asked.map_or(true, |ready| ready > 0)
}

#[cfg(not(unix))]
impl InputGlance {
    /// `None` where the system cannot tell.
    pub fn of_standard_input() -> Option<Self> {
        None
    }

    /// True if a read would not wait, since something has arrived or nothing more will.
    pub fn has_arrived(&self) -> bool {
        true
    }

    /// Waits until that is so.
    pub fn wait(&self) {}
}
