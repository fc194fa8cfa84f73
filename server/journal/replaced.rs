//! What stood in a file only for a moment, between two looks at it, and is known from the editor that read or saved it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deconflict_protocol::Resource;
use deconflict_workspace::Lock;

use super::entry::{Author, Cause, Entry, EntryId, FileState, Line};
use super::error::Error;
use super::text::counts;
use super::{Before, Journal, Stamp};

/// Whoever removes contents holds the lock for a moment; one who was stopped meanwhile is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// A text that stood in a file until its author saved another one.
#[derive(Debug, Clone)]
pub struct Replaced {
    /// What stood there.
    pub stood: Before,
    /// It was seen there, or saved there. Else it is only what the editor opened, which may have been unsaved.
    pub is_certain: bool,
}

impl Journal {
    /// Adds a text that stood in a file and that no line of the file's log has, because its author saved another one before
    /// anybody looked. Returns the change that the save was, if that was not known to be one.
    pub fn add_replaced(
        &self,
        resource: &Resource,
        author: &Author,
        replaced: &Replaced,
        at: DateTime<Utc>,
    ) -> Result<Option<Entry>, Error> {
        // Contents are not removed while one of them gets its first line.
        let _sweeping = self.contents_lock(Lock::Shared, PATIENCE)?;
        let (text_stood, content) = match &replaced.stood {
            Before::Absent => (&[][..], None),
            Before::Bytes(bytes) | Before::OtherMode(bytes) => (&bytes[..], Some(self.keep(bytes)?)),
        };
        let mut log = self.logs.open(resource)?;
        let Some(tip) = log.end.tip() else { return Ok(None) };
        let FileState::File { content: now, executable, .. } = &tip.state else { return Ok(None) };
        let stood = content.map_or(FileState::Absent, |content| FileState::File {
            content,
            executable: *executable,
            length: text_stood.len() as u64,
        });
        let text_now = self.content(*now)?;
        let change = |before, after, stamp| save(resource, author, before, after, stamp, at);
        let (stood, now) = ((&stood, text_stood), (&tip.state, &text_now[..]));
        let save = change(stood, now, tip.stamp)?;
        if log.end.newest_change().is_none() {
            log.append(&[Line::Change(save.clone())])?;
            return Ok(Some(save));
        }
        if replaced.is_certain && content.is_some() {
            // In which order they stood there is not known to whoever looked last; all of it is the author's.
            let earlier = change(now, stood, None)?;
            let judged = [&earlier, &save].map(|entry| Line::Judged { entry: entry.id.clone(), at });
            let [earlier, save] = [earlier, save].map(Line::Change);
            log.append(&[earlier, save])?;
            log.append(&judged)?;
        }
        Ok(None)
    }

    /// Adds a text that an author saved and that somebody else replaced before anybody looked. Returns the save; `None` if it
    /// is not known what stood there before.
    pub fn add_saved(
        &self,
        resource: &Resource,
        author: &Author,
        text: &[u8],
        at: DateTime<Utc>,
    ) -> Result<Option<Entry>, Error> {
        // Contents are not removed while one of them gets its first line.
        let _sweeping = self.contents_lock(Lock::Shared, PATIENCE)?;
        let content = self.keep(text)?;
        let mut log = self.logs.open(resource)?;
        let Some(tip) = log.end.tip() else { return Ok(None) };
        let (text_before, executable) = match &tip.state {
            FileState::File { content, executable, .. } => (self.content(*content)?, *executable),
            _ => (Vec::new(), false),
        };
        let saved = FileState::File { content, executable, length: text.len() as u64 };
        let save = save(resource, author, (&tip.state, &text_before), (&saved, text), None, at)?;
        log.append(&[Line::Change(save.clone())])?;
        Ok(Some(save))
    }
}

/// A change by a save.
fn save(
    resource: &Resource,
    author: &Author,
    (before, text_before): (&FileState, &[u8]),
    (after, text_after): (&FileState, &[u8]),
    stamp: Option<Stamp>,
    at: DateTime<Utc>,
) -> Result<Entry, Error> {
    let (added, removed) = counts(text_before, text_after);
    Ok(Entry {
        id: EntryId::random()?,
        at,
        resource: resource.clone(),
        cause: Cause::Save,
        author: Some(author.clone()),
        candidates: Vec::new(),
        before: before.clone(),
        after: after.clone(),
        stamp,
        added: u32::try_from(added).unwrap_or(u32::MAX),
        removed: u32::try_from(removed).unwrap_or(u32::MAX),
    })
}
