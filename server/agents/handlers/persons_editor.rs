//! An agent and its person's editor: only unsaved text stands between them, wherever the agent runs.

use std::time::{Duration, Instant};

use super::context::{SessionContext, Trouble};
use deconflict_registry::{Claim, Draft, Obstacle, Recipient, Session};

/// The editor's server answers within milliseconds, if it gives way at all.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often it is looked whether it did.
const PAUSE: Duration = Duration::from_millis(5);

impl SessionContext<'_> {
    /// Asks the person's editor for what it holds. Its server gives way at once where the person has saved everything.
    /// Returns whether all obstacles are gone.
    pub(super) fn editor_gives_way(&self, session: &Session, obstacles: &[Obstacle]) -> Result<bool, Trouble> {
        for obstacle in obstacles {
            let holder = self.holder(&obstacle.by);
            let is_persons_editor = holder.as_ref().is_some_and(|holder| holder.is_editor_of_person_of(session));
            if !is_persons_editor || !obstacle.by.is_automatic() {
                return Ok(false);
            }
        }
        for obstacle in obstacles {
            self.ask_for(&obstacle.by)?;
        }
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
            let mut are_gone = true;
            for obstacle in obstacles {
                let still = self.registry.claim_of(&obstacle.by.resource)?;
                are_gone &= still.is_none_or(|claim| claim.holder() != obstacle.by.holder());
            }
            if are_gone {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ask_for(&self, claim: &Claim) -> Result<(), Trouble> {
        let Some(holder) = claim.holder() else { return Ok(()) };
        let name = claim.resource.display_name();
        let text = format!("I would like to edit {name}. Save it, and I can.");
        // An agent may try again and again; the person is asked once a minute.
        let id = claim.id().map(|id| format!("editor-{id}-{}", self.now().timestamp() / 60));
        let draft = Draft::release_request(&claim.resource, text, id);
        self.registry.send(&self.own, &Recipient::Session(holder.clone()), &draft)?;
        Ok(())
    }
}
