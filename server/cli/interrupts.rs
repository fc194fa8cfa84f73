//! The signals of a verb that waits: those that ask it to end make it give up waiting, and leave nothing behind.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use deconflict_platform::{self as platform, Signals};
use deconflict_registry::Waker;

use super::failure::Failure;

pub(super) struct Interrupts {
    /// All that come, by their numbers.
    pub(super) received: Receiver<i32>,
    asked: Arc<AtomicI32>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Interrupts {
    /// Takes them over, before this process starts a thread.
    pub(super) fn take() -> Result<Self, Failure> {
        let could_not = |error| Failure::could_not("listen for signals", &error);
        let signals = Signals::take().map_err(could_not)?;
        let (tell, received) = channel();
        let (asked, waker) = (Arc::new(AtomicI32::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let (heard, woken) = (Arc::clone(&asked), Arc::clone(&waker));
        let hear = move |number| {
            if Signals::asks_to_end(number) {
                heard.store(number, Ordering::SeqCst);
                if let Some(waker) = &*woken.lock().unwrap_or_else(PoisonError::into_inner) {
                    waker.interrupt();
                }
            }
            // Nobody listens only at the end.
            let _ = tell.send(number);
        };
        signals.tell(hear).map_err(could_not)?;
        Ok(Self { received, asked, waker })
    }

    /// Those that ask this process to end wake who waits.
    pub(super) fn wake(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        if self.asked().is_some() {
            waker.interrupt();
        }
    }

    /// Which one asked.
    pub(super) fn asked(&self) -> Option<i32> {
        Some(self.asked.load(Ordering::SeqCst)).filter(|number| *number != 0)
    }

    /// Ends this process as the signal would have.
    pub(super) fn end(number: i32) -> ! {
        platform::end_by_signal(number, false);
        std::process::exit(128 + number)
    }
}
