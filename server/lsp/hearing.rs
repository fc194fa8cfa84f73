//! Whether all that the editor has said is known. What it wrote stands in the pipe until it is read, which may be long after,
//! as where this process was paused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::event::{DirectoryId, Event};
use super::event_loop::Events;
use deconflict_platform::InputGlance;

/// What the thread that reads tells the loop. All clones belong to one pipe.
#[derive(Debug, Clone)]
pub(super) struct Hearing {
    state: Arc<Mutex<State>>,
    /// `None` if the pipe cannot be asked. Then all counts as known that was read.
    pipe: Option<Arc<InputGlance>>,
    events: Events,
}

#[derive(Debug, Default)]
struct State {
    /// All that was read is with the loop, and nothing of the next message has been.
    is_between_messages: bool,
    /// Who is to be told once all is known.
    asked: Vec<DirectoryId>,
}

impl Hearing {
    /// Tells this loop.
    pub(super) fn new(pipe: Option<InputGlance>, events: Events) -> Self {
        Self { state: Arc::default(), pipe: pipe.map(Arc::new), events }
    }

    /// Sends [`Event::Heard`] after all that the editor has said by now.
    pub(super) fn ask(&self, id: DirectoryId) {
        {
            let mut state = self.state();
            if !self.is_all_known(&state) {
                state.asked.push(id);
                return;
            }
        }
        self.events.send(Event::Heard(id));
    }

    /// Waits for the next message. The thread that reads calls this when it has handled all that it read.
    pub(super) fn wait_for_message(&self) {
        let Some(pipe) = &self.pipe else { return };
        let asked = {
            let mut state = self.state();
            state.is_between_messages = true;
            if self.is_all_known(&state) { std::mem::take(&mut state.asked) } else { Vec::new() }
        };
        for id in asked {
            self.events.send(Event::Heard(id));
        }
        pipe.wait();
        self.state().is_between_messages = false;
    }

    fn is_all_known(&self, state: &State) -> bool {
        self.pipe.as_ref().is_none_or(|pipe| state.is_between_messages && !pipe.has_arrived())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
