//! Looking whether files were changed that somebody holds or has uncommitted changes in, by whoever comes by.

use chrono::{DateTime, Utc};
use deconflict_journal::{Observation, Stamp, Watched};
use deconflict_protocol::{Resource, SessionId};

use super::stood::Stood;
use super::{Error, Noticed, Recorder};

impl Recorder<'_> {
    /// Looks at a file that is worth a look, if it may have changed, and finds out who lost by what nobody says they did.
    pub fn look_again(&self, watched: &Watched, now: DateTime<Utc>) -> Result<Option<Noticed>, Error> {
        let mut is_unsettled = watched.is_unsettled;
        if self.may_have_changed(watched) {
            let candidates = self.may_have_done_it(watched, now)?;
            let entry = self.observe(&watched.resource, Observation { candidates, ..Observation::look(now) })?;
            is_unsettled |= entry.is_some_and(|entry| entry.author.is_none());
        }
        if !is_unsettled || self.is_left_to_holder(&watched.resource, now)? {
            return Ok(None);
        }
        self.settle_unknown(&watched.resource, now)
    }

    /// The sessions whose commands ran since somebody looked at a file.
    fn may_have_done_it(&self, watched: &Watched, now: DateTime<Utc>) -> Result<Vec<SessionId>, Error> {
        let worktree = watched.resource.worktree().unwrap_or_default();
        let mut candidates: Vec<SessionId> = Vec::new();
        for run in self.journal.overlapping(worktree, watched.at, now)? {
            let registry = self.present_registry();
            let session = registry.map(|registry| registry.session(&run.session)).transpose()?.flatten();
            // Of an agent that is gone nobody tells the end.
            let is_over = run.ended.is_none() && !session.is_some_and(|session| session.is_live());
            if !is_over && !candidates.contains(&run.session) {
                candidates.push(run.session);
            }
        }
        Ok(candidates)
    }

    /// False for a file that is as it was when somebody looked last.
    pub fn may_have_changed(&self, watched: &Watched) -> bool {
        self.differs(&watched.resource, watched.stamp)
    }

    /// False if a file certainly is as it was when it had such a stamp.
    pub(super) fn differs(&self, resource: &Resource, then: Option<Stamp>) -> bool {
        Stood::of(then).is_other(self.stamp_of(resource))
    }

    /// How a file stands now; `None` if nothing can be told.
    pub(super) fn stamp_of(&self, resource: &Resource) -> Option<Stamp> {
        self.namer.path_of(resource).and_then(|path| Stamp::of(&path))
    }
}
