//! The loop: one queue of events, and one value that handles them, in the order of the queue and one at a time.
//!
//! The value has no thread of its own. Whoever queues an event while nobody handles any takes the value, handles what is
//! queued, and puts the value back. So an event costs no waking of another thread, which takes longer than most events
//! take. Handling never waits for anything, so it keeps nobody long. The thread of the runtime waits for time alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::event::Event;
use deconflict_platform::clock::Clock;

/// What handles events.
pub(super) trait EventHandler: Send {
    /// Handles one. Returns the exit code if it is the last.
    fn handle(&mut self, event: Event) -> Option<u8>;

    /// When a [`Event::Tick`] is due, as time of the clock.
    fn next_tick(&self) -> Option<Duration>;
}

/// Where events are queued. All clones belong to one loop.
#[derive(Clone)]
pub(super) struct Events(Arc<EventLoop>);

struct EventLoop {
    queue: Mutex<Queue>,
    /// Wakes the thread that waits for time: it is due earlier now, or the loop has ended.
    earlier: Notify,
}

struct Queue {
    waiting: VecDeque<Event>,
    handler: Slot,
    /// When the thread that waits for time wakes by itself.
    wakes_at: Option<Duration>,
}

enum Slot {
    /// Nobody handles anything, and nothing waits, except before the loop has begun.
    Idle(Box<dyn EventHandler>),
    /// Somebody handles what waits; or the loop has not begun.
    Taken,
    Ended(u8),
}

impl Events {
    /// A loop that has not begun: events wait until [`Self::run`].
    pub(super) fn new() -> Self {
        let queue = Queue { waiting: VecDeque::new(), handler: Slot::Taken, wakes_at: None };
        Self(Arc::new(EventLoop { queue: Mutex::new(queue), earlier: Notify::new() }))
    }

    /// Queues an event, and handles it at once unless another thread is handling events; that one then handles this one
    /// too. Once the loop has ended it is dropped.
    pub(super) fn send(&self, event: Event) {
        let mut queue = self.0.queue();
        if !queue.has_ended() {
            queue.waiting.push_back(event);
            self.0.handle_waiting(queue);
        }
    }

    /// True once nothing is handled any more.
    pub(super) fn have_ended(&self) -> bool {
        self.0.queue().has_ended()
    }

    /// Begins, handles what waits, and then waits for time until the loop ends. Returns its exit code.
    pub(super) async fn run(&self, handler: Box<dyn EventHandler>, clock: &dyn Clock) -> u8 {
        self.begin(handler);
        loop {
            let due = match self.0.prepare_to_wait() {
                Ok(due) => due,
                Err(exit_code) => return exit_code,
            };
            let earlier = self.0.earlier.notified();
            match due {
                None => earlier.await,
                Some(due) => {
                    let wait = due.saturating_sub(clock.elapsed());
                    if tokio::time::timeout(wait, earlier).await.is_err() {
                        self.tick(clock);
                    }
                }
            }
        }
    }

    fn begin(&self, handler: Box<dyn EventHandler>) {
        let mut queue = self.0.queue();
        queue.handler = Slot::Idle(handler);
        self.0.handle_waiting(queue);
    }

    /// Unless what was due has been done meanwhile.
    fn tick(&self, clock: &dyn Clock) {
        let is_due = match &self.0.queue().handler {
            Slot::Idle(handler) => handler.next_tick().is_some_and(|due| due <= clock.elapsed()),
            Slot::Taken => true,
            Slot::Ended(_) => false,
        };
        if is_due {
            self.send(Event::Tick);
        }
    }
}

impl EventLoop {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles all that waits, unless somebody does already.
    fn handle_waiting<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) {
        let Some(mut handler) = queue.take_handler() else { return };
        while let Some(event) = queue.waiting.pop_front() {
            drop(queue);
            let exit_code = handler.handle(event);
            queue = self.queue();
            if let Some(exit_code) = exit_code {
                queue.handler = Slot::Ended(exit_code);
                // Requests among these are answered by being dropped.
                let unhandled = std::mem::take(&mut queue.waiting);
                drop(queue);
                drop((unhandled, handler));
                self.earlier.notify_one();
                return;
            }
        }
        let due = handler.next_tick();
        queue.handler = Slot::Idle(handler);
        let is_earlier = due.is_some_and(|due| queue.wakes_at.is_none_or(|wakes_at| due < wakes_at));
        if is_earlier {
            queue.wakes_at = due;
            drop(queue);
            self.earlier.notify_one();
        }
    }

    /// When to wake if nothing happens before; or the exit code.
    fn prepare_to_wait(&self) -> Result<Option<Duration>, u8> {
        let mut queue = self.queue();
        match &queue.handler {
            Slot::Ended(exit_code) => return Err(*exit_code),
            Slot::Idle(handler) => queue.wakes_at = handler.next_tick(),
            // Whoever puts it back says when it is due.
            Slot::Taken => queue.wakes_at = None,
        }
        Ok(queue.wakes_at)
    }
}

impl Queue {
    fn take_handler(&mut self) -> Option<Box<dyn EventHandler>> {
        match std::mem::replace(&mut self.handler, Slot::Taken) {
            Slot::Idle(handler) => Some(handler),
            other => {
                self.handler = other;
                None
            }
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self.handler, Slot::Ended(_))
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::super::event::EndReason;
    use super::*;
    use deconflict_platform::clock::SystemClock;

    const SENDERS: usize = 8;
    const EVENTS: usize = 500;

    /// Notes what it handles, in the events' own words. After `again` it sends something itself, and ends; after a tick
    /// it ends, too.
    struct Notes {
        events: Events,
        heard: mpsc::Sender<String>,
        tick: Option<Duration>,
    }

    impl EventHandler for Notes {
        fn handle(&mut self, event: Event) -> Option<u8> {
            match event {
                Event::Unused(words) => {
                    if words == ["again"] {
                        self.events.send(said("from within"));
                        self.events.send(Event::End(EndReason::Editor));
                    }
                    self.heard.send(words.concat()).unwrap();
                    None
                }
                Event::Tick => {
                    self.tick = None;
                    self.heard.send("tick".to_owned()).unwrap();
                    self.events.send(Event::End(EndReason::Editor));
                    None
                }
                _ => Some(7),
            }
        }

        fn next_tick(&self) -> Option<Duration> {
            self.tick
        }
    }

    fn said(words: &str) -> Event {
        Event::Unused(vec![words.to_owned()])
    }

    /// Runs a loop with a tick that is due after so long while `meanwhile` sends to it, and returns what it handled.
    fn run(tick: Option<Duration>, meanwhile: impl FnOnce(&Events) + Send) -> Vec<String> {
        let (events, clock) = (Events::new(), SystemClock::new());
        let (heard, notes) = mpsc::channel();
        let handler =
            Box::new(Notes { events: events.clone(), heard, tick: tick.map(|after| clock.elapsed() + after) });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| meanwhile(&events));
            assert_eq!(runtime.block_on(events.run(handler, &clock)), 7);
        });
        assert!(events.have_ended());
        notes.try_iter().collect()
    }

    #[test]
    fn events_of_many_threads_are_each_handled_once_in_the_order_of_their_sender() {
        let handled = run(None, |events| {
            thread::scope(|scope| {
                for sender in 0..SENDERS {
                    let send = move || (0..EVENTS).for_each(|count| events.send(said(&format!("{sender} {count}"))));
                    scope.spawn(send);
                }
            });
            events.send(Event::End(EndReason::Editor));
        });
        assert_eq!(handled.len(), SENDERS * EVENTS);
        for sender in 0..SENDERS {
            let of_it = handled.iter().filter_map(|words| words.strip_prefix(&format!("{sender} ")));
            let expected = (0..EVENTS).map(|count| count.to_string());
            assert!(of_it.eq(expected), "sender {sender}");
        }
    }

    #[test]
    fn what_is_sent_while_an_event_is_handled_comes_after_it() {
        let handled = run(None, |events| events.send(said("again")));
        assert_eq!(handled, ["again", "from within"]);
    }

    #[test]
    fn a_tick_comes_when_it_is_due_though_nobody_sends_anything() {
        let handled = run(Some(Duration::from_millis(20)), |_| {});
        assert_eq!(handled, ["tick"]);
    }

    #[test]
    fn what_comes_after_the_end_is_dropped() {
        let handled = run(None, |events| {
            events.send(Event::End(EndReason::Editor));
            while !events.have_ended() {
                thread::yield_now();
            }
            events.send(said("too late"));
        });
        assert_eq!(handled, [""; 0]);
    }
}
