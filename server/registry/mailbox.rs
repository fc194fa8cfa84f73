//! What a session has been sent, and which of it is still unread (protocol page, "Messages").

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::directory::{Contents, Directory, Folder};
use super::liveness::SessionState;
use super::messages::{Message, MessageId, Recipient};
use super::read_marks::{Mark, ReadMarks, Repeat, add_marks};
use super::record::Record;
use super::sessions::{list_sessions, read_session};
use super::{Error, Registry, Session};
use deconflict_protocol::{MessageRecord, SessionId, time};

/// Broadcasts that were older than this when a session registered are no news to it.
const OLD_NEWS: TimeDelta = TimeDelta::hours(1);

/// No longer id is believed, in bytes.
const LONGEST_ID: usize = 200;

impl Registry {
    /// All messages to a session and to everyone by others, oldest first, each once. Reads every message: where only
    /// the unread ones are wanted, [`Registry::unread_messages`] does far less.
    pub fn messages(&self, session: &SessionId) -> Result<Vec<Message>, Error> {
        let directory = self.directory()?;
        let mailbox = self.mailbox(&directory, session)?;
        mailbox.collect(&directory, |contents, name| mailbox.message(contents, name, self.now()))
    }

    /// The messages that a session has not read, oldest first, each once.
    pub fn unread_messages(&self, session: &SessionId) -> Result<Vec<Message>, Error> {
        let directory = self.directory()?;
        let mailbox = self.mailbox(&directory, session)?;
        mailbox.all_unread(&directory, self.now())
    }

    /// How many messages to a session and to everyone by others there are, by their files' names alone.
    pub fn message_count(&self, session: &SessionId) -> Result<usize, Error> {
        let directory = self.directory()?;
        let is_others = |name: &str| time::split_stamp(name).is_none_or(|(_, sender)| sender != session.as_str());
        let broadcasts = message_names(&directory, &Folder::Broadcasts)?.iter().filter(|name| is_others(name)).count();
        Ok(broadcasts + message_names(&directory, &Folder::Direct(session.clone()))?.len())
    }

    /// Notes that a session has read these messages. Returns how many were unread before.
    pub fn mark_read(&self, session: &SessionId, ids: &[MessageId]) -> Result<usize, Error> {
        if ids.is_empty() {
            return Ok(0);
        }
        let directory = self.directory()?;
        let lock = self.lock(&directory)?;
        let mailbox = self.mailbox(&directory, session)?;
        let ids: HashSet<&MessageId> = ids.iter().collect();
        let mut marks = Vec::new();
        let mut read = HashSet::new();
        // A repeat counts as read together with the message, so that it need not be looked at again.
        for (key, message) in mailbox.each_unread(&directory, self.now())? {
            if ids.contains(&message.id) {
                marks.push(Mark::Read { file: key, repeat: repeat(&message.record) });
                read.insert(message.id);
            }
        }
        if !marks.is_empty() {
            add_marks(&lock, session, &marks)?;
        }
        Ok(read.len())
    }

    /// Gives a session that just registered what a crashed one of the same user, client and worktree left unread.
    pub(super) fn inherit_messages(&self, directory: &Directory, heir: &Session) -> Result<(), Error> {
        if heir.record.user.is_none() || heir.record.client.is_none() || !are_there_messages(directory)? {
            return Ok(());
        }
        for id in list_sessions(directory)? {
            if let Some(stored) = read_session(directory, &id)?.filter(|stored| stored.id != heir.id)
                && let Some(record) = &stored.record
                && (&record.user, &record.client, &record.worktree)
                    == (&heir.record.user, &heir.record.client, &heir.record.worktree)
            {
                let predecessor = self.judged(directory, &stored);
                if predecessor.state == SessionState::Gone {
                    self.pass_on(directory, &predecessor, heir)?;
                }
            }
        }
        Ok(())
    }

    fn pass_on(&self, directory: &Directory, from: &Session, to: &Session) -> Result<(), Error> {
        // Under the lock, so that of two heirs only one gets it.
        let lock = self.lock(directory)?;
        let now = self.now();
        let mailbox = Mailbox::of(directory, from, now)?;
        let heirs_mailbox = Mailbox::of(directory, to, now)?;
        let mut inherited = Vec::new();
        for (key, message) in mailbox.each_unread(directory, now)? {
            match message.to {
                Recipient::Session(_) => move_message(directory, &message, from, to)?,
                Recipient::Everyone if mailbox.marks.is_passed_on() => {}
                Recipient::Everyone if message.sent_at < heirs_mailbox.news_since => {
                    inherited.push(Mark::Inherited { file: key });
                }
                Recipient::Everyone => {}
            }
        }
        if !inherited.is_empty() {
            add_marks(&lock, &to.id, &inherited)?;
        }
        if !mailbox.marks.is_passed_on() {
            add_marks(&lock, &from.id, &[Mark::PassedOn])?;
        }
        Ok(())
    }

    fn mailbox(&self, directory: &Directory, session: &SessionId) -> Result<Mailbox, Error> {
        let stored = read_session(directory, session)?.ok_or_else(|| Error::UnknownSession { id: session.clone() })?;
        Mailbox::of(directory, &self.judged(directory, &stored), self.now())
    }
}

/// A session's view of the messages: which are for it, and which of these it has read.
#[derive(Debug)]
pub(super) struct Mailbox {
    folders: [Folder; 2],
    session: SessionId,
    /// Broadcasts from before are no news.
    news_since: DateTime<Utc>,
    marks: ReadMarks,
}

impl Mailbox {
    /// Opens a session's mailbox with its read marks as they are now.
    pub(super) fn of(directory: &Directory, session: &Session, now: DateTime<Utc>) -> Result<Self, Error> {
        let registered_at = time::believed(session.record.started_at.as_deref(), session.modified, now);
        Ok(Self {
            folders: [Folder::Broadcasts, Folder::Direct(session.id.clone())],
            session: session.id.clone(),
            news_since: registered_at - OLD_NEWS,
            marks: ReadMarks::of(directory, &session.id)?,
        })
    }

    /// Looks whether another process of this session marked messages as read; true if so.
    pub(super) fn refresh(&mut self, directory: &Directory) -> Result<bool, Error> {
        let is_outdated = self.marks.is_outdated(directory, &self.session)?;
        if is_outdated {
            self.marks = ReadMarks::of(directory, &self.session)?;
        }
        Ok(is_outdated)
    }

    /// True if a file's message was read, as far as the file's own mark tells.
    pub(super) fn has_read(&self, folder: &Folder, name: &str) -> bool {
        self.marks.has_read(&key(folder, name))
    }

    /// The message in a file of one of the folders that hold its messages, if it is for this session and unread.
    /// What is known to be read, or to be old, is not opened.
    pub(super) fn unread(&self, contents: &Contents, name: &str, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
        let key = key(contents.folder(), name);
        if self.marks.has_read(&key) || self.is_old_news(contents, name, &key)? {
            return Ok(None);
        }
        Ok(self.message(contents, name, now)?.filter(|message| message.unread))
    }

    /// The message in a file, if it is for this session.
    fn message(&self, contents: &Contents, name: &str, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
        let Some(mut message) = read_message(contents, name, now)? else { return Ok(None) };
        let is_broadcast = message.to == Recipient::Everyone;
        if is_broadcast && message.from.as_ref() == Some(&self.session) {
            return Ok(None);
        }
        let key = key(contents.folder(), name);
        let is_read = self.marks.has_read(&key)
            || repeat(&message.record).is_some_and(|repeat| self.marks.has_read_repeat(&repeat));
        let is_news = !is_broadcast || message.sent_at >= self.news_since || self.marks.has_inherited(&key);
        message.unread = is_news && !is_read;
        Ok(Some(message))
    }

    /// True if a file holds a message that this session has read, or that was never news to it.
    pub(super) fn needs_no_reading(&self, contents: &Contents, name: &str, now: DateTime<Utc>) -> Result<bool, Error> {
        let is_marked = self.marks.has_read(&key(contents.folder(), name));
        Ok(is_marked || readable(self.message(contents, name, now))?.is_some_and(|message| !message.unread))
    }

    /// True if the file's name and its own time both say that it was sent too long ago to be news. The name alone
    /// doesn't decide, because other programs write local times there.
    fn is_old_news(&self, contents: &Contents, name: &str, key: &str) -> Result<bool, Error> {
        let is_named_old = time::split_stamp(name).is_some_and(|(named, _)| named < self.news_since);
        if *contents.folder() != Folder::Broadcasts || !is_named_old || self.marks.has_inherited(key) {
            return Ok(false);
        }
        Ok(contents.stamp(name)?.is_none_or(|stamp| stamp.modified < self.news_since))
    }

    fn all_unread(&self, directory: &Directory, now: DateTime<Utc>) -> Result<Vec<Message>, Error> {
        self.collect(directory, |contents, name| self.unread(contents, name, now))
    }

    /// Every file that holds an unread message, repeats included, by the key of its read mark.
    fn each_unread(&self, directory: &Directory, now: DateTime<Utc>) -> Result<Vec<(String, Message)>, Error> {
        let mut unread = Vec::new();
        for folder in &self.folders {
            let Some(contents) = contents(directory, folder)? else { continue };
            for name in contents.names()? {
                if let Some(message) = readable(self.unread(&contents, &name, now))? {
                    unread.push((key(folder, &name), message));
                }
            }
        }
        Ok(unread)
    }

    /// Collects messages from both folders: in order, and each once.
    fn collect(
        &self,
        directory: &Directory,
        look: impl Fn(&Contents, &str) -> Result<Option<Message>, Error>,
    ) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for folder in &self.folders {
            let Some(contents) = contents(directory, folder)? else { continue };
            for name in contents.names()? {
                messages.extend(readable(look(&contents, &name))?);
            }
        }
        sort(&mut messages);
        let mut seen = HashSet::new();
        messages.retain(|message| repeat(&message.record).is_none_or(|repeat| seen.insert(repeat)));
        Ok(messages)
    }
}

/// Reads the message in a file; `None` if the name is not one of a message or there is no such file.
pub(super) fn read_message(contents: &Contents, name: &str, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
    let to = match contents.folder() {
        Folder::Direct(session) => Recipient::Session(session.clone()),
        _ => Recipient::Everyone,
    };
    if !is_message_name(name) {
        return Ok(None);
    }
    let Some(stored) = contents.read(name)? else { return Ok(None) };
    let file = contents.path_of(name);
    let record = match Record::understand(&stored, MessageRecord::from_fields) {
        Ok(record) => record.value,
        Err(source) => return Err(Error::Damaged { path: file, source }),
    };
    let from = match record.from {
        Some(_) => record.sender(),
        None => time::split_stamp(name).and_then(|(_, sender)| SessionId::foreign(sender).ok()),
    };
    let id = match &record.id {
        Some(id) if is_usable_id(id) => id.clone(),
        _ => key(contents.folder(), name),
    };
    let sent_at = record.sent_at(stored.stamp.modified, now);
    Ok(Some(Message { id: MessageId::new(id), from, to, sent_at, unread: false, file, record }))
}

/// Puts messages in the order in which they were sent. Records tell that to the second, our files' names to the
/// millisecond.
pub(super) fn sort(messages: &mut [Message]) {
    messages.sort_by(|a, b| (a.sent_at, a.file.file_name(), &a.file).cmp(&(b.sent_at, b.file.file_name(), &b.file)));
}

/// True for what a file with a message may be called.
pub(super) fn is_message_name(name: &str) -> bool {
    name.strip_suffix(".json").is_some() && !name.starts_with('.') && !name.chars().any(char::is_control)
}

/// The names in a folder that files with messages may have.
fn message_names(directory: &Directory, folder: &Folder) -> Result<Vec<String>, Error> {
    let names = contents(directory, folder)?.map_or_else(|| Ok(Vec::new()), |contents| contents.names())?;
    Ok(names.into_iter().filter(|name| is_message_name(name)).collect())
}

/// What a read mark calls the file of a message.
pub(super) fn key(folder: &Folder, name: &str) -> String {
    match folder {
        Folder::Broadcasts => format!("broadcast/{name}"),
        _ => format!("direct/{name}"),
    }
}

fn repeat(record: &MessageRecord) -> Option<Repeat> {
    let id = record.id.clone().filter(|id| is_usable_id(id))?;
    Some(Repeat { from: record.from.clone().filter(|from| from.len() <= LONGEST_ID)?, id })
}

fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(char::is_control)
}

/// A folder of messages that is a link or no folder at all holds none.
fn contents<'a>(directory: &'a Directory, folder: &'a Folder) -> Result<Option<Contents<'a>>, Error> {
    readable(directory.contents(folder))
}

/// A message that is damaged, or that is no plain file of a sane size, harms nothing but itself.
pub(super) fn readable<T>(message: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match message {
        Err(Error::Damaged { .. } | Error::Unsafe { .. }) => Ok(None),
        other => other,
    }
}

fn are_there_messages(directory: &Directory) -> Result<bool, Error> {
    Ok(!directory.list(&Folder::Broadcasts)?.is_empty() || !directory.list(&Folder::Recipients)?.is_empty())
}

/// Moves a direct message into the folder of another session, under a name that is free there.
fn move_message(directory: &Directory, message: &Message, from: &Session, to: &Session) -> Result<(), Error> {
    let Some(name) = message.file.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
    let target = Folder::Direct(to.id.clone());
    let source = Folder::Direct(from.id.clone());
    let mut new_name = name.to_owned();
    let mut later = 0;
    while !directory.move_file_safely(&source, name, &target, &new_name)? {
        later += 1;
        let (at, sender) = time::split_stamp(name).unwrap_or((message.sent_at, from.id.as_str()));
        new_name = format!("{}-{sender}.json", time::stamp(at + TimeDelta::milliseconds(later)));
    }
    Ok(())
}
