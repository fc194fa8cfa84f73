//! What git's configuration says for a worktree: the machine's, the user's and the repository's own, each with what it
//! includes (git-config(1), "Includes").

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix_glob::wildmatch;

use super::Repository;
use super::repository::{Configuration, read_small};
use super::when_written::{WhenWritten, when_written};
use deconflict_platform::{Links, home_directory};

/// Reads it; what cannot be read says nothing.
pub(super) fn of(repository: &Repository) -> Configuration {
    SettingsReader::with_all_of(repository).configuration
}

/// What was read for each worktree, kept until one of the files that it came from changes.
#[derive(Debug, Default)]
pub(super) struct KeptSettings(Mutex<HashMap<PathBuf, KeptConfiguration>>);

#[derive(Debug)]
struct KeptConfiguration {
    /// Every file that was looked for, whether it was there or not.
    from: Vec<(PathBuf, Option<WhenWritten>)>,
    configuration: Arc<Configuration>,
}

impl KeptSettings {
    /// Reads it if anything may have changed since it was read last.
    pub(super) fn of(&self, repository: &Repository) -> Arc<Configuration> {
        let worktree = repository.git_directory();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get(worktree).filter(|kept| kept.is_as_read()) {
            return Arc::clone(&kept.configuration);
        }
        let reader = SettingsReader::with_all_of(repository);
        let configuration = Arc::new(reader.configuration);
        if reader.depends_on_branch {
            kept.remove(worktree);
        } else {
            let (from, configuration) = (reader.read, Arc::clone(&configuration));
            kept.insert(worktree.to_owned(), KeptConfiguration { from, configuration });
        }
        configuration
    }
}

impl KeptConfiguration {
    fn is_as_read(&self) -> bool {
        self.from.iter().all(|(file, written)| when_written(file) == *written)
    }
}

/// True if git puts changes aside by itself when `rebase`, `merge` or `pull` runs in a worktree.
pub fn stashes_by_itself(repository: &Repository, verb: &str) -> bool {
    let said = of(repository);
    let stashes = |verb: &str| said.is_true(verb, "autostash");
    let rebases = || said.value("pull", "rebase").is_some_and(|rebase| rebase != "false");
    match verb {
        "pull" => stashes("merge") || (stashes("rebase") && rebases()),
        verb => stashes(verb),
    }
}

/// What a verb of the user's own means in a worktree.
pub fn git_alias(repository: &Repository, verb: &str) -> Option<String> {
    of(repository).value("alias", &verb.to_ascii_lowercase()).map(str::to_owned)
}

/// What it says outside of any repository.
pub(super) fn of_the_user() -> Configuration {
    SettingsReader::with_what_holds_everywhere(None).configuration
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

struct SettingsReader<'a> {
    repository: Option<&'a Repository>,
    configuration: Configuration,
    /// Every file that was looked for, and how it was before it was read.
    read: Vec<(PathBuf, Option<WhenWritten>)>,
    /// True if another branch may bring other values.
    depends_on_branch: bool,
    included: u32,
}

impl<'a> SettingsReader<'a> {
    /// Has read the machine's files and the user's.
    fn with_what_holds_everywhere(repository: Option<&'a Repository>) -> Self {
        let mut reader = Self {
            repository,
            configuration: Configuration::default(),
            read: Vec::new(),
            depends_on_branch: false,
            included: 0,
        };
        let users = home_directory().map(|home| home.join(".gitconfig"));
        let folder = users_folder().map(|folder| folder.join("config"));
        for file in [Some(PathBuf::from("/etc/gitconfig")), folder, users].into_iter().flatten() {
            reader.read_file(&file, 0);
        }
        reader
    }

    /// Has read those, and the repository's own.
    fn with_all_of(repository: &'a Repository) -> Self {
        let mut reader = Self::with_what_holds_everywhere(Some(repository));
        repository.configuration_files().iter().for_each(|file| reader.note(file));
        for (folder, said) in repository.configurations() {
            reader.take(said, folder, 0);
        }
        reader
    }

    fn note(&mut self, file: &Path) {
        self.read.push((file.to_owned(), when_written(file)));
    }

    fn read_file(&mut self, file: &Path, depth: u32) {
        self.note(file);
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
    fn holds(&mut self, condition: &str, folder: &Path) -> bool {
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
            "onbranch" => {
                self.depends_on_branch = true;
                repository.branch().is_some_and(|branch| matches(&below(pattern), &branch))
            }
            "hasconfig" => {
                let own = repository.configuration();
                let mut urls = own.values("remote", "url");
                pattern.strip_prefix("remote.*.url:").is_some_and(|pattern| urls.any(|url| matches(pattern, url)))
            }
            _ => false,
        }
    }
}
