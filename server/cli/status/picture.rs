//! What there is to be shown, as it was at one moment.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deconflict_changes::end_removed_worktrees;
use deconflict_protocol::SessionId;
use deconflict_registry::{Claim, Overview, Session};

use super::work::Work;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::identity;
use crate::cli::waiting::{PlaceInLine, places};

/// Everything that is shown, as it was at one moment.
pub(super) struct Picture {
    pub(super) directory: String,
    pub(super) now: DateTime<Utc>,
    pub(super) own: Option<Session>,
    pub(super) unread: usize,
    pub(super) overview: Option<Overview>,
    /// Who waits in line, as far as that was looked for.
    pub(super) waiting: Vec<PlaceInLine>,
    pub(super) work: Work,
}

impl Picture {
    pub(super) fn look(context: &Context) -> Result<Self, Failure> {
        let picture = Self::without_work(context)?;
        let Some(registry) = context.existing_registry()?.filter(|_| picture.overview.is_some()) else {
            return Ok(picture);
        };
        Ok(Self { work: Work::look(context), waiting: places(&registry)?, ..picture })
    }

    /// What fits a prompt, which must not wait for git.
    pub(super) fn glance(context: &Context) -> Result<Self, Failure> {
        let picture = Self::without_work(context)?;
        let work = if picture.own.is_some() { Work::look_for_losses(context) } else { Work::default() };
        Ok(Self { work, ..picture })
    }

    fn without_work(context: &Context) -> Result<Self, Failure> {
        let directory = context.location()?.directory.display().to_string();
        let now = context.now();
        let Some(registry) = context.existing_registry()? else {
            let (overview, waiting, work) = (None, Vec::new(), Work::default());
            return Ok(Self { directory, now, own: None, unread: 0, overview, waiting, work });
        };
        let mut overview = registry.overview()?;
        if overview.claims.iter().any(|claim| claim.resource.worktree().is_some()) {
            // Where the directory can only be read, they stay.
            let _ = end_removed_worktrees(&registry, &context.namer()?);
            overview = registry.overview()?;
        }
        let live = || Ok(overview.sessions.iter().filter(|session| overview.is_alive(session)).cloned().collect());
        // Whoever names a session that is not there still wants to see those that are.
        let own = identity::find_among(context, &registry, live).unwrap_or_default();
        let unread = match &own {
            Some(own) => {
                let unread = registry.unread_messages(&own.id)?;
                unread.iter().filter(|message| own.wants_to_hear(message, now)).count()
            }
            None => 0,
        };
        if let Some(own) = &own {
            overview = overview.as_seen_by(&own.id, now);
        }
        let (overview, waiting, work) = (Some(overview), Vec::new(), Work::default());
        Ok(Self { directory, now, own, unread, overview, waiting, work })
    }

    pub(super) fn is_own_claim(&self, claim: &Claim) -> bool {
        self.own.as_ref().is_some_and(|own| claim.held_by(&own.id))
    }
}

pub(super) fn holders(sessions: &[Session]) -> HashMap<&SessionId, &Session> {
    sessions.iter().map(|session| (&session.id, session)).collect()
}
