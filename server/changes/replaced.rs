//! What a save replaced that nobody had looked at: an editor may save within milliseconds of the first keystroke, before its
//! server has seen the file at all. The editor's own text is all that is left of what stood there. And the save that somebody
//! else looked at before its editor told of it.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::{Author, Before, Cause, ContentId, Entry, FileLog, FileState, Journal, Line, Replaced};
use deconflict_protocol::Resource;
use deconflict_workspace::last_commit;

use super::line_ends::with_line_ends_of;
use super::recorder::Place;
use super::{Error, Noticed, Recorder, content_of};

/// What stood there is looked for among so many of the newest contents.
const MOST_CONTENTS: usize = 20;

/// On a busy machine so much time may pass between a save and its editor's telling of it.
const LONGEST_TELLING: TimeDelta = TimeDelta::minutes(1);

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A save, as its editor tells of it.
#[derive(Debug, Clone)]
pub struct ToldSave {
    /// The text that was saved.
    pub text: String,
    /// What it and saves before it replaced, as far as that is known.
    pub over: Vec<String>,
    /// It was not made before.
    pub began: DateTime<Utc>,
}

/// What became of a text that an editor has saved.
#[derive(Debug)]
pub enum SavedText {
    /// It stands in the file, or nobody has looked at the file before.
    Stands,
    /// Somebody else replaced it. With the save, if that was not known as its author's before.
    Gone(Option<Noticed>),
}

impl Recorder<'_> {
    /// Keeps a text that an editor has just replaced by a save, unless it is kept; it is certain if it was seen or saved there.
    /// Returns the change if nobody knew of it.
    pub fn replaced_by_save(
        &self,
        author: &Author,
        resource: &Resource,
        text: &[u8],
        is_certain: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<Noticed>, Error> {
        let log = self.journal.log(resource)?;
        let added = match self.unless_kept(resource, &log, text)? {
            Some(stood) => self.journal.add_replaced(resource, author, &Replaced { stood, is_certain }, now)?,
            None => None,
        };
        added.map(|entry| self.judge(entry, now)).transpose()
    }

    /// Keeps a text that an editor has saved, if somebody else replaced it at once.
    pub fn saved_and_gone(
        &self,
        author: &Author,
        resource: &Resource,
        save: &ToldSave,
        now: DateTime<Utc>,
    ) -> Result<SavedText, Error> {
        let text = save.text.as_bytes();
        let stands = self.namer.path_of(resource).and_then(|path| content_of(&path));
        if stands.is_none_or(|stands| is_alike(&stands, text)) {
            return Ok(SavedText::Stands);
        }
        let log = self.journal.log(resource)?;
        match self.unless_kept(resource, &log, text)? {
            Some(Before::Bytes(bytes)) => match self.journal.add_saved(resource, author, &bytes, now)? {
                Some(entry) => Ok(SavedText::Gone(Some(self.judge(entry, now)?))),
                None => Ok(SavedText::Stands),
            },
            Some(Before::Absent | Before::OtherMode(_)) => Ok(SavedText::Stands),
            // Whoever came by in between has kept it.
            None => Ok(SavedText::Gone(self.found_by_another(author, resource, save, now)?)),
        }
    }

    /// Finds the change that a save is if what it wrote stands in the file, and somebody came by long before the editor told.
    /// Returns it if it was not known as its author's.
    pub fn saved_and_found(
        &self,
        author: &Author,
        resource: &Resource,
        save: &ToldSave,
        now: DateTime<Utc>,
    ) -> Result<Option<Noticed>, Error> {
        match self.journal.newest_change(resource)? {
            // What is as new as the save is found by looking at the file, without reading the whole log.
            Some(newest) if newest.may_be_of(author, &Cause::Save) && newest.at <= save.began => {
                self.found_by_another(author, resource, save, now)
            }
            _ => Ok(None),
        }
    }

    /// The change that a save is, which somebody noticed who did not know whose it is. It is its author's from now on.
    fn found_by_another(
        &self,
        author: &Author,
        resource: &Resource,
        save: &ToldSave,
        now: DateTime<Utc>,
    ) -> Result<Option<Noticed>, Error> {
        let has = |state: &FileState, text: &str| match state.kept() {
            Some(content) => self.journal.content(content).is_ok_and(|kept| is_alike(&kept, text.as_bytes())),
            None => *state == FileState::Absent && text.is_empty(),
        };
        let is_save = |entry: &Entry| {
            // Of what is older than that, only the very step from one of the editor's texts to the other is surely the save.
            let is_in_time = || entry.at > save.began || save.over.iter().any(|over| has(&entry.before, over));
            entry.may_be_of(author, &Cause::Save) && has(&entry.after, &save.text) && is_in_time()
        };
        let entries = self.journal.log(resource)?.entries();
        let mut lately = entries.into_iter().rev().take_while(|entry| entry.at > save.began - LONGEST_TELLING);
        let Some(mut entry) = lately.find(is_save) else { return Ok(None) };
        self.journal.attribute(&entry, author, &Cause::Save)?;
        (entry.author, entry.cause) = (Some(author.clone()), Cause::Save);
        entry.candidates.clear();
        self.settle_own(&entry, now)?;
        self.judge(entry, now).map(Some)
    }

    /// A text as it stood in the file, byte for byte as far as that can be told, or that nothing stood there; `None` if the
    /// log has it, byte-order mark and line ends aside.
    fn unless_kept(&self, resource: &Resource, log: &FileLog, text: &[u8]) -> Result<Option<Before>, Error> {
        let now = self.namer.path_of(resource).and_then(|path| content_of(&path)).unwrap_or_default();
        let as_now = as_on_disk(&now, text);
        let contents = newest_contents(log);
        if Journal::name_of(&as_now).is_none_or(|name| contents.contains(&name)) || is_alike(&now, text) {
            return Ok(None);
        }
        let is_kept = |content: &ContentId| self.journal.content(*content).is_ok_and(|kept| is_alike(&kept, text));
        if contents.iter().any(is_kept) {
            return Ok(None);
        }
        let committed = match self.place_of(resource) {
            Place::InWorktree { root, path } => last_commit::contents(&root, "HEAD", &[&path])?.remove(&path),
            Place::OutsideOfGit | Place::Nowhere => None,
        };
        // Editors show an empty text where nothing stands.
        if committed.is_none() && plain(text).next().is_none() {
            return Ok(Some(Before::Absent));
        }
        let committed = committed.filter(|committed| is_alike(committed, text));
        Ok(Some(Before::Bytes(committed.map_or(as_now, |committed| as_on_disk(&now, &committed)))))
    }
}

fn newest_contents(log: &FileLog) -> HashSet<ContentId> {
    let states = log.lines().iter().rev().flat_map(|line| match line {
        Line::Change(entry) => [Some(&entry.after), Some(&entry.before)],
        Line::Seen { state, .. } => [Some(state), None],
        _ => [None, None],
    });
    states.flatten().filter_map(FileState::kept).take(MOST_CONTENTS).collect()
}

/// A text with the byte-order mark and the line ends of what stands there now.
fn as_on_disk(now: &[u8], text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = with_line_ends_of(now, text.to_vec());
    if now.starts_with(BYTE_ORDER_MARK) { [BYTE_ORDER_MARK, &text].concat() } else { text }
}

/// True for the same text, byte-order mark, kind of line ends and the end of the last line aside.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    plain(one).eq(plain(other))
}

/// A text's bytes with Unix' line ends, and without those at its end.
fn plain(text: &[u8]) -> impl Iterator<Item = u8> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let text = &text[..end];
    let is_second = |index: usize| text[index] == b'\n' && index > 0 && text[index - 1] == b'\r';
    let kept = (0..text.len()).filter(move |index| !is_second(*index));
    kept.map(|index| if text[index] == b'\r' { b'\n' } else { text[index] })
}
