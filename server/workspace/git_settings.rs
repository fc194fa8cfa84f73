//! What git's configuration says for a worktree: the machine's, the user's and the repository's own, each with what it
//! includes (git-config(1), "Includes").

use std::path::{Path, PathBuf};

use gix_glob::wildmatch;

use super::Repository;
use super::repository::{Configuration, read_small};
use deconflict_platform::{Links, home_directory};

/// Reads it; what cannot be read says nothing.
pub(super) fn of(repository: &Repository) -> Configuration {
    let mut reader = Reader::with_what_holds_everywhere(Some(repository));
    for (folder, said) in repository.configurations() {
        reader.take(said, folder, 0);
    }
    reader.configuration
}

/// What it says outside of any repository.
pub(super) fn of_the_user() -> Configuration {
    Reader::with_what_holds_everywhere(None).configuration
}

/// Where git looks for the user's files that are not in the home directory itself.
pub(super) fn users_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    Some(folder.or_else(|| Some(home_directory()?.join(".config")))?.join("git"))
}

/// A path in git's configuration, seen from a folder.
pub(super) fn expanded(path: &str, folder: &Path) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(below_home) => Some(home_directory()?.join(below_home)),
        None => Some(folder.join(path)),
    }
}

struct Reader<'a> {
    repository: Option<&'a Repository>,
    configuration: Configuration,
    included: u32,
}

impl<'a> Reader<'a> {
    /// Has read the machine's files and the user's.
    fn with_what_holds_everywhere(repository: Option<&'a Repository>) -> Self {
        let mut reader = Self { repository, configuration: Configuration::default(), included: 0 };
        let users = home_directory().map(|home| home.join(".gitconfig"));
        let folder = users_folder().map(|folder| folder.join("config"));
        for file in [Some(PathBuf::from("/etc/gitconfig")), folder, users].into_iter().flatten() {
            reader.read_file(&file, 0);
        }
        reader
    }

    fn read_file(&mut self, file: &Path, depth: u32) {
        let text = read_small(file, Links::Followed).ok().flatten().unwrap_or_default();
        self.take(Configuration::parse(&text), file.parent().unwrap_or(file), depth);
    }

    /// Takes the values of one file, and in their places those of the files that it includes.
    fn take(&mut self, said: Configuration, folder: &Path, depth: u32) {
        /// Git's own limit.
        const DEEPEST: u32 = 10;
        /// Nobody needs as many; it ends what includes itself many times over.
        const MOST_INCLUDED: u32 = 100;
        for entry in said {
            let file = match (entry.section.as_str(), entry.subsection.as_deref(), entry.key.as_str()) {
                ("include", None, "path") => expanded(&entry.value, folder),
                ("includeif", Some(condition), "path") if self.holds(condition, folder) => {
                    expanded(&entry.value, folder)
                }
                _ => None,
            };
            self.configuration.push(entry);
            if let Some(file) = file
                && depth < DEEPEST
                && self.included < MOST_INCLUDED
            {
                self.included += 1;
                self.read_file(&file, depth + 1);
            }
        }
    }

    /// True if a condition of a conditional include holds; one that is not known never does.
    fn holds(&self, condition: &str, folder: &Path) -> bool {
        let (Some(repository), Some((keyword, pattern))) = (self.repository, condition.split_once(':')) else {
            return false;
        };
        let is_case_ignored =
            if keyword == "gitdir/i" { wildmatch::Mode::IGNORE_CASE } else { wildmatch::Mode::empty() };
        let matches = |pattern: &str, text: &str| {
            let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL | is_case_ignored;
            wildmatch(pattern.as_bytes().into(), text.as_bytes().into(), mode)
        };
        let below = |pattern: &str| if pattern.ends_with('/') { format!("{pattern}**") } else { pattern.to_owned() };
        match keyword {
            "gitdir" | "gitdir/i" => {
                let anchored = match pattern.strip_prefix("./") {
                    Some(rest) => folder.join(rest).to_str().map(str::to_owned),
                    None if pattern.starts_with("~/") => {
                        expanded(pattern, folder).and_then(|path| path.to_str().map(str::to_owned))
                    }
                    None if Path::new(pattern).is_absolute() => Some(pattern.to_owned()),
                    None => Some(format!("**/{pattern}")),
                };
                let directory = repository.git_directory().to_str();
                anchored.zip(directory).is_some_and(|(pattern, directory)| matches(&below(&pattern), directory))
            }
            "onbranch" => repository.branch().is_some_and(|branch| matches(&below(pattern), &branch)),
            "hasconfig" => {
                let own = repository.configuration();
                let mut urls = own.values("remote", "url");
                pattern.strip_prefix("remote.*.url:").is_some_and(|pattern| urls.any(|url| matches(pattern, url)))
            }
            _ => false,
        }
    }
}
