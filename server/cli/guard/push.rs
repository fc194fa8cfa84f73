//! Before a push: would it publish commits that were made of what others hold?
//!
//! A push publishes commits, not the files of the worktree, so most of what is held is no matter to it:
//!
//! - What was changed before somebody claimed it is where the holder began. Nothing is said, also if it was moved onto
//!   other commits since, as long as it changes the same. Git counts in seconds, so what was committed in the very second of
//!   the claim is taken to have been before it.
//! - What the holder committed itself is meant to be there. It is told that more may follow, and pushed.
//! - What somebody else committed while it was held went past the guard before the commit, or there was none. That is
//!   refused: it is the last moment at which it can still be taken back.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::SessionId;
use deconflict_registry::{LastActivity, Registry};
use deconflict_workspace::commits::{self, PathChange, PushedRef};

use super::after_commit::COMMITTED;
use super::committer::Committer;
use super::fence;
use super::finding::{CheckResult, HeldChanges, name, names, sort};
use crate::cli::context::{Context, standard_input};
use crate::cli::failure::Failure;

/// Between the beginning of a commit and its end the message is written.
const LONGEST_COMMIT: TimeDelta = TimeDelta::hours(1);

/// Far more than git writes for any push, in bytes.
const LONGEST_LIST: u64 = 64 << 20;

pub(super) fn check(context: &Context, registry: &Registry) -> Result<CheckResult, Failure> {
    let refs = commits::pushed_refs(&standard_input(LONGEST_LIST, "read from git what is pushed")?)?;
    if !commits::publishes(context.folder(), &refs)? {
        return Ok(CheckResult::default());
    }
    let verdict = of_others(context, registry, &refs)?;
    if !verdict.findings.is_empty() {
        return Ok(verdict);
    }
    Ok(CheckResult { waits: fence::name_push(context, &refs)?, what: "What you push", ..verdict })
}

/// What it has of what others in this clone hold.
fn of_others(context: &Context, registry: &Registry, refs: &[PushedRef]) -> Result<CheckResult, Failure> {
    let folder = context.folder();
    let committer = Committer::find(context, registry)?;
    let active = registry.claims()?.into_iter().filter(deconflict_registry::Claim::is_active);
    let Some(since) = active.map(|claim| claim.claimed_at).min() else { return Ok(CheckResult::default()) };
    let pushed = commits::pushed(folder, refs, since)?;
    let root = commits::root_of(folder)?;
    let namer = context.namer()?;
    let changes: Vec<PathChange> = pushed.iter().flat_map(|commit| &commit.changes).cloned().collect();
    let (sorted, checked) = sort(&changes, &names(&changes, &root, &namer), registry, &committer)?;
    let mut verdict = CheckResult { what: "What you push", checked, ..CheckResult::default() };
    for found in sorted.held {
        let mut own = Vec::new();
        let mut others = Vec::new();
        let since = found.claim.claimed_at;
        for commit in pushed.iter().filter(|commit| commit.committed_at > since) {
            let changes: Vec<&PathChange> =
                commit.changes.iter().filter(|change| found.changes.contains(change)).collect();
            let paths: Vec<&Path> = changes.iter().map(|change| change.path.as_path()).collect();
            // A rebase makes new commits of old changes, and so does whoever adds to a commit.
            if paths.is_empty() || (commit.authored_at <= since && commits::is_replayed(&root, commit, &paths, since)?)
            {
                continue;
            }
            let is_by_holder = |change: &PathChange| {
                let holder = name(change, &root, &namer).zip(found.claim.holder());
                holder.is_some_and(|(file, holder)| {
                    [commit.authored_at, commit.committed_at]
                        .iter()
                        .any(|at| has_committed(registry, holder, file.name(), *at))
                })
            };
            for change in changes {
                if is_by_holder(change) { own.push(change.clone()) } else { others.push((commit, change.clone())) }
            }
        }
        for (commit, _) in &others {
            let line = format!("Look at it: git show --stat {:.12}", commit.id);
            if !verdict.advice.contains(&line) && verdict.advice.len() < 3 {
                verdict.advice.push(line);
            }
        }
        if !others.is_empty() {
            let changes = others.into_iter().map(|(_, change)| change).collect();
            verdict.findings.push(HeldChanges { changes: once_each(changes), ..found });
        } else if !own.is_empty() {
            verdict.warnings.push(HeldChanges { changes: once_each(own), ..found });
        }
    }
    if !verdict.findings.is_empty() {
        verdict.advice.push("Ask the holder first. If it is fine with them: git push --no-verify".to_owned());
    }
    Ok(verdict)
}

/// True if a session told that it committed a file itself, when the commit was made.
fn has_committed(registry: &Registry, session: &SessionId, name: &str, made_at: DateTime<Utc>) -> bool {
    let is_it = |it: &LastActivity| it.did(COMMITTED) && it.touched(name) && it.at <= made_at + LONGEST_COMMIT;
    registry.activities_since(session, made_at).is_ok_and(|activities| activities.iter().any(is_it))
}

/// Each path once, however many commits change it.
fn once_each(mut changes: Vec<PathChange>) -> Vec<PathChange> {
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.dedup_by(|a, b| a.path == b.path);
    changes
}
