//! Leases of what edits claimed: long while the agent works, short when its turn is over.

use chrono::TimeDelta;

use super::{Desk, Trouble};
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Activity, Note, Notebook, Registry, RenewOutcome};
use deconflict_workspace::committed;

/// Leases are renewed at most this often.
const RENEWAL_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// What is left of a lease when the turn ends and the file is not as it was last committed.
pub(super) const IDLE: TimeDelta = TimeDelta::minutes(15);

/// Saves are told at most this often, all files since the last time together.
const HEARTBEAT_PAUSE: TimeDelta = TimeDelta::seconds(15);

/// So many files are compared with the last commit at the end of a turn; the others keep the short lease.
const MOST_COMPARED: usize = 200;

impl Desk<'_> {
    /// Renews everything that edits claimed, if that is due.
    pub(super) fn renew_all(&self, registry: &Registry) -> Result<(), Trouble> {
        let notebook = registry.notebook(&self.own)?;
        let mut notes = Vec::new();
        self.renew_others(registry, &notebook, &[], &mut notes)?;
        Ok(registry.note(&self.own, &notes)?)
    }

    /// The same without what was claimed a moment ago. What is to be remembered is added to `notes`.
    pub(super) fn renew_others(
        &self,
        registry: &Registry,
        notebook: &Notebook,
        just_claimed: &[Resource],
        notes: &mut Vec<Note>,
    ) -> Result<(), Trouble> {
        let now = self.now();
        if notebook.renewed_at.is_some_and(|at| now - at < RENEWAL_PAUSE && at <= now) {
            return Ok(());
        }
        for resource in notebook.claimed.iter().filter(|resource| !just_claimed.contains(resource)) {
            if !self.still_held(registry, resource, |holding| registry.renew(holding, self.lease))? {
                notes.push(Note::Released { resource: resource.clone() });
            }
        }
        notes.push(Note::Renewed { at: now });
        Ok(())
    }

    /// Gives up what is as it was last committed, and leaves a short lease on the rest.
    pub(super) fn cut_leases(&self, registry: &Registry) -> Result<(), Trouble> {
        let notebook = registry.notebook(&self.own)?;
        let mut notes = vec![Note::TurnEnded];
        for (number, resource) in notebook.claimed.iter().enumerate() {
            let path = self.namer.path_of(resource).filter(|_| number < MOST_COMPARED);
            let is_as_committed = path.is_some_and(|path| committed::equals_last_commit(&path).unwrap_or(false));
            let is_held = self.still_held(registry, resource, |holding| {
                if is_as_committed {
                    registry.release_holding(holding)?;
                    return Ok(RenewOutcome::Lost(None));
                }
                registry.shorten(holding, IDLE)
            })?;
            if !is_held {
                notes.push(Note::Released { resource: resource.clone() });
            }
        }
        Ok(registry.note(&self.own, &notes)?)
    }

    /// Tells the others what a session changed, if that is due; at the end of a turn it always is. Returns whether it
    /// did.
    pub(super) fn tell_others(&self, registry: &Registry, session: &SessionId, at_once: bool) -> Result<bool, Trouble> {
        let notebook = registry.notebook(session)?;
        let now = self.now();
        let is_early = notebook.told_at.is_some_and(|at| now - at < HEARTBEAT_PAUSE && at <= now);
        if notebook.touched.is_empty() || (is_early && !at_once) {
            return Ok(false);
        }
        let activity = Activity {
            action: "editing".to_owned(),
            target: notebook.touched.last().map(ToString::to_string),
            files_touched: notebook.touched.iter().map(|resource| resource.name().to_owned()).collect(),
            ..Activity::default()
        };
        registry.heartbeat(session, &activity)?;
        registry.note(session, &[Note::Told { at: now }])?;
        Ok(true)
    }

    /// Does something with a claim that an edit made, if the session still has it. Returns whether it has it then.
    fn still_held(
        &self,
        registry: &Registry,
        resource: &Resource,
        change: impl FnOnce(&deconflict_registry::Holding) -> Result<RenewOutcome, deconflict_registry::Error>,
    ) -> Result<bool, Trouble> {
        let claim = registry.claim_of(resource)?;
        // What was claimed by hand meanwhile keeps the terms of the hand.
        let claim = claim.filter(|claim| claim.held_by(&self.own) && claim.is_automatic());
        let Some(holding) = claim.and_then(|claim| claim.holding()) else { return Ok(false) };
        Ok(matches!(change(&holding)?, RenewOutcome::Renewed(_)))
    }
}
