//! Which messages a watch has told of, so that each is told once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::folders::Watched;
use crate::directory::{Contents, Directory};
use crate::mailbox::Mailbox;
use crate::{Error, Message, MessageId, Registry};
use deconflict_protocol::SessionId;

/// The messages of one session as far as they have been looked at.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// `None` until the session has a record.
    mailbox: Option<Mailbox>,
    /// The files that need not be looked at again.
    looked_at: HashSet<(Watched, String)>,
    /// The files of messages that were told and not yet read.
    unread: HashMap<(Watched, String), MessageId>,
    /// What was told, by which a copy under another name is known.
    told: HashSet<(Option<SessionId>, MessageId)>,
}

impl Inbox {
    /// Brings the read marks up to date. Nothing can be told before the session has a record. Returns the messages
    /// that were told and have been read since, by whichever process of the session.
    pub(super) fn refresh(
        &mut self,
        registry: &Registry,
        directory: &Directory,
        session: &SessionId,
    ) -> Result<Vec<MessageId>, Error> {
        let Some(mailbox) = &mut self.mailbox else {
            if let Some(session) = registry.session(session)? {
                self.mailbox = Some(Mailbox::of(directory, &session, registry.clock().now())?);
            }
            return Ok(Vec::new());
        };
        if !mailbox.refresh(directory)? {
            return Ok(Vec::new());
        }
        let mut read = Vec::new();
        self.unread.retain(|(folder, name), id| {
            let is_read = mailbox.has_read(&folder.name_for(session), name);
            if is_read {
                read.push(id.clone());
            }
            !is_read
        });
        Ok(read)
    }

    /// The message in a file, if it is unread and was not told before.
    pub(super) fn look(
        &mut self,
        contents: &Contents,
        folder: Watched,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Message>, Error> {
        let Some(mailbox) = &self.mailbox else { return Ok(None) };
        let file = (folder, name.to_owned());
        if self.looked_at.contains(&file) {
            return Ok(None);
        }
        let found = mailbox.unread(contents, name, now)?;
        self.looked_at.insert(file.clone());
        let Some(message) = found else { return Ok(None) };
        let is_new = self.told.insert((message.from.clone(), message.id.clone()));
        self.unread.insert(file, message.id.clone());
        Ok(is_new.then_some(message))
    }

    /// Forgets the files of a folder that are gone.
    pub(super) fn keep_only(&mut self, folder: Watched, names: &HashSet<String>) {
        let is_there = |(of, name): &(Watched, String)| *of != folder || names.contains(name);
        self.looked_at.retain(is_there);
        self.unread.retain(|file, _| is_there(file));
    }

    /// Forgets all files, but not what was told: a message that comes back is no news.
    pub(super) fn clear(&mut self) {
        self.mailbox = None;
        self.looked_at.clear();
        self.unread.clear();
    }
}
