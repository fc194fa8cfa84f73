//! Records that cannot be understood: each is told of once, because whoever wrote it believes that it was read.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::present;
use deconflict_registry::{BEING_WRITTEN, Change, Key, file_below};

/// What is known of the damage in one directory, by the records' keys.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// What could not be understood when it was read last, and since when.
    found: Vec<(Key, Duration)>,
    /// What was told.
    told: HashSet<Key>,
}

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
        let damage = &mut directory.damage;
        if !is_damaged {
            damage.found.retain(|(found, _)| *found != key);
        } else if !damage.told.contains(&key) && damage.found.iter().all(|(found, _)| *found != key) {
            damage.found.push((key, now));
            self.timers.set_by(Timer::Damage(id), now + being_written());
        }
    }

    /// Tells of what has stayed damaged.
    pub(super) fn tell_damage(&mut self, id: DirectoryId) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let is_due = |since: Duration| since + being_written() <= now;
        let due: BTreeSet<Key> =
            directory.damage.found.extract_if(.., |(_, since)| is_due(*since)).map(|(key, _)| key).collect();
        directory.damage.told.extend(due.iter().cloned());
        let next = directory.damage.found.iter().map(|(_, since)| *since + being_written()).min();
        let remarks =
            due.iter().map(|key| present::messages::damaged(&file_below(&directory.path, key)).text).collect();
        if let Some(next) = next {
            self.timers.set(Timer::Damage(id), next);
        }
        self.log(remarks);
    }
}

/// How long a script may still be writing what cannot be understood (protocol page, "Claims").
fn being_written() -> Duration {
    BEING_WRITTEN.to_std().unwrap_or_default()
}
