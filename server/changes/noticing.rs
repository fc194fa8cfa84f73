//! Looking whether files were changed that somebody holds or has uncommitted changes in, by whoever comes by.

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use deconflict_journal::{Observation, Stamp, Watched};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Registry};
use deconflict_workspace::{Kind, Repository, differing_at};

use super::before::befores_in;
use super::recorder::slashed;
use super::{Error, Noticed, Recorder};

/// No more files that nobody has looked at yet are looked at at once.
const MOST_KEPT: usize = 200;

impl Recorder<'_> {
    /// Looks at a file that is worth a look, if it may have changed, and finds out who lost by what nobody says they did.
    pub fn look_again(&self, watched: &Watched, now: DateTime<Utc>) -> Result<Option<Noticed>, Error> {
        let mut is_unsettled = watched.is_unsettled;
        if self.may_have_changed(watched) {
            let candidates = self.may_have_done_it(watched, now)?;
            let entry = self.observe(&watched.resource, Observation { candidates, ..Observation::look(now) })?;
            is_unsettled |= entry.is_some_and(|entry| entry.author.is_none());
        }
        if is_unsettled { self.settle_unknown(&watched.resource, now) } else { Ok(None) }
    }

    /// The sessions whose commands ran since somebody looked at a file.
    fn may_have_done_it(&self, watched: &Watched, now: DateTime<Utc>) -> Result<Vec<SessionId>, Error> {
        let worktree = watched.resource.worktree().unwrap_or_default();
        let mut candidates: Vec<SessionId> = Vec::new();
        for run in self.journal.overlapping(worktree, watched.at, now)? {
            let registry = self.present_registry();
            let session = registry.map(|registry| registry.session(&run.session)).transpose()?.flatten();
            // Of an agent that is gone nobody tells the end.
            let is_over = run.ended.is_none() && !session.is_some_and(|session| session.is_live());
            if !is_over && !candidates.contains(&run.session) {
                candidates.push(run.session);
            }
        }
        Ok(candidates)
    }

    /// False for a file that is as it was when somebody looked last.
    pub fn may_have_changed(&self, watched: &Watched) -> bool {
        self.differs(&watched.resource, watched.stamp)
    }

    /// False if a file certainly is as it was when it had such a stamp.
    pub(super) fn differs(&self, resource: &Resource, then: Option<Stamp>) -> bool {
        let now = self.namer.path_of(resource).and_then(|path| Stamp::of(&path));
        match (then, now) {
            (Some(then), Some(now)) => !then.is_certain() || !then.looks_like(&now),
            (then, now) => then.is_some() || now.is_some(),
        }
    }

    /// Looks at what anybody holds in a worktree that is not as it was committed, where nobody has looked yet: whoever
    /// claims by hand tells of no edit, and what is clean git has.
    pub fn keep_held(&self, repository: &Repository, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(registry) = self.present_registry() else { return Ok(()) };
        let watched: HashSet<Resource> = self.journal.watched()?.into_iter().map(|watched| watched.resource).collect();
        let claimed = registry.claimed_names()?.into_iter().filter(|resource| !watched.contains(resource));
        let places: Vec<PathBuf> = claimed
            .filter_map(|resource| self.namer.path_of(&resource))
            .filter(|path| path.starts_with(repository.root()))
            .take(MOST_KEPT)
            .collect();
        if places.is_empty() {
            return Ok(());
        }
        // Where git's index cannot be understood, nothing is known of what was clean.
        let files = differing_at(repository, self.ignored, &places).unwrap_or_default();
        let files: Vec<Resource> = files
            .iter()
            .filter_map(|file| self.namer.resource_as_spelled(&file.path, Kind::File).ok())
            .filter(|resource| !watched.contains(resource) && !self.namer.is_internal(resource))
            .collect();
        let held: Vec<(String, Resource)> = held_among(registry, &files)?
            .into_iter()
            .filter_map(|resource| Some((slashed(repository.root(), &self.namer.path_of(&resource)?)?, resource)))
            .take(MOST_KEPT)
            .collect();
        for (resource, before) in befores_in(repository, "HEAD", held)? {
            self.observe(&resource, Observation { before: Some(before), ..Observation::look(now) })?;
        }
        Ok(())
    }
}

/// Those of files that somebody holds now.
fn held_among(registry: &Registry, files: &[Resource]) -> Result<Vec<Resource>, Error> {
    let claims = registry.claims_covering(files)?;
    let active = claims.iter().filter(|(claim, _): &&(Claim, _)| claim.is_active());
    let held: HashSet<usize> = active.flat_map(|(_, covered)| covered.iter().copied()).collect();
    Ok(files.iter().enumerate().filter(|(index, _)| held.contains(index)).map(|(_, file)| file.clone()).collect())
}
