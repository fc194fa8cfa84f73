//! Whether the editor's process is still there.

use std::thread;
use std::time::Duration;

use super::event::{EndReason, Event};
use super::event_loop::Events;
use deconflict_platform as platform;

/// How often it is checked whether this server ends by itself. The end of the editor's process is noticed at once.
const PAUSE: Duration = Duration::from_secs(10);

/// Watches a process, and says so when it is gone. A process that cannot be seen, as in a container, is not watched:
/// nothing would be known by its absence.
pub(super) fn watch(pid: u32, events: Events) {
    let Some(process) = platform::process(pid) else {
        tracing::info!("the editor's process {pid} cannot be seen, so its end will not be noticed");
        return;
    };
    let watch = move || {
        while !platform::ends_within(&process, PAUSE) {
            if events.have_ended() {
                return;
            }
        }
        events.send(Event::End(EndReason::Editor));
    };
    if let Err(error) = thread::Builder::new().name("editor".to_owned()).spawn(watch) {
        tracing::warn!("the end of the editor's process will not be noticed: {error}");
    }
}
