//! Leases of what edits claimed: long while the agent works, short when its turn is over.

use chrono::TimeDelta;

use super::context::{SessionContext, Trouble};
use crate::hook_state::Note;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{self as registry, Activity, EDIT_LEASE, Holding, RENEWAL_PAUSE, RenewOutcome};
use deconflict_workspace::committed;

/// Saves are told at most this often, all files since the last time together.
const HEARTBEAT_PAUSE: TimeDelta = TimeDelta::seconds(15);

/// So many files are compared with the last commit at the end of a turn; the others keep the short lease.
const MOST_COMPARED: usize = 200;

impl SessionContext<'_> {
    /// Renews everything that edits claimed, if that is due.
    pub(super) fn renew_all(&self) -> Result<(), Trouble> {
        let state = self.hook_state(&self.own);
        let now = self.now();
        if state.renewed_at.is_some_and(|at| now - at < RENEWAL_PAUSE && at <= now) {
            return Ok(());
        }
        let mut notes = vec![Note::Renewed { at: now }];
        for resource in &state.claimed {
            if !self.still_held(resource, |holding| self.registry.renew(holding, self.lease))? {
                notes.push(Note::Released { resource: resource.clone() });
            }
        }
        self.note(&self.own, &notes)
    }

    /// Gives up what is as it was last committed, and leaves a short lease on the rest.
    pub(super) fn cut_leases(&self) -> Result<(), Trouble> {
        let state = self.hook_state(&self.own);
        let mut notes = vec![Note::TurnEnded];
        for (number, resource) in state.claimed.iter().enumerate() {
            let path = self.namer.path_of(resource).filter(|_| number < MOST_COMPARED);
            let is_as_committed = path.is_some_and(|path| committed::equals_last_commit(&path).unwrap_or(false));
            let is_held = self.still_held(resource, |holding| {
                if is_as_committed {
                    self.registry.release_holding(holding)?;
                    return Ok(RenewOutcome::Lost(None));
                }
                self.registry.shorten(holding, EDIT_LEASE)
            })?;
            if !is_held {
                notes.push(Note::Released { resource: resource.clone() });
            }
        }
        self.note(&self.own, &notes)
    }

    /// Tells the others what a session changed, if that is due; at the end of a turn it always is. Returns whether it
    /// did.
    pub(super) fn tell_others(&self, session: &SessionId, at_once: bool) -> Result<bool, Trouble> {
        let state = self.hook_state(session);
        let now = self.now();
        let is_early = state.told_at.is_some_and(|at| now - at < HEARTBEAT_PAUSE && at <= now);
        if state.touched.is_empty() || (is_early && !at_once) {
            return Ok(false);
        }
        let activity = Activity {
            action: "editing".to_owned(),
            target: state.touched.last().map(ToString::to_string),
            files_touched: state.touched.iter().map(|resource| resource.name().to_owned()).collect(),
            ..Activity::default()
        };
        self.registry.heartbeat(session, &activity)?;
        self.note(session, &[Note::Told { at: now }])?;
        Ok(true)
    }

    /// Does something with a claim that an edit made, if the session still has it. Returns whether it has it then.
    fn still_held(
        &self,
        resource: &Resource,
        change: impl FnOnce(&Holding) -> Result<RenewOutcome, registry::Error>,
    ) -> Result<bool, Trouble> {
        let claim = self.registry.claim_of(resource)?;
        // What was claimed by hand meanwhile keeps the terms of the hand.
        let claim = claim.filter(|claim| claim.held_by(&self.own) && claim.is_automatic());
        let Some(holding) = claim.and_then(|claim| claim.holding()) else { return Ok(false) };
        Ok(matches!(change(&holding)?, RenewOutcome::Renewed(_)))
    }
}
