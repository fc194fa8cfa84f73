//! Records that cannot be understood: each is told of once, because whoever wrote it believes that it was read.

use std::time::Duration;

use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::present::messages;
use deconflict_registry::{BEING_WRITTEN, Change, Key, file_below};

impl ServerState {
    /// Notes whether a record that was read can be understood.
    pub(super) fn note_damage(&mut self, id: DirectoryId, change: &Change) {
        let (key, is_damaged) = match change {
            Change::Claim(key, stored) => {
                (Key::Claim(key.clone()), stored.as_ref().is_some_and(|stored| stored.record.is_none()))
            }
            Change::Session(id, stored) => {
                (Key::Session(id.clone()), stored.as_ref().is_some_and(|stored| stored.record.is_none()))
            }
            Change::DamagedMessage(key) => (key.clone(), true),
            _ => return,
        };
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        if !is_damaged {
            directory.damaged.retain(|(found, _)| *found != key);
        } else if !directory.told_damaged.contains(&key) && directory.damaged.iter().all(|(found, _)| *found != key) {
            directory.damaged.push((key, now));
            self.timers.set_by(Timer::Damage(id), now + being_written());
        }
    }

    /// Tells of what has stayed damaged.
    pub(super) fn tell_damage(&mut self, id: DirectoryId) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let due = directory.damaged.extract_if(.., |(_, since)| *since + being_written() <= now);
        let mut due: Vec<Key> = due.map(|(key, _)| key).collect();
        due.sort();
        let remarks = due.iter().map(|key| messages::damaged(&file_below(&directory.path, key)).text).collect();
        directory.told_damaged.extend(due);
        if let Some((_, since)) = directory.damaged.first() {
            self.timers.set(Timer::Damage(id), *since + being_written());
        }
        self.log(remarks);
    }
}

/// How long a script may still be writing what cannot be understood (protocol page, "Claims").
fn being_written() -> Duration {
    BEING_WRITTEN.to_std().unwrap_or_default()
}
