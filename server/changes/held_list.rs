//! What anybody held in a worktree when somebody came by last, and how these files stood then, so that whoever comes by
//! next neither lists all claims nor looks at what is as it was. It says nothing that others go by: where it is missing
//! or old, everything is looked at again.

use std::cell::RefCell;
use std::path::{PathBuf, is_separator};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deconflict_journal::{Journal, Stamp};
use deconflict_protocol::Resource;
use deconflict_registry::ClaimsMark;
use deconflict_workspace::{Namer, PrivateFolder, Repository};
use serde::{Deserialize, Serialize};

use super::stood::Stood;

/// Not JSON: each verb reads it.
const LIST: &str = "held";

/// A list that is longer than this is none of ours, in bytes.
const LONGEST: u64 = 1 << 20;

/// Another number means another form.
const FORM: u32 = 4;

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
    pub(super) files: Vec<HeldFile>,
}

/// A file that somebody held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HeldFile {
    pub(super) stood: Stood,
    pub(super) is_directory: bool,
    /// The resource as it is spelled, and where the path in its worktree begins in that: there may be hundreds, and each verb
    /// looks at them.
    spelled: String,
    path_at: usize,
}

/// Where files are, found out once for all whose names begin alike.
#[derive(Debug)]
pub(super) struct Places<'a> {
    namer: &'a Namer,
    /// What names begin with, and the folder that this stands for.
    folders: Vec<(String, PathBuf)>,
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
            postcard::from_bytes(&bytes).ok().filter(|held: &Held| held.form == FORM)
        })
    }

    /// Keeps what was taken and stands as it is, for whoever takes it next in this process.
    pub(super) fn keep(&self, held: Held) {
        self.last.replace(Some(held));
    }

    /// Where it cannot be written or is torn, the next one looks at everything.
    pub(super) fn write(&self, held: Held) {
        let _ = postcard::to_allocvec(&held).map(|bytes| self.folder.overwrite(LIST, &bytes));
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
        let files = files.into_iter().map(|(file, stood)| HeldFile::new(&file, stood)).collect();
        Self { form: FORM, listed_at, took, claims, head_log, files }
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
        self.files.retain(|held| !own.contains(&held.spelled));
        self.files.splice(0..0, claimed.iter().map(|(file, stood)| HeldFile::new(file, *stood)));
        self.files.truncate(most);
        Self { claims, ..self }
    }

    /// True if there is nothing else to list by now, or if it is too soon to list it.
    pub(super) fn is_current(&self, claims: ClaimsMark, now: DateTime<Utc>) -> bool {
        let too_soon = self.took.saturating_mul(SHARE).min(LONGEST_AGE);
        self.claims == claims || (now - self.listed_at).to_std().is_ok_and(|age| age < too_soon)
    }
}

impl HeldFile {
    fn new(file: &Resource, stood: Stood) -> Self {
        let spelled = file.spelled();
        Self { stood, is_directory: file.is_directory(), path_at: spelled.len() - file.relative().len(), spelled }
    }

    pub(super) fn resource(&self) -> Option<Resource> {
        Resource::parse(&self.spelled)
    }

    fn split(&self) -> Option<(&str, &str)> {
        self.spelled.split_at_checked(self.path_at)
    }
}

impl<'a> Places<'a> {
    pub(super) fn new(namer: &'a Namer) -> Self {
        Self { namer, folders: Vec::new() }
    }

    /// How a file stands now; `None` if nothing can be told.
    pub(super) fn stamp_of(&mut self, file: &HeldFile) -> Option<Stamp> {
        let (beginning, relative) = file.split()?;
        if let Some((_, folder)) = self.folders.iter().find(|(known, _)| known == beginning) {
            return Stamp::of(&folder.join(relative));
        }
        let path = self.namer.path_of(&file.resource()?)?;
        let folder = path.to_str().and_then(|path| path.strip_suffix(relative));
        // A folder's own name may end like what is in it.
        let folder = folder.filter(|folder| !relative.is_empty() && folder.ends_with(is_separator));
        self.folders.extend(folder.map(|folder| (beginning.to_owned(), PathBuf::from(folder))));
        Stamp::of(&path)
    }
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
