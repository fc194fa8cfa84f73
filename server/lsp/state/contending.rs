//! Telling the holder, once, that another begins to edit what they hold.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::present::messages;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::Claim;

/// The diagnostic is there at once. Who saves or undoes within this time is told of by what they saved, or not at all.
const GATHERING: Duration = Duration::from_secs(2);

impl ServerState {
    /// Looks who edits what is held here.
    pub(super) fn notice_contenders(&mut self, id: DirectoryId) {
        let editors = self.contending(id);
        let (now, wall) = (self.now(), self.clock.now());
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let mut told = std::mem::take(&mut directory.told_contenders);
        told.retain(|(resource, _)| directory.own_claim(resource, wall).is_some());
        let before = directory.to_tell_contenders.len();
        directory.to_tell_contenders.extend(editors.into_iter().filter(|editor| told.insert(editor.clone())));
        let is_new = directory.to_tell_contenders.len() > before;
        directory.told_contenders = told;
        if is_new {
            self.timers.set_by(Timer::Contended(id), now + GATHERING);
        }
    }

    /// Whoever was displaced by a take-over may have been editing there, as the user knows.
    pub(super) fn note_displaced(&mut self, id: DirectoryId, claim: &Claim) {
        if let (Some(directory), Some(displaced)) = (self.directories.get_mut(&id), &claim.record.displaced) {
            directory.told_contenders.insert((claim.resource.clone(), displaced.clone()));
        }
    }

    /// Tells of those who are at it still.
    pub(super) fn tell_of_contenders(&mut self, id: DirectoryId) {
        let editors = self.contending(id);
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let to_tell = std::mem::take(&mut directory.to_tell_contenders);
        let still: Vec<_> = to_tell.into_iter().filter(|editor| editors.contains(editor)).collect();
        if self.settings.is_quiet {
            return;
        }
        let wanted = still.iter().filter(|(_, session)| !self.is_muted(id, Some(session)));
        let named: Vec<_> = wanted
            .filter_map(|(resource, session)| Some((resource, session, self.session_at(id, session)?.label())))
            .collect();
        let Some(notice) = messages::contended(named.iter().map(|(resource, _, name)| (*resource, name.as_str())))
        else {
            return;
        };
        let told: Vec<_> = named
            .iter()
            .map(|(resource, session, name)| {
                let uri = self.documents_of(id, resource).next().map(|document| document.uri.as_str());
                json!({ "session": session, "uri": uri, "sentence": messages::edits_too(resource, name) })
            })
            .collect();
        self.show_about(notice, json!({ "kind": "contended", "all": told }), None);
    }

    /// Who edits which files that are held here: other people, and their agents.
    fn contending(&self, id: DirectoryId) -> BTreeSet<(Resource, SessionId)> {
        let Some(directory) = self.directories.get(&id) else { return BTreeSet::new() };
        let Some(view) = &directory.view else { return BTreeSet::new() };
        let wall = self.clock.now();
        let opened = self.documents.values().filter(|document| document.directory == Some(id));
        let opened = opened.filter_map(|document| document.resource());
        let held = directory.own.keys().chain(opened).filter(|resource| directory.own_claim(resource, wall).is_some());
        let of_each = held.flat_map(|resource| {
            let editors = view.editors_of(resource).into_iter();
            let others = editors.filter(|session| !session.is_own() && !self.works_in_same_editor(session));
            others.map(move |session| (resource.clone(), session.id))
        });
        of_each.collect()
    }
}
