//! What an editor has been told by its server, and whether that keeps to the protocol and to what the editor declared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::builder::EditorBuilder;
use super::pointer;
use crate::support::capabilities::{needed_for_request, undeclared_use};
use crate::support::wire::{Outgoing, Traffic};

/// What the server has told the editor so far.
pub(crate) struct View {
    /// The last diagnostics of each document.
    pub(crate) diagnostics: BTreeMap<String, Vec<Value>>,
    /// How often diagnostics of each document were published.
    pub(crate) publications: BTreeMap<String, usize>,
    /// Every `window/showMessage` and `window/showMessageRequest`, in order.
    pub(crate) messages: Vec<Value>,
    /// The text of every `window/logMessage`.
    pub(crate) log: Vec<String>,
    /// How often the server asked for new inlay hints.
    pub(crate) hint_refreshes: usize,
    /// Every document that the server asked to show.
    pub(crate) shown_documents: Vec<Value>,
    /// Every `workspace/applyEdit` that was not carried out yet.
    pub(crate) edits: VecDeque<Value>,
    /// Every `deconflict/status`.
    pub(crate) statuses: Vec<Value>,
    /// Every `deconflict/notice` that is about something.
    pub(crate) notices: Vec<Value>,
    /// How often `deconflict/changed` came.
    pub(crate) changes: usize,
    /// Every request of the server, by its method.
    pub(crate) requests: Vec<String>,
    /// Whether the server's output has ended.
    pub(crate) output_ended: bool,
    pub(super) responses: BTreeMap<i64, Value>,
    pub(super) awaited: BTreeSet<i64>,
    /// The id of `initialize`, and its answer once it is there.
    pub(super) handshake: (Option<i64>, Option<Value>),
    pub(super) capabilities: Value,
    pub(super) settings: Value,
    pub(super) initialization_options: Value,
    pub(super) opened_ever: BTreeSet<String>,
    pub(super) answers: bool,
    pub(super) published_versions: BTreeMap<String, i64>,
    pub(super) accepts_parse_errors: bool,
    pub(super) messages_taken: usize,
    pub(super) violations: Vec<String>,
    pub(super) traffic: Traffic,
}

impl View {
    pub(super) fn new(setup: &EditorBuilder, traffic: Traffic) -> Self {
        Self {
            diagnostics: BTreeMap::new(),
            publications: BTreeMap::new(),
            messages: Vec::new(),
            log: Vec::new(),
            hint_refreshes: 0,
            shown_documents: Vec::new(),
            edits: VecDeque::new(),
            statuses: Vec::new(),
            notices: Vec::new(),
            changes: 0,
            requests: Vec::new(),
            output_ended: false,
            responses: BTreeMap::new(),
            awaited: BTreeSet::new(),
            handshake: (None, None),
            capabilities: setup.capabilities.clone(),
            settings: setup.settings.clone(),
            initialization_options: setup.initialization_options.clone(),
            opened_ever: BTreeSet::new(),
            answers: setup.answers,
            published_versions: BTreeMap::new(),
            accepts_parse_errors: false,
            messages_taken: 0,
            violations: Vec::new(),
            traffic,
        }
    }
}

pub(super) struct Shared {
    pub(super) view: Mutex<View>,
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view());
        self.changed.notify_all();
    }

    pub(super) fn receive(&self, message: Result<Value, String>, outgoing: &Outgoing) {
        self.update(|view| match message {
            Ok(message) => {
                view.traffic.record("<-", &message.to_string());
                if let Some(answer) = view.take_in(&message).filter(|_| view.answers) {
                    view.traffic.record("->", &answer.to_string());
                    outgoing.send(&answer);
                }
            }
            Err(noise) => {
                view.traffic.record("<-", &noise);
                view.violations.push(noise);
            }
        });
    }
}

impl View {
    /// Takes a message of the server in, and returns the answer if it wants one.
    fn take_in(&mut self, message: &Value) -> Option<Value> {
        if message["jsonrpc"] != "2.0" {
            self.violations.push(format!("a message that is not JSON-RPC 2.0: {message}"));
        }
        match (message["method"].as_str(), message.get("id")) {
            (None, Some(id)) => {
                self.take_response(id, message);
                None
            }
            (Some(method), None) => {
                self.take_notification(method, &message["params"]);
                None
            }
            (Some(method), Some(id)) => Some(self.take_request(method, id, &message["params"])),
            (None, None) => {
                self.violations.push(format!("neither a request nor a response: {message}"));
                None
            }
        }
    }

    fn take_response(&mut self, id: &Value, message: &Value) {
        if id.is_null() && self.accepts_parse_errors && message["error"].is_object() {
            return;
        }
        match id.as_i64().filter(|id| self.awaited.remove(id)) {
            Some(id) => {
                if message.get("result").is_some() == message.get("error").is_some() {
                    self.violations.push(format!("a response needs a result or an error: {message}"));
                }
                if self.handshake.0 == Some(id) {
                    self.handshake.1 = Some(message["result"].clone());
                }
                self.responses.insert(id, message.clone());
            }
            None => self.violations.push(format!("a response to no open request: {message}")),
        }
    }

    fn take_notification(&mut self, method: &str, parameters: &Value) {
        if self.handshake.1.is_none() && !matches!(method, "window/showMessage" | "window/logMessage" | "$/progress") {
            self.violations.push(format!("{method} before the handshake"));
        }
        for undeclared in undeclared_use(method, parameters, &self.capabilities) {
            self.violations.push(format!("the editor never declared {undeclared}: {parameters}"));
        }
        match method {
            "textDocument/publishDiagnostics" => {
                let uri = parameters["uri"].as_str().unwrap_or_default().to_owned();
                if !self.opened_ever.contains(&uri) {
                    self.violations.push(format!("diagnostics for {uri}, which was never opened under this name"));
                }
                if let Some(version) = parameters["version"].as_i64() {
                    let newest = self.published_versions.entry(uri.clone()).or_insert(version);
                    if version < *newest {
                        self.violations.push(format!("diagnostics for version {version} of {uri} after {newest}"));
                    }
                    *newest = version;
                }
                let diagnostics = parameters["diagnostics"].as_array().cloned().unwrap_or_default();
                *self.publications.entry(uri.clone()).or_default() += 1;
                self.diagnostics.insert(uri, diagnostics);
            }
            "window/showMessage" => self.messages.push(parameters.clone()),
            "window/logMessage" => self.log.push(parameters["message"].as_str().unwrap_or_default().to_owned()),
            "deconflict/status" if self.wants("statusNotifications") => self.statuses.push(parameters.clone()),
            // What is about nothing is a message as any other.
            "deconflict/notice" if self.wants("notices") && parameters["about"].is_null() => {
                self.messages.push(json!({ "type": parameters["level"], "message": parameters["text"] }));
            }
            "deconflict/notice" if self.wants("notices") => self.notices.push(parameters.clone()),
            "deconflict/changed" if self.wants("changeNotifications") => self.changes += 1,
            _ if method.starts_with("$/") || method == "telemetry/event" => {}
            _ => self.violations.push(format!("an unexpected notification {method}")),
        }
    }

    fn wants(&self, option: &str) -> bool {
        self.initialization_options[option] == true
    }

    fn take_request(&mut self, method: &str, id: &Value, parameters: &Value) -> Value {
        if self.handshake.1.is_none() {
            self.violations.push(format!("{method} before the handshake"));
        }
        let allowed = match needed_for_request(method) {
            Ok(None) => true,
            Ok(Some(pointer)) => self.capabilities.pointer(pointer) == Some(&json!(true)),
            Err(()) => false,
        };
        let undeclared = undeclared_use(method, parameters, &self.capabilities);
        if !allowed || !undeclared.is_empty() {
            self.violations.push(format!("the editor never declared {method} {undeclared:?}: {parameters}"));
            let error = json!({ "code": -32601, "message": "not supported" });
            return json!({ "jsonrpc": "2.0", "id": id, "error": error });
        }
        self.requests.push(method.to_owned());
        let result = match method {
            "workspace/configuration" => self.answer_configuration(parameters),
            "workspace/inlayHint/refresh" => {
                self.hint_refreshes += 1;
                Value::Null
            }
            "workspace/applyEdit" => {
                self.edits.push_back(parameters["edit"]["changes"].clone());
                json!({ "applied": true })
            }
            "window/showDocument" => {
                self.shown_documents.push(parameters.clone());
                json!({ "success": true })
            }
            "window/showMessageRequest" => {
                self.messages.push(parameters.clone());
                Value::Null
            }
            _ => Value::Null,
        };
        json!({ "jsonrpc": "2.0", "id": id, "result": result })
    }

    fn answer_configuration(&self, parameters: &Value) -> Value {
        let items = parameters["items"].as_array().into_iter().flatten();
        items
            .map(|item| match item["section"].as_str() {
                Some("deconflict") => self.settings.clone(),
                Some(section) => section
                    .strip_prefix("deconflict.")
                    .and_then(|name| self.settings.pointer(&pointer(name)))
                    .cloned()
                    .unwrap_or_default(),
                None => Value::Null,
            })
            .collect()
    }
}
