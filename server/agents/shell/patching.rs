//! The files that a patch in the form of `diff` changes.

use std::path::{Path, PathBuf};

use super::effect::{Deed, Effects, Target};
use super::input::{text_in, worktree_above};
use super::words::{Given, Word, WordKind};

/// Adds what `git apply …` does. `input` is what stands on its standard input.
pub(super) fn git_apply(arguments: &[Word], input: Option<&str>, effects: &mut Effects) {
    let given = Given::new(arguments, &["-p", "-C", "--directory", "--exclude", "--include", "--whitespace"]);
    if given.has("", &["--check", "--stat", "--numstat", "--summary", "--cached"]) {
        return;
    }
    let Some(root) = effects.folder.and_then(worktree_above) else { return };
    let depth = depth_of(&given).or(Some(1));
    let names: Vec<&Word> = given.all().into_iter().filter(|word| word.text != "-").collect();
    let texts: Vec<String> = if names.is_empty() {
        input.map(str::to_owned).into_iter().collect()
    } else {
        names.iter().filter_map(|name| text_in(&effects.path(name)?)).collect()
    };
    for path in texts.iter().flat_map(|text| changed(text, depth)) {
        effects.add(Target::Path(root.join(path)), Deed::Overwrite, false, WordKind::Literal);
    }
}

/// Adds what `patch …` does.
pub(super) fn patch(arguments: &[Word], input: Option<&str>, effects: &mut Effects) {
    let with_value = ["-p", "-i", "--input", "-d", "--directory", "-o", "--output", "-B", "-F", "-V", "-r", "-z"];
    let given = Given::new(arguments, &with_value);
    if given.has("", &["--dry-run"]) {
        return;
    }
    let value_of = |names: &[&str]| {
        let is_meant = |option: &&str| names.iter().any(|name| option == name || option.ends_with(&name[1..]));
        given.values.iter().find(|(option, _)| is_meant(option)).map(|(_, value)| *value)
    };
    let names = given.all();
    if let Some(output) = value_of(&["--output"]).or_else(|| value_of(&["-o"])) {
        return effects.words(&[output], Deed::Overwrite);
    }
    if let Some(named) = names.first() {
        return effects.words(&[named], Deed::Overwrite);
    }
    let Some(folder) = effects.folder else { return };
    let folder = value_of(&["--directory"])
        .or_else(|| value_of(&["-d"]))
        .map_or(folder.to_owned(), |value| folder.join(&value.text));
    let file = value_of(&["--input"]).or_else(|| value_of(&["-i"])).and_then(|file| text_in(&effects.path(file)?));
    let Some(text) = file.or_else(|| input.map(str::to_owned)) else { return };
    for path in changed(&text, depth_of(&given)) {
        effects.add(Target::Path(folder.join(path)), Deed::Overwrite, false, WordKind::Literal);
    }
}

/// How many folders are taken from the beginning of each path.
fn depth_of(given: &Given) -> Option<usize> {
    let attached = given.options.iter().find_map(|option| {
        let value = option.strip_prefix("--strip=").or_else(|| option.rsplit_once('p').map(|(_, value)| value));
        value.filter(|value| !value.is_empty())?.parse().ok()
    });
    let behind = given.values.iter().find(|(option, _)| option.ends_with('p'));
    attached.or_else(|| behind?.1.text.parse().ok())
}

/// The paths that a patch changes, without so many folders at their beginning, or with nothing but their names.
fn changed(text: &str, depth: Option<usize>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for line in text.lines() {
        let named = ["--- ", "+++ ", "rename from ", "rename to "].iter().find_map(|head| line.strip_prefix(head));
        let Some(named) = named.map(|named| named.split('\t').next().unwrap_or_default().trim_end()) else { continue };
        if named == "/dev/null" || named.is_empty() {
            continue;
        }
        // Git writes names of renamed files without its folders `a` and `b`.
        let taken = if line.starts_with("rename") { Some(0) } else { depth };
        let path: PathBuf = match taken {
            Some(depth) => named.split('/').skip(depth).collect(),
            None => Path::new(named).file_name().map(PathBuf::from).unwrap_or_default(),
        };
        if path.as_os_str().is_empty() || paths.contains(&path) {
            continue;
        }
        paths.push(path);
    }
    paths
}
