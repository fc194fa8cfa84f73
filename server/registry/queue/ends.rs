//! Noticing the end of processes that are waited for: a killed one writes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use deconflict_platform::{self as platform, Process};

/// How long a thread waits before it looks whether it is still wanted.
const PAUSE: Duration = Duration::from_secs(30);

/// Nobody waits for the ends of more at once; a tick finds those of others.
const MOST: usize = 8;

/// Threads that wait for the ends of processes, one for each.
#[derive(Debug)]
pub(super) struct Ends {
    watched: HashSet<Process>,
    ended: (Sender<Process>, Receiver<Process>),
    is_over: Arc<AtomicBool>,
}

impl Ends {
    pub(super) fn new() -> Self {
        Self { watched: HashSet::new(), ended: channel(), is_over: Arc::default() }
    }

    /// Calls `tell` as soon as one of these has ended. Returns false if that cannot be told of all of them.
    pub(super) fn watch(&mut self, processes: Vec<Process>, tell: impl Fn() + Clone + Send + 'static) -> bool {
        while let Ok(ended) = self.ended.1.try_recv() {
            self.watched.remove(&ended);
        }
        let mut are_all_watched = true;
        for process in processes {
            if self.watched.contains(&process) {
                continue;
            }
            if self.watched.len() >= MOST {
                are_all_watched = false;
                continue;
            }
            self.watched.insert(process.clone());
            let (over, ended, tell) = (Arc::clone(&self.is_over), self.ended.0.clone(), tell.clone());
            let wait = move || {
                while !over.load(Ordering::Relaxed) {
                    if platform::ends_within(&process, PAUSE) {
                        // Nobody listens only after it is over.
                        let _ = ended.send(process);
                        tell();
                        return;
                    }
                }
            };
            are_all_watched &= std::thread::Builder::new().name("ends".to_owned()).spawn(wait).is_ok();
        }
        are_all_watched
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
