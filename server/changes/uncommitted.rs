//! What lies uncommitted in the working tree, and whose it is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deconflict_journal::{Author, FileState};
use deconflict_protocol::Resource;
use deconflict_workspace::last_commit;

use super::history::{FileHistory, Owned};
use super::recorder::{Place, by_root};
use super::{Error, Recorder};

/// A file with changes that are not committed.
#[derive(Debug)]
pub struct UncommittedFile {
    /// What is known of it.
    pub history: FileHistory,
    /// What the last commit has; `None` if it has no such file.
    pub committed: Option<Vec<u8>>,
    /// Whose the changes are, and how many lines.
    pub owned: Vec<Owned>,
}

/// Files with uncommitted changes, and how many more there are.
#[derive(Debug, Default)]
pub struct UncommittedFiles {
    /// Those that changed last, first.
    pub files: Vec<UncommittedFile>,
    /// So many more were not looked into.
    pub more: usize,
}

impl Recorder<'_> {
    /// Finds at most so many files with uncommitted changes among those that somebody is known to have changed. What git
    /// takes for committed already is not read.
    pub fn uncommitted_files(&self, most: usize, now: DateTime<Utc>) -> Result<UncommittedFiles, Error> {
        let changed = self.not_as_committed(&self.journal.files()?)?;
        for resource in changed.iter().take(most) {
            self.look(resource, now)?;
        }
        self.uncommitted_among(&changed, most)
    }

    /// The same among these files.
    pub fn uncommitted_among(&self, files: &[Resource], most: usize) -> Result<UncommittedFiles, Error> {
        let mut found = UncommittedFiles::default();
        let mut histories = Vec::new();
        for resource in files {
            if histories.len() == most {
                found.more += 1;
            } else if let Some(history) = FileHistory::read(self.journal, resource)?
                && history.entries().iter().any(|entry| entry.author.is_some())
            {
                histories.push(history);
            }
        }
        let committed = self.committed_of_each(&histories.iter().collect::<Vec<_>>(), "HEAD")?;
        let owned = histories.into_iter().zip(&committed).map(|(history, committed)| {
            let mut owned = history.owned(&history.uncommitted(committed.as_deref().unwrap_or_default()));
            owned.retain(|owned| owned.owner.is_some());
            (history, owned)
        });
        let mut owned: Vec<(FileHistory, Vec<Owned>)> = owned.collect();
        self.add_makers(&mut owned)?;
        for ((history, owned), committed) in owned.into_iter().zip(committed) {
            if !owned.is_empty() {
                found.files.push(UncommittedFile { history, committed, owned });
            }
        }
        Ok(found)
    }

    /// True if all that is uncommitted in a file is known to be theirs.
    pub fn is_work_of(&self, resource: &Resource, is_meant: &dyn Fn(&Author) -> bool) -> Result<bool, Error> {
        let Some(history) = FileHistory::read(self.journal, resource)? else { return Ok(false) };
        let committed = self.committed(&history, "HEAD")?.unwrap_or_default();
        let mut changes = history.uncommitted(&committed).changes();
        // No line of what may be run now, or is gone and was empty, is another one.
        if changes.is_empty() {
            changes.push(history.changes().last().map(|(change, _)| change));
        }
        Ok(changes.into_iter().all(|change| history.owner_of(change).is_some_and(is_meant)))
    }

    /// The files in worktrees that are not known to be as the last commit has them.
    pub fn not_as_committed(&self, files: &[Resource]) -> Result<Vec<Resource>, Error> {
        let compared = self.compared_with_commit(files)?.into_iter();
        Ok(compared.filter(|(_, is_same)| !is_same).map(|(resource, _)| resource).collect())
    }

    /// The files in worktrees that are as the last commit has them.
    pub fn as_committed(&self, files: &[Resource]) -> Result<Vec<Resource>, Error> {
        let compared = self.compared_with_commit(files)?.into_iter();
        Ok(compared.filter(|(_, is_same)| *is_same).map(|(resource, _)| resource).collect())
    }

    fn compared_with_commit(&self, files: &[Resource]) -> Result<Vec<(Resource, bool)>, Error> {
        let places: Vec<Place> = files.iter().map(|resource| self.place_of(resource)).collect();
        let mut names = HashMap::new();
        for (root, paths) in by_root(&places) {
            names.insert(root, last_commit::names(root, "HEAD", &paths)?);
        }
        let mut compared = Vec::new();
        for (resource, place) in files.iter().zip(&places) {
            let Place::InWorktree { root, path } = place else { continue };
            let committed = names.get(root.as_path()).and_then(|names| names.get(path));
            let tip = self.journal.tip(resource)?;
            let is_same = match tip.as_ref().map(|tip| &tip.state) {
                Some(FileState::Absent) | None => committed.is_none(),
                Some(state) => state.kept().is_some_and(|content| committed == Some(&content.to_string())),
            };
            // No content is another one by whether it may be run.
            let is_other_form = || match tip.as_ref().filter(|tip| tip.is_another_form) {
                Some(tip) => Ok::<_, Error>(!self.has_committed_form(resource, &tip.state)?),
                None => Ok(false),
            };
            compared.push((resource.clone(), is_same && !is_other_form()?));
        }
        Ok(compared)
    }
}
