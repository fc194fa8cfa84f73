//! Folders and their directories: finding, joining and leaving them, and what changes in them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tower_lsp::ls_types::{Uri, WorkspaceFolder};

use super::directory::{DirectoryContext, OwnClaim, Participation};
use super::server_state::{FolderState, Phase, ServerState, WindowFolder};
use super::starting;
use super::timers::Timer;
use crate::convert;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::present::messages;
use crate::settings::Activation;
use deconflict_registry::{Affected, Change, Claim, Session, StoredSession, View};
use deconflict_workspace::{DiscoveryError, Location};

/// What a session resumed and no document is open for is released after this time.
const REOPENING_TIME: Duration = Duration::from_secs(10);

/// The record is refreshed well within the time that it promises.
const KEEPALIVE: Duration = Duration::from_secs(50);

/// How often it is tried whether a directory that is only observed can be written to by now.
const OBSERVING: Duration = Duration::from_secs(5);

impl ServerState {
    /// Searches for the directory of a folder.
    pub(super) fn locate(&mut self, index: usize) {
        let named = self.settings.directory.clone().or_else(|| self.named.clone());
        let is_off = self.settings.activation == Activation::Never;
        let Some(folder) = self.folders.get_mut(index) else { return };
        if is_off {
            folder.state = FolderState::Inactive;
            return;
        }
        let (uri, folder, document) = (folder.uri.clone(), folder.path.clone(), folder.document.clone());
        self.effects.push(Effect::Locate { uri, folder, document, named });
    }

    pub(super) fn located(&mut self, uri: &Uri, location: Result<Location, DiscoveryError>) {
        let Some(folder) = self.folders.iter().find(|folder| folder.uri == *uri) else { return };
        let is_of_window = folder.document.is_none();
        let state = match location {
            // Nobody opened a folder, so that nobody is told of what is not there.
            Err(_) if !is_of_window => FolderState::Inactive,
            Ok(location) if !is_of_window && !is_of_repository(&location) => FolderState::Inactive,
            Ok(location) if is_of_window && !is_of_repository(&location) && !location.named => {
                let id = self.directory_at(&location.directory).unwrap_or_else(|| self.start(location));
                self.outside_git.insert(id);
                FolderState::At(id)
            }
            Err(error) => {
                self.show_once(messages::no_directory(&error));
                FolderState::Inactive
            }
            Ok(location) => {
                FolderState::At(self.directory_at(&location.directory).unwrap_or_else(|| self.start(location)))
            }
        };
        for folder in self.folders.iter_mut().filter(|folder| folder.uri == *uri) {
            folder.state = state;
        }
        let paths: Vec<PathBuf> = self.documents.values().map(|document| document.path.clone()).collect();
        for path in &paths {
            self.find_own_repository(path);
        }
        self.assign_documents();
        self.run_early_commands();
    }

    fn directory_at(&self, path: &Path) -> Option<DirectoryId> {
        self.directories.iter().find(|(_, it)| it.path == path && !it.is_ending).map(|(id, _)| *id)
    }

    fn start(&mut self, location: Location) -> DirectoryId {
        let id = DirectoryId(self.directories.keys().last().map_or(0, |last| last.0 + 1));
        let may_make = location.may_be_joined()
            && (self.settings.activation == Activation::Always || location.named || location.may_be_made_unasked());
        let path = location.directory.clone();
        self.directories.insert(id, DirectoryContext { path, may_make, ..DirectoryContext::default() });
        let profile = self.profile.clone();
        self.effects.push(Effect::Start { id, location: Box::new(location), profile, may_make });
        self.job(id, Job::Exclude(self.settings.exclude.clone()));
        self.job(id, Job::Share(self.settings.shared.clone()));
        self.job(id, Job::Join);
        id
    }

    /// A document that is in no folder of the window, or in one that is in no repository, finds its own repository.
    pub(super) fn find_own_repository(&mut self, path: &Path) {
        let innermost = self.innermost_folder(path);
        let is_served = innermost.is_some_and(|folder| match folder.state {
            FolderState::At(id) => !self.outside_git.contains(&id) || path.parent() == Some(&folder.path),
            FolderState::Wanted => true,
            FolderState::Inactive => self.settings.activation == Activation::Never,
        });
        let Some((folder, uri)) = path.parent().and_then(|folder| Some((folder, convert::uri_of(folder)?))) else {
            return;
        };
        if is_served || self.folders.iter().any(|known| known.uri == uri && known.document.is_some()) {
            return;
        }
        let (path, document) = (folder.to_owned(), Some(path.to_owned()));
        self.folders.push(WindowFolder { uri, path, state: FolderState::Wanted, document });
        if self.phase == Phase::Running {
            self.locate(self.folders.len() - 1);
        }
    }

    fn innermost_folder(&self, path: &Path) -> Option<&WindowFolder> {
        // What was no repository after all hides no folder of the window.
        let is_real = |folder: &&WindowFolder| folder.document.is_none() || folder.state != FolderState::Inactive;
        let inside = self.folders.iter().filter(|folder| path.starts_with(&folder.path)).filter(is_real);
        inside.max_by_key(|folder| folder.path.as_os_str().len())
    }

    /// The directory of the innermost folder that a path is in.
    pub(super) fn directory_of(&self, path: &Path) -> Option<DirectoryId> {
        match self.innermost_folder(path)?.state {
            FolderState::At(id) => Some(id),
            FolderState::Wanted | FolderState::Inactive => None,
        }
    }

    /// Gives each open document to the directory of its folder.
    pub(super) fn assign_documents(&mut self) {
        let now = self.documents.values().map(|document| (document.uri.clone(), self.directory_of(&document.path)));
        for (uri, directory) in now.collect::<Vec<_>>() {
            let Some(document) = self.documents.get_mut(&uri).filter(|it| it.directory != directory) else { continue };
            document.directory = directory;
            document.place = None;
            document.pending_checks.clear();
            self.touched.insert(uri.clone());
            match directory {
                Some(_) => self.check_and_claim(&uri),
                None => self.answer_waiting(&uri),
            }
        }
    }

    pub(super) fn folders_changed(&mut self, added: &[WorkspaceFolder], removed: &[WorkspaceFolder]) {
        // An editor may spell a folder in more than one form.
        let is_same = |other: &WorkspaceFolder, folder: &WindowFolder| {
            other.uri == folder.uri || convert::path_of(&other.uri).is_some_and(|path| path == folder.path)
        };
        self.folders.retain(|folder| !removed.iter().any(|removed| is_same(removed, folder)));
        let first_new = self.folders.len();
        let is_new = |added: &&WorkspaceFolder| !self.folders.iter().any(|folder| is_same(added, folder));
        let new: Vec<WindowFolder> = added.iter().filter(is_new).filter_map(starting::folder).collect();
        self.folders.extend(new);
        if self.phase == Phase::Running {
            for index in first_new..self.folders.len() {
                self.locate(index);
            }
        }
        let is_used = |id: DirectoryId| self.folders.iter().any(|folder| folder.state == FolderState::At(id));
        for (id, directory) in self.directories.iter_mut().filter(|(id, it)| !it.is_ending && !is_used(**id)) {
            directory.is_ending = true;
            directory.own.clear();
            self.effects.push(Effect::Job(*id, Job::Complete));
        }
        self.assign_documents();
    }

    pub(super) fn joined(&mut self, id: DirectoryId, session: Session, claims: Vec<Claim>, view: View, path: PathBuf) {
        let now = self.now();
        let Some(directory) = self.directories.get_mut(&id) else { return };
        directory.path = path;
        directory.view = Some(view);
        if directory.session().is_some_and(|before| before.id != session.id) {
            directory.own.clear();
            directory.unread.clear();
        }
        directory.participation = Participation::Joined(Box::new(session));
        // A server that was killed may have left something in the record.
        directory.editing = None;
        directory.interest.clear();
        for claim in claims {
            let file = claim.resource.clone();
            directory.own.insert(file.clone(), OwnClaim::new(claim, now));
            self.timers.set(Timer::Closed(id, file), now + REOPENING_TIME);
        }
        self.timers.set(Timer::KeepAlive(id), now + KEEPALIVE);
        self.timers.set_by(Timer::Sweep(id), now + REOPENING_TIME);
        for uri in self.documents_at(id) {
            self.consider(&uri);
            self.touched.insert(uri);
        }
        self.status_may_differ();
    }

    pub(super) fn observing(&mut self, id: DirectoryId, view: View, path: &Path) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        directory.view = Some(view);
        directory.participation = Participation::Observing;
        // Somebody may make it writable.
        self.timers.set(Timer::KeepAlive(id), self.now() + OBSERVING);
        self.show(messages::read_only(path));
    }

    pub(super) fn not_adopted(&mut self, id: DirectoryId, path: &Path) {
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.participation = Participation::NotAdopted;
            self.show(messages::not_adopted(path));
        }
    }

    /// Whoever adopts a directory goes on working in the editor that asked for it.
    pub(super) fn join_if_adopted(&mut self, uri: &Uri) {
        let Some(id) = self.documents.get(uri).and_then(|document| document.directory) else { return };
        if self.participates(id, &Participation::NotAdopted) {
            self.job(id, Job::Join);
        }
    }

    pub(super) fn keep_alive(&mut self, id: DirectoryId) {
        let pause = if self.participates(id, &Participation::Observing) { OBSERVING } else { KEEPALIVE };
        self.timers.set(Timer::KeepAlive(id), self.now() + pause);
        self.job(id, Job::KeepAlive);
    }

    /// Takes in what others did in a directory.
    pub(super) fn directory_changed(&mut self, id: DirectoryId, changes: Vec<Change>) {
        let Some(session) = self.directories.get(&id).and_then(DirectoryContext::session).map(|it| it.id.clone())
        else {
            self.watched(id, changes);
            return;
        };
        let mut arrived = Vec::new();
        let mut others = Vec::new();
        // A mere sign of life is no reason to read thousands of claims for the board.
        let mut is_news = false;
        for change in changes {
            self.note_damage(id, &change);
            match change {
                Change::Message(message) => arrived.push(*message),
                Change::DirectoryLost => {
                    self.watched(id, std::mem::take(&mut others));
                    self.watched(id, vec![Change::DirectoryLost]);
                    is_news = true;
                    self.directory_lost(id);
                }
                Change::MessageRead(message) => self.messages_read(id, &[message]),
                Change::Trouble(cause) => {
                    let path = self.directories.get(&id).map(|it| it.path.clone()).unwrap_or_default();
                    self.show(messages::cannot_watch(&path, &cause));
                }
                other => {
                    match &other {
                        Change::DirectoryBack => self.job(id, Job::Join),
                        Change::Resumed => self.went_on(id),
                        Change::Queue => self.look_what_came_free_of_machine(id),
                        Change::Session(whose, Some(stored)) if *whose == session => {
                            self.note_muted(id, stored.record.as_ref().and_then(|record| record.muted.clone()));
                        }
                        Change::Session(whose, stored) if !is_at_work(stored.as_ref()) => {
                            self.note_end_of_turn(id, whose);
                        }
                        Change::Claim(file, stored) => self.compare_own_claim(id, &session, file, stored.as_ref()),
                        _ => {}
                    }
                    others.push(other);
                }
            }
        }
        is_news |= self.watched(id, others) || !arrived.is_empty();
        self.messages_arrived(id, arrived);
        if is_news {
            self.job(id, Job::RefreshBoard);
        }
    }

    /// Brings the view up to date, and refreshes what is shown of the documents there. Returns false if nothing that anybody
    /// shows is different.
    fn watched(&mut self, id: DirectoryId, changes: Vec<Change>) -> bool {
        let Some(view) = self.directories.get_mut(&id).and_then(|it| it.view.as_mut()) else { return false };
        let mut affected = Affected::default();
        for change in changes {
            affected.merge(view.apply(change));
        }
        let is_news = !affected.is_nothing();
        if is_news {
            self.refresh_documents(id, &affected);
        } else {
            self.wake_for_view(id);
        }
        is_news
    }

    /// Something in the view changed, or means something else by now.
    pub(super) fn view_aged(&mut self, id: DirectoryId) {
        self.refresh_documents(id, &Affected { everything: true, ..Affected::default() });
    }

    fn wake_for_view(&mut self, id: DirectoryId) {
        let next = self.directories.get(&id).and_then(|it| it.view.as_ref()?.next_change_at());
        if let Some(next) = next {
            let wait = (next - self.clock.now()).to_std().unwrap_or_default() + Duration::from_millis(5);
            self.timers.set(Timer::View(id), self.now() + wait);
        } else {
            self.timers.cancel(&Timer::View(id));
        }
    }

    /// A session of another machine came, or the last one went.
    fn update_machines(&mut self, id: DirectoryId) {
        let Some(directory) = self.directories.get_mut(&id) else { return };
        let machines = directory.view.as_ref().map(View::machines).unwrap_or_default();
        if directory.machines != machines {
            directory.machines = machines;
            self.sweep_soon(id);
            self.touch_all_at(id);
        }
    }

    fn refresh_documents(&mut self, id: DirectoryId, affected: &Affected) {
        self.wake_for_view(id);
        self.update_machines(id);
        for uri in self.documents_at(id) {
            let Some(document) = self.documents.get(&uri) else { continue };
            // A session that changed its name changes what is said of its claims.
            if !affected.sessions.is_empty() || document.resource().is_some_and(|file| affected.concerns(file)) {
                self.consider(&uri);
                self.touched.insert(uri);
            }
        }
        if affected.everything || !affected.editing.is_empty() || !affected.sessions.is_empty() {
            self.notice_contenders(id);
        }
        self.tell_what_came_free(id);
        self.status_may_differ();
    }
}

/// True where somebody may coordinate: in a repository, or where a directory is already.
fn is_of_repository(location: &Location) -> bool {
    location.repository.is_some() || location.exists()
}

/// False for an agent whose turn has ended, and for whoever is gone.
fn is_at_work(stored: Option<&StoredSession>) -> bool {
    let record = stored.and_then(|stored| stored.record.as_ref());
    record.is_some_and(|record| !record.is_waiting())
}
