//! Losses that came to their end without a word: what was lost stands there again, or its owner has committed the file.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::{Author, Entry, FileState, Journal, Loss, Settlement};
use deconflict_protocol::Resource;
use deconflict_workspace::Repository;
use deconflict_workspace::last_commit::{self, FileCommit};

use super::recorder::Place;
use super::{Error, FileHistory, Recorder};

impl Recorder<'_> {
    /// Ends the losses whose owners have committed the file since, as far as git tells. Costs nothing where nothing was lost.
    pub fn settle_what_git_has(&self, now: DateTime<Utc>) -> Result<(), Error> {
        for loss in self.journal.losses()? {
            if self.has_committed_since(&loss)? {
                self.journal.settle(&loss.entry, Some(&loss.owner.session), Settlement::Committed, now)?;
            }
        }
        Ok(())
    }

    /// Ends the losses by earlier changes if what stood there before them stands there again, whoever brought it back.
    pub(super) fn settle_what_is_back(&self, entry: &Entry, now: DateTime<Utc>) -> Result<(), Error> {
        for loss in self.journal.losses()? {
            let is_back = loss.entry.resource == entry.resource && loss.entry.before == entry.after;
            if is_back && loss.entry.id != entry.id {
                self.journal.settle(&loss.entry, None, Settlement::Restored, now)?;
            }
        }
        Ok(())
    }

    /// Ends what some have lost in files that they have committed: they have seen what stands there.
    pub fn settle_committed(
        &self,
        files: &[Resource],
        is_committer: &dyn Fn(&Author) -> bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        for loss in self.journal.losses()? {
            if files.contains(&loss.entry.resource) && is_committer(&loss.owner) {
                self.journal.settle(&loss.entry, Some(&loss.owner.session), Settlement::Committed, now)?;
            }
        }
        Ok(())
    }

    /// True if this person made git's newest stash, in the worktree that a file is in.
    pub fn has_stashed(&self, owner: &Author, resource: &Resource) -> Result<bool, Error> {
        let Place::InWorktree { root, .. } = self.place_of(resource) else { return Ok(false) };
        let stash = last_commit::named_by(&root, "refs/stash")?;
        stash.map_or(Ok(false), |stash| self.is_made_by(owner, &stash, &root))
    }

    /// True for a change by nobody known by which this person put what they had into git's stash.
    pub(super) fn is_stashed_by(&self, owner: &Author, entry: &Entry) -> Result<bool, Error> {
        Ok(entry.author.is_none() && self.is_in_stash(entry)? && self.has_stashed(owner, &entry.resource)?)
    }

    /// True if what stood in a file before a change is in git's newest stash. Of what was deleted the stash says nothing; it
    /// stands there again as the last commit has it.
    pub fn is_in_stash(&self, entry: &Entry) -> Result<bool, Error> {
        let Some(history) = FileHistory::read(self.journal, &entry.resource)? else { return Ok(false) };
        let has = |commit: &str, state: &FileState| {
            let content = self.committed(&history, commit).ok().flatten();
            content.and_then(|content| Journal::name_of(&content)).is_some_and(|id| state.kept() == Some(id))
        };
        Ok(has("refs/stash", &entry.before) || (entry.before == FileState::Absent && has("HEAD", &entry.after)))
    }

    /// True if whoever lost something has committed the file since.
    fn has_committed_since(&self, loss: &Loss) -> Result<bool, Error> {
        let Loss { entry, owner, .. } = loss;
        if owner.person.is_none() || owner.agent.is_some() {
            return Ok(false);
        }
        let Place::InWorktree { root, path } = self.place_of(&entry.resource) else { return Ok(false) };
        for commit in last_commit::of_file_since(&root, &path, entry.at)? {
            let is_after = commit.at > entry.at || self.is_as_committed(&entry.resource)?;
            if is_after && self.is_made_by(owner, &commit, &root)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True if a person made a commit. Git only knows the person, so what an agent commits, or anybody while an agent's
    /// command runs, is for that agent's hook to say.
    fn is_made_by(&self, owner: &Author, commit: &FileCommit, root: &Path) -> Result<bool, Error> {
        let (Some(person), None) = (&owner.person, &owner.agent) else { return Ok(false) };
        if commit.committer != *person {
            return Ok(false);
        }
        let repository = Repository::at(root).ok().flatten();
        let worktree = repository.as_ref().and_then(Repository::worktree).unwrap_or_default();
        // Git tells whole seconds.
        Ok(self.journal.overlapping(worktree, commit.at, commit.at + TimeDelta::seconds(1))?.is_empty())
    }

    fn is_as_committed(&self, resource: &Resource) -> Result<bool, Error> {
        Ok(self.not_as_committed(std::slice::from_ref(resource))?.is_empty())
    }
}
