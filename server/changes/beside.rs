//! Whose unfinished work an edit stands beside.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deconflict_journal::{Author, Entry};
use deconflict_protocol::text::quoted;
use deconflict_protocol::{Resource, SessionId};

use super::people::{has_person_of, is_same_person};
use super::{Error, Recorder, owners_in};

impl Recorder<'_> {
    /// Whose uncommitted changes a file has that an author begins to edit, as far as they were not told of them yet: from
    /// now on they were. Between a person and their own agents that is not worth a word; what an agent left is its person's.
    /// An agent and its sub-agents are one `family`.
    pub fn others_beside(
        &self,
        author: &Author,
        family: &[SessionId],
        resource: &Resource,
        now: DateTime<Utc>,
    ) -> Result<Vec<Author>, Error> {
        if !resource.is_file() {
            return Ok(Vec::new());
        }
        let log = self.journal.log(resource)?;
        let (entries, owners) = (log.entries(), owners_in(&log));
        let changes: Vec<(&Entry, &Author)> =
            entries.iter().zip(&owners).filter_map(|(entry, owner)| Some((entry, owner.as_ref()?))).collect();
        let is_told = |owner: &SessionId| {
            changes.iter().any(|(entry, of)| of.session == *owner && log.was_told(&entry.id, &author.session))
        };
        let is_stranger = |owner: &Author| {
            let is_own = owner.session == author.session || family.contains(&owner.session);
            let is_left_to_them = is_same_person(author, owner) && self.has_left(owner);
            !is_own && !has_person_of(author, owner) && !is_left_to_them
        };
        let strangers: BTreeSet<&SessionId> =
            changes.iter().filter(|(_, owner)| is_stranger(owner)).map(|(_, owner)| &owner.session).collect();
        // Git is only asked if there may be something.
        let news: Vec<&SessionId> = strangers.into_iter().filter(|owner| !is_told(owner)).collect();
        if news.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.uncommitted_among(std::slice::from_ref(resource), 1)?;
        let owners = found.files.into_iter().flat_map(|file| file.owned).filter_map(|owned| owned.owner);
        let beside: Vec<Author> = owners.filter(|owner| news.contains(&&owner.session)).collect();
        for owner in &beside {
            let newest = changes.iter().rev().find(|(_, of)| of.session == owner.session);
            if let Some((entry, _)) = newest {
                self.journal.told(entry, &author.session, now)?;
            }
        }
        Ok(beside)
    }

    /// True for an agent whose turn has ended, and one that ended or is gone.
    fn has_left(&self, agent: &Author) -> bool {
        let session = self.registry.and_then(|registry| registry.session(&agent.session).ok().flatten());
        session.is_none_or(|session| !session.is_live() || session.record.is_waiting())
    }
}

/// What whoever edits a file is told of others' uncommitted changes in it, where a model may read it.
pub fn beside_in_words(resource: &Resource, owners: &[Author]) -> String {
    let names: Vec<String> = owners.iter().map(|owner| quoted(&owner.label, 60)).collect();
    beside_of(&resource.in_a_sentence(), &names.join(" and "))
}

/// The same of a file and others that are named already.
pub fn beside_of(file: &str, others: &str) -> String {
    format!("{file} has uncommitted changes of {others} too.")
}
