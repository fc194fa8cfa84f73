//! What should be on the disk for one target, compared with what is there: the difference is the plan.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::desired::{Desired, OwnFile};
use crate::error::Error;
use crate::extension;
use crate::files::{self, Expected};
use crate::hooks_file;
use crate::plan::{Obstacle, Plan};
use crate::record::{EditRecord, FileRecord, Installed, digest};
use crate::step::Step;

/// Why something is not ours.
const WAS_THERE: &str = "it was already there, and not from setup";

/// What has to be done for the disk to be as it should.
pub(super) fn compare(desired: Desired, plan: &mut Plan, installed: &Installed) -> Result<(), Error> {
    let mut after = Installed { version: env!("CARGO_PKG_VERSION").to_owned(), ..Installed::default() };
    if let Some(folder) = &desired.own_folder
        && let Some(reason) = owned_by_others(folder, &desired.files, installed)
    {
        plan.obstacles.push(Obstacle { path: folder.clone(), reason });
        return Ok(());
    }
    plan.folder.clone_from(&desired.own_folder);
    after.folder = desired.own_folder;
    for file in desired.files {
        noting_dangling_links(compare_file(file, plan, installed, &mut after), plan)?;
    }
    for (path, to) in desired.links {
        compare_link(path, to, plan, installed, &mut after);
    }
    if let Some((path, hooks)) = &desired.hooks {
        noting_dangling_links(compare_hooks(path, hooks, plan, installed, &mut after), plan)?;
    }
    // What an older version put there and this one doesn't.
    for (path, record) in installed.files.iter().filter(|(path, _)| !after.files.contains_key(*path)) {
        remove_file(path, record, plan)?;
    }
    for (path, to) in installed.links.iter().filter(|(path, _)| !after.links.contains_key(*path)) {
        remove_link(path, to, plan);
    }
    if let Some(extension) = desired.extension {
        after.extension = Some(extension.record.clone());
        if !extension.is_installed() {
            plan.steps.push(Step::Install(extension));
        }
    }
    plan.by_hand = desired.by_hand;
    plan.remarks.extend(desired.remarks);
    plan.remarks.extend(desired.remark_after_change.filter(|_| !plan.steps.is_empty()).map(str::to_owned));
    plan.after = Some(after);
    Ok(())
}

/// Nothing of ours can be put where a link leads nowhere.
fn noting_dangling_links(compared: Result<(), Error>, plan: &mut Plan) -> Result<(), Error> {
    let Err(Error::DanglingLink(path)) = compared else { return compared };
    plan.obstacles.push(Obstacle { path, reason: "it is a link that leads nowhere" });
    Ok(())
}

/// Why a folder of our name is somebody else's, if it is.
fn owned_by_others(folder: &Path, files: &[OwnFile], installed: &Installed) -> Option<&'static str> {
    let found = fs::symlink_metadata(folder).ok()?;
    let is_recorded = installed.files.keys().any(|path| path.starts_with(folder));
    if found.is_symlink() {
        return Some("it is a link, which is not from setup");
    }
    if !found.is_dir() {
        return Some("it is not a folder");
    }
    let is_as_ours = |file: &OwnFile| fs::read(&file.path).is_ok_and(|found| found == *file.content);
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    (!is_recorded && !is_empty() && !files.iter().all(is_as_ours)).then_some(WAS_THERE)
}

fn compare_file(file: OwnFile, plan: &mut Plan, installed: &Installed, after: &mut Installed) -> Result<(), Error> {
    let OwnFile { path, content, access, is_always_ours } = file;
    let digests = if is_always_ours { Vec::new() } else { vec![digest(&content)] };
    after.files.insert(path.clone(), FileRecord { digests, is_always_ours });
    let found = files::read(&path)?;
    if found.as_deref() == Some(&*content) {
        return Ok(());
    }
    let recorded = installed.files.get(&path);
    let is_as_we_left_it = |found: &[u8]| recorded.is_some_and(|record| record.digests.contains(&digest(found)));
    if !is_always_ours && found.as_deref().is_some_and(|found| !is_as_we_left_it(found)) {
        let reason = if recorded.is_some() { "somebody changed it since setup put it there" } else { WAS_THERE };
        plan.obstacles.push(Obstacle { path, reason });
        return Ok(());
    }
    let is_replaced = is_always_ours && found.is_some();
    let expected = if is_replaced { Expected::Anything } else { Expected::unchanged(found) };
    plan.steps.push(Step::Write { path, content, access, expected });
    Ok(())
}

fn compare_link(path: PathBuf, to: PathBuf, plan: &mut Plan, installed: &Installed, after: &mut Installed) {
    let found = fs::read_link(&path).ok();
    after.links.insert(path.clone(), to.clone());
    if found.as_ref() == Some(&to) {
        return;
    }
    let is_ours = found.is_some() && installed.links.get(&path) == found.as_ref();
    if is_ours || fs::symlink_metadata(&path).is_err() {
        plan.steps.push(Step::Link { path, from: found, to: Some(to) });
    } else {
        after.links.remove(&path);
        plan.obstacles.push(Obstacle { path, reason: WAS_THERE });
    }
}

fn compare_hooks(
    path: &Path,
    hooks: &Value,
    plan: &mut Plan,
    installed: &Installed,
    after: &mut Installed,
) -> Result<(), Error> {
    let now = text_of(path)?;
    if !installed.edits.contains_key(path) && now.as_deref().is_some_and(|now| hooks_file::has_hooks(now, is_our_hook))
    {
        plan.remarks.push(format!(
            "{} already calls deconflict, through hooks that are not from setup. They stay as they are.",
            path.display()
        ));
        return Ok(());
    }
    let before = match (installed.edits.get(path), now.as_deref()) {
        (Some(edit), Some(now)) => without_ours(path, edit, now)?,
        (None, now) => now.map(str::to_owned),
        (Some(_), None) => None,
    };
    let wanted = hooks_file::with_hooks(before.as_deref(), hooks).map_err(unreadable(path))?;
    let record = EditRecord { before, after: digest(wanted.as_bytes()) };
    after.edits.insert(path.to_owned(), record);
    if now.as_ref() != Some(&wanted) {
        plan.steps.push(Step::Edit { path: path.to_owned(), before: now, after: Some(wanted) });
    }
    Ok(())
}

/// What has to be done to undo what was set up.
pub(super) fn undo(plan: &mut Plan, installed: &Installed) -> Result<(), Error> {
    if let Some(extension) = &installed.extension {
        let is_there = extension::installed_in(&extension.folder, &extension.id).is_some();
        if is_there && extension.command.exists() {
            plan.steps.push(Step::Uninstall(extension.command.clone(), extension.id.clone()));
        } else if is_there {
            plan.remarks.push(format!(
                "{} is gone, so the extension {} has to be removed in the editor.",
                extension.command.display(),
                extension.id
            ));
        }
    }
    for (path, edit) in &installed.edits {
        let Some(now) = unless_gone(text_of(path))? else { continue };
        let after = without_ours(path, edit, &now)?;
        if after.as_ref() != Some(&now) {
            plan.steps.push(Step::Edit { path: path.clone(), before: Some(now), after });
        }
    }
    for (path, to) in &installed.links {
        remove_link(path, to, plan);
    }
    for (path, record) in &installed.files {
        remove_file(path, record, plan)?;
    }
    Ok(())
}

/// What is behind a link that leads nowhere is gone too.
fn unless_gone<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    if let Err(Error::DanglingLink(_)) = found { Ok(None) } else { found }
}

/// A user's file without our hooks: to the byte as before, unless somebody changed it since. `None`: no file.
fn without_ours(path: &Path, edit: &EditRecord, now: &str) -> Result<Option<String>, Error> {
    if edit.after == digest(now.as_bytes()) {
        return Ok(edit.before.clone());
    }
    let without = hooks_file::without_hooks(now, is_our_hook).map_err(unreadable(path))?;
    let is_ours_as_a_whole = edit.before.is_none() && hooks_file::has_no_more_than_a_version(&without);
    Ok((!is_ours_as_a_whole).then_some(without))
}

fn remove_file(path: &Path, record: &FileRecord, plan: &mut Plan) -> Result<(), Error> {
    let Some(found) = unless_gone(files::read(path))? else { return Ok(()) };
    if record.is_always_ours {
        plan.steps.push(Step::Delete(path.to_owned(), Expected::Anything));
    } else if record.digests.contains(&digest(&found)) {
        plan.steps.push(Step::Delete(path.to_owned(), Expected::Content(found)));
    } else {
        plan.remarks.push(format!("{} stays, because somebody changed it since.", path.display()));
    }
    Ok(())
}

fn remove_link(path: &Path, to: &Path, plan: &mut Plan) {
    if fs::read_link(path).is_ok_and(|found| found == to) {
        plan.steps.push(Step::Link { path: path.to_owned(), from: Some(to.to_owned()), to: None });
    }
}

fn text_of(path: &Path) -> Result<Option<String>, Error> {
    let not_text = |_| Error::Unreadable(path.to_owned(), "it is not UTF-8 text".to_owned());
    files::read(path)?.map(|content| String::from_utf8(content).map_err(not_text)).transpose()
}

fn unreadable(path: &Path) -> impl FnOnce(String) -> Error {
    move |reason| Error::Unreadable(path.to_owned(), reason)
}

fn is_our_hook(command: &str) -> bool {
    command.contains("deconflict") && command.contains(" hook ")
}
