//! The end: whatever brings it, everything is released and the sessions are completed first.

use std::time::Duration;

use super::timers::Timer;
use super::{Phase, ServerState};
use crate::effect::Effect;
use crate::event::{DirectoryId, Ending, Reply};
use crate::job::Job;

/// What takes longer is left to the others, who find the session's process gone.
const LONGEST: Duration = Duration::from_millis(800);

/// What the end waits for, and what it answers.
#[derive(Debug, Default)]
pub(super) struct End {
    reply: Option<Reply<()>>,
    exit_code: Option<u8>,
    was_asked: bool,
}

impl ServerState {
    /// `shutdown`: answered when everything is released.
    pub(super) fn shut_down(&mut self, reply: Reply<()>) {
        self.end.was_asked = true;
        self.end.reply = Some(reply);
        self.begin_to_end();
    }

    /// The process has to end.
    pub(super) fn end(&mut self, ending: Ending) {
        self.end.exit_code = Some(match ending {
            _ if self.end.was_asked => 0,
            Ending::Editor => 1,
            // What a shell says of a process that a signal ended.
            Ending::Signal(number) => 128_u8.saturating_add(number),
        });
        self.begin_to_end();
    }

    fn begin_to_end(&mut self) {
        if self.phase == Phase::Ended {
            self.end_now();
            return;
        }
        if self.phase != Phase::Ending {
            self.phase = Phase::Ending;
            self.timers.set(Timer::End, self.now() + LONGEST);
            let ids: Vec<DirectoryId> = self.directories.keys().copied().collect();
            for id in ids {
                if let Some(directory) = self.directories.get_mut(&id)
                    && !std::mem::replace(&mut directory.is_ending, true)
                {
                    self.job(id, Job::Complete);
                }
            }
        }
        if self.directories.is_empty() {
            self.end_now();
        }
    }

    /// A directory's worker has ended.
    pub(super) fn completed(&mut self, id: DirectoryId) {
        self.directories.remove(&id);
        if self.phase == Phase::Ending && self.directories.is_empty() {
            self.end_now();
        }
    }

    pub(super) fn end_now(&mut self) {
        self.phase = Phase::Ended;
        self.timers.cancel(&Timer::End);
        if let Some(reply) = self.end.reply.take() {
            reply.send(Ok(()));
        }
        if let Some(exit_code) = self.end.exit_code {
            self.effects.push(Effect::Exit(exit_code));
        }
    }
}
