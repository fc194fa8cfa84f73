//! The one way into the journal: somebody looks at a file, and says what they know of how it came to be so.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deconflict_protocol::{Resource, SessionId};
use deconflict_workspace::Lock;

use super::Journal;
use super::entry::{Author, Cause, Entry, EntryId, FileState, Line};
use super::error::{Error, failed};
use super::file_log::Tip;
use super::logs::End;
use super::objects::{Prepared, id_of};
use super::stamp::Stamp;
use super::text::counts;
use super::watch_list::Watched;
use super::working_file::{WorkingFile, look};

/// How often a file is read anew that is written while it is read.
const ATTEMPTS: usize = 5;

/// Whoever removes contents holds the lock for a moment; one who was stopped meanwhile is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Most programs empty a file before they write it: whoever comes by in between waits so long, a few times, or there would be
/// two changes for one.
const WRITING_PAUSE: Duration = Duration::from_millis(10);

/// Lines of longer texts are not counted, in bytes.
const LONGEST_COUNTED: usize = 2 << 20;

/// What stood in a file that nobody has looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing stood there.
    Absent,
    /// These bytes, such as what the last commit has.
    Bytes(Vec<u8>),
    /// These bytes in a file that might be run if it may not be run now, or the reverse.
    OtherMode(Vec<u8>),
}

/// What somebody who looks at a file knows.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What made the change, if there is one.
    pub cause: Cause,
    /// Whose it is, if that is known.
    pub author: Option<Author>,
    /// Who may have done it, if nobody knows.
    pub candidates: Vec<SessionId>,
    /// Now.
    pub at: DateTime<Utc>,
    /// When the author's edit, save or command began. A change that another one noticed since then without knowing whose
    /// it is, and that left what stands there now, is the author's.
    pub began: Option<DateTime<Utc>>,
    /// What stood there before if nobody has looked yet, where that is known.
    pub before: Option<Before>,
    /// Git ignores the file, or its user excluded it: nothing of it is kept, and what was kept of it goes.
    pub ignored: bool,
}

impl Observation {
    /// A look by one who knows nothing of a change.
    pub fn look(at: DateTime<Utc>) -> Self {
        Self {
            cause: Cause::Unknown,
            author: None,
            candidates: Vec::new(),
            at,
            began: None,
            before: None,
            ignored: false,
        }
    }

    /// A look by the author of a change that began at `began`.
    pub fn by(author: Author, cause: Cause, began: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self { cause, author: Some(author), began: Some(began), ..Self::look(at) }
    }
}

impl Journal {
    /// Looks at a file, and adds what changed since somebody looked last. Returns the change that this is, if the file
    /// changed or the observation says whose the newest change was.
    pub fn observe(&self, resource: &Resource, path: &Path, observation: &Observation) -> Result<Option<Entry>, Error> {
        if observation.ignored || self.is_excluded(resource) {
            self.forget(resource)?;
            return Ok(None);
        }
        for attempt in 1.. {
            let seen = look(path).map_err(failed("look at", path))?;
            let end = self.logs.end(resource)?;
            if is_unchanged(&end, seen) && !finds_author(&end, observation) {
                break;
            }
            if let ControlFlow::Break(entry) = self.add(resource, path, observation, end.tip(), attempt >= ATTEMPTS)? {
                return Ok(entry);
            }
        }
        Ok(None)
    }

    /// Reads a file and adds what there is to be added after what stood there a moment ago. Goes on if the file was written
    /// between the two; not if it is read while nobody else can add anything, which takes longer.
    fn add(
        &self,
        resource: &Resource,
        path: &Path,
        observation: &Observation,
        tip: Option<Tip>,
        is_alone: bool,
    ) -> Result<ControlFlow<Option<Entry>>, Error> {
        // Contents are not removed while one of them gets its first line.
        let _sweeping = self.contents_lock(Lock::Shared, PATIENCE)?;
        let locked = if is_alone { Some(self.logs.open(resource)?) } else { None };
        let file = WorkingFile::read(path).map_err(failed("read", path))?;
        let tip = locked.as_ref().map_or(tip, |log| log.end.tip());
        if !is_alone && observation.author.is_none() && may_be_half_written(tip.as_ref(), file.stamp) {
            std::thread::sleep(WRITING_PAUSE);
            return Ok(ControlFlow::Continue(()));
        }
        let mut prepared = Vec::new();
        if let Some((id, bytes)) = &file.kept
            && tip.as_ref().is_none_or(|tip| tip.state.kept() != Some(*id))
        {
            prepared.push(Prepared::new(*id, bytes).map_err(failed("compress", path))?);
        }
        let before = match &observation.before {
            Some(before @ (Before::Bytes(bytes) | Before::OtherMode(bytes))) if tip.is_none() => {
                id_of(bytes).map(|content| {
                    let is_other = matches!(before, Before::OtherMode(_));
                    let executable = matches!(file.state, FileState::File { executable: true, .. }) != is_other;
                    let state = FileState::File { content, executable, length: bytes.len() as u64 };
                    Prepared::new(content, bytes).map(|prepared| (state, Some(prepared)))
                })
            }
            Some(Before::Absent) => Some(Ok((FileState::Absent, None))),
            _ => None,
        };
        let before = before.transpose().map_err(failed("compress", path))?;
        let (before, content) = before.map_or((None, None), |(state, content)| (Some(state), content));
        prepared.extend(content);
        for content in &prepared {
            self.objects.put(content)?;
        }
        let mut log = if let Some(log) = locked {
            log
        } else {
            let log = self.logs.open(resource)?;
            if !is_same(look(path).map_err(failed("look at", path))?, file.stamp) {
                return Ok(ControlFlow::Continue(()));
            }
            log
        };
        let Decision { line, entry } = self.decide(&log.end, resource, observation, &file, before)?;
        let Some(line) = line else { return Ok(ControlFlow::Break(entry)) };
        // A log or a content that somebody deleted behind our back is made again.
        let mut tries = 0;
        loop {
            log.append(std::slice::from_ref(&line))?;
            tries += 1;
            let is_there = log.is_current() && prepared.iter().all(|content| self.objects.has_loose(content.id()));
            if is_there || tries == 3 {
                break;
            }
            for content in &prepared {
                self.objects.put(content)?;
            }
            if log.is_current() {
                break;
            }
            log = self.logs.open(resource)?;
        }
        if !matches!(line, Line::Attributed { .. }) {
            let is_unsettled = match &line {
                Line::Change(entry) => entry.author.is_none(),
                _ => log.end.is_unsettled(),
            };
            let (resource, stamp, at) = (resource.clone(), file.stamp, observation.at);
            self.watch_list.add(&Watched { resource, stamp, at, is_unsettled })?;
        }
        Ok(ControlFlow::Break(entry))
    }

    /// What is to be added after such an end.
    fn decide(
        &self,
        end: &End,
        resource: &Resource,
        observation: &Observation,
        file: &WorkingFile,
        known_before: Option<FileState>,
    ) -> Result<Decision, Error> {
        let seen = || Line::Seen {
            resource: resource.clone(),
            state: file.state.clone(),
            stamp: file.stamp,
            at: observation.at,
        };
        let tip = end.tip();
        let before = match &tip {
            Some(tip) if is_same_state(tip, file) => {
                if let Some(entry) = end.newest_change().filter(|_| finds_author(end, observation)) {
                    return Ok(attributed(entry, observation));
                }
                let is_known = tip.stamp == file.stamp || is_same(tip.stamp, file.stamp) && !is_certain(file.stamp);
                return Ok(Decision { line: (!is_known).then(seen), entry: None });
            }
            Some(tip) => tip.state.clone(),
            None => match known_before.filter(|before| *before != file.state) {
                Some(before) => before,
                None => return Ok(Decision { line: Some(seen()), entry: None }),
            },
        };
        let (added, removed) = self.count_lines(&before, file);
        let entry = Entry {
            id: EntryId::random()?,
            at: observation.at,
            resource: resource.clone(),
            cause: observation.cause.clone(),
            author: observation.author.clone(),
            candidates: observation.candidates.clone(),
            before,
            after: file.state.clone(),
            stamp: file.stamp,
            added,
            removed,
        };
        Ok(Decision { line: Some(Line::Change(entry.clone())), entry: Some(entry) })
    }

    fn count_lines(&self, before: &FileState, file: &WorkingFile) -> (u32, u32) {
        let text = |state: &FileState| match state {
            FileState::File { content, length, .. } if *length <= LONGEST_COUNTED as u64 => {
                // What is damaged is counted wrongly at worst.
                self.objects.read_loose(*content).ok().flatten().or_else(|| self.content(*content).ok())
            }
            FileState::Absent => Some(Vec::new()),
            _ => None,
        };
        let Some(before) = text(before) else { return (0, 0) };
        let after: &[u8] = match (&file.state, &file.kept) {
            (FileState::File { .. }, Some((_, bytes))) => bytes,
            (FileState::Absent, _) => &[],
            _ => return (0, 0),
        };
        if [&before[..], after].iter().any(|bytes| bytes.len() > LONGEST_COUNTED || bytes.contains(&0)) {
            return (0, 0);
        }
        let (added, removed) = counts(&before, after);
        (u32::try_from(added).unwrap_or(u32::MAX), u32::try_from(removed).unwrap_or(u32::MAX))
    }
}

/// What is to be added, and what is to be returned.
struct Decision {
    line: Option<Line>,
    entry: Option<Entry>,
}

/// The newest change, which this observation is about.
fn attributed(mut entry: Entry, observation: &Observation) -> Decision {
    let Some(author) = observation.author.clone() else { return Decision { line: None, entry: None } };
    let is_said = entry.author.as_ref().is_some_and(|known| known.session == author.session);
    let line = (!is_said).then(|| Line::Attributed {
        entry: entry.id.clone(),
        author: author.clone(),
        cause: observation.cause.clone(),
    });
    if !is_said {
        entry.attribute(&author, &observation.cause);
    }
    Decision { line, entry: Some(entry) }
}

/// True if the newest change is the observation's: somebody noticed it first, who knew less or nothing of it.
fn finds_author(end: &End, observation: &Observation) -> bool {
    let (Some(author), Some(began)) = (&observation.author, observation.began) else { return false };
    let Some(newest) = end.newest_change().filter(|newest| newest.at > began) else { return false };
    let is_known = newest.author.as_ref().is_some_and(|known| known.session == author.session);
    is_known || newest.may_be_of(author, &observation.cause)
}

fn is_unchanged(end: &End, seen: Option<Stamp>) -> bool {
    match (end.tip(), seen) {
        (Some(tip), None) => tip.state == FileState::Absent,
        (Some(Tip { stamp: Some(then), .. }), Some(now)) => then.is_certain() && then.looks_like(&now),
        _ => false,
    }
}

/// True for a file that became shorter just now. A moment after that it still has the time of its last change.
fn may_be_half_written(tip: Option<&Tip>, seen: Option<Stamp>) -> bool {
    let Some(seen) = seen else { return false };
    let ((length, modified), before) = (seen.content(), tip.and_then(|tip| tip.stamp).map(|stamp| stamp.content()));
    let is_recent = !seen.is_certain() || before.is_some_and(|(_, then)| then == modified);
    is_recent && length < before.map_or(1, |(length, _)| length)
}

/// True if nothing changed. Of a content that is not kept only length and time are known.
fn is_same_state(tip: &Tip, file: &WorkingFile) -> bool {
    let is_not_kept = matches!(file.state, FileState::NotKept { .. });
    tip.state == file.state
        && (!is_not_kept || tip.stamp.map(|stamp| stamp.content()) == file.stamp.map(|stamp| stamp.content()))
}

fn is_same(one: Option<Stamp>, other: Option<Stamp>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.looks_like(&other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn is_certain(stamp: Option<Stamp>) -> bool {
    stamp.is_none_or(|stamp| stamp.is_certain())
}
