//! Before a push: would it publish commits that were made of what others hold?
//!
//! A push publishes commits, not the files of the worktree, so most of what is held is no matter to it:
//!
//! - What was changed before somebody claimed it is where the holder began. Nothing is said. Git counts in seconds, so
//!   what was committed in the very second of the claim is taken to have been before it.
//! - What the holder committed itself is meant to be there. It is told that more may follow, and pushed.
//! - What somebody else committed while it was held went past the guard before the commit, or there was none. That is
//!   refused: it is the last moment at which it can still be taken back.

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::SessionId;
use deconflict_registry::{LastActivity, Registry};
use deconflict_workspace::commits::{self, PathChange, Pushed};

use super::CheckResult;
use super::after_commit::COMMITTED;
use super::commit::could_not_ask;
use super::committer::Committer;
use super::finding::{HeldChanges, name, sort};
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// Between the beginning of a commit and its end the message is written.
const LONGEST_COMMIT: TimeDelta = TimeDelta::hours(1);

pub(super) fn check(remote: &str, context: &Context, registry: &Registry) -> Result<CheckResult, Failure> {
    let refs = commits::pushed_refs(&read_standard_input()?).map_err(|error| could_not_ask(&error))?;
    let committer = Committer::find(context, registry)?;
    let active = registry.claims()?.into_iter().filter(deconflict_registry::Claim::is_active);
    let Some(since) = active.map(|claim| claim.claimed_at).min() else { return Ok(CheckResult::default()) };
    let folder = context.folder();
    let pushed = commits::pushed(folder, remote, &refs, since).map_err(|error| could_not_ask(&error))?;
    let root = commits::root_of(folder).map_err(|error| could_not_ask(&error))?;
    let namer = context.namer()?;
    let changes = every_change(&pushed);
    let (sorted, checked) = sort(&changes, &root, &namer, registry, &committer)?;
    let mut verdict = CheckResult { what: "What you push", checked, ..CheckResult::default() };
    for found in sorted.held {
        let mut own = Vec::new();
        let mut others = Vec::new();
        for commit in pushed.iter().filter(|commit| commit.authored_at > found.claim.claimed_at) {
            for change in commit.changes.iter().filter(|change| found.changes.contains(change)) {
                let resource = name(change, &root, &namer);
                let by_holder = resource.is_some_and(|resource| {
                    let holder = found.claim.holder();
                    holder.is_some_and(|holder| has_committed(registry, holder, resource.name(), commit.authored_at))
                });
                if by_holder { own.push(change.clone()) } else { others.push((commit, change.clone())) }
            }
        }
        let advice = others.iter().map(|(commit, _)| format!("Look at it: git show --stat {}", short(&commit.id)));
        for line in advice {
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
        verdict.advice.push("Ask the holder first. If all is well with it: git push --no-verify".to_owned());
    }
    Ok(verdict)
}

/// True if a session told that it committed a file itself, when the commit was made.
fn has_committed(registry: &Registry, session: &SessionId, name: &str, authored_at: DateTime<Utc>) -> bool {
    let is_it = |activity: LastActivity| {
        let record = &activity.record;
        record.action.as_deref() == Some(COMMITTED)
            && record.files_touched.iter().any(|file| file == name)
            && activity.at <= authored_at + LONGEST_COMMIT
    };
    registry.activities_since(session, authored_at).is_ok_and(|activities| activities.into_iter().any(is_it))
}

fn every_change(pushed: &[Pushed]) -> Vec<PathChange> {
    pushed.iter().flat_map(|commit| &commit.changes).cloned().collect()
}

/// Each path once, however many commits change it.
fn once_each(mut changes: Vec<PathChange>) -> Vec<PathChange> {
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.dedup_by(|a, b| a.path == b.path);
    changes
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn read_standard_input() -> Result<String, Failure> {
    /// Far more than git writes for any push.
    const LIMIT: u64 = 64 << 20;
    let mut text = String::new();
    let read = std::io::stdin().take(LIMIT).read_to_string(&mut text);
    read.map_err(|error| Failure::could_not("read from git what is pushed", &error))?;
    Ok(text)
}
