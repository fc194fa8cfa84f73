//! Giving uncommitted changes away.

use chrono::{DateTime, Utc};
use deconflict_journal::Author;
use deconflict_protocol::Resource;

use super::{Error, Recorder, owners_in};

impl Recorder<'_> {
    /// Gives what some have changed in a file, and not committed, to another. Returns whose it was.
    pub fn give(
        &self,
        resource: &Resource,
        to: &Author,
        is_given: &dyn Fn(&Author) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<Author>, Error> {
        let is_meant = |owner: &Author| owner.session != to.session && is_given(owner);
        // Git is only asked if there may be something.
        if !owners_in(&self.journal.log(resource)?).iter().flatten().any(is_meant) {
            return Ok(Vec::new());
        }
        self.look(resource, now)?;
        let found = self.uncommitted_among(std::slice::from_ref(resource), 1)?;
        let owners = found.files.into_iter().flat_map(|file| file.owned).filter_map(|owned| owned.owner);
        let given: Vec<Author> = owners.filter(is_meant).collect();
        for owner in &given {
            self.journal.give(resource, &owner.session, to, now)?;
        }
        Ok(given)
    }
}
