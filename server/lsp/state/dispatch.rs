//! Gives each event, each timer and each result of a job to its handler.

use std::time::Duration;

use super::server_state::{Phase, ServerState};
use super::timers::Timer;
use crate::effect::Effect;
use crate::event::{DirectoryId, Event};
use crate::job::{Job, JobResult};
use crate::present::messages;

impl ServerState {
    /// Takes in an event, and returns the effects. What the editor is to show after it is left to [`Self::publish`].
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Effect> {
        self.notice_sleep();
        self.take_in(event);
        while let Some(timer) = self.timers.take_due(self.now()) {
            self.fire(timer);
        }
        self.tell_editing();
        std::mem::take(&mut self.effects)
    }

    /// Returns the effects that let the editor show what reads differently by now.
    pub(crate) fn publish(&mut self) -> Vec<Effect> {
        self.show_what_changed();
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Tick`] is wanted next, by the clock's [`Clock::elapsed`].
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.timers.next()
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Shutdown(reply) => self.shut_down(reply),
            Event::End(ending) => self.end(ending),
            Event::JobResult(directory, done) if matches!(*done, JobResult::Completed) => self.completed(directory),
            Event::JobResult(_, done)
                if self.phase == Phase::EndReason && matches!(*done, JobResult::Commanded { .. }) =>
            {
                self.answer_late(*done);
            }
            // Whatever else comes while everything is being released would only undo that.
            _ if matches!(self.phase, Phase::EndReason | Phase::Ended) => {}
            Event::Initialize(parameters, reply) => self.initialize(&parameters, reply),
            Event::Initialized => self.initialized(),
            Event::ConfigurationChanged(settings) => self.configuration_changed(&settings),
            Event::Configured(settings) => self.configured(settings),
            Event::FoldersChanged { added, removed } => self.folders_changed(&added, &removed),
            Event::Located(uri, location) => self.located(&uri, *location),
            Event::Heard(id) => self.job(id, Job::JournalHeard),
            Event::Unused(remarks) => self.log(remarks),
            Event::Opened { uri, text } => self.opened(&uri, text.as_deref()),
            Event::DocumentChanged { uri, edits } => self.changed(&uri, &edits),
            Event::Saving(uri) => self.saving(&uri),
            Event::Saved(uri) => self.saved(&uri),
            Event::Closed(uri) => self.closed(&uri),
            Event::FilesGoing(uris, reply) => self.files_going(&uris, reply),
            Event::FilesDeleted(uris) => self.files_deleted(&uris),
            Event::FilesRenamed(names) => self.files_renamed(&names),
            Event::Request(request) => self.answer(request),
            Event::Execute(parameters, reply) => self.execute(parameters, reply),
            Event::JobResult(directory, done) => self.done(directory, *done),
            Event::Changed(directory, changes) => self.directory_changed(directory, changes),
            Event::Told(directory, messages) => self.job(directory, Job::MarkRead(messages)),
            Event::Tick => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        if self.phase == Phase::Ended || (self.phase == Phase::EndReason && timer != Timer::End) {
            return;
        }
        match timer {
            Timer::Configuration => self.configured(None),
            Timer::CheckDisk(uri) => self.check_again(&uri),
            Timer::CheckFiles(directory) => self.check_files(directory),
            Timer::Retry(uri) => self.consider(&uri),
            Timer::Withdraw(uri) => self.withdraw(&uri),
            Timer::SameEditor(uri) => self.same_editor_clash_lasted(&uri),
            Timer::Closed(directory, file) => self.stayed_closed(directory, &file),
            Timer::Sweep(directory) => self.sweep(directory),
            Timer::Verify(directory) => self.verify_unseen(directory),
            Timer::Asleep(directory) => self.tell_lost_asleep(directory),
            Timer::KeepAlive(directory) => self.keep_alive(directory),
            Timer::Machine(directory) => self.look_what_came_free_of_machine(directory),
            Timer::Damage(directory) => self.tell_damage(directory),
            Timer::Saves(directory) => self.tell_saves(directory),
            Timer::Claims(directory) => self.tell_claims(directory),
            Timer::Announce(directory) => self.announce(directory),
            Timer::Contended(directory) => self.tell_of_contenders(directory),
            Timer::View(directory) => self.view_aged(directory),
            Timer::Show(uri) => drop(self.touched.insert(uri)),
            Timer::RefreshHints => self.refresh_hints(),
            Timer::Messages => self.sum_up_messages(),
            Timer::Losses => self.sum_up_losses(),
            Timer::Status => self.tell_status(),
            Timer::End => self.end_now(),
        }
    }

    fn done(&mut self, id: DirectoryId, done: JobResult) {
        match done {
            JobResult::Joined { session, claims, view, directory } => self.joined(id, session, claims, view, directory),
            JobResult::Observing { view, directory } => self.observing(id, view, &directory),
            JobResult::OnlyAdvice(directory) => self.show(messages::only_advice(&directory)),
            JobResult::GuardMissing(sentence) if !self.settings.is_quiet => {
                self.show(messages::guard_missing(sentence));
            }
            JobResult::NotAdopted(directory) => self.not_adopted(id, &directory),
            JobResult::DiskChecked { uri, number, place, on_disk, claim } => {
                self.disk_checked(id, &uri, number, place, on_disk, claim);
            }
            JobResult::Written(documents) => self.files_written(&documents),
            JobResult::Losses(resource, losses) => self.losses_found(id, &resource, losses),
            JobResult::JournalAsks => self.effects.push(Effect::Hear(id)),
            JobResult::Beside(resource, owners) if !self.settings.is_quiet => {
                self.show(messages::others_beside(&resource, &owners));
            }
            JobResult::Beside(..) | JobResult::GuardMissing(_) => {}
            JobResult::TookFromOthers { change, path, lost } => self.took_from_others(&change, &path, &lost),
            JobResult::Released(holding, outcome) => self.released(id, &holding, &outcome),
            JobResult::Renewed(holding, outcome) => self.renewed(id, &holding, outcome),
            JobResult::Verified(resource, claim) => self.verified(id, &resource, claim),
            JobResult::FreeOfMachine(resources) => self.came_free_of_machine(id, &resources),
            JobResult::Moved(holding, outcome) => self.moved(id, &holding, outcome),
            JobResult::Read(messages) => self.messages_read(id, &messages),
            JobResult::Commanded { question, answer, consequences } => {
                self.commanded(id, question, answer, consequences);
            }
            JobResult::EditingUntold => self.editing_untold(id),
            JobResult::Failed(cause) => self.tell_failure(&cause),
            JobResult::Completed => self.completed(id),
        }
    }
}
