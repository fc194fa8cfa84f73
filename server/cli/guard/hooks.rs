//! Adding the guard to a repository's hooks, and taking it out.

use deconflict_workspace::git_hooks::{
    self, Guard, GuardState, HookChange, HookFile, HooksError, HooksFolder, Manager, Scope,
};
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure, sentence};
use crate::cli::output::Output;
use crate::cli::style::GOOD;

pub(super) fn install(deny_when_unsure: bool, context: &Context) -> Result<Exit, Failure> {
    let program =
        std::env::current_exe().map_err(|error| Failure::could_not("find out where this program is", &error))?;
    let folder = git_hooks::hooks_folder(context.folder()).map_err(|error| failed(&error))?;
    let files = git_hooks::install(&folder, &Guard { program, deny_when_unsure }).map_err(|error| failed(&error))?;
    git_hooks::remember(context.folder(), deny_when_unsure).map_err(|error| failed(&error.into()))?;
    context.output.answer(
        || document(&folder, &files),
        || {
            let is_new = files.iter().any(|file| file.change != HookChange::None);
            let others = files.iter().filter(|file| file.has_other).map(|file| file.name).collect::<Vec<_>>();
            let path = folder.path.display();
            let mut lines = if is_new {
                format!("{GOOD}The guard{GOOD:#} is in the hooks in {path}.")
            } else {
                format!("The guard is already in the hooks in {path}.")
            };
            if !others.is_empty() {
                lines.push_str(&format!("\nYour own hooks still run after it: {}.", others.join(", ")));
            }
            lines.push_str("\nTo remove it: deconflict guard --uninstall");
            lines
        },
    )?;
    if !context.output.is_json() {
        for remark in remarks(&folder) {
            Output::remark(&remark);
        }
    }
    Ok(Exit::Done)
}

pub(super) fn uninstall(context: &Context) -> Result<Exit, Failure> {
    let folder = git_hooks::hooks_folder(context.folder()).map_err(|error| failed(&error))?;
    let files = git_hooks::uninstall(&folder).map_err(|error| failed(&error))?;
    git_hooks::forget(context.folder()).map_err(|error| failed(&error.into()))?;
    context.output.answer(
        || document(&folder, &files),
        || {
            let path = folder.path.display();
            if files.iter().any(|file| file.change == HookChange::Removed) {
                format!("{GOOD}The guard{GOOD:#} was removed from the hooks in {path}; everything else is as it was.")
            } else {
                format!("There is no guard in the hooks in {path}.")
            }
        },
    )?;
    Ok(Exit::Done)
}

/// Puts the guard back into hooks that another program wrote anew, as whoever added it wants it, and says so.
pub(super) fn come_back(context: &Context) -> Result<Exit, Failure> {
    let folder = git_hooks::hooks_folder(context.folder()).map_err(|error| failed(&error))?;
    let Some(deny_when_unsure) = git_hooks::wanted(context.folder()).filter(|_| folder.comes_back()) else {
        return Ok(Exit::Done);
    };
    let GuardState::Lost(_, manager) = git_hooks::state(context.folder(), &folder) else { return Ok(Exit::Done) };
    let program =
        std::env::current_exe().map_err(|error| Failure::could_not("find out where this program is", &error))?;
    let files = git_hooks::install(&folder, &Guard { program, deny_when_unsure }).map_err(|error| failed(&error))?;
    let renewed = files.iter().filter(|file| file.change != HookChange::None);
    let names: Vec<&str> = renewed.map(|file| file.name).collect();
    let by = manager.map_or("something", Manager::name);
    Output::remark(&format!("deconflict: {by} rewrote {}. The guard is back in it.", names.join(", ")));
    Ok(Exit::Done)
}

/// What whoever installs it should know about the place.
fn remarks(folder: &HooksFolder) -> Vec<String> {
    let path = folder.path.display();
    let mut remarks = match folder.scope {
        Scope::Clone => Vec::new(),
        Scope::Worktree => vec![format!(
            "{path} is in the worktree: if you commit it, everyone who pulls it gets the guard. It does nothing where deconflict is not on the PATH."
        )],
        Scope::Husky => vec![
            format!(
                "Husky rewrites {path} when it is installed; the guard puts itself back with the next commit. To commit it for everyone, add these lines, which do nothing where deconflict is not on the PATH:"
            ),
            format!("  to .husky/pre-commit: {}", line("pre-commit", "")),
            format!("  to .husky/pre-push, as the last one: {}", line("pre-push", " -- \"$@\"")),
        ],
        Scope::Shared => vec![format!(
            "core.hooksPath leads to {path}, so other repositories may run the guard too. It does nothing where \
             nobody coordinates."
        )],
    };
    if folder.is_of_one_worktree {
        remarks.push(format!(
            "core.hooksPath leads to {path} in this worktree only: commits in other worktrees are not checked. To add the \
             guard there, in each of them: deconflict guard --install"
        ));
    }
    remarks
}

/// A line for a hook that others get too: only a refusal stops git.
fn line(hook: &str, words: &str) -> String {
    format!(
        "if command -v deconflict >/dev/null; then deconflict guard {hook} --quiet --when-unsure allow{words} || [ $? -ne 1 \
         ] || exit 1; fi"
    )
}

fn document(folder: &HooksFolder, files: &[HookFile]) -> Value {
    let scope = match folder.scope {
        Scope::Clone => "clone",
        Scope::Worktree => "worktree",
        Scope::Husky => "husky",
        Scope::Shared => "shared",
    };
    let file = |file: &HookFile| {
        let change = match file.change {
            HookChange::Added => "added",
            HookChange::Renewed => "renewed",
            HookChange::None => "none",
            HookChange::Removed => "removed",
        };
        json!({"name": file.name, "path": file.path, "change": change, "has_other": file.has_other})
    };
    json!({"folder": folder.path, "scope": scope, "hooks": files.iter().map(file).collect::<Vec<_>>()})
}

fn failed(error: &HooksError) -> Failure {
    let reason = match error {
        HooksError::Git(_) => "git",
        HooksError::Bare(_) | HooksError::InGitDirectory(_) | HooksError::NoRepository(_) => "no-worktree",
        HooksError::Io { .. } => "io",
        HooksError::LeadsOut { .. }
        | HooksError::NoFile { .. }
        | HooksError::InTheWay { .. }
        | HooksError::LinesAdded { .. } => "in-the-way",
    };
    Failure::failed(reason, sentence(&error.to_string()))
}
