//! Telling the user, once, that another holds what they edit, and when it comes free.

use std::time::Duration;

use serde_json::json;
use tower_lsp::ls_types::Uri;

use super::ServerState;
use super::document::Unsaved;
use super::editing::BULK_TIME;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::json as forms;
use crate::present;
use deconflict_protocol::Resource;
use deconflict_registry::{Claim, ClaimState};

/// One change of many files brings one message, so that the first waits for the others.
const GATHERING: Duration = Duration::from_millis(200);

/// An agent that works through this editor saves what it changes; what stays unsaved for longer is a person's.
pub(super) const SAME_EDITOR_TIME: Duration = Duration::from_millis(1_500);

impl ServerState {
    /// Lets the user be told that another holds what they edit.
    pub(super) fn announce_later(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(document) = self.documents.get(uri) else { return };
        let (Some(id), Some(blocked)) = (document.directory, &document.blocked) else { return };
        if self.is_in_same_editor(id, &blocked.by) {
            let lasted = document.unsaved_since + SAME_EDITOR_TIME;
            if lasted > now {
                self.timers.set_by(Timer::SameEditor(uri.clone()), lasted);
                return;
            }
        }
        let key = (uri.clone(), blocked.by.holding());
        let wait = if self.is_bulk_change() { BULK_TIME } else { GATHERING };
        let Some(directory) = self.directories.get_mut(&id) else { return };
        if !directory.announced.contains(&key) && directory.to_announce.insert(uri.clone()) {
            self.timers.set_by(Timer::Announce(id), now + wait);
        }
    }

    /// What looked like an agent's work has stayed unsaved: it is the person's.
    pub(super) fn same_editor_clash_lasted(&mut self, uri: &Uri) {
        if self.documents.get(uri).is_some_and(|document| document.unsaved == Unsaved::Yes) {
            self.touched.insert(uri.clone());
            self.announce_later(uri);
        }
    }

    /// Tells what gathered.
    pub(super) fn announce(&mut self, id: DirectoryId) {
        let now = self.now();
        let last_change = self.first_changes.back().copied().unwrap_or_default();
        if self.is_bulk_change() && now.saturating_sub(last_change) < BULK_TIME / 2 {
            self.timers.set(Timer::Announce(id), last_change + BULK_TIME / 2);
            return;
        }
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let uris = std::mem::take(&mut directory.to_announce);
        let mut singly = Vec::new();
        let mut in_bulk = Vec::new();
        for uri in uris {
            let Some(document) = self.documents.get(&uri).filter(|document| document.unsaved == Unsaved::Yes) else {
                continue;
            };
            let (Some(resource), Some(blocked)) = (document.resource().cloned(), document.blocked.clone()) else {
                continue;
            };
            if blocked.by.standing == ClaimState::Pending {
                // Its file is being written; the view will tell whose it is.
                self.consider(&uri);
                continue;
            }
            let of_many = document.is_bulk;
            let Some(directory) = self.directories.get_mut(&id) else { return };
            if !directory.announced.insert((uri.clone(), blocked.by.holding())) {
                continue;
            }
            if self.is_muted(blocked.by.holder()) {
                continue;
            }
            let others = self.others_claim(id, blocked.by, None);
            if of_many { in_bulk.push((resource, others)) } else { singly.push((uri, resource, others)) }
        }
        if !in_bulk.is_empty() {
            let changed = self.documents.values().filter(|document| document.is_bulk).count();
            self.show(present::messages::some_held_by_others(changed, &in_bulk));
        }
        let audience = self.audience();
        for (uri, resource, others) in singly {
            let notice = present::messages::held_by_another(&resource, &others, &audience);
            let claim = forms::told_claim(&others.claim, others.holder.as_ref());
            self.show_about(notice, json!({ "kind": "held", "uri": uri.as_str(), "claim": claim }), None);
        }
    }

    /// Tells what the user wanted to know of when it is free.
    pub(super) fn tell_what_came_free(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let awaited = directory.awaited.iter();
        let free: Vec<Resource> =
            awaited.filter(|resource| directory.obstacles(resource).is_empty()).cloned().collect();
        for resource in free {
            let file = resource.clone();
            let is_claimed = self.own_at(id, &file).is_some()
                || self.documents_of(id, &file).any(super::document::OpenDocument::is_claiming);
            if let Some(directory) = self.directories.get_mut(&id) {
                directory.awaited.remove(&resource);
            }
            self.show(if is_claimed {
                present::messages::free_and_claimed(&resource)
            } else {
                present::messages::free(&resource)
            });
        }
    }

    /// True if the holder works through the same editor process.
    pub(super) fn is_in_same_editor(&self, id: DirectoryId, claim: &Claim) -> bool {
        let holder =
            self.directories.get(&id).and_then(|it| it.view.as_ref()).and_then(|view| view.session(claim.holder()?));
        holder.is_some_and(|session| self.works_in_same_editor(&session))
    }

    /// True if a session works through the same editor process.
    pub(super) fn works_in_same_editor(&self, session: &deconflict_registry::Session) -> bool {
        self.profile.client_pid.is_some()
            && session.record.client_pid == self.profile.client_pid
            && session.record.pid_scope.as_deref() == Some(self.me.scope.as_str())
    }
}
