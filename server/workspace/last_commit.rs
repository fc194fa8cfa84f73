//! What commits have at many paths at once.
//!
//! What git's own files tell is read from them; for the rest one git answers, since starting it is what takes the time.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::Repository;
use super::committed_tree::{AskGit, CommittedEntry, CommittedTree};
pub use super::committed_tree::{KeptOpen, keep_open};
use super::git::{self, GitError, Surroundings};

/// The content of files in a commit, by the paths that were asked for; a path that the commit does not have is missing.
pub type Contents = HashMap<String, Vec<u8>>;

/// Files above this size, in bytes, are not read.
const LARGEST: u64 = 50 << 20;

/// Of so many files their contents are read here. More are git's: it answers without all of them in memory twice.
const MOST_READ: usize = 100;

/// What a commit has at paths, as something says of each entry and the tree. `None` where git must be asked.
fn read<T>(
    root: &Path,
    commit: &str,
    paths: &[&str],
    what: impl Fn(&CommittedTree, CommittedEntry) -> Result<Option<T>, AskGit>,
) -> Option<HashMap<String, T>> {
    if paths.is_empty() {
        return Some(HashMap::new());
    }
    let repository = Repository::at(root).ok()??;
    let tree = CommittedTree::of(&repository, commit, usize::try_from(LARGEST).ok()?)?;
    let mut found = HashMap::new();
    for path in paths {
        if let Some(entry) = tree.entry(path).ok()?
            && let Some(value) = what(&tree, entry).ok()?
        {
            found.insert((*path).to_owned(), value);
        }
    }
    Some(found)
}

/// Reads files of a commit by paths from the root. What is not there, no file or too large is missing.
pub fn contents(root: &Path, commit: &str, paths: &[&str]) -> Result<Contents, GitError> {
    let content = |tree: &CommittedTree, entry: CommittedEntry| {
        if entry.is_content() { tree.content(entry).map(Some) } else { Ok(None) }
    };
    if paths.len() <= MOST_READ
        && let Some(contents) = read(root, commit, paths, content)
    {
        return Ok(contents);
    }
    let askable: Vec<&str> = paths.iter().copied().filter(|path| !path.contains('\n')).collect();
    let mut contents = Contents::new();
    // Git's questions and answers are lines.
    for path in paths.iter().filter(|path| path.contains('\n')) {
        let mut command = git::command_in(root, Surroundings::Own);
        command.args(["cat-file", "blob", &format!("{commit}:{path}")]);
        let output = git::run(command, b"")?;
        if output.status.success() && output.stdout.len() as u64 <= LARGEST {
            contents.insert((*path).to_owned(), output.stdout);
        }
    }
    if askable.is_empty() {
        return Ok(contents);
    }
    let mut command = git::command_in(root, Surroundings::Own);
    command.args(["cat-file", "--buffer", "--batch=%(objecttype) %(objectsize)"]);
    let questions = questions(commit, &askable);
    git::stream(command, "what was committed", questions.as_bytes(), |answer| {
        for path in askable {
            if let Some(content) = next_content(answer)? {
                contents.insert(path.to_owned(), content);
            }
        }
        Ok(())
    })?;
    Ok(contents)
}

/// Reads the next answer: what it is and its size on a line, the content, and a line end. `None` for what is missing, no file
/// or too large, which is passed over.
pub(super) fn next_content(answer: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    answer.read_until(b'\n', &mut line)?;
    let described = std::str::from_utf8(&line).ok().and_then(|line| line.trim_end().split_once(' '));
    let found = described.and_then(|(kind, size)| Some((kind, size.parse::<u64>().ok()?)));
    let Some((kind, size)) = found else { return Ok(None) };
    let mut rest = answer.take(size + 1);
    if kind != "blob" || size > LARGEST {
        io::copy(&mut rest, &mut io::sink())?;
        return Ok(None);
    }
    let mut content = Vec::new();
    rest.read_to_end(&mut content)?;
    content.pop();
    Ok((content.len() as u64 == size).then_some(content))
}

/// What git calls the contents of files in a commit, without reading them. A path that the commit does not have is missing.
pub fn names(root: &Path, commit: &str, paths: &[&str]) -> Result<HashMap<String, String>, GitError> {
    let name = |_: &CommittedTree, entry: CommittedEntry| Ok(entry.is_content().then(|| entry.name()));
    if let Some(names) = read(root, commit, paths, name) {
        return Ok(names);
    }
    // Git's questions are lines.
    let (broken, askable): (Vec<&str>, Vec<&str>) = paths.iter().copied().partition(|path| path.contains('\n'));
    let answer = ask(root, "--batch-check=%(objecttype) %(objectname)", commit, &askable)?;
    let answer = String::from_utf8_lossy(&answer);
    let answers = askable.iter().zip(answer.lines());
    let mut names: HashMap<String, String> =
        answers.filter_map(|(path, line)| Some(((*path).to_owned(), line.strip_prefix("blob ")?.to_owned()))).collect();
    let entries = in_tree(root, commit, &broken)?.into_iter();
    names.extend(entries.filter(|entry| entry.kind == "blob").map(|entry| (entry.path, entry.name)));
    Ok(names)
}

/// What git calls the modes of files in a commit, such as `100755` of one that may be run. A path that the commit does not
/// have is missing.
pub fn modes(root: &Path, commit: &str, paths: &[&str]) -> Result<HashMap<String, String>, GitError> {
    if let Some(modes) = read(root, commit, paths, |_, entry| Ok(Some(entry.mode()))) {
        return Ok(modes);
    }
    Ok(in_tree(root, commit, paths)?.into_iter().map(|entry| (entry.path, entry.mode)).collect())
}

/// What a commit's tree has at a path.
struct TreeEntry {
    mode: String,
    kind: String,
    name: String,
    path: String,
}

/// What a commit's tree has at some paths. What it does not have is missing.
fn in_tree(root: &Path, commit: &str, paths: &[&str]) -> Result<Vec<TreeEntry>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = git::command_in(root, Surroundings::Own);
    // In a form of the caller's own, git would quote the paths.
    command.args(["ls-tree", "-z", "--full-tree", commit, "--"]).args(paths);
    command.env("GIT_LITERAL_PATHSPECS", "1");
    let output = git::run(command, b"")?;
    // A repository without a commit has none.
    let answer = if output.status.success() { output.stdout } else { Vec::new() };
    let described = answer.split(|byte| *byte == 0).filter_map(|line| {
        let (what, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
        let mut words = what.split(' ').map(str::to_owned);
        Some(TreeEntry { mode: words.next()?, kind: words.next()?, name: words.next()?, path: path.to_owned() })
    });
    Ok(described.collect())
}

/// A commit, of which it counts who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCommit {
    /// Who made it, as git calls them.
    pub committer: String,
    /// When, in whole seconds.
    pub at: DateTime<Utc>,
}

/// The commits that changed a file since a time, the newest first, at most so many.
pub fn of_file_since(root: &Path, path: &str, since: DateTime<Utc>) -> Result<Vec<FileCommit>, GitError> {
    const MOST: &str = "-20";
    let mut command = git::command_in(root, Surroundings::Own);
    // Unlike `git log`, this checks no signatures, for which programs would run.
    command.args(["rev-list", MOST, "--format=%ct %cn", &format!("--since={}", since.timestamp()), "HEAD", "--", path]);
    command.env("GIT_LITERAL_PATHSPECS", "1");
    let output = git::run(command, b"")?;
    // A repository without a commit has none.
    if !output.status.success() {
        return Ok(Vec::new());
    }
    Ok(described(&output.stdout))
}

/// Who made the commit that a ref names, and when; `None` where there is none.
pub fn named_by(root: &Path, name: &str) -> Result<Option<FileCommit>, GitError> {
    let mut command = git::command_in(root, Surroundings::Own);
    command.args(["rev-list", "-1", "--format=%ct %cn", name, "--"]);
    let output = git::run(command, b"")?;
    Ok(if output.status.success() { described(&output.stdout).pop() } else { None })
}

/// Commits as `git rev-list --format="%ct %cn"` lists them.
fn described(answer: &[u8]) -> Vec<FileCommit> {
    let answer = String::from_utf8_lossy(answer);
    let lines = answer.lines().filter(|line| !line.starts_with("commit "));
    let commits = lines.filter_map(|line| {
        let (seconds, committer) = line.split_once(' ')?;
        let at = DateTime::from_timestamp(seconds.parse().ok()?, 0)?;
        Some(FileCommit { committer: committer.to_owned(), at })
    });
    commits.collect()
}

/// What git calls the last commit; `None` before the first.
pub fn id(root: &Path) -> Result<Option<String>, GitError> {
    let mut command = git::command_in(root, Surroundings::Own);
    command.args(["rev-parse", "--verify", "--quiet", "HEAD"]);
    let output = git::run(command, b"")?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

/// The commits at which a worktree stood since a time, the newest first, at most so many, beginning with `HEAD`.
pub fn heads_since(root: &Path, since: DateTime<Utc>, most: usize) -> Result<Vec<String>, GitError> {
    let mut command = git::command_in(root, Surroundings::Own);
    // Unlike `git log`, this checks no signatures, for which programs would run.
    command.args(["rev-list", "-g", &format!("--since={}", since.timestamp()), &format!("-{most}"), "HEAD"]);
    let output = git::run(command, b"")?;
    let mut heads = vec!["HEAD".to_owned()];
    // A repository without a commit, or whose reflog is off, has none.
    if output.status.success() {
        heads.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
    }
    Ok(heads)
}

/// The paths from the root at which two commits differ.
pub fn between(root: &Path, from: &str, to: &str) -> Result<Vec<String>, GitError> {
    let mut command = git::command_in(root, Surroundings::Own);
    command.args(["diff-tree", "-r", "--name-only", "-z", "--no-renames", from, to, "--"]);
    let answer = git::answer(command, "what differs between two commits", b"")?;
    let paths = answer.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths.filter_map(|path| String::from_utf8(path.to_vec()).ok()).collect())
}

fn ask(root: &Path, what: &str, commit: &str, paths: &[&str]) -> Result<Vec<u8>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = git::command_in(root, Surroundings::Own);
    command.args(["cat-file", "--buffer", what]);
    git::answer(command, "what was committed", questions(commit, paths).as_bytes())
}

fn questions(commit: &str, paths: &[&str]) -> String {
    paths.iter().flat_map(|path| [commit, ":", path, "\n"]).collect()
}
