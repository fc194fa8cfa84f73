//! Waiting for a directory that does not exist yet.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::{RecursiveMode, Watcher};

use super::hints;
use crate::Error;
use deconflict_platform as platform;
use deconflict_protocol::is_coordination_directory;

/// Without any notification it is looked so often.
const PAUSE: Duration = Duration::from_secs(2);

/// A directory that was just made gets its folders in a moment: so often it is looked whether it has them.
const BEING_MADE: Duration = Duration::from_millis(10);

/// For so long after something happened there.
const MAKING_TAKES: Duration = Duration::from_secs(1);

/// Waiting, for as long as this is kept.
#[derive(Debug)]
pub struct DirectoryWatch {
    signals: Sender<Wake>,
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        // The thread is gone already if the directory appeared.
        let _ = self.signals.send(Wake::Stop);
    }
}

/// Waits on a thread of its own until a coordination directory stands at a path, and then calls `appeared` once. It
/// counts when it has `sessions` or `claims` in it. While nothing happens it is looked at every two seconds, which
/// also finds it where the system notifies of nothing.
///
/// # Errors
///
/// Only if the system gives no thread.
pub fn watch_for_directory(
    directory: &Path,
    appeared: impl FnOnce() + Send + 'static,
) -> Result<DirectoryWatch, Error> {
    let (signals, received) = channel();
    let watch = DirectoryWatch { signals: signals.clone() };
    let directory = directory.to_owned();
    let wait = move || {
        if wait(&directory, signals, &received) {
            appeared();
        }
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(wait).map_err(Error::NoThread)?;
    Ok(watch)
}

enum Wake {
    /// Something happened at the directory's path.
    Check,
    /// Nobody waits any more.
    Stop,
}

/// Waits until the directory is there. Returns false if nobody waits any more.
fn wait(directory: &Path, signals: Sender<Wake>, received: &Receiver<Wake>) -> bool {
    // Without notifications it is found a little later.
    let _watcher = watch_parent(directory, signals);
    // What stands there already is being made, too: the folders in it come without notification.
    let mut last_event = directory.exists().then(Instant::now);
    while !exists(directory) {
        let is_being_made = last_event.is_some_and(|at| at.elapsed() < MAKING_TAKES);
        match received.recv_timeout(if is_being_made { BEING_MADE } else { PAUSE }) {
            Ok(Wake::Check) => last_event = Some(Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    !received.try_iter().any(|signal| matches!(signal, Wake::Stop))
}

fn watch_parent(directory: &Path, signals: Sender<Wake>) -> Option<notify::RecommendedWatcher> {
    let name = directory.file_name()?.to_owned();
    let parent: PathBuf = platform::canonical(directory.parent()?).ok()?;
    let awaited = parent.join(name);
    let watcher = hints::watcher(move |event: notify::Result<notify::Event>| {
        let concerns = |event: &notify::Event| !event.kind.is_access() && event.paths.contains(&awaited);
        if event.as_ref().map_or(true, |event| event.need_rescan() || concerns(event)) {
            // Nobody listens only after the directory was found.
            let _ = signals.send(Wake::Check);
        }
    });
    let mut watcher = watcher.ok()?;
    watcher.watch(&parent, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

fn exists(directory: &Path) -> bool {
    is_coordination_directory(|folder| directory.join(folder).is_dir())
}
