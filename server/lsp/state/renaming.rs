//! Files that move: their claims move with them.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tower_lsp::ls_types::{Uri, WorkspaceEdit};

use super::directory::OwnClaim;
use super::server_state::ServerState;
use super::timers::Timer;
use crate::convert;
use crate::event::DirectoryId;
use crate::job::{Job, Move};
use crate::present::messages;
use crate::reply::Reply;
use deconflict_protocol::Resource;
use deconflict_registry::{Holding, MoveOutcome};

/// A file that is closed under one name and opened under another within this time may have been renamed.
const RENAMING_TIME: Duration = Duration::from_secs(1);

impl ServerState {
    /// The editor tells that files or folders have other names now.
    pub(super) fn files_renamed(&mut self, names: &[(String, String)]) {
        for (old, new) in names {
            let path = |uri: &str| Uri::from_str(uri).ok().and_then(|uri| convert::path_of(&uri));
            let (Some(old), Some(new)) = (path(old), path(new)) else { continue };
            let moved: Vec<(DirectoryId, Holding, PathBuf)> = self
                .directories
                .iter()
                .flat_map(|(id, directory)| directory.own.values().map(move |own| (*id, own)))
                .filter_map(|(id, own)| Some((id, own.claim.holding()?, self.path_of_own(id, own)?)))
                .filter(|(_, _, path)| path.starts_with(&old))
                .collect();
            self.moved_here(&[old.clone(), new.clone()]);
            for (id, holding, from) in moved {
                let Ok(rest) = from.strip_prefix(&old) else { continue };
                let to = if rest.as_os_str().is_empty() { new.clone() } else { new.join(rest) };
                self.job(id, Job::Move(Box::new(Move { holding, from, to, only_if_gone: false })));
            }
        }
    }

    /// The editor tells that files or folders will be gone in a moment. It waits for the answer.
    pub(super) fn files_going(&mut self, uris: &[String], reply: Reply<Option<WorkspaceEdit>>) {
        let paths = paths_of(uris);
        let ids: Vec<DirectoryId> = self.directories.keys().copied().collect();
        let main = paths.first().and_then(|path| self.directory_of(path));
        let Some(main) = main.filter(|main| ids.contains(main)) else { return reply.send(Ok(None)) };
        for id in ids.into_iter().filter(|id| *id != main) {
            self.job(id, Job::Keep(paths.clone(), None));
        }
        self.job(main, Job::Keep(paths, Some(reply)));
    }

    /// The editor tells that files or folders are gone.
    pub(super) fn files_deleted(&mut self, uris: &[String]) {
        self.moved_here(&paths_of(uris));
    }

    /// What is at these paths was changed by this very editor.
    fn moved_here(&mut self, paths: &[PathBuf]) {
        for id in self.directories.keys().copied().collect::<Vec<_>>() {
            self.job(id, Job::Moved(paths.to_vec()));
        }
    }

    /// Where the file of something that is held is, as a document told.
    fn path_of_own(&self, id: DirectoryId, own: &OwnClaim) -> Option<PathBuf> {
        let of_document = self.documents_of(id, &own.claim.resource).next().map(|document| document.path.clone());
        of_document.or_else(|| own.path.clone())
    }

    /// Nobody tells of some renames: one name is closed, another opened with the same text.
    pub(super) fn recognize_rename(&mut self, uri: &Uri) {
        let now = self.now();
        let Some(document) = self.documents.get(uri) else { return };
        let is_same_text = |text: &ropey::Rope| document.text.len_chars() > 0 && *text == document.text;
        let found = self.closed.iter().position(|closed| {
            now.saturating_sub(closed.at) <= RENAMING_TIME
                && Some(closed.directory) == document.directory
                && closed.path != document.path
                && is_same_text(&closed.text)
        });
        let Some(closed) = found.and_then(|index| self.closed.get(index)) else { return };
        let Some(file) = closed.file.clone() else { return };
        self.follow_rename(closed.directory, &file, closed.path.clone(), document.path.clone());
    }

    /// A document turned out to be held only after it was closed, and perhaps opened under another name.
    pub(super) fn recognize_late_rename(&mut self, id: DirectoryId, file: &Resource, path: &Path) {
        let Some(closed) = self.closed.iter_mut().rev().find(|closed| closed.path == path) else { return };
        closed.file = Some(file.clone());
        let renamed = self.documents.values().find(|document| {
            document.directory == Some(id) && document.text.len_chars() > 0 && document.text == closed.text
        });
        if let Some(to) = renamed.map(|document| document.path.clone()) {
            self.follow_rename(id, file, path.to_owned(), to);
        }
    }

    fn follow_rename(&mut self, id: DirectoryId, file: &Resource, from: PathBuf, to: PathBuf) {
        match self.own_at(id, file).and_then(|own| own.claim.holding()) {
            Some(holding) => self.job(id, Job::Move(Box::new(Move { holding, from, to, only_if_gone: true }))),
            // What was saved and left alone may have uncommitted changes all the same.
            None => self.job(id, Job::Moved(vec![from, to])),
        }
    }

    /// A claim was to follow its file.
    pub(super) fn moved(&mut self, id: DirectoryId, holding: &Holding, outcome: Option<(PathBuf, MoveOutcome)>) {
        let Some((to, outcome)) = outcome else { return };
        let is_known = self.holds_still(id, holding);
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let before = if is_known { directory.own.remove(&holding.resource) } else { None };
        match outcome {
            MoveOutcome::Moved(claim) => {
                let before = before.unwrap_or_else(|| OwnClaim::new(claim.clone(), now));
                let file = claim.resource.clone();
                let own = OwnClaim { claim, path: Some(to.clone()), is_seen: false, ..before };
                directory.own.insert(file.clone(), own);
                self.sweep_soon(id);
                if self.documents.values().all(|document| document.path != to) {
                    self.timers.set(Timer::Closed(id, file), now + RENAMING_TIME * 2);
                }
            }
            MoveOutcome::Released { target } => {
                let to = target.resource.clone();
                let others = self.others_claim(id, target, None);
                self.show(messages::moved_onto_held(&holding.resource, &to, &others));
            }
            MoveOutcome::Lost(successor) => self.verified(id, &holding.resource, successor),
        }
        self.touch_all_at(id);
    }
}

fn paths_of(uris: &[String]) -> Vec<PathBuf> {
    uris.iter().filter_map(|uri| convert::path_of(&Uri::from_str(uri).ok()?)).collect()
}
