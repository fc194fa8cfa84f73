//! Everything that the server knows, and what every handler asks of it. The handlers stand in files of their own, by
//! topic.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tower_lsp::ls_types::{ExecuteCommandParams, MessageType, Uri};

use super::directory::{DirectoryContext, OwnClaim, Participation};
use super::document::{OpenDocument, Unsaved};
use super::rate_limit::RateLimit;
use super::timers::{Timer, Timers};
use crate::capabilities::EditorCapabilities;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::{Job, Profile, Refusal};
use crate::present::messages::{self, Notice};
use crate::reply::Reply;
use crate::settings::Settings;
use deconflict_platform as platform;
use deconflict_platform::clock::Clock;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{MessageId, Session, View};
use deconflict_workspace::UserSettings;

/// Changes are gathered for so long before the editor is told how things stand.
const STATUS_PAUSE: Duration = Duration::from_millis(100);

/// More claims than this take long to count.
const MANY_CLAIMS: usize = 1_000;
const STATUS_PAUSE_OF_MANY: Duration = Duration::from_secs(1);

pub(super) type CommandReply = Reply<Option<Value>>;

/// Everything that the server knows.
pub(crate) struct ServerState {
    pub(super) clock: Arc<dyn Clock>,
    /// The directory that the command line or the environment names.
    pub(super) named: Option<PathBuf>,
    /// Who the user is, as other sessions tell of theirs.
    pub(super) user: Option<String>,
    pub(super) editor: EditorCapabilities,
    pub(super) profile: Profile,
    /// What the user says for all programs.
    pub(super) user_settings: UserSettings,
    pub(super) initial_settings: Value,
    pub(super) configured_settings: Value,
    pub(super) settings: Settings,
    pub(super) reported_settings: BTreeSet<(String, String)>,
    pub(super) phase: Phase,
    pub(super) folders: Vec<WindowFolder>,
    /// The directories of folders that are in no repository.
    pub(super) outside_git: HashSet<DirectoryId>,
    pub(super) directories: BTreeMap<DirectoryId, DirectoryContext>,
    pub(super) documents: HashMap<Uri, OpenDocument>,
    pub(super) closed: Vec<ClosedDocument>,
    /// Documents that were closed while the editor saved them, and when.
    pub(super) closed_while_saving: HashMap<Uri, (OpenDocument, Duration)>,
    /// Commands that came before it was known where the directories are.
    pub(super) early_commands: Vec<(ExecuteCommandParams, CommandReply)>,
    pub(super) questions: HashMap<u64, Question>,
    pub(super) last_question: u64,
    /// When documents became unsaved lately.
    pub(super) first_changes: VecDeque<Duration>,
    pub(super) shown_messages: VecDeque<Duration>,
    pub(super) shown_losses: VecDeque<Duration>,
    pub(super) losses_to_sum_up: BTreeMap<Resource, Notice>,
    /// Messages that one summary will tell of: how many, and their senders.
    pub(super) to_sum_up: Vec<String>,
    pub(super) told_status: Option<Value>,
    pub(super) told_failures: BTreeSet<String>,
    pub(super) timers: Timers,
    /// Documents that may have to be shown differently.
    pub(super) touched: BTreeSet<Uri>,
    pub(super) hint_refreshes: RateLimit,
    pub(super) effects: Vec<Effect>,
    /// The time of day and the process's own clock when the last event came.
    pub(super) last_event: Option<(DateTime<Utc>, Duration)>,
    pub(super) shutdown: Option<Reply<()>>,
    /// The editor's process, where the client is another that outlives it.
    pub(super) editor_process: Option<u32>,
    pub(super) was_shut_down: bool,
    pub(super) exit_code: Option<u8>,
}

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// `initialize` has not come.
    New,
    /// The settings are not known yet.
    Starting,
    Running,
    /// It releases everything.
    EndReason,
    /// Everything is released.
    Ended,
}

/// A folder of the window.
#[derive(Debug)]
pub(super) struct WindowFolder {
    pub(super) uri: Uri,
    pub(super) path: PathBuf,
    pub(super) state: FolderState,
    /// The document for which it is there, where the window has no folder for it.
    pub(super) document: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderState {
    /// Its directory is being searched for.
    Wanted,
    At(DirectoryId),
    /// Nothing happens in it.
    Inactive,
}

/// A document that was closed a moment ago, and what is held of it.
#[derive(Debug)]
pub(super) struct ClosedDocument {
    pub(super) directory: DirectoryId,
    pub(super) path: PathBuf,
    pub(super) text: ropey::Rope,
    /// Absent while it was not known where it is.
    pub(super) file: Option<Resource>,
    pub(super) at: Duration,
}

/// A command that waits for its answers.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) reply: CommandReply,
    pub(super) is_interactive: bool,
    pub(super) waiting: usize,
    pub(super) answer: Option<Result<Value, (DirectoryId, Refusal)>>,
}

impl ServerState {
    /// The state before anything happened. `named` is the directory that the command line or the environment names.
    pub(crate) fn new(clock: Arc<dyn Clock>, named: Option<PathBuf>, user_settings: UserSettings) -> Self {
        Self {
            clock,
            named,
            user: platform::user_name(),
            editor: EditorCapabilities::default(),
            profile: Profile::default(),
            user_settings,
            initial_settings: Value::Null,
            configured_settings: Value::Null,
            settings: Settings::default(),
            reported_settings: BTreeSet::new(),
            phase: Phase::New,
            folders: Vec::new(),
            outside_git: HashSet::new(),
            directories: BTreeMap::new(),
            documents: HashMap::new(),
            closed: Vec::new(),
            closed_while_saving: HashMap::new(),
            early_commands: Vec::new(),
            questions: HashMap::new(),
            last_question: 0,
            first_changes: VecDeque::new(),
            shown_messages: VecDeque::new(),
            shown_losses: VecDeque::new(),
            losses_to_sum_up: BTreeMap::new(),
            to_sum_up: Vec::new(),
            told_status: None,
            told_failures: BTreeSet::new(),
            timers: Timers::default(),
            touched: BTreeSet::new(),
            hint_refreshes: RateLimit::default(),
            effects: Vec::new(),
            last_event: None,
            shutdown: None,
            editor_process: None,
            was_shut_down: false,
            exit_code: None,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The same for the editor of this process, whatever the client says.
    pub(crate) fn serving(self, editor: Option<u32>) -> Self {
        Self { editor_process: editor, ..self }
    }

    pub(super) fn job(&mut self, directory: DirectoryId, job: Job) {
        self.effects.push(Effect::Job(directory, job));
    }

    pub(super) fn show(&mut self, notice: Notice) {
        // An editor that gathers notices gathers all of them.
        self.show_about(notice, Value::Null, None);
    }

    /// Shows what is about a claim or message, which an editor that wants to offer more than words is told of.
    pub(super) fn show_about(&mut self, notice: Notice, about: Value, told: Option<(DirectoryId, Vec<MessageId>)>) {
        let about = self.editor.wants_notices.then_some(about);
        self.effects.push(Effect::Show { notice, about, told });
    }

    pub(super) fn log(&mut self, remarks: Vec<String>) {
        self.effects.extend(remarks.into_iter().map(|remark| Effect::Log(MessageType::WARNING, remark)));
    }

    /// Tells the user of a failure, once.
    pub(super) fn tell_failure(&mut self, cause: &str) {
        self.show_once(messages::failed(cause));
    }

    pub(super) fn show_once(&mut self, notice: Notice) {
        if self.told_failures.insert(notice.text.clone()) {
            tracing::warn!("{}", notice.text);
            self.show(notice);
        }
    }

    /// Something changed that the status may tell.
    pub(super) fn status_may_differ(&mut self) {
        if self.editor.wants_status || self.editor.wants_changes {
            let claims = |directory: &DirectoryContext| directory.view.as_ref().map_or(0, View::number_of_claims);
            let are_many = self.directories.values().map(claims).sum::<usize>() > MANY_CLAIMS;
            let wait = if are_many { STATUS_PAUSE_OF_MANY } else { STATUS_PAUSE };
            self.timers.set_by(Timer::Status, self.now() + wait);
        }
    }

    /// Lets what is held be checked soon.
    pub(super) fn sweep_soon(&mut self, id: DirectoryId) {
        self.timers.set_by(Timer::Sweep(id), self.now() + Duration::from_millis(100));
    }

    pub(super) fn touch_all_at(&mut self, id: DirectoryId) {
        let here = self.documents_at(id);
        self.touched.extend(here);
        self.status_may_differ();
    }

    /// True while it is being searched for the directory of a folder.
    pub(super) fn is_locating(&self) -> bool {
        matches!(self.phase, Phase::New | Phase::Starting)
            || self.folders.iter().any(|folder| folder.state == FolderState::Wanted)
    }

    pub(super) fn directory_ids(&self) -> Vec<DirectoryId> {
        self.directories.keys().copied().collect()
    }

    /// A session that takes part in a directory.
    pub(super) fn session_at(&self, id: DirectoryId, session: &SessionId) -> Option<Session> {
        self.directories.get(&id)?.view.as_ref()?.session(session)
    }

    pub(super) fn participates(&self, id: DirectoryId, participation: &Participation) -> bool {
        self.directories.get(&id).is_some_and(|directory| directory.participation == *participation)
    }

    /// A document, if it has unsaved changes.
    pub(super) fn unsaved(&self, uri: &Uri) -> Option<&OpenDocument> {
        self.documents.get(uri).filter(|document| document.unsaved == Unsaved::Yes)
    }

    /// The open documents that are at a directory.
    pub(super) fn documents_at(&self, directory: DirectoryId) -> Vec<Uri> {
        let here = self.documents.values().filter(|document| document.directory == Some(directory));
        here.map(|document| document.uri.clone()).collect()
    }

    /// The open documents whose claim has this file.
    pub(super) fn documents_of(&self, id: DirectoryId, file: &Resource) -> impl Iterator<Item = &OpenDocument> {
        self.documents.values().filter(move |document| document.location() == Some((id, file)))
    }

    /// The open documents that a claim of a resource is about.
    pub(super) fn documents_held_by(&self, id: DirectoryId, held: &Resource) -> impl Iterator<Item = &OpenDocument> {
        self.documents.values().filter(move |document| document.is_held_by(id, held))
    }

    /// The same, to change them.
    pub(super) fn documents_held_by_mut(
        &mut self,
        id: DirectoryId,
        held: &Resource,
    ) -> impl Iterator<Item = &mut OpenDocument> {
        self.documents.values_mut().filter(move |document| document.is_held_by(id, held))
    }

    /// What the session holds of a document itself.
    pub(super) fn own_of(&self, uri: &Uri) -> Option<&OwnClaim> {
        let (id, file) = self.documents.get(uri)?.location()?;
        self.own_at(id, file)
    }

    pub(super) fn own_of_mut(&mut self, uri: &Uri) -> Option<&mut OwnClaim> {
        let (id, file) = self.documents.get(uri)?.location()?;
        self.directories.get_mut(&id)?.own.get_mut(file)
    }

    pub(super) fn own_at(&self, id: DirectoryId, file: &Resource) -> Option<&OwnClaim> {
        self.directories.get(&id)?.own.get(file)
    }

    pub(super) fn own_at_mut(&mut self, id: DirectoryId, file: &Resource) -> Option<&mut OwnClaim> {
        self.directories.get_mut(&id)?.own.get_mut(file)
    }
}
