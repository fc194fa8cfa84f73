//! What anybody held in a worktree when somebody came by last, and how these files stood then, so that whoever comes by
//! next neither lists all claims nor looks at what is as it was. It says nothing that others go by: where it is missing
//! or old, everything is looked at again.

use std::cell::RefCell;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deconflict_journal::Journal;
use deconflict_protocol::Resource;
use deconflict_registry::ClaimsMark;
use deconflict_workspace::{PrivateFolder, Repository};
use serde::{Deserialize, Serialize};

use super::stood::Stood;

const LIST: &str = "held.json";

/// A list that is longer than this is none of ours, in bytes.
const LONGEST: u64 = 1 << 20;

/// Another number means another form.
const FORM: u32 = 3;

/// Where others claim and release all the time, listing all claims takes at most one part of so many of the time.
const SHARE: u32 = 200;

/// However long listing took, because the process was stopped for instance, it is not too soon after this.
const LONGEST_AGE: Duration = Duration::from_secs(5);

/// The list of one worktree.
#[derive(Debug)]
pub struct HeldList {
    folder: PrivateFolder,
    /// What this process read or wrote last: a verb looks at it twice. Whoever has an old one sees that by its marks.
    last: RefCell<Option<Held>>,
}

/// The list itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    form: u32,
    /// When all claims were listed and all files looked at, and how long that took.
    listed_at: DateTime<Utc>,
    took: Duration,
    /// Which claims there were, or whoever claimed and released since has left.
    pub(super) claims: ClaimsMark,
    /// How long git's log of `HEAD` was, in bytes.
    pub(super) head_log: u64,
    /// How each file stood and which it is, in one text: there may be hundreds, and each verb reads them.
    files: Vec<String>,
}

impl HeldList {
    /// The list of a worktree, kept beside the journal.
    pub fn of(journal: &Journal, repository: &Repository) -> Self {
        Self { folder: journal.beside("held").of_worktree(repository), last: RefCell::default() }
    }

    /// What is known, to be [kept](Self::keep) or [written](Self::write) again.
    pub(super) fn take(&self) -> Option<Held> {
        self.last.take().or_else(|| {
            let bytes = self.folder.read(LIST, LONGEST).ok()??;
            serde_json::from_slice(&bytes).ok().filter(|held: &Held| held.form == FORM)
        })
    }

    /// Keeps what was taken and stands as it is, for whoever takes it next in this process.
    pub(super) fn keep(&self, held: Held) {
        self.last.replace(Some(held));
    }

    /// Where it cannot be written or is torn, the next one looks at everything.
    pub(super) fn write(&self, held: Held) {
        let _ = serde_json::to_vec(&held).map(|bytes| self.folder.overwrite(LIST, &bytes));
        self.keep(held);
    }
}

impl Held {
    pub(super) fn new(
        (listed_at, took): (DateTime<Utc>, Duration),
        claims: ClaimsMark,
        head_log: u64,
        files: impl IntoIterator<Item = (Resource, Stood)>,
    ) -> Self {
        let files = files.into_iter().map(|(file, stood)| line(&file, stood)).collect();
        Self { form: FORM, listed_at, took, claims, head_log, files }
    }

    /// The list as these files and these claims have made it since.
    pub(super) fn with(&self, claims: ClaimsMark, files: impl IntoIterator<Item = (Resource, Stood)>) -> Self {
        Self::new((self.listed_at, self.took), claims, self.head_log, files)
    }

    /// The list as a process has made it that claimed some files and gave up others. No longer than `most`.
    pub(super) fn with_own(
        mut self,
        claims: ClaimsMark,
        claimed: &[(Resource, Stood)],
        released: &[Resource],
        most: usize,
    ) -> Self {
        let own: Vec<String> = claimed.iter().map(|(file, _)| file).chain(released).map(Resource::spelled).collect();
        self.files.retain(|held| !held.split_once(' ').is_some_and(|(_, file)| own.iter().any(|own| own == file)));
        self.files.splice(0..0, claimed.iter().map(|(file, stood)| line(file, *stood)));
        self.files.truncate(most);
        Self { claims, ..self }
    }

    /// True if there is nothing else to list by now, or if it is too soon to list it.
    pub(super) fn is_current(&self, claims: ClaimsMark, now: DateTime<Utc>) -> bool {
        let too_soon = self.took.saturating_mul(SHARE).min(LONGEST_AGE);
        self.claims == claims || (now - self.listed_at).to_std().is_ok_and(|age| age < too_soon)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (Resource, Stood)> {
        self.files.iter().filter_map(|held| {
            let (stood, file) = held.split_once(' ')?;
            Some((Resource::parse(file)?, stood.parse().ok()?))
        })
    }
}

fn line(file: &Resource, stood: Stood) -> String {
    format!("{stood} {}", file.spelled())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn mark(nanoseconds: i64) -> ClaimsMark {
        serde_json::from_str(&nanoseconds.to_string()).unwrap()
    }

    #[test]
    fn a_list_is_made_anew_in_time_however_long_that_took() {
        let now = Utc::now();
        let after = |took, passed: TimeDelta| Held::new((now, took), mark(1), 0, []).is_current(mark(2), now + passed);
        let took = Duration::from_millis(10);
        assert!(after(took, TimeDelta::milliseconds(1_999)) && !after(took, TimeDelta::seconds(2)));
        let stopped = Duration::MAX;
        assert!(after(stopped, TimeDelta::milliseconds(4_999)) && !after(stopped, TimeDelta::seconds(5)));
        assert!(!after(stopped, TimeDelta::seconds(-1)));
        assert!(Held::new((now, took), mark(1), 0, []).is_current(mark(1), now + TimeDelta::days(1)));
    }
}
