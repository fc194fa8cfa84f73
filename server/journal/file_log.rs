//! All that is known of one file's changes.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::SessionId;

use super::content_id::ContentId;
use super::entry::{Author, Entry, EntryId, FileState, Line, Settlement};
use super::stamp::Stamp;

/// No agent's answer comes later than this after it was begun.
pub const LONGEST_ANSWER: TimeDelta = TimeDelta::seconds(6);

/// The log of one file.
#[derive(Debug, Clone, Default)]
pub struct FileLog {
    lines: Vec<Line>,
    damaged: usize,
}

/// What stood there when somebody looked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// What stands there.
    pub state: FileState,
    /// The file on disk.
    pub stamp: Option<Stamp>,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// True if by its newest change it became a link or a file, or may be run or not: what is in it does not tell that.
    pub is_another_form: bool,
}

/// A change that took something of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The change.
    pub entry: Entry,
    /// Who lost by it.
    pub owner: Author,
    /// When it was found.
    pub at: DateTime<Utc>,
    /// Who was told of it already.
    pub told: Vec<SessionId>,
    /// How it came to its end, if it did.
    pub settled: Option<(Settlement, DateTime<Utc>)>,
}

impl FileLog {
    /// Reads a log. Lines that cannot be read are counted and passed over.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut log = Self::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(line) => log.lines.push(line),
                Err(_) => log.damaged += 1,
            }
        }
        log
    }

    /// Every readable line, oldest first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many lines cannot be read.
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// The changes, oldest first, with the authors that were found since.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut positions: HashMap<&EntryId, usize> = HashMap::new();
        for line in &self.lines {
            match line {
                Line::Change(entry) => {
                    positions.insert(&entry.id, entries.len());
                    entries.push(entry.clone());
                }
                Line::Attributed { entry, author, cause } => {
                    if let Some(position) = positions.get(entry) {
                        entries[*position].attribute(author, cause);
                    }
                }
                _ => {}
            }
        }
        entries
    }

    /// What stood there when somebody looked last.
    pub fn tip(&self) -> Option<Tip> {
        Tip::after(&self.lines)
    }

    /// True if somebody saw this content in the file. What stood there before the first change may only be known from
    /// elsewhere.
    pub fn was_seen(&self, content: ContentId) -> bool {
        let stood = |state: &FileState| state.kept() == Some(content);
        self.lines.iter().any(|line| match line {
            Line::Change(entry) => stood(&entry.after),
            Line::Seen { state, .. } => stood(state),
            _ => false,
        })
    }

    /// True if it was found out who lost by a change, since it is known whose that is.
    pub fn is_judged(&self, id: &EntryId) -> bool {
        let mut about = self.lines.iter().rev().filter(|line| line.entry() == Some(id));
        let newest = about.find(|line| matches!(line, Line::Judged { .. } | Line::Attributed { .. }));
        matches!(newest, Some(Line::Judged { .. }))
    }

    /// True if a session was told of a change.
    pub fn was_told(&self, id: &EntryId, of: &SessionId) -> bool {
        self.is_told(id, of, |begun, _| !begun)
    }

    /// True if a session was told of a change, or an answer that is under way tells it.
    pub(super) fn is_being_told(&self, id: &EntryId, of: &SessionId, now: DateTime<Utc>) -> bool {
        self.is_told(id, of, |begun, at| !begun || now - at < LONGEST_ANSWER)
    }

    fn is_told(&self, id: &EntryId, of: &SessionId, counts: impl Fn(bool, DateTime<Utc>) -> bool) -> bool {
        self.lines.iter().any(|line| match line {
            Line::Told { entry, session, at, begun } => entry == id && session == of && counts(*begun, *at),
            _ => false,
        })
    }

    /// The changes that took something of somebody's, oldest first.
    pub fn losses(&self) -> Vec<Loss> {
        if !self.lines.iter().any(|line| matches!(line, Line::Lost { .. })) {
            return Vec::new();
        }
        let entries: HashMap<EntryId, Entry> =
            self.entries().into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        let mut losses: Vec<Loss> = Vec::new();
        let mut told: Vec<(&EntryId, &SessionId)> = Vec::new();
        for line in &self.lines {
            match line {
                Line::Lost { entry, owner, at } => {
                    let is_known = |loss: &Loss| loss.entry.id == *entry && loss.owner.session == owner.session;
                    if let Some(entry) = entries.get(entry)
                        && !losses.iter().any(is_known)
                    {
                        losses.push(Loss {
                            entry: entry.clone(),
                            owner: owner.clone(),
                            at: *at,
                            told: Vec::new(),
                            settled: None,
                        });
                    }
                }
                Line::Settled { entry, owner, how, at } => {
                    let is_meant = |loss: &&mut Loss| {
                        loss.entry.id == *entry && owner.as_ref().is_none_or(|owner| *owner == loss.owner.session)
                    };
                    for loss in losses.iter_mut().filter(is_meant) {
                        loss.settled.get_or_insert((*how, *at));
                    }
                }
                Line::Told { entry, session, begun: false, .. } => told.push((entry, session)),
                _ => {}
            }
        }
        for loss in &mut losses {
            let of_it = told.iter().filter(|(entry, _)| **entry == loss.entry.id);
            loss.told = of_it.map(|(_, session)| (*session).clone()).collect();
        }
        losses
    }
}

impl Tip {
    /// What stood there by one line.
    pub(super) fn of(line: &Line) -> Option<Self> {
        let is_another_form = false;
        match line {
            Line::Change(entry) => {
                Some(Self { state: entry.after.clone(), stamp: entry.stamp, at: entry.at, is_another_form })
            }
            Line::Seen { state, stamp, at, .. } => {
                Some(Self { state: state.clone(), stamp: *stamp, at: *at, is_another_form })
            }
            _ => None,
        }
    }

    /// What stood there after the lines of a log of which the newest change is one.
    pub(super) fn after(lines: &[Line]) -> Option<Self> {
        let newest = lines.iter().rev().find_map(|line| match line {
            Line::Change(entry) => Some((&entry.before, &entry.after)),
            _ => None,
        });
        let is_another_form = newest.is_some_and(|change| match change {
            (FileState::File { executable: before, .. }, FileState::File { executable: after, .. }) => before != after,
            (FileState::File { .. }, FileState::Link { .. }) | (FileState::Link { .. }, FileState::File { .. }) => true,
            _ => false,
        });
        Some(Self { is_another_form, ..lines.iter().rev().find_map(Self::of)? })
    }
}

impl Entry {
    pub(super) fn attribute(&mut self, author: &Author, cause: &super::Cause) {
        self.author = Some(author.clone());
        self.cause = cause.clone();
        self.candidates.clear();
    }
}
