//! Taking changes out of files again, while everybody else's stay.

use chrono::{DateTime, Utc};
use deconflict_journal::text::{Change, Uncommitted};
use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::Resource;

use super::overlap::{Overlap, is_executable, is_no_text, not_meant};
use super::{Error, FileHistory, Noticed, Recorder};

/// What is to be taken out, and what stands in the way.
#[derive(Debug, Default)]
pub struct Undo {
    /// The files that will be changed.
    pub files: Vec<UndoneFile>,
    /// Where it cannot be told apart from others' changes. As long as there are any, nothing is undone.
    pub overlaps: Vec<Overlap>,
    /// Files in which something differs from the last commit by nobody who is known.
    pub unknown: Vec<Resource>,
}

/// A file that will be changed.
#[derive(Debug, Clone)]
pub struct UndoneFile {
    /// The file.
    pub resource: Resource,
    /// What will stand there.
    pub state: FileState,
    /// What stands there now.
    pub before: FileState,
}

impl Undo {
    /// Plans to take out what is uncommitted of some authors.
    pub fn of_authors(
        recorder: &Recorder,
        files: &[Resource],
        is_meant: &dyn Fn(&Author) -> bool,
    ) -> Result<Self, Error> {
        let mut undo = Self::default();
        let mut histories = Vec::new();
        for resource in files {
            let history = FileHistory::read(recorder.journal, resource)?;
            histories.extend(history.filter(|history| history.has_changes_of(is_meant)));
        }
        let committed = recorder.checked_out_of_each(&histories.iter().collect::<Vec<_>>(), "HEAD")?;
        for (history, committed) in histories.iter().zip(committed) {
            let uncommitted = history.uncommitted(committed.as_deref().unwrap_or_default());
            let is_meant = |change: Option<Change>| history.owner_of(change).is_some_and(is_meant);
            undo.plan(recorder, history, committed.is_none(), &uncommitted, &is_meant)?;
        }
        Ok(undo)
    }

    /// Plans to take out some changes, committed or not.
    pub fn of_entries(recorder: &Recorder, entries: &[Entry]) -> Result<Self, Error> {
        let mut undo = Self::default();
        let mut files: Vec<&Resource> = entries.iter().map(|entry| &entry.resource).collect();
        files.sort_unstable();
        files.dedup();
        for resource in files {
            let Some(history) = FileHistory::read(recorder.journal, resource)? else { continue };
            let is_meant = |change: Option<Change>| {
                history.entry(change).is_some_and(|entry| entries.iter().any(|meant| meant.id == entry.id))
            };
            let reverted = history.reverted(|change| is_meant(Some(change)));
            undo.plan(recorder, &history, true, &reverted, &is_meant)?;
        }
        Ok(undo)
    }

    /// Takes everything out that was planned, or nothing. The caller holds the files.
    pub fn carry_out(&self, recorder: &Recorder, author: &Author, now: DateTime<Utc>) -> Result<Vec<Noticed>, Error> {
        let mut noticed = Vec::new();
        for (done, file) in self.files.iter().enumerate() {
            match recorder.write(author, &file.resource, &file.state, now) {
                Ok(change) => noticed.extend(change),
                Err(error) => {
                    for file in &self.files[..done] {
                        // Why the first one failed is told.
                        let _ = recorder.write(author, &file.resource, &file.before, now);
                    }
                    return Err(error);
                }
            }
        }
        Ok(noticed)
    }

    fn plan(
        &mut self,
        recorder: &Recorder,
        history: &FileHistory,
        may_vanish: bool,
        uncommitted: &Uncommitted,
        is_meant: &dyn Fn(Option<Change>) -> bool,
    ) -> Result<(), Error> {
        let resource = history.resource();
        let is_unknown = |change: &Option<Change>| !is_meant(*change) && history.owner_of(*change).is_none();
        if uncommitted.changes().iter().any(is_unknown) {
            self.unknown.push(resource.clone());
        }
        let entries: Vec<(&Entry, bool)> =
            history.changes().map(|(change, entry)| (entry, is_meant(Some(change)))).collect();
        let is_whole = entries.iter().any(|(entry, _)| is_no_text(&entry.before) || is_no_text(&entry.after));
        let state = if is_whole {
            // A link or a content that is not kept has no lines: only what came last can be taken out.
            let last_others = entries.iter().rposition(|(_, is_meant)| !is_meant);
            let first = last_others.map_or(0, |position| position + 1);
            if entries[..first].iter().any(|(_, is_meant)| *is_meant) {
                self.overlaps.push(Overlap::of_whole(history, &not_meant(history, is_meant)));
                return Ok(());
            }
            let Some((entry, _)) = entries.get(first) else { return Ok(()) };
            entry.before.clone()
        } else {
            let overlaps = uncommitted.overlaps(is_meant);
            if !overlaps.is_empty() {
                self.overlaps.push(Overlap::of(history, overlaps));
                return Ok(());
            }
            let text = uncommitted.without(is_meant);
            let created = entries.iter().any(|(entry, is_meant)| *is_meant && entry.before == FileState::Absent);
            let deleted = entries.iter().rev().find(|(entry, _)| entry.after == FileState::Absent);
            // A new file goes with its creation, whether it was removed since or not.
            let goes = text.is_empty() && created && may_vanish;
            let is_there = match history.state() {
                FileState::Absent => !goes && deleted.is_some_and(|(_, is_meant)| *is_meant),
                _ => !goes,
            };
            if is_there {
                let content = recorder.journal.keep(&text)?;
                FileState::File {
                    content,
                    executable: executable_without(history, &entries),
                    length: text.len() as u64,
                }
            } else {
                FileState::Absent
            }
        };
        if state != *history.state() {
            self.files.push(UndoneFile { resource: resource.clone(), state, before: history.state().clone() });
        }
        Ok(())
    }
}

/// Whether a file may be run once the changes are out.
fn executable_without(history: &FileHistory, entries: &[(&Entry, bool)]) -> bool {
    let mut executable = is_executable(history.state());
    for (entry, is_meant) in entries.iter().rev() {
        let (Some(before), Some(after)) = (is_executable(&entry.before), is_executable(&entry.after)) else { continue };
        if *is_meant && before != after && executable == Some(after) {
            executable = Some(before);
        } else if before != after {
            break;
        }
    }
    let deleted = entries.iter().rev().find_map(|(entry, _)| is_executable(&entry.before));
    executable.or(deleted).unwrap_or(false)
}
