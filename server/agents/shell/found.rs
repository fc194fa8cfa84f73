//! The files that `find` would find, as far as its tests are of the common kinds.

use std::fs;
use std::path::Path;

use gix_glob::wildmatch;
use gix_glob::wildmatch::Mode;

use super::words::{Word, WordKind};

/// No more entries of folders are looked at.
const MOST_LOOKED_AT: usize = 20_000;

/// Nothing is said of a command that finds more.
pub(super) const MOST_FOUND: usize = 200;

/// What `find` was told.
pub(super) struct Find<'a> {
    roots: Vec<&'a str>,
    tests: Vec<Test<'a>>,
    least_depth: usize,
    most_depth: usize,
    pub(super) deeds: Vec<FindDeed<'a>>,
}

/// What is done with what was found.
pub(super) enum FindDeed<'a> {
    Delete,
    /// A command, in which `{}` stands for what was found: for all of it, or for each in turn.
    Run {
        command: &'a [Word],
        is_for_each: bool,
    },
}

enum Test<'a> {
    Name(&'a str, Mode),
    Path(&'a str),
    IsFile,
    IsFolder,
}

impl<'a> Find<'a> {
    /// Nothing for what has other tests than the common ones.
    pub(super) fn read(words: &'a [Word]) -> Option<Self> {
        if !words.iter().all(|word| word.kind != WordKind::Unknown) {
            return None;
        }
        let is_expression = |word: &&Word| word.text.starts_with(['-', '(', '!']);
        let roots: Vec<&str> =
            words.iter().take_while(|word| !is_expression(word)).map(|word| word.text.as_str()).collect();
        let mut words = words.get(roots.len()..).unwrap_or_default();
        let roots = if roots.is_empty() { vec!["."] } else { roots };
        let mut find = Self { roots, tests: Vec::new(), least_depth: 0, most_depth: usize::MAX, deeds: Vec::new() };
        while let Some((option, rest)) = words.split_first() {
            let value = rest.first().map(|word| word.text.as_str());
            let mut taken = 1;
            match option.text.as_str() {
                "-name" => find.tests.push(Test::Name(value?, Mode::empty())),
                "-iname" => find.tests.push(Test::Name(value?, Mode::IGNORE_CASE)),
                "-path" | "-wholename" => find.tests.push(Test::Path(value?)),
                "-type" if value == Some("f") => find.tests.push(Test::IsFile),
                "-type" if value == Some("d") => find.tests.push(Test::IsFolder),
                "-mindepth" => find.least_depth = value?.parse().ok()?,
                "-maxdepth" => find.most_depth = value?.parse().ok()?,
                "-delete" => {
                    find.deeds.push(FindDeed::Delete);
                    taken = 0;
                }
                "-exec" | "-execdir" => {
                    let end = rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+"))?;
                    find.deeds.push(FindDeed::Run { command: &rest[..end], is_for_each: rest[end].text == ";" });
                    taken = end + 1;
                }
                "-print" | "-print0" | "-depth" | "-xdev" | "-mount" => taken = 0,
                _ => return None,
            }
            words = rest.get(taken..)?;
        }
        Some(find)
    }

    /// What it finds in a folder, each beginning as the command says; nothing where that would take too long.
    pub(super) fn found(&self, folder: &Path) -> Option<Vec<String>> {
        // All of a folder is the folder.
        if self.tests.is_empty() && self.least_depth == 0 && self.most_depth == usize::MAX {
            return Some(self.roots.iter().map(|root| (*root).to_owned()).collect());
        }
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let mut waiting: Vec<(String, usize)> = self.roots.iter().map(|root| ((*root).to_owned(), 0)).collect();
        while let Some((name, depth)) = waiting.pop() {
            let path = folder.join(&name);
            let Ok(kind) = path.symlink_metadata().map(|metadata| metadata.file_type()) else { continue };
            // Whoever looks through a folder means the files of the worktree, unless it names git's own.
            let is_of_git = depth > 0 && path.file_name().is_some_and(|name| name == ".git");
            if depth >= self.least_depth && self.tests.iter().all(|test| test.is_met(&name, kind)) {
                found.push(name.clone());
            }
            if !kind.is_dir() || is_of_git || depth >= self.most_depth {
                continue;
            }
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                looked_at += 1;
                let child = entry.file_name().into_string().ok()?;
                waiting.push((format!("{}/{child}", name.trim_end_matches('/')), depth + 1));
            }
            if looked_at > MOST_LOOKED_AT || found.len() > MOST_FOUND {
                return None;
            }
        }
        found.sort_unstable();
        Some(found)
    }
}

impl Test<'_> {
    fn is_met(&self, name: &str, kind: fs::FileType) -> bool {
        match self {
            Self::Name(pattern, mode) => {
                let last = name.rsplit('/').next().unwrap_or_default();
                wildmatch((*pattern).into(), last.into(), *mode)
            }
            Self::Path(pattern) => wildmatch((*pattern).into(), name.into(), Mode::empty()),
            Self::IsFile => kind.is_file(),
            Self::IsFolder => kind.is_dir(),
        }
    }
}
