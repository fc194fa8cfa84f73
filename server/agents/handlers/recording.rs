//! What the journal is told at each event, and who is told what came of it. Where the journal fails, work goes on.

use std::fmt::Display;

use super::context::{SessionContext, Trouble};
use super::follow_up::ToldChanges;
use crate::answer::Answer;
use crate::event::EventKind;
use crate::words;
use deconflict_changes::{HeldList, Lost, Noticed, Recorder, Telling, author_of};
use deconflict_journal::{Author, Cause, Entry, LONGEST_ANSWER, Loss};
use deconflict_protocol::Resource;

impl SessionContext<'_> {
    pub(super) fn recorder(&self) -> Option<Recorder<'_>> {
        let journal = self.journal.as_ref()?;
        Some(Recorder { journal, namer: &self.namer, ignored: &self.ignored, registry: Some(&self.registry) })
    }

    /// Keeps what stands in files now.
    pub(super) fn keep(&self, files: &[Resource]) {
        let Some(recorder) = self.recorder() else { return };
        for file in files.iter().filter(|file| file.is_file()) {
            self.unless_failed(recorder.look(file, self.now()));
        }
    }

    /// Keeps what stands in what anybody holds by hand, who tells of no edit.
    pub(super) fn keep_held(&self) {
        let (Some(recorder), Some(repository)) = (self.recorder(), &self.location.repository) else { return };
        let list = HeldList::of(recorder.journal, repository);
        let watched = self.unless_failed(recorder.journal.watched()).unwrap_or_default();
        self.unless_failed(recorder.look_at_held(repository, Some(&list), &watched, self.now()));
    }

    /// What an agent has not committed of these is its sub-agent's when that goes on with it.
    pub(super) fn inherit_work(&self, files: &[Resource]) {
        let (Some(main), Some(journal)) = (self.predecessor(), &self.journal) else { return };
        let Some(heir) = self.unless_failed(self.registry.session(&self.own)).flatten() else { return };
        for file in files {
            let Some(log) = self.unless_failed(journal.log(file)) else { continue };
            let is_main = |author: &Author| author.session == *main;
            if log.entries().iter().any(|entry| entry.author.as_ref().is_some_and(is_main)) {
                self.unless_failed(journal.give(file, main, &author_of(&heir), self.now()));
            }
        }
    }

    /// Keeps what an edit of the session has left in files, and tells whoever lost something by it.
    pub(super) fn record_edit(&self, author: &Author, files: &[Resource], answer: &mut Answer) {
        let Some(recorder) = self.recorder() else { return };
        let state = self.hook_state(&self.own);
        let mut noticed = Vec::new();
        for file in files {
            let now = self.now();
            let began = state.edits.get(file).copied().unwrap_or(now);
            let change = recorder.changed_by(author, Cause::Edit, file, began, now);
            noticed.extend(self.unless_failed(change).flatten());
        }
        self.tell_of_changes("edit", &noticed, answer);
    }

    /// Tells whoever lost something by changes of the session, and the session itself.
    pub(super) fn tell_of_changes(&self, what: &str, noticed: &[Noticed], answer: &mut Answer) {
        let taking: Vec<&Noticed> = noticed.iter().filter(|noticed| !noticed.lost.is_empty()).collect();
        let Some(recorder) = self.recorder().filter(|_| !taking.is_empty()) else { return };
        for noticed in &taking {
            self.unless_failed(Telling { recorder, by: Some(&self.own) }.tell(noticed, self.now()));
        }
        answer.tell(words::taken(what, &taking, |resource| self.path_to_type(resource)));
    }

    /// Looks whether files were changed that somebody holds or has uncommitted changes in, finds out who lost by what
    /// nobody says they did, and tells them. The session is told at once where the event has an answer for its model.
    pub(super) fn notice(&self, answer: &mut Answer) -> Result<(), Trouble> {
        let Some(recorder) = self.recorder() else { return Ok(()) };
        let watched = self.unless_failed(recorder.journal.watched()).unwrap_or_default();
        if watched.is_empty() || !self.is_own_live()? {
            return Ok(());
        }
        let is_heard = self.surroundings.agent.takes_context(&self.event.name);
        let mut own = if is_heard { self.not_yet_told(recorder) } else { Vec::new() };
        for one in &watched {
            let settled = self.unless_failed(recorder.look_again(one, self.now()));
            let Some(noticed) = settled.flatten() else { continue };
            let telling = Telling { recorder, by: is_heard.then_some(&self.own) };
            self.unless_failed(telling.tell(&noticed, self.now()));
            let lost = noticed.lost.into_iter().find(|lost| is_heard && lost.owner.session == self.own);
            own.extend(lost.map(|lost| (noticed.entry, lost)));
        }
        // Whose the change is may be found at the same time by its author, who tells it too. What could not be noted is told.
        let begin = |entry: &Entry| recorder.journal.begin_telling(entry, &self.own, self.now());
        own.retain(|(entry, _)| self.unless_failed(begin(entry)).unwrap_or(true));
        let typed = |resource: &Resource| self.namer.path_of(resource).map(|_| self.path_to_type(resource));
        for text in words::losses(&own, typed, self.now()) {
            answer.tell(text);
        }
        self.told.borrow_mut().extend(own.into_iter().map(|(entry, _)| entry));
        Ok(())
    }

    /// What an earlier event found that the session had lost, and whose answer never came: it was late, or the agent ended
    /// its hook. It is looked for once a turn.
    fn not_yet_told(&self, recorder: Recorder) -> Vec<(Entry, Lost)> {
        if self.event.kind != EventKind::Prompted {
            return Vec::new();
        }
        let losses = self.unless_failed(recorder.journal.losses()).unwrap_or_default().into_iter();
        let is_meant = |loss: &Loss| {
            loss.owner.session == self.own && loss.told.is_empty() && self.now() - loss.at > LONGEST_ANSWER
        };
        let lost = |loss: &Loss| {
            let held = self.registry.claims_on(&loss.entry.resource).unwrap_or_default();
            let held = held.iter().any(|claim| claim.is_active() && claim.held_by(&self.own));
            Lost { owner: loss.owner.clone(), held, lines: usize::from(!held), form: false }
        };
        losses.filter(is_meant).map(|loss| (loss.entry.clone(), lost(&loss))).collect()
    }

    /// What the session is told of by the answer. It counts as told once the agent has that.
    pub(super) fn told_by_then(&self) -> Option<ToldChanges> {
        let (journal, changes) = (self.journal.clone()?, self.told.take());
        (!changes.is_empty()).then(|| ToldChanges { journal, session: self.own.clone(), changes, now: self.now() })
    }

    /// A file as a word of a command line in the agent's folder.
    pub(super) fn path_to_type(&self, resource: &Resource) -> String {
        let path = self.namer.path_of(resource).unwrap_or_else(|| resource.name().into());
        words::path_to_type(&path, &self.location.workspace)
    }

    /// What came of something that hinders nobody's work by failing. The first failure is told once all is done.
    pub(super) fn unless_failed<T>(&self, result: Result<T, impl Display>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.borrow_mut().get_or_insert_with(|| error.to_string());
                None
            }
        }
    }
}
