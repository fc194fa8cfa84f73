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
        let holders: BTreeSet<&SessionId> = released.iter().filter_map(Claim::holder).collect();
        for holder in holders {
            let of_holder: Vec<&Claim> = released.iter().filter(|claim| claim.held_by(holder)).collect();
            if let Err(error) = self.answer_requests_to(holder, &of_holder) {
                tracing::warn!("whoever asked {holder} for what is free now could not be told: {error}");
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

    fn answer_requests_to(&self, holder: &SessionId, released: &[&Claim]) -> Result<(), Error> {
        for (asker, claim) in self.askers(&*self.reader()?, holder, released)? {
            let draft = Draft::released(&claim.resource, claim.id(), &asker);
            unless_ended(self.send(holder, &Recipient::Session(asker), &draft))?;
        }
        Ok(())
    }

    /// The sessions that asked a holder for what it held since it held it, each once for each claim. The messages are looked at
    /// once, however much is released.
    fn askers<'a>(
        &self,
        reader: &dyn Reader,
        holder: &SessionId,
        released: &[&'a Claim],
    ) -> Result<Vec<(SessionId, &'a Claim)>, Error> {
        let oldest = released.iter().map(|claim| claim.claimed_at).min();
        let asked_for = |message: &Message| {
            let key = reader.naming().key(&message.resource()?);
            let is_it = |claim: &&&Claim| claim.key == key && message.sent_at >= claim.claimed_at;
            released.iter().find(is_it).copied().filter(|_| message.kind() == MessageKind::ReleaseRequest)
        };
        let mut askers = Vec::new();
        for key in message_keys(reader, &Series::Direct(holder.clone()))? {
            let is_older = name_of(&key).zip(oldest).and_then(|(name, oldest)| time::is_named_older(name, oldest));
            if is_older == Some(true) {
                continue;
            }
            let Some(message) = readable(read_message(reader, &key, self.now()))? else { continue };
            let Some((claim, asker)) = asked_for(&message).zip(message.from) else { continue };
            let is_known = |(known, of): &(SessionId, &Claim)| *known == asker && of.key == claim.key;
            if asker != *holder && !askers.iter().any(is_known) {
                askers.push((asker, claim));
            }
        }
        Ok(askers)
    }
}
