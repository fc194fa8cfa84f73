//! What others wrote to the session.

use super::context::{SessionContext, Trouble};
use super::follow_up::FollowUp;
use crate::answer::Answer;
use crate::words;
use deconflict_protocol::SessionId;
use deconflict_registry::{Message, Session};

/// So many messages are brought at once; the others wait for the next time.
const MOST_DELIVERED: usize = 5;

impl SessionContext<'_> {
    /// Adds what the session has not read. It counts as read once the agent has the answer.
    pub(super) fn deliver_messages(
        &self,
        session: &Session,
        answer: &mut Answer,
        follow_up: &mut FollowUp,
    ) -> Result<(), Trouble> {
        self.deliver(&session.id, |message| session.wants_to_hear(message, self.now()), answer, follow_up)
    }

    /// Adds what others took of the session's work, which it should know before it goes on.
    pub(super) fn deliver_losses(&self, answer: &mut Answer, follow_up: &mut FollowUp) -> Result<(), Trouble> {
        if !self.is_own_live()? {
            return Ok(());
        }
        self.deliver(&self.own, Message::tells_of_loss, answer, follow_up)
    }

    fn deliver(
        &self,
        session: &SessionId,
        is_meant: impl Fn(&Message) -> bool,
        answer: &mut Answer,
        follow_up: &mut FollowUp,
    ) -> Result<(), Trouble> {
        // A message that nobody can be told of now stays unread.
        let is_full = follow_up.is_full || follow_up.delivered.is_some();
        if is_full || !self.surroundings.agent.takes_context(&self.event.name) {
            return Ok(());
        }
        let mut unread = self.registry.unread_messages(session)?;
        unread.retain(is_meant);
        if unread.is_empty() {
            return Ok(());
        }
        let left = unread.len().saturating_sub(MOST_DELIVERED);
        unread.truncate(MOST_DELIVERED);
        let ids = unread.iter().map(|message| message.id.clone()).collect();
        let sender = |message: &Message| self.registry.session(message.from.as_ref()?).ok().flatten();
        let with_senders: Vec<_> = unread
            .into_iter()
            .map(|it| {
                let sender = sender(&it);
                (it, sender)
            })
            .collect();
        answer.tell(words::messages(&with_senders, left, self.now()));
        follow_up.delivered = Some((session.clone(), ids));
        Ok(())
    }

    /// What follows a tool: leases last on, and messages come in.
    pub(super) fn between_tools(&self, session: &Session, follow_up: &mut FollowUp) -> Result<Answer, Trouble> {
        self.work_on(session);
        self.renew_all()?;
        let mut answer = Answer::default();
        self.deliver_messages(session, &mut answer, follow_up)?;
        Ok(answer)
    }
}
