//! Claims that change hands or places: hand-offs, files that move, and what the displaced are told.

use super::claims::{Claim, HandOffOutcome, Holding, MoveOutcome, StoredClaim, Terms};
use super::holding::{NewClaim, new_holding_id};
use super::liveness::SessionState;
use super::messages::{Draft, Recipient};
use super::overlap::ReadClaim;
use super::queue::wake_who_waits;
use super::session::{Session, active_session};
use super::store::{Key, Reader, Series, Store, Transaction, Write};
use super::{Error, Registry, record};
use deconflict_protocol::{ClaimRecord, HandOffRecord, Resource, SessionId, time};

impl<S: Store> Registry<S> {
    /// Gives a claim to a live session, as one change: a new holding, by hand, for 4 hours. The recipient is told.
    pub fn hand_off(
        &self,
        from: &SessionId,
        resource: &Resource,
        to: &SessionId,
        notes: Option<&str>,
    ) -> Result<HandOffOutcome, Error> {
        let (outcome, committed) = self.commit(|tx| self.decide_hand_off(tx, from, resource, to))?;
        let HandOffOutcome::HandedOff(claim) = outcome else { return Ok(outcome) };
        let claim = self.confirmed_claim(&committed, claim)?;
        let now = self.now();
        let hand_off = HandOffRecord {
            from: Some(from.clone()),
            to: Some(to.clone()),
            timestamp: Some(time::format(now)),
            resource_type: Some(resource.resource_type().to_string()),
            resource_name: Some(resource.name().to_owned()),
            notes: notes.map(str::to_owned),
            ..HandOffRecord::default()
        };
        self.store.add(&Series::HandOffs, from, now, &record::bytes_of(&hand_off)?)?;
        self.send(from, &Recipient::Session(to.clone()), &Draft::handed_off(resource, notes))?;
        Ok(HandOffOutcome::HandedOff(claim))
    }

    fn decide_hand_off(
        &self,
        tx: &mut Transaction,
        from: &SessionId,
        resource: &Resource,
        to: &SessionId,
    ) -> Result<HandOffOutcome, Error> {
        let key = tx.naming().key(resource);
        let Some(stored) = StoredClaim::read(tx, &key)? else { return Ok(HandOffOutcome::NotFound) };
        let before = self.judged_claim(tx, stored)?;
        if !before.held_by(from) {
            return Ok(HandOffOutcome::NotHolder(before));
        }
        let recipient = match self.live_recipient(tx, to)? {
            Ok(recipient) => recipient,
            Err(recipient) => return Ok(HandOffOutcome::RecipientNotLive(recipient)),
        };
        let mut overlapping = self.overlapping(tx, resource)?;
        if let Some(successor) = overlapping.iter().find(|claim| claim.stands_against(Some(from))) {
            // The lease had lapsed, and somebody took something that overlaps.
            return Ok(HandOffOutcome::NotHolder(successor.clone()));
        }
        overlapping.retain(|claim| !claim.held_by(to));
        if let Some(by) = overlapping.iter().find(|claim| claim.key != key && !claim.can_be_taken_over()) {
            return Ok(HandOffOutcome::Refused { by: by.clone() });
        }
        let terms = Terms {
            phase: before.record.phase.clone(),
            allow_coordination: before.allows_coordination(),
            ..Terms::default()
        };
        let record = self.new_record(tx, to, resource, &terms)?;
        let new = NewClaim { holder: &recipient, resource, record, untold: Some(from), moved_from: None };
        let claim = self.hold(tx, new, overlapping)?;
        wake_who_waits(tx, to, resource)?;
        Ok(HandOffOutcome::HandedOff(claim))
    }

    /// The session to which something is given, or what is known of it if it is not alive.
    fn live_recipient(&self, reader: &dyn Reader, id: &SessionId) -> Result<Result<Session, Option<Session>>, Error> {
        Ok(match self.session_in(reader, id)? {
            Some(session) if session.is_forgotten() && !self.holds_something(reader, id)? => Err(Some(session)),
            Some(session) if session.is_forgotten() || session.state == SessionState::Live => Ok(session),
            other => Err(other),
        })
    }

    /// Lets a claim follow its file to a new place: a new holding, in which everything else stands as it did.
    pub fn move_claim(&self, holding: &Holding, to: &Resource) -> Result<MoveOutcome, Error> {
        let (outcome, committed) = self.commit(|tx| self.decide_move(tx, holding, to))?;
        let MoveOutcome::Moved(claim) = outcome else { return Ok(outcome) };
        let claim = self.confirmed_claim(&committed, claim)?;
        self.tell_displaced_if_possible(&claim);
        Ok(MoveOutcome::Moved(claim))
    }

    fn decide_move(&self, tx: &mut Transaction, holding: &Holding, to: &Resource) -> Result<MoveOutcome, Error> {
        let naming = tx.naming();
        let (from, target) = (naming.key(&holding.resource), naming.key(to));
        let Some(read) = ReadClaim::read(tx, &from)? else { return Ok(MoveOutcome::Lost(None)) };
        let before = self.judged_claim(tx, read.stored.clone())?;
        if !read.stored.record.as_ref().is_some_and(|record| holding.is(record)) {
            return Ok(MoveOutcome::Lost(Some(before)));
        }
        if let Some(displaced) = &before.record.displaced {
            // Nobody could do it later: the new record is about another file.
            self.tell_taken_over(tx, &holding.session, displaced, &before.resource, before.record.id.as_deref())?;
        }
        let at_target = self.overlapping(tx, to)?;
        if let Some(in_the_way) = at_target.iter().find(|claim| claim.stands_against(Some(&holding.session))) {
            tx.write(Write::Delete(Key::Claim(from)));
            return Ok(MoveOutcome::Released { target: in_the_way.clone() });
        }
        let is_ended = |claim: &Claim| claim.key == target || !claim.held_by(&holding.session);
        let ended = at_target.into_iter().filter(is_ended).collect();
        let holder = self.judged(tx, active_session(tx, &holding.session)?);
        let record = ClaimRecord {
            resource_type: Some(to.resource_type().to_string()),
            resource_name: Some(to.name().to_owned()),
            id: Some(new_holding_id()?),
            generation: Some(tx.next_token(self.now())?),
            displaced: None,
            ..with_times(&before)
        };
        let new = NewClaim { holder: &holder, resource: to, record, untold: None, moved_from: Some(&read) };
        let claim = self.hold(tx, new, ended)?;
        // The new place is held before the old one is free, so that a crash between the two leaves no gap.
        if target != from {
            tx.write(Write::Delete(Key::Claim(from)));
        }
        Ok(MoveOutcome::Moved(claim))
    }

    /// Tells whoever a claim displaced, unless something keeps it from being told: the claim was granted all the same, and
    /// its holder has to hear that. Its record goes on to say whom it displaced, and clean-up tells them then.
    pub(super) fn tell_displaced_if_possible(&self, claim: &Claim) {
        if let Err(error) = self.tell_displaced(claim) {
            tracing::warn!("whoever a claim displaced will be told later: {error}");
        }
    }

    /// Tells whoever a claim displaced, then notes in the claim that they were told. If this process dies between the
    /// two, whoever meets the claim next does it again; the message's id tells the repeat.
    pub(super) fn tell_displaced(&self, claim: &Claim) -> Result<(), Error> {
        let (Some(displaced), Some(holder)) = (&claim.record.displaced, claim.holder()) else { return Ok(()) };
        let draft = Draft::taken_over(&claim.resource, claim.record.id.as_deref(), displaced);
        unless_ended(self.send(holder, &Recipient::Session(displaced.clone()), &draft))?;
        self.commit(|tx| {
            let key = Key::Claim(claim.key.clone());
            if let Some(read) = ReadClaim::read(tx, &claim.key)?
                && let Some(before) = read.stored.record.as_ref().filter(|before| before.id == claim.record.id)
            {
                let told = ClaimRecord { displaced: None, ..before.clone() };
                let bytes = read.rewritten(&key, &told)?;
                tx.put(key, bytes);
            }
            Ok(())
        })
        .map(drop)
    }

    /// Sends the message that a claim was taken over, together with what ends it. A recipient that ended meanwhile needs none.
    pub(super) fn tell_taken_over(
        &self,
        tx: &mut Transaction,
        by: &SessionId,
        displaced: &SessionId,
        resource: &Resource,
        claim_id: Option<&str>,
    ) -> Result<(), Error> {
        let draft = Draft::taken_over(resource, claim_id, displaced);
        let message = unless_ended(self.composed(tx, by, &Recipient::Session(displaced.clone()), &draft))?;
        if let Some(message) = message {
            tx.write(Write::Add { series: message.series, by: by.clone(), at: message.at, bytes: message.bytes });
        }
        Ok(())
    }
}

/// Who is not here any more need not be told.
pub(super) fn unless_ended<T>(told: Result<T, Error>) -> Result<Option<T>, Error> {
    match told {
        Err(Error::UnknownSession { .. } | Error::EndedSession { .. }) => Ok(None),
        told => told.map(Some),
    }
}

/// A claim's record with the times that count for it: where it tells none that can be believed they come from when it
/// was written, which a copy does not tell.
fn with_times(claim: &Claim) -> ClaimRecord {
    let mut record = claim.record.clone();
    let told = |field: &Option<String>| field.as_deref().and_then(time::parse);
    if told(&record.claimed_at) != Some(claim.claimed_at) {
        record.claimed_at = Some(time::format(claim.claimed_at));
    }
    if told(&record.expires_at) != Some(claim.expires_at) {
        record.expires_at = Some(time::format(claim.expires_at));
    }
    record
}
