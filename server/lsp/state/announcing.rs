//! Telling the user, once, that another holds what they edit, and when it comes free.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tower_lsp::ls_types::Uri;

use super::document::OpenDocument;
use super::editing::BULK_TIME;
use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::json as forms;
use crate::present::messages::{self, Notice};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Claim, ClaimState, Message, Session};

/// One change of many files brings one message, so that the first waits for the others.
const GATHERING: Duration = Duration::from_millis(200);

/// So often it is looked what is free of what the machine has once, where no change tells.
const LOOK_AT_MACHINE: Duration = Duration::from_secs(2);

/// What is told within so long after what it comes from has one cause with it.
const SAME_CAUSE: Duration = Duration::from_secs(5);

/// An agent that works through this editor saves what it changes; what stays unsaved for longer is a person's.
pub(super) const SAME_EDITOR_TIME: Duration = Duration::from_millis(1_500);

impl ServerState {
    /// Lets the user be told that another holds what they edit.
    pub(super) fn announce_later(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(document) = self.documents.get(uri) else { return };
        let (Some(id), Some(blocked)) = (document.directory, &document.blocked) else { return };
        if self.is_of_same_window(id, &blocked.by) {
            return;
        }
        let lasted = document.unsaved_since + SAME_EDITOR_TIME;
        if lasted > now && self.is_in_same_editor(id, &blocked.by) {
            self.timers.set_by(Timer::SameEditor(uri.clone()), lasted);
            return;
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
        if self.unsaved(uri).is_some() {
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
            let Some(document) = self.unsaved(&uri) else { continue };
            let (Some(resource), Some(blocked)) = (document.resource().cloned(), document.blocked.clone()) else {
                continue;
            };
            if blocked.by.standing == ClaimState::Pending {
                // Its file is being written; the view will tell whose it is.
                self.consider(&uri);
                continue;
            }
            // A claim can become known before its holder does.
            if self.is_of_same_window(id, &blocked.by) {
                continue;
            }
            let of_many = document.is_bulk;
            let Some(directory) = self.directories.get_mut(&id) else { return };
            let is_new = directory.announced.insert((uri.clone(), blocked.by.holding()));
            if !is_new || self.settings.is_quiet || self.is_muted(id, blocked.by.holder()) {
                continue;
            }
            let others = self.others_claim(id, blocked.by, None);
            let is_own_agent = others.is_own_agent();
            if is_own_agent && !self.is_news_of_own_agent(id, &others.claim) {
                continue;
            }
            if of_many && !is_own_agent {
                in_bulk.push((resource, others));
            } else {
                singly.push((uri, resource, others));
            }
        }
        if !in_bulk.is_empty() {
            let changed = self.documents.values().filter(|document| document.is_bulk).count();
            self.show(messages::some_held_by_others(changed, &in_bulk));
        }
        let audience = self.audience();
        for (uri, resource, others) in singly {
            let notice = messages::held_by_another(&resource, &others, &audience);
            let claim = forms::told_claim(&others.claim, others.holder.as_ref());
            self.show_about(notice, json!({ "kind": "held", "uri": uri.as_str(), "claim": claim }), None);
        }
    }

    /// True once in each turn of the user's own agent: one word is enough for all its files.
    fn is_news_of_own_agent(&mut self, id: DirectoryId, claim: &Claim) -> bool {
        let directory = self.directories.get_mut(&id).zip(claim.holder());
        directory.is_some_and(|(directory, agent)| directory.told_agents.insert(agent.clone()))
    }

    /// What an agent does in its next turn is worth a word again.
    pub(super) fn note_end_of_turn(&mut self, id: DirectoryId, session: &SessionId) {
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.told_agents.remove(session);
        }
    }

    /// Tells what the user wanted to know of when it is free.
    pub(super) fn tell_what_came_free(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let awaited = std::mem::take(&mut directory.awaited);
        let (held, free): (BTreeSet<Resource>, _) =
            awaited.into_iter().partition(|resource| directory.obstacle(resource).is_some());
        directory.awaited = held;
        for resource in free {
            let tell = if self.is_held_or_claimed(id, &resource) { messages::free_and_claimed } else { messages::free };
            self.show_free(id, &resource, tell(&resource));
        }
    }

    /// True for what the session holds, or is about to because its text is unsaved.
    pub(super) fn is_held_or_claimed(&self, id: DirectoryId, resource: &Resource) -> bool {
        self.own_at(id, resource).is_some() || self.documents_of(id, resource).any(OpenDocument::is_claiming)
    }

    /// Shows that something is free.
    pub(super) fn show_free(&mut self, id: DirectoryId, resource: &Resource, notice: Notice) {
        let now = self.now();
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.told_free.retain(|_, at| now.saturating_sub(*at) < SAME_CAUSE);
            directory.told_free.insert(resource.clone(), now);
        }
        self.show(notice);
    }

    /// True if a message says only that something is free of which the user was told so just now, or is about to be.
    pub(super) fn is_told_free(&self, id: DirectoryId, message: &Message) -> bool {
        let Some((directory, resource)) = self.directories.get(&id).zip(message.resource()) else { return false };
        let told_at = directory.told_free.get(&resource);
        message.kind() == MessageKind::Released
            && (directory.awaited.contains(&resource)
                || told_at.is_some_and(|at| self.now().saturating_sub(*at) < SAME_CAUSE))
    }

    /// The same of what the machine has once. No change tells of a command that was killed there, so it is looked again.
    pub(super) fn look_what_came_free_of_machine(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get(&id).filter(|it| !it.awaited_of_machine.is_empty()) else { return };
        let awaited = directory.awaited_of_machine.iter().cloned().collect();
        self.job(id, Job::LookAtMachine(awaited));
        self.timers.set(Timer::Machine(id), self.now() + LOOK_AT_MACHINE);
    }

    /// Tells it, once. No change of the clone's own lets the editor's lists drop it.
    pub(super) fn came_free_of_machine(&mut self, id: DirectoryId, free: &[Resource]) {
        for resource in free {
            let directory = self.directories.get_mut(&id);
            if directory.is_some_and(|directory| directory.awaited_of_machine.remove(resource)) {
                self.show(messages::free(resource));
                self.tell_status();
            }
        }
    }

    /// True if the holder works through the same editor process.
    pub(super) fn is_in_same_editor(&self, id: DirectoryId, claim: &Claim) -> bool {
        let holder = claim.holder().and_then(|holder| self.session_at(id, holder));
        holder.is_some_and(|session| self.works_in_same_editor(&session))
    }

    /// True if the holder is another server of the same editor process, for which some users start two.
    pub(super) fn is_of_same_window(&self, id: DirectoryId, claim: &Claim) -> bool {
        let holder = claim.holder().and_then(|holder| self.session_at(id, holder));
        holder.is_some_and(|session| session.is_kept_alive() && self.works_in_same_editor(&session))
    }

    /// True if a session works through the same editor process.
    pub(super) fn works_in_same_editor(&self, session: &Session) -> bool {
        self.profile.client_pid.is_some_and(|pid| session.serves(pid))
    }
}
