//! What a commit has of files that git converts on their way to the disk.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use deconflict_platform::{Links, read_regular};
use memchr::memmem;

use super::git::{self, GitError, Surroundings, answer};
use super::last_commit::Contents;
use super::repository::LONGEST_SMALL_FILE;
use super::{Repository, git_settings};

/// By these attributes git writes other bytes than it keeps (gitattributes(5)). Line ends are another matter.
const CONVERTING: [&str; 3] = ["filter", "working-tree-encoding", "ident"];

/// What git is asked for.
const MADE: &str = "what a filter makes of a file";

/// What a commit has of those of some files that git converts, as it would write them to the disk, by their paths from the
/// root. The user's own filters run.
pub fn converted(root: &Path, commit: &str, paths: &[&str]) -> Result<Contents, GitError> {
    let mut contents = Contents::new();
    for path in converted_among(root, paths)? {
        let mut git = git::command(Surroundings::OfUser);
        git.current_dir(root).args(["cat-file", "--filters", &format!("{commit}:{path}")]);
        contents.insert(path, answer(git, MADE, b"")?);
    }
    Ok(contents)
}

/// The same of a content that git keeps, by its name, as under a path from the root; `None` if it doesn't keep that, or
/// converts nothing there.
pub fn converted_content(root: &Path, path: &str, name: &str) -> Result<Option<Vec<u8>>, GitError> {
    if converted_among(root, &[path])?.is_empty() {
        return Ok(None);
    }
    let mut git = git::command_in(root, Surroundings::Own);
    git.args(["cat-file", "-e", name]);
    if !git::run(git, b"")?.status.success() {
        return Ok(None);
    }
    let mut git = git::command(Surroundings::OfUser);
    git.current_dir(root).args(["cat-file", "--filters", &format!("--path={path}"), name]);
    Ok(Some(answer(git, MADE, b"")?))
}

fn converted_among(root: &Path, paths: &[&str]) -> Result<Vec<String>, GitError> {
    // In most repositories no file of attributes speaks of these, and git need not be started to say so.
    if paths.is_empty() || !attribute_files(root, paths).iter().any(|file| speaks_of_converting(file)) {
        return Ok(Vec::new());
    }
    let mut git = git::command(Surroundings::OfUser);
    git.current_dir(root).args(["check-attr", "-z", "--stdin"]).args(CONVERTING);
    let said = answer(git, "the attributes of files", paths.join("\0").as_bytes())?;
    let mut fields = said.split(|byte| *byte == 0);
    let mut converted: Vec<String> = Vec::new();
    while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
        let is_new = converted.last().is_none_or(|last| last.as_bytes() != path);
        if is_new && ![&b"unspecified"[..], b"unset"].contains(&value) {
            converted.extend(String::from_utf8(path.to_vec()));
        }
    }
    Ok(converted)
}

/// Where git looks for the attributes of some files.
fn attribute_files(root: &Path, paths: &[&str]) -> HashSet<PathBuf> {
    let folders = paths.iter().flat_map(|path| Path::new(path).ancestors().skip(1));
    let mut files: HashSet<PathBuf> = folders.map(|folder| root.join(folder).join(".gitattributes")).collect();
    files.insert(PathBuf::from("/etc/gitattributes"));
    let Ok(Some(repository)) = Repository::at(root) else { return files };
    files.insert(repository.common_directory().join("info").join("attributes"));
    let users = match git_settings::of(&repository).value("core", "attributesfile") {
        Some(path) => git_settings::expanded(path, root),
        None => git_settings::users_folder().map(|folder| folder.join("attributes")),
    };
    files.extend(users);
    files
}

/// True if one of the attributes may be set there, also for what is too long to be read.
fn speaks_of_converting(file: &Path) -> bool {
    match read_regular(file, Links::Followed, LONGEST_SMALL_FILE) {
        Ok(text) => CONVERTING.iter().any(|attribute| memmem::find(&text, attribute.as_bytes()).is_some()),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
