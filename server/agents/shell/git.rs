//! What git commands would do to files in the worktree.

use super::effect::{Deed, Effects};
use super::words::{Given, Word};

/// Adds what `git …` would do. `words` follow the word `git`.
pub(super) fn effects(words: &[Word], effects: &mut Effects) {
    let mut words = words;
    let mut folder = effects.folder.map(ToOwned::to_owned);
    let (verb, arguments) = loop {
        let Some((first, rest)) = words.split_first().filter(|(first, _)| first.is_literal) else { return };
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
    let given = Given::new(arguments, with_value(verb));
    let mut effects = Effects { folder: folder.as_deref(), found: &mut *effects.found };
    match verb {
        "checkout" => checkout(&given, &mut effects),
        "switch" if given.has("f", &["--force", "--discard-changes"]) => effects.everything(Deed::Discard),
        "restore" if !given.has("S", &["--staged"]) || given.has("W", &["--worktree"]) => {
            effects.changed(&paths(&given.all()), Deed::Discard);
        }
        "reset" if given.has("", &["--hard"]) => effects.everything(Deed::Discard),
        "clean" if given.has("f", &["--force"]) && !given.has("n", &["--dry-run"]) => {
            paths_or_everything(&given.all(), Deed::Delete, &mut effects);
        }
        "stash" => stash(&given, &mut effects),
        "add" | "stage" if given.has("n", &["--dry-run"]) => {}
        "add" | "stage" if given.has("Au", &["--all", "--update"]) => {
            paths_or_everything(&given.all(), Deed::Stage, &mut effects);
        }
        "add" | "stage" => effects.changed(&paths(&given.all()), Deed::Stage),
        "commit" if given.has("a", &["--all"]) && !given.has("", &["--dry-run"]) => effects.everything(Deed::Commit),
        "commit" => effects.changed(&paths(&given.after_dashes), Deed::Commit),
        "rm" if !given.has("n", &["--dry-run", "--cached"]) => effects.words(&paths(&given.all()), Deed::Delete),
        "mv" if !given.has("n", &["--dry-run"]) => effects.words(&paths(&given.all()), Deed::Move),
        _ => {}
    }
}

/// The options of a verb whose value is the next word.
fn with_value(verb: &str) -> &'static [&'static str] {
    match verb {
        "commit" => &["-m", "--message", "-F", "--file", "-C", "-c", "-t", "--template", "--author", "--date"],
        "stash" => &["-m", "--message"],
        "restore" => &["-s", "--source"],
        "clean" => &["-e", "--exclude"],
        _ => &[],
    }
}

fn stash(given: &Given, effects: &mut Effects) {
    let words = match given.names.first().map(|word| word.text.as_str()) {
        None => given.after_dashes.clone(),
        Some("save") => Vec::new(),
        Some("push") if !given.has("S", &["--staged"]) => given.all()[1..].to_vec(),
        Some(_) => return,
    };
    paths_or_everything(&words, Deed::Stash, effects);
    if given.has("ua", &["--include-untracked", "--all"]) {
        // It removes what git doesn't track as a clean-up does.
        paths_or_everything(&words, Deed::Delete, effects);
    }
}

fn checkout(given: &Given, effects: &mut Effects) {
    if !given.after_dashes.is_empty() {
        effects.changed(&paths(&given.after_dashes), Deed::Discard);
    } else if given.has("f", &["--force"]) {
        effects.everything(Deed::Discard);
    } else if !given.has("bB", &["--orphan", "--detach", "--track"]) {
        // A name may be a branch or a path. Git itself refuses to leave a branch over unsaved changes, so only what is a
        // path for sure is looked at.
        let is_there = |word: &Word| effects.path(word).is_some_and(|path| path.symlink_metadata().is_ok());
        let names: Vec<&Word> = given.names.iter().filter(|word| word.text == "." || is_there(word)).copied().collect();
        effects.changed(&names, Deed::Discard);
    }
}

fn paths_or_everything(words: &[&Word], deed: Deed, effects: &mut Effects) {
    if words.is_empty() { effects.everything(deed) } else { effects.changed(&paths(words), deed) }
}

/// Without what has a meaning of its own to git.
fn paths<'a>(words: &[&'a Word]) -> Vec<&'a Word> {
    words.iter().filter(|word| !word.text.starts_with(':')).copied().collect()
}
