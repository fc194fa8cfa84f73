//! What keeps the journal small: what is old goes, contents that no log speaks of go, and git packs the rest.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::Resource;
use deconflict_workspace::Lock;

use super::Journal;
use super::content_id::ContentId;
use super::entry::{Entry, FileState, Line};
use super::error::{Error, failed};
use super::logs::name_of;
use super::objects::Pack;
use super::packing::contents_in;

/// Contents are packed when so many are not.
const LOOSE: usize = 250;

/// When so many are not, they are packed before the hour is over, unless somebody has just tried.
const MANY: usize = 1024;
const PAUSE_BETWEEN_MANY: TimeDelta = TimeDelta::minutes(5);

/// Packs are made one when there are more.
const PACKS: usize = 12;

/// A content that no log speaks of yet may get its line in this time.
const GRACE: Duration = Duration::from_hours(1);

/// Nothing is kept longer.
const LONGEST: TimeDelta = TimeDelta::days(36_500);

/// One of many who could do it does it once in so long.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// Written whenever somebody did it.
const DONE: &str = "maintained";

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long.
    pub age: TimeDelta,
    /// How many bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: TimeDelta::days(7), bytes: 1 << 30 }
    }
}

impl Limits {
    /// What was said, else the default. Neither is believed beyond what a time and a size can be.
    pub(super) fn said(days: Option<f64>, megabytes: Option<f64>) -> Self {
        let age = days.and_then(|days| Duration::try_from_secs_f64(days * 86_400.0).ok());
        let age = age.and_then(|age| TimeDelta::from_std(age).ok()).map(|age| age.min(LONGEST));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is above 0, and cut where it is too large"
        )]
        let bytes = megabytes.map(|megabytes| (megabytes * 1_048_576.0) as u64);
        let default = Self::default();
        Self { age: age.unwrap_or(default.age), bytes: bytes.unwrap_or(default.bytes) }
    }
}

/// What [`Journal::maintain`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// How many changes were dropped.
    pub dropped: usize,
    /// How many contents were removed.
    pub removed: usize,
    /// How many contents were packed.
    pub packed: usize,
}

/// How much a journal keeps, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The journal's folder.
    pub path: PathBuf,
    /// How many bytes, as far as files' lengths tell.
    pub bytes: u64,
    /// How many files have a log.
    pub files: usize,
    /// How many contents are not packed.
    pub loose: usize,
    /// How many packs there are.
    pub packs: usize,
}

/// What cannot be had back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// How many lines of logs cannot be read.
    pub lines: usize,
    /// Contents that logs speak of, and that are damaged or missing.
    pub contents: Vec<ContentId>,
}

impl Journal {
    /// How much is kept.
    pub fn usage(&self) -> Result<Usage, Error> {
        let logs = self.logs.list()?;
        let loose = self.objects.loose()?;
        let packs = self.objects.packs()?;
        let bytes = logs.iter().map(|log| log.length).sum::<u64>()
            + loose.iter().map(|(_, length, _)| length).sum::<u64>()
            + packs.iter().map(Pack::length).sum::<u64>();
        Ok(Usage { path: self.path(), bytes, files: logs.len(), loose: loose.len(), packs: packs.iter().count() })
    }

    /// Reads everything, and says what cannot be had back.
    pub fn damage(&self) -> Result<Damage, Error> {
        let mut damage = Damage::default();
        let mut contents = HashSet::new();
        for log in self.logs.list()? {
            let log = self.logs.read_named(&log.name)?;
            damage.lines += log.damaged();
            for line in log.lines() {
                match line {
                    Line::Change(entry) => contents.extend([&entry.before, &entry.after].map(FileState::kept)),
                    Line::Seen { state, .. } => contents.extend([state.kept()]),
                    _ => {}
                }
            }
        }
        damage.contents = contents.into_iter().flatten().filter(|content| self.content(*content).is_err()).collect();
        damage.contents.sort_unstable();
        Ok(damage)
    }

    /// Removes what is kept of a file, at once and from packs too. True if there was something.
    pub fn forget(&self, resource: &Resource) -> Result<bool, Error> {
        let name = name_of(resource);
        if !self.logs.contains(&name) {
            return Ok(false);
        }
        self.stop_watching(resource)?;
        self.remove_unfinished()?;
        // The contents go first: whoever is killed meanwhile still finds what is to be forgotten.
        let mut forgotten = HashSet::new();
        loop {
            let contents = contents_in(&self.logs.bytes(&name)?);
            let removed = self.remove_contents(&contents, Duration::MAX, Some(&name))?;
            if removed.useless_in_packs.iter().any(|content| contents.contains(content)) {
                self.pack_anew(Some(&name))?;
            }
            forgotten.extend(contents);
            let log = self.logs.open_named(&name)?;
            if contents_in(&log.read()?).is_subset(&forgotten) {
                log.replace(&[])?;
                return Ok(true);
            }
        }
    }

    /// True if there is a journal, and nobody has maintained it within the hour, or much was added since.
    pub fn is_upkeep_due(&self, now: DateTime<Utc>) -> bool {
        let Ok(entries) = self.folder.entries() else { return false };
        let last = entries.iter().find(|entry| entry.name == DONE).map(|entry| DateTime::<Utc>::from(entry.written));
        let is_past = |pause| last.is_none_or(|last| (now - last).abs() >= pause);
        self.folder.contains("HEAD")
            && (is_past(PAUSE) || (is_past(PAUSE_BETWEEN_MANY) && self.objects.seem_to_be(MANY)))
    }

    /// Drops what is old, and beginning with the oldest what is too much, except a change that `is_needed` and what a
    /// loss took that is not settled. Drops all of a file that `is_ignored`. Packs contents when many are loose. Does
    /// nothing while another one does it.
    pub fn maintain(
        &self,
        now: DateTime<Utc>,
        limits: Limits,
        is_needed: &dyn Fn(&Resource, &Entry) -> bool,
        is_ignored: &dyn Fn(&Resource) -> bool,
    ) -> Result<Upkeep, Error> {
        let mut upkeep = Upkeep::default();
        if !self.folder.contains("HEAD") {
            return Ok(upkeep);
        }
        let path = self.path().join("upkeep");
        let lock = self.folder.lock("upkeep", Lock::Exclusive, Duration::ZERO).map_err(failed("open", &path))?;
        if !lock.is_locked() {
            return Ok(upkeep);
        }
        self.folder.put(DONE, b"").map_err(failed("write", &self.path().join(DONE)))?;
        self.remove_unfinished()?;
        for resource in self.files()?.iter().filter(|resource| is_ignored(resource) || self.is_excluded(resource)) {
            self.forget(resource)?;
        }
        let mut limit = now - limits.age;
        let mut bytes = u64::MAX;
        loop {
            let dropped = self.drop_older(limit, is_needed)?;
            upkeep.dropped += dropped.entries;
            let removed = self.remove_contents(&dropped.contents, GRACE, None)?;
            upkeep.removed += removed.loose;
            let is_too_much = self.usage()?.bytes > limits.bytes;
            let useless = removed.useless_in_packs.len();
            if useless * 4 > removed.in_packs || (is_too_much && useless > 0) || removed.packs > PACKS {
                upkeep.packed += self.pack_anew(None)?;
            } else if self.objects.loose()?.len() >= LOOSE {
                upkeep.packed += self.pack_loose()?;
            }
            let now_bytes = self.usage()?.bytes;
            if now_bytes <= limits.bytes || now_bytes >= bytes {
                return Ok(upkeep);
            }
            bytes = now_bytes;
            // A quarter of what may go, and then it is looked again.
            let Some(next) = self.quarter_after(limit, is_needed)? else { return Ok(upkeep) };
            limit = next;
        }
    }

    fn remove_unfinished(&self) -> Result<(), Error> {
        self.logs.remove_unfinished();
        self.objects.remove_unfinished()
    }
}
