//! Runs the loop: gives the state the events in their order, and runs the effects that it returns.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tower_lsp::ls_types::{
    ConfigurationItem, ConfigurationParams, LogMessageParams, Registration, RegistrationParams, ShowDocumentParams,
    ShowMessageParams, notification, request,
};

use super::effect::Effect;
use super::event::{DirectoryId, Event};
use super::output::Outgoing;
use super::present::messages;
use super::settings::SECTION;
use super::spelling::Spellings;
use super::state::ServerState;
use super::worker::Worker;
use super::{convert, parent};
use deconflict_platform::clock::Clock;
use deconflict_platform::home_directory;
use deconflict_protocol::text::printable;
use deconflict_registry::MessageId;
use deconflict_workspace::{self as workspace, Location};

/// How long the editor may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long the editor may take to read what was said last.
const FLUSH_TIME: Duration = Duration::from_millis(150);

/// `deconflict/status`: how things stand, for an editor's status bar.
enum StatusNotification {}

impl notification::Notification for StatusNotification {
    type Params = Value;
    const METHOD: &'static str = "deconflict/status";
}

/// `deconflict/changed`: something that commands answer is not as it was.
enum ChangeNotification {}

impl notification::Notification for ChangeNotification {
    type Params = Value;
    const METHOD: &'static str = "deconflict/changed";
}

/// `deconflict/notice`: a message for the user, and the claim or message that it is about.
enum NoticeNotification {}

impl notification::Notification for NoticeNotification {
    type Params = Value;
    const METHOD: &'static str = "deconflict/notice";
}

/// What effects are run with.
pub(super) struct EffectRunner {
    clock: Arc<dyn Clock>,
    events: UnboundedSender<Event>,
    outgoing: Outgoing,
    spellings: Spellings,
    workers: HashMap<DirectoryId, Worker>,
}

impl EffectRunner {
    /// Runs effects through this pipe, and answers through this queue.
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        events: UnboundedSender<Event>,
        outgoing: Outgoing,
        spellings: Spellings,
    ) -> Self {
        Self { clock, events, outgoing, spellings, workers: HashMap::new() }
    }

    /// Runs until the loop wants to end, and returns the exit code.
    pub(super) async fn run(mut self, mut state: ServerState, mut events: UnboundedReceiver<Event>) -> u8 {
        loop {
            let event = match state.next_tick() {
                None => events.recv().await,
                Some(due) => {
                    let wait = due.saturating_sub(self.clock.elapsed());
                    tokio::time::timeout(wait, events.recv()).await.unwrap_or(Some(Event::Tick))
                }
            };
            let Some(event) = event else { return 1 };
            match catch_unwind(AssertUnwindSafe(|| state.handle(event))) {
                Ok(mut effects) => {
                    // Somebody waits for these, and no other thread should be woken before they are told.
                    effects.sort_by_key(|effect| !matches!(effect, Effect::Publish(_)));
                    for effect in effects {
                        if let Some(exit_code) = self.run_effect(effect) {
                            self.flush().await;
                            return exit_code;
                        }
                    }
                }
                Err(panic) => tracing::error!("an event was not handled: {}", words(panic.as_ref())),
            }
        }
    }

    /// Returns the exit code if it is the last.
    fn run_effect(&mut self, effect: Effect) -> Option<u8> {
        match effect {
            Effect::Locate { uri, folder, named } => {
                let events = self.events.clone();
                tokio::task::spawn_blocking(move || {
                    let location = workspace::locate(&folder, named.as_deref(), home_directory().as_deref());
                    let found = location.as_ref().ok().cloned();
                    let _ = events.send(Event::Located(uri, Box::new(location)));
                    // This may take a while, and nobody waits for it.
                    let remarks = found.as_ref().map(unused_directories).unwrap_or_default();
                    if !remarks.is_empty() {
                        let _ = events.send(Event::Unused(remarks));
                    }
                });
            }
            Effect::Start { id, location, profile, may_make } => {
                let (clock, events) = (Arc::clone(&self.clock), self.events.clone());
                match Worker::start(id, *location, profile, may_make, clock, events) {
                    Ok(worker) => drop(self.workers.insert(id, worker)),
                    Err(error) => tracing::error!("no thread could be started: {error}"),
                }
            }
            Effect::Job(id, job) => {
                if let Some(worker) = self.workers.get(&id) {
                    worker.send(job);
                }
            }
            Effect::Publish(parameters) => {
                let parameters = self.as_spelled(serde_json::to_value(parameters).unwrap_or_default());
                self.outgoing.notify_value("textDocument/publishDiagnostics", &parameters);
            }
            Effect::Show { level, text, told } => {
                let parameters = ShowMessageParams { typ: level, message: text };
                self.outgoing.notify_then::<notification::ShowMessage>(&parameters, self.once_told(told));
            }
            Effect::Notice { level, text, about, told } => {
                let about = self.as_spelled(about);
                let parameters = serde_json::json!({ "level": level, "text": text, "about": about });
                self.outgoing.notify_then::<NoticeNotification>(&parameters, self.once_told(told));
            }
            Effect::Log(level, text) => {
                self.outgoing.notify::<notification::LogMessage>(&LogMessageParams { typ: level, message: text });
            }
            Effect::RefreshHints => self.ask::<request::InlayHintRefreshRequest>(&(), |_| None),
            Effect::AskConfiguration => {
                let item = ConfigurationItem { scope_uri: None, section: Some(SECTION.to_owned()) };
                self.ask::<request::WorkspaceConfiguration>(&ConfigurationParams { items: vec![item] }, |answer| {
                    let settings = answer.and_then(|answer| answer.as_array()?.first().cloned());
                    Some(Event::Configured(settings))
                });
            }
            Effect::RegisterConfiguration => {
                let registration = Registration {
                    id: "deconflict-configuration".to_owned(),
                    method: "workspace/didChangeConfiguration".to_owned(),
                    register_options: Some(serde_json::json!({ "section": SECTION })),
                };
                let parameters = RegistrationParams { registrations: vec![registration] };
                self.ask::<request::RegisterCapability>(&parameters, |_| None);
            }
            Effect::Edit(uri, edit) => {
                let uri = self.spellings.original(uri.as_str()).unwrap_or_else(|| uri.to_string());
                let parameters = serde_json::json!({ "label": "Deconflict", "edit": { "changes": { uri: [edit] } } });
                drop(self.outgoing.request_value("workspace/applyEdit", &parameters));
            }
            Effect::ShowDocument(path) => {
                if let Some(uri) = convert::uri_of(&path) {
                    let parameters =
                        ShowDocumentParams { uri, external: Some(false), take_focus: Some(true), selection: None };
                    self.ask::<request::ShowDocument>(&parameters, |_| None);
                }
            }
            Effect::Status(status) => self.outgoing.notify::<StatusNotification>(&status),
            Effect::Changed => self.outgoing.notify::<ChangeNotification>(&serde_json::json!({})),
            Effect::WatchEditor(pid) => parent::watch(pid, self.events.clone()),
            Effect::Exit(exit_code) => return Some(exit_code),
        }
        None
    }

    /// With the document's URI as the editor spelled it.
    fn as_spelled(&self, mut parameters: Value) -> Value {
        if let Some(original) = parameters["uri"].as_str().and_then(|uri| self.spellings.original(uri)) {
            parameters["uri"] = Value::String(original);
        }
        parameters
    }

    /// What is to be done once the editor has a message that tells those of others.
    fn once_told(&self, told: Option<(DirectoryId, Vec<MessageId>)>) -> Box<dyn FnOnce() + Send> {
        let events = self.events.clone();
        Box::new(move || {
            if let Some((id, messages)) = told {
                let _ = events.send(Event::Told(id, messages));
            }
        })
    }

    /// Sends a request and turns its answer, or the lack of one, into an event. Nothing waits for it.
    fn ask<R: request::Request>(
        &self,
        parameters: &R::Params,
        event: impl FnOnce(Option<Value>) -> Option<Event> + Send + 'static,
    ) {
        let answer = self.outgoing.request::<R>(parameters);
        let events = self.events.clone();
        tokio::spawn(async move {
            let answer = match tokio::time::timeout(ANSWER_TIME, answer).await {
                Ok(Ok(Ok(answer))) => Some(answer),
                Ok(Ok(Err(error))) => {
                    tracing::info!("the editor refused {}: {error}", R::METHOD);
                    None
                }
                Ok(Err(_)) | Err(_) => None,
            };
            if let Some(event) = event(answer) {
                let _ = events.send(event);
            }
        });
    }

    /// Lets the editor get what was said last.
    async fn flush(&self) {
        // Tasks of their own give the answers to requests to the writing thread.
        tokio::task::yield_now().await;
        let (written, all_written) = tokio::sync::oneshot::channel();
        self.outgoing.when_written(Box::new(move || {
            let _ = written.send(());
        }));
        let _ = tokio::time::timeout(FLUSH_TIME, all_written).await;
    }
}

/// What to say of coordination directories that are not used.
fn unused_directories(location: &Location) -> Vec<String> {
    let nested = workspace::nested(location);
    let nested: Vec<&Path> = nested.iter().map(PathBuf::as_path).collect();
    let mut remarks: Vec<String> = location
        .passed_over
        .iter()
        .map(|passed| format!("{} is not used, because {}.", passed.path.display(), passed.reason))
        .collect();
    if !nested.is_empty() {
        remarks.push(messages::nested_directories(&location.directory, &nested).text);
    }
    remarks.into_iter().map(|remark| printable(&remark)).collect()
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for an unknown reason")
}
