//! What makes a verb that waits give up, and leave nothing behind: signals that ask its process to end, or whoever asked
//! for the verb.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use deconflict_platform::{self as platform, Signals};
use deconflict_registry::Waker;

use super::failure::Failure;

/// The signal of Ctrl-C.
pub(super) const INTERRUPT: i32 = 2;

/// Whether somebody asked to give up waiting.
#[derive(Debug, Clone, Default)]
pub(super) struct GiveUp {
    /// The signal's number; 0 as long as nobody did.
    asked: Arc<AtomicI32>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl GiveUp {
    /// Asks, as Ctrl-C does.
    pub(super) fn ask(&self) {
        self.ask_by(INTERRUPT);
    }

    /// Wakes who waits as soon as somebody asks.
    pub(super) fn wake(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        if self.asked().is_some() {
            waker.interrupt();
        }
    }

    /// The signal that asked; `None` as long as nobody did.
    pub(super) fn asked(&self) -> Option<i32> {
        Some(self.asked.load(Ordering::SeqCst)).filter(|number| *number != 0)
    }

    fn ask_by(&self, number: i32) {
        self.asked.store(number, Ordering::SeqCst);
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.interrupt();
        }
    }
}

/// The signals of this process.
pub(super) struct Interrupts(Signals);

impl Interrupts {
    /// Takes them over, before this process starts a thread.
    pub(super) fn take() -> Result<Self, Failure> {
        Signals::take().map(Self).map_err(|error| could_not_listen(&error))
    }

    /// Lets those that ask this process to end make who waits give up.
    pub(super) fn end_a_wait(&self, give_up: &GiveUp) -> Result<(), Failure> {
        let give_up = give_up.clone();
        let hear = move |number| {
            if Signals::asks_to_end(number) {
                give_up.ask_by(number);
            }
        };
        self.0.tell(hear).map_err(|error| could_not_listen(&error))
    }

    /// All of them, for a command that gets them.
    pub(super) fn signals(&self) -> &Signals {
        &self.0
    }

    /// Ends this process as the signal would have.
    pub(super) fn end(number: i32) -> ! {
        platform::end_by_signal(number, false);
        std::process::exit(128 + number)
    }
}

fn could_not_listen(error: &io::Error) -> Failure {
    Failure::could_not("listen for signals", error)
}
