//! Making a commit of contents that the caller names, on top of the last commit, as `git commit` makes one of what is
//! staged.
//!
//! The steps, in this order: [`Committing::begin`], [`Committing::stage`], [`Committing::run_pre_commit`],
//! [`Committing::message`], [`Committing::publish`], [`Committing::run_post_commit`].
//!
//! - The commit is made from a private index that is read from the last commit, so nobody's staging gets into it. The
//!   repository's own filters, hooks, signing and the user's editor do their part, as git has them configured.
//! - `HEAD` moves only if it still is what the commit was made on. If not, the caller begins again.
//! - The worktree's files stay as they are. Its own index follows the commit, and keeps all that is staged in it.

mod error;
mod index;
mod message;
mod preparing;
mod publishing;
mod staging;

pub use error::CommitError;
pub use index::TreeChange;
pub use message::Wording;
pub use preparing::{Committing, NewContent, NewFile, NewKind};
pub use publishing::{Published, Signing};
pub use staging::StagedRules;

pub(super) use preparing::PREFIX;
