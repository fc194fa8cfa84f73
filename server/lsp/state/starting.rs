//! The handshake and the settings.

use std::time::Duration;

use serde_json::Value;
use tower_lsp::jsonrpc;
use tower_lsp::ls_types::{InitializeParams, InitializeResult, ServerInfo, Uri, WorkspaceFolder};

use super::server_state::{FolderState, Phase, ServerState, WindowFolder};
use super::timers::Timer;
use crate::capabilities::EditorCapabilities;
use crate::convert;
use crate::effect::Effect;
use crate::job::{Job, Profile};
use crate::present::messages;
use crate::reply::Reply;
use crate::settings::{SECTION, Settings};
use deconflict_protocol::{SessionId, text};

/// An editor that doesn't tell its settings in this time is served with what is known.
const CONFIGURATION_TIME: Duration = Duration::from_millis(800);

/// A client that doesn't say in this time that it is initialized is served without.
const HANDSHAKE_TIME: Duration = Duration::from_secs(3);

/// No window has more folders than this that are worth remembering.
const MOST_EARLIER: usize = 32;

impl ServerState {
    pub(super) fn initialize(&mut self, parameters: &InitializeParams, reply: Reply<InitializeResult>) {
        if self.phase != Phase::New {
            reply.send(Err(jsonrpc::Error::invalid_request()));
            return;
        }
        self.phase = Phase::Starting;
        self.editor = EditorCapabilities::resolve(parameters);
        self.profile = Profile {
            client: parameters.client_info.as_ref().map(|client| text::one_line(&client.name, 60)),
            name: None,
            client_pid: self.editor_process.or(parameters.process_id),
            earlier: earlier_sessions(parameters),
        };
        self.initial_settings = parameters.initialization_options.clone().unwrap_or_default();
        self.folders = folders(parameters);
        self.effects.extend(self.profile.client_pid.map(Effect::WatchEditor));
        // Some clients never say that they are initialized.
        self.timers.set(Timer::Configuration, self.now() + HANDSHAKE_TIME);
        let result = InitializeResult {
            capabilities: self.editor.offer(),
            server_info: Some(ServerInfo {
                name: "deconflict".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        };
        reply.send(Ok(result));
    }

    pub(super) fn initialized(&mut self) {
        if self.editor.registers_configuration {
            self.effects.push(Effect::RegisterConfiguration);
        }
        if self.editor.configuration {
            self.effects.push(Effect::AskConfiguration);
            if self.phase == Phase::Starting {
                self.timers.set(Timer::Configuration, self.now() + CONFIGURATION_TIME);
            }
        } else if self.phase == Phase::Starting {
            self.configured(Some(Value::Null));
        }
    }

    /// The editor says that its settings changed; some send them along, others want to be asked.
    pub(super) fn configuration_changed(&mut self, settings: &Value) {
        if self.editor.configuration {
            self.effects.push(Effect::AskConfiguration);
        } else if let Some(section) = settings.get(SECTION).or(Some(settings)).filter(|section| section.is_object()) {
            self.configured(Some(section.clone()));
        }
    }

    /// The settings are known, or will not be.
    pub(super) fn configured(&mut self, settings: Option<Value>) {
        self.timers.cancel(&Timer::Configuration);
        if let Some(settings) = settings {
            self.configured_settings = settings;
        } else if self.phase == Phase::Running {
            return;
        }
        let before = self.settings.clone();
        self.read_settings();
        if self.phase == Phase::Starting {
            self.phase = Phase::Running;
            self.profile.name.clone_from(&self.settings.session_name);
            for folder in 0..self.folders.len() {
                self.locate(folder);
            }
            self.run_early_commands();
            self.status_may_differ();
            return;
        }
        for id in self.directory_ids() {
            if before.exclude != self.settings.exclude {
                self.job(id, Job::Exclude(self.settings.exclude.clone()));
                for uri in self.documents_at(id) {
                    self.check_disk(&uri, None);
                }
            }
            if before.shared != self.settings.shared {
                self.job(id, Job::Share(self.settings.shared.clone()));
            }
            if before.session_name != self.settings.session_name
                && let Some(name) = self.settings.session_name.clone()
            {
                self.job(id, Job::SetName(name));
            }
            self.timers.set(Timer::Sweep(id), self.now());
        }
        self.profile.name.clone_from(&self.settings.session_name);
        let uris: Vec<Uri> = self.documents.keys().cloned().collect();
        for uri in uris {
            self.consider(&uri);
            self.touched.insert(uri);
        }
    }

    fn read_settings(&mut self) {
        let (settings, problems) =
            Settings::read(&self.initial_settings, &self.configured_settings, &self.user_settings);
        self.settings = settings;
        for problem in problems {
            // The same value may come from several sources.
            if self.reported_settings.insert((problem.name.to_owned(), problem.problem.clone())) {
                self.show(messages::wrong_setting(problem.name, &problem.problem, "the default"));
            }
        }
    }
}

/// The sessions that the window says it had (`initializationOptions.earlierSessions`).
fn earlier_sessions(parameters: &InitializeParams) -> Vec<SessionId> {
    let options = parameters.initialization_options.as_ref();
    let named = options.and_then(|options| options.get("earlierSessions")).and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    named.filter_map(|id| SessionId::new(id).ok()).take(MOST_EARLIER).collect()
}

fn folders(parameters: &InitializeParams) -> Vec<WindowFolder> {
    let folders = parameters.workspace_folders.as_deref().unwrap_or_default();
    if !folders.is_empty() {
        return folders.iter().filter_map(folder).collect();
    }
    #[expect(deprecated, reason = "editors that know nothing newer still send it")]
    let (root_uri, root_path) = (parameters.root_uri.clone(), parameters.root_path.as_deref());
    let root = root_uri.or_else(|| convert::uri_of(std::path::Path::new(root_path?)));
    root.and_then(|uri| folder(&WorkspaceFolder { uri, name: String::new() })).into_iter().collect()
}

/// A folder of the editor's window; `None` if it is not a folder on this disk.
pub(super) fn folder(folder: &WorkspaceFolder) -> Option<WindowFolder> {
    let path = convert::path_of(&folder.uri)?;
    Some(WindowFolder { uri: folder.uri.clone(), path, state: FolderState::Wanted, document: None })
}
