//! The state of the server, and the only thing that changes it.
//!
//! [`ServerState::handle`] takes an event and returns what is to be done about it. It never waits, touches no disk and reads
//! no clock but the one that it was given; so everything that the server decides can be tested without a server.

mod announcing;
mod claiming;
mod commands;
mod damage;
mod directories;
mod directory;
mod document;
mod editing;
mod ending;
mod losing;
mod messages;
mod muting;
mod publishing;
mod rate_limit;
mod renaming;
mod requests;
mod starting;
mod status;
#[cfg(test)]
mod tests;
mod timers;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tower_lsp::ls_types::{MessageType, Uri};

use super::capabilities::EditorCapabilities;
use super::effect::Effect;
use super::event::{DirectoryId, Event};
use super::job::{JobResult, Profile};
use super::present::{self, messages::Notice};
use super::settings::Settings;
use deconflict_platform as platform;
use deconflict_platform::clock::Clock;
use deconflict_protocol::Resource;
use directory::DirectoryContext;
use document::OpenDocument;
use timers::{Timer, Timers};

/// Everything that the server knows.
pub(super) struct ServerState {
    clock: Arc<dyn Clock>,
    /// The directory that the command line or the environment names.
    named: Option<PathBuf>,
    me: Me,
    editor: EditorCapabilities,
    profile: Profile,
    initial_settings: Value,
    configured_settings: Value,
    settings: Settings,
    reported_settings: BTreeSet<(String, String)>,
    phase: Phase,
    folders: Vec<WindowFolder>,
    directories: BTreeMap<DirectoryId, DirectoryContext>,
    documents: HashMap<Uri, OpenDocument>,
    closed: Vec<ClosedDocument>,
    /// Commands that came before it was known where the directories are.
    early_commands: Vec<Event>,
    questions: HashMap<u64, commands::Question>,
    last_question: u64,
    /// When documents became unsaved lately.
    first_changes: VecDeque<Duration>,
    /// Sessions of which nothing is shown, and until when.
    muted_sessions: HashMap<deconflict_protocol::SessionId, Duration>,
    shown_messages: VecDeque<Duration>,
    to_sum_up: Vec<(DirectoryId, deconflict_registry::MessageId, String)>,
    told_status: Option<Value>,
    told_failures: BTreeSet<String>,
    timers: Timers,
    /// Documents that may have to be shown differently.
    touched: BTreeSet<Uri>,
    hint_refreshes: rate_limit::RateLimit,
    effects: Vec<Effect>,
    wakes: Option<upkeep::WallClock>,
    end: ending::End,
}

/// Who the user is, as far as other sessions tell of theirs.
#[derive(Debug, Clone)]
struct Me {
    user: Option<String>,
    scope: String,
}

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `initialize` has not come.
    New,
    /// The settings are not known yet.
    Starting,
    /// It works.
    Running,
    /// It releases everything.
    Ending,
    /// Everything is released.
    Ended,
}

/// A folder of the window.
#[derive(Debug)]
struct WindowFolder {
    uri: Uri,
    path: PathBuf,
    state: FolderState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FolderState {
    /// Its directory is being searched for.
    Wanted,
    /// It belongs to this directory.
    At(DirectoryId),
    /// Nothing happens in it.
    Inactive,
}

/// A document that was closed a moment ago, and what is held of it.
#[derive(Debug)]
struct ClosedDocument {
    directory: DirectoryId,
    path: PathBuf,
    text: ropey::Rope,
    /// Absent while it was not known where it is.
    file: Option<Resource>,
    at: Duration,
}

impl ServerState {
    /// The state before anything happened. `named` is the directory that the command line or the environment names.
    pub(super) fn new(clock: Arc<dyn Clock>, named: Option<PathBuf>) -> Self {
        Self {
            clock,
            named,
            me: Me { user: platform::user_name(), scope: platform::pid_scope() },
            editor: EditorCapabilities::default(),
            profile: Profile::default(),
            initial_settings: Value::Null,
            configured_settings: Value::Null,
            settings: Settings::default(),
            reported_settings: BTreeSet::new(),
            phase: Phase::New,
            folders: Vec::new(),
            directories: BTreeMap::new(),
            documents: HashMap::new(),
            closed: Vec::new(),
            early_commands: Vec::new(),
            questions: HashMap::new(),
            last_question: 0,
            first_changes: VecDeque::new(),
            muted_sessions: HashMap::new(),
            shown_messages: VecDeque::new(),
            to_sum_up: Vec::new(),
            told_status: None,
            told_failures: BTreeSet::new(),
            timers: Timers::default(),
            touched: BTreeSet::new(),
            hint_refreshes: rate_limit::RateLimit::default(),
            effects: Vec::new(),
            wakes: None,
            end: ending::End::default(),
        }
    }

    /// Takes in an event, and returns the effects.
    pub(super) fn handle(&mut self, event: Event) -> Vec<Effect> {
        self.notice_sleep();
        self.take_in(event);
        while let Some(timer) = self.timers.take_due(self.now()) {
            self.fire(timer);
        }
        self.tell_editing();
        self.show_what_changed();
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Tick`] is wanted next, by the clock's [`Clock::elapsed`].
    pub(super) fn next_tick(&self) -> Option<Duration> {
        self.timers.next()
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Shutdown(reply) => self.shut_down(reply),
            Event::End(ending) => self.end(ending),
            Event::JobResult(directory, done) if matches!(*done, JobResult::Completed) => self.completed(directory),
            // Whatever else comes while everything is being released would only undo that.
            _ if matches!(self.phase, Phase::Ending | Phase::Ended) => {}
            Event::Initialize(parameters, reply) => self.initialize(&parameters, reply),
            Event::Initialized => self.initialized(),
            Event::ConfigurationChanged(settings) => self.configuration_changed(&settings),
            Event::Configured(settings) => self.configured(settings),
            Event::FoldersChanged { added, removed } => self.folders_changed(&added, &removed),
            Event::Located(uri, location) => self.located(&uri, *location),
            Event::Unused(remarks) => self.log(remarks),
            Event::Document(event) => self.document_event(event),
            Event::FilesRenamed(names) => self.files_renamed(&names),
            Event::Request(request) => self.answer(request),
            Event::Execute(parameters, reply) => self.execute(parameters, reply),
            Event::JobResult(directory, done) => self.done(directory, *done),
            Event::Changed(directory, changes) => self.directory_changed(directory, changes),
            Event::Told(directory, messages) => self.told(directory, messages),
            Event::Tick => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        if self.phase == Phase::Ended || (self.phase == Phase::Ending && timer != Timer::End) {
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
            Timer::Damage(directory) => self.tell_damage(directory),
            Timer::Saves(directory) => self.tell_saves(directory),
            Timer::Claims(directory) => self.tell_claims(directory),
            Timer::Announce(directory) => self.announce(directory),
            Timer::View(directory) => self.view_aged(directory),
            Timer::Show(uri) => drop(self.touched.insert(uri)),
            Timer::RefreshHints => self.refresh_hints(),
            Timer::Messages => self.sum_up_messages(),
            Timer::Status => self.tell_status(),
            Timer::End => self.end_now(),
        }
    }

    fn done(&mut self, id: DirectoryId, done: JobResult) {
        match done {
            JobResult::Joined { session, claims, view, directory } => self.joined(id, session, claims, view, directory),
            JobResult::Observing { view, directory } => self.observing(id, view, &directory),
            JobResult::OnlyAdvice(directory) => self.show(present::messages::only_advice(&directory)),
            JobResult::NotAdopted(directory) => self.not_adopted(id, &directory),
            JobResult::DiskChecked { uri, number, place, on_disk, claim } => {
                self.disk_checked(id, &uri, number, place, on_disk, claim);
            }
            JobResult::Written(documents) => self.files_written(&documents),
            JobResult::Released(holding, outcome) => self.released(id, &holding, &outcome),
            JobResult::Renewed(holding, outcome) => self.renewed(id, &holding, outcome),
            JobResult::Verified(resource, claim) => self.verified(id, &resource, claim),
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

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    fn job(&mut self, directory: DirectoryId, job: super::job::Job) {
        self.effects.push(Effect::Job(directory, job));
    }

    fn show(&mut self, notice: Notice) {
        self.effects.push(Effect::Show { level: notice.level, text: notice.text, told: None });
    }

    /// Shows what is about a claim or message, which an editor that wants to offer more than words is told of.
    fn show_about(
        &mut self,
        notice: Notice,
        about: Value,
        told: Option<(DirectoryId, Vec<deconflict_registry::MessageId>)>,
    ) {
        self.effects.push(if self.editor.wants_notices {
            Effect::Notice { level: notice.level, text: notice.text, about, told }
        } else {
            Effect::Show { level: notice.level, text: notice.text, told }
        });
    }

    fn log(&mut self, remarks: Vec<String>) {
        self.effects.extend(remarks.into_iter().map(|remark| Effect::Log(MessageType::WARNING, remark)));
    }

    /// Tells the user of a failure, once.
    fn tell_failure(&mut self, cause: &str) {
        self.show_once(present::messages::failed(cause));
    }

    fn show_once(&mut self, notice: Notice) {
        if self.told_failures.insert(notice.text.clone()) {
            tracing::warn!("{}", notice.text);
            self.show(notice);
        }
    }

    /// The open documents that are at a directory.
    fn documents_at(&self, directory: DirectoryId) -> Vec<Uri> {
        let here = self.documents.values().filter(|document| document.directory == Some(directory));
        here.map(|document| document.uri.clone()).collect()
    }
}
