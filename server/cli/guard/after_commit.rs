//! After a commit: what was claimed by the first edit, and is now as it was committed, needs no claims. Those whose
//! changes were committed by another are told. Git waits for that where the files are few.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::thread;

use deconflict_journal::Journal;
use deconflict_platform::{Split, split_off};
use deconflict_protocol::Resource;
use deconflict_registry::{Activity, Claim, Registry, Session};
use deconflict_words::documents;
use deconflict_workspace::commits::{self, PathChange};
use deconflict_workspace::{GitError, Repository, committed, seen_contents_at};
use serde_json::json;

use super::committer::Committer;
use super::finding::names;
use super::large_commit::{self, MOST_WAITED_FOR};
use super::owned;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::style::GOOD;
use crate::cli::{upkeep, words};

/// The action of a session that made a commit.
pub(super) const COMMITTED: &str = "committed";

pub(super) fn run(is_quiet: bool, context: &Context, registry: &Registry) -> Result<Exit, Failure> {
    let is_silent = is_quiet && !context.output.is_json();
    let released = release(context, registry, is_silent)?;
    if !is_silent {
        context.output.answer(
            || json!({"released": released.iter().map(|claim| documents::claim(claim, None)).collect::<Vec<_>>()}),
            || match &released[..] {
                [] => "Nothing to release.".to_owned(),
                claims => format!("{GOOD}Released{GOOD:#} {}.", words::list_of_resources(claims)),
            },
        )?;
    }
    Ok(Exit::Done)
}

/// Releases what needs no claims, and says what was released. Where nothing is to be said and the files are many, a copy of
/// this process does so.
fn release(context: &Context, registry: &Registry, is_silent: bool) -> Result<Vec<Claim>, Failure> {
    let folder = context.folder();
    let is_large = is_silent && large_commit::is_noted(context);
    let (last, committer) = if is_large {
        // Who commits is told by the processes above this one, and the copy has none.
        let committer = Committer::find(context, registry)?;
        if split_off() == Split::Original {
            return Ok(Vec::new());
        }
        (commits::last_commit(folder)?, committer)
    } else {
        // Git is slow to tell.
        let (last, committer) = thread::scope(|scope| {
            let last = scope.spawn(|| commits::last_commit(folder));
            let committer = Committer::find(context, registry);
            (last.join(), committer)
        });
        (last.map_err(|_| GitError::NotUnderstood("what was committed"))??, committer?)
    };
    let (root, commit) = last;
    let in_commit: Vec<PathChange> = commit.changes.into_iter().filter(|change| !change.is_submodule).collect();
    if is_silent && !is_large && in_commit.len() > MOST_WAITED_FOR && split_off() == Split::Original {
        return Ok(Vec::new());
    }
    let resources = in_commit.iter().zip(names(&in_commit, &root, &context.namer()?));
    let changed: Vec<(Resource, PathBuf)> =
        resources.filter_map(|(change, resource)| Some((resource?, root.join(&change.path)))).collect();
    let contents = in_commit.iter().map(|change| (root.join(&change.path), change.content_id())).collect();
    let is_own = |claim: &Claim, holder: Option<&Session>| committer.owns(claim, holder, registry);
    let released = release_committed(registry, &root, &changed, &contents, &is_own)?;
    let resources: Vec<Resource> = changed.iter().map(|(resource, _)| resource.clone()).collect();
    if let Err(failure) = owned::tell_owners(&resources, &commit.id, context, registry, &committer) {
        Output::remark(&format!("Those whose changes were committed could not be told: {}", failure.message));
    }
    if let Err(failure) = owned::settle_committed(&resources, context, registry, &committer) {
        Output::remark(&format!("The commit could not be noted in the journal: {}", failure.message));
    }
    let files = resources.iter().map(|resource| resource.name().to_owned()).collect();
    if let Some(session) = committer.session().filter(|session| session.is_live()) {
        let activity = Activity { action: COMMITTED.to_owned(), files_touched: files, ..Activity::default() };
        upkeep::sign_of_life(registry, session, &activity);
    } else if !released.is_empty() {
        upkeep::refresh_board(registry);
    }
    Ok(released)
}

/// Releases the caller's claims by the first edit on files that were committed and are as they were committed. `contents` are
/// what git calls what was committed, as far as that is known: asking git for thousands of files takes long.
pub(in crate::cli) fn release_committed(
    registry: &Registry,
    root: &Path,
    committed: &[(Resource, PathBuf)],
    contents: &HashMap<PathBuf, &str>,
    is_own: &dyn Fn(&Claim, Option<&Session>) -> bool,
) -> Result<Vec<Claim>, Failure> {
    let resources: Vec<Resource> = committed.iter().map(|(resource, _)| resource.clone()).collect();
    let claimed: HashSet<&Resource> = registry.claimed_among(&resources)?.into_iter().collect();
    let claimed = committed.iter().filter(|(resource, _)| claimed.contains(resource));
    // What git saw as it was committed, and nobody has written since, need not be read.
    let paths: Vec<&Path> = claimed.clone().map(|(_, path)| path.as_path()).collect();
    let repository = Repository::at(root).ok().flatten().filter(|_| !contents.is_empty());
    let seen = repository.and_then(|repository| seen_contents_at(&repository, &paths).ok()).unwrap_or_default();
    let is_seen = |path: &Path, content: &str| seen.get(path).is_some_and(|seen| *seen == content);
    // A file of which more was changed than was committed is still being worked on.
    let is_called = |path: &Path, content: &str| {
        let saved = std::fs::read(path).ok().filter(|_| !path.is_symlink());
        saved.and_then(|saved| Journal::name_of(&saved)).is_some_and(|name| name.to_string() == content)
    };
    let is_as_committed =
        |path: &Path| contents.get(path).is_some_and(|content| is_seen(path, content) || is_called(path, content));
    let (mut equal, others): (Vec<_>, Vec<_>) = claimed.partition(|(_, path)| is_as_committed(path));
    if !others.is_empty() {
        let paths: Vec<PathBuf> = others.iter().map(|(_, path)| path.clone()).collect();
        let as_committed = committed::equal_to_last_commit(root, &paths).unwrap_or_default();
        equal.extend(others.into_iter().filter(|(_, path)| as_committed.contains(path)));
    }
    if equal.is_empty() {
        return Ok(Vec::new());
    }
    let equal: Vec<Resource> = equal.into_iter().map(|(resource, _)| resource.clone()).collect();
    Ok(registry.release_where(&equal, &|claim, holder| claim.is_automatic() && is_own(claim, holder))?)
}
