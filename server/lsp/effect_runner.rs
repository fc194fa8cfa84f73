//! Gives the state the events, and runs the effects that it returns.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::effect::Effect;
use super::event::{DirectoryId, Event};
use super::event_loop::{EventHandler, Events};
use super::hearing::Hearing;
use super::output::{OnWritten, Outgoing};
use super::present::messages::{self, Notice};
use super::settings::SECTION;
use super::spelling::Spellings;
use super::state::ServerState;
use super::worker::Worker;
use super::{convert, parent};
use deconflict_platform::clock::Clock;
use deconflict_platform::{self as platform, home_directory};
use deconflict_protocol::text::printable;
use deconflict_workspace::{self as workspace, Location};

/// How long the editor may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The state, and what its effects are run with.
pub(super) struct EffectRunner {
    state: ServerState,
    events: Events,
    hearing: Hearing,
    outgoing: Outgoing,
    spellings: Spellings,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    workers: HashMap<DirectoryId, Worker>,
}

impl EffectRunner {
    /// Runs effects through this pipe. What comes of them is told through this queue, some by tasks of this runtime.
    pub(super) fn new(
        state: ServerState,
        (events, hearing): (Events, Hearing),
        outgoing: Outgoing,
        spellings: Spellings,
        runtime: Handle,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { state, events, hearing, outgoing, spellings, runtime, clock, workers: HashMap::new() }
    }

    fn run_effects(&mut self, mut effects: Vec<Effect>) -> Option<u8> {
        // Somebody waits for these, and no other thread should be woken before they are told.
        effects.sort_by_key(|effect| !matches!(effect, Effect::Publish(_)));
        effects.into_iter().find_map(|effect| self.run_effect(effect))
    }

    /// Returns the exit code if it is the last.
    fn run_effect(&mut self, effect: Effect) -> Option<u8> {
        match effect {
            Effect::Locate { uri, folder, document, named } => {
                let events = self.events.clone();
                self.runtime.spawn_blocking(move || {
                    // A document's own repository is the one that its file is in, whatever leads to it.
                    let folder = document.as_deref().and_then(workspace_of).unwrap_or(folder);
                    let location = workspace::locate(&folder, named.as_deref(), home_directory().as_deref());
                    let found = location.as_ref().ok().cloned();
                    events.send(Event::Located(uri, Box::new(location)));
                    // This may take a while, and nobody waits for it.
                    let remarks = found.as_ref().map(unused_directories).unwrap_or_default();
                    if !remarks.is_empty() {
                        events.send(Event::Unused(remarks));
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
            Effect::Hear(id) => self.hearing.ask(id),
            Effect::Publish(parameters) => {
                let method = "textDocument/publishDiagnostics";
                if self.spellings.original(parameters.uri.as_str()).is_none() {
                    self.outgoing.notify(method, &parameters);
                } else {
                    let parameters = self.as_spelled(serde_json::to_value(parameters).unwrap_or_default());
                    self.outgoing.notify(method, &parameters);
                }
            }
            Effect::Show { notice: Notice { level, text }, about, told } => {
                let (method, parameters) = match about {
                    None => ("window/showMessage", json!({ "type": level, "message": text })),
                    Some(Value::Null) => ("deconflict/notice", json!({ "level": level, "text": text })),
                    Some(about) => {
                        let about = self.as_spelled(about);
                        ("deconflict/notice", json!({ "level": level, "text": text, "about": about }))
                    }
                };
                let events = self.events.clone();
                let tell = move |(id, messages)| events.send(Event::Told(id, messages));
                let on_written = told.map(|told| Box::new(move || tell(told)) as OnWritten);
                self.outgoing.notify_then(method, &parameters, on_written);
            }
            Effect::Log(level, text) => {
                self.outgoing.notify("window/logMessage", &json!({ "type": level, "message": text }));
            }
            Effect::RefreshHints => drop(self.outgoing.request("workspace/inlayHint/refresh", &())),
            Effect::AskConfiguration => self.ask_configuration(),
            Effect::RegisterConfiguration => {
                let registration = json!({
                    "id": "deconflict-configuration",
                    "method": "workspace/didChangeConfiguration",
                    "registerOptions": { "section": SECTION },
                });
                drop(self.outgoing.request("client/registerCapability", &json!({ "registrations": [registration] })));
            }
            Effect::Edit(uri, edit) => {
                let uri = self.spellings.original(uri.as_str()).unwrap_or_else(|| uri.to_string());
                let parameters = json!({ "label": "Deconflict", "edit": { "changes": { uri: [edit] } } });
                drop(self.outgoing.request("workspace/applyEdit", &parameters));
            }
            Effect::ShowDocument(path) => {
                if let Some(uri) = convert::uri_of(&path) {
                    let parameters = json!({ "uri": uri, "external": false, "takeFocus": true });
                    drop(self.outgoing.request("window/showDocument", &parameters));
                }
            }
            Effect::Status(status) => self.outgoing.notify("deconflict/status", &status),
            Effect::Changed => self.outgoing.notify("deconflict/changed", &json!({})),
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

    /// Asks for the settings, and turns the answer or the lack of one into an event. Nothing waits for it.
    fn ask_configuration(&self) {
        let answer = self.outgoing.request("workspace/configuration", &json!({ "items": [{ "section": SECTION }] }));
        let events = self.events.clone();
        self.runtime.spawn(async move {
            let answer = tokio::time::timeout(ANSWER_TIME, answer).await;
            let settings = match answer {
                Ok(Ok(Ok(answer))) => answer.get(0).cloned(),
                _ => None,
            };
            events.send(Event::Configured(settings));
        });
    }
}

impl EventHandler for EffectRunner {
    fn handle(&mut self, event: Event) -> Option<u8> {
        let is_edit = matches!(event, Event::DocumentChanged { .. });
        let handled = catch_unwind(AssertUnwindSafe(|| {
            let mut effects = self.state.handle(event);
            // An edit is claimed before anything is drawn.
            if is_edit && let Some(exit_code) = self.run_effects(std::mem::take(&mut effects)) {
                return Some(exit_code);
            }
            effects.extend(self.state.publish());
            self.run_effects(effects)
        }));
        handled.unwrap_or_else(|panic| {
            tracing::error!("an event was not handled: {}", words(panic.as_ref()));
            None
        })
    }

    fn next_tick(&self) -> Option<Duration> {
        self.state.next_tick()
    }
}

/// The worktree of git that a file is in, which need not exist yet.
fn workspace_of(document: &Path) -> Option<PathBuf> {
    let real = document.ancestors().find_map(|path| platform::canonical(path).ok())?;
    let repository = workspace::Repository::containing(&real).ok().flatten()?;
    Some(repository.root().to_owned())
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
