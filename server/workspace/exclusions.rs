//! What is never claimed by itself because the user excludes it.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

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
