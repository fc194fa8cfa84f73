//! How a saved file differs from the last commit.
//!
//! Git's objects are not read here, so git is asked for their plain content.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Repository;
use super::git::{self, GitError, NOTHING, Surroundings};
use super::last_commit;
use super::repository::slashed;

/// Files above this size, in bytes, are not compared.
pub const LARGEST_COMPARED: u64 = 5 << 20;

/// Why a file could not be compared with the last commit.
#[derive(Debug, thiserror::Error)]
pub enum CommittedError {
    /// This file is in no git repository.
    #[error("{0} is not in a git repository")]
    NotInRepository(PathBuf),
    /// This file is too large.
    #[error("{0} is too large to compare with the last commit")]
    TooLarge(PathBuf),
    /// Git cannot be asked about a path with a line end in it, or one that is not UTF-8.
    #[error("the path {0} cannot be asked about")]
    UnusualPath(PathBuf),
    /// The saved file could not be read.
    #[error("could not read {0}: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// Git could not be asked.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What git is asked for.
const WHAT: &str = "what is in the last commit";

/// What was changed in a saved file since the last commit, as a unified diff; empty if nothing was. A file that was
/// not committed yet is all new. Line ends that only became Windows' or stopped being so don't count.
pub fn changes(file: &Path) -> Result<String, CommittedError> {
    let committed = committed(file)?.unwrap_or_default();
    let saved = saved(file)?;
    if saved.as_deref().unwrap_or_default() == committed {
        return Ok(String::new());
    }
    let mut git = git::command(Surroundings::Own);
    // No repository and no configuration: this only compares two texts.
    git.env("GIT_CONFIG_GLOBAL", NOTHING).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_DIR", NOTHING);
    git.args(["diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-cr-at-eol", "--", "-"]);
    git.arg(if saved.is_some() { file } else { Path::new(NOTHING) });
    let output = git::run(git, &committed).map_err(GitError::NoGit)?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(git::failed(WHAT, &output).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match text.find("\n@@") {
        Some(start) => Ok(format!("--- {name} (last commit)\n+++ {name} (saved)\n{}", &text[start + 1..])),
        None if text.lines().any(|line| line.starts_with("Binary files")) => {
            Ok(format!("Binary file {name} was changed.\n"))
        }
        None => Ok(String::new()),
    }
}

/// True if a saved file is as it was last committed, line ends aside. A file that is in neither counts as equal.
pub fn equals_last_commit(file: &Path) -> Result<bool, CommittedError> {
    Ok(are_equal(committed(file)?.as_deref(), saved(file)?.as_deref()))
}

/// Those of a worktree's files that are as they were last committed. One git answers for all of them.
pub fn equal_to_last_commit(root: &Path, files: &[PathBuf]) -> Result<HashSet<PathBuf>, GitError> {
    let below_root = |file: &PathBuf| Some((file.clone(), file.strip_prefix(root).ok().and_then(slashed)?));
    let readable = |(file, path): (PathBuf, String)| Some((saved(&file).ok()?, file, path));
    let files: Vec<_> = files.iter().filter_map(below_root).filter_map(readable).collect();
    let paths: Vec<&str> = files.iter().map(|(_, _, path)| path.as_str()).collect();
    let committed = last_commit::contents(root, "HEAD", &paths)?;
    let is_equal = |(saved, file, path): &(Option<Vec<u8>>, PathBuf, String)| {
        are_equal(committed.get(path).map(Vec::as_slice), saved.as_deref()).then(|| file.clone())
    };
    Ok(files.iter().filter_map(is_equal).collect())
}

fn are_equal(committed: Option<&[u8]>, saved: Option<&[u8]>) -> bool {
    match (committed, saved) {
        (Some(committed), Some(saved)) => committed == saved || unix_lines(committed).eq(unix_lines(saved)),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What the last commit and the file as saved have; empty where there is none.
pub fn texts(file: &Path) -> Result<(Vec<u8>, Vec<u8>), CommittedError> {
    Ok((committed(file)?.unwrap_or_default(), saved(file)?.unwrap_or_default()))
}

/// What the last commit of the worktree that the file is in has at its path. `None` if it has no such file.
fn committed(file: &Path) -> Result<Option<Vec<u8>>, CommittedError> {
    let repository = file
        .parent()
        .and_then(|folder| Repository::containing(folder).ok().flatten())
        .ok_or_else(|| CommittedError::NotInRepository(file.to_owned()))?;
    let path = file
        .strip_prefix(repository.root())
        .ok()
        .and_then(slashed)
        .filter(|path| !path.contains('\n'))
        .ok_or_else(|| CommittedError::UnusualPath(file.to_owned()))?;
    let ask = |what: &str| {
        let mut git = git::command_in(repository.root(), Surroundings::Own);
        git.args(["cat-file", what]);
        git::answer(git, WHAT, format!("HEAD:{path}\n").as_bytes())
    };
    // The answer is "{id} {type} {size}", or says that there is none.
    let described = ask("--batch-check")?;
    let described = String::from_utf8_lossy(&described);
    let mut size = described.trim_end().rsplit(' ');
    let (Some(length), Some("blob")) = (size.next().and_then(|length| length.parse::<u64>().ok()), size.next()) else {
        return Ok(None);
    };
    if length > LARGEST_COMPARED {
        return Err(CommittedError::TooLarge(file.to_owned()));
    }
    let mut answer = ask("--batch")?;
    let start = answer.iter().position(|byte| *byte == b'\n').map_or(answer.len(), |end| end + 1);
    answer.drain(..start);
    // A line end follows the content.
    answer.pop();
    Ok(Some(answer))
}

/// The saved text, `None` if there is no file.
fn saved(file: &Path) -> Result<Option<Vec<u8>>, CommittedError> {
    let unreadable = |source| CommittedError::Unreadable(file.to_owned(), source);
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => Err(unreadable(io::ErrorKind::InvalidInput.into())),
        Ok(found) if found.len() > LARGEST_COMPARED => Err(CommittedError::TooLarge(file.to_owned())),
        Ok(_) => fs::read(file).map(Some).map_err(unreadable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// The bytes of a text without its byte-order mark and with every line end as Unix writes it.
fn unix_lines(text: &[u8]) -> impl Iterator<Item = u8> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let next = text.iter().skip(1).map(Some).chain([None]);
    text.iter().zip(next).filter(|(byte, next)| **byte != b'\r' || *next != Some(&b'\n')).map(|(byte, _)| *byte)
}
