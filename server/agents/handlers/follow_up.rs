//! What is done once the agent has its answer.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deconflict_journal::{Entry, Journal};
use deconflict_protocol::SessionId;
use deconflict_registry::{self as registry, MessageId, Registry};

use crate::hook_state::HookStates;

/// What follows when the agent has its answer.
#[derive(Debug, Default)]
pub struct FollowUp {
    pub(super) registry: Option<Registry>,
    pub(super) delivered: Option<(SessionId, Vec<MessageId>)>,
    /// What was taken of the session's work, as the answer tells it.
    pub(super) told: Option<ToldChanges>,
    /// True where the answer takes no more messages.
    pub(super) is_full: bool,
    pub(super) ended: Vec<SessionId>,
    pub(super) refresh_board: bool,
    /// What failed already and hindered nobody.
    pub(super) failure: Option<String>,
    /// What the hooks remember is cleaned up too.
    pub(super) clean_up: Option<HookStates>,
    /// The journal that is to be kept small, as a server would do where one runs, and the directory that it belongs to.
    pub(super) maintained: Option<(Journal, PathBuf)>,
    /// The same in other directories.
    pub(super) elsewhere: Vec<FollowUp>,
}

/// Changes that a session is told of.
#[derive(Debug)]
pub(super) struct ToldChanges {
    pub(super) journal: Journal,
    pub(super) session: SessionId,
    pub(super) changes: Vec<Entry>,
    pub(super) now: DateTime<Utc>,
}

impl FollowUp {
    /// Marks the messages that were delivered as read, releases what sessions held that ended, and brings the status
    /// board up to date. `keep_small` is given each directory whose journal it is time to keep small: that takes seconds, and
    /// the agent waits until this process has ended. Returns what failed, in words for people.
    pub fn carry_out(mut self, keep_small: &dyn Fn(&Path)) -> Vec<String> {
        let elsewhere = std::mem::take(&mut self.elsewhere);
        let mut failures = self.carry_out_here(keep_small);
        failures.extend(elsewhere.into_iter().flat_map(|there| there.carry_out(keep_small)));
        failures
    }

    fn carry_out_here(self, keep_small: &dyn Fn(&Path)) -> Vec<String> {
        let mut failures: Vec<String> = self.failure.into_iter().collect();
        let Some(registry) = self.registry else { return failures };
        let mut note =
            |result: Result<(), registry::Error>| failures.extend(result.err().map(|error| error.to_string()));
        if let Some((session, ids)) = self.delivered {
            note(registry.mark_read(&session, &ids).map(drop));
        }
        if !self.ended.is_empty() {
            note(registry.release_all_ended(&self.ended).map(drop));
        }
        if self.clean_up.is_some() {
            note(registry.clean_up_when_due().map(drop));
        }
        if self.refresh_board {
            note(registry.refresh_board().map(drop));
        } else {
            note(registry.leave_board());
        }
        if let Some(ToldChanges { journal, session, changes, now }) = self.told {
            let noted = changes.iter().try_for_each(|change| journal.was_answered(change, &session, now));
            failures.extend(noted.err().map(|error| error.to_string()));
        }
        if let Some((_, directory)) =
            self.maintained.filter(|(journal, _)| journal.is_upkeep_due(registry.clock().now()))
        {
            keep_small(&directory);
        }
        let cleaned_up = self.clean_up.map_or(Ok(()), |states| states.clean_up(&registry));
        failures.extend(cleaned_up.err().map(|error| error.to_string()));
        failures
    }
}
