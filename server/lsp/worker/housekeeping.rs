//! Keeps the status board and cleans up, on a thread of its own: with thousands of records both take longer than an
//! edit may wait for its claim.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::guard::GuardReporter;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use deconflict_journal::Journal;
use deconflict_registry::{BoardKeeper, Registry, Session, View, watcher};

/// The board is written at most this often.
const BOARD_PAUSE: Duration = Duration::from_secs(1);

/// Old records are cleared away this often.
const CLEAN_UP_PAUSE: Duration = Duration::from_hours(1);

/// The first clean-up waits until an editor has started.
const FIRST_CLEAN_UP: Duration = Duration::from_mins(1);

/// The last board has to be written within this time, or it is left to the others.
const LAST_BOARD_TIME: Duration = Duration::from_millis(300);

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Housekeeper {
    news: Sender<News>,
}

#[derive(Debug)]
enum News {
    /// Something changed.
    Changed,
    /// Nobody needs it any more.
    Left,
    /// The session has ended; whoever waits is to be told when the board says so.
    Ended(Sender<()>),
}

impl Housekeeper {
    /// Starts the thread.
    pub(super) fn start(
        registry: Registry,
        view: View,
        journal: Option<Journal>,
        guard: Option<GuardReporter>,
    ) -> io::Result<Self> {
        let (news, received) = mpsc::channel();
        let board = BoardKeeper::new(registry.clone(), view.clone());
        let house = House { board, registry, view, journal, guard, losses: None, news: news.clone() };
        thread::Builder::new().name("housekeeping".to_owned()).spawn(move || house.keep(&received))?;
        Ok(Self { news })
    }

    /// Says that something changed.
    pub(super) fn poke(&self) {
        if self.news.send(News::Changed).is_err() {
            tracing::error!("the status board is no longer kept");
        }
    }

    /// Has the board written once more after the session has ended, and waits for it, though not for long.
    pub(super) fn finish(self) {
        let (done, finished) = mpsc::channel();
        if self.news.send(News::Ended(done)).is_ok() {
            let _ = finished.recv_timeout(LAST_BOARD_TIME);
        }
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        let _ = self.news.send(News::Left);
    }
}

struct House {
    registry: Registry,
    view: View,
    board: BoardKeeper,
    journal: Option<Journal>,
    /// Until it has told.
    guard: Option<GuardReporter>,
    /// Tells when something was lost or settled, which no record of the directory may say.
    losses: Option<RecommendedWatcher>,
    news: Sender<News>,
}

impl House {
    fn keep(mut self, news: &Receiver<News>) {
        let mut clean_up_at = Instant::now() + FIRST_CLEAN_UP;
        // When the board may be written next, if there is something new.
        let mut board_from = Instant::now();
        let mut is_outdated = false;
        loop {
            let now = Instant::now();
            let due = self.board.due_in().map(|due| now + due);
            let board_at = if is_outdated { Some(board_from) } else { due.map(|due| due.max(board_from)) };
            if board_at.is_some_and(|at| at <= now) {
                is_outdated = false;
                if let Err(error) = self.registry.clear_closed(&self.view) {
                    tracing::warn!("what closed editors left could not be removed: {error}");
                }
                self.watch_losses();
                if let Err(error) = self.board.refresh() {
                    tracing::warn!("the status board could not be written: {error}");
                }
                // What commits take along matters once an agent makes some.
                let is_agent = |other: Session| other.is_live() && other.record.agent.is_some();
                if self.guard.is_some()
                    && self.view.sessions().any(is_agent)
                    && let Some(guard) = self.guard.take()
                {
                    guard.tell();
                }
                board_from = Instant::now() + BOARD_PAUSE;
                continue;
            }
            if clean_up_at <= now {
                clean_up_at = now + CLEAN_UP_PAUSE;
                self.clean_up();
                continue;
            }
            let next = board_at.map_or(clean_up_at, |at| at.min(clean_up_at));
            match news.recv_timeout(next.saturating_duration_since(now)) {
                Ok(News::Changed) => is_outdated = true,
                Ok(News::Ended(done)) => {
                    if let Err(error) = self.board.finish() {
                        tracing::warn!("the status board could not be written: {error}");
                    }
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(News::Left) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Listens to what is lost and settled, once there is a journal.
    fn watch_losses(&mut self) {
        let Some(path) = self.journal.as_ref().filter(|_| self.losses.is_none()).map(Journal::losses_path) else {
            return;
        };
        let Some(folder) = path.parent().filter(|folder| folder.is_dir()).map(Path::to_owned) else { return };
        let (name, news) = (path.file_name().map(ToOwned::to_owned), self.news.clone());
        let told = move |event: notify::Result<notify::Event>| {
            let is_it = |event: notify::Event| event.paths.iter().any(|path| path.file_name() == name.as_deref());
            if event.is_ok_and(is_it) {
                // Nobody listens only once the thread has ended.
                let _ = news.send(News::Changed);
            }
        };
        let watching = watcher(told).and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watching {
            Ok(watcher) => self.losses = Some(watcher),
            Err(error) => {
                tracing::warn!("what is lost is told on the status board with the next other change: {error}");
                self.journal = None;
            }
        }
    }

    fn clean_up(&self) {
        if !self.registry.path().exists() {
            return;
        }
        let done =
            if self.view.is_complete() { self.registry.clean_up_known(&self.view) } else { self.registry.clean_up() };
        if let Err(error) = done {
            tracing::warn!("old records could not be cleared away: {error}");
        }
    }
}
