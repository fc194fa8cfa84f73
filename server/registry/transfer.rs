//! Claims that change hands or places: hand-offs, files that move, and what the displaced are told.

use super::claims::{Claim, HandOffOutcome, Holding, MoveOutcome, ReadClaim, StoredClaim, Terms};
use super::directory::{Durability, Folder};
use super::heartbeats::create_stamped;
use super::holding::{new_holding_id, remove_claim, write_claim, write_claim_bytes};
use super::liveness::SessionState;
use super::messages::{Draft, Recipient};
use super::{Error, Registry};
use deconflict_protocol::{ClaimRecord, HandOffRecord, Resource, SessionId, time};

impl Registry {
    /// Gives a claim to a live session, as one change: a new holding, by hand, for 4 hours. The recipient is told.
    pub fn hand_off(
        &self,
        from: &SessionId,
        resource: &Resource,
        to: &SessionId,
        notes: Option<&str>,
    ) -> Result<HandOffOutcome, Error> {
        let directory = self.directory()?;
        let mut lock = self.lock(&directory)?;
        let file = resource.claim_file_name();
        let Some(stored) = StoredClaim::read(&directory, &file)? else { return Ok(HandOffOutcome::NotFound) };
        let before = self.judged_claim(&directory, &stored)?;
        if !before.held_by(from) {
            return Ok(HandOffOutcome::NotHolder(before));
        }
        let recipient = self.session(to)?;
        let is_alive = match &recipient {
            Some(session) if session.is_forgotten() => self.holds_something(to)?,
            Some(session) => session.state == SessionState::Live,
            None => false,
        };
        if !is_alive {
            return Ok(HandOffOutcome::RecipientNotLive(recipient));
        }
        if let Some(successor) = self.active_obstacle(&directory, from, resource)? {
            // The lease had lapsed, and somebody took something that overlaps.
            return Ok(HandOffOutcome::NotHolder(successor));
        }
        let overlapping = self.overlapping(&directory, resource)?;
        let others = overlapping.into_iter().filter(|claim| claim.file != file && !claim.held_by(to));
        let (stale, kept): (Vec<_>, Vec<_>) = others.partition(Claim::can_be_taken_over);
        if let Some(by) = kept.into_iter().next() {
            return Ok(HandOffOutcome::Refused { by });
        }
        self.take_over(&lock, to, stale)?;
        let terms = Terms {
            phase: before.record.phase.clone(),
            allow_coordination: before.allows_coordination(),
            ..Terms::default()
        };
        let record = self.new_record(&mut lock, to, resource, &terms, None)?;
        if !write_claim(&lock, &file, &record, Some(&before))? {
            let now = self.reread(&directory, &file)?;
            return Ok(HandOffOutcome::NotHolder(now));
        }
        let claim = self.reread(&directory, &file)?;
        drop(lock);
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
        create_stamped(&directory, &Folder::HandOffs, from, now, Durability::Power, &hand_off)?;
        self.send(from, &Recipient::Session(to.clone()), &Draft::handed_off(resource, notes))?;
        Ok(HandOffOutcome::HandedOff(claim))
    }

    /// Lets a claim follow its file to a new place: a new holding, in which everything else stands as it did.
    pub fn move_claim(&self, holding: &Holding, to: &Resource) -> Result<MoveOutcome, Error> {
        let directory = self.directory()?;
        let mut lock = self.lock(&directory)?;
        let file = holding.resource.claim_file_name();
        let Some(read) = ReadClaim::read(&directory, &file)? else { return Ok(MoveOutcome::Lost(None)) };
        let before = self.judged_claim(&directory, &read.stored)?;
        let Some(read) = read.record.filter(|read| holding.is(&read.value)) else {
            return Ok(MoveOutcome::Lost(Some(before)));
        };
        if let Some(displaced) = &before.record.displaced {
            // Nobody could do it later: the new record is about another file.
            self.send_taken_over(&holding.session, displaced, &before.resource, before.record.id.as_deref())?;
        }
        let at_target = self.overlapping(&directory, to)?;
        let is_others = |claim: &Claim| !claim.held_by(&holding.session);
        if let Some(target) = at_target.iter().find(|claim| is_others(claim) && !claim.can_be_taken_over()) {
            remove_claim(&lock, &file)?;
            return Ok(MoveOutcome::Released { target: target.clone() });
        }
        let target_file = to.claim_file_name();
        let (replaced, covered): (Vec<_>, Vec<_>) = at_target.into_iter().partition(|claim| claim.file == target_file);
        let replaced = replaced.first();
        self.take_over(&lock, &holding.session, covered.into_iter().filter(is_others).collect())?;
        let record = ClaimRecord {
            resource_type: Some(to.resource_type().to_string()),
            resource_name: Some(to.name().to_owned()),
            id: Some(new_holding_id()?),
            generation: Some(lock.next_generation(self.now())?),
            displaced: self.displaced(&lock, replaced.filter(|claim| is_others(claim))),
            ..with_times(&before)
        };
        // The new place is held before the old one is free, so that a crash between the two leaves no gap.
        let bytes = read.rewritten(&directory, &Folder::Claims, target_file.as_str(), &record)?;
        if !write_claim_bytes(&lock, &target_file, &bytes, replaced)? {
            let target = self.reread(&directory, &target_file)?;
            remove_claim(&lock, &file)?;
            return Ok(MoveOutcome::Released { target });
        }
        if target_file != file {
            remove_claim(&lock, &file)?;
        }
        let claim = self.reread(&directory, &target_file)?;
        drop(lock);
        self.tell_displaced_if_possible(&claim);
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
        self.send_taken_over(holder, displaced, &claim.resource, claim.record.id.as_deref())?;
        let directory = self.directory()?;
        let _lock = self.lock(&directory)?;
        if let Some(read) = ReadClaim::read(&directory, &claim.file)?
            && let Some(before) = read.record
            && before.value.id == claim.record.id
        {
            let mut record = before.value.clone();
            record.displaced = None;
            before.rewrite(&directory, &Folder::Claims, claim.file.as_str(), &record)?;
        }
        Ok(())
    }

    /// Sends the message that a claim was taken over. A recipient that ended meanwhile needs none.
    pub(super) fn send_taken_over(
        &self,
        by: &SessionId,
        displaced: &SessionId,
        resource: &Resource,
        claim_id: Option<&str>,
    ) -> Result<(), Error> {
        let draft = Draft::taken_over(resource, claim_id, displaced);
        match self.send(by, &Recipient::Session(displaced.clone()), &draft) {
            Ok(_) | Err(Error::UnknownSession { .. } | Error::EndedSession { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A claim's record with the times that count for it: where it tells none that can be believed they come from when its
/// file was written, which a copy does not tell.
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
