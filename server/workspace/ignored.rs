//! What git ignores, from its ignore files (gitignore(5)).

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix_glob::pattern::Case;
use gix_glob::{Pattern, wildmatch};

use super::git_settings::KeptSettings;
use super::repository::{Configuration, GitDirectory, slashed};
use super::when_written::{WhenWritten, when_written};
use super::{Repository, git_settings};
use deconflict_platform::{Links, read_at_most, read_regular};

/// Git's own limit is higher, but so large a file would slow every claim down.
const LARGEST_FILE: u64 = 16 << 20;

/// Answers whether git ignores a path. What was read is kept until the file it came from changes.
#[derive(Debug, Default)]
pub struct Ignored {
    read: Mutex<HashMap<PathBuf, (WhenWritten, Patterns)>>,
    settings: KeptSettings,
}

/// The patterns of one file, in its order.
type Patterns = Arc<[Pattern]>;

/// The patterns of one file, and where in a path from the repository's root their folder ends.
type Rules = (usize, Patterns);

impl Ignored {
    /// Nothing is read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if git ignores the file, which need not exist: its path is absolute and has no symlinks in it.
    pub fn is_ignored(&self, path: &Path) -> bool {
        self.is_ignored_as(path, false)
    }

    /// True if git ignores the directory, and so all that is in it.
    pub fn is_ignored_directory(&self, path: &Path) -> bool {
        self.is_ignored_as(path, true)
    }

    fn is_ignored_as(&self, path: &Path, is_directory: bool) -> bool {
        let Some(Ok(Some(repository))) = path.parent().map(Repository::containing) else { return false };
        self.is_ignored_by(&repository, path, is_directory)
    }

    /// The same for a file of which it is known which repository it is in.
    pub fn is_ignored_in(&self, repository: &Repository, path: &Path) -> bool {
        self.is_ignored_by(repository, path, false)
    }

    fn is_ignored_by(&self, repository: &Repository, path: &Path, is_directory: bool) -> bool {
        let Some(relative) = path.strip_prefix(repository.root()).ok().and_then(slashed) else { return false };
        let configuration = self.settings.of(repository);
        let case = if configuration.is_true("core", "ignorecase") { Case::Fold } else { Case::Sensitive };
        // What is below an ignored directory is ignored with it, so the outermost is asked first.
        let mut rules = self.rules_of_repository(repository, &configuration);
        let mut start = 0;
        for end in relative.match_indices('/').map(|(slash, _)| slash).chain([relative.len()]) {
            let file = repository.root().join(&relative[..start]).join(".gitignore");
            // Git follows no symlink to an ignore file in the worktree.
            let read = || read_regular(&file, Links::Refused, LARGEST_FILE);
            rules.extend(self.patterns(&file, read).map(|patterns| (start, patterns)));
            let is_folder = is_directory || end < relative.len();
            // The rules that were read last are the nearest, and count most.
            let verdict =
                rules.iter().rev().find_map(|(from, rules)| verdict(rules, &relative[*from..end], is_folder, case));
            if verdict == Some(Verdict::Ignored) {
                return is_directory || !repository.tracks(&relative).unwrap_or(false);
            }
            start = end + 1;
        }
        false
    }

    /// The rules that count least: the user's own, then those of this clone.
    fn rules_of_repository(&self, repository: &Repository, configuration: &Configuration) -> Vec<Rules> {
        let users = match configuration.value("core", "excludesfile") {
            Some(path) => git_settings::expanded(path, repository.root()),
            None => git_settings::users_folder().map(|folder| folder.join("ignore")),
        };
        let users = users.and_then(|file| self.patterns(&file, || read_regular(&file, Links::Followed, LARGEST_FILE)));
        let of_clone = Path::new("info").join("exclude");
        let of_clone = self.patterns(&repository.common_directory().join(&of_clone), || {
            read_at_most(GitDirectory::open(repository.common_directory())?.file(&of_clone)?, LARGEST_FILE)
        });
        users.into_iter().chain(of_clone).map(|patterns| (0, patterns)).collect()
    }

    /// The patterns of one file; `None` if there is none that can be read.
    fn patterns(&self, file: &Path, read: impl FnOnce() -> io::Result<Vec<u8>>) -> Option<Patterns> {
        let stamp = when_written(file)?;
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, patterns)) = known.get(file).filter(|(of, _)| *of == stamp) {
            return Some(Arc::clone(patterns));
        }
        let patterns = gix_ignore::parse(&read().ok()?, false).map(|(pattern, _, _)| pattern).collect();
        let (_, patterns) = known.entry(file.to_owned()).insert_entry((stamp, patterns)).into_mut();
        Some(Arc::clone(patterns))
    }
}

/// What the rules of one file say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ignored,
    /// A negated pattern matches.
    Kept,
}

/// `path` counts from the folder that the rules count from. The last rule that matches it decides.
fn verdict(rules: &[Pattern], path: &str, is_folder: bool, case: Case) -> Option<Verdict> {
    let name = path.rfind('/').map(|slash| slash + 1);
    let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
    let matching = rules
        .iter()
        .rev()
        .find(|rule| rule.matches_repo_relative_path(path.as_bytes().into(), name, Some(is_folder), case, mode))?;
    Some(if matching.is_negative() { Verdict::Kept } else { Verdict::Ignored })
}
