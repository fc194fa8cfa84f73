//! What a commit has of files, as it would stand on disk.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use deconflict_journal::{Commit, Journal};
use deconflict_workspace::{Repository, converted, last_commit, seen_contents};

use super::history::FileHistory;
use super::recorder::{Place, by_root};
use super::{Error, Recorder};

impl Recorder<'_> {
    /// What a commit has of a file, as it would stand on disk; `None` if it has no such file. Outside of git it is the
    /// oldest text that is known.
    pub fn committed(&self, history: &FileHistory, commit: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.committed_of_each(&[history], commit)?.pop().flatten())
    }

    /// The same for many files, in their order. Git is asked once for each worktree.
    pub fn committed_of_each(&self, files: &[&FileHistory], commit: &str) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let places: Vec<_> = files.iter().map(|history| self.place_of(history.resource())).collect();
        let mut contents = HashMap::new();
        for (root, paths) in by_root(&places) {
            contents.insert(root, last_commit::contents(root, commit, &paths)?);
        }
        let committed = files.iter().zip(&places).map(|(history, place)| match place {
            Place::OutsideOfGit => Some(history.oldest().to_vec()),
            Place::InWorktree { root, path } => {
                let content = contents.get_mut(root.as_path())?.remove(path)?;
                Some(history.as_it_would_stand(content))
            }
            Place::Nowhere => None,
        });
        let mut committed: Vec<Option<Vec<u8>>> = committed.collect();
        if commit == "HEAD" {
            self.find_otherwise_kept(files, &places, &mut committed)?;
        }
        Ok(committed)
    }

    /// The same for what is made of these texts, a commit or files: what git converts on its way to the disk is converted.
    pub fn checked_out_of_each(&self, files: &[&FileHistory], commit: &str) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let mut committed = self.committed_of_each(files, commit)?;
        let is_strange =
            |index: &usize| committed[*index].as_deref().is_some_and(|text| !files[*index].has_stood(text));
        let strange: Vec<usize> = (0..files.len()).filter(is_strange).collect();
        let places: Vec<Place> = strange.iter().map(|index| self.place_of(files[*index].resource())).collect();
        let mut contents = HashMap::new();
        for (root, paths) in by_root(&places) {
            contents.insert(root, converted(root, commit, &paths)?);
        }
        for (index, place) in strange.iter().zip(&places) {
            let Place::InWorktree { root, path } = place else { continue };
            if let Some(content) = contents.get_mut(root.as_path()).and_then(|contents| contents.remove(path)) {
                committed[*index] = Some(content);
            }
        }
        Ok(committed)
    }

    /// Of some files git keeps other bytes than stand on disk: of what a filter converts, or in another encoding. Where git
    /// has seen such a file as it was committed, that is what the commit has, and it is remembered for when the file is
    /// changed again.
    fn find_otherwise_kept(
        &self,
        files: &[&FileHistory],
        places: &[Place],
        committed: &mut [Option<Vec<u8>>],
    ) -> Result<(), Error> {
        let is_other = |index: &usize| committed[*index].as_deref().is_some_and(|text| text != files[*index].newest());
        let others: Vec<usize> = (0..files.len()).filter(is_other).collect();
        let other_places: Vec<Place> = others.iter().map(|index| places[*index].clone()).collect();
        let mut unchanged = HashMap::new();
        for (root, paths) in by_root(&other_places) {
            unchanged.insert(root.to_owned(), unchanged_in(root, &paths)?);
        }
        for index in others {
            let (Place::InWorktree { root, path }, history) = (&places[index], files[index]) else { continue };
            if !unchanged.get(root).is_some_and(|unchanged| unchanged.contains(path)) {
                continue;
            }
            let stood = Some(history.newest().to_vec());
            let kept = std::mem::replace(&mut committed[index], stood).unwrap_or_default();
            if let (Some(newest), Some(id)) = (history.entries().last(), last_commit::id(root)?) {
                let commit = Commit { session: None, id, before: None, after: Journal::name_of(&kept) };
                self.journal.committed(history.resource(), commit, newest.at)?;
            }
        }
        Ok(())
    }
}

/// The files of a worktree that are as they were committed, as git saw when it looked last.
fn unchanged_in(root: &Path, paths: &[&str]) -> Result<HashSet<String>, Error> {
    let repository = Repository::at(root).ok().flatten();
    // Where git's index cannot be understood, nothing is known.
    let seen = repository.and_then(|repository| seen_contents(&repository, paths).ok()).unwrap_or_default();
    if seen.is_empty() {
        return Ok(HashSet::new());
    }
    let names = last_commit::names(root, "HEAD", &seen.keys().map(String::as_str).collect::<Vec<_>>())?;
    Ok(seen.into_iter().filter(|(path, content)| names.get(path) == Some(content)).map(|(path, _)| path).collect())
}
