//! The journal: what stood in files before they were changed, when, by whom and by what, so that nothing is ever lost.
//!
//! Everybody who works in a clone looks at files with [`Journal::observe`], the one way in, and all of it can be had
//! back. A journal belongs to one user and one coordination directory, lies where neither git nor another user meets it
//! ([`PrivateFolder`]), and is made by the first thing that is kept. In it are a bare git repository of contents, one log
//! for each file, and the commands that ran. Nothing in it is trusted; what is damaged loses only itself.
//!
//! Why git's format: 20,000 small edits of 20 KB files take 9 MB when git has packed them at once (21 MB with the logs
//! if packed four times), and 147 MB as files of their own compressed with zstd (level 1). Until then what is short is
//! kept as it is: compressing 20 KB takes 0.1 ms and what it needs of memory 0.3 ms more, which an agent would wait for.
//! Nothing waits for the disk: after a power loss the newest contents may be missing, and are known as damaged.

mod commands;
mod content_id;
mod editor_settings;
mod entry;
mod error;
mod file_list;
mod file_log;
mod logs;
mod loss_list;
mod objects;
mod observe;
mod packing;
mod replaced;
mod retention;
mod stamp;
mod stored;
pub mod text;
mod upkeep;
mod watch_list;
mod working_file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_protocol::{Resource, SessionId};
use deconflict_workspace::{Declared, Lock, LockedFile, PrivateFolder, UserSettings};

use commands::Commands;
use logs::Logs;
use loss_list::LossList;
use objects::{LARGEST, Objects, Prepared, id_of};
use watch_list::WatchList;

pub use commands::CommandRun;
pub use content_id::ContentId;
pub use editor_settings::EditorSettings;
pub use entry::{Author, Cause, Entry, EntryId, FileState, Line, Settlement};
pub use error::Error;
pub use file_log::{FileLog, LONGEST_ANSWER, Loss, Tip};
pub use observe::{Before, Observation};
pub use replaced::Replaced;
pub use stamp::Stamp;
pub use upkeep::{Damage, Limits, Upkeep, Usage};
pub use watch_list::Watched;

/// Of a log that was written long before, no change is new; unless clocks differ by more than this.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// The journal of one user about one coordination directory.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PrivateFolder,
    logs: Logs,
    objects: Objects,
    commands: Commands,
    watch_list: WatchList,
    loss_list: LossList,
    settings: UserSettings,
}

/// What a commit did to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Whose changes alone it has; everybody's if it is not said.
    pub session: Option<SessionId>,
    /// What git calls it.
    pub id: String,
    /// What the commit before it has; nothing if it had no such file.
    pub before: Option<ContentId>,
    /// What it has; nothing if it removed the file.
    pub after: Option<ContentId>,
}

impl Journal {
    /// The journal of what belongs to a coordination directory. Nothing is made yet. `None` without git where the user
    /// has no state folder.
    pub fn of(directory: &Path, state_folder: Option<&Path>) -> Option<Self> {
        let folder = PrivateFolder::of(directory, "journal", state_folder)?;
        let mut settings = UserSettings::read();
        let declared = directory.parent().map(Declared::read).unwrap_or_default().journal_exclude;
        if !declared.is_empty() {
            settings.journal_exclude.get_or_insert_default().extend(declared);
        }
        Some(Self { settings, ..Self::in_folder(folder) })
    }

    fn in_folder(folder: PrivateFolder) -> Self {
        let (logs, objects) = (Logs::new(&folder), Objects::new(&folder));
        let (commands, watch_list) = (Commands::new(&folder), WatchList::new(&folder));
        let loss_list = LossList::new(&folder);
        Self { folder, logs, objects, commands, watch_list, loss_list, settings: UserSettings::default() }
    }

    /// The folder of another purpose, for the same user and coordination directory.
    pub fn beside(&self, purpose: &str) -> PrivateFolder {
        self.folder.beside(purpose)
    }

    /// Where it is, which need not exist. It is a git repository, for git's tools.
    pub fn path(&self) -> PathBuf {
        self.folder.path()
    }

    /// Keeps a content. It stays for an hour at least, and for as long as a log speaks of it.
    pub fn keep(&self, bytes: &[u8]) -> Result<ContentId, Error> {
        let length = bytes.len() as u64;
        if length > LARGEST {
            return Err(Error::TooLarge { length });
        }
        let id = id_of(bytes).ok_or(Error::Collision)?;
        self.objects.put(&Prepared::new(id, bytes).map_err(error::failed("compress", &self.path()))?)?;
        Ok(id)
    }

    /// What git would call a content; `None` for what was made to be mistaken for another. Nothing is kept.
    pub fn name_of(bytes: &[u8]) -> Option<ContentId> {
        id_of(bytes)
    }

    /// A content that was kept.
    pub fn content(&self, id: ContentId) -> Result<Vec<u8>, Error> {
        self.objects.get(id)
    }

    /// All that is known of a file's changes; empty if there are none.
    pub fn log(&self, resource: &Resource) -> Result<FileLog, Error> {
        self.logs.read(resource)
    }

    /// True for each file of which nothing is known that names another session than these. Its lines are not taken apart
    /// for that.
    pub fn are_of(&self, files: &[&Resource], sessions: &[&SessionId]) -> Result<Vec<bool>, Error> {
        self.logs.name_only(files, sessions)
    }

    /// What stood in a file when somebody looked last. It reads only the end of the log.
    pub fn tip(&self, resource: &Resource) -> Result<Option<Tip>, Error> {
        Ok(self.logs.end(resource)?.tip())
    }

    /// A file's newest change, with its author if that is known. It reads only the end of the log.
    pub fn newest_change(&self, resource: &Resource) -> Result<Option<Entry>, Error> {
        Ok(self.logs.end(resource)?.newest_change())
    }

    /// All files that have a log, those that changed last first.
    pub fn files(&self) -> Result<Vec<Resource>, Error> {
        let mut files = Vec::new();
        for log in self.logs.list()? {
            files.extend(self.logs.resource_of(&log.name)?);
        }
        Ok(files)
    }

    /// The newest changes of all files, at most so many, newest first. Logs that were not written since are not read.
    pub fn recent(&self, since: DateTime<Utc>, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut found: Vec<Entry> = Vec::new();
        let mut since = since;
        for log in self.logs.list()? {
            if limit == 0 || DateTime::<Utc>::from(log.written) + CLOCK_TOLERANCE < since {
                break;
            }
            found.extend(self.logs.newest(&log.name, since, limit)?);
            found.sort_by_key(|entry| std::cmp::Reverse(entry.at));
            found.truncate(limit);
            // What is older than all of these need not be read.
            since = found.get(limit - 1).map_or(since, |oldest| since.max(oldest.at));
        }
        Ok(found)
    }

    /// What was lost in any file and is not settled, the newest first. Other files' logs are not read.
    pub fn losses(&self) -> Result<Vec<Loss>, Error> {
        let mut losses = Vec::new();
        for resource in self.loss_list.read()? {
            losses.extend(self.log(&resource)?.losses().into_iter().filter(|loss| loss.settled.is_none()));
        }
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.entry.at));
        Ok(losses)
    }

    /// The file that is written whenever something was lost or settled. It need not exist.
    pub fn losses_path(&self) -> PathBuf {
        self.path().join(loss_list::NAME)
    }

    /// What the user says for everything that runs on their behalf, as it was when this was opened.
    pub fn user_settings(&self) -> &UserSettings {
        &self.settings
    }

    /// The change whose name is or begins so.
    pub fn entry(&self, prefix: &str) -> Result<Option<Entry>, Error> {
        let mut found = None;
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        for log in self.logs.list()? {
            let bytes = self.logs.bytes(&log.name)?;
            for id in logs::changes_beginning(&bytes, prefix) {
                // It may be torn.
                let Some(entry) = FileLog::parse(&bytes).entries().into_iter().find(|entry| entry.id.as_str() == id)
                else {
                    continue;
                };
                if found.is_some() {
                    return Err(Error::Ambiguous(prefix.to_owned()));
                }
                found = Some(entry);
            }
        }
        Ok(found)
    }

    /// Says whose a change is that nobody knew.
    pub fn attribute(&self, entry: &Entry, author: &Author, cause: &Cause) -> Result<(), Error> {
        let line = Line::Attributed { entry: entry.id.clone(), author: author.clone(), cause: cause.clone() };
        self.logs.append(&entry.resource, &[line])
    }

    /// Gives all that one has changed in a file, and not committed, to another.
    pub fn give(&self, resource: &Resource, from: &SessionId, to: &Author, at: DateTime<Utc>) -> Result<(), Error> {
        self.logs.append(resource, &[Line::Given { from: from.clone(), to: to.clone(), at }])
    }

    /// Says that a change took something of somebody's. It stays until it is settled.
    pub fn lost(&self, entry: &Entry, owner: &Author, at: DateTime<Utc>) -> Result<(), Error> {
        self.logs.append(&entry.resource, &[Line::Lost { entry: entry.id.clone(), owner: owner.clone(), at }])?;
        self.loss_list.add(&entry.resource)
    }

    /// Ends the loss by a change: one session's, or everybody's.
    pub fn settle(
        &self,
        entry: &Entry,
        owner: Option<&SessionId>,
        how: Settlement,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.logs
            .append(&entry.resource, &[Line::Settled { entry: entry.id.clone(), owner: owner.cloned(), how, at }])?;
        // Somebody else may find a loss at this moment: what is looked at after the end of the list's line is not missed.
        self.loss_list.drop(&entry.resource)?;
        if self.log(&entry.resource)?.losses().iter().any(|loss| loss.settled.is_none()) {
            self.loss_list.add(&entry.resource)?;
        }
        Ok(())
    }

    /// Says that it was found out who lost by a change.
    pub fn judged(&self, entry: &Entry, at: DateTime<Utc>) -> Result<(), Error> {
        self.logs.append(&entry.resource, &[Line::Judged { entry: entry.id.clone(), at }])?;
        if entry.author.is_some() {
            return Ok(());
        }
        let resource = entry.resource.clone();
        self.watch_list.add(&Watched { resource, stamp: entry.stamp, at: entry.at, is_unsettled: false })
    }

    /// The files that somebody has looked at, except those that are worth no look any more.
    pub fn watched(&self) -> Result<Vec<Watched>, Error> {
        self.watch_list.read()
    }

    /// Says that a file is worth no look any more: it is as it was committed, and nobody holds it. Whoever looks at it
    /// again makes it worth one.
    pub fn stop_watching(&self, resource: &Resource) -> Result<(), Error> {
        self.watch_list.drop(resource)
    }

    /// Says that a session was told of a change. False if somebody has said so already or is about to tell it.
    pub fn told(&self, entry: &Entry, session: &SessionId, at: DateTime<Utc>) -> Result<bool, Error> {
        self.add_told(entry, session, at, false, |log| log.is_being_told(&entry.id, session, at))
    }

    /// Says that an answer which is under way tells a session of a change, so that nobody else tells it meanwhile. False if
    /// that was told, or is being told. Once the answer is out, [`Journal::was_answered`] says so; else it will be told anew.
    pub fn begin_telling(&self, entry: &Entry, session: &SessionId, at: DateTime<Utc>) -> Result<bool, Error> {
        self.add_told(entry, session, at, true, |log| log.is_being_told(&entry.id, session, at))
    }

    /// Says that an answer is out that told a session of a change.
    pub fn was_answered(&self, entry: &Entry, session: &SessionId, at: DateTime<Utc>) -> Result<(), Error> {
        self.add_told(entry, session, at, false, |log| log.was_told(&entry.id, session)).map(drop)
    }

    /// False, and nothing is added, if that is known already.
    fn add_told(
        &self,
        entry: &Entry,
        session: &SessionId,
        at: DateTime<Utc>,
        begun: bool,
        is_known: impl FnOnce(&FileLog) -> bool,
    ) -> Result<bool, Error> {
        let mut log = self.logs.open(&entry.resource)?;
        if is_known(&FileLog::parse(&log.read()?)) {
            return Ok(false);
        }
        log.append(&[Line::Told { entry: entry.id.clone(), session: session.clone(), at, begun }])?;
        Ok(true)
    }

    /// Says that a commit has what a file has, or one session's part of it.
    pub fn committed(&self, resource: &Resource, commit: Commit, at: DateTime<Utc>) -> Result<(), Error> {
        let Commit { session, id, before, after } = commit;
        self.logs.append(resource, &[Line::Committed { session, commit: id, before, content: after, at }])
    }

    /// Says that a session's command began.
    pub fn command_began(&self, run: &CommandRun) -> Result<(), Error> {
        self.commands.began(run)
    }

    /// Says that the run of a command that its session calls so has ended.
    pub fn command_ended(&self, session: &SessionId, id: &str, at: DateTime<Utc>) -> Result<(), Error> {
        self.commands.ended(session, id, at)
    }

    /// The commands in a worktree of which some part may lie in that time, oldest first. Those whose end nobody saw are
    /// among them; whether their sessions still live is for the caller to judge.
    pub fn overlapping(
        &self,
        worktree: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CommandRun>, Error> {
        self.commands.overlapping(worktree, from, to)
    }

    /// The lock that keeps those who add a content and its first line apart from whoever removes contents.
    fn contents_lock(&self, lock: Lock, patience: Duration) -> Result<LockedFile<'_>, Error> {
        let path = self.path().join("lock");
        self.folder.lock("lock", lock, patience).map_err(error::failed("open", &path))
    }
}
