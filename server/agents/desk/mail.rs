//! What others wrote to the session.

use super::{Afterwards, Desk, Trouble};
use crate::{Answer, words};
use deconflict_registry::{Message, Registry, Session};

/// So many messages are brought at once; the others wait for the next time.
const MOST_DELIVERED: usize = 5;

impl Desk<'_> {
    /// Adds what the session has not read. It counts as read once the agent has the answer.
    pub(super) fn deliver_messages(
        &self,
        registry: &Registry,
        session: &Session,
        answer: &mut Answer,
        afterwards: &mut Afterwards,
    ) -> Result<(), Trouble> {
        // A message that nobody can be told of now stays unread.
        if afterwards.is_full || !self.surroundings.agent.takes_context(&self.event.name) {
            return Ok(());
        }
        let mut unread = registry.unread_messages(&session.id)?;
        if unread.is_empty() {
            return Ok(());
        }
        let left = unread.len().saturating_sub(MOST_DELIVERED);
        unread.truncate(MOST_DELIVERED);
        let ids = unread.iter().map(|message| message.id.clone()).collect();
        let with_senders: Vec<(Message, Option<Session>)> = unread
            .into_iter()
            .map(|message| {
                let sender = message.from.as_ref().and_then(|id| registry.session(id).ok().flatten());
                (message, sender)
            })
            .collect();
        answer.tell(words::messages(&with_senders, left, self.now()));
        afterwards.delivered = Some((session.id.clone(), ids));
        Ok(())
    }
}
