//! Which files cannot be merged: those with git's attribute `lockable` (gitattributes(5)), and what the user's globs match.
//! Git's files are read directly, since an edit waits for the answer.

use std::collections::HashMap;
use std::path::Path;

use deconflict_platform::{Links, read_regular};
use gix_glob::pattern::Case;
use gix_glob::{Pattern, wildmatch};
use memchr::memmem;

use super::git::{self, GitError, Surroundings, answer};
use super::repository::slashed;
use super::{Exclusions, Repository, UserSettings, git_settings};

/// The attribute by which git and its extensions know what cannot be merged.
const ATTRIBUTE: &str = "lockable";

/// No longer file of attributes is read, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// Answers whether files cannot be merged.
#[derive(Debug, Clone, Default)]
pub struct Lockable {
    globs: Option<Exclusions>,
}

impl Lockable {
    /// With the globs that the user names in `claims.exclusive` for all programs.
    pub fn of_user() -> Self {
        Self::with(&UserSettings::read().claims_exclusive.unwrap_or_default())
    }

    /// With these globs.
    pub fn with(globs: &[String]) -> Self {
        Self { globs: Some(globs).filter(|globs| !globs.is_empty()).and_then(Exclusions::new) }
    }

    /// True for a file that cannot be merged. Its path is absolute and has no symlinks in it; it need not exist.
    pub fn is_lockable(&self, repository: &Repository, path: &Path) -> bool {
        let Some(relative) = path.strip_prefix(repository.root()).ok().and_then(slashed) else { return false };
        self.is_named_by_user(&relative) || has_attribute(repository, &relative)
    }

    /// Those of these paths in a commit that cannot be merged, in a repository that need have no worktree.
    pub fn among(&self, folder: &Path, commit: &str, paths: &[String]) -> Result<Vec<String>, GitError> {
        let mut found: Vec<String> = paths.iter().filter(|path| self.is_named_by_user(path)).cloned().collect();
        if !paths.is_empty() {
            let mut git = git::command_in(folder, Surroundings::OfHook);
            git.args(["check-attr", "-z", "--stdin", "--source", commit, ATTRIBUTE]);
            let said = answer(git, "the attributes of what is pushed", paths.join("\0").as_bytes())?;
            let mut fields = said.split(|byte| *byte == 0);
            while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
                if ![&b"unspecified"[..], b"unset"].contains(&value) {
                    found.extend(String::from_utf8(path.to_vec()));
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn is_named_by_user(&self, relative: &str) -> bool {
        self.globs.as_ref().is_some_and(|globs| globs.contains(Path::new(relative)))
    }
}

/// What one file of attributes says of the one that is asked for, in its order.
type Rules = Vec<(Pattern, Said)>;

/// What a line says of the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Set,
    Unset,
    /// As if no line before had spoken of it.
    Unspecified,
}

fn has_attribute(repository: &Repository, relative: &str) -> bool {
    let mut macros = HashMap::new();
    let configuration = git_settings::of(repository);
    let users = match configuration.value("core", "attributesfile") {
        Some(path) => git_settings::expanded(path, repository.root()),
        None => git_settings::users_folder().map(|folder| folder.join("attributes")),
    };
    let mut read = |file: &Path, links| rules(&read_regular(file, links, LARGEST_FILE).ok()?, &mut macros);
    // Whoever is asked last counts most: the machine, the user, the folders from the root down, this clone.
    let mut all: Vec<(usize, Rules)> = Vec::new();
    let outer = [Some(Path::new("/etc/gitattributes").to_owned()), users];
    all.extend(outer.iter().flatten().filter_map(|file| Some((0, read(file, Links::Followed)?))));
    let folders = [0].into_iter().chain(relative.match_indices('/').map(|(slash, _)| slash + 1));
    for start in folders {
        let file = repository.root().join(&relative[..start]).join(".gitattributes");
        all.extend(read(&file, Links::Refused).map(|rules| (start, rules)));
    }
    let of_clone = repository.common_directory().join("info").join("attributes");
    all.extend(read(&of_clone, Links::Refused).map(|rules| (0, rules)));
    let case = if configuration.is_true("core", "ignorecase") { Case::Fold } else { Case::Sensitive };
    let said = all.iter().rev().find_map(|(start, rules)| {
        let path = &relative[*start..];
        let name = path.rfind('/').map(|slash| slash + 1);
        let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
        let matches = |pattern: &Pattern| {
            pattern.matches_repo_relative_path(path.as_bytes().into(), name, Some(false), case, mode)
        };
        rules.iter().rev().find(|(pattern, _)| matches(pattern)).map(|(_, said)| *said)
    });
    said == Some(Said::Set)
}

/// The lines of a file that speak of the attribute; `None` where none does. What it defines is added to `macros`.
fn rules(file: &[u8], macros: &mut HashMap<String, Said>) -> Option<Rules> {
    // In most files no line does.
    if macros.is_empty() && memmem::find(file, ATTRIBUTE.as_bytes()).is_none() {
        return None;
    }
    let mut rules = Rules::new();
    for line in String::from_utf8_lossy(file).lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((pattern, attributes)) = pattern_of(line) else { continue };
        let said = attributes.split_ascii_whitespace().rev().find_map(|word| said_by(word, macros));
        let Some(said) = said else { continue };
        if let Some(name) = pattern.strip_prefix("[attr]") {
            macros.insert(name.to_owned(), said);
        } else if !pattern.starts_with('!') {
            rules.extend(gix_glob::parse(pattern.as_bytes()).map(|pattern| (pattern, said)));
        }
    }
    Some(rules)
}

/// The pattern of a line, which may be quoted, and what follows it.
fn pattern_of(line: &str) -> Option<(String, &str)> {
    if let Some(quoted) = line.strip_prefix('"') {
        let mut pattern = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => return Some((pattern, &quoted[at + 1..])),
                '\\' => pattern.extend(characters.next().map(|(_, c)| c)),
                c => pattern.push(c),
            }
        }
        return None;
    }
    let (pattern, attributes) = line.split_once(|c: char| c.is_ascii_whitespace())?;
    Some((pattern.to_owned(), attributes))
}

fn said_by(word: &str, macros: &HashMap<String, Said>) -> Option<Said> {
    let (name, said) = match (word.strip_prefix('-'), word.strip_prefix('!')) {
        (Some(name), _) => (name, Said::Unset),
        (_, Some(name)) => (name, Said::Unspecified),
        _ => (word.split('=').next().unwrap_or(word), Said::Set),
    };
    match macros.get(name) {
        _ if name == ATTRIBUTE => Some(said),
        Some(defined) if said == Said::Set => Some(*defined),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(file: &str, path: &str) -> bool {
        let rules = rules(file.as_bytes(), &mut HashMap::new()).unwrap_or_default();
        let name = path.rfind('/').map(|slash| slash + 1);
        let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
        let matches = |pattern: &Pattern| {
            pattern.matches_repo_relative_path(path.as_bytes().into(), name, Some(false), Case::Sensitive, mode)
        };
        rules.iter().rev().find(|(pattern, _)| matches(pattern)).is_some_and(|(_, said)| *said == Said::Set)
    }

    #[test]
    fn a_line_speaks_of_the_attribute_as_git_reads_it() {
        for (file, path, expected) in [
            ("*.psd lockable", "a/logo.psd", true),
            ("*.psd -text lockable diff=psd", "logo.psd", true),
            ("*.psd lockable\n/old.psd -lockable", "old.psd", false),
            ("*.psd lockable\n/old.psd -lockable", "a/old.psd", true),
            ("*.psd lockable=yes", "logo.psd", true),
            ("*.psd text", "logo.psd", false),
            ("# *.psd lockable", "logo.psd", false),
            ("\"my art/*.psd\" lockable", "my art/logo.psd", true),
            ("assets/** lockable", "assets/a/b.bin", true),
            ("[attr]art lockable -diff\n*.psd art", "logo.psd", true),
            ("[attr]art lockable -diff\n*.psd art\nfree.psd !lockable", "free.psd", false),
            ("!*.psd lockable", "logo.psd", false),
        ] {
            assert_eq!(say(file, path), expected, "{file}: {path}");
        }
    }
}
