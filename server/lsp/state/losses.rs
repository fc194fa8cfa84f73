//! What this session lost by changes of others: told once, shown until it is settled.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tower_lsp::ls_types::Uri;

use deconflict_changes::Lost;
use deconflict_journal::{Entry, FileState, Settlement};
use deconflict_protocol::{MessageKind, Resource};
use deconflict_registry::Message;

use super::document::{OpenDocument, Unsaved};
use super::server_state::ServerState;
use super::timers::Timer;
use crate::convert;
use crate::diagnostic_code::Code;
use crate::event::DirectoryId;
use crate::job::{Job, OwnLoss, SettledLoss};
use crate::present;
use crate::present::messages::Notice;

/// More notices than this within [`MANY_TIME`] are summed up.
const MANY: usize = 3;
const MANY_TIME: Duration = Duration::from_secs(10);

/// A summary waits so long for more.
const GATHERING: Duration = Duration::from_millis(1_500);

impl ServerState {
    /// Takes in what this session lost in a file.
    pub(super) fn losses_found(&mut self, id: DirectoryId, resource: &Resource, losses: Vec<OwnLoss>) {
        let is_unsaved = self.documents_of(id, resource).any(|document| document.unsaved != Unsaved::No);
        let (over, losses): (Vec<OwnLoss>, Vec<OwnLoss>) =
            losses.into_iter().partition(|loss| loss.takes_nothing && !is_unsaved);
        self.settle(id, over.into_iter().map(settled).collect(), Settlement::Acknowledged);
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let mut to_show = Vec::new();
        let mut read = Vec::new();
        for loss in &losses {
            let message = directory.loss_messages.remove(loss.entry.id.as_str());
            // A message says that nobody else told the user.
            let is_told = loss.is_told && message.is_none();
            // What somebody else tells may still be under way.
            if !is_told && directory.told_losses.insert(loss.entry.id.clone()) {
                to_show.push(loss.clone());
            }
            read.extend(message.map(|message| message.id));
        }
        // Of a loss that the journal does not know the message is all there is.
        let unknown: Vec<String> = directory
            .loss_messages
            .iter()
            .filter(|(_, message)| message.resource().as_ref() == Some(resource))
            .map(|(entry, _)| entry.clone())
            .collect();
        let mut untold = Vec::new();
        for entry in unknown {
            let Some(message) = directory.loss_messages.remove(&entry) else { continue };
            // It may be settled by now.
            if directory.told_losses.iter().any(|told| told.as_str() == entry) {
                read.push(message.id);
            } else {
                untold.push(message);
            }
        }
        if losses.is_empty() {
            directory.losses.remove(resource);
        } else {
            directory.losses.insert(resource.clone(), losses);
        }
        if !read.is_empty() {
            self.job(id, Job::MarkRead(read));
        }
        for loss in to_show {
            self.show_loss(id, resource, &loss);
        }
        self.show_messages(id, untold);
        self.touch_all_at(id);
        self.status_may_differ();
    }

    /// Shows a loss. An editor that offers more than words is told of the change, and sums up many by itself.
    fn show_loss(&mut self, id: DirectoryId, resource: &Resource, loss: &OwnLoss) {
        if self.settings.is_quiet {
            return;
        }
        let is_unsaved = self.documents_of(id, resource).any(|document| document.unsaved != Unsaved::No);
        let client = self.editor.client;
        let notice = if is_unsaved && client.applies_edits && loss.code() == Code::Overwritten {
            present::messages::lost_under_unsaved(&loss.notice, client)
        } else {
            present::messages::lost(&loss.notice, client)
        };
        let open = self.documents_of(id, resource).next().map(|document| document.uri.clone());
        let uri = open.or_else(|| convert::uri_of(loss.path.as_ref()?)).filter(|_| self.editor.wants_notices);
        let Some(uri) = uri else { return self.show_or_sum_up(resource, notice) };
        let about = json!({
            "kind": "lost",
            "uri": uri.as_str(),
            "entry": loss.entry.id.as_str(),
            "code": loss.code().as_str(),
            "sentence": loss.notice,
        });
        self.show_about(notice, about, None);
    }

    /// The user changed what others hold or have uncommitted changes in. An editor that offers more than words tells of
    /// several files at once, and offers to put back what was deleted or moved away.
    pub(super) fn took_from_others(&mut self, change: &Entry, path: &Path, lost: &[Lost]) {
        let notice = present::messages::took_from_others(change, lost);
        let wants_more = self.editor.wants_notices && !self.settings.is_quiet;
        let Some(uri) = convert::uri_of(path).filter(|_| wants_more) else {
            return self.show_or_sum_up(&change.resource, notice);
        };
        let about = json!({
            "kind": "took",
            "uri": uri.as_str(),
            "entry": change.id.as_str(),
            "is_deleted": change.after == FileState::Absent,
            "sentence": notice.text,
        });
        self.show_about(notice, about, None);
    }

    /// Shows a notice, unless there were many lately: what happens to many files at once is told as one.
    pub(super) fn show_or_sum_up(&mut self, resource: &Resource, notice: Notice) {
        let now = self.now();
        while self.shown_losses.front().is_some_and(|shown| now.saturating_sub(*shown) > MANY_TIME) {
            self.shown_losses.pop_front();
        }
        if self.shown_losses.len() < MANY && self.losses_to_sum_up.is_empty() {
            self.shown_losses.push_back(now);
            self.show(notice);
        } else {
            self.losses_to_sum_up.insert(resource.clone(), notice);
            self.timers.set_by(Timer::Losses, now + GATHERING);
        }
    }

    pub(super) fn sum_up_losses(&mut self) {
        let losses = std::mem::take(&mut self.losses_to_sum_up);
        self.shown_losses.push_back(self.now());
        let several = || present::messages::several_changed(losses.keys(), self.editor.client);
        let notice = if losses.len() == 1 { losses.values().next().cloned() } else { None };
        self.show(notice.unwrap_or_else(several));
    }

    /// A message that tells of a loss is shown as the loss itself, as far as the journal knows it.
    pub(super) fn tells_of_loss(&mut self, id: DirectoryId, message: &Message) -> bool {
        let MessageKind::Other(kind) = message.kind() else { return false };
        let entry = message.record.details.get("entry").and_then(|entry| entry.as_str()).map(str::to_owned);
        let (Some(resource), Some(entry), "overwritten" | "deleted") = (message.resource(), entry, kind.as_str())
        else {
            return false;
        };
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.shown.insert(message.id.clone());
            directory.loss_messages.insert(entry, message.clone());
        }
        self.job(id, Job::ReadLosses(resource));
        true
    }

    /// The user takes note of what was lost in a file. False if there is nothing.
    pub(super) fn acknowledge_losses(&mut self, uri: &Uri) -> bool {
        let Some((id, resource)) = self.place_of_losses(uri) else { return false };
        let losses = self.directories.get_mut(&id).and_then(|directory| directory.losses.remove(&resource));
        let Some(losses) = losses else { return false };
        self.settle(id, losses.into_iter().map(settled).collect(), Settlement::Acknowledged);
        true
    }

    /// Where the file is, open or not, in which something was lost.
    fn place_of_losses(&self, uri: &Uri) -> Option<(DirectoryId, Resource)> {
        if let Some((id, resource)) = self.documents.get(uri).and_then(OpenDocument::location) {
            return Some((id, resource.clone()));
        }
        let path = convert::path_of(uri);
        self.directories.iter().find_map(|(id, directory)| {
            let is_there = |losses: &Vec<OwnLoss>| losses.iter().any(|loss| loss.path == path);
            let (resource, _) = directory.losses.iter().find(|(_, losses)| is_there(losses))?;
            Some((*id, resource.clone()))
        })
    }

    pub(super) fn settle(&mut self, id: DirectoryId, losses: Vec<SettledLoss>, how: Settlement) {
        if !losses.is_empty() {
            self.job(id, Job::Settle(losses, how));
        }
    }
}

fn settled(loss: OwnLoss) -> SettledLoss {
    (loss.entry, loss.owner)
}
