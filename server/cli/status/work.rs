//! What the journal adds to the picture: what was lost and is not settled, and what lies uncommitted and whose it is.

use chrono::{DateTime, Utc};
use deconflict_changes::{
    Owned, Reader, UncommittedFile, UncommittedFiles, author_of, is_same_person, loss_document, named_for, sentence,
};
use deconflict_journal::{Author, Loss};
use deconflict_protocol::text::{one_line, quoted};
use deconflict_registry::{Overview, Session};
use deconflict_words::documents;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::recording::Recording;
use crate::cli::style::{FAINT, NAME, WARNING};
use crate::cli::table::{Cell, Column, table};

/// What stands before each line of a section.
pub(super) const INDENT: &str = "  ";

/// So many files with uncommitted changes are looked into.
const MOST_FILES: usize = 50;

/// What the journal tells.
#[derive(Default)]
pub(super) struct Work {
    /// The newest first, with the paths by which commands name their files here.
    losses: Vec<(Loss, String)>,
    /// The person who reads of them.
    reader: Option<String>,
    uncommitted: UncommittedFiles,
}

impl Work {
    /// Everything. A journal that cannot be read keeps nobody from seeing the rest.
    pub(super) fn look(context: &Context) -> Self {
        let Ok(recording) = context.recording() else { return Self::default() };
        let uncommitted = recording.recorder().uncommitted_files(MOST_FILES, context.now()).unwrap_or_default();
        Self::read_by(context, losses_in(&recording, context.now()).unwrap_or_default(), uncommitted)
    }

    /// Only what was lost.
    pub(super) fn look_for_losses(context: &Context) -> Self {
        let losses = context.recording().and_then(|recording| losses_in(&recording, context.now()));
        Self::read_by(context, losses.unwrap_or_default(), UncommittedFiles::default())
    }

    fn read_by(context: &Context, losses: Vec<(Loss, String)>, uncommitted: UncommittedFiles) -> Self {
        // Git is asked for it, so only where there is something to tell.
        let has_authors = !losses.is_empty() || !uncommitted.files.is_empty();
        let reader = if has_authors { context.person_who_looks() } else { None };
        Self { losses, reader, uncommitted }
    }

    /// How many losses are the caller's: the session's, and where it is no agent those of its person.
    pub(super) fn losses_of(&self, own: &Session) -> usize {
        let me = author_of(own);
        let is_own = |owner: &Author| owner.session == own.id || (own.agent().is_none() && is_same_person(owner, &me));
        self.losses.iter().filter(|(loss, _)| is_own(&loss.owner)).count()
    }

    /// What needs coordinating by it.
    pub(super) fn findings(&self, now: DateTime<Utc>) -> impl Iterator<Item = Value> {
        self.losses.iter().map(move |(loss, path)| loss_document(loss, &self.in_a_sentence(loss, path, now)))
    }

    /// The same in sentences.
    pub(super) fn sentences(&self, now: DateTime<Utc>) -> impl Iterator<Item = String> {
        self.losses.iter().map(move |(loss, path)| self.in_a_sentence(loss, path, now))
    }

    /// What was lost, and how it can be had back.
    fn in_a_sentence(&self, loss: &Loss, path: &str, now: DateTime<Utc>) -> String {
        let entry = &loss.entry;
        let owner = self.called(&loss.owner);
        format!(
            "{} What {owner} had there: deconflict restore {path} --at {}. To keep it as it is: deconflict restore --keep {path}",
            sentence(entry, &entry.resource, None, Reader::person(self.reader.as_deref()), now),
            entry.id
        )
    }

    /// What an author is called to whoever reads it.
    fn called(&self, author: &Author) -> String {
        if author.agent.is_none() && self.reader.is_some() && self.reader == author.person {
            return "you".to_owned();
        }
        named_for(author, self.reader.as_deref())
    }

    /// What lies uncommitted, for programs.
    pub(super) fn uncommitted(&self) -> Vec<Value> {
        let owner = |owned: &Owned| {
            let mut document = owned.owner.as_ref().map_or(Value::Null, named);
            (document["added"], document["removed"]) = (owned.added.into(), owned.removed.into());
            document
        };
        let file = |file: &UncommittedFile| {
            let mut document = documents::resource(file.history.resource());
            document["owners"] = file.owned.iter().map(owner).collect();
            document
        };
        self.uncommitted.files.iter().map(file).collect()
    }

    /// How many more files were not looked into.
    pub(super) fn not_looked_into(&self) -> usize {
        self.uncommitted.more
    }

    /// The same in lines.
    pub(super) fn uncommitted_lines(&self, overview: &Overview, own: Option<&Session>, width: usize) -> Vec<String> {
        const COLUMNS: [Column; 4] =
            [Column::WHOLE.least(24).keep_end(), Column::WHOLE.least(12), Column::WHOLE.rank(2), Column::WHOLE.rank(1)];
        let is_alive = |author: &Author| {
            let session = overview.sessions.iter().find(|session| session.id == author.session);
            session.is_some_and(|session| overview.is_alive(session))
        };
        let mut rows = Vec::new();
        for file in &self.uncommitted.files {
            for owned in &file.owned {
                let Some(owner) = &owned.owner else { continue };
                let is_own = own.is_some_and(|own| own.id == owner.session);
                rows.push(vec![
                    Cell::new(quoted(&file.history.resource().display_name(), 200), NAME),
                    Cell::plain(if is_own { "you".to_owned() } else { self.called(owner) }),
                    if is_alive(owner) { Cell::plain("") } else { Cell::new("ended", WARNING) },
                    Cell::new(format!("+{} −{}", owned.added, owned.removed), FAINT),
                ]);
            }
        }
        table(&rows, &COLUMNS, INDENT, width)
    }
}

fn named(author: &Author) -> Value {
    json!({"session_id": author.session.as_str(), "label": one_line(&author.label, 120)})
}

fn losses_in(recording: &Recording, now: DateTime<Utc>) -> Result<Vec<(Loss, String)>, Failure> {
    let with_path = |loss: Loss| {
        let path = recording.path_from_here(&loss.entry.resource);
        (loss, path)
    };
    // What cannot be found out there stays to be told.
    let _ = recording.recorder().settle_what_git_has(now);
    Ok(recording.journal.losses()?.into_iter().map(with_path).collect())
}
