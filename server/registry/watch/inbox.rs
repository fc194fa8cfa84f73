//! Which messages a watch has told of, so that each is told once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::mailbox::Mailbox;
use crate::store::{Key, Reader, Store};
use crate::{Error, Message, MessageId, Registry};
use deconflict_protocol::SessionId;

/// The messages of one session as far as they have been looked at.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// `None` until the session has a record.
    mailbox: Option<Mailbox>,
    /// What need not be looked at again.
    looked_at: HashSet<Key>,
    /// The messages that were told and not yet read.
    unread: HashMap<Key, MessageId>,
    /// What was told, by which a copy under another name is known.
    told: HashSet<(Option<SessionId>, MessageId)>,
}

impl Inbox {
    /// Brings the read marks up to date. Nothing can be told before the session has a record. Returns the messages
    /// that were told and have been read since, by whichever process of the session.
    pub(super) fn refresh<S: Store>(
        &mut self,
        registry: &Registry<S>,
        reader: &dyn Reader,
        session: &SessionId,
    ) -> Result<Vec<MessageId>, Error> {
        let Some(mailbox) = &mut self.mailbox else {
            if let Some(session) = registry.session(session)? {
                self.mailbox = Some(Mailbox::of(reader, &session, registry.clock().now())?);
            }
            return Ok(Vec::new());
        };
        if !mailbox.refresh(reader)? {
            return Ok(Vec::new());
        }
        let mut read = Vec::new();
        self.unread.retain(|key, id| {
            let is_read = mailbox.has_read(key);
            if is_read {
                read.push(id.clone());
            }
            !is_read
        });
        Ok(read)
    }

    /// The message under a key, if it is unread and was not told before.
    pub(super) fn look(
        &mut self,
        reader: &dyn Reader,
        key: &Key,
        now: DateTime<Utc>,
    ) -> Result<Option<Message>, Error> {
        let Some(mailbox) = &self.mailbox else { return Ok(None) };
        if self.looked_at.contains(key) {
            return Ok(None);
        }
        let found = mailbox.unread(reader, key, now)?;
        self.looked_at.insert(key.clone());
        let Some(message) = found else { return Ok(None) };
        let is_new = self.told.insert((message.from.clone(), message.id.clone()));
        self.unread.insert(key.clone(), message.id.clone());
        Ok(is_new.then_some(message))
    }

    /// Forgets what is not there any more of those that are meant.
    pub(super) fn keep_only(&mut self, keys: &HashSet<Key>, is_meant: impl Fn(&Key) -> bool) {
        let is_there = |key: &Key| !is_meant(key) || keys.contains(key);
        self.looked_at.retain(is_there);
        self.unread.retain(|key, _| is_there(key));
    }

    /// Forgets all files, but not what was told: a message that comes back is no news.
    pub(super) fn clear(&mut self) {
        self.mailbox = None;
        self.looked_at.clear();
        self.unread.clear();
    }
}
