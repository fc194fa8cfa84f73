//! One file's changes as the journal knows them, with the texts between them: whose each line is, and what is uncommitted.

use std::collections::HashMap;

use deconflict_journal::text::{Change, Uncommitted, Weave};
use deconflict_journal::{Author, ContentId, Entry, FileLog, FileState, Journal, Line};
use deconflict_platform::in_shares;
use deconflict_protocol::{Resource, SessionId};

use super::Error;
use super::line_ends::with_line_ends_of;

/// So many texts or fewer are not worth a thread to read them.
const FEW_TEXTS: usize = 8;

/// A file's changes, the oldest first.
#[derive(Debug)]
pub struct FileHistory {
    resource: Resource,
    entries: Vec<Entry>,
    /// Whose each entry is: who made it, or to whom it was given since.
    owners: Vec<Option<Author>>,
    /// The first entry from which on all texts are kept.
    first: usize,
    /// What stood before that entry, and what stood after it and each that follows.
    texts: Vec<Vec<u8>>,
    /// What stands there as far as is known.
    state: FileState,
    commits: Vec<SessionCommit>,
    /// What git keeps otherwise than it stood on disk, with the number of entries after which it stood so.
    kept_otherwise: HashMap<ContentId, usize>,
}

/// What one session has in a file that is not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Whose it is; `None` for what nobody is known to have changed.
    pub owner: Option<Author>,
    /// So many lines are there by it that the last commit does not have.
    pub added: usize,
    /// So many of the last commit's lines are missing by it.
    pub removed: usize,
}

/// A commit of one session's changes alone.
#[derive(Debug)]
struct SessionCommit {
    session: SessionId,
    /// Changes after this many entries are not in it.
    entries: usize,
    before: Option<ContentId>,
    after: Option<ContentId>,
}

impl FileHistory {
    /// Reads what the journal has about a file. `None` if it has nothing.
    pub fn read(journal: &Journal, resource: &Resource) -> Result<Option<Self>, Error> {
        let log = journal.log(resource)?;
        let Some(tip) = log.tip() else { return Ok(None) };
        let entries = log.entries();
        let mut first = entries.len();
        let mut states = vec![&tip.state];
        for (index, entry) in entries.iter().enumerate().rev() {
            if entry.after != *entries.get(index + 1).map_or(&tip.state, |next| &next.before) {
                break;
            }
            states.push(&entry.before);
            first = index;
        }
        let mut texts = in_shares(&states, FEW_TEXTS, |state| text_of(journal, state));
        // What came before a text that is not kept any more cannot be told apart.
        if let Some(missing) = texts.iter().position(Option::is_none) {
            let kept = missing.max(1);
            texts.truncate(kept);
            first = entries.len() - (kept - 1);
        }
        let texts = texts.into_iter().rev().map(Option::unwrap_or_default).collect();
        let (mut seen, mut commits, mut kept_otherwise) = (0, Vec::new(), HashMap::new());
        for line in log.lines() {
            match line {
                Line::Change(_) => seen += 1,
                Line::Committed { session: Some(session), before, content, .. } => commits.push(SessionCommit {
                    session: session.clone(),
                    entries: seen,
                    before: *before,
                    after: *content,
                }),
                Line::Committed { session: None, content: Some(content), .. } => {
                    kept_otherwise.insert(*content, seen);
                }
                _ => {}
            }
        }
        let owners = owners_in(&log);
        let (resource, state) = (resource.clone(), tip.state);
        Ok(Some(Self { resource, entries, owners, first, texts, state, commits, kept_otherwise }))
    }

    /// The file.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// All entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What stands there as far as is known.
    pub fn state(&self) -> &FileState {
        &self.state
    }

    /// The newest text; empty if the file is gone.
    pub fn newest(&self) -> &[u8] {
        self.texts.last().map_or(&[], Vec::as_slice)
    }

    /// The oldest text that is kept.
    pub fn oldest(&self) -> &[u8] {
        self.texts.first().map_or(&[], Vec::as_slice)
    }

    /// What git keeps of the file, as it would stand on disk, as far as that is known.
    pub fn as_it_would_stand(&self, kept: Vec<u8>) -> Vec<u8> {
        let kept = with_line_ends_of(self.newest(), kept);
        self.as_it_stood(&kept).map_or(kept, <[u8]>::to_vec)
    }

    /// How the text stood on disk of which git keeps these bytes, where these are known to be others.
    fn as_it_stood(&self, kept: &[u8]) -> Option<&[u8]> {
        if self.kept_otherwise.is_empty() {
            return None;
        }
        let entries = self.kept_otherwise.get(&Journal::name_of(kept)?)?;
        self.texts.get(entries.checked_sub(self.first)?).map(Vec::as_slice)
    }

    /// The entries that brought each line of the newest text, `None` for what stood there before the first.
    pub fn blame(&self) -> Vec<Option<&Entry>> {
        self.weave(self.texts.len()).blame().map(|change| self.entry(change)).collect()
    }

    /// How the newest text differs from what is committed.
    pub fn uncommitted<'t>(&'t self, committed: &'t [u8]) -> Uncommitted<'t> {
        let weave = self.weave(self.texts.len());
        self.by_known_commits(&weave, committed).unwrap_or_else(|| weave.uncommitted(committed))
    }

    /// How another text, such as what is staged, differs from what is committed. Its lines are those of the changes that
    /// brought them.
    pub fn uncommitted_in<'t>(&'t self, text: &'t [u8], committed: &'t [u8]) -> Uncommitted<'t> {
        // What stood there once is of those who had changed it until then, whatever became of it.
        if let Some(moment) = self.texts.iter().rposition(|known| known == text) {
            return self.weave(moment + 1).uncommitted(committed);
        }
        let mut weave = self.weave(self.texts.len());
        weave.apply(text);
        weave.uncommitted(committed)
    }

    /// True if the file was once as git keeps it here, or was gone where that is `None`, and what differs from the last commit
    /// in that is of these authors alone.
    pub fn has_only(&self, kept: Option<&[u8]>, committed: &[u8], is_meant: &dyn Fn(&Author) -> bool) -> bool {
        let Some(kept) = kept else {
            let went = self.entries.iter().rposition(|entry| entry.after == FileState::Absent);
            return went.and_then(|index| self.owner_at(index)).is_some_and(is_meant);
        };
        let stood = self.as_it_would_stand(kept.to_vec());
        let changes = || self.uncommitted_in(&stood, committed).changes();
        self.has_stood(&stood) && changes().into_iter().all(|change| self.owner_of(change).is_some_and(is_meant))
    }

    /// True if this text was in the file once.
    pub fn has_stood(&self, text: &[u8]) -> bool {
        self.texts.iter().any(|known| known == text)
    }

    /// How the text that stood before the newest entry differs from what is committed.
    pub fn uncommitted_before_newest<'t>(&'t self, committed: &'t [u8]) -> Uncommitted<'t> {
        self.weave((self.texts.len() - 1).max(1)).uncommitted(committed)
    }

    /// How the newest text differs from itself without some changes.
    pub fn reverted(&self, is_meant: impl Fn(Change) -> bool) -> Uncommitted<'_> {
        self.weave(self.texts.len()).reverted(is_meant)
    }

    /// The owners of what is uncommitted, with how much each has.
    pub fn owned(&self, uncommitted: &Uncommitted) -> Vec<Owned> {
        let mut all: Vec<Owned> = Vec::new();
        let session_of = |owner: Option<&Author>| owner.map(|author| author.session.clone());
        for (change, (added, removed)) in uncommitted.counts() {
            let owner = self.owner_of(change);
            match all.iter_mut().find(|known| session_of(known.owner.as_ref()) == session_of(owner)) {
                Some(known) => (known.added, known.removed) = (known.added + added, known.removed + removed),
                None => all.push(Owned { owner: owner.cloned(), added, removed }),
            }
        }
        all
    }

    /// The changes that can be told apart, with their entries, the oldest first.
    pub fn changes(&self) -> impl Iterator<Item = (Change, &Entry)> {
        self.entries[self.first..].iter().enumerate()
    }

    /// The entry that made a change.
    pub fn entry(&self, change: Option<Change>) -> Option<&Entry> {
        self.entries.get(self.first + change?)
    }

    /// Whose a change is: who made it, or to whom it was given since.
    pub fn owner_of(&self, change: Option<Change>) -> Option<&Author> {
        self.owners.get(self.first + change?)?.as_ref()
    }

    /// Whose the entry is that has this place among [all](Self::entries).
    pub(super) fn owner_at(&self, index: usize) -> Option<&Author> {
        self.owners.get(index)?.as_ref()
    }

    /// True if some change is one of theirs.
    pub fn has_changes_of(&self, is_meant: &dyn Fn(&Author) -> bool) -> bool {
        self.owners.iter().flatten().any(is_meant)
    }

    /// True for the changes of one session.
    pub fn is_of(&self, session: &SessionId) -> impl Fn(Option<Change>) -> bool {
        move |change| self.owner_of(change).is_some_and(|owner| owner.session == *session)
    }

    fn weave(&self, texts: usize) -> Weave<'_> {
        let mut texts = self.texts[..texts.min(self.texts.len())].iter();
        let mut weave = Weave::of(texts.next().map_or(&[], Vec::as_slice));
        for text in texts {
            weave.apply(text);
        }
        weave
    }

    /// Where the newest commits of the file were of one session's changes each, it is known exactly which changes are in
    /// them. By their text alone, equal lines of two sessions are not always told apart.
    fn by_known_commits<'t>(&'t self, weave: &Weave<'t>, committed: &'t [u8]) -> Option<Uncommitted<'t>> {
        let is_head = |content: Option<ContentId>| content == Journal::name_of(committed);
        let newest = self.commits.iter().rposition(|commit| is_head(commit.after))?;
        let mut oldest = newest;
        while oldest > 0 && self.commits[oldest - 1].after == self.commits[oldest].before {
            oldest -= 1;
        }
        let base = self.texts.iter().find(|text| Journal::name_of(text) == self.commits[oldest].before)?;
        let mut uncommitted = weave.uncommitted(base);
        for commit in &self.commits[oldest..=newest] {
            let is_in = |change: Option<Change>| {
                change.is_some_and(|change| self.first + change < commit.entries) && self.is_of(&commit.session)(change)
            };
            uncommitted = uncommitted.committed(is_in);
        }
        (uncommitted.only(|_| false) == committed).then_some(uncommitted)
    }
}

/// Whose the changes of a file are, the oldest first: who made each, or to whom it was given since.
pub fn owners_in(log: &FileLog) -> Vec<Option<Author>> {
    let mut owners: Vec<Option<Author>> = log.entries().into_iter().map(|entry| entry.author).collect();
    let mut seen = 0;
    for line in log.lines() {
        match line {
            Line::Change(_) => seen += 1,
            Line::Given { from, to, .. } => {
                for owner in owners[..seen].iter_mut().flatten().filter(|owner| owner.session == *from) {
                    *owner = to.clone();
                }
            }
            _ => {}
        }
    }
    owners
}

/// The text of a state; `None` where it is not kept any more.
fn text_of(journal: &Journal, state: &FileState) -> Option<Vec<u8>> {
    match state {
        // What may not be read any more, or is no file, has nothing of what stood there.
        FileState::Absent | FileState::NotKept { content: None, .. } => Some(Vec::new()),
        state => journal.content(state.kept()?).ok(),
    }
}
