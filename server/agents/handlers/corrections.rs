//! Files of the agent's that others changed while it waited, as its person does who reviews them: it is told when its next
//! turn begins, so that it does not build on what is not there any more.

use std::slice;

use super::context::SessionContext;
use crate::answer::Answer;
use crate::event::EventKind;
use crate::file_state::{has_changed, state_of};
use crate::hook_state::Note;
use crate::words;
use deconflict_changes::Recorder;
use deconflict_journal::Entry;
use deconflict_protocol::Resource;

impl SessionContext<'_> {
    /// Tells of them once, at the prompt that begins the turn or at the first event after it whose answer reaches the model.
    pub(super) fn tell_of_corrections(&self, answer: &mut Answer) {
        let begins = self.event.kind == EventKind::Prompted;
        let owes = self.hook_state(&self.own).owes_corrections;
        if !self.surroundings.agent.takes_context(&self.event.name) {
            if begins && !owes {
                self.unless_failed(self.note(&self.own, &[Note::CorrectionsOwed]));
            }
            return;
        }
        let Some(recorder) = self.recorder().filter(|_| begins || owes) else { return };
        let (mut changes, mut notes) = (Vec::new(), Vec::new());
        for (resource, state) in self.changed_since_seen() {
            if let Some(entry) = self.correction(recorder, &resource) {
                changes.push(entry);
                notes.push(Note::Corrected { resource, state });
            }
        }
        notes.extend(owes.then_some(Note::CorrectionsTold));
        self.unless_failed(self.note(&self.own, &notes));
        if !changes.is_empty() {
            changes.sort_by_key(|entry| entry.at);
            answer.tell(words::corrections(&changes, self.now()));
        }
    }

    /// The files that are not as the agent saw them last, and how they stand now, unless it was told of that.
    fn changed_since_seen(&self) -> Vec<(Resource, String)> {
        let known = self.hook_state(&self.own);
        let mut changed = Vec::new();
        for (resource, seen) in &known.seen {
            let path = self.namer.path_of(resource).filter(|path| has_changed(path, seen));
            if let Some(state) = path.and_then(|path| state_of(&path))
                && known.corrected.get(resource) != Some(&state)
            {
                changed.push((resource.clone(), state));
            }
        }
        changed
    }

    /// The newest change of a file that the agent had changed, if it is somebody else's. What nobody says they did, and what
    /// took something of the agent's work, is told elsewhere.
    fn correction(&self, recorder: Recorder, resource: &Resource) -> Option<Entry> {
        self.keep(slice::from_ref(resource));
        let log = self.unless_failed(recorder.journal.log(resource))?;
        let family = self.family();
        let is_own = |entry: &Entry| entry.author.as_ref().is_some_and(|author| family.contains(&author.session));
        let mut entries = log.entries();
        let newest = entries.pop().filter(|entry| entry.author.is_some() && !is_own(entry))?;
        let is_loss =
            log.losses().iter().any(|loss| loss.entry.id == newest.id && family.contains(&loss.owner.session));
        (entries.iter().any(is_own) && !is_loss).then_some(newest)
    }
}
