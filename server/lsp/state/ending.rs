//! The end: whatever brings it, everything is released and the sessions are completed first.

use std::time::Duration;

use serde_json::json;

use super::server_state::{Phase, Question, ServerState};
use super::timers::Timer;
use crate::effect::Effect;
use crate::event::{DirectoryId, EndReason};
use crate::job::{Job, JobResult};
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
    pub(super) fn end(&mut self, ending: EndReason) {
        self.exit_code = Some(match ending {
            _ if self.was_shut_down => 0,
            EndReason::Editor => 1,
            // What a shell says of a process that a signal ended.
            EndReason::Signal(number) => 128_u8.saturating_add(number),
        });
        self.begin_to_end();
    }

    fn begin_to_end(&mut self) {
        if !matches!(self.phase, Phase::EndReason | Phase::Ended) {
            self.phase = Phase::EndReason;
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
        if self.phase == Phase::EndReason && self.directories.is_empty() {
            self.end_now();
        }
    }

    /// What a command did that was asked for before the end. What would follow from it is released by now.
    pub(super) fn answer_late(&mut self, done: JobResult) {
        let JobResult::Commanded { question, answer, .. } = done else { return };
        let Some(Question { reply, .. }) = self.questions.remove(&question) else { return };
        // What it was refused for, if it was, is nobody's business any more.
        reply.send(Ok(Some(answer.unwrap_or_else(|_| json!({ "ok": false, "reason": "ending" })))));
    }

    pub(super) fn end_now(&mut self) {
        self.phase = Phase::Ended;
        // Whoever still waits is told before the end that there will be no answer.
        self.early_commands.clear();
        self.questions.clear();
        for document in self.documents.values_mut() {
            for request in std::mem::take(&mut document.waiting) {
                request.answer_nothing();
            }
        }
        self.timers.cancel(&Timer::End);
        if let Some(reply) = self.shutdown.take() {
            reply.send(Ok(()));
        }
        if let Some(exit_code) = self.exit_code {
            self.effects.push(Effect::Exit(exit_code));
        }
    }
}
