//! What a commit of some authors' changes alone would contain.

use deconflict_journal::text::Change;
use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::Resource;

use super::overlap::{Overlap, is_executable, is_no_text, not_meant};
use super::{Error, FileHistory, Recorder};

/// What is to be committed, and what stands in the way.
#[derive(Debug, Default)]
pub struct CommitPlan {
    /// The files that the commit changes.
    pub files: Vec<PlannedFile>,
    /// Where it cannot be told apart from others' changes. As long as there are any, nothing is committed.
    pub overlaps: Vec<Overlap>,
    /// Files in which something differs from the last commit by nobody who is known.
    pub unknown: Vec<Resource>,
}

/// A file as a commit will have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The file.
    pub resource: Resource,
    /// What the commit has, as it would stand on disk; `None` if the file is removed.
    pub content: Option<Planned>,
}

/// A content that is to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The bytes, or where the link leads.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: PlannedKind,
}

/// What git calls the mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedKind {
    /// A file; `None` leaves it as the last commit has it.
    File {
        /// Whether it may be run.
        executable: Option<bool>,
    },
    /// A link.
    Link,
}

impl CommitPlan {
    /// Plans a commit of what is uncommitted of some authors in these files, on top of the last commit.
    pub fn of_authors(
        recorder: &Recorder,
        files: &[Resource],
        commit: &str,
        is_meant: &dyn Fn(&Author) -> bool,
    ) -> Result<Self, Error> {
        let mut plan = Self::default();
        for resource in files {
            let Some(history) = FileHistory::read(recorder.journal, resource)? else { continue };
            let committed = recorder.committed(&history, commit)?;
            plan.add(&history, committed.as_deref(), &|change| history.owner_of(change).is_some_and(is_meant));
        }
        Ok(plan)
    }

    fn add(&mut self, history: &FileHistory, committed: Option<&[u8]>, is_meant: &dyn Fn(Option<Change>) -> bool) {
        let resource = history.resource();
        let entries: Vec<(&Entry, bool)> =
            history.changes().map(|(change, entry)| (entry, is_meant(Some(change)))).collect();
        let uncommitted = history.uncommitted(committed.unwrap_or_default());
        let changes = uncommitted.changes();
        if changes.contains(&None) {
            self.unknown.push(resource.clone());
        }
        let newest = entries.last().map(|(_, is_meant)| *is_meant);
        if entries.iter().any(|(entry, _)| is_no_text(&entry.before) || is_no_text(&entry.after)) {
            // A link or a content that is not kept has no lines: it is committed whole, or not at all.
            match (history.state(), newest) {
                (FileState::NotKept { .. }, _) | (_, None | Some(false)) => {}
                _ if entries.iter().any(|(_, is_meant)| !is_meant) => {
                    self.overlaps.push(Overlap::of_whole(history, &not_meant(history, is_meant)));
                }
                (state, _) => {
                    let bytes = history.newest().to_vec();
                    let kind = match state {
                        FileState::Link { .. } => PlannedKind::Link,
                        state => PlannedKind::File { executable: is_executable(state) },
                    };
                    let content = (*state != FileState::Absent).then_some(Planned { bytes, kind });
                    self.push(resource, committed, content);
                }
            }
            return;
        }
        let overlaps = uncommitted.overlaps(is_meant);
        let created_by = entries.iter().rev().find(|(entry, _)| entry.before == FileState::Absent);
        let has_some = changes.iter().any(|change| is_meant(*change));
        let rests_on_others = committed.is_none() && has_some && created_by.is_some_and(|(_, is_meant)| !is_meant);
        if rests_on_others && overlaps.is_empty() {
            self.overlaps.push(Overlap::of_whole(history, &not_meant(history, is_meant)));
            return;
        }
        if !overlaps.is_empty() {
            self.overlaps.push(Overlap::of(history, overlaps));
            return;
        }
        let mode = entries.iter().rev().find(|(entry, _)| {
            let (before, after) = (is_executable(&entry.before), is_executable(&entry.after));
            before.is_some() && after.is_some() && before != after
        });
        let executable = match mode {
            Some((entry, true)) => is_executable(&entry.after),
            None if committed.is_none() => is_executable(history.state()),
            _ => None,
        };
        let bytes = uncommitted.only(is_meant);
        let is_removed = *history.state() == FileState::Absent && newest == Some(true) && bytes.is_empty();
        let is_untouched = !has_some && executable.is_none();
        // An empty file may be new, or gone, without a line that differs.
        let is_new_and_empty =
            committed.is_none() && bytes.is_empty() && created_by.is_some_and(|(_, is_meant)| *is_meant);
        if is_removed {
            self.push(resource, committed, None);
        } else if !is_untouched || (is_new_and_empty && *history.state() != FileState::Absent) {
            self.push(resource, committed, Some(Planned { bytes, kind: PlannedKind::File { executable } }));
        }
    }

    /// Adds a file unless the commit has it so already.
    fn push(&mut self, resource: &Resource, committed: Option<&[u8]>, content: Option<Planned>) {
        let is_same = match (&content, committed) {
            (None, None) => true,
            (Some(planned), Some(committed)) => {
                planned.bytes == committed && planned.kind == PlannedKind::File { executable: None }
            }
            _ => false,
        };
        if !is_same {
            self.files.push(PlannedFile { resource: resource.clone(), content });
        }
    }
}
