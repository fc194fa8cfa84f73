//! What is to be done later, by the clock that was handed in.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tower_lsp::ls_types::Uri;

use crate::event::DirectoryId;
use deconflict_protocol::Resource;

/// Something to be done later. Each of these waits at most once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// The editor did not tell its settings in time.
    Configuration,
    /// Compare a document with its file once more.
    CheckDisk(Uri),
    /// Check whether somebody else wrote the files of unsaved documents.
    CheckFiles(DirectoryId),
    /// Claim a document that could not be claimed.
    Retry(Uri),
    /// A text that equals its file was not saved by the editor, so its claim goes.
    Withdraw(Uri),
    /// A clash inside one editor has lasted.
    SameEditor(Uri),
    /// A document was closed and not opened again.
    Closed(DirectoryId, Resource),
    /// Read again what is held and has not come back from the directory.
    Verify(DirectoryId),
    /// Tell what was lost while this process was suspended.
    Asleep(DirectoryId),
    Sweep(DirectoryId),
    KeepAlive(DirectoryId),
    /// Look again what is free of what the machine has once.
    Machine(DirectoryId),
    Damage(DirectoryId),
    Saves(DirectoryId),
    Claims(DirectoryId),
    /// Tell what others hold of what was edited.
    Announce(DirectoryId),
    /// Tell who began to edit what is held here.
    Contended(DirectoryId),
    /// A claim or session in the directory means something else by time alone.
    View(DirectoryId),
    /// Show what changed too often to be shown at once.
    Show(Uri),
    /// Let the editor ask for inlay hints again.
    RefreshHints,
    Messages,
    /// Sum up what happened to many files.
    Losses,
    Status,
    /// The directories did not end in time.
    End,
}

/// The waiting timers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Duration, Timer)>,
    due: HashMap<Timer, Duration>,
}

impl Timers {
    /// Lets a timer fire at a time, whatever it waited for before.
    pub(super) fn set(&mut self, timer: Timer, at: Duration) {
        self.cancel(&timer);
        self.due.insert(timer.clone(), at);
        self.queue.insert((at, timer));
    }

    /// Lets a timer fire at a time, unless it fires earlier anyway.
    pub(super) fn set_by(&mut self, timer: Timer, at: Duration) {
        if self.due.get(&timer).is_none_or(|due| *due > at) {
            self.set(timer, at);
        }
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.due.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// Takes the first timer that is due.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Timer> {
        let (_, timer) = self.queue.first().filter(|(at, _)| *at <= now)?.clone();
        self.cancel(&timer);
        Some(timer)
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }
}
