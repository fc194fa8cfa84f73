//! What is done once the agent has its answer.

use chrono::{DateTime, Utc};
use deconflict_changes::Recorder;
use deconflict_journal::Journal;
use deconflict_protocol::SessionId;
use deconflict_registry::{self as registry, MessageId, Registry};
use deconflict_workspace::{Ignored, Namer};

use crate::hook_state::HookStates;

/// What follows when the agent has its answer.
#[derive(Debug, Default)]
pub struct FollowUp {
    pub(super) registry: Option<Registry>,
    pub(super) delivered: Option<(SessionId, Vec<MessageId>)>,
    /// True where the answer takes no more messages.
    pub(super) is_full: bool,
    pub(super) ended: Vec<SessionId>,
    pub(super) refresh_board: bool,
    /// What failed already and hindered nobody.
    pub(super) failure: Option<String>,
    /// What the hooks remember is cleaned up too.
    pub(super) clean_up: Option<HookStates>,
    /// The journal is kept small, as a server would do where one runs.
    pub(super) maintained: Option<Maintained>,
    /// The same in other directories.
    pub(super) elsewhere: Vec<FollowUp>,
}

/// The journal of a directory, with what it is kept small by.
#[derive(Debug)]
pub(super) struct Maintained {
    pub(super) journal: Journal,
    pub(super) namer: Namer,
    pub(super) now: DateTime<Utc>,
}

impl FollowUp {
    /// Marks the messages that were delivered as read, releases what sessions held that ended, and brings the status
    /// board up to date. Returns what failed, in words for people: nobody waits for it any more.
    pub fn carry_out(mut self) -> Vec<String> {
        let elsewhere = std::mem::take(&mut self.elsewhere);
        let mut failures = self.carry_out_here();
        failures.extend(elsewhere.into_iter().flat_map(Self::carry_out));
        failures
    }

    fn carry_out_here(self) -> Vec<String> {
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
        }
        if let Some(Maintained { journal, namer, now }) = self.maintained {
            let ignored = Ignored::new();
            let recorder = Recorder { journal: &journal, namer: &namer, ignored: &ignored, registry: Some(&registry) };
            failures.extend(recorder.maintain_when_due(now).err().map(|error| error.to_string()));
        }
        let cleaned_up = self.clean_up.map_or(Ok(()), |states| states.clean_up(&registry));
        failures.extend(cleaned_up.err().map(|error| error.to_string()));
        failures
    }
}
