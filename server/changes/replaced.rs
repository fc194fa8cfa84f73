//! What a save replaced that nobody had looked at: an editor may save within milliseconds of the first keystroke, before its
//! server has seen the file at all. The editor's own text is all that is left of what stood there.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deconflict_journal::{Author, Before, ContentId, FileLog, FileState, Journal, Line, Replaced};
use deconflict_protocol::Resource;
use deconflict_workspace::last_commit;

use super::line_ends::with_line_ends_of;
use super::recorder::Place;
use super::{Error, Noticed, Recorder, content_of};

/// What stood there is looked for among so many of the newest contents.
const MOST_CONTENTS: usize = 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What became of a text that an editor has saved.
#[derive(Debug)]
pub enum SavedText {
    /// It stands in the file, or nobody has looked at the file before.
    Stands,
    /// Somebody else replaced it. With the save, if that was not kept before.
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
        text: &[u8],
        now: DateTime<Utc>,
    ) -> Result<SavedText, Error> {
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
            None => Ok(SavedText::Gone(None)),
        }
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
