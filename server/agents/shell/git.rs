//! What git commands would do to files in the worktree.

use std::path::{Path, PathBuf};

use super::effect::{Deed, Effects, Target, When};
use super::input::text_in;
use super::submodules;
use super::words::{Given, Word, WordKind, has_wildcard};

/// A call of git: what stands before the verb, the verb, and what stands behind it.
pub(super) struct Call<'a> {
    pub(super) folder: Option<PathBuf>,
    /// What `-c` says, behind what was configured before.
    settings: Vec<&'a str>,
    pub(super) verb: &'a str,
    pub(super) arguments: &'a [Word],
}

impl<'a> Call<'a> {
    /// `words` follow the word `git`, and `configured` is said already; `None` where the verb is not known.
    pub(super) fn read(words: &'a [Word], folder: Option<&Path>, configured: &'a [String]) -> Option<Self> {
        let mut words = words;
        let mut folder = folder.map(ToOwned::to_owned);
        let mut settings: Vec<&str> = configured.iter().map(String::as_str).collect();
        loop {
            let (first, rest) = words.split_first()?;
            // Of an option the value may be unknown.
            let is_option = first.text.starts_with("--") && first.text.contains('=');
            if !first.is_literal() && !is_option {
                return None;
            }
            match first.text.as_str() {
                "-C" => {
                    let (place, rest) = rest.split_first().filter(|(place, _)| place.is_literal())?;
                    folder = folder.map(|folder| folder.join(&place.text));
                    words = rest;
                }
                "-c" => {
                    settings.extend(rest.first().map(|word| word.text.as_str()));
                    words = rest.get(1..).unwrap_or_default();
                }
                "--git-dir" | "--work-tree" | "--namespace" => words = rest.get(1..).unwrap_or_default(),
                option if option.starts_with('-') => words = rest,
                verb => return Some(Self { folder, settings, verb, arguments: rest }),
            }
        }
    }

    /// The folder in which it makes a repository where there is nothing yet: nobody's work is in there.
    pub(super) fn makes_repository(&self) -> Option<PathBuf> {
        let with_value: &[&str] = match self.verb {
            "init" => &["-b", "--initial-branch", "--template", "--separate-git-dir", "--object-format"],
            "clone" => {
                &["-b", "--branch", "-o", "--origin", "-c", "--config", "-j", "--jobs", "--depth", "--reference"]
            }
            "worktree" => &["-b", "-B", "--reason"],
            _ => return None,
        };
        let given = Given::new(self.arguments, with_value);
        let names = given.all();
        let name_at = |index: usize| names.get(index).filter(|word| word.is_literal()).map(|word| word.text.as_str());
        let name = match self.verb {
            "init" => name_at(0).unwrap_or_default(),
            "clone" => {
                let source = name_at(0)?.trim_end_matches('/').trim_end_matches(".git");
                name_at(1).or_else(|| source.rsplit(['/', ':']).next())?
            }
            _ => name_at(1).filter(|_| name_at(0) == Some("add"))?,
        };
        let path = self.folder.as_ref()?.join(name);
        path.symlink_metadata().is_err().then_some(path)
    }

    /// True where the user only wants to read how it is called.
    fn asks_for_help(&self) -> bool {
        let given = Given::new(self.arguments, with_value(self.verb));
        given.options.contains(&"--help") || given.options == ["-h"] && self.arguments.len() == 1
    }

    /// What `-c` says of a setting; of one that is only named, that it is so.
    pub(super) fn setting(&self, name: &str) -> Option<&'a str> {
        let said = self.settings.iter().rev().map(|said| said.split_once('=').unwrap_or((said, "true")));
        said.into_iter().find(|(named, _)| named.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether git puts changes aside when this verb runs, if that is said.
    fn is_told_to_stash(&self) -> Option<bool> {
        let is_told = |name| Some(!matches!(self.setting(name)?, "false" | "no" | "off" | "0"));
        match self.verb {
            "rebase" => is_told("rebase.autostash"),
            "merge" => is_told("merge.autostash"),
            _ => [is_told("merge.autostash"), is_told("rebase.autostash")]
                .into_iter()
                .flatten()
                .reduce(|one, other| one || other),
        }
    }
}

/// What `git config` tells git to go by from now on, as `-c` says it.
pub(super) fn configured(call: &Call) -> Option<String> {
    if call.verb != "config" {
        return None;
    }
    let given = Given::new(call.arguments, &["-f", "--file", "--blob", "--type", "--comment", "--value"]);
    let elsewhere = ["--file", "--blob", "--unset", "--unset-all", "--get", "--get-all", "--list", "--edit"];
    if given.has("fle", &elsewhere) || !given.names.iter().all(|word| word.is_literal()) {
        return None;
    }
    let names: Vec<&str> = given.names.iter().map(|word| word.text.as_str()).collect();
    match names[..] {
        ["set", name, value] | [name, value] if name.contains('.') => Some(format!("{name}={value}")),
        _ => None,
    }
}

/// What variables before a command tell git to go by, as `-c` says it.
pub(super) fn configured_by(assigned: &[Word]) -> Vec<String> {
    let value_of = |name: &str| assigned.iter().find_map(|word| word.text.strip_prefix(name)?.strip_prefix('='));
    let setting = |word: &Word| {
        let (number, name) = word.text.strip_prefix("GIT_CONFIG_KEY_")?.split_once('=')?;
        Some(format!("{name}={}", value_of(&format!("GIT_CONFIG_VALUE_{number}"))?))
    };
    assigned.iter().filter(|word| word.is_literal()).filter_map(setting).collect()
}

/// Adds what a call of git would do. `input` is what stands on its standard input.
pub(super) fn effects(call: &Call, input: Option<&str>, effects: &mut Effects) {
    if call.asks_for_help() {
        return;
    }
    let is_told_to_stash = call.is_told_to_stash();
    let Call { folder, verb, .. } = &call;
    let listed = listed_in_a_file(call.arguments, folder.as_deref(), input);
    let given = Given::new(&listed, with_value(verb));
    let mut effects = Effects { folder: folder.as_deref(), found: &mut *effects.found };
    let may_clean =
        given.has("fi", &["--force", "--interactive"]) || call.setting("clean.requireForce") == Some("false");
    match *verb {
        "checkout" => checkout(&given, &mut effects),
        "switch" if given.has("f", &["--force", "--discard-changes"]) => effects.everything(Deed::Discard),
        "restore" if !given.has("S", &["--staged"]) || given.has("W", &["--worktree"]) => {
            pathspecs(&given.all(), Deed::Discard, true, &mut effects);
        }
        "reset" if given.has("", &["--hard"]) => effects.everything(Deed::Discard),
        "reset" if given.has("", &["--merge"]) => effects.everything_when(When::IsStaged, Deed::Discard),
        // A rebase begins anew with what is committed; the others bring back what they changed, which is what is staged.
        "rebase" if given.has("", &["--abort", "--skip"]) => effects.everything(Deed::Discard),
        "merge" | "cherry-pick" | "revert" | "am" if given.has("", &["--abort", "--skip"]) => {
            effects.everything_when(When::IsStaged, Deed::Discard);
        }
        "rebase" => put_aside("rebase", &given, is_told_to_stash, &mut effects),
        "merge" => put_aside("merge", &given, is_told_to_stash, &mut effects),
        "pull" => put_aside("pull", &given, is_told_to_stash, &mut effects),
        "clean" if may_clean && !given.has("n", &["--dry-run"]) => {
            paths_or_everything(&given.all(), Deed::Delete, &mut effects);
        }
        "stash" => stash(&given, &mut effects),
        "add" | "stage" | "rm" if given.has("n", &["--dry-run", "--refresh"]) => {}
        // An editor is given everything, and what it leaves is staged.
        "add" | "stage" if given.has("Aue", &["--all", "--update", "--edit"]) => {
            paths_or_everything(&given.all(), Deed::Stage, &mut effects);
        }
        "add" | "stage" => pathspecs(&given.all(), Deed::Stage, true, &mut effects),
        "commit" if given.has("a", &["--all"]) && !given.has("", &["--dry-run"]) => effects.everything(Deed::Commit),
        "commit" if given.has("", &["--dry-run"]) => {}
        "commit" if given.has("p", &["--patch", "--interactive"]) => {
            paths_or_everything(&given.all(), Deed::Commit, &mut effects);
        }
        "commit" => pathspecs(&given.all(), Deed::Commit, true, &mut effects),
        // The file stays, and the next commit has it no more.
        "rm" if given.has("", &["--cached"]) => pathspecs(&given.all(), Deed::Stage, true, &mut effects),
        "rm" => pathspecs(&given.all(), Deed::Delete, false, &mut effects),
        "update-index" => update_index(&given, &mut effects),
        "mv" if !given.has("n", &["--dry-run"]) => effects.words(&given.all(), Deed::Move),
        "read-tree" if given.has("u", &[]) && given.has("", &["--reset"]) => effects.everything(Deed::Discard),
        "checkout-index" if given.has("f", &["--force"]) && given.has("a", &["--all"]) => {
            effects.everything(Deed::Discard);
        }
        "checkout-index" if given.has("f", &["--force"]) => effects.changed(&given.all(), Deed::Discard),
        "submodule" if given.has("f", &["--force"]) => force_on_submodules(&given, &mut effects),
        "worktree" => match given.names.first().map(|verb| verb.text.as_str()) {
            Some("remove") => effects.words(&given.all()[1..], Deed::Delete),
            Some("move") => effects.words(&given.all()[1..], Deed::Move),
            _ => {}
        },
        _ => {}
    }
}

/// The arguments with the paths in them that a file lists, or standard input.
fn listed_in_a_file(arguments: &[Word], folder: Option<&Path>, input: Option<&str>) -> Vec<Word> {
    const OPTION: &str = "--pathspec-from-file";
    let mut words = arguments.to_vec();
    let Some(position) = arguments.iter().position(|word| word.text.starts_with(OPTION)) else { return words };
    let name = match arguments[position].text.strip_prefix(OPTION).and_then(|rest| rest.strip_prefix('=')) {
        Some(name) => name.to_owned(),
        None if position + 1 < words.len() => words.remove(position + 1).text,
        None => return words,
    };
    let text =
        if name == "-" { input.map(str::to_owned) } else { folder.and_then(|folder| text_in(&folder.join(name))) };
    words.push(Word { text: "--".to_owned(), kind: WordKind::Literal });
    let text = text.unwrap_or_default();
    let paths = text.split(['\n', '\0']).filter(|path| !path.is_empty());
    words.extend(paths.map(|path| Word { text: path.to_owned(), kind: WordKind::Matched }));
    words
}

/// The options of a verb whose value is the next word.
fn with_value(verb: &str) -> &'static [&'static str] {
    match verb {
        "commit" => &[
            "-m",
            "--message",
            "-F",
            "--file",
            "-C",
            "-c",
            "-t",
            "--template",
            "--author",
            "--date",
            "--fixup",
            "--squash",
            "--reuse-message",
            "--reedit-message",
            "--trailer",
            "--cleanup",
            "-S=",
            "-u=",
        ],
        "checkout" => &["-b", "-B", "--orphan", "--conflict"],
        "switch" => &["-c", "-C", "--create", "--force-create", "--orphan", "--conflict"],
        "stash" => &["-m", "--message"],
        "restore" => &["-s", "--source"],
        "clean" => &["-e", "--exclude"],
        _ => &[],
    }
}

/// What `git submodule` does to submodules when it is forced.
fn force_on_submodules(given: &Given, effects: &mut Effects) {
    let names = given.all();
    if !names.first().is_some_and(|verb| matches!(verb.text.as_str(), "update" | "deinit")) {
        return;
    }
    if names.len() > 1 {
        return effects.changed(&names[1..], Deed::Discard);
    }
    for folder in effects.folder.map(submodules::folders).unwrap_or_default() {
        effects.add(Target::Path(folder), Deed::Discard, true, WordKind::Matched);
    }
}

/// It stages the paths that it is told; from standard input they may be any.
fn update_index(given: &Given, effects: &mut Effects) {
    /// They change what git remembers of a file beside its content.
    const LEAVE_CONTENT: &[&str] = &[
        "--assume-unchanged",
        "--no-assume-unchanged",
        "--skip-worktree",
        "--no-skip-worktree",
        "--fsmonitor-valid",
        "--no-fsmonitor-valid",
        "--cacheinfo",
        "--index-info",
        "--info-only",
    ];
    if given.has("", LEAVE_CONTENT) {
        return;
    }
    if given.has("", &["--stdin"]) {
        effects.everything(Deed::Stage);
    }
    effects.each(&given.all(), Deed::Stage, true);
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

/// What is changed comes back at the end if nothing stands against that; if something does, it stays in the stash.
fn put_aside(verb: &'static str, given: &Given, is_told_to: Option<bool>, effects: &mut Effects) {
    const CARRIES_ON: &[&str] = &["--continue", "--quit", "--edit-todo", "--show-current-patch", "--no-autostash"];
    if given.has("", CARRIES_ON) {
        return;
    }
    match is_told_to {
        _ if given.has("", &["--autostash"]) => effects.everything(Deed::Stash),
        Some(true) => effects.everything(Deed::Stash),
        Some(false) => {}
        None => effects.everything_when(When::StashesByItself(verb), Deed::Stash),
    }
}

fn checkout(given: &Given, effects: &mut Effects) {
    if !given.after_dashes.is_empty() {
        pathspecs(&given.after_dashes, Deed::Discard, true, effects);
    } else if given.has("f", &["--force"]) {
        effects.everything(Deed::Discard);
    } else if !given.has("bB", &["--orphan", "--detach", "--track"]) {
        // A name may be a branch or a path. Git itself refuses to leave a branch over unsaved changes, so only what is a
        // path for sure is looked at.
        let is_there = |word: &Word| effects.path(word).is_some_and(|path| path.symlink_metadata().is_ok());
        let is_path = |word: &&&Word| word.text == "." || is_pattern(&word.text) || is_there(word);
        let names: Vec<&Word> = given.names.iter().filter(is_path).copied().collect();
        if names.is_empty() && given.has("p", &["--patch"]) {
            effects.everything(Deed::Discard);
        }
        pathspecs(&names, Deed::Discard, true, effects);
    }
}

fn paths_or_everything(words: &[&Word], deed: Deed, effects: &mut Effects) {
    if words.is_empty() { effects.everything(deed) } else { pathspecs(words, deed, true, effects) }
}

/// Does this to what git understands by the words: a pattern may mean whatever is in the folders that it begins with.
fn pathspecs(words: &[&Word], deed: Deed, only_changed: bool, effects: &mut Effects) {
    for word in words.iter().filter(|word| word.kind != WordKind::Unknown) {
        let is_there = effects.path(word).is_some_and(|path| path.symlink_metadata().is_ok());
        if is_there {
            effects.each(&[word], deed, only_changed);
        } else if word.text.starts_with(':') {
            effects.everything(deed);
        } else if is_pattern(&word.text) {
            let folders = word.text.split('/').take_while(|part| !has_wildcard(part)).collect::<Vec<_>>().join("/");
            let text = if folders.is_empty() { ".".to_owned() } else { folders };
            effects.each(&[&Word { text, kind: WordKind::Matched }], deed, true);
        } else {
            effects.each(&[word], deed, only_changed);
        }
    }
}

/// True for what has a meaning of its own to git.
fn is_pattern(text: &str) -> bool {
    text.starts_with(':') || has_wildcard(text)
}
