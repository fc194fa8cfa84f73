//! Adding the guard to a repository's hooks, and taking it out.

use deconflict_workspace::git_hooks::{self, Guard, HookChange, HookFile, HooksError, HooksFolder, Scope};
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
    context.output.answer(
        || document(&folder, &files),
        || {
            let is_new = files.iter().any(|file| file.change != HookChange::None);
            let others = files.iter().filter(|file| file.has_other).map(|file| file.name).collect::<Vec<_>>();
            let path = folder.path.display();
            let mut lines = if is_new {
                format!("{GOOD}The guard{GOOD:#} is in the hooks in {path}.")
            } else {
                format!("The guard is in the hooks in {path} already.")
            };
            if !others.is_empty() {
                lines.push_str(&format!("\nYour own hooks go on to run after it: {}.", others.join(", ")));
            }
            lines.push_str("\nTo take it out again: deconflict guard --uninstall");
            lines
        },
    )?;
    if !context.output.is_json()
        && let Some(remark) = remark(&folder)
    {
        Output::remark(&remark);
    }
    Ok(Exit::Done)
}

pub(super) fn uninstall(context: &Context) -> Result<Exit, Failure> {
    let folder = git_hooks::hooks_folder(context.folder()).map_err(|error| failed(&error))?;
    let files = git_hooks::uninstall(&folder).map_err(|error| failed(&error))?;
    context.output.answer(
        || document(&folder, &files),
        || {
            let path = folder.path.display();
            if files.iter().any(|file| file.change == HookChange::Removed) {
                format!("{GOOD}The guard{GOOD:#} is out of the hooks in {path}; all else is as it was.")
            } else {
                format!("There is no guard in the hooks in {path}.")
            }
        },
    )?;
    Ok(Exit::Done)
}

/// What whoever installs it should know about the place.
fn remark(folder: &HooksFolder) -> Option<String> {
    let path = folder.path.display();
    match folder.scope {
        Scope::Clone => None,
        Scope::Worktree => Some(format!(
            "{path} is in the worktree: if you commit it, everybody who gets it gets the guard, and needs deconflict \
             on the PATH."
        )),
        Scope::Husky => Some(format!(
            "Husky writes {path} anew when it is installed. To keep the guard, add this line to .husky/pre-commit \
             instead: deconflict guard pre-commit --when-unsure allow"
        )),
        Scope::Shared => Some(format!(
            "core.hooksPath leads to {path}, so other repositories may run the guard too. It does nothing where \
             nobody coordinates."
        )),
    }
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
        HooksError::Io { .. } => "io",
        HooksError::LeadsOut { .. }
        | HooksError::NoFile { .. }
        | HooksError::InTheWay { .. }
        | HooksError::LinesAdded { .. } => "in-the-way",
    };
    Failure::failed(reason, sentence(&error.to_string()))
}
