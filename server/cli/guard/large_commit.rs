//! What the hook before a commit of many files leaves for the one after it: that there are many. Git takes a while to tell
//! so again, and the one who commits would wait for it.

use deconflict_platform as platform;
use deconflict_workspace::PrivateFolder;

use super::git_above;
use crate::cli::context::Context;

/// A commit of more files is seen to apart, since reading and removing as many records takes longer than a commit may.
pub(super) const MOST_WAITED_FOR: usize = 200;

/// What says in the user's own folder of the clone which git is committing many files.
const LARGE: &str = "large-commit";

/// More is no such file.
const LONGEST: u64 = 256;

/// Notes that the git above this process commits so many files. What cannot be noted is asked of git again.
pub(super) fn note(files: usize, context: &Context) {
    if files > MOST_WAITED_FOR
        && let (Some(folder), Some(git)) = (folder(context), git())
    {
        let _ = folder.put(LARGE, git.as_bytes());
    }
}

/// True if the hook before this commit noted that it is of many files.
pub(super) fn is_noted(context: &Context) -> bool {
    let Some(folder) = folder(context) else { return false };
    let Some(noted) = folder.read(LARGE, LONGEST).ok().flatten() else { return false };
    // Nothing else is there to be read by a later one.
    let _ = folder.remove(LARGE);
    git().is_some_and(|git| git.as_bytes() == noted)
}

fn folder(context: &Context) -> Option<PrivateFolder> {
    PrivateFolder::of(&context.location().ok()?.directory, "guard", platform::state_directory().as_deref())
}

/// The git that runs this hook, told apart from any later one.
fn git() -> Option<String> {
    let git = git_above()?.process()?;
    Some(format!("{}:{}", git.pid, git.started))
}
