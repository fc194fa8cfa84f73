//! Before a commit: does it contain what others hold?

use std::path::{Path, PathBuf};
use std::thread;

use deconflict_protocol::SessionId;
use deconflict_registry::{ClaimState, Registry};
use deconflict_words::COMMIT_OWN;
use deconflict_workspace::commits::{self, Index, Operation, PathChange, Staged};
use deconflict_workspace::{GitError, swept};

use super::committer::Committer;
use super::finding::{CheckResult, HeldChanges, as_words, name, names, pathspec, sort};
use super::large_commit;
use super::owned;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::words;

pub(super) fn check(context: &Context, registry: &Registry) -> Result<CheckResult, Failure> {
    // Git is slow to tell.
    let folder = context.folder();
    let (staged, committer) = thread::scope(|scope| {
        let staged = scope.spawn(|| Staged::of(folder));
        let committer = Committer::find(context, registry);
        (staged.join(), committer)
    });
    let staged = staged.map_err(|_| GitError::NotUnderstood("what is to be committed"))??;
    if staged.index == Index::Prepared {
        // `deconflict commit` takes nobody else's changes, whoever holds the file.
        return Ok(CheckResult { what: "This commit", checked: staged.changes.len(), ..CheckResult::default() });
    }
    let committer = committer?;
    large_commit::note(staged.changes.len(), context);
    let resources = names(&staged.changes, &staged.root, &context.namer()?);
    let (sorted, checked) = sort(&staged.changes, &resources, registry, &committer)?;
    if sorted.held.is_empty()
        && let Some(unreadable) = sorted.unreadable.first()
    {
        return Err(unreadable_claim(unreadable, context));
    }
    let found = owned::of_others(&staged.changes, &resources, &staged.root, context, registry, &committer);
    // A damaged journal hinders nobody.
    let found = found.unwrap_or_default();
    let (owned, named) = match staged.index {
        // What a merge or the like brings is from commits.
        _ if staged.operation.is_some() => (Vec::new(), found),
        Index::Named | Index::Prepared => (Vec::new(), found),
        Index::All => (found, Vec::new()),
        Index::Staged => {
            let (staged_by_name, namer) = (committer.staged_by_name(registry), context.namer()?);
            let is_named = |change: &PathChange| {
                name(change, &staged.root, &namer).is_some_and(|resource| staged_by_name.contains(&resource))
            };
            owned::swept(found, &staged.changes, &staged.root, is_named)?
        }
    };
    let mut advice = advice(&staged, &sorted.held, context)?;
    if !sorted.held.is_empty() {
        advice.extend(committer.advice());
    }
    if !owned.is_empty() {
        advice.push(COMMIT_OWN.to_owned());
        let mut paths: Vec<PathBuf> = owned.iter().map(|owned| owned.path.clone()).collect();
        paths.dedup();
        advice.push(format!("To commit theirs too, name the files: git commit -- {}", as_words(&paths, false)));
    }
    let (findings, warnings) = (sorted.held, sorted.left_idle);
    Ok(CheckResult { what: "This commit", checked, findings, owned, warnings, named, taken: None, waits: None, advice })
}

/// A record that nobody can read says neither yes nor no.
pub(super) fn unreadable_claim(found: &HeldChanges, context: &Context) -> Failure {
    let failure = Failure::failed("damaged", found.sentence(context.now())).fact("held", vec![found.document()]);
    if found.claim.standing == ClaimState::Pending { failure.advise("Try again in a few seconds.") } else { failure }
}

/// What can be done: leave the files out, or come to an agreement with those who hold them.
fn advice(staged: &Staged, held: &[HeldChanges], context: &Context) -> Result<Vec<String>, Failure> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut changes: Vec<&PathChange> = held.iter().flat_map(|finding| &finding.changes).collect();
    // Half a rename is not to be committed either.
    changes.extend(changes.clone().into_iter().filter_map(|change| staged.renamed_to(change)));
    let mut paths: Vec<PathBuf> = changes.into_iter().map(|change| change.path.clone()).collect();
    paths.sort();
    paths.dedup();
    let mut advice = leave_out(staged, &paths, context)?;
    advice.extend(agree(held));
    Ok(advice)
}

fn leave_out(staged: &Staged, paths: &[PathBuf], context: &Context) -> Result<Vec<String>, Failure> {
    let is_below_root =
        std::env::var_os("GIT_PREFIX").is_some_and(|prefix| !prefix.is_empty()) || context.folder() != staged.root;
    let words = as_words(paths, is_below_root);
    let them = if paths.len() == 1 { "it" } else { "them" };
    let unstage = if staged.is_first { "git rm --cached --quiet" } else { "git restore --staged" };
    if let Some(operation) = staged.operation {
        let (name, give_up) = match operation {
            Operation::Merge => ("merge", "git merge --abort"),
            Operation::Squash => ("squashed merge", "git reset --merge"),
            Operation::Rebase => ("rebase", "git rebase --abort"),
            Operation::CherryPick => ("cherry-pick", "git cherry-pick --abort"),
            Operation::Revert => ("revert", "git revert --abort"),
        };
        // What the operation itself makes of the file stays in the commit.
        let brought = if staged.has_auto_merge { " --source=AUTO_MERGE" } else { "" };
        // Of a conflict there is nothing to go back to but its marks.
        if staged.has_auto_merge && has_conflicts(&staged.root, paths)? {
            return Ok(vec![format!(
                "To go on, talk to the holder about the conflict, or give the {name} up: {give_up}"
            )]);
        }
        return Ok(vec![
            format!("If the {name} has nothing to do with {them}, leave {them} out: {unstage}{brought} -- {words}"),
            format!("Otherwise talk to the holder before you go on, or give the {name} up: {give_up}"),
        ]);
    }
    Ok(match staged.index {
        Index::Staged if !staged.is_first && is_staged_in_part(&staged.root, paths)? => {
            let others = staged.changes.iter().map(|change| change.path.clone());
            let others: Vec<PathBuf> = others.filter(|path| !paths.contains(path)).collect();
            // Somebody chose what is staged of it, and that is nowhere else.
            match &others[..] {
                [] => vec![format!("Nothing else is staged, and it is up to the holder what is staged of {words}.")],
                others => vec![format!(
                    "To leave {them} out, and staged as it is: git commit -- {}",
                    as_words(others, is_below_root)
                )],
            }
        }
        Index::Staged => vec![format!("To leave {them} out: {unstage} -- {words}")],
        Index::All => {
            let excluded: Vec<String> = paths.iter().map(|path| pathspec(path, Some("top,exclude"))).collect();
            vec![format!("To leave {them} out: git add --update -- :/ {} && git commit", excluded.join(" "))]
        }
        Index::Named | Index::Prepared => vec![format!("To leave {them} out, name the other files only. Not: {words}")],
    })
}

fn has_conflicts(root: &Path, paths: &[PathBuf]) -> Result<bool, Failure> {
    for path in paths {
        if !commits::is_merged_cleanly(root, path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if more was changed in one of the files than is staged of it.
fn is_staged_in_part(root: &Path, paths: &[PathBuf]) -> Result<bool, Failure> {
    Ok(swept::unstaged(root)?.iter().any(|unstaged| paths.contains(unstaged)))
}

fn agree(held: &[HeldChanges]) -> Vec<String> {
    let mut advice = Vec::new();
    let mut asked: Vec<Option<&SessionId>> = Vec::new();
    for finding in held {
        // Whoever is asked for one file hears of the rest in the answer.
        let holder = finding.claim.holder();
        let Some(command) = words::ask_command(&finding.claim, finding.holder.as_ref()) else { continue };
        if !asked.contains(&holder) {
            asked.push(holder);
            advice.push(format!("Ask for it: {command}"));
        }
    }
    advice.truncate(3);
    let holders: Vec<&str> = held.iter().filter_map(|finding| Some(finding.holder.as_ref()?.id.as_str())).collect();
    if let Some(first) = holders.first() {
        advice.push(format!(
            "If that session is yours, say so, and commit again: export DECONFLICT_SESSION={}",
            words::shell_word(first)
        ));
    }
    advice
}
