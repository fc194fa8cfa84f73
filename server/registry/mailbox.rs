//! What a session has been sent, and which of it is still unread (protocol page, "Messages").

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::liveness::SessionState;
use super::messages::{Message, MessageId, Recipient};
use super::read_marks::{Mark, ReadMarks, Repeat, add_marks};
use super::session::{Session, list_sessions, read_session};
use super::store::{Key, Range, Reader, Series, Store, Transaction, Write};
use super::{Error, Registry};
use deconflict_protocol::{MessageRecord, SessionId, time};

/// Broadcasts that were older than this when a session registered are no news to it.
const OLD_NEWS: TimeDelta = TimeDelta::hours(1);

/// No longer id is believed, in bytes.
const LONGEST_ID: usize = 200;

/// A message that goes to another session is named at most so many milliseconds later.
const LATER_NAMES: i64 = 16;

impl<S: Store> Registry<S> {
    /// All messages to a session and to everyone by others, oldest first, each once. Reads every message: where only
    /// the unread ones are wanted, [`Registry::unread_messages`] does far less.
    pub fn messages(&self, session: &SessionId) -> Result<Vec<Message>, Error> {
        let reader = self.reader()?;
        let mailbox = self.mailbox(&*reader, session)?;
        mailbox.collect(&*reader, |key| mailbox.message(&*reader, key, self.now()))
    }

    /// The messages that a session has not read, oldest first, each once.
    pub fn unread_messages(&self, session: &SessionId) -> Result<Vec<Message>, Error> {
        let reader = self.reader()?;
        let (mailbox, now) = (self.mailbox(&*reader, session)?, self.now());
        mailbox.collect(&*reader, |key| mailbox.unread(&*reader, key, now))
    }

    /// What a session and another wrote to each other and to everyone, oldest first, each once.
    pub fn conversation(&self, session: &SessionId, with: &SessionId) -> Result<Vec<Message>, Error> {
        let reader = self.reader()?;
        let mailbox = self.mailbox(&*reader, session)?;
        let mut messages = mailbox.collect(&*reader, |key| mailbox.message(&*reader, key, self.now()))?;
        messages.retain(|message| message.from.as_ref() == Some(with));
        for series in [Series::Direct(with.clone()), Series::Broadcasts] {
            for key in message_keys(&*reader, &series)? {
                let sent = readable(read_message(&*reader, &key, self.now()))?;
                messages.extend(
                    sent.filter(|message| message.from.as_ref() == Some(session))
                        .map(|message| Message { unread: false, ..message }),
                );
            }
        }
        sort(&mut messages);
        Ok(messages)
    }

    /// How many messages to a session and to everyone by others there are, by their names alone.
    pub fn message_count(&self, session: &SessionId) -> Result<usize, Error> {
        let reader = self.reader()?;
        let is_others = |key: &&Key| match key {
            Key::Entry(Series::Broadcasts, name) => {
                time::split_stamp(name).is_none_or(|(_, sender)| sender != session.as_str())
            }
            _ => true,
        };
        let keys = message_keys(&*reader, &Series::Broadcasts)?;
        let direct = message_keys(&*reader, &Series::Direct(session.clone()))?;
        Ok(keys.iter().chain(&direct).filter(is_others).count())
    }

    /// Notes that a session has read these messages. Returns how many were unread before.
    pub fn mark_read(&self, session: &SessionId, ids: &[MessageId]) -> Result<usize, Error> {
        if ids.is_empty() {
            return Ok(0);
        }
        let ids: HashSet<&MessageId> = ids.iter().collect();
        let (read, _) = self.commit(|tx| {
            let mailbox = self.mailbox(tx, session)?;
            let mut marks = Vec::new();
            let mut read = HashSet::new();
            // A repeat counts as read together with the message, so that it need not be looked at again.
            for message in mailbox.each_unread(tx, self.now())? {
                if ids.contains(&message.id) {
                    marks.push(Mark::Read { file: mark_name(&message.key), repeat: repeat(&message.record) });
                    read.insert(message.id);
                }
            }
            if !marks.is_empty() {
                add_marks(tx, session, &marks)?;
            }
            Ok(read.len())
        })?;
        Ok(read)
    }

    /// Gives a session that just registered what a crashed one of the same user, client and worktree left unread.
    pub(super) fn inherit_messages(&self, heir: &Session) -> Result<(), Error> {
        let reader = self.reader()?;
        let is_empty = |range: Range| reader.is_empty(&range);
        if heir.record.user.is_none()
            || heir.record.client.is_none()
            || (is_empty(Range::Series(Series::Broadcasts))? && is_empty(Range::AllDirect)?)
        {
            return Ok(());
        }
        for id in list_sessions(&*reader)? {
            if let Some(stored) = read_session(&*reader, &id)?.filter(|stored| stored.id != heir.id)
                && let Some(record) = &stored.record
                && (&record.user, &record.client, &record.worktree)
                    == (&heir.record.user, &heir.record.client, &heir.record.worktree)
            {
                let predecessor = self.judged(&*reader, stored);
                if predecessor.state == SessionState::Gone {
                    // As one change, so that of two heirs only one gets it.
                    self.commit(|tx| self.pass_on(tx, &predecessor, heir))?;
                }
            }
        }
        Ok(())
    }

    fn pass_on(&self, tx: &mut Transaction, from: &Session, to: &Session) -> Result<(), Error> {
        let now = self.now();
        let mailbox = Mailbox::of(tx, from, now)?;
        let heirs_mailbox = Mailbox::of(tx, to, now)?;
        let mut inherited = Vec::new();
        for message in mailbox.each_unread(tx, now)? {
            match message.to {
                Recipient::Session(_) => tx.write(moved(&message, from, to)),
                Recipient::Everyone if mailbox.marks.is_passed_on() => {}
                Recipient::Everyone if message.sent_at < heirs_mailbox.news_since => {
                    inherited.push(Mark::Inherited { file: mark_name(&message.key) });
                }
                Recipient::Everyone => {}
            }
        }
        if !inherited.is_empty() {
            add_marks(tx, &to.id, &inherited)?;
        }
        if !mailbox.marks.is_passed_on() {
            add_marks(tx, &from.id, &[Mark::PassedOn])?;
        }
        Ok(())
    }

    fn mailbox(&self, reader: &dyn Reader, session: &SessionId) -> Result<Mailbox, Error> {
        let known = self.session_in(reader, session)?.ok_or_else(|| Error::UnknownSession { id: session.clone() })?;
        Mailbox::of(reader, &known, self.now())
    }
}

/// A session's view of the messages: which are for it, and which of these it has read.
#[derive(Debug)]
pub(super) struct Mailbox {
    session: SessionId,
    /// Broadcasts from before are no news.
    news_since: DateTime<Utc>,
    marks: ReadMarks,
}

impl Mailbox {
    pub(super) fn of(reader: &dyn Reader, session: &Session, now: DateTime<Utc>) -> Result<Self, Error> {
        let registered_at = time::believed(session.record.started_at.as_deref(), session.modified, now);
        Ok(Self {
            session: session.id.clone(),
            news_since: registered_at - OLD_NEWS,
            marks: ReadMarks::of(reader, &session.id)?,
        })
    }

    /// Looks whether another process of this session marked messages as read; true if so.
    pub(super) fn refresh(&mut self, reader: &dyn Reader) -> Result<bool, Error> {
        let is_outdated = self.marks.is_outdated(reader, &self.session)?;
        if is_outdated {
            self.marks = ReadMarks::of(reader, &self.session)?;
        }
        Ok(is_outdated)
    }

    /// True if a message was read, as far as its own mark tells.
    pub(super) fn has_read(&self, key: &Key) -> bool {
        self.marks.has_read(&mark_name(key))
    }

    /// The message under a key, if it is for this session and unread. What is known to be read, or to be old, is not
    /// opened.
    pub(super) fn unread(&self, reader: &dyn Reader, key: &Key, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
        if self.has_read(key) || self.is_old_news(reader, key)? {
            return Ok(None);
        }
        Ok(self.message(reader, key, now)?.filter(|message| message.unread))
    }

    fn message(&self, reader: &dyn Reader, key: &Key, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
        let Some(mut message) = read_message(reader, key, now)? else { return Ok(None) };
        let is_broadcast = message.to == Recipient::Everyone;
        if is_broadcast && message.from.as_ref() == Some(&self.session) {
            return Ok(None);
        }
        let mark = mark_name(key);
        let is_read = self.marks.has_read(&mark)
            || repeat(&message.record).is_some_and(|repeat| self.marks.has_read_repeat(&repeat));
        let is_news = !is_broadcast || message.sent_at >= self.news_since || self.marks.has_inherited(&mark);
        message.unread = is_news && !is_read;
        Ok(Some(message))
    }

    /// True for a message that this session has read, or that was never news to it.
    pub(super) fn needs_no_reading(&self, reader: &dyn Reader, key: &Key, now: DateTime<Utc>) -> Result<bool, Error> {
        Ok(self.has_read(key) || readable(self.message(reader, key, now))?.is_some_and(|message| !message.unread))
    }

    fn is_old_news(&self, reader: &dyn Reader, key: &Key) -> Result<bool, Error> {
        let Key::Entry(Series::Broadcasts, name) = key else { return Ok(false) };
        if time::split_stamp(name).is_none() || self.marks.has_inherited(&mark_name(key)) {
            return Ok(false);
        }
        match time::is_named_older(name, self.news_since) {
            Some(is_older) => Ok(is_older),
            None => Ok(reader.stamp(key)?.is_none_or(|stamp| stamp.modified < self.news_since)),
        }
    }

    fn each_unread(&self, reader: &dyn Reader, now: DateTime<Utc>) -> Result<Vec<Message>, Error> {
        let mut unread = Vec::new();
        for key in self.keys(reader)? {
            unread.extend(readable(self.unread(reader, &key, now))?);
        }
        Ok(unread)
    }

    /// Collects messages from both series: in order, and each once.
    fn collect(
        &self,
        reader: &dyn Reader,
        read: impl Fn(&Key) -> Result<Option<Message>, Error>,
    ) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for key in self.keys(reader)? {
            messages.extend(readable(read(&key))?);
        }
        sort(&mut messages);
        let mut seen = HashSet::new();
        messages.retain(|message| repeat(&message.record).is_none_or(|repeat| seen.insert(repeat)));
        Ok(messages)
    }

    fn keys(&self, reader: &dyn Reader) -> Result<Vec<Key>, Error> {
        let mut keys = message_keys(reader, &Series::Broadcasts)?;
        keys.extend(message_keys(reader, &Series::Direct(self.session.clone()))?);
        Ok(keys)
    }
}

/// Reads the message under a key; `None` if the name is not one of a message or there is none.
pub(super) fn read_message(reader: &dyn Reader, key: &Key, now: DateTime<Utc>) -> Result<Option<Message>, Error> {
    let Key::Entry(series, name) = key else { return Ok(None) };
    let to = match series {
        Series::Direct(session) => Recipient::Session(session.clone()),
        _ => Recipient::Everyone,
    };
    if !is_message_name(name) {
        return Ok(None);
    }
    let Some(stored) = reader.get(key)? else { return Ok(None) };
    let record = MessageRecord::read(&stored.bytes).map_err(|source| Error::Damaged { key: key.clone(), source })?;
    let from = match record.from {
        Some(_) => record.sender(),
        None => time::split_stamp(name).and_then(|(_, sender)| SessionId::foreign(sender).ok()),
    };
    let id = match &record.id {
        Some(id) if is_usable_id(id) => id.clone(),
        _ => mark_name(key),
    };
    let sent_at = record.sent_at(stored.stamp.modified, now);
    Ok(Some(Message { id: MessageId::new(id), from, to, sent_at, unread: false, key: key.clone(), record }))
}

/// Puts messages in the order in which they were sent. Records tell that to the second, our names to the millisecond.
pub(super) fn sort(messages: &mut [Message]) {
    messages.sort_by(|a, b| (a.sent_at, name_of(&a.key), &a.key).cmp(&(b.sent_at, name_of(&b.key), &b.key)));
}

pub(super) fn is_message_name(name: &str) -> bool {
    name.strip_suffix(".json").is_some() && !name.starts_with('.') && !name.chars().any(char::is_control)
}

/// The keys in a series that messages may have. A series that is none at all, but a link say, holds nothing.
pub(super) fn message_keys(reader: &dyn Reader, series: &Series) -> Result<Vec<Key>, Error> {
    let mut keys = readable(reader.scan(&[Range::Series(series.clone())]).map(Some))?.unwrap_or_default();
    keys.retain(|key| name_of(key).is_some_and(is_message_name));
    Ok(keys)
}

pub(super) fn mark_name(key: &Key) -> String {
    let kind = if matches!(key, Key::Entry(Series::Broadcasts, _)) { "broadcast" } else { "direct" };
    format!("{kind}/{}", name_of(key).unwrap_or_default())
}

pub(super) fn name_of(key: &Key) -> Option<&str> {
    if let Key::Entry(_, name) = key { Some(name) } else { None }
}

fn repeat(record: &MessageRecord) -> Option<Repeat> {
    let id = record.id.clone().filter(|id| is_usable_id(id))?;
    Some(Repeat { from: record.from.clone().filter(|from| from.len() <= LONGEST_ID)?, id })
}

fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(char::is_control)
}

/// A message that is damaged, or that is no plain record of a sane size, harms nothing but itself.
pub(super) fn readable<T>(message: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match message {
        Err(Error::Damaged { .. } | Error::Unsafe { .. }) => Ok(None),
        other => other,
    }
}

/// A direct message that goes to another session, under a name that is free there.
fn moved(message: &Message, from: &Session, to: &Session) -> Write {
    let name = name_of(&message.key).unwrap_or_default();
    let (at, sender) = time::split_stamp(name).unwrap_or((message.sent_at, from.id.as_str()));
    let later = (1..LATER_NAMES).map(|later| at + TimeDelta::milliseconds(later));
    let later = later.map(|at| format!("{}-{sender}.json", time::stamp(at)));
    let names = std::iter::once(name.to_owned()).chain(later).collect();
    Write::Move { from: message.key.clone(), to: Series::Direct(to.id.clone()), names }
}
