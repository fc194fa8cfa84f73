//! Whoever asked for something is told when it is released, whatever releases it: an editor, a verb, an agent's hook, or the
//! end of its holder's session.

use std::collections::BTreeSet;

use super::claims::{Claim, ReleaseOutcome};
use super::mailbox::{message_keys, name_of, read_message, readable};
use super::messages::{Draft, Message, Recipient};
use super::store::{Reader, Series, Store};
use super::transfer::unless_ended;
use super::{Error, Registry};
use deconflict_protocol::{MessageKind, SessionId, time};

impl<S: Store> Registry<S> {
    /// Tells those who asked for what was just released. It is released all the same if something keeps them from being told.
    pub(super) fn answer_requests(&self, released: &[Claim]) {
        for claim in released {
            if let Err(error) = self.answer_requests_for(claim) {
                tracing::warn!("whoever asked for {} could not be told that it is free: {error}", claim.resource);
            }
        }
    }

    /// The same of what a release came to.
    pub(super) fn answered(&self, outcome: ReleaseOutcome) -> ReleaseOutcome {
        if let ReleaseOutcome::Released(claim) = &outcome {
            self.answer_requests(std::slice::from_ref(claim));
        }
        outcome
    }

    fn answer_requests_for(&self, claim: &Claim) -> Result<(), Error> {
        let Some(holder) = claim.holder() else { return Ok(()) };
        for asker in self.askers(&*self.reader()?, holder, claim)? {
            let draft = Draft::released(&claim.resource, claim.id(), &asker);
            unless_ended(self.send(holder, &Recipient::Session(asker), &draft))?;
        }
        Ok(())
    }

    /// The sessions that asked a holder for what it holds since it holds it.
    fn askers(&self, reader: &dyn Reader, holder: &SessionId, claim: &Claim) -> Result<BTreeSet<SessionId>, Error> {
        let asks_for_it = |message: &Message| {
            message.kind() == MessageKind::ReleaseRequest
                && message.sent_at >= claim.claimed_at
                && message.resource().is_some_and(|asked| reader.naming().key(&asked) == claim.key)
        };
        let mut askers = BTreeSet::new();
        for key in message_keys(reader, &Series::Direct(holder.clone()))? {
            let is_older = name_of(&key).and_then(|name| time::is_named_older(name, claim.claimed_at));
            if is_older == Some(true) {
                continue;
            }
            let message = readable(read_message(reader, &key, self.now()))?.filter(asks_for_it);
            askers.extend(message.and_then(|message| message.from).filter(|asker| asker != holder));
        }
        Ok(askers)
    }
}
