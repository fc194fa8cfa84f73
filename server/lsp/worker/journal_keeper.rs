//! Keeps the journal of one directory, on a thread of its own: what stands in the files that are opened and held here,
//! what the user saves, and what anybody changes in them (protocol page, "The journal").

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use ropey::Rope;

use super::journal_access::JournalAccess;
use super::watched_files::WatchedFiles;
use crate::job::{JobResult, SavedOver, SettledLoss};
use deconflict_changes::{GRACE, HOLDERS_TURN, Noticed, SavedText, ToldSave};
use deconflict_journal::{Cause, EditorSettings, Settlement};
use deconflict_platform::clock::Clock;
use deconflict_protocol::Resource;
use deconflict_registry::{Claim, Session, View};
use deconflict_workspace::WrittenFilesWatch;

/// So long another editor may take to say that it deleted or renamed a file. It is less than what is left to a holder's
/// server, which knows best what its user lost and is to be the first that finds it.
const EDITORS_TURN: Duration = Duration::from_secs(2);

/// Stamps are compared this often,
const PAUSE: Duration = Duration::from_secs(2);

/// and so soon after the server has looked at one of the files.
const SOON: Duration = Duration::from_millis(50);

/// It is looked this often which files still matter, if anything happened.
const SORTING_PAUSE: Duration = Duration::from_mins(1);

/// Losses that may be settled elsewhere are read again this often.
const LOSSES_PAUSE: Duration = Duration::from_secs(10);

/// What was left uncommitted is looked for once an editor has started.
const FIRST_SORTING: Duration = Duration::from_secs(3);

/// It is looked this often whether an agent has come, for whom a list of what is written is to be kept.
const WATCH_PAUSE: Duration = Duration::from_mins(1);

/// What is old is dropped this often.
const UPKEEP_PAUSE: Duration = Duration::from_hours(1);

/// An editor tells of a save within this time.
const SAVE_TIME: TimeDelta = TimeDelta::seconds(2);

/// Whose a change of a file is stays open for so long, once the editor has begun to save it.
const LONGEST_SAVE: TimeDelta = TimeDelta::seconds(10);

/// Whose a change is waits so long for what the editor has said and the server has not come to.
const LONGEST_HEARING: Duration = Duration::from_secs(10);

/// At most so many files of earlier sessions are looked at, and so many that others hold.
const MOST_FILES: usize = 200;

/// Something for the journal.
#[derive(Debug)]
pub(super) enum News {
    /// What is wanted of the journal.
    Settings(EditorSettings),
    /// The user looks at a file or edits it.
    Seen(Resource),
    /// The user begins to edit a file.
    Edited(Resource),
    /// The user's editor is about to save a file, and when it said so.
    Saving(Resource, DateTime<Utc>),
    /// It did save a file, and something else stands there.
    SavedAndGone(Resource, Save),
    /// The user saved a file.
    Saved(Resource, Save),
    /// All that the editor had said when this was asked for has been told.
    Heard,
    /// The user's editor moved or deleted what is at these paths.
    Moved(Vec<PathBuf>),
    /// These paths may have been written.
    Written(Vec<PathBuf>),
    /// Somebody claimed or released something.
    Claims,
    /// Something may have been lost or settled in a file.
    Losses(Resource),
    /// These losses come to their end.
    Settled(Vec<SettledLoss>, Settlement),
    /// Nothing follows.
    End,
}

/// A save.
#[derive(Debug)]
pub(super) struct Save {
    /// When the editor told of it.
    pub(super) told_at: DateTime<Utc>,
    /// The texts, if they are what stands in files.
    pub(super) texts: Option<SavedTexts>,
}

/// What was saved.
#[derive(Debug)]
pub(super) struct SavedTexts {
    /// The text that the editor wrote. Something else may stand there by now.
    pub(super) text: Rope,
    /// What it and saves before it replaced, the oldest first.
    pub(super) over: Vec<SavedOver>,
}

impl SavedTexts {
    /// A save of them that did not begin before then.
    fn told(&self, began: DateTime<Utc>) -> ToldSave {
        let over = self.over.iter().map(|over| over.text.to_string()).collect();
        ToldSave { text: self.text.to_string(), over, began }
    }
}

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct JournalKeeper {
    news: Sender<News>,
}

impl JournalKeeper {
    /// Starts the thread. What it finds is reported.
    pub(super) fn start(
        access: JournalAccess,
        view: View,
        clock: Arc<dyn Clock>,
        report: impl Fn(JobResult) + Send + 'static,
    ) -> io::Result<Self> {
        let (news, received) = mpsc::channel();
        let writes = news.clone();
        thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let files = WatchedFiles::new(move |paths| drop(writes.send(News::Written(paths))));
            Keeping {
                access,
                view,
                clock,
                report: Box::new(report),
                files,
                settling: HashMap::new(),
                left_to_others: HashSet::new(),
                saving: HashMap::new(),
                heard_at: None,
                asked_at: None,
                lossy: HashSet::new(),
                stamps_at: Instant::now() + PAUSE,
                claims_changed: true,
                directories_at: Instant::now(),
                is_unsorted: true,
                upkeep: None,
                written: None,
                written_at: Instant::now() + FIRST_SORTING,
            }
            .keep(&received);
        })?;
        Ok(Self { news })
    }

    /// Tells it something. Nothing waits for it.
    pub(super) fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

impl Drop for JournalKeeper {
    fn drop(&mut self) {
        self.tell(News::End);
    }
}

struct Keeping {
    access: JournalAccess,
    view: View,
    clock: Arc<dyn Clock>,
    report: Box<dyn Fn(JobResult) + Send>,
    files: WatchedFiles,
    /// When it is to be found out who lost by a change that nobody said is theirs.
    settling: HashMap<Resource, Instant>,
    /// What is left to others' servers for a while: those of whoever holds it, and of whoever may have deleted it.
    left_to_others: HashSet<Resource>,
    /// What the editor has begun to save, and when. It may tell only much later that it has.
    saving: HashMap<Resource, DateTime<Utc>>,
    /// All that the editor had said by then is known here.
    heard_at: Option<Instant>,
    /// When it was asked for that, while there is no answer. What the editor says waits behind the server's other work.
    asked_at: Option<Instant>,
    /// Files in which this session has lost something.
    lossy: HashSet<Resource>,
    /// When stamps are compared next.
    stamps_at: Instant,
    claims_changed: bool,
    /// When it is looked again into directories that somebody holds.
    directories_at: Instant,
    is_unsorted: bool,
    /// Dropping what is old, while that goes on.
    upkeep: Option<thread::JoinHandle<()>>,
    /// Keeping a list of what is written, since an agent works here.
    written: Option<WrittenFilesWatch>,
    /// When it is looked again whether that is to be done.
    written_at: Instant,
}

impl Keeping {
    fn keep(mut self, news: &Receiver<News>) {
        let start = Instant::now();
        let mut losses_at = start + LOSSES_PAUSE;
        let (mut sorting_at, mut upkeep_at) = (start + FIRST_SORTING, start + UPKEEP_PAUSE / 6);
        let mut is_first = true;
        loop {
            let now = Instant::now();
            for resource in self.files.due() {
                self.look(&resource);
            }
            self.settle(now);
            if self.stamps_at <= now {
                self.look_at_claimed();
                self.look_into_directories(now);
                self.files.compare_stamps();
                self.stamps_at = now + PAUSE;
            }
            if losses_at <= now {
                if !self.lossy.is_empty() {
                    self.access.succeeded(self.access.recorder().settle_what_git_has(self.clock.now()));
                }
                for resource in self.lossy.clone() {
                    self.tell_losses(&resource, None);
                }
                losses_at = now + LOSSES_PAUSE;
            }
            if self.written_at <= now {
                self.watch_written_files();
            }
            if sorting_at <= now && self.is_unsorted {
                self.sort(std::mem::take(&mut is_first));
                sorting_at = now + SORTING_PAUSE;
            }
            if upkeep_at <= now {
                self.maintain();
                upkeep_at = now + UPKEEP_PAUSE;
            }
            let looks = !self.files.is_empty() || self.claims_changed || self.has_directories();
            let looks = looks.then_some(self.stamps_at);
            let sorting = self.is_unsorted.then_some(sorting_at);
            let losses = (!self.lossy.is_empty()).then_some(losses_at);
            let settling = self.settling_due();
            let dues = [looks, sorting, losses, settling, self.files.next_due(), Some(self.written_at)];
            let next = dues.into_iter().flatten().fold(upkeep_at, Instant::min);
            match news.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(News::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.access.forget_settings();
                    return;
                }
                Ok(news) => self.take_in(news),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Keeps a list of what is written while an agent works here. One that could not be kept, because there is too much to
    /// watch or another server keeps it, is tried again after a while.
    fn watch_written_files(&mut self) {
        let has_agents = self.view.sessions().any(|session| session.is_live() && session.agent().is_some());
        self.written_at = Instant::now() + if has_agents { WATCH_PAUSE * 10 } else { WATCH_PAUSE };
        if !has_agents || !self.written.as_ref().is_some_and(WrittenFilesWatch::is_running) {
            self.written = if has_agents { self.access.watch_written_files() } else { None };
        }
    }

    /// Drops what is old on a thread of its own: that takes seconds, in which a save is to be noted.
    fn maintain(&mut self) {
        if self.upkeep.as_ref().is_some_and(|upkeep| !upkeep.is_finished()) {
            return;
        }
        let (maintain, now) = (self.access.upkeep(), self.clock.now());
        let work = move || {
            if let Err(error) = maintain(now) {
                tracing::warn!("the journal cannot be kept small: {error}");
            }
        };
        // Without a thread to spare it is done the next time.
        self.upkeep = thread::Builder::new().name("journal upkeep".to_owned()).spawn(work).ok();
    }

    fn take_in(&mut self, news: News) {
        match news {
            News::Settings(settings) => {
                self.access.succeeded(self.access.journal.note_editor(&self.access.session, &settings));
            }
            News::Seen(resource) => {
                if self.files.contains(&resource) {
                    self.files.compare_stamp(&resource);
                    // Whatever let the server look there may have changed the others too.
                    self.stamps_at = self.stamps_at.min(Instant::now() + SOON);
                } else {
                    self.look(&resource);
                    self.tell_losses(&resource, None);
                }
            }
            News::Edited(resource) => self.tell_of_others_beside(&resource),
            News::Saving(resource, at) => drop(self.saving.insert(resource, at)),
            News::Heard => self.heard_at = self.asked_at.take().or(self.heard_at),
            News::SavedAndGone(resource, save) => {
                let began = self.began(&resource, &save);
                if let Some(texts) = save.texts {
                    self.keep_saved_and_gone(&resource, &texts.told(began));
                }
            }
            News::Saved(resource, save) => self.saved_here(&resource, save),
            News::Moved(paths) => {
                let moved: HashSet<Resource> = paths.iter().flat_map(|path| self.moved_from(path)).collect();
                let began = self.clock.now() - (GRACE + HOLDERS_TURN);
                for resource in moved {
                    self.changed_here(&resource, Cause::Edit, began);
                }
            }
            News::Written(paths) => self.files.written(&paths),
            News::Claims => {
                self.claims_changed = true;
                self.is_unsorted = true;
            }
            News::Losses(resource) => {
                // What was restored and is deleted before anybody looks stands as it stood when it was lost.
                self.files.compare_stamp(&resource);
                self.lossy.insert(resource.clone());
                self.tell_losses(&resource, None);
            }
            News::Settled(losses, how) => {
                let now = self.clock.now();
                let files: HashSet<Resource> = losses.iter().map(|(entry, _)| entry.resource.clone()).collect();
                for (entry, owner) in losses {
                    self.access.succeeded(self.access.journal.settle(&entry, Some(&owner), how, now));
                }
                for resource in files {
                    self.tell_losses(&resource, None);
                }
            }
            News::End => {}
        }
    }

    /// What the journal knows of a place from which the editor moved or deleted something.
    fn moved_from(&self, path: &Path) -> Vec<Resource> {
        let watched = self.files.below(path);
        if !watched.is_empty() {
            return watched;
        }
        // What makes a file worth watching, such as another's claim, may be as new as the editor's word.
        let resource = self.access.namer.resource_at(path).ok();
        let is_known = |resource: &Resource| matches!(self.access.journal.newest_change(resource), Ok(Some(_)));
        resource.filter(is_known).into_iter().collect()
    }

    /// Where a file is, if it is for the journal.
    fn path_of(&self, resource: &Resource) -> Option<PathBuf> {
        self.access.namer.path_of(resource).filter(|_| !resource.is_directory())
    }

    /// Looks at a file. Whose a change is may still be said for a moment.
    fn look(&mut self, resource: &Resource) {
        let Some(path) = self.path_of(resource) else { return };
        self.files.looked_at(resource, &path);
        if let Some(Some(_)) = self.access.succeeded(self.access.recorder().look(resource, self.clock.now())) {
            self.is_unsorted = true;
        }
        self.settle_later(resource);
    }

    fn settle_later(&mut self, resource: &Resource) {
        let grace = GRACE.to_std().unwrap_or_default() + Duration::from_millis(20);
        self.settling.insert(resource.clone(), Instant::now() + grace);
    }

    /// The holder's own server knows first what its editor saved.
    fn is_held_by_another_server(&self, resource: &Resource) -> bool {
        let claim = self.view.claim_of(resource).filter(Claim::is_active);
        let holder = claim.and_then(|claim| claim.holder().cloned()).filter(|holder| *holder != self.access.session);
        let holder = holder.and_then(|holder| self.view.session(&holder));
        holder.is_some_and(|holder| holder.is_kept_alive() && holder.is_live())
    }

    /// True for a file that is gone while others' editors live here: one of them may still say that it deleted or renamed it.
    fn may_be_gone_by_another_editor(&self, resource: &Resource) -> bool {
        let is_gone = self.path_of(resource).is_some_and(|path| path.symlink_metadata().is_err());
        let is_other = |session: &Session| session.id != self.access.session && session.is_kept_alive();
        is_gone && self.view.sessions().any(|session| is_other(&session) && session.is_live())
    }

    fn is_being_saved(&self, resource: &Resource) -> bool {
        self.saving.get(resource).is_some_and(|since| self.clock.now() - *since < LONGEST_SAVE)
    }

    /// When a change is to be settled next.
    fn settling_due(&self) -> Option<Instant> {
        let due = self.settling.values().min().copied()?;
        Some(self.asked_at.map_or(due, |asked| due.max(asked + LONGEST_HEARING)))
    }

    /// True if all that the editor had said by a time is known, or does not come to be known. Else it is asked for.
    fn has_heard(&mut self, at: Instant, now: Instant) -> bool {
        if self.heard_at.is_some_and(|heard| at <= heard) {
            return true;
        }
        if self.asked_at.is_none() {
            self.asked_at = Some(now);
            (self.report)(JobResult::JournalAsks);
        }
        self.asked_at.is_some_and(|asked| asked + LONGEST_HEARING <= now)
    }

    /// When the newest change of a file was noticed.
    fn noticed_at(&self, resource: &Resource, now: Instant) -> Option<Instant> {
        let newest = self.access.succeeded(self.access.journal.newest_change(resource)).flatten();
        let age = newest.and_then(|entry| (self.clock.now() - entry.at).to_std().ok())?;
        now.checked_sub(age)
    }

    /// Finds who lost by changes that nobody has said are theirs.
    fn settle(&mut self, now: Instant) {
        let due = self.settling.iter().filter(|(_, at)| **at <= now);
        let mut due: Vec<(Instant, Resource)> = due.map(|(resource, at)| (*at, resource.clone())).collect();
        // In the order in which they were changed: what one's own stash took aside is known as such only until it is back.
        due.sort_by_key(|(at, _)| *at);
        for (at, resource) in due {
            // Somebody else may have noticed a change since it was looked at here.
            let noticed = self.noticed_at(&resource, now).unwrap_or(at);
            if !self.has_heard(at.max(noticed), now) {
                continue;
            }
            self.settling.remove(&resource);
            if self.is_being_saved(&resource) {
                self.settle_later(&resource);
                continue;
            }
            let turn = if self.is_held_by_another_server(&resource) {
                HOLDERS_TURN.to_std().ok()
            } else {
                self.may_be_gone_by_another_editor(&resource).then_some(EDITORS_TURN)
            };
            if let Some(turn) = turn.filter(|_| self.left_to_others.insert(resource.clone())) {
                self.settling.insert(resource, now + turn);
                continue;
            }
            self.left_to_others.remove(&resource);
            let settled = self.access.recorder().settle_unknown(&resource, self.clock.now());
            match self.access.succeeded(settled).flatten() {
                Some(noticed) => drop(self.tell(&noticed)),
                // Somebody else may have found something.
                None => self.tell_losses(&resource, None),
            }
        }
    }

    /// When a save of the user's began, at the earliest. It is no longer under way.
    fn began(&mut self, resource: &Resource, save: &Save) -> DateTime<Utc> {
        let latest = save.told_at - SAVE_TIME;
        self.saving.remove(resource).map_or(latest, |saving| saving.min(latest))
    }

    /// The user saved a file.
    fn saved_here(&mut self, resource: &Resource, save: Save) {
        let began = self.began(resource, &save);
        let (Some(author), Some(texts)) = (self.access.author(), save.texts) else {
            return self.changed_here(resource, Cause::Save, began);
        };
        let told = texts.told(began);
        // Whoever wrote the file right after the save is not its user.
        if self.keep_saved_and_gone(resource, &told) {
            self.look(resource);
        } else {
            let found = self.access.recorder().saved_and_found(&author, resource, &told, self.clock.now());
            if let Some(noticed) = self.access.succeeded(found).flatten() {
                self.tell_of_own(resource, noticed);
            }
            self.changed_here(resource, Cause::Save, began);
        }
        for SavedOver { text, is_certain } in texts.over {
            let (text, now) = (text.to_string(), self.clock.now());
            let added = self.access.recorder().replaced_by_save(&author, resource, text.as_bytes(), is_certain, now);
            if let Some(noticed) = self.access.succeeded(added).flatten() {
                self.tell_of_own(resource, noticed);
            }
        }
    }

    /// True if what the user saved was replaced before this server looked. Then it is kept.
    fn keep_saved_and_gone(&mut self, resource: &Resource, save: &ToldSave) -> bool {
        let Some(author) = self.access.author() else { return false };
        let saved = self.access.recorder().saved_and_gone(&author, resource, save, self.clock.now());
        let Some(SavedText::Gone(save)) = self.access.succeeded(saved) else { return false };
        if let Some(noticed) = save {
            self.tell_of_own(resource, noticed);
        }
        true
    }

    /// The user changed a file, after `began`.
    fn changed_here(&mut self, resource: &Resource, cause: Cause, began: DateTime<Utc>) {
        let (Some(path), Some(author)) = (self.path_of(resource), self.access.author()) else { return };
        let now = self.clock.now();
        let changed = self.access.recorder().changed_by(&author, cause, resource, began, now);
        self.files.looked_at(resource, &path);
        self.is_unsorted = true;
        if let Some(noticed) = self.access.succeeded(changed).flatten() {
            self.tell_of_own(resource, noticed);
        }
    }

    fn tell_of_own(&mut self, resource: &Resource, noticed: Noticed) {
        let lost = self.tell(&noticed);
        if let Some(path) = self.path_of(resource).filter(|_| !lost.is_empty()) {
            (self.report)(JobResult::TookFromOthers { change: Box::new(noticed.entry), path, lost });
        }
    }

    /// Others' uncommitted changes keep nobody from editing, but are worth a word, once.
    fn tell_of_others_beside(&self, resource: &Resource) {
        let Some(author) = self.access.author() else { return };
        let beside = self.access.recorder().others_beside(&author, &[], resource, self.clock.now());
        let owners = self.access.succeeded(beside).unwrap_or_default();
        if !owners.is_empty() {
            (self.report)(JobResult::Beside(resource.clone(), owners));
        }
    }

    /// Tells both sides of a change. Returns whom it was told to.
    fn tell(&mut self, noticed: &Noticed) -> Vec<deconflict_changes::Lost> {
        self.tell_losses(&noticed.entry.resource, Some(noticed));
        self.access.tell_others(noticed, self.clock.now())
    }

    fn tell_losses(&mut self, resource: &Resource, noticed: Option<&Noticed>) {
        if self.is_being_saved(resource) {
            // Somebody else may have taken it for nobody's.
            return self.settle_later(resource);
        }
        let losses = self.access.own_losses(resource, noticed, self.clock.now());
        let had_some = self.lossy.remove(resource);
        if losses.is_empty() && !had_some {
            return;
        }
        if !losses.is_empty() {
            self.lossy.insert(resource.clone());
        }
        (self.report)(JobResult::Losses(resource.clone(), losses));
    }

    /// Looks at what anybody holds, as far as that is not too much.
    fn look_at_claimed(&mut self) {
        if !std::mem::take(&mut self.claims_changed) || self.view.number_of_claims() > MOST_FILES {
            return;
        }
        let claimed = self.view.claims().filter(Claim::is_active).map(|claim| claim.resource);
        for resource in claimed.filter(Resource::is_file).collect::<Vec<_>>() {
            let is_there = self.path_of(&resource).is_some_and(|path| path.symlink_metadata().is_ok());
            if is_there && !self.files.contains(&resource) && !self.access.is_ignored(&resource) {
                self.look(&resource);
            }
        }
    }

    fn directories(&self) -> impl Iterator<Item = Resource> {
        let active = self.view.claims().filter(deconflict_registry::Claim::is_active);
        active.map(|claim| claim.resource).filter(Resource::is_directory)
    }

    fn has_directories(&self) -> bool {
        self.view.number_of_claims() <= MOST_FILES && self.directories().next().is_some()
    }

    /// Looks at what was changed in directories that anybody holds. It takes a fiftieth of the time at most.
    fn look_into_directories(&mut self, now: Instant) {
        if self.directories_at > now || !self.has_directories() {
            return;
        }
        let held: Vec<Resource> = self.directories().collect();
        self.access.succeeded(self.access.keep_held(self.clock.now()));
        for watched in self.access.succeeded(self.access.journal.watched()).unwrap_or_default() {
            let is_in_one = held.iter().any(|directory| directory.covers(&watched.resource));
            if is_in_one && !self.files.contains(&watched.resource) {
                self.look(&watched.resource);
            }
        }
        self.directories_at = Instant::now() + now.elapsed() * 50;
    }

    /// Finds out which files still matter: those that somebody holds, and those with uncommitted changes. At first also
    /// what earlier sessions left.
    fn sort(&mut self, is_first: bool) {
        self.is_unsorted = false;
        if is_first {
            let known = self.access.succeeded(self.access.journal.files()).unwrap_or_default();
            let known: Vec<Resource> = known.into_iter().take(MOST_FILES).collect();
            for resource in self.uncommitted(&known) {
                if !self.files.contains(&resource) {
                    self.look(&resource);
                }
            }
        }
        let all = self.files.all();
        let uncommitted = self.uncommitted(&all);
        let is_held = |resource: &Resource| {
            self.view.claim_of(resource).is_some()
                || resource.covering_directories().iter().any(|above| self.view.claim_of(above).is_some())
        };
        let (settling, lossy) = (&self.settling, &self.lossy);
        let matters = |resource: &Resource| {
            uncommitted.contains(resource)
                || is_held(resource)
                || settling.contains_key(resource)
                || lossy.contains(resource)
        };
        self.files.retain(matters);
    }

    /// Those that are not as the last commit has them.
    fn uncommitted(&self, files: &[Resource]) -> HashSet<Resource> {
        let changed = self.access.recorder().not_as_committed(files);
        self.access.succeeded(changed).unwrap_or_default().into_iter().collect()
    }
}
