//! What is never claimed by itself: what git ignores, and what the user excludes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::Repository;
use super::repository::{Configuration, slashed};
use deconflict_platform::home_directory;

/// Answers whether git ignores a path, from its ignore files (gitignore(5)). What was read is kept until the file
/// it came from changes.
#[derive(Debug, Default)]
pub struct Ignored {
    read: Mutex<HashMap<Source, (Stamp, Arc<Gitignore>)>>,
    users_file: OnceLock<Option<PathBuf>>,
}

/// A file of rules, and the folder that they count from.
type Source = (PathBuf, PathBuf);

/// What changes with a file's content.
type Stamp = (Option<SystemTime>, u64);

impl Ignored {
    /// Nothing is read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if git ignores the file. Git ignores no file that it tracks, and nothing outside of a repository.
    /// The path is absolute and has no symlinks in it; it need not exist.
    pub fn is_ignored(&self, path: &Path) -> bool {
        self.is_ignored_as(path, false)
    }

    /// True if git ignores the directory, and so all that is in it.
    pub fn is_ignored_directory(&self, path: &Path) -> bool {
        self.is_ignored_as(path, true)
    }

    fn is_ignored_as(&self, path: &Path, is_directory: bool) -> bool {
        let Some(repository) = path.parent().and_then(Repository::containing) else { return false };
        let Ok(relative) = path.strip_prefix(repository.root()) else { return false };
        let names: Vec<_> = relative.iter().collect();
        // What is below an ignored directory is ignored with it, so the outermost is asked first.
        let mut rules = self.rules_of_repository(&repository);
        let mut current = repository.root().to_owned();
        for (position, name) in names.iter().enumerate() {
            rules.extend(self.rules(&repository, &current, &current.join(".gitignore"), false));
            current.push(name);
            let is_below = position + 1 < names.len();
            // The rules that were read last are the nearest, and count most.
            let verdict = rules.iter().rev().map(|rules| rules.matched(&current, is_below || is_directory));
            if verdict
                .into_iter()
                .find(|verdict| !verdict.is_none())
                .is_some_and(|verdict| matches!(verdict, Match::Ignore(_)))
            {
                let is_tracked = || slashed(relative).is_some_and(|path| repository.tracks(&path).unwrap_or(false));
                return is_directory || !is_tracked();
            }
        }
        false
    }

    /// The rules that count least: the user's own, then those of this clone.
    fn rules_of_repository(&self, repository: &Repository) -> Vec<Arc<Gitignore>> {
        let configuration = repository.configuration();
        let configured = configuration.value("core", "excludesfile").and_then(|path| expanded(path, repository.root()));
        let users = configured.or_else(|| self.users_file.get_or_init(users_excludes_file).clone());
        let of_clone = repository.common_directory().join("info").join("exclude");
        users
            .into_iter()
            .chain([of_clone])
            .filter_map(|file| self.rules(repository, repository.root(), &file, true))
            .collect()
    }

    /// The rules of one file, which count from `root`. `None` if there is none; git follows no symlink to one that is
    /// in the worktree.
    fn rules(&self, repository: &Repository, root: &Path, file: &Path, follow: bool) -> Option<Arc<Gitignore>> {
        let found = if follow { fs::metadata(file) } else { fs::symlink_metadata(file) }.ok()?;
        if !found.is_file() {
            return None;
        }
        let stamp = (found.modified().ok(), found.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let source = (file.to_owned(), root.to_owned());
        if let Some((_, rules)) = read.get(&source).filter(|(known, _)| *known == stamp) {
            return Some(Arc::clone(rules));
        }
        let mut builder = GitignoreBuilder::new(root);
        let ignores_case = repository.configuration().value("core", "ignorecase").is_some_and(|value| value == "true");
        builder.case_insensitive(ignores_case).ok()?;
        // A line that is no pattern is left out; git does the same.
        let _ = builder.add(file);
        let rules = Arc::new(builder.build().ok()?);
        read.insert(source, (stamp, Arc::clone(&rules)));
        Some(rules)
    }
}

/// The file of the user's own rules: what git's configuration of the user, then of the machine, names, else git's default
/// for it (git-config(1), `core.excludesFile`).
fn users_excludes_file() -> Option<PathBuf> {
    let home = home_directory();
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(home.as_ref()?.join(".config"))).map(|folder| folder.join("git"));
    let users = home.as_ref().map(|home| home.join(".gitconfig"));
    let files = [users, folder.as_ref().map(|folder| folder.join("config")), Some(PathBuf::from("/etc/gitconfig"))];
    let named = files.into_iter().flatten().find_map(|file| {
        let configuration = Configuration::parse(&fs::read_to_string(&file).ok()?);
        let path = configuration.value("core", "excludesfile")?.to_owned();
        expanded(&path, file.parent()?)
    });
    named.or_else(|| Some(folder?.join("ignore")))
}

/// A path in git's configuration, seen from a folder.
fn expanded(path: &str, folder: &Path) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(below_home) => Some(home_directory()?.join(below_home)),
        None => Some(folder.join(path)),
    }
}

/// What is not claimed by itself unless the user says otherwise: files that tools write, where two people's changes
/// are better made again than merged.
pub const DEFAULT_EXCLUSIONS: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Package.resolved",
    "Pipfile.lock",
    "Podfile.lock",
    "bun.lock",
    "bun.lockb",
    "composer.lock",
    "conan.lock",
    "deno.lock",
    "flake.lock",
    "go.sum",
    "go.work.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "packages.lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
    "yarn.lock",
];

/// The files that the user excludes from being claimed by themselves.
#[derive(Debug, Clone)]
pub struct Exclusions {
    globs: GlobSet,
}

/// A pattern that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a glob: {reason}")]
pub struct InvalidGlob {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Exclusions {
    /// Takes globs as editors write them: one without `/` matches names at any depth, any other counts from the
    /// workspace. What matches a directory matches all that is in it.
    pub fn new<Pattern: AsRef<str>>(patterns: &[Pattern]) -> Result<Self, InvalidGlob> {
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns.iter().map(AsRef::as_ref) {
            let invalid = |reason: String| InvalidGlob { pattern: pattern.to_owned(), reason };
            let trimmed = pattern.trim_end_matches('/');
            if trimmed.is_empty() {
                return Err(invalid("it is empty".to_owned()));
            }
            let anchored = match trimmed.strip_prefix('/') {
                Some(anchored) => anchored.to_owned(),
                None if trimmed.contains('/') => trimmed.to_owned(),
                None => format!("**/{trimmed}"),
            };
            for glob in [format!("{anchored}/**"), anchored] {
                let built = GlobBuilder::new(&glob).literal_separator(true).build();
                globs.add(built.map_err(|error| invalid(error.kind().to_string()))?);
            }
        }
        let globs = globs.build().map_err(|error| InvalidGlob {
            pattern: error.glob().unwrap_or_default().to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self { globs })
    }

    /// True for a path that is excluded by default. A program that runs for one answer need not build all globs for it.
    pub fn is_default_name(relative: &str) -> bool {
        let name = relative.rsplit('/').next().unwrap_or(relative);
        DEFAULT_EXCLUSIONS.contains(&name)
    }

    /// True for a path, relative to the workspace or the worktree, that is excluded.
    pub fn contains(&self, relative: &Path) -> bool {
        self.globs.is_match(relative)
    }
}

impl Default for Exclusions {
    fn default() -> Self {
        // The patterns are constant, and a test holds that they are good.
        Self::new(DEFAULT_EXCLUSIONS).unwrap_or_else(|_| Self { globs: GlobSet::empty() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_are_excluded_by_default() {
        let exclusions = Exclusions::default();
        for path in ["Cargo.lock", "deep/er/package-lock.json", "go.sum"] {
            assert!(exclusions.contains(Path::new(path)), "{path}");
        }
        for path in ["Cargo.toml", "src/Cargo.lock.rs", "my-Cargo.lock", "package-lock.json5"] {
            assert!(!exclusions.contains(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn globs_count_as_editors_write_them() {
        let cases = [
            ("*.snap", "a/b.snap", true),
            ("*.snap", "b.snap", true),
            ("generated", "src/generated/deep/a.rs", true),
            ("generated/", "generated/a.rs", true),
            ("/generated", "src/generated/a.rs", false),
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/deep/a.rs", false),
            ("src/**/*.rs", "src/deep/a.rs", true),
            ("**/*.{png,svg}", "a/b.svg", true),
        ];
        for (pattern, path, expected) in cases {
            let exclusions = Exclusions::new(&[pattern]).unwrap();
            assert_eq!(exclusions.contains(Path::new(path)), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_wrong_glob_is_named() {
        for pattern in ["a[", "{a", "", "/"] {
            assert_eq!(Exclusions::new(&["fine", pattern]).unwrap_err().pattern, pattern);
        }
    }
}
