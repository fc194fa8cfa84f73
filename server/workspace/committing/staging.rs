//! What becomes of the worktree's own index: it follows the commit, and what is staged stays staged.
//!
//! A copy is changed by git, compared, and put in the place of the index while git's own lock is held.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::{CommitError, failed};
use super::index::{Blob, TreeChange, copy_index, index_command, staged, write_entries};
use super::preparing::{Committing, Filter};
use crate::git::{self, GitError, answer};
use deconflict_platform::canonical;

/// What becomes of what is staged where it is neither what the last commit has nor what is being committed.
#[derive(Clone, Copy)]
pub struct StagedRules<'a> {
    /// True for what is staged at a path, `None` for a removal, if all of it is in the commit, or was on the way there.
    pub is_committed: &'a dyn Fn(&Path, Option<&[u8]>) -> bool,
    /// Puts what two sides made of one text together; `None` where they don't go together.
    pub merge: Merge<'a>,
}

/// Puts what two sides made of one text together.
type Merge<'a> = &'a dyn Fn(&[u8], &[u8], &[u8]) -> Option<Vec<u8>>;

/// Git's own lock of an index. Without [`Locked::put`] the index stays as it is.
#[derive(Debug)]
pub(super) struct Locked {
    index: PathBuf,
    lock: PathBuf,
}

impl Locked {
    /// Takes the lock, and waits a moment for whoever has it: git stages in milliseconds.
    pub(super) fn take(index: &Path) -> Result<Self, CommitError> {
        const ATTEMPTS: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(30);
        let index = canonical(index).unwrap_or_else(|_| index.to_owned());
        let lock = with_ending(&index, ".lock");
        for _ in 0..ATTEMPTS {
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(file) => {
                    drop::<File>(file);
                    return Ok(Self { index, lock });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => thread::sleep(PAUSE),
                Err(error) => return Err(failed("make", &lock)(error)),
            }
        }
        Err(CommitError::Locked(lock))
    }

    /// Lets this file be the index, and gives the lock back.
    pub(super) fn put(self, prepared: &Path) -> Result<(), CommitError> {
        fs::rename(prepared, &self.lock).map_err(failed("move", prepared))?;
        fs::rename(&self.lock, &self.index).map_err(failed("write", &self.index))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // After it was put in its place there is none.
        let _ = fs::remove_file(&self.lock);
    }
}

/// A commit that the index is to follow.
pub(super) struct Following<'a> {
    pub(super) committing: &'a Committing,
    /// The tree that was committed before.
    pub(super) base: &'a str,
    /// The tree that is committed now.
    pub(super) tree: &'a str,
    /// What differs between the two.
    pub(super) changes: &'a [TreeChange],
    pub(super) rules: StagedRules<'a>,
}

impl Following<'_> {
    /// Makes the index that follows, in a file of its own. The caller holds the lock.
    pub(super) fn prepare(&self) -> Result<PathBuf, CommitError> {
        let committing = self.committing;
        let prepared = committing.folder.path().join("followed");
        match copy_index(&committing.index, &prepared) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_file(&prepared);
            }
            Err(error) => return Err(failed("read", &committing.index)(error)),
        }
        let git = || index_command(&committing.root, &prepared);
        let before = staged(git(), self.base)?;
        let by_path: HashMap<&[u8], &TreeChange> =
            before.iter().map(|change| (change.name.as_slice(), change)).collect();
        let (mut updates, mut in_the_way) = (Vec::new(), Vec::new());
        for change in self.changes {
            match by_path.get(change.name.as_slice()) {
                None => updates.push((change.name.clone(), change.after.clone())),
                // It is staged already.
                Some(staged) if !staged.is_unmerged && staged.after == change.after => {}
                Some(staged) if self.is_committed(staged)? => updates.push((change.name.clone(), change.after.clone())),
                Some(staged) => match self.merged(change, staged)? {
                    Some(blob) => updates.push((change.name.clone(), Some(blob))),
                    None => in_the_way.push(change.path()),
                },
            }
        }
        if !in_the_way.is_empty() {
            return Err(CommitError::Staged(in_the_way));
        }
        let flagged = self.flagged(&prepared)?;
        write_entries(git(), &updates, self.base.len())?;
        self.flag_again(&prepared, &flagged)?;
        self.stamp(&prepared, &updates)?;
        // A file that is committed where a folder is staged would take that away, and the reverse.
        let after = staged(git(), self.tree)?;
        let lost = others(&before, self.changes).filter(|change| !after.contains(change));
        let lost: Vec<PathBuf> = lost.map(TreeChange::path).collect();
        if lost.is_empty() { Ok(prepared) } else { Err(CommitError::Staged(lost)) }
    }

    fn is_committed(&self, staged: &TreeChange) -> Result<bool, CommitError> {
        let content = match &staged.after {
            _ if staged.is_unmerged => return Ok(false),
            None => None,
            Some(blob) if blob.is_file() => Some(self.content(blob)?),
            Some(_) => return Ok(false),
        };
        Ok((self.rules.is_committed)(&staged.path(), content.as_deref()))
    }

    fn content(&self, blob: &Blob) -> Result<Vec<u8>, CommitError> {
        let mut git = self.committing.git();
        git.args(["cat-file", "blob", &blob.id]);
        Ok(answer(git, "what is staged", b"")?)
    }

    /// What the index has at a path where something else is staged than the commit had before: both put together. `None`
    /// where they don't go together.
    fn merged(&self, change: &TreeChange, staged: &TreeChange) -> Result<Option<Blob>, CommitError> {
        if staged.is_unmerged {
            return Ok(None);
        }
        let (Some(base), Some(ours), Some(theirs)) = (&change.before, &staged.after, &change.after) else {
            return Ok(None);
        };
        let mode = match (base.mode == ours.mode, base.mode == theirs.mode) {
            (true, _) => &theirs.mode,
            (_, true) => &ours.mode,
            _ if ours.mode == theirs.mode => &ours.mode,
            _ => return Ok(None),
        };
        let are_files = [base, ours, theirs].iter().all(|blob| blob.is_file());
        let id = if base.id == theirs.id || ours.id == theirs.id {
            ours.id.clone()
        } else if base.id == ours.id {
            theirs.id.clone()
        } else if are_files {
            let merged = (self.rules.merge)(&self.content(base)?, &self.content(ours)?, &self.content(theirs)?);
            let Some(text) = merged else {
                return Ok(None);
            };
            self.committing.write_blob("", &text, Filter::None)?
        } else {
            return Ok(None);
        };
        Ok(Some(Blob { mode: mode.clone(), id }))
    }

    /// The committed paths that the index marks as not to be looked at on disk, with the options that mark them.
    fn flagged(&self, index: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, CommitError> {
        let mut git = index_command(&self.committing.root, index);
        git.args(["ls-files", "-v", "-z"]);
        let listed = answer(git, "what is in the index", b"")?;
        let mut flagged = Vec::new();
        for line in listed.split(|byte| *byte == 0) {
            let [tag, b' ', path @ ..] = line else { continue };
            let is_marked = tag.is_ascii_lowercase() || *tag == b'S';
            if !is_marked || !self.changes.iter().any(|change| change.name == path && change.after.is_some()) {
                continue;
            }
            if tag.eq_ignore_ascii_case(&b'S') {
                flagged.push(("--skip-worktree", path.to_vec()));
            }
            if tag.is_ascii_lowercase() {
                flagged.push(("--assume-unchanged", path.to_vec()));
            }
        }
        Ok(flagged)
    }

    fn flag_again(&self, index: &Path, flagged: &[(&'static str, Vec<u8>)]) -> Result<(), CommitError> {
        for option in ["--skip-worktree", "--assume-unchanged"] {
            let paths: Vec<&[u8]> =
                flagged.iter().filter(|(flag, _)| *flag == option).map(|(_, path)| path.as_slice()).collect();
            if !paths.is_empty() {
                let mut git = index_command(&self.committing.root, index);
                git.args(["update-index", option, "-z", "--stdin"]);
                answer(git, "how to mark files", &paths.join(&0))?;
            }
        }
        Ok(())
    }

    /// Notes how the committed files stand on disk, so that nobody has to read them to see that they are unchanged.
    fn stamp(&self, index: &Path, updates: &[(Vec<u8>, Option<Blob>)]) -> Result<(), CommitError> {
        let is_there = |path: &Vec<u8>| {
            let path = self.committing.root.join(git::path_from(path));
            fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir())
        };
        let there = updates.iter().filter(|(path, blob)| blob.is_some() && is_there(path));
        let paths: Vec<&[u8]> = there.map(|(path, _)| path.as_slice()).collect();
        if !paths.is_empty() {
            let mut git = index_command(&self.committing.root, index);
            git.args(["add", "--refresh", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"]);
            // It only saves time later.
            git::run(git, &paths.join(&0)).map_err(GitError::NoGit)?;
        }
        Ok(())
    }
}

/// What is staged at paths that are not committed.
fn others<'a>(staged: &'a [TreeChange], committed: &'a [TreeChange]) -> impl Iterator<Item = &'a TreeChange> {
    staged.iter().filter(|change| committed.iter().all(|committed| committed.name != change.name))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
