//! The end: whatever brings it, everything is released and the sessions are completed first.

use std::time::Duration;

use super::server_state::{Phase, ServerState};
use super::timers::Timer;
use crate::effect::Effect;
use crate::event::{DirectoryId, Ending};
use crate::job::Job;
use crate::reply::Reply;

/// What takes longer is left to the others, who find the session's process gone.
const LONGEST: Duration = Duration::from_millis(800);

impl ServerState {
    /// `shutdown`: answered when everything is released.
    pub(super) fn shut_down(&mut self, reply: Reply<()>) {
        self.was_shut_down = true;
        self.shutdown = Some(reply);
        self.begin_to_end();
    }

    /// The process has to end.
    pub(super) fn end(&mut self, ending: Ending) {
        self.exit_code = Some(match ending {
            _ if self.was_shut_down => 0,
            Ending::Editor => 1,
            // What a shell says of a process that a signal ended.
            Ending::Signal(number) => 128_u8.saturating_add(number),
        });
        self.begin_to_end();
    }

    fn begin_to_end(&mut self) {
        if !matches!(self.phase, Phase::Ending | Phase::Ended) {
            self.phase = Phase::Ending;
            self.timers.set(Timer::End, self.now() + LONGEST);
            for (id, directory) in &mut self.directories {
                if !std::mem::replace(&mut directory.is_ending, true) {
                    self.effects.push(Effect::Job(*id, Job::Complete));
                }
            }
        }
        if self.phase == Phase::Ended || self.directories.is_empty() {
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
        if let Some(reply) = self.shutdown.take() {
            reply.send(Ok(()));
        }
        if let Some(exit_code) = self.exit_code {
            self.effects.push(Effect::Exit(exit_code));
        }
    }
}
