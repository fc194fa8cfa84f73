//! Whose each line of a file is: by the journal, and for what it does not know by git.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::text::{hunks, lines};
use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::Resource;
use deconflict_workspace::{CommittedLine, blame, converted};

use super::recorder::slashed;
use super::{Error, FileHistory, Recorder, failed};

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlamedLine {
    /// The change that brought it, if the journal knows it.
    pub entry: Option<Arc<Entry>>,
    /// The commit that has it, if it is committed.
    pub commit: Option<BlamedCommit>,
    /// When it was written; of what is only known to be there, when the file was.
    pub at: DateTime<Utc>,
    /// The line, without its end.
    pub text: Vec<u8>,
}

/// A commit that has a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlamedCommit {
    /// What git calls it.
    pub id: String,
    /// Who wrote it, as git says.
    pub author: String,
}

impl BlamedLine {
    /// The session that wrote it, if that is known.
    pub fn author(&self) -> Option<&Author> {
        self.entry.as_ref()?.author.as_ref()
    }
}

impl Recorder<'_> {
    /// Says whose each line of a file is as it stands there now.
    pub fn blame(&self, resource: &Resource, now: DateTime<Utc>) -> Result<Vec<BlamedLine>, Error> {
        let path = self.namer.path_of(resource).zip(self.root_of(resource));
        let in_git = path.and_then(|(path, root)| Some((slashed(&root, &path)?, root)));
        let (lines, committed) = thread::scope(|scope| {
            // Git works meanwhile.
            let committed = in_git.as_ref().map(|(path, root)| scope.spawn(move || blame(root, path)));
            let lines = self.known_lines(resource, now);
            let committed = committed.map(|committed| committed.join().unwrap_or_else(|_| Ok(Vec::new())));
            (lines, committed)
        });
        let (mut lines, mut committed) = (lines?, committed.transpose()?.unwrap_or_default());
        add_commits(&mut lines, &committed);
        // Git may write other bytes to the disk than it keeps.
        let is_other = !committed.is_empty() && lines.iter().any(|line| line.commit.is_none());
        if let Some((path, root)) = in_git.filter(|_| is_other)
            && let Some(made) = converted(&root, "HEAD", &[&path])?.remove(&path)
            && without_ends(&made).count() == committed.len()
        {
            for (line, made) in committed.iter_mut().zip(without_ends(&made)) {
                made.clone_into(&mut line.text);
            }
            add_commits(&mut lines, &committed);
        }
        Ok(lines)
    }

    /// The lines with what the journal says of them.
    fn known_lines(&self, resource: &Resource, now: DateTime<Utc>) -> Result<Vec<BlamedLine>, Error> {
        let history = FileHistory::read(self.journal, resource)?;
        let known = history.as_ref().filter(|history| matches!(history.state(), FileState::File { .. }));
        let (text, written) = match known {
            Some(history) => (history.newest().to_vec(), now),
            None => self.read(resource, now)?,
        };
        let entries = known.map(FileHistory::blame).unwrap_or_default();
        // Many lines are of one change.
        let mut shared: HashMap<&str, Arc<Entry>> = HashMap::new();
        let lines = without_ends(&text).enumerate().map(|(index, text)| {
            let entry = entries.get(index).copied().flatten();
            let entry = entry.map(|entry| {
                let known = shared.entry(entry.id.as_str()).or_insert_with(|| Arc::new(entry.clone()));
                Arc::clone(known)
            });
            let at = entry.as_ref().map_or(written, |entry| entry.at);
            BlamedLine { entry, commit: None, at, text: text.to_vec() }
        });
        Ok(lines.collect())
    }

    /// What stands in a file that the journal doesn't know, and since when.
    fn read(&self, resource: &Resource, now: DateTime<Utc>) -> Result<(Vec<u8>, DateTime<Utc>), Error> {
        let path = self.namer.path_of(resource);
        let path = path.ok_or_else(|| failed("find", resource.name().as_ref())(io::ErrorKind::NotFound.into()))?;
        let text = fs::read(&path).map_err(failed("read", &path))?;
        let written = fs::metadata(&path).and_then(|file| file.modified()).map_or(now, DateTime::from);
        Ok((text, written))
    }
}

/// Adds what git says of the lines that are as in the last commit.
fn add_commits(lines: &mut [BlamedLine], committed: &[CommittedLine]) {
    for (index, committed) in as_committed(committed, lines) {
        let line = &mut lines[index];
        // Git tells whole seconds.
        let is_older = |entry: &Entry| committed.at + TimeDelta::seconds(1) <= entry.at;
        // Who brought back what had been committed before, by a branch switch or a pull, has not written it.
        if line.entry.as_deref().is_none_or(|entry| entry.author.is_none() || is_older(entry)) {
            (line.entry, line.at) = (None, committed.at);
        }
        line.commit = Some(BlamedCommit { id: committed.commit.clone(), author: committed.author.clone() });
    }
}

/// The lines that are as in the last commit, with what git says of them.
fn as_committed<'c>(
    committed: &'c [CommittedLine],
    lines: &[BlamedLine],
) -> impl Iterator<Item = (usize, &'c CommittedLine)> + use<'c> {
    let joined = |texts: &mut dyn Iterator<Item = &[u8]>| {
        texts.flat_map(|text| text.iter().copied().chain([b'\n'])).collect::<Vec<u8>>()
    };
    let before = joined(&mut committed.iter().map(|line| line.text.as_slice()));
    let after = joined(&mut lines.iter().map(|line| line.text.as_slice()));
    let mut same = vec![None; committed.len()];
    let (mut from, mut to) = (0, 0);
    for hunk in hunks(&before, &after) {
        for (index, place) in (from..hunk.before.start).zip(to..) {
            same[index] = Some(place);
        }
        (from, to) = (hunk.before.end, hunk.after.end);
    }
    for (index, place) in (from..committed.len()).zip(to..lines.len()) {
        same[index] = Some(place);
    }
    same.into_iter().zip(committed).filter_map(|(place, line)| Some((place?, line)))
}

/// The lines as the journal counts them.
fn without_ends(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(text).into_iter().map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}
