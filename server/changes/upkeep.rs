//! Keeping the journal small, by whoever comes by.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deconflict_journal::{Entry, EntryId};
use deconflict_protocol::{Resource, SessionId};

use super::{Error, FileHistory, Recorder};

impl Recorder<'_> {
    /// Drops from the journal what is old or too much, if nobody has done so within the hour. The newest copy of an
    /// uncommitted change stays.
    pub fn maintain_when_due(&self, now: DateTime<Utc>) -> Result<(), Error> {
        if !self.journal.is_upkeep_due(now) {
            return Ok(());
        }
        if let Some(registry) = self.registry {
            let is_gone = |id: &SessionId| {
                registry.session(id).is_ok_and(|found| found.is_none_or(|session| session.state.is_over()))
            };
            self.journal.forget_editors(is_gone)?;
        }
        let uncommitted: RefCell<HashMap<Resource, HashSet<EntryId>>> = RefCell::default();
        let is_needed = |resource: &Resource, entry: &Entry| {
            let mut known = uncommitted.borrow_mut();
            let of_file = known.entry(resource.clone());
            of_file.or_insert_with(|| self.uncommitted_entries(resource).unwrap_or_default()).contains(&entry.id)
        };
        let is_ignored = |resource: &Resource| {
            let path = self.namer.path_of(resource);
            path.is_some_and(|path| self.namer.is_internal(resource) || self.ignored.is_ignored(&path))
        };
        self.journal.maintain(now, self.journal.limits(), &is_needed, &is_ignored)?;
        Ok(())
    }

    /// The changes by which a file differs from the last commit.
    fn uncommitted_entries(&self, resource: &Resource) -> Result<HashSet<EntryId>, Error> {
        let Some(history) = FileHistory::read(self.journal, resource)? else { return Ok(HashSet::new()) };
        let committed = self.committed(&history, "HEAD")?.unwrap_or_default();
        let changes = history.uncommitted(&committed).changes();
        Ok(changes.into_iter().filter_map(|change| history.entry(change)).map(|entry| entry.id.clone()).collect())
    }
}
