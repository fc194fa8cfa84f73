//! What this process changed in the directory since it last brought the status board up to date, so that it need not
//! read all other records for that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::store::files::folder::Folder;

/// More changes than this are not kept: whoever makes so many reads everything once. A change is looked at as fast as a
/// record is read, and there are seldom fewer records than changes of one verb.
const MOST: usize = 8192;

/// The changes since somebody last asked for them.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<HashMap<Folder, FolderChanges>>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FolderChanges {
    /// When a name in the folder last changed before the first of these.
    pub(super) before: DateTime<Utc>,
    /// The same after the last of these.
    pub(super) after: DateTime<Utc>,
    /// Each record that was changed; `None` if there were too many, or if somebody else changed one in between.
    pub(super) records: Option<Vec<ChangedRecord>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChangedRecord {
    pub(super) name: String,
    /// What stood in it before, where that matters.
    pub(super) before: Option<Vec<u8>>,
}

impl Changes {
    /// Adds a change of a record. Names in its folder last changed at these times before and after it.
    pub(super) fn add(
        &self,
        folder: &Folder,
        (before, after): (DateTime<Utc>, DateTime<Utc>),
        record: Option<ChangedRecord>,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_folder = all.entry(folder.clone()).or_insert_with(|| FolderChanges {
            before,
            after: before,
            records: Some(Vec::new()),
        });
        let is_one_after_the_other = of_folder.after == before;
        of_folder.after = after;
        if let Some(records) = &mut of_folder.records {
            records.extend(record);
            if !is_one_after_the_other || records.len() > MOST {
                of_folder.records = None;
            }
        }
    }

    /// When a name in a folder last changed before the first of these changes and after the last; `None` if there is none,
    /// or if somebody else made one in between.
    pub(super) fn times(&self, folder: &Folder) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(folder).filter(|changes| changes.records.is_some()).map(|changes| (changes.before, changes.after))
    }

    pub(super) fn take(&self) -> HashMap<Folder, FolderChanges> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
