//! What a command would do to files.

use std::path::{Path, PathBuf};

use super::words::{Word, WordKind};

/// Something that a command would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) target: Target,
    pub(crate) deed: Deed,
    /// It concerns only files that differ from the last commit.
    pub(crate) only_changed: bool,
    pub(crate) when: When,
    /// The command says this very path.
    pub(crate) is_named: bool,
}

/// What a command would do something to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file, or a directory and all that is in it.
    Path(PathBuf),
    /// Everything in the worktree that this folder is in.
    Repository(PathBuf),
}

/// What else has to be so for a command to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Nothing.
    Always,
    /// Something of the file is staged.
    IsStaged,
    /// Git is configured to put changes aside by itself when this verb runs.
    StashesByItself(&'static str),
}

/// What a command would do to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Overwrite,
    Move,
    Delete,
    Discard,
    Stash,
    Stage,
    Commit,
}

impl Deed {
    /// As it is told: "this command would …".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::Discard => "throw away the unsaved work in",
            Self::Stash => "stash away the unfinished work in",
            Self::Stage => "stage the unfinished work in",
            Self::Commit => "commit the unfinished work in",
        }
    }
}

/// Collects what one command does in its folder, which may not be known.
pub(super) struct Effects<'a> {
    pub(super) folder: Option<&'a Path>,
    pub(super) found: &'a mut Vec<Effect>,
}

impl Effects<'_> {
    /// The path that a word names; `None` for a relative one in a folder that nobody knows, and for devices.
    pub(super) fn path(&self, word: &Word) -> Option<PathBuf> {
        let path = Path::new(&word.text);
        if !word.is_literal() || word.text.is_empty() || word.text == "-" || path.starts_with("/dev") {
            return None;
        }
        if path.is_absolute() { Some(path.to_owned()) } else { self.folder.map(|folder| folder.join(path)) }
    }

    /// Does this to what the words name.
    pub(super) fn words(&mut self, words: &[&Word], deed: Deed) {
        self.each(words, deed, false);
    }

    /// The same, of those files alone that differ from the last commit.
    pub(super) fn changed(&mut self, words: &[&Word], deed: Deed) {
        self.each(words, deed, true);
    }

    pub(super) fn each(&mut self, words: &[&Word], deed: Deed, only_changed: bool) {
        for word in words {
            if let Some(path) = self.path(word) {
                self.add(Target::Path(path), deed, only_changed, word.kind);
            }
        }
    }

    /// The same of the whole worktree.
    pub(super) fn everything(&mut self, deed: Deed) {
        self.everything_when(When::Always, deed);
    }

    /// The same where something else is so, too.
    pub(super) fn everything_when(&mut self, when: When, deed: Deed) {
        if let Some(folder) = self.folder {
            let target = Target::Repository(folder.to_owned());
            self.push(Effect { target, deed, only_changed: true, when, is_named: false });
        }
    }

    pub(super) fn add(&mut self, target: Target, deed: Deed, only_changed: bool, kind: WordKind) {
        let is_named = kind == WordKind::Literal;
        self.push(Effect { target, deed, only_changed, when: When::Always, is_named });
    }

    fn push(&mut self, effect: Effect) {
        if !self.found.contains(&effect) {
            self.found.push(effect);
        }
    }
}
