//! A single change of the disk: shown first, then made, and unmade if a later one fails.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use super::extension::Extension;
use super::files::{self, Access};

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
        /// An older one of ours is there.
        replaces: bool,
    },
    /// A link of our own is made.
    Link {
        /// The link.
        path: PathBuf,
        /// What it leads to.
        to: PathBuf,
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
    /// A file or link of ours goes.
    Delete {
        /// The file.
        path: PathBuf,
    },
    /// A folder that we made goes, if nothing of anybody else is in it.
    DeleteFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The editor's own command installs the extension.
    Install(Extension),
    /// The editor's own command removes the extension.
    Uninstall {
        /// The editor's command.
        command: PathBuf,
        /// The extension's id.
        id: String,
    },
}

/// How a change is unmade.
pub(super) enum Undo {
    Write { path: PathBuf, content: Vec<u8>, access: Access },
    Link { path: PathBuf, to: PathBuf },
    Delete(PathBuf),
    DeleteFolder(PathBuf),
    MakeFolder(PathBuf),
}

impl Step {
    /// The folders that it will make.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        match self {
            Self::Write { path, .. } | Self::Link { path, .. } | Self::Edit { path, after: Some(_), .. } => {
                path.parent().map(files::missing_folders).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Makes the change, and notes how it is unmade. An extension is not: what installs one comes last.
    pub(super) fn perform(&self, undo: &mut Vec<Undo>) -> Result<(), Error> {
        match self {
            Self::Write { path, content, access, .. } => {
                make_room(path, undo)?;
                let kept = keep_content(path)?;
                files::write(path, content, *access)?;
                undo.push(kept);
            }
            Self::Link { path, to } => {
                make_room(path, undo)?;
                let kept = keep_entry(path)?;
                files::link(path, to)?;
                undo.push(kept);
            }
            Self::Edit { path, after: Some(after), .. } => {
                make_room(path, undo)?;
                let kept = keep_content(path)?;
                files::write(path, after.as_bytes(), Access::Shared)?;
                undo.push(kept);
            }
            Self::Edit { path, after: None, .. } | Self::Delete { path } => {
                let kept = keep_entry(path)?;
                files::delete(path)?;
                undo.push(kept);
            }
            Self::DeleteFolder { path } => {
                files::delete_folder_if_empty(path)?;
                if !path.exists() {
                    undo.push(Undo::MakeFolder(path.clone()));
                }
            }
            Self::Install(extension) => extension.install()?,
            Self::Uninstall { command, id } => super::extension::uninstall(command, id)?,
        }
        Ok(())
    }
}

impl Undo {
    /// Nothing better can be done about what fails here.
    pub(super) fn perform(self) {
        let _ = match self {
            Self::Write { path, content, access } => files::write(&path, &content, access),
            Self::Link { path, to } => files::link(&path, &to),
            Self::Delete(path) => files::delete(&path),
            Self::DeleteFolder(path) => files::delete_folder_if_empty(&path),
            Self::MakeFolder(path) => files::make_folders(&path).map(drop),
        };
    }
}

fn make_room(path: &Path, undo: &mut Vec<Undo>) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        undo.extend(files::make_folders(folder)?.into_iter().map(Undo::DeleteFolder));
    }
    Ok(())
}

/// How what is at a path is put back, a link as a link.
fn keep_entry(path: &Path) -> Result<Undo, Error> {
    match fs::read_link(path) {
        Ok(to) => Ok(Undo::Link { path: path.to_owned(), to }),
        Err(_) => keep_content(path),
    }
}

/// How what is in a file is put back, behind a link too.
fn keep_content(path: &Path) -> Result<Undo, Error> {
    Ok(match files::read(path)? {
        Some(content) => Undo::Write { path: path.to_owned(), content, access: access_to(path) },
        None => Undo::Delete(path.to_owned()),
    })
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
