//! What is never claimed by itself because the user excludes it.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What is not claimed by itself: files that tools write, of which two versions are made again, not merged.
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

impl Exclusions {
    /// Takes globs as editors write them: one without `/` matches names at any depth, any other counts from the
    /// workspace. What matches a directory matches all that is in it. `None` if one of them is no glob.
    pub fn new<Pattern: AsRef<str>>(patterns: &[Pattern]) -> Option<Self> {
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns.iter().map(AsRef::as_ref) {
            let anchored = match pattern.trim_end_matches('/') {
                "" => return None,
                trimmed if trimmed.contains('/') => trimmed.trim_start_matches('/').to_owned(),
                name => format!("**/{name}"),
            };
            for glob in [format!("{anchored}/**"), anchored] {
                globs.add(GlobBuilder::new(&glob).literal_separator(true).build().ok()?);
            }
        }
        Some(Self { globs: globs.build().ok()? })
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
        Self::new(DEFAULT_EXCLUSIONS).unwrap_or_else(|| Self { globs: GlobSet::empty() })
    }
}
