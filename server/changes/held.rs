//! Looking at what anybody holds by hand, where no hook and no server tells of edits: what they have changed is kept, and
//! they hear of what git took to another commit.

use std::collections::HashSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use deconflict_journal::{Observation, Stamp, Watched};
use deconflict_protocol::Resource;
use deconflict_registry::{Claim, ClaimsMark, Registry};
use deconflict_workspace::{Kind, Repository, differing_at, left_out_since};

use super::before::befores_in;
use super::held_list::{Held, HeldFile, HeldList, Places};
use super::moved::began;
use super::recorder::slashed;
use super::stood::Stood;
use super::{Error, Recorder};

/// No more files that nobody has looked at yet are looked at at once.
const MOST_KEPT: usize = 200;

impl Recorder<'_> {
    /// Looks at what anybody holds in a worktree, and at where its `HEAD` was moved, as far as either may have changed since
    /// the list was written. Nothing that is watched is looked at here. Returns true if something is kept by it.
    pub fn look_at_held(
        &self,
        repository: &Repository,
        list: Option<&HeldList>,
        watched: &[Watched],
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let Some(registry) = self.present_registry() else { return Ok(false) };
        let watched = resources_of(watched);
        let (claims, head_log) = (registry.claims_mark()?, repository.head_log_length());
        let known = list.and_then(HeldList::take).filter(|known| known.head_log == head_log);
        let is_head_known = known.is_some();
        if let Some(known) = known.filter(|known| known.is_current(claims, now)) {
            return self.look_at_known(repository, registry, known, list, &watched, now);
        }
        let begin = registry.clock().elapsed();
        let held = self.held_files(registry, repository)?;
        // How they stand now is asked before they are looked at, so that a change meanwhile is seen the next time.
        let files: Vec<_> = held.iter().map(|file| (file.clone(), Stood::of(self.stamp_of(file)))).collect();
        let is_kept = self.keep(repository, registry, &held.iter().collect::<Vec<_>>(), &watched, now)?;
        let took = registry.clock().elapsed().saturating_sub(begin);
        if !is_head_known {
            self.look_at_moves(repository, now)?;
        }
        if let Some(list) = list.filter(|_| !files.is_empty()) {
            list.write(Held::new((now, took), claims, head_log, files));
        }
        Ok(is_kept)
    }

    /// Looks at those on the list that do not stand as they stood.
    fn look_at_known(
        &self,
        repository: &Repository,
        registry: &Registry,
        mut known: Held,
        list: Option<&HeldList>,
        watched: &HashSet<Resource>,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        // How each stands now is asked once: what changes after that is seen the next time.
        let mut places = Places::new(self.namer);
        let stamps: Vec<Option<Stamp>> = known.files.iter().map(|file| places.stamp_of(file)).collect();
        let is_other: Vec<bool> =
            known.files.iter().zip(&stamps).map(|(file, stamp)| file.stood.is_other(*stamp)).collect();
        // A folder's own stamp tells nothing of what is deeper in it.
        let is_in_question = |(file, is_other): &(&HeldFile, &bool)| **is_other || file.is_directory;
        let in_question = known.files.iter().zip(&is_other).filter(is_in_question);
        let in_question: Vec<Resource> = in_question.filter_map(|(file, _)| file.resource()).collect();
        let is_kept = self.keep(repository, registry, &in_question.iter().collect::<Vec<_>>(), watched, now)?;
        let Some(list) = list else { return Ok(is_kept) };
        if is_other.contains(&true) {
            for (file, stamp) in known.files.iter_mut().zip(stamps) {
                file.stood = Stood::of(stamp);
            }
            list.write(known);
        } else {
            list.keep(known);
        }
        Ok(is_kept)
    }

    /// Looks at what this process has just claimed, adds it to the list and takes from it what was released. If nobody else
    /// changed claims between these marks, which this process left when it did so, the list need not be made anew.
    pub fn look_at_own(
        &self,
        repository: &Repository,
        list: Option<&HeldList>,
        claimed: &[Resource],
        released: &[Resource],
        marks: Option<(ClaimsMark, ClaimsMark)>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let Some(registry) = self.present_registry() else { return Ok(()) };
        let claimed: Vec<&Resource> = claimed.iter().filter(|file| self.is_in(repository, file)).collect();
        if let Some((list, known)) = list.and_then(|list| Some((list, list.take()?))) {
            let own: Vec<_> = claimed.iter().map(|file| ((*file).clone(), Stood::of(self.stamp_of(file)))).collect();
            let claims = marks.filter(|(before, _)| known.claims == *before).map_or(known.claims, |(_, after)| after);
            if claims != known.claims || !claimed.is_empty() || !released.is_empty() {
                list.write(known.with_own(claims, &own, released, MOST_KEPT));
            } else {
                list.keep(known);
            }
        }
        if claimed.is_empty() {
            return Ok(());
        }
        self.keep(repository, registry, &claimed, &resources_of(&self.journal.watched()?), now).map(drop)
    }

    /// Keeps what was changed of what anybody holds by hand in a worktree, where nobody has looked yet: whoever claims by
    /// hand tells of no edit, and what is clean git has.
    pub fn keep_held(&self, repository: &Repository, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(registry) = self.present_registry() else { return Ok(()) };
        let held: Vec<Resource> = self.held_files(registry, repository)?;
        let held: Vec<&Resource> = held.iter().collect();
        self.keep(repository, registry, &held, &resources_of(&self.journal.watched()?), now).map(drop)
    }

    fn held_files(&self, registry: &Registry, repository: &Repository) -> Result<Vec<Resource>, Error> {
        let claimed = registry.claimed_names()?.into_iter();
        Ok(claimed.filter(|resource| self.is_in(repository, resource)).take(MOST_KEPT).collect())
    }

    fn is_in(&self, repository: &Repository, resource: &Resource) -> bool {
        self.namer.path_of(resource).is_some_and(|path| path.starts_with(repository.root()))
    }

    /// Keeps what differs of these from what is committed, if somebody holds it now and it is not watched.
    fn keep(
        &self,
        repository: &Repository,
        registry: &Registry,
        claimed: &[&Resource],
        watched: &HashSet<Resource>,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let unwatched = claimed.iter().filter(|resource| !watched.contains(**resource));
        let places: Vec<PathBuf> = unwatched.filter_map(|resource| self.namer.path_of(resource)).collect();
        if places.is_empty() {
            return Ok(false);
        }
        // Where git's index cannot be understood, nothing is known of what was clean.
        let files = differing_at(repository, self.ignored, &places).unwrap_or_default();
        let left_out = self.left_out(repository, registry, claimed, watched)?;
        let mut files: Vec<Resource> = files
            .iter()
            .map(|file| &file.path)
            .chain(&left_out)
            .filter_map(|path| self.namer.resource_as_spelled(path, Kind::File).ok())
            .filter(|resource| !watched.contains(resource) && !self.namer.is_internal(resource))
            .collect();
        files.dedup();
        let held: Vec<(String, Resource)> = held_among(registry, &files)?
            .into_iter()
            .filter_map(|resource| Some((slashed(repository.root(), &self.namer.path_of(&resource)?)?, resource)))
            .take(MOST_KEPT)
            .collect();
        let is_kept = !held.is_empty();
        for (resource, before) in befores_in(repository, "HEAD", held)? {
            self.observe(&resource, Observation { before: Some(before), ..Observation::look(now) })?;
        }
        Ok(is_kept)
    }

    /// What a sparse checkout took out of the worktree of these, since they are claimed: git then does not miss it there.
    fn left_out(
        &self,
        repository: &Repository,
        registry: &Registry,
        claimed: &[&Resource],
        watched: &HashSet<Resource>,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut left_out = Vec::new();
        if !repository.is_sparse() {
            return Ok(left_out);
        }
        for resource in claimed.iter().filter(|resource| !watched.contains(**resource)) {
            let Some(path) = self.namer.path_of(resource).filter(|path| resource.is_directory() || !path.exists())
            else {
                continue;
            };
            let claims = registry.claims_on(resource)?.into_iter().filter(Claim::is_active);
            if let Some(began) = claims.map(|claim| began(&claim)).min() {
                left_out.extend(left_out_since(repository, began.into(), || vec![path]).unwrap_or_default());
            }
        }
        Ok(left_out)
    }
}

fn resources_of(watched: &[Watched]) -> HashSet<Resource> {
    watched.iter().map(|watched| watched.resource.clone()).collect()
}

/// Those of files that somebody holds now.
fn held_among(registry: &Registry, files: &[Resource]) -> Result<Vec<Resource>, Error> {
    let claims = registry.claims_covering(files)?;
    let active = claims.iter().filter(|(claim, _): &&(Claim, _)| claim.is_active());
    let held: HashSet<usize> = active.flat_map(|(_, covered)| covered.iter().copied()).collect();
    Ok(files.iter().enumerate().filter(|(index, _)| held.contains(index)).map(|(_, file)| file.clone()).collect())
}
