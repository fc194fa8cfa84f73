//! Noticing changes: what stands in a file goes into the journal, and whoever lost something by a change is found.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_journal::text::Uncommitted;
use deconflict_journal::{Author, Cause, Entry, FileLog, FileState, Journal, Observation, Settlement, Stamp};
use deconflict_protocol::Resource;
use deconflict_registry::{Registry, Session};
use deconflict_workspace::{Ignored, Namer, Repository, last_commit, link_above};

use super::Error;
use super::history::{FileHistory, Owned};
use super::people::{author_of, has_person_of};

/// A change of which nobody knows whose it is may still find its author for so long: an editor's save and an agent's edit
/// are told of right after they happened.
pub const GRACE: TimeDelta = TimeDelta::milliseconds(700);

/// Whose a change is of what an editor's session holds is for its own server to say, for so much longer: it knows first what
/// was saved, and may be busy.
pub const HOLDERS_TURN: TimeDelta = TimeDelta::seconds(3);

/// Git's clock may be another one, by so much.
const CLOCKS: TimeDelta = TimeDelta::minutes(10);

/// So many of the commits at which the worktree stood lately are looked into for what is missing now.
const MOST_HEADS: usize = 20;

/// Notices changes on behalf of one session, or of nobody in particular.
#[derive(Debug, Clone, Copy)]
pub struct Recorder<'a> {
    /// Where contents and entries are kept.
    pub journal: &'a Journal,
    /// What files are called.
    pub namer: &'a Namer,
    /// What git ignores.
    pub ignored: &'a Ignored,
    /// Who holds what; `None` while nobody coordinates.
    pub registry: Option<&'a Registry>,
}

/// A change, and who lost something by it.
#[derive(Debug, Clone)]
pub struct Noticed {
    /// The change.
    pub entry: Entry,
    /// Who lost something; empty for an ordinary change.
    pub lost: Vec<Lost>,
}

/// What somebody lost by a change of another one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Who lost it.
    pub owner: Author,
    /// True if they held the file at that moment.
    pub held: bool,
    /// So many of their uncommitted lines are neither in the file nor committed any more.
    pub lines: usize,
    /// By a change of theirs that was not committed it was there, or gone, or might be run, or was a link.
    pub form: bool,
}

impl Lost {
    /// True if uncommitted changes of theirs are gone; else they only hold the file.
    pub fn is_work(&self) -> bool {
        self.lines > 0 || self.form
    }
}

impl Recorder<'_> {
    /// Looks at a file, knowing nothing of how it came to be so. What changed meanwhile is nobody's until its author says
    /// so; who lost by it is found by [`Recorder::settle_unknown`].
    pub fn look(&self, resource: &Resource, now: DateTime<Utc>) -> Result<Option<Entry>, Error> {
        self.observe(resource, Observation::look(now))
    }

    /// Looks at a file that an author has changed since a time, and finds who lost by it.
    pub fn changed_by(
        &self,
        author: &Author,
        cause: Cause,
        resource: &Resource,
        began: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<Noticed>, Error> {
        self.changed(resource, Observation::by(author.clone(), cause, began, now))
    }

    /// Looks at a file with all that is known of its change, and finds who lost by it if its author is known.
    pub fn changed(&self, resource: &Resource, observation: Observation) -> Result<Option<Noticed>, Error> {
        let now = observation.at;
        let entry = self.observe(resource, observation)?;
        if let Some(entry) = &entry {
            self.settle_by_going_on(entry, now)?;
            if entry.at < now {
                self.settle_own(entry, now)?;
            }
        }
        // Another command of the same session, that ran at the same time, may have found it.
        let is_judged =
            |entry: &Entry| Ok::<_, Error>(entry.at < now && self.journal.log(&entry.resource)?.is_judged(&entry.id));
        match entry {
            Some(entry) if entry.author.is_some() && !is_judged(&entry)? => self.judge(entry, now).map(Some),
            entry => Ok(entry.map(|entry| Noticed { entry, lost: Vec::new() })),
        }
    }

    /// An agent that edits a file in which it has lost something, and was told of that, goes on from there.
    fn settle_by_going_on(&self, entry: &Entry, now: DateTime<Utc>) -> Result<(), Error> {
        let is_edit = entry.cause == Cause::Edit;
        let Some(agent) = entry.author.as_ref().filter(|author| is_edit && author.agent.is_some()) else {
            return Ok(());
        };
        for loss in self.journal.losses()?.into_iter().filter(|loss| loss.entry.resource == entry.resource) {
            let is_own = loss.owner.session == agent.session && loss.told.contains(&agent.session);
            if is_own && loss.entry.id != entry.id {
                self.journal.settle(&loss.entry, Some(&agent.session), Settlement::Acknowledged, now)?;
            }
        }
        Ok(())
    }

    /// What turns out to be one's own change is no loss, though somebody took it for one before its author told.
    pub(super) fn settle_own(&self, entry: &Entry, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(author) = &entry.author else { return Ok(()) };
        for loss in self.journal.log(&entry.resource)?.losses() {
            let is_own = loss.entry.id == entry.id && loss.owner.session == author.session;
            if is_own && loss.settled.is_none() {
                self.journal.settle(&loss.entry, Some(&author.session), Settlement::Acknowledged, now)?;
            }
        }
        Ok(())
    }

    /// Finds who lost by the newest change of a file if nobody has said whose it is in time, or nobody is there who would.
    /// A change is judged once.
    pub fn settle_unknown(&self, resource: &Resource, now: DateTime<Utc>) -> Result<Option<Noticed>, Error> {
        let newest = || {
            let log = self.journal.log(resource)?;
            Ok::<_, Error>(log.entries().pop().filter(|entry| entry.author.is_none() && !log.is_judged(&entry.id)))
        };
        let mut unknown = newest()?;
        // What only stood there for a moment is not worth a word.
        if let Some(entry) = &unknown
            && self.differs(resource, entry.stamp)
            && self.look(resource, now)?.is_some()
        {
            unknown = newest()?;
        }
        match unknown {
            Some(entry) if now - self.happened_at(&entry) >= GRACE || !self.may_be_claimed()? => {
                self.judge(entry, now).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The registry, unless its directory was deleted: then nobody holds anything, but what was lost is lost.
    pub(super) fn present_registry(&self) -> Option<&Registry> {
        self.registry.filter(|registry| registry.path().is_dir())
    }

    /// True if somebody lives here who tells of their changes.
    fn may_be_claimed(&self) -> Result<bool, Error> {
        let live = self.present_registry().map(Registry::live_sessions).transpose()?.unwrap_or_default();
        Ok(live.iter().any(tells_of_changes))
    }

    /// When a change was made, at the latest. It may have been noticed long after that.
    fn happened_at(&self, entry: &Entry) -> DateTime<Utc> {
        // What is gone left its time with the folder that it was in.
        let folder = || {
            let path = self.namer.path_of(&entry.resource)?;
            path.parent().and_then(Stamp::of)
        };
        let stamp = if entry.after == FileState::Absent { folder() } else { entry.stamp };
        stamp.map_or(entry.at, |stamp| stamp.changed_at().min(entry.at))
    }

    pub(super) fn observe(&self, resource: &Resource, observation: Observation) -> Result<Option<Entry>, Error> {
        let path = match self.namer.path_of(resource) {
            // What a link leads to has another name.
            Some(path) if link_above(resource, &path).is_some() => PathBuf::new(),
            Some(path) => path,
            // In a worktree that is gone nothing stands anywhere.
            None if resource.worktree().is_some() => PathBuf::new(),
            None => return Ok(None),
        };
        let is_there = path != PathBuf::new();
        let ignored = self.namer.is_internal(resource) || (is_there && self.ignored.is_ignored(&path));
        let now = observation.at;
        let entry = self.journal.observe(resource, &path, &Observation { ignored, ..observation })?;
        if let Some(entry) = &entry {
            self.settle_what_is_back(entry, now)?;
        }
        Ok(entry)
    }

    /// Finds who lost by a change, and remembers it until it is settled.
    pub(super) fn judge(&self, entry: Entry, now: DateTime<Utc>) -> Result<Noticed, Error> {
        let holders = self.holders(&entry)?;
        // What only one session ever did there took nothing from anybody. Of a busy day the lines are many.
        if let Some(author) = entry.author.as_ref().filter(|_| holders.is_empty())
            && self.journal.are_of(&[&entry.resource], &[&author.session])? == [true]
        {
            self.journal.judged(&entry, now)?;
            return Ok(Noticed { entry, lost: Vec::new() });
        }
        let log = self.journal.log(&entry.resource)?;
        let entries = log.entries();
        let mut lost = self.taken(&entry, &entries)?;
        for session in holders {
            let holder = author_of(&session);
            if tells_of_changes(&session) && is_back(&entry, &entries, &log, &holder) {
                continue;
            }
            if entry.author.is_none() && !tells_of_changes(&session) && self.leaves_something(&entry)? {
                // Probably it is their own.
                continue;
            }
            match lost.iter_mut().find(|lost| lost.owner.session == holder.session) {
                Some(lost) => lost.held = true,
                None => lost.push(Lost { owner: holder, held: true, lines: 0, form: false }),
            }
        }
        // Between a person and their own agents only what is lost is worth a word.
        lost.retain(|lost| {
            let is_own = entry.author.as_ref().is_some_and(|author| has_person_of(author, &lost.owner));
            lost.is_work() || !is_own
        });
        for lost in &lost {
            self.journal.lost(&entry, &lost.owner, now)?;
        }
        self.journal.judged(&entry, now)?;
        Ok(Noticed { entry, lost })
    }

    /// True as long as it is for the server of whoever holds a file to say whose the newest change is.
    pub(super) fn is_left_to_holder(&self, resource: &Resource, now: DateTime<Utc>) -> Result<bool, Error> {
        let newest = self.journal.newest_change(resource)?;
        let Some(entry) = newest.filter(|entry| now - self.happened_at(entry) < GRACE + HOLDERS_TURN) else {
            return Ok(false);
        };
        Ok(self.holders(&entry)?.iter().any(|holder| holder.is_kept_alive() && holder.is_live()))
    }

    /// Who else holds the file now.
    fn holders(&self, entry: &Entry) -> Result<Vec<Session>, Error> {
        let Some(registry) = self.present_registry() else { return Ok(Vec::new()) };
        let author = entry.author.as_ref().map(|author| &author.session);
        let mut holders = Vec::new();
        for claim in registry.claims_on(&entry.resource)? {
            let holder = claim.holder().filter(|holder| claim.is_active() && author != Some(*holder));
            holders.extend(holder.map(|holder| registry.session(holder)).transpose()?.flatten());
        }
        Ok(holders)
    }

    /// True if the newest change of a file left some of what was uncommitted there, as whoever goes on with it does, or
    /// nothing was. Whoever holds a folder also removes files in it.
    fn leaves_something(&self, entry: &Entry) -> Result<bool, Error> {
        let is_same_kind = matches!(
            (&entry.before, &entry.after),
            (FileState::Absent, _)
                | (FileState::File { .. }, FileState::File { .. })
                | (FileState::Link { .. }, FileState::Link { .. })
        );
        let is_removed_in_folder = || {
            let registry = self.present_registry().filter(|_| entry.after == FileState::Absent);
            let claim = registry.map(|registry| registry.claim_of(&entry.resource)).transpose()?.flatten();
            Ok::<_, Error>(entry.after == FileState::Absent && !claim.is_some_and(|claim| claim.is_active()))
        };
        if !is_same_kind && !is_removed_in_folder()? {
            return Ok(false);
        }
        let Some(history) = FileHistory::read(self.journal, &entry.resource)? else { return Ok(true) };
        let committed = self.committed(&history, "HEAD")?.unwrap_or_default();
        let newest = history.changes().last().map(|(change, _)| change);
        let count = |(added, removed): (usize, usize), counts: (usize, usize)| (added + counts.0, removed + counts.1);
        let sum = |uncommitted: &Uncommitted| {
            let older = uncommitted.counts().into_iter().filter(|(change, _)| change.is_none() || *change != newest);
            older.fold((0, 0), |sum, (_, counts)| count(sum, counts))
        };
        let (had, has) = (history.uncommitted_before_newest(&committed), history.uncommitted(&committed));
        Ok(match (sum(&had), sum(&has)) {
            ((0, 0), _) => true,
            ((0, _), (_, removed)) => removed > 0,
            (_, (added, _)) => added > 0,
        })
    }

    /// Whose uncommitted changes were taken away.
    fn taken(&self, entry: &Entry, entries: &[Entry]) -> Result<Vec<Lost>, Error> {
        let author = entry.author.as_ref().map(|author| &author.session);
        // The texts are read only if there may be something: those of a busy day are many.
        let is_newest = entries.last().is_some_and(|newest| newest.id == entry.id);
        let mut others = entries.iter().rev().skip(1).filter_map(|entry| entry.author.as_ref());
        if !is_newest || others.all(|other| Some(&other.session) == author) {
            return Ok(Vec::new());
        }
        let Some(history) = FileHistory::read(self.journal, &entry.resource)? else { return Ok(Vec::new()) };
        let before = history.entries().iter().rev().nth(1).map_or(entry.at, |before| before.at);
        let committed = |commit: &str| Ok::<_, Error>(self.committed(&history, commit)?.unwrap_or_default());
        let mut lost = taken_against(&history, entry, &committed("HEAD")?);
        self.add_form_taken(&history, before, entry, &mut lost)?;
        // What was committed and is on another branch now is not lost.
        if !lost.is_empty()
            && let Some(root) = self.root_of(&entry.resource)
        {
            for head in last_commit::heads_since(&root, before - CLOCKS, MOST_HEADS)?.iter().skip(1) {
                let still = taken_against(&history, entry, &committed(head)?);
                lost.retain(|lost| lost.form || still.iter().any(|other| other.owner.session == lost.owner.session));
                if lost.is_empty() {
                    break;
                }
            }
        }
        Ok(lost)
    }

    /// The same of what the file was.
    fn add_form_taken(
        &self,
        history: &FileHistory,
        before: DateTime<Utc>,
        entry: &Entry,
        lost: &mut Vec<Lost>,
    ) -> Result<(), Error> {
        let heads = || {
            let root = self.root_of(history.resource());
            let heads = root.map(|root| last_commit::heads_since(&root, before - CLOCKS, MOST_HEADS)).transpose()?;
            Ok::<_, Error>(heads.unwrap_or_default())
        };
        let Some(owner) = self.form_taken(history, heads)? else { return Ok(()) };
        let is_author = entry.author.as_ref().is_some_and(|author| author.session == owner.session);
        if !is_author && !lost.iter().any(|lost| lost.owner.session == owner.session) {
            lost.push(Lost { owner, held: false, lines: 0, form: true });
        }
        Ok(())
    }

    /// Where git finds a file.
    pub(super) fn place_of(&self, resource: &Resource) -> Place {
        let Some(path) = self.namer.path_of(resource) else { return Place::Nowhere };
        let Some(root) = self.root_of(resource) else { return Place::OutsideOfGit };
        slashed(&root, &path).map_or(Place::Nowhere, |path| Place::InWorktree { root, path })
    }

    /// The root of the worktree that a file is in; `None` outside of git.
    pub fn root_of(&self, resource: &Resource) -> Option<PathBuf> {
        let path = self.namer.path_of(resource)?;
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
        Repository::containing(folder).ok()?.map(|repository| repository.root().to_owned())
    }
}

/// True for a session whose editor or hooks tell of each change that it makes. Whoever only claims at a terminal changes
/// files by any program.
pub(super) fn tells_of_changes(session: &Session) -> bool {
    session.agent().is_some() || session.is_kept_alive()
}

/// Where git finds a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a worktree, with a path as git spells it.
    InWorktree {
        /// The worktree's root.
        root: PathBuf,
        /// The path below it.
        path: String,
    },
    /// In no repository.
    OutsideOfGit,
    /// Its name leads nowhere, or to what git cannot be asked about.
    Nowhere,
}

/// The paths of each worktree.
pub(super) fn by_root(places: &[Place]) -> HashMap<&Path, Vec<&str>> {
    let mut by_root: HashMap<&Path, Vec<&str>> = HashMap::new();
    for place in places {
        if let Place::InWorktree { root, path } = place {
            by_root.entry(root).or_default().push(path);
        }
    }
    by_root
}

/// True if the newest change brings back what its holder left there, or, in a file that they never changed, what stood there
/// before somebody unknown changed it and nobody was told of that: whoever puts a file aside and takes it back may be seen in
/// between.
fn is_back(change: &Entry, entries: &[Entry], log: &FileLog, holder: &Author) -> bool {
    let earlier = || entries.iter().rev().skip_while(|entry| entry.id == change.id);
    let is_holders = |entry: &&Entry| entry.author.as_ref().is_some_and(|author| author.session == holder.session);
    let is_untold = |entry: &&Entry| entry.author.is_none() && !log.is_judged(&entry.id);
    match earlier().find(is_holders) {
        Some(left) => left.after == change.after,
        None => earlier().take_while(is_untold).last().is_some_and(|first| first.before == change.after),
    }
}

/// Whose changes are in the text before an entry and not after it, compared with what is committed.
fn taken_against(history: &FileHistory, entry: &Entry, committed: &[u8]) -> Vec<Lost> {
    let after = history.owned(&history.uncommitted(committed));
    let author = entry.author.as_ref().map(|author| &author.session);
    let is_edit = matches!(entry.cause, Cause::Edit | Cause::Save);
    let mut lost = Vec::new();
    for had in history.owned(&history.uncommitted_before_newest(committed)) {
        let Some(owner) = had.owner.filter(|owner| Some(&owner.session) != author) else { continue };
        let is_own = |owned: &&Owned| owned.owner.as_ref().is_some_and(|other| other.session == owner.session);
        let (added, removed) = after.iter().find(is_own).map_or((0, 0), |has| (has.added, has.removed));
        let lines = had.added.saturating_sub(added) + had.removed.saturating_sub(removed);
        // Whoever edits may change what others wrote; only one who leaves nothing of it has probably not seen it.
        let leaves_nothing = if had.added > 0 { added == 0 } else { removed == 0 };
        if lines > 0 && (!is_edit || leaves_nothing) {
            lost.push(Lost { owner, held: false, lines, form: false });
        }
    }
    lost
}

/// A path below a root as git spells it.
pub(super) fn slashed(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}
