//! Before the stash gets another entry: would that take others' uncommitted changes out of the working tree?
//!
//! Git asks with its hook for changes of refs, which knows neither the command nor its words. `git stash store` only notes
//! a commit that was made before and takes nothing away, so the processes above the hook tell which of the two it is.

use deconflict_platform as platform;
use deconflict_registry::Registry;
use deconflict_workspace::{commits, swept};

use super::committer::Committer;
use super::finding::{CheckResult, names, sort};
use super::{is_git, owned};
use crate::cli::context::{Context, standard_input};
use crate::cli::failure::Failure;

/// Far more than git writes for a stash, in bytes.
const LONGEST_LIST: u64 = 1 << 20;

pub(super) fn check(state: &str, context: &Context, registry: &Registry) -> Result<CheckResult, Failure> {
    let refs = standard_input(LONGEST_LIST, "read from git which refs change")?;
    let Some(stash) = new_stash(&refs).filter(|_| state == "prepared" && is_push()) else {
        return Ok(CheckResult::default());
    };
    let root = commits::root_of(context.folder())?;
    let changes = swept::stashed(&root, stash)?;
    let directory = &context.location()?.directory;
    if changes.iter().any(|change| root.join(&change.path).starts_with(directory)) {
        let advice =
            vec!["To stash everything that git does not ignore: git stash push --include-untracked".to_owned()];
        return Ok(CheckResult {
            what: "This stash",
            taken: Some(directory.clone()),
            advice,
            ..CheckResult::default()
        });
    }
    let committer = Committer::find(context, registry)?;
    let named = names(&changes, &root, &context.namer()?);
    let (sorted, checked) = sort(&changes, &named, registry, &committer)?;
    let owned = owned::of_others(&changes, &named, &root, context, registry, &committer)?;
    let advice = if owned.is_empty() && sorted.held.is_empty() {
        Vec::new()
    } else {
        vec!["To stash only your own files, name them: git stash push -- PATH…".to_owned()]
    };
    Ok(CheckResult { what: "This stash", checked, findings: sorted.held, owned, advice, ..CheckResult::default() })
}

/// The commit that becomes the newest entry of the stash.
fn new_stash(refs: &str) -> Option<&str> {
    refs.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, new, name) = (words.next()?, words.next()?, words.next()?);
        let is_id = new.bytes().all(|byte| byte.is_ascii_hexdigit()) && new.bytes().any(|byte| byte != b'0');
        (name == "refs/stash" && is_id).then_some(new)
    })
}

/// True below a `git stash` that takes changes out of the working tree.
fn is_push() -> bool {
    let words = platform::ancestors().find_map(|process| words_of_stash(process.command()).map(<[String]>::to_vec));
    words.is_some_and(|words| {
        let first = words.first().map_or("", String::as_str);
        first.is_empty() || first.starts_with('-') || first == "push" || first == "save"
    })
}

/// The words after `git stash`; `None` for another command.
fn words_of_stash(command: &[String]) -> Option<&[String]> {
    let (program, words) = command.split_first()?;
    if !is_git(program) {
        return None;
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-C" | "-c" | "--git-dir" | "--work-tree" | "--namespace" => drop(words.next()),
            option if option.starts_with('-') => {}
            verb => return (verb == "stash").then_some(words.as_slice()),
        }
    }
    None
}
