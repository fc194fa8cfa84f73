//! A single change of the disk: shown first, then made, and unmade if a later one fails.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::extension::{self, Extension};
use crate::files::{self, Access, Expected};

/// A single change.
#[derive(Debug)]
pub enum Step {
    /// A file of our own gets this content.
    Write {
        /// The file.
        path: PathBuf,
        /// What will be in it.
        content: Cow<'static, [u8]>,
        /// Who may do what with it.
        access: Access,
        /// What is there: an older one of ours, or nothing.
        expected: Expected,
    },
    /// A link of our own is made, changed or removed.
    Link {
        /// The link.
        path: PathBuf,
        /// What it leads to; `None` if there is none.
        from: Option<PathBuf>,
        /// What it will lead to; `None` if it will be removed.
        to: Option<PathBuf>,
    },
    /// Something of ours gets into a file of the user's, or out of it.
    Edit {
        /// The file.
        path: PathBuf,
        /// What is in it; `None` if there is none.
        before: Option<String>,
        /// What will be in it; `None` if it will be removed.
        after: Option<String>,
    },
    /// A file of ours goes, if that is in it.
    Delete(PathBuf, Expected),
    /// A folder that we made goes, if nothing of anybody else is in it.
    DeleteFolder(PathBuf),
    /// The editor's own command installs the extension.
    Install(Extension),
    /// The editor's own command removes the extension of this id.
    Uninstall(PathBuf, String),
}

impl Step {
    /// The folders that it will make.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        match self {
            Self::Write { path, .. }
            | Self::Link { path, to: Some(_), .. }
            | Self::Edit { path, after: Some(_), .. } => path.parent().map(files::missing_folders).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Makes the change, and notes what unmakes it. An extension is not unmade: what installs one comes last.
    pub(super) fn carry_out(&self, undo: &mut Vec<Self>) -> Result<(), Error> {
        match self {
            Self::Write { path, content, access, expected } => change(path, Some(content), *access, expected, undo)?,
            Self::Edit { path, before, after } => {
                let expected = Expected::unchanged(before.clone().map(String::into_bytes));
                change(path, after.as_ref().map(String::as_bytes), Access::Shared, &expected, undo)?;
            }
            Self::Delete(path, expected) => change(path, None, Access::Shared, expected, undo)?,
            Self::Link { path, from, to } => {
                if to.is_some() {
                    make_room(path, undo)?;
                }
                files::link(path, to.as_deref(), from.as_deref())?;
                undo.push(Self::Link { path: path.clone(), from: to.clone(), to: from.clone() });
            }
            Self::DeleteFolder(path) => files::delete_folder_if_empty(path)?,
            Self::Install(extension) => extension.install()?,
            Self::Uninstall(command, id) => extension::uninstall(command, id)?,
        }
        Ok(())
    }
}

/// Unmakes what was done, the latest first. Nothing better can be done about what fails here.
pub(super) fn undo(steps: Vec<Step>) {
    steps.into_iter().rev().for_each(|step| drop(step.carry_out(&mut Vec::new())));
}

/// Gives a file a content, or removes it.
fn change(
    path: &Path,
    content: Option<&[u8]>,
    access: Access,
    expected: &Expected,
    undo: &mut Vec<Step>,
) -> Result<(), Error> {
    let access_before = access_to(path);
    let before = match content {
        Some(content) => {
            make_room(path, undo)?;
            files::write(path, content, access, expected)?
        }
        None => files::delete(path, expected)?,
    };
    let (path, expected) = (path.to_owned(), Expected::unchanged(content.map(<[u8]>::to_vec)));
    undo.push(match before {
        Some(content) => Step::Write { path, content: content.into(), access: access_before, expected },
        None => Step::Delete(path, expected),
    });
    Ok(())
}

fn make_room(path: &Path, undo: &mut Vec<Step>) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        undo.extend(files::make_folders(folder)?.into_iter().map(Step::DeleteFolder));
    }
    Ok(())
}

#[cfg(unix)]
fn access_to(path: &Path) -> Access {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().map_or(0, |found| found.permissions().mode());
    match (mode & 0o111, mode & 0o077) {
        (0, 0) => Access::Private,
        (0, _) => Access::Shared,
        _ => Access::Program,
    }
}

#[cfg(not(unix))]
fn access_to(_: &Path) -> Access {
    Access::Shared
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_somebody_saved_meanwhile_is_neither_overwritten_nor_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let edit = |before: Option<&str>, after: Option<&str>| Step::Edit {
            path: path.clone(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let now = || fs::read_to_string(&path).unwrap();

        for (planned_for, planned) in [(None, Some("ours")), (Some("theirs"), Some("ours")), (Some("theirs"), None)] {
            fs::write(&path, "saved").unwrap();
            let refused = edit(planned_for, planned).carry_out(&mut Vec::new());
            assert!(matches!(refused, Err(Error::Changed { .. })), "{refused:?}");
            assert_eq!(now(), "saved");
        }
        let taken_back = edit(Some("saved"), Some("ours"));
        for (saved_since, expected) in [(None, "saved"), (Some("saved again"), "saved again")] {
            let mut undo = Vec::new();
            taken_back.carry_out(&mut undo).unwrap();
            assert_eq!(now(), "ours");
            if let Some(text) = saved_since {
                fs::write(&path, text).unwrap();
            }
            super::undo(undo);
            assert_eq!(now(), expected);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something temporary stayed");
    }
}
