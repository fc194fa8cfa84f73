//! Messages of others: each is shown once, many at once as one summary, and some are answered without asking.

use std::time::Duration;

use serde_json::json;

use super::server_state::ServerState;
use super::timers::Timer;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::json as forms;
use crate::present::messages as notices;
use crate::settings::Show;
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Message, MessageId, Recipient, Session};

/// More messages than this within [`MANY_TIME`] are summed up.
const MANY: usize = 3;
const MANY_TIME: Duration = Duration::from_secs(10);

/// No more messages than this are shown to a user who asks for all.
const MOST_AT_ONCE: usize = 5;

/// A summary waits so long for more.
const GATHERING: Duration = Duration::from_millis(1_500);

/// A request is granted once the document was saved and left alone for so long.
pub(super) const RESTING: Duration = Duration::from_mins(1);

impl ServerState {
    pub(super) fn messages_arrived(&mut self, id: DirectoryId, messages: Vec<Message>) {
        let mut to_show = Vec::new();
        let mut are_new = false;
        for message in messages {
            let Some(directory) = self.directories.get_mut(&id) else { return };
            let is_new = directory.unread.insert(message.id.clone());
            are_new |= is_new;
            if !is_new || directory.shown.contains(&message.id) {
                continue;
            }
            if self.is_granted(id, &message) || self.is_told_free(id, &message) {
                self.job(id, Job::MarkRead(vec![message.id.clone()]));
                continue;
            }
            if self.tells_of_loss(id, &message) {
                continue;
            }
            let is_wanted = match self.settings.show {
                Show::All => true,
                Show::Direct => matches!(message.to, Recipient::Session(_)),
                Show::None => false,
            };
            if is_wanted && !self.settings.is_quiet && !self.is_muted(id, message.from.as_ref()) {
                to_show.push(message);
            }
        }
        // Listing messages brings known ones too. An editor that lists them again whenever something changed would
        // otherwise do so for ever.
        if are_new {
            self.status_may_differ();
        }
        self.show_messages(id, to_show);
    }

    pub(super) fn show_messages(&mut self, id: DirectoryId, messages: Vec<Message>) {
        let now = self.now();
        while self.shown_messages.front().is_some_and(|shown| now.saturating_sub(*shown) > MANY_TIME) {
            self.shown_messages.pop_front();
        }
        let are_many = !self.to_sum_up.is_empty() || self.shown_messages.len() + messages.len() > MANY;
        for message in messages {
            let Some(directory) = self.directories.get_mut(&id) else { return };
            directory.shown.insert(message.id.clone());
            let sender = self.sender(id, &message);
            if are_many {
                self.to_sum_up.push(sender);
                self.timers.set_by(Timer::Messages, now + GATHERING);
                continue;
            }
            self.shown_messages.push_back(now);
            self.show_message(id, &message, &sender, false);
        }
    }

    /// Shows one message. Where the user asked for it, it is read when the editor has taken it; a notice that went by may
    /// not have been seen.
    fn show_message(&mut self, id: DirectoryId, message: &Message, sender: &str, is_asked_for: bool) {
        let resource = message.resource();
        let notice = notices::arrived(
            sender,
            &message.kind(),
            resource.as_ref(),
            &message.subject(usize::MAX).unwrap_or_default(),
            &message.text(),
            resource.as_ref().is_some_and(|file| self.is_held_or_claimed(id, file)),
        );
        let about = json!({ "kind": "message", "message": forms::told_message(message, sender) });
        let told = is_asked_for.then(|| (id, vec![message.id.clone()]));
        self.show_about(notice, about, told);
    }

    /// Shows unread messages to a user who asked for them in an editor that has no list of its own.
    pub(super) fn show_unread(&mut self, id: DirectoryId, messages: Vec<Message>) {
        if messages.is_empty() {
            self.show(notices::nothing_unread());
        }
        let more = messages.len().saturating_sub(MOST_AT_ONCE);
        for message in messages.into_iter().take(MOST_AT_ONCE) {
            if let Some(directory) = self.directories.get_mut(&id) {
                directory.shown.insert(message.id.clone());
            }
            let sender = self.sender(id, &message);
            self.show_message(id, &message, &sender, true);
        }
        if more > 0 {
            self.show(notices::more_unread(more));
        }
    }

    pub(super) fn sum_up_messages(&mut self) {
        let senders = std::mem::take(&mut self.to_sum_up);
        if !senders.is_empty() {
            self.shown_messages.push_back(self.now());
            // What they say was not shown, so they stay unread.
            self.show_about(notices::several_arrived(senders.len(), &senders), json!({ "kind": "messages" }), None);
        }
    }

    pub(super) fn messages_read(&mut self, id: DirectoryId, messages: &[MessageId]) {
        if let Some(directory) = self.directories.get_mut(&id) {
            let before = directory.unread.len();
            directory.unread.retain(|id| !messages.contains(id));
            if directory.unread.len() != before {
                self.status_may_differ();
            }
        }
    }

    /// Notes who asked for what, and gives it up at once if nobody here works on it.
    fn is_granted(&mut self, id: DirectoryId, message: &Message) -> bool {
        if message.kind() != MessageKind::ReleaseRequest {
            return false;
        }
        let (Some(file), Some(from)) = (message.resource(), message.from.clone()) else { return false };
        let Some(own) = self.own_at(id, &file) else {
            // Others may read a claim, and ask for it, before its outcome has come back here.
            if let Some(directory) = self.directories.get_mut(&id) {
                directory.requests.entry(file).or_default().insert(from);
            }
            return false;
        };
        // The person's own agent works for whoever sits here: only unsaved text stands between.
        let is_own_agent = self.is_from_own_agent(id, &from);
        let resting = if is_own_agent { Duration::ZERO } else { RESTING };
        let may_go = own.claim.is_automatic() && self.rests_for(id, own, resting);
        if may_go && is_own_agent {
            self.give_way(id, &file);
            return true;
        }
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.requests.entry(file.clone()).or_default().insert(from);
        }
        if may_go {
            let sender = self.sender(id, message);
            self.release(id, &file);
            self.show(notices::released_on_request(&file, &sender));
        } else {
            // It is granted as soon as nobody has worked on it for long enough.
            self.sweep_soon(id);
        }
        may_go
    }

    /// True if an agent of the person's waits for something that the session holds.
    pub(super) fn is_asked_for_by_own_agent(&self, id: DirectoryId, file: &Resource) -> bool {
        let waiting = self.directories.get(&id).and_then(|directory| directory.requests.get(file));
        waiting.is_some_and(|waiting| waiting.iter().any(|session| self.is_from_own_agent(id, session)))
    }

    /// True for an agent of the person's, wherever it runs, and for whatever else runs in this very editor.
    fn is_from_own_agent(&self, id: DirectoryId, from: &SessionId) -> bool {
        self.session_at(id, from).is_some_and(|session| session.is_own_agent() || self.works_in_same_editor(&session))
    }

    /// Who waits for something that the session holds, as people call them; `None` if nobody does.
    pub(super) fn asked_for_by(&self, id: DirectoryId, file: &Resource) -> Option<String> {
        let asked = self.directories.get(&id)?.requests.get(file)?;
        let mut waiting = asked.iter().map(|session| (session, self.session_at(id, session)));
        let (session, known) = waiting.find(|(_, known)| known.as_ref().is_none_or(Session::is_live))?;
        Some(known.map_or_else(|| session.to_string(), |session| session.label()))
    }

    fn sender(&self, id: DirectoryId, message: &Message) -> String {
        let session = message.from.as_ref().and_then(|from| self.session_at(id, from));
        session
            .map(|session| session.label())
            .or_else(|| message.sender_name().map(str::to_owned))
            .unwrap_or_else(|| "Somebody".to_owned())
    }
}
