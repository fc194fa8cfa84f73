//! What git commands would do to files in the worktree.

use std::path::Path;

use super::tokens::Word;
use super::{Deed, Effect, Target};

/// Adds what `git …` would do. `words` follow the word `git`.
pub(super) fn effects(words: &[&Word], folder: Option<&Path>, effects: &mut Vec<Effect>) {
    let mut words = words;
    let mut folder = folder.map(Path::to_owned);
    let (verb, arguments) = loop {
        let Some((first, rest)) = words.split_first() else { return };
        if !first.is_literal {
            return;
        }
        match first.text.as_str() {
            "-C" => {
                let Some((place, rest)) = rest.split_first().filter(|(place, _)| place.is_literal) else { return };
                folder = folder.map(|folder| folder.join(&place.text));
                words = rest;
            }
            "-c" | "--git-dir" | "--work-tree" | "--namespace" => words = rest.get(1..).unwrap_or_default(),
            option if option.starts_with('-') => words = rest,
            verb => break (verb, rest),
        }
    };
    let given = Given::new(arguments);
    let mut command = Command { folder: folder.as_deref(), effects };
    match verb {
        "checkout" => command.checkout(&given),
        "switch" if given.has(&['f'], &["--force", "--discard-changes"]) => command.everything(Deed::Discard),
        "restore" => command.restore(&given),
        "reset" if given.has(&[], &["--hard"]) => command.everything(Deed::Discard),
        "clean" if given.has(&['f'], &["--force"]) && !given.has(&['n'], &["--dry-run"]) => {
            command.paths_or_everything(&given, Deed::Delete);
        }
        "stash" => command.stash(&given),
        "add" | "stage" => command.add(&given),
        "commit" => command.commit(&given),
        "rm" if !given.has(&['n'], &["--dry-run", "--cached"]) => command.paths(&given.all(), Deed::Delete, false),
        "mv" if !given.has(&['n'], &["--dry-run"]) => command.paths(&given.all(), Deed::Move, false),
        _ => {}
    }
}

struct Command<'a> {
    folder: Option<&'a Path>,
    effects: &'a mut Vec<Effect>,
}

impl Command<'_> {
    fn checkout(&mut self, given: &Given) {
        if !given.after_dashes.is_empty() {
            self.paths(&given.after_dashes, Deed::Discard, true);
        } else if given.has(&['f'], &["--force"]) {
            self.everything(Deed::Discard);
        } else if !given.has(&['b', 'B'], &["--orphan", "--detach", "--track"]) {
            // A name may be a branch or a path. Git itself refuses to leave a branch over unsaved changes, so only what
            // is a path for sure is looked at.
            let looks_like_a_path = |word: &&&Word| {
                word.is_literal
                    && (word.text == "."
                        || self.folder.is_some_and(|folder| folder.join(&word.text).symlink_metadata().is_ok()))
            };
            let paths: Vec<&Word> = given.before_dashes.iter().filter(looks_like_a_path).copied().collect();
            self.paths(&paths, Deed::Discard, true);
        }
    }

    fn restore(&mut self, given: &Given) {
        let only_index = given.has(&['S'], &["--staged"]) && !given.has(&['W'], &["--worktree"]);
        if !only_index {
            self.paths(&given.all(), Deed::Discard, true);
        }
    }

    fn stash(&mut self, given: &Given) {
        let verb = given.before_dashes.first().filter(|word| word.is_literal).map(|word| word.text.as_str());
        match verb {
            None | Some("save") => self.everything(Deed::Stash),
            Some("push") if given.has(&['S'], &["--staged"]) => {}
            Some("push") => {
                let paths: Vec<&Word> =
                    given.before_dashes.iter().skip(1).chain(&given.after_dashes).copied().collect();
                if paths.is_empty() { self.everything(Deed::Stash) } else { self.paths(&paths, Deed::Stash, true) }
            }
            Some(_) => {}
        }
    }

    fn add(&mut self, given: &Given) {
        if given.has(&['n'], &["--dry-run"]) {
            return;
        }
        if given.has(&['A', 'u'], &["--all", "--update"]) {
            self.paths_or_everything(given, Deed::Stage);
        } else {
            self.paths(&given.all(), Deed::Stage, true);
        }
    }

    fn commit(&mut self, given: &Given) {
        if given.has(&['a'], &["--all"]) && !given.has(&[], &["--dry-run"]) {
            self.everything(Deed::Commit);
        } else {
            self.paths(&given.after_dashes, Deed::Commit, true);
        }
    }

    fn paths_or_everything(&mut self, given: &Given, deed: Deed) {
        let paths = given.all();
        if paths.is_empty() { self.everything(deed) } else { self.paths(&paths, deed, true) }
    }

    fn everything(&mut self, deed: Deed) {
        if let Some(folder) = self.folder {
            let target = Target::Repository(folder.to_owned());
            self.effects.push(Effect { target, deed, only_changed: true });
        }
    }

    fn paths(&mut self, words: &[&Word], deed: Deed, only_changed: bool) {
        for word in words.iter().filter(|word| word.is_literal && !word.text.starts_with(':')) {
            if let Some(path) = super::path(&word.text, self.folder) {
                self.effects.push(Effect { target: Target::Path(path), deed, only_changed });
            }
        }
    }
}

/// The arguments of a git command.
struct Given<'a> {
    options: Vec<&'a str>,
    before_dashes: Vec<&'a Word>,
    after_dashes: Vec<&'a Word>,
}

/// Options whose value is the next word.
const WITH_VALUE: &[&str] =
    &["-m", "--message", "-F", "--file", "-C", "-c", "--author", "--date", "-s", "--source", "-t", "-e", "--exclude"];

impl<'a> Given<'a> {
    fn new(words: &[&'a Word]) -> Self {
        let mut given = Self { options: Vec::new(), before_dashes: Vec::new(), after_dashes: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "--" => {
                    given.after_dashes.extend(words.by_ref());
                    break;
                }
                option if option.starts_with('-') && option.len() > 1 => {
                    given.options.push(option);
                    // `-am "…"` takes the next word too.
                    let takes_message = !option.starts_with("--") && option.ends_with('m') && option.len() > 2;
                    if takes_message || WITH_VALUE.contains(&option) {
                        words.next();
                    }
                }
                _ => given.before_dashes.push(word),
            }
        }
        given
    }

    /// True if one of these options was given, the short ones also as a part of several.
    fn has(&self, short: &[char], long: &[&str]) -> bool {
        self.options.iter().any(|option| match option.strip_prefix("--") {
            Some(_) => long.contains(option),
            None => option.chars().skip(1).any(|c| short.contains(&c)),
        })
    }

    fn all(&self) -> Vec<&'a Word> {
        self.before_dashes.iter().chain(&self.after_dashes).copied().collect()
    }
}
