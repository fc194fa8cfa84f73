//! What a session reads and writes the journal with, and what it finds there of its own.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::job::OwnLoss;
use deconflict_changes::{
    Error, FileHistory, Lost, Noticed, Reader, Recorder, Telling, author_of, is_same_person, loss_document, sentence,
};
use deconflict_journal::{Author, EditorSettings, Entry, FileState, Journal, Loss};
use deconflict_platform::state_directory;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Registry, View};
use deconflict_workspace::{Ignored, Location, Namer, Repository, WrittenFiles, WrittenFilesWatch, last_commit};

/// So many of the commits at which the worktree stood lately are looked into.
const MOST_HEADS: usize = 20;

/// At most so many losses are listed, and files kept at once.
const MOST_FILES: usize = 100;

/// The journal of a directory, as one session uses it.
pub(super) struct JournalAccess {
    pub(super) journal: Journal,
    pub(super) namer: Namer,
    pub(super) registry: Registry,
    pub(super) session: SessionId,
    ignored: Ignored,
    directory: PathBuf,
    repository: Option<Repository>,
    view: View,
    has_failed: Cell<bool>,
    known_author: RefCell<Option<Author>>,
}

impl JournalAccess {
    /// `None` where there is no place for a journal.
    pub(super) fn of(location: &Location, registry: Registry, session: SessionId, view: View) -> Option<Self> {
        let journal = Journal::of(&location.directory, state_directory().as_deref())?;
        let (namer, ignored, repository) = (Namer::new(location), Ignored::new(), location.repository.clone());
        Some(Self {
            journal,
            namer,
            registry,
            session,
            ignored,
            directory: location.directory.clone(),
            repository,
            view,
            has_failed: Cell::new(false),
            known_author: RefCell::default(),
        })
    }

    /// What changes are noticed with.
    pub(super) fn recorder(&self) -> Recorder<'_> {
        Recorder { journal: &self.journal, namer: &self.namer, ignored: &self.ignored, registry: Some(&self.registry) }
    }

    /// Dropping what is old from the journal, for a thread of its own.
    pub(super) fn upkeep(&self) -> impl FnOnce(DateTime<Utc>) -> Result<(), Error> + Send + 'static {
        let (journal, namer, registry) = (self.journal.clone(), self.namer.clone(), self.registry.clone());
        move |now| {
            let ignored = Ignored::new();
            let registry = Some(&registry);
            Recorder { journal: &journal, namer: &namer, ignored: &ignored, registry }.maintain_when_due(now)
        }
    }

    /// Begins to keep a list of what is written in the worktree, for agents' hooks.
    pub(super) fn watch_written_files(&self) -> Option<WrittenFilesWatch> {
        let repository = self.repository.clone()?;
        let files = WrittenFiles::of(&self.directory, &repository)?;
        // Without a thread to spare, hooks look at everything.
        WrittenFilesWatch::start(files, repository).ok()
    }

    /// True if git ignores a file or it is no work at all.
    pub(super) fn is_ignored(&self, resource: &Resource) -> bool {
        let path = self.namer.path_of(resource);
        self.namer.is_internal(resource) || path.is_none_or(|path| self.ignored.is_ignored(&path))
    }

    /// Whose this session's changes are; `None` before it is registered.
    pub(super) fn author(&self) -> Option<Author> {
        let session = self.registry.session(&self.session).ok().flatten();
        if let Some(session) = session {
            self.known_author.replace(Some(author_of(&session)));
        }
        // Where the directory was deleted it is still whom it was.
        self.known_author.borrow().clone()
    }

    /// Whom the editor belongs to, if that is known.
    pub(super) fn person(&self) -> Option<String> {
        self.author().and_then(|me| me.person)
    }

    /// What came of something in the journal. That it failed is said once, and hinders nobody.
    pub(super) fn succeeded<T, E: Into<Error>>(&self, result: Result<T, E>) -> Option<T> {
        let failed = |error: E| {
            if !self.has_failed.replace(true) {
                tracing::warn!("the journal cannot be kept: {}", error.into());
            }
        };
        result.map_err(failed).ok()
    }

    /// Keeps what was changed of what anybody holds by hand, and nobody has looked at.
    pub(super) fn keep_held(&self, now: DateTime<Utc>) -> Result<(), Error> {
        self.repository.as_ref().map_or(Ok(()), |repository| self.recorder().keep_held(repository, now))
    }

    /// What this session's editor wanted of the journal counts no more.
    pub(super) fn forget_settings(&self) {
        self.succeeded(self.journal.note_editor(&self.session, &EditorSettings::default()));
    }

    /// True for what this session has lost, or an earlier one of the same person in an editor.
    fn is_own(&self, owner: &Author, me: &Author) -> bool {
        let is_over = || self.view.session(&owner.session).is_none_or(|session| !session.is_live());
        owner.session == self.session || (owner.agent.is_none() && is_same_person(owner, me) && is_over())
    }

    /// What this session has lost in a file and is not settled. Those that nobody was told of count as told from now on.
    pub(super) fn own_losses(
        &self,
        resource: &Resource,
        noticed: Option<&Noticed>,
        now: DateTime<Utc>,
    ) -> Vec<OwnLoss> {
        let Some(me) = self.author() else { return Vec::new() };
        let Some(log) = self.succeeded(self.journal.log(resource)) else { return Vec::new() };
        let mut own: Vec<OwnLoss> = Vec::new();
        for loss in log.losses().into_iter().filter(|loss| loss.settled.is_none() && self.is_own(&loss.owner, &me)) {
            let is_new = noticed.is_some_and(|noticed| noticed.entry.id == loss.entry.id);
            let known = noticed.filter(|_| is_new).and_then(|noticed| lost_by(noticed, &loss.owner)).cloned();
            let lost = known.unwrap_or_else(|| self.lost_before(resource, &loss.owner));
            let is_told = loss.told.contains(&loss.owner.session)
                || self.succeeded(self.journal.told(&loss.entry, &loss.owner.session, now)) == Some(false);
            let told = |reader| sentence(&loss.entry, resource, Some(&lost), reader, now);
            let is_repeated = !lost.is_work() && own.iter().any(|other| is_same_author(&other.entry, &loss.entry));
            own.push(OwnLoss {
                path: self.namer.path_of(resource),
                sentence: told(Reader::person(me.person.as_deref())),
                notice: told(Reader::in_editor(me.person.as_deref())),
                is_told: is_told || is_repeated,
                takes_nothing: (is_new || !is_told) && self.takes_nothing(&loss.entry, &lost, &me),
                owner: loss.owner.session,
                entry: loss.entry,
            });
        }
        own
    }

    /// What anybody has lost and is not settled, as findings of the status, the newest first.
    pub(super) fn unsettled(&self, now: DateTime<Utc>) -> Vec<Value> {
        let losses = self.succeeded(self.journal.losses()).unwrap_or_default();
        let person = self.person();
        let message =
            |loss: &Loss| sentence(&loss.entry, &loss.entry.resource, None, Reader::in_editor(person.as_deref()), now);
        losses.iter().take(MOST_FILES).map(|loss| loss_document(loss, &message(loss))).collect()
    }

    /// The files below a folder that anybody holds, at most so many.
    pub(super) fn held_below(&self, folder: &Path) -> Vec<Resource> {
        let held = self.view.claims().filter(Claim::is_active).map(|claim| claim.resource);
        let is_below = |resource: &Resource| {
            resource.is_file() && self.namer.path_of(resource).is_some_and(|path| path.starts_with(folder))
        };
        held.filter(is_below).take(MOST_FILES).collect()
    }

    /// What is told of a loss that was found earlier.
    fn lost_before(&self, resource: &Resource, owner: &Author) -> Lost {
        let claims = self.registry.claims_on(resource).unwrap_or_default();
        let held = claims.iter().any(|claim| claim.is_active() && claim.held_by(&owner.session));
        Lost { owner: owner.clone(), held, lines: usize::from(!held), form: false }
    }

    /// Tells the others what they lost by a change. Returns those who had not been told of as much by the same author.
    pub(super) fn tell_others(&self, noticed: &Noticed, now: DateTime<Utc>) -> Vec<Lost> {
        let resource = &noticed.entry.resource;
        let losses = self.succeeded(self.journal.log(resource)).map(|log| log.losses()).unwrap_or_default();
        let mut fresh = noticed.clone();
        fresh.lost.retain(|lost| {
            let was_told = losses.iter().any(|loss| {
                loss.entry.id != noticed.entry.id
                    && loss.owner.session == lost.owner.session
                    && loss.settled.is_none()
                    && is_same_author(&loss.entry, &noticed.entry)
            });
            if was_told && !lost.is_work() {
                self.succeeded(self.journal.told(&noticed.entry, &lost.owner.session, now));
                return false;
            }
            true
        });
        self.succeeded(Telling { recorder: self.recorder(), by: Some(&self.session) }.tell(&fresh, now));
        fresh.lost.retain(|lost| lost.owner.session != self.session);
        fresh.lost
    }

    /// True for a change by nobody known that is the person's own and takes nothing away: git went from one commit to
    /// another, the session's own text came back, or the person put it into git's stash.
    fn takes_nothing(&self, entry: &Entry, lost: &Lost, me: &Author) -> bool {
        if entry.author.is_some() {
            return false;
        }
        let recorder = self.recorder();
        let Ok(Some(history)) = FileHistory::read(&self.journal, &entry.resource) else { return false };
        let has = |commit: &str, state: &FileState| {
            let content = recorder.committed(&history, commit).ok().flatten();
            content.is_some_and(|content| Journal::name_of(&content).is_some_and(|id| state.kept() == Some(id)))
        };
        let is_stashed = || {
            let is_own =
                || self.is_alone(me) || self.succeeded(recorder.has_stashed(me, &entry.resource)) == Some(true);
            self.succeeded(recorder.is_in_stash(entry)) == Some(true) && is_own()
        };
        if lost.lines > 0 {
            return is_stashed();
        }
        let mut before = history.entries().iter().rev().skip(1);
        let comes_back = before.any(|before| before.after == entry.after && is_by(before, &self.session));
        let heads = || {
            let root = recorder.root_of(&entry.resource)?;
            last_commit::heads_since(&root, entry.at - chrono::TimeDelta::days(1), MOST_HEADS).ok()
        };
        let is_of_a_head = || heads().is_some_and(|heads| heads.iter().any(|head| has(head, &entry.before)));
        comes_back || (has("HEAD", &entry.after) && is_of_a_head()) || is_stashed()
    }

    /// True if nobody but this person works here. Where the directory was deleted nobody can tell.
    fn is_alone(&self, me: &Author) -> bool {
        let mut others = self.view.sessions().filter(|session| session.is_live() && session.id != self.session);
        self.registry.path().is_dir() && others.all(|session| is_same_person(&author_of(&session), me))
    }
}

fn lost_by<'a>(noticed: &'a Noticed, owner: &Author) -> Option<&'a Lost> {
    noticed.lost.iter().find(|lost| lost.owner.session == owner.session)
}

fn is_by(entry: &Entry, session: &SessionId) -> bool {
    entry.author.as_ref().is_some_and(|author| author.session == *session)
}

fn is_same_author(one: &Entry, other: &Entry) -> bool {
    let session = |entry: &Entry| entry.author.as_ref().map(|author| author.session.clone());
    one.id != other.id && session(one) == session(other)
}
