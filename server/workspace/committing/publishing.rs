//! Making the commit, and moving `HEAD` to it.

use std::fs;

use super::error::{CommitError, failed};
use super::index::TreeChange;
use super::preparing::{Committing, text};
use super::staging::{Following, Locked, StagedRules};
use crate::git::{self, GitError, answer};

/// Whether a commit is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// As git has it configured.
    AsConfigured,
    /// In any case; with this key, if one is named.
    Sign(Option<String>),
    /// In no case.
    Never,
}

/// What came of publishing a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is the last commit now, under this name.
    Done(String),
    /// Another commit was made meanwhile. Nothing was changed.
    HeadMoved,
}

impl Committing {
    /// Fails if something is staged that does not go together with what is to be committed.
    pub fn check_staged(
        &self,
        head: Option<&str>,
        tree: &str,
        changes: &[TreeChange],
        rules: StagedRules,
    ) -> Result<(), CommitError> {
        let base = self.base_tree(head)?;
        Following { committing: self, base: &base, tree, changes, rules }.prepare().map(drop)
    }

    /// Makes the commit and moves `HEAD` to it; the worktree's own index follows. The message is what
    /// [`Committing::message`] gave.
    pub fn publish(
        &self,
        head: Option<&str>,
        tree: &str,
        changes: &[TreeChange],
        message: &str,
        signing: &Signing,
        rules: StagedRules,
    ) -> Result<Published, CommitError> {
        let commit = self.commit_tree(head, tree, message, signing)?;
        // Git's lock keeps everybody else from staging until the index fits the new commit.
        let locked = Locked::take(&self.index)?;
        let following = Following { committing: self, base: &self.base_tree(head)?, tree, changes, rules };
        let prepared = following.prepare()?;
        let subject = message.lines().next().unwrap_or_default();
        let reason = if head.is_none() { "commit (initial)" } else { "commit" };
        let none = "0".repeat(commit.len());
        let mut git = self.git();
        git.args(["update-ref", "-m", &format!("{reason}: {subject}"), "HEAD", &commit, head.unwrap_or(&none)]);
        let output = git::run(git, b"").map_err(GitError::NoGit)?;
        if !output.status.success() {
            return if self.head()?.as_deref() == head {
                Err(git::failed("HEAD to move", &output).into())
            } else {
                Ok(Published::HeadMoved)
            };
        }
        locked.put(&prepared)?;
        Ok(Published::Done(commit))
    }

    /// Runs the repository's own post-commit hook. It is told nothing of the private index, which is of no use any more,
    /// and whatever it says comes too late.
    pub fn run_post_commit(&self) -> Result<(), CommitError> {
        let mut git = self.git();
        git.args(["hook", "run", "--ignore-missing", "post-commit"]);
        git.status().map_err(GitError::NoGit)?;
        Ok(())
    }

    fn commit_tree(
        &self,
        head: Option<&str>,
        tree: &str,
        message: &str,
        signing: &Signing,
    ) -> Result<String, CommitError> {
        let path = self.folder.path().join("message");
        fs::write(&path, message).map_err(failed("write", &path))?;
        let mut git = self.git();
        git.arg("commit-tree");
        if let Some(head) = head {
            git.args(["-p", head]);
        }
        match signing {
            Signing::Sign(Some(key)) => {
                git.arg(format!("-S{key}"));
            }
            Signing::Sign(None) => {
                git.arg("-S");
            }
            Signing::AsConfigured if self.is_configured("commit.gpgSign")? => {
                git.arg("-S");
            }
            Signing::AsConfigured | Signing::Never => {}
        }
        git.arg("-F").arg(&path).arg(tree);
        Ok(text(&answer(git, "how to make the commit", b"")?))
    }
}
