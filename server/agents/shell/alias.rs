//! What the user's own verbs of git mean.

use std::path::PathBuf;

use deconflict_workspace::{Repository, git_alias};

use super::git::Call;
use super::input::worktree_above;
use super::words::Word;

/// Git's verbs, which nobody can give another meaning.
const VERBS: &str = "add am apply archive bisect blame branch bundle cat-file check-ignore checkout checkout-index cherry \
                     cherry-pick clean clone commit config describe diff diff-files diff-index diff-tree fetch \
                     for-each-ref format-patch fsck gc grep hash-object help init log ls-files ls-remote ls-tree merge \
                     merge-base mv notes pull push read-tree rebase reflog remote reset restore rev-list rev-parse \
                     revert rm show show-ref sparse-checkout stage stash status submodule switch symbolic-ref tag \
                     update-index update-ref version worktree write-tree";

/// The command line that git runs for a verb of the user's, and where; `None` for every other verb.
pub(super) fn meaning(call: &Call) -> Option<(String, PathBuf)> {
    if VERBS.split(' ').any(|verb| verb == call.verb) {
        return None;
    }
    let folder = call.folder.clone()?;
    let said = call.setting(&format!("alias.{}", call.verb)).map(str::to_owned);
    let kept = || git_alias(&Repository::containing(&folder).ok().flatten()?, call.verb);
    let alias = said.or_else(kept)?;
    let arguments: String = call.arguments.iter().flat_map(|word| [" ".to_owned(), quoted(word)]).collect();
    match alias.strip_prefix('!') {
        // Such a one runs at the root.
        Some(line) => Some((format!("{line}{arguments}"), worktree_above(&folder)?.to_owned())),
        None => Some((format!("git {alias}{arguments}"), folder)),
    }
}

/// A word as a shell reads it. What is not known here is not known there either.
fn quoted(word: &Word) -> String {
    if word.is_literal() { format!("'{}'", word.text.replace('\'', r"'\''")) } else { "\"$unknown\"".to_owned() }
}
