//! What commits contain: the one that is about to be made, the one that was just made, those that a push would publish.
//!
//! Git is asked, with its plumbing, as a hook has to: what it says of the repository and the index in its environment
//! counts.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use chrono::{DateTime, Utc};

use super::committing;
use super::git::{self, GitError, NOTHING, Surroundings, answer};
use super::repository::GitDirectory;
use deconflict_platform::canonical;

/// What the next commit would contain.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The root of the worktree, without symlinks.
    pub root: PathBuf,
    /// What would change against the last commit. What a merge or the like brings from commits is not among it.
    pub changes: Vec<PathChange>,
    /// True if there is no commit yet.
    pub is_first: bool,
    /// What git is in the middle of.
    pub operation: Option<Operation>,
    /// True if git tells by `AUTO_MERGE` what the operation itself made of all files.
    pub has_auto_merge: bool,
    /// Which index is meant.
    pub index: Index,
}

/// One path that a commit changes. A renamed file is two: its old path is deleted, its new one is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// The path, relative to the root of the worktree.
    pub path: PathBuf,
    /// True if the path is a submodule, so that only the commit that it points to changes.
    pub is_submodule: bool,
    /// What becomes of it.
    pub kind: PathChangeKind,
    /// Names the content that is added, or deleted.
    pub(super) content: String,
}

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathChangeKind {
    /// It is new.
    Added,
    /// It goes.
    Deleted,
    /// Its content or kind changes.
    Changed,
}

/// Something that takes git several commands, and whose changes come from commits that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `git merge`
    Merge,
    /// `git merge --squash`
    Squash,
    /// `git rebase`
    Rebase,
    /// `git cherry-pick`
    CherryPick,
    /// `git revert`
    Revert,
}

/// Which index the next commit is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// What was staged with `git add`.
    Staged,
    /// What was staged, and all changes of tracked files: `git commit --all`.
    All,
    /// Only the paths that the command names: `git commit PATH`.
    Named,
    /// What [`Committing`](super::committing::Committing) put together.
    Prepared,
}

/// A commit that a push would publish.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Its id.
    pub id: String,
    /// When its changes were made; a rebase leaves that as it is, and so does whoever adds more to them.
    pub authored_at: DateTime<Utc>,
    /// When this commit was made of them.
    pub committed_at: DateTime<Utc>,
    /// What it changes. Of a merge, what it has as none of its parents does.
    pub changes: Vec<PathChange>,
}

/// A ref that is pushed, as git tells it to a pre-push hook (githooks(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRef {
    /// The commit or tag that is pushed; `None` if the ref is deleted there.
    pub local: Option<String>,
    /// What the remote has there now; `None` if nothing.
    pub remote: Option<String>,
}

impl PathChange {
    /// The content that it has then, or had before it was deleted, as git calls it.
    pub fn content_id(&self) -> &str {
        &self.content
    }
}

impl Staged {
    /// Looks at what the next commit of the repository that `folder` is in would contain.
    pub fn of(folder: &Path) -> Result<Self, GitError> {
        const WHAT: &str = "what is to be committed";
        // Starting git is what takes the time.
        let (position, changes) = thread::scope(|scope| {
            let position = scope.spawn(|| Position::of(folder));
            let changes = changes_in_index(folder, "HEAD", WHAT);
            (position.join(), changes)
        });
        let Position { root, git_directory, last } = position.map_err(|_| GitError::NotUnderstood(WHAT))??;
        let is_first = last.is_none();
        let mut changes = if is_first { changes_in_index(folder, &empty_tree(folder)?, WHAT) } else { changes }?;
        let under_way = under_way(&git_directory);
        if let Some((_, sources)) = &under_way {
            // `AUTO_MERGE` is what git merged by itself.
            for source in sources.iter().map(String::as_str).chain(["AUTO_MERGE"]) {
                // What such a commit has, the operation brought along: nobody's unfinished work is in it.
                let Some(source) = resolve(folder, source, "tree")? else { continue };
                let differing = changes_in_index(folder, &source, WHAT)?;
                let differing: HashSet<PathBuf> = differing.into_iter().map(|change| change.path).collect();
                changes.retain(|change| differing.contains(&change.path));
            }
        }
        let has_auto_merge = under_way.is_some() && resolve(folder, "AUTO_MERGE", "tree")?.is_some();
        let operation = under_way.map(|(operation, _)| operation);
        Ok(Self { root, changes, is_first, operation, has_auto_merge, index: Index::from_environment() })
    }

    /// Where a deleted file's content turns up again, so that the two are one rename.
    pub fn renamed_to(&self, deleted: &PathChange) -> Option<&PathChange> {
        let same = |change: &&PathChange| change.kind == PathChangeKind::Added && change.content == deleted.content;
        if deleted.kind == PathChangeKind::Deleted { self.changes.iter().find(same) } else { None }
    }
}

impl Index {
    /// Git gives a hook the index that it made for the commit, in the user's own only if that is what is committed.
    fn from_environment() -> Self {
        let path = std::env::var_os("GIT_INDEX_FILE").map(PathBuf::from);
        let name_of = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let folder = path.as_deref().and_then(Path::parent).and_then(name_of);
        if folder.is_some_and(|folder| folder.starts_with(committing::PREFIX)) {
            return Self::Prepared;
        }
        match path.as_deref().and_then(name_of).as_deref() {
            Some("index.lock") => Self::All,
            Some(name) if name.starts_with("next-index-") => Self::Named,
            Some(_) | None => Self::Staged,
        }
    }
}

/// What the last commit changed: paths relative to the root, and that root.
pub fn last_commit(folder: &Path) -> Result<(PathBuf, Pushed), GitError> {
    const WHAT: &str = "what was committed";
    let ask_for_commit = || {
        let mut git = git::command_in(folder, Surroundings::OfHook);
        // A merge is held against the branch that it was made on.
        git.args(["diff-tree", "-r", "-m", "--first-parent", "--root", "--raw", "--no-abbrev", "-z", "--no-renames"]);
        git.args(["--always", FORMAT, "HEAD", "--"]);
        let commits = understand_commits(&answer(git, WHAT, b"")?, WHAT)?;
        commits.into_iter().next().ok_or(GitError::NotUnderstood(WHAT))
    };
    // Starting git is what takes the time.
    let (root, commit) = thread::scope(|scope| {
        let root = scope.spawn(|| root_of(folder));
        let commit = ask_for_commit();
        (root.join(), commit)
    });
    Ok((root.map_err(|_| GitError::NotUnderstood(WHAT))??, commit?))
}

/// The root of the worktree that a folder is in, without symlinks.
pub fn root_of(folder: &Path) -> Result<PathBuf, GitError> {
    folder_told(folder, "--show-toplevel", "which worktree this is")
}

/// The git directory that all worktrees of the repository share, without symlinks.
pub fn common_directory(folder: &Path) -> Result<PathBuf, GitError> {
    folder_told(folder, "--git-common-dir", "where the repository is")
}

/// Whether a folder is in a repository that has no worktree of its own; `None` if it is in no repository.
pub fn is_bare(folder: &Path) -> Option<bool> {
    let mut git = git::command(Surroundings::OfHook);
    git.current_dir(folder).args(["-c", "core.fsmonitor=false", "rev-parse", "--is-bare-repository"]);
    let told = git::run(git, b"").ok().filter(|told| told.status.success())?;
    Some(trimmed(&told.stdout) == b"true")
}

/// The folder that git takes a repository's hooks from, `core.hooksPath` or its own. It need not exist.
pub fn hooks_folder(folder: &Path) -> Result<PathBuf, GitError> {
    const WHAT: &str = "where the hooks are";
    // A relative one counts from where git runs hooks, which is the root.
    let root = root_of(folder)?;
    let mut git = git::command(Surroundings::OfHook);
    git.current_dir(&root).args(["-c", "core.fsmonitor=false", "rev-parse", "--git-path", "hooks"]);
    Ok(root.join(git::path_from(trimmed(&answer(git, WHAT, b"")?))))
}

/// True if `core.hooksPath` means another folder in each worktree, or is set for one alone.
pub fn hooks_are_of_one_worktree(folder: &Path) -> Result<bool, GitError> {
    let mut git = git::command(Surroundings::OfHook);
    git.current_dir(folder).args(["config", "--show-scope", "--type=path", "--get", "core.hooksPath"]);
    let told = git::run(git, b"")?.stdout;
    let mut words = trimmed(&told).splitn(2, |byte| *byte == b'\t');
    let (scope, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(!path.is_empty() && (scope == b"worktree" || git::path_from(path).is_relative()))
}

/// Understands what git tells a pre-push hook on standard input, a line for each ref.
pub fn pushed_refs(input: &str) -> Result<Vec<PushedRef>, GitError> {
    let id = |word: &str| (!word.bytes().all(|byte| byte == b'0')).then(|| word.to_owned());
    let understood = |line: &str| {
        let mut words = line.split(' ');
        let (_, local, _, remote) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let are_ids = [local, remote].iter().all(|word| is_object_id(word));
        (are_ids && words.next().is_none()).then(|| PushedRef { local: id(local), remote: id(remote) })
    };
    let lines = input.lines().filter(|line| !line.is_empty());
    lines.map(|line| understood(line).ok_or(GitError::NotUnderstood("what is pushed"))).collect()
}

/// The commits that a push would publish that are on no remote yet, of those made since a moment.
pub fn pushed(folder: &Path, refs: &[PushedRef], since: DateTime<Utc>) -> Result<Vec<Pushed>, GitError> {
    let ids = unpublished(folder, refs, &format!("--since={}", since.timestamp()))?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["diff-tree", "--stdin", "-r", "-c", "--root", "--raw", "--no-abbrev", "-z", "--no-renames", FORMAT]);
    understand_commits(&answer(git, WHAT_IS_PUSHED, &ids)?, WHAT_IS_PUSHED)
}

/// The paths that a push of this commit changes, in commits that are on no remote yet.
pub fn unpublished_paths(folder: &Path, commit: &str, refs: &[PushedRef]) -> Result<Vec<String>, GitError> {
    let remote = refs.iter().filter(|pushed| pushed.local.as_deref() == Some(commit));
    let only: Vec<PushedRef> = remote.cloned().collect();
    changed_in(folder, &unpublished(folder, &only, "--max-count=100000")?)
}

/// Understands what git tells a pre-receive hook on standard input, a line for each ref: what it has and what it is to have.
pub fn received_refs(input: &str) -> Result<Vec<PushedRef>, GitError> {
    let id = |word: &str| (!word.bytes().all(|byte| byte == b'0')).then(|| word.to_owned());
    let understood = |line: &str| {
        let (old, rest) = line.split_once(' ')?;
        let (new, _) = rest.split_once(' ')?;
        [old, new].iter().all(|word| is_object_id(word)).then(|| PushedRef { local: id(new), remote: id(old) })
    };
    let lines = input.lines().filter(|line| !line.is_empty());
    lines.map(|line| understood(line).ok_or(GitError::NotUnderstood(WHAT_IS_RECEIVED))).collect()
}

/// The paths that change for whoever fetches a ref that goes from one commit to another: those of commits that are new here,
/// and where commits are taken away, all that differs.
pub fn received_paths(folder: &Path, old: Option<&str>, new: &str) -> Result<Vec<String>, GitError> {
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["rev-list", new, "--not", "--all"]);
    let mut paths = changed_in(folder, &answer(git, WHAT_IS_RECEIVED, b"")?)?;
    if let Some(old) = old {
        let mut git = git::command_in(folder, Surroundings::OfHook);
        git.args(["merge-base", "--is-ancestor", old, new]);
        if !git::run(git, b"")?.status.success() {
            let mut git = git::command_in(folder, Surroundings::OfHook);
            git.args(["diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new]);
            paths.extend(paths_in(&answer(git, WHAT_IS_RECEIVED, b"")?));
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// The paths that commits change, a line for each commit's id; of a merge, what it has as none of its parents does.
fn changed_in(folder: &Path, ids: &[u8]) -> Result<Vec<String>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["diff-tree", "--stdin", "-r", "-c", "--root", "--no-commit-id", "--name-only", "-z", "--no-renames"]);
    Ok(paths_in(&answer(git, WHAT_IS_PUSHED, ids)?))
}

/// Paths as git prints them with `-z`. What is not Unicode nobody can claim.
fn paths_in(printed: &[u8]) -> Vec<String> {
    let paths = printed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    paths.filter_map(|path| String::from_utf8(path.to_vec()).ok()).collect()
}

const WHAT_IS_RECEIVED: &str = "what is received";

/// True if a push would publish a commit that is on no remote yet.
pub fn publishes(folder: &Path, refs: &[PushedRef]) -> Result<bool, GitError> {
    Ok(!unpublished(folder, refs, "--max-count=1")?.is_empty())
}

const WHAT_IS_PUSHED: &str = "what is pushed";

/// The ids of commits that a push would publish that are on no remote yet, a line each.
fn unpublished(folder: &Path, refs: &[PushedRef], limit: &str) -> Result<Vec<u8>, GitError> {
    let mut revisions: Vec<String> = refs.iter().filter_map(|pushed| pushed.local.clone()).collect();
    if revisions.is_empty() {
        return Ok(Vec::new());
    }
    // Many tags may lead to one commit.
    revisions.sort_unstable();
    revisions.dedup();
    // What the remote has, or another had, may be gone here.
    revisions.extend(refs.iter().filter_map(|pushed| Some(format!("^{}", pushed.remote.as_ref()?))));
    revisions.extend(fetched(folder)?.into_iter().map(|id| format!("^{id}")));
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["rev-list", "--ignore-missing", limit, "--stdin", "--not", "--remotes"]);
    answer(git, WHAT_IS_PUSHED, (revisions.join("\n") + "\n").as_bytes())
}

/// What was fetched last, by an address too, for which there is no branch of a remote.
fn fetched(folder: &Path) -> Result<Vec<String>, GitError> {
    let git_directory = folder_told(folder, "--git-dir", "where the repository is")?;
    let text =
        GitDirectory::open(&git_directory).and_then(|directory| directory.text("FETCH_HEAD")).unwrap_or_default();
    // From the repository itself nothing comes that anybody else has.
    let lines = text.lines().filter(|line| !line.ends_with(" of ."));
    Ok(lines.filter_map(|line| line.split('\t').next()).filter(|id| is_object_id(id)).map(str::to_owned).collect())
}

/// True if a commit changes some paths as an earlier one did, made of the same changes before a moment: it was only moved
/// or reworded since.
pub fn is_replayed(folder: &Path, commit: &Pushed, paths: &[&Path], before: DateTime<Utc>) -> Result<bool, GitError> {
    const WHAT: &str = "what a commit was made of";
    let mut git = git::command_in(folder, Surroundings::OfHook);
    // A commit is no older than its changes.
    let (since, until) = (commit.authored_at.timestamp() - 1, before.timestamp());
    git.args(["rev-list", "--no-commit-header", "--format=%H %at", "--all", "--reflog"]);
    git.args([format!("--since={since}"), format!("--until={until}")]);
    let listed = answer(git, WHAT, b"")?;
    let made_at = format!(" {}", commit.authored_at.timestamp());
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let earlier: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(&made_at)).collect();
    let patch = |id: &str| {
        let mut git = git::command_in(folder, Surroundings::OfHook);
        git.args([
            "diff-tree",
            "-p",
            "--cc",
            "--root",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-commit-id",
        ]);
        git.args([id, "--"]).args(paths).env("GIT_LITERAL_PATHSPECS", "1");
        // Where the lines stand is no matter.
        let is_change = |line: &&[u8]| matches!(line.first(), Some(b'+' | b'-'));
        let printed = answer(git, WHAT, b"")?;
        Ok::<_, GitError>(
            printed.split(|byte| *byte == b'\n').filter(is_change).map(<[u8]>::to_vec).collect::<Vec<_>>(),
        )
    };
    let now = patch(&commit.id)?;
    for id in earlier {
        if patch(id)? == now {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if what git merged of a path by itself is whole, without a mark of a conflict.
pub fn is_merged_cleanly(folder: &Path, path: &Path) -> Result<bool, GitError> {
    let mut git = git::command_in(folder, Surroundings::OfHook);
    let mut object = std::ffi::OsString::from("AUTO_MERGE:");
    object.push(path);
    git.args(["cat-file", "blob"]).arg(object);
    let output = git::run(git, b"")?;
    // What is not there was deleted, which is a result too.
    Ok(!output.stdout.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"<<<<<<< ")))
}

/// A commit's id and when its changes and it were made, in seconds.
const FORMAT: &str = "--format=%H %at %ct";

/// What git is in the middle of, and the commits and trees whose content that brings along.
fn under_way(git_directory: &Path) -> Option<(Operation, Vec<String>)> {
    const SIGNS: [(&str, Operation); 6] = [
        ("MERGE_HEAD", Operation::Merge),
        ("rebase-merge", Operation::Rebase),
        ("rebase-apply", Operation::Rebase),
        ("CHERRY_PICK_HEAD", Operation::CherryPick),
        ("REVERT_HEAD", Operation::Revert),
        ("SQUASH_MSG", Operation::Squash),
    ];
    let is_there = |(sign, _): &(&str, Operation)| fs::symlink_metadata(git_directory.join(sign)).is_ok();
    let (sign, operation) = SIGNS.into_iter().find(is_there)?;
    let text = GitDirectory::open(git_directory).and_then(|directory| directory.text(sign)).unwrap_or_default();
    let from = match operation {
        Operation::Merge => text.lines().map(str::to_owned).collect(),
        Operation::Rebase => vec!["REBASE_HEAD".to_owned()],
        Operation::CherryPick => vec![sign.to_owned()],
        Operation::Revert => vec!["REVERT_HEAD^".to_owned()],
        // The message lists the squashed commits, the newest first.
        Operation::Squash => {
            text.lines().find_map(|line| line.strip_prefix("commit ")).map(str::to_owned).into_iter().collect()
        }
    };
    Some((operation, from))
}

/// A folder that git names, without symlinks if it is there.
fn folder_told(folder: &Path, argument: &str, what: &'static str) -> Result<PathBuf, GitError> {
    let told = ask(folder, &["rev-parse", argument], what)?;
    let told = folder.join(git::path_from(trimmed(&told)));
    Ok(canonical(&told).unwrap_or(told))
}

/// Where somebody stands in a repository.
struct Position {
    root: PathBuf,
    git_directory: PathBuf,
    /// The last commit; `None` where there is none yet.
    last: Option<String>,
}

impl Position {
    /// Asks git once, unless a name makes that ambiguous.
    fn of(folder: &Path) -> Result<Self, GitError> {
        let mut git = git::command_in(folder, Surroundings::OfHook);
        git.args(["rev-parse", "--show-toplevel", "--git-dir", "--verify", "--quiet", "HEAD^{commit}"]);
        let told = git::run(git, b"")?.stdout;
        let lines: Vec<&[u8]> = trimmed(&told).split(|byte| *byte == b'\n').collect();
        let placed = |told: &[u8]| {
            let told = folder.join(git::path_from(told));
            canonical(&told).unwrap_or(told)
        };
        match lines[..] {
            [root, git_directory, last] if std::str::from_utf8(last).is_ok_and(is_object_id) => Ok(Self {
                root: placed(root),
                git_directory: placed(git_directory),
                last: Some(String::from_utf8_lossy(last).into_owned()),
            }),
            _ => Ok(Self {
                root: root_of(folder)?,
                git_directory: folder_told(folder, "--git-dir", "where the repository is")?,
                last: resolve(folder, "HEAD", "commit")?,
            }),
        }
    }
}

/// The id of a `commit`, or of a `tree` or a commit's tree; `None` if there is none.
pub(super) fn resolve(folder: &Path, revision: &str, kind: &str) -> Result<Option<String>, GitError> {
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{{kind}}}")]);
    let output = git::run(git, b"")?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(trimmed(&output.stdout)).into_owned()))
}

/// The tree without anything in it, under the name that this repository's hash gives it.
pub(super) fn empty_tree(folder: &Path) -> Result<String, GitError> {
    let id = ask(folder, &["hash-object", "-t", "tree", NOTHING], "what is to be committed")?;
    Ok(String::from_utf8_lossy(trimmed(&id)).into_owned())
}

fn changes_in_index(folder: &Path, base: &str, what: &'static str) -> Result<Vec<PathChange>, GitError> {
    let arguments =
        ["diff-index", "--cached", "--ita-invisible-in-index", "--raw", "--no-abbrev", "-z", "--no-renames"];
    let answer = ask(folder, &[&arguments[..], &["--ignore-submodules=none", base, "--"]].concat(), what)?;
    let mut changes = Vec::new();
    let mut fields = fields(&answer);
    while let Some(field) = fields.next() {
        let change = understand_change(field, fields.next()).ok_or(GitError::NotUnderstood(what))?;
        // A path with a conflict is told twice, one after the other.
        if changes.last() != Some(&change) {
            changes.push(change);
        }
    }
    Ok(changes)
}

/// Understands `git diff-tree --raw -z` with [`FORMAT`].
fn understand_commits(answer: &[u8], what: &'static str) -> Result<Vec<Pushed>, GitError> {
    let not_understood = || GitError::NotUnderstood(what);
    let mut commits: Vec<Pushed> = Vec::new();
    let mut fields = fields(answer);
    while let Some(field) = fields.next() {
        if field.starts_with(b":") {
            let change = understand_change(field, fields.next()).ok_or_else(not_understood)?;
            commits.last_mut().ok_or_else(not_understood)?.changes.push(change);
        } else {
            let words: Vec<&str> = std::str::from_utf8(field).map_err(|_| not_understood())?.split(' ').collect();
            let [id, authored, committed] = words[..] else { return Err(not_understood()) };
            let time = |seconds: &str| DateTime::from_timestamp(seconds.parse().ok()?, 0);
            let authored_at = time(authored).ok_or_else(not_understood)?;
            let committed_at = time(committed).ok_or_else(not_understood)?;
            commits.push(Pushed { id: id.to_owned(), authored_at, committed_at, changes: Vec::new() });
        }
    }
    Ok(commits)
}

/// Understands an entry of git-diff-tree(1)'s raw format: a colon for each side, modes, ids, statuses; the path.
pub(super) fn understand_change(entry: &[u8], path: Option<&[u8]>) -> Option<PathChange> {
    const SUBMODULE: &str = "160000";
    const NO_FILE: &str = "000000";
    let text = std::str::from_utf8(entry).ok()?;
    let sides = text.bytes().take_while(|byte| *byte == b':').count();
    let words: Vec<&str> = text[sides..].split(' ').collect();
    if sides == 0 || words.len() != 2 * (sides + 1) + 1 {
        return None;
    }
    let (before, after) = (words[0], words[sides]);
    let (content_before, content_after) = (words[sides + 1], words[2 * sides + 1]);
    let kind = if after == NO_FILE && !words[words.len() - 1].starts_with('U') {
        PathChangeKind::Deleted
    } else if words[..sides].iter().all(|mode| *mode == NO_FILE) {
        PathChangeKind::Added
    } else {
        PathChangeKind::Changed
    };
    let content = if kind == PathChangeKind::Deleted { content_before } else { content_after };
    let is_submodule = if kind == PathChangeKind::Deleted { before == SUBMODULE } else { after == SUBMODULE };
    Some(PathChange { path: git::path_from(path?).to_owned(), is_submodule, kind, content: content.to_owned() })
}

/// What stands between the zeros of an answer. With `-z`, git puts a line end before the first entry of a commit.
pub(super) fn fields(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let answer = answer.strip_suffix(b"\0").unwrap_or(answer);
    let fields = answer.split(|byte| *byte == 0).map(|field| field.strip_prefix(b"\n:").map_or(field, |_| &field[1..]));
    fields.filter(|field| !field.is_empty())
}

fn is_object_id(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn trimmed(answer: &[u8]) -> &[u8] {
    let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
    answer.strip_suffix(b"\r").unwrap_or(answer)
}

fn ask(folder: &Path, arguments: &[&str], what: &'static str) -> Result<Vec<u8>, GitError> {
    let mut git = git::command_in(folder, Surroundings::OfHook);
    git.args(arguments);
    answer(git, what, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "b68025345d5301abad4d9ec9166f455243a0d746";
    const NONE: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn gits_raw_entries_are_understood() {
        let cases = [
            (format!(":100644 100755 {ID} {ID} M"), PathChangeKind::Changed, false),
            (format!(":000000 100644 {NONE} {ID} A"), PathChangeKind::Added, false),
            (format!(":120000 000000 {ID} {NONE} D"), PathChangeKind::Deleted, false),
            (format!(":100644 000000 {ID} {NONE} U"), PathChangeKind::Changed, false),
            (format!(":160000 000000 {ID} {NONE} D"), PathChangeKind::Deleted, true),
            (format!(":160000 160000 {ID} {ID} M"), PathChangeKind::Changed, true),
            (format!("::100644 100644 100644 {ID} {ID} {ID} MM"), PathChangeKind::Changed, false),
        ];
        for (entry, kind, is_submodule) in cases {
            let change = understand_change(entry.as_bytes(), Some(b"a b")).unwrap();
            assert_eq!((change.kind, change.is_submodule), (kind, is_submodule), "{entry}");
            assert_eq!(change.path, Path::new("a b"));
        }
        for wrong in ["", "100644", ":100644", ":a b c d", "::a b c d e"] {
            assert_eq!(understand_change(wrong.as_bytes(), Some(b"a")), None, "{wrong}");
        }
    }

    #[test]
    fn pushed_refs_are_four_words_a_line() {
        let refs = pushed_refs(&format!("refs/heads/a {ID} refs/heads/b {NONE}\n(delete) {NONE} refs/heads/c {ID}\n"));
        let expected = [
            PushedRef { local: Some(ID.to_owned()), remote: None },
            PushedRef { local: None, remote: Some(ID.to_owned()) },
        ];
        assert_eq!(refs.unwrap(), expected);
        assert_eq!(pushed_refs("").unwrap(), []);
        for wrong in ["garbage", &format!("a {ID} b"), &format!("a {ID} b --all"), &format!("a {ID} b {ID} c")] {
            assert!(pushed_refs(wrong).is_err(), "{wrong}");
        }
    }
}
