//! What a commit of some authors' changes alone would contain.

use deconflict_journal::text::{Change, Uncommitted};
use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::{Resource, SessionId};

use super::overlap::{Overlap, is_executable, is_no_text, not_meant};
use super::recorder::Place;
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
    /// Files in which others have uncommitted changes, and who.
    pub others: Vec<(Resource, Author)>,
}

/// A file as a commit will have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The file.
    pub resource: Resource,
    /// Its path from the worktree's root, with `/`.
    pub path: String,
    /// What the last commit has, as it would stand on disk; `None` if it has no such file.
    pub committed: Option<Vec<u8>>,
    /// What the commit has, as it would stand on disk; `None` if the file is removed.
    pub content: Option<Planned>,
    /// Whose changes are in it. After each session stands what the last commit has with the changes of this one and of
    /// those before it.
    pub sessions: Vec<(SessionId, Vec<u8>)>,
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
        let mut histories = Vec::new();
        for resource in files {
            histories.extend(FileHistory::read(recorder.journal, resource)?);
        }
        let committed = recorder.checked_out_of_each(&histories.iter().collect::<Vec<_>>(), commit)?;
        for (history, committed) in histories.iter().zip(committed) {
            let Place::InWorktree { path, .. } = recorder.place_of(history.resource()) else { continue };
            let is_meant = |change| history.owner_of(change).is_some_and(is_meant);
            plan.add(history, &path, committed.as_deref(), &is_meant);
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        history: &FileHistory,
        path: &str,
        committed: Option<&[u8]>,
        is_meant: &dyn Fn(Option<Change>) -> bool,
    ) {
        let resource = history.resource();
        let entries: Vec<(&Entry, bool)> =
            history.changes().map(|(change, entry)| (entry, is_meant(Some(change)))).collect();
        let file = |content, sessions| PlannedFile {
            resource: resource.clone(),
            path: path.to_owned(),
            committed: committed.map(<[u8]>::to_vec),
            content,
            sessions,
        };
        let uncommitted = history.uncommitted(committed.unwrap_or_default());
        let changes = uncommitted.changes();
        self.leave(history, &changes, is_meant);
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
                    let owner = history.changes().last().and_then(|(change, _)| history.owner_of(Some(change)));
                    let sessions = owner.map(|owner| (owner.session.clone(), bytes.clone())).into_iter().collect();
                    let content = (*state != FileState::Absent).then_some(Planned { bytes, kind });
                    self.push(file(content, sessions));
                }
            }
            return;
        }
        let overlaps = uncommitted.overlaps(is_meant);
        let created_by = entries.iter().rev().find(|(entry, _)| entry.before == FileState::Absent);
        let has_some = changes.iter().any(|change| is_meant(*change));
        let rests_on_others = committed.is_none() && has_some && created_by.is_none_or(|(_, is_meant)| !is_meant);
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
        // What a new file is besides its lines is for whoever made it to commit.
        let is_untouched = !has_some && (committed.is_none() || executable.is_none());
        // An empty file may be new, or gone, without a line that differs.
        let is_new_and_empty =
            committed.is_none() && bytes.is_empty() && created_by.is_some_and(|(_, is_meant)| *is_meant);
        let sessions = || texts_by_session(history, &uncommitted, is_meant);
        if is_removed {
            self.push(file(None, sessions()));
        } else if !is_untouched || (is_new_and_empty && *history.state() != FileState::Absent) {
            self.push(file(Some(Planned { bytes, kind: PlannedKind::File { executable } }), sessions()));
        }
    }

    /// Notes what is not committed of a file.
    fn leave(&mut self, history: &FileHistory, changes: &[Option<Change>], is_meant: &dyn Fn(Option<Change>) -> bool) {
        let resource = history.resource();
        let left = changes.iter().filter(|change| !is_meant(**change));
        let owners: Vec<Option<&Author>> = left.map(|change| history.owner_of(*change)).collect();
        if owners.contains(&None) {
            self.unknown.push(resource.clone());
        }
        for owner in owners.into_iter().flatten() {
            let is_known = |(file, other): &(Resource, Author)| file == resource && other.session == owner.session;
            if !self.others.iter().any(is_known) {
                self.others.push((resource.clone(), owner.clone()));
            }
        }
    }

    /// Adds a file unless the commit has it so already.
    fn push(&mut self, file: PlannedFile) {
        let is_same = match (&file.content, &file.committed) {
            (None, None) => true,
            (Some(planned), Some(committed)) => {
                planned.bytes == *committed && planned.kind == PlannedKind::File { executable: None }
            }
            _ => false,
        };
        if !is_same {
            self.files.push(file);
        }
    }
}

/// What is committed with the changes of one session after the other.
fn texts_by_session(
    history: &FileHistory,
    uncommitted: &Uncommitted,
    is_meant: &dyn Fn(Option<Change>) -> bool,
) -> Vec<(SessionId, Vec<u8>)> {
    let mut sessions: Vec<&SessionId> = Vec::new();
    for change in uncommitted.changes().into_iter().filter(|change| is_meant(*change)) {
        let Some(owner) = history.owner_of(change) else { continue };
        if !sessions.contains(&&owner.session) {
            sessions.push(&owner.session);
        }
    }
    let text_with = |sessions: &[&SessionId]| {
        let is_in = |change| history.owner_of(change).is_some_and(|owner| sessions.contains(&&owner.session));
        uncommitted.only(|change| is_meant(change) && is_in(change))
    };
    (1..=sessions.len()).map(|count| (sessions[count - 1].clone(), text_with(&sessions[..count]))).collect()
}
