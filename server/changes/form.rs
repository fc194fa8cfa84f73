//! What a file is, apart from what is in it: that it is there, whether it may be run, whether it is a link. A change of that
//! has an owner too, though no line is another one by it.

use std::collections::HashMap;

use deconflict_journal::{Author, Entry, FileState};
use deconflict_protocol::Resource;
use deconflict_workspace::last_commit;

use super::history::{FileHistory, Owned};
use super::recorder::{Place, by_root};
use super::{Error, Recorder};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Absent,
    File { executable: bool },
    Link,
    Other,
}

impl Form {
    fn of(state: &FileState) -> Self {
        match state {
            FileState::Absent => Self::Absent,
            FileState::File { executable, .. } => Self::File { executable: *executable },
            FileState::Link { .. } => Self::Link,
            FileState::NotKept { .. } => Self::Other,
        }
    }

    /// As git says it in a commit.
    fn of_mode(mode: Option<&String>) -> Self {
        match mode.map(String::as_str) {
            None => Self::Absent,
            Some("100644") => Self::File { executable: false },
            Some("100755") => Self::File { executable: true },
            Some("120000") => Self::Link,
            Some(_) => Self::Other,
        }
    }

    fn is_made_by(entry: &Entry) -> Option<Self> {
        let (before, after) = (Self::of(&entry.before), Self::of(&entry.after));
        (before != after).then_some(after)
    }
}

impl Recorder<'_> {
    /// Whose uncommitted change of what a file is was taken away by its newest change. `commits` finds those in which it may
    /// have been committed.
    pub(super) fn form_taken(
        &self,
        history: &FileHistory,
        commits: impl FnOnce() -> Result<Vec<String>, Error>,
    ) -> Result<Option<Author>, Error> {
        let Some((newest, earlier)) = history.entries().split_last() else { return Ok(None) };
        if Form::is_made_by(newest).is_none() {
            return Ok(None);
        }
        let Some((owner, form)) = maker(history, earlier.len()) else { return Ok(None) };
        for commit in commits()? {
            if self.committed_forms(&[history], &commit)?.first() == Some(&form) {
                return Ok(None);
            }
        }
        Ok(Some(owner.clone()))
    }

    /// Adds to those who have lines in files that are not committed whoever made each of the files what it is, without that
    /// being committed.
    pub(super) fn add_makers(&self, files: &mut [(FileHistory, Vec<Owned>)]) -> Result<(), Error> {
        let has_lines = |owned: &[Owned], maker: &Author| {
            owned.iter().filter_map(|owned| owned.owner.as_ref()).any(|owner| owner.session == maker.session)
        };
        let mut makers = Vec::new();
        for (index, (history, owned)) in files.iter().enumerate() {
            let maker = maker(history, history.entries().len()).filter(|(maker, _)| !has_lines(owned, maker));
            makers.extend(maker.map(|(maker, form)| (index, maker.clone(), form)));
        }
        let asked: Vec<&FileHistory> = makers.iter().map(|(index, ..)| &files[*index].0).collect();
        let committed = self.committed_forms(&asked, "HEAD")?;
        for ((index, maker, _), _) in makers.into_iter().zip(committed).filter(|((.., form), is)| form != is) {
            files[index].1.push(Owned { owner: Some(maker), added: 0, removed: 0 });
        }
        Ok(())
    }

    /// True if the last commit has a file as such a one.
    pub(super) fn has_committed_form(&self, resource: &Resource, state: &FileState) -> Result<bool, Error> {
        let Place::InWorktree { root, path } = self.place_of(resource) else { return Ok(false) };
        Ok(Form::of_mode(last_commit::modes(&root, "HEAD", &[&path])?.get(&path)) == Form::of(state))
    }

    fn committed_forms(&self, files: &[&FileHistory], commit: &str) -> Result<Vec<Form>, Error> {
        let mut modes: HashMap<_, HashMap<String, String>> = HashMap::new();
        let places: Vec<Place> = files.iter().map(|history| self.place_of(history.resource())).collect();
        for (root, paths) in by_root(&places) {
            modes.insert(root, last_commit::modes(root, commit, &paths)?);
        }
        let form = |(history, place): (&&FileHistory, &Place)| match place {
            Place::InWorktree { root, path } => Form::of_mode(modes.get(root.as_path()).and_then(|it| it.get(path))),
            // As when it was first seen.
            Place::OutsideOfGit | Place::Nowhere => {
                history.entries().first().map_or(Form::Other, |first| Form::of(&first.before))
            }
        };
        Ok(files.iter().zip(&places).map(form).collect())
    }
}

/// Who made a file what it was after so many changes, and what that is.
fn maker(history: &FileHistory, changes: usize) -> Option<(&Author, Form)> {
    let made = history.entries()[..changes].iter().enumerate().rev();
    let (index, form) = made.into_iter().find_map(|(index, entry)| Some((index, Form::is_made_by(entry)?)))?;
    Some((history.owner_at(index)?, form))
}
