//! An editor: it starts the real language server, speaks LSP with it over its pipe, and watches that the server
//! keeps to the protocol and to what the editor declared.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::capabilities::{full_capabilities, needed_for_request, undeclared_use};
use super::documents::{Buffer, Document, read_text};
use super::environment::clean_environment;
use super::wait::{DEADLINE, wait_for, wait_within};
use super::wire::{Outgoing, Traffic, read_frames};
use super::workspace::{Workspace, file_uri};

/// How an editor is set up before it starts the server.
pub(crate) struct EditorBuilder {
    name: String,
    client: Option<Value>,
    root: PathBuf,
    home: PathBuf,
    folders: Vec<PathBuf>,
    capabilities: Value,
    initialization_options: Value,
    settings: Value,
    process_id: ProcessId,
    environment: Vec<(String, String)>,
    answers: bool,
    program: PathBuf,
    user: Option<u32>,
}

/// What the editor says about its own process.
#[derive(Clone, Copy, PartialEq)]
enum ProcessId {
    Own,
    Null,
    Given(u32),
}

impl EditorBuilder {
    /// What the editor calls itself in `clientInfo`.
    pub(crate) fn client(mut self, name: &str) -> Self {
        self.client = Some(json!({ "name": name, "version": "1.0" }));
        self
    }

    /// An editor that doesn't say what it is.
    pub(crate) fn without_client_info(mut self) -> Self {
        self.client = None;
        self
    }

    /// Opens these folders instead of the root of the workspace.
    pub(crate) fn folders<P: AsRef<Path>>(mut self, folders: &[P]) -> Self {
        self.folders = folders.iter().map(|folder| self.root.join(folder)).collect();
        self
    }

    /// Declares these capabilities instead of a complete editor's.
    pub(crate) fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// A setting by its dotted name, such as `claims.idleMinutes`: given at the start and whenever the server asks.
    pub(crate) fn setting(mut self, name: &str, value: Value) -> Self {
        set(&mut self.initialization_options, name, value.clone());
        set(&mut self.settings, name, value);
        self
    }

    /// Something in `initializationOptions` that is no setting.
    pub(crate) fn initialization_option(mut self, name: &str, value: Value) -> Self {
        set(&mut self.initialization_options, name, value);
        self
    }

    /// A setting that the editor knows only when the server asks for it.
    pub(crate) fn configured(mut self, name: &str, value: Value) -> Self {
        set(&mut self.settings, name, value);
        self
    }

    /// An editor that says nothing about its process.
    pub(crate) fn without_process_id(mut self) -> Self {
        self.process_id = ProcessId::Null;
        self
    }

    /// An editor that gives another process as its own.
    pub(crate) fn process_id(mut self, id: u32) -> Self {
        self.process_id = ProcessId::Given(id);
        self
    }

    /// An editor that leaves every request of the server open.
    pub(crate) fn that_never_answers(mut self) -> Self {
        self.answers = false;
        self
    }

    /// Runs this copy of the program as another user, which only root may do.
    #[cfg(unix)]
    pub(crate) fn run_as(mut self, user: u32, program: &Path) -> Self {
        self.user = Some(user);
        program.clone_into(&mut self.program);
        self
    }

    /// Starts this instead of the program: a script that starts it in surroundings of its own.
    #[allow(dead_code, reason = "only the proof needs it")]
    pub(crate) fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// An environment variable of the server.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts editor and server, and shakes hands.
    #[track_caller]
    pub(crate) fn start(self) -> Editor {
        let editor = self.start_without_handshake();
        editor.initialize();
        editor
    }

    /// Starts editor and server; the test sends `initialize` itself.
    #[track_caller]
    pub(crate) fn start_without_handshake(self) -> Editor {
        let mut command = Command::new(&self.program);
        clean_environment(&mut command, &self.home);
        #[cfg(unix)]
        if let Some(user) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
        }
        let mut server = command
            .arg("lsp")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let outgoing = Arc::new(Outgoing::into_pipe(server.stdin.take().unwrap()));
        let shared = Arc::new(Shared {
            view: Mutex::new(View::new(&self, Traffic::new(server.stderr.take().unwrap()))),
            changed: Condvar::new(),
        });
        let reader = {
            let (shared, outgoing) = (Arc::clone(&shared), Arc::clone(&outgoing));
            let stdout = server.stdout.take().unwrap();
            thread::spawn(move || {
                read_frames(stdout, |message| shared.receive(message, &outgoing));
                shared.update(|view| view.output_ended = true);
            })
        };
        let process = (self.process_id == ProcessId::Own).then(|| stand_in_process(&self.home));
        Editor {
            server: Mutex::new(server),
            process: Mutex::new(process),
            reader: Mutex::new(Some(reader)),
            outgoing,
            shared,
            next_id: AtomicI64::new(1),
            buffers: Mutex::new(BTreeMap::new()),
            setup: self,
        }
    }
}

/// A process that does nothing but live until its input ends, and so never outlives the test: it stands for the
/// editor's own process, whose death a server must notice.
fn stand_in_process(home: &Path) -> Child {
    let mut command = Command::new("git");
    clean_environment(&mut command, home);
    command
        .args(["hash-object", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A running editor with its language server.
pub(crate) struct Editor {
    setup: EditorBuilder,
    server: Mutex<Child>,
    process: Mutex<Option<Child>>,
    reader: Mutex<Option<JoinHandle<()>>>,
    outgoing: Arc<Outgoing>,
    shared: Arc<Shared>,
    next_id: AtomicI64,
    buffers: Mutex<BTreeMap<String, Buffer>>,
}

/// An error that the server answered.
#[derive(Clone, Debug)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
}

impl RpcError {
    /// The code of JSON-RPC for arguments that make no sense.
    pub(crate) const INVALID_PARAMS: i64 = -32602;
}

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
    /// Every `deconflict/status`.
    pub(crate) statuses: Vec<Value>,
    /// Every `deconflict/notice`.
    pub(crate) notices: Vec<Value>,
    /// How often `deconflict/changed` came.
    pub(crate) changes: usize,
    /// Every request of the server, by its method.
    pub(crate) requests: Vec<String>,
    /// Whether the server's output has ended.
    pub(crate) output_ended: bool,
    responses: BTreeMap<i64, Value>,
    awaited: BTreeSet<i64>,
    /// The id of `initialize`, and its answer once it is there.
    handshake: (Option<i64>, Option<Value>),
    capabilities: Value,
    settings: Value,
    initialization_options: Value,
    opened_ever: BTreeSet<String>,
    answers: bool,
    published_versions: BTreeMap<String, i64>,
    accepts_parse_errors: bool,
    messages_taken: usize,
    violations: Vec<String>,
    traffic: Traffic,
}

impl View {
    fn new(setup: &EditorBuilder, traffic: Traffic) -> Self {
        Self {
            diagnostics: BTreeMap::new(),
            publications: BTreeMap::new(),
            messages: Vec::new(),
            log: Vec::new(),
            hint_refreshes: 0,
            shown_documents: Vec::new(),
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

struct Shared {
    view: Mutex<View>,
    changed: Condvar,
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view());
        self.changed.notify_all();
    }

    fn receive(&self, message: Result<Value, String>, outgoing: &Outgoing) {
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

/// Setting up.
impl Editor {
    /// A complete editor on the root of a workspace, not started yet.
    pub(crate) fn builder(workspace: &Workspace) -> EditorBuilder {
        EditorBuilder {
            name: "editor".to_owned(),
            client: Some(json!({ "name": "Test Editor", "version": "1.0" })),
            root: workspace.root().to_owned(),
            home: workspace.home().to_owned(),
            folders: vec![workspace.root().to_owned()],
            capabilities: full_capabilities(),
            initialization_options: json!({}),
            settings: json!({}),
            process_id: ProcessId::Own,
            environment: Vec::new(),
            answers: true,
            program: env!("CARGO_BIN_EXE_deconflict").into(),
            user: None,
        }
    }

    /// A complete editor on the root of a workspace, of the person of this name.
    #[track_caller]
    pub(crate) fn start(workspace: &Workspace, name: &str) -> Self {
        let mut builder = Self::builder(workspace);
        name.clone_into(&mut builder.name);
        builder.setting("sessionName", json!(name)).env("USER", name).env("LOGNAME", name).start()
    }

    /// Sends `initialize` and `initialized`, and returns what the server can do.
    #[track_caller]
    pub(crate) fn initialize(&self) -> Value {
        let result = self.request("initialize", self.initialize_parameters());
        self.notify("initialized", json!({}));
        result
    }

    /// What this editor says in `initialize`.
    pub(crate) fn initialize_parameters(&self) -> Value {
        let process_id = match self.setup.process_id {
            ProcessId::Own => self.process.lock().unwrap().as_ref().map(Child::id),
            ProcessId::Null => None,
            ProcessId::Given(id) => Some(id),
        };
        let folders: Vec<Value> = self.setup.folders.iter().map(|folder| folder_value(folder)).collect();
        let mut parameters = json!({
            "processId": process_id,
            "rootUri": self.setup.folders.first().map(|folder| file_uri(folder)),
            "capabilities": self.setup.capabilities,
            "initializationOptions": self.setup.initialization_options,
        });
        if self.setup.capabilities["workspace"]["workspaceFolders"] == true {
            parameters["workspaceFolders"] = json!(folders);
        }
        if let Some(client) = &self.setup.client {
            parameters["clientInfo"] = client.clone();
        }
        parameters
    }

    /// What the server declared at this JSON pointer.
    pub(crate) fn server_capability(&self, pointer: &str) -> Value {
        let view = self.shared.view();
        let answer = view.handshake.1.as_ref().unwrap_or(&Value::Null);
        answer["capabilities"].pointer(pointer).cloned().unwrap_or_default()
    }

    /// Changes a setting, and tells the server as editors do.
    pub(crate) fn change_setting(&self, name: &str, value: Value) {
        let settings = {
            let mut view = self.shared.view();
            set(&mut view.settings, name, value);
            view.settings.clone()
        };
        let asks = self.setup.capabilities["workspace"]["configuration"] == true;
        let parameters = if asks { Value::Null } else { json!({ "deconflict": settings }) };
        self.notify("workspace/didChangeConfiguration", json!({ "settings": parameters }));
    }

    /// Adds and removes folders of the window.
    pub(crate) fn change_folders<P: AsRef<Path>>(&self, added: &[P], removed: &[P]) {
        let values = |folders: &[P]| -> Vec<Value> {
            folders.iter().map(|folder| folder_value(&self.setup.root.join(folder))).collect()
        };
        self.notify(
            "workspace/didChangeWorkspaceFolders",
            json!({ "event": { "added": values(added), "removed": values(removed) } }),
        );
    }
}

/// Documents.
impl Editor {
    /// Opens a file of the workspace; `path` may be absolute.
    pub(crate) fn open(&self, path: impl AsRef<Path>) -> Document<'_> {
        let path = self.setup.root.join(path);
        let uri = file_uri(&path);
        self.open_uri(&uri, &path, None);
        Document { editor: self, uri }
    }

    /// Opens a document whose text was never saved, as editors restore it after a restart.
    pub(crate) fn open_unsaved(&self, path: impl AsRef<Path>, text: &str) -> Document<'_> {
        let path = self.setup.root.join(path);
        let uri = file_uri(&path);
        self.open_uri(&uri, &path, Some(text));
        Document { editor: self, uri }
    }

    /// Opens a document under a URI of the test's own spelling.
    pub(crate) fn open_as(&self, uri: &str, path: &Path) -> Document<'_> {
        self.open_uri(uri, path, None);
        Document { editor: self, uri: uri.to_owned() }
    }

    pub(crate) fn open_uri(&self, uri: &str, path: &Path, unsaved: Option<&str>) {
        let saved = read_text(path);
        let text = unsaved.map_or_else(|| saved.clone(), str::to_owned);
        let buffer = Buffer { path: path.to_owned(), text: text.clone(), saved, version: 1 };
        self.buffers.lock().unwrap().insert(uri.to_owned(), buffer);
        {
            let mut view = self.shared.view();
            view.opened_ever.insert(uri.to_owned());
            // Versions begin anew; diagnostics of the last opening may still be under way.
            view.published_versions.remove(uri);
        }
        let language = path.extension().map_or("plaintext".into(), |extension| extension.to_string_lossy());
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": language, "version": 1, "text": text } }),
        );
    }

    pub(crate) fn close_document(&self, uri: &str) {
        self.buffers.lock().unwrap().remove(uri);
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }

    /// Renames a file or folder on disk, and does what editors do about it: open documents change their name, and
    /// a server that wants to know is told.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        let (from, to) = (self.setup.root.join(from), self.setup.root.join(to));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::rename(&from, &to).unwrap();
        let moved: Vec<(String, Buffer)> = self
            .buffers
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, buffer)| buffer.path.starts_with(&from))
            .map(|(uri, buffer)| (uri.clone(), buffer.clone()))
            .collect();
        for (uri, buffer) in moved {
            self.close_document(&uri);
            let rest = buffer.path.strip_prefix(&from).unwrap();
            let path = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            self.open_uri(&file_uri(&path), &path, Some(&buffer.text));
        }
        if !self.server_capability("/workspace/fileOperations/didRename").is_null() {
            let files = json!([{ "oldUri": file_uri(&from), "newUri": file_uri(&to) }]);
            self.notify("workspace/didRenameFiles", json!({ "files": files }));
        }
    }

    /// The open document of this path.
    pub(crate) fn document(&self, path: impl AsRef<Path>) -> Document<'_> {
        let uri = file_uri(&self.setup.root.join(path));
        assert!(self.buffers.lock().unwrap().contains_key(&uri), "{uri} is not open");
        Document { editor: self, uri }
    }

    /// Reads or changes the editor's copy of a document.
    #[track_caller]
    pub(crate) fn buffer<T>(&self, uri: &str, use_it: impl FnOnce(&mut Buffer) -> T) -> T {
        use_it(self.buffers.lock().unwrap().get_mut(uri).unwrap_or_else(|| panic!("{uri} is not open")))
    }

    pub(crate) fn diagnostics(&self, uri: &str) -> Vec<Value> {
        self.shared.view().diagnostics.get(uri).cloned().unwrap_or_default()
    }
}

/// Requests and commands.
impl Editor {
    pub(crate) fn notify(&self, method: &str, parameters: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    /// Sends a request, waits for the answer, and fails the test when it is an error.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, parameters: Value) -> Value {
        match self.try_request(method, parameters) {
            Ok(result) => result,
            Err(error) => self.fail(&format!("{method} was answered by {error:?}")),
        }
    }

    /// Sends a request and waits for the answer, an error included.
    #[track_caller]
    pub(crate) fn try_request(&self, method: &str, parameters: Value) -> Result<Value, RpcError> {
        let id = self.send_request(method, parameters);
        self.wait_for_response(id, method)
    }

    /// Sends a request without waiting, and returns its id for [`Self::wait_for_response`].
    pub(crate) fn send_request(&self, method: &str, parameters: Value) -> i64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        {
            let mut view = self.shared.view();
            view.awaited.insert(id);
            if method == "initialize" {
                view.handshake.0 = Some(id);
            }
        }
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if !parameters.is_null() {
            message["params"] = parameters;
        }
        self.send(&message);
        id
    }

    #[track_caller]
    pub(crate) fn wait_for_response(&self, id: i64, method: &str) -> Result<Value, RpcError> {
        let response = self.wait_until(&format!("the answer to {method}"), |view| view.responses.get(&id).cloned());
        match response.get("error") {
            None => Ok(response["result"].clone()),
            Some(error) => Err(RpcError {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }

    /// Runs a command with its one argument, and fails the test when it is answered by an error.
    #[track_caller]
    pub(crate) fn execute(&self, command: &str, argument: Value) -> Value {
        self.request("workspace/executeCommand", json!({ "command": command, "arguments": [argument] }))
    }

    /// Runs a command, and fails the test unless it answers that it did what it was told.
    #[track_caller]
    pub(crate) fn execute_ok(&self, command: &str, argument: Value) -> Value {
        let answer = self.execute(command, argument);
        if answer["ok"] != true {
            self.fail(&format!("{command} answered {answer}"));
        }
        answer
    }

    /// Runs a command, and fails the test unless it is refused for this reason.
    #[track_caller]
    pub(crate) fn execute_refused(&self, command: &str, argument: Value, reason: &str) -> Value {
        let answer = self.execute(command, argument);
        if answer["ok"] != false || answer["reason"] != reason {
            self.fail(&format!("{command} was to be refused as `{reason}` and answered {answer}"));
        }
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "no words: {answer}");
        answer
    }

    /// Runs a command with any list of arguments, and returns an error as well.
    #[track_caller]
    pub(crate) fn try_execute(&self, command: &str, arguments: &[Value]) -> Result<Value, RpcError> {
        self.try_request("workspace/executeCommand", json!({ "command": command, "arguments": arguments }))
    }

    /// Runs the command that a code action or a hint carries, as a click on it does.
    #[track_caller]
    pub(crate) fn run_command(&self, command: &Value) -> Value {
        self.request(
            "workspace/executeCommand",
            json!({ "command": command["command"], "arguments": command["arguments"] }),
        )
    }

    /// The answer of `deconflict.status`. Everything sent before has been taken in when it comes.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.execute("deconflict.status", json!({}))
    }

    /// The id of this editor's session.
    #[track_caller]
    pub(crate) fn session_id(&self) -> String {
        let status = self.status();
        match status["session"]["session_id"].as_str() {
            Some(id) => id.to_owned(),
            None => self.fail(&format!("no session in {status}")),
        }
    }

    /// Waits until the server has a session; it has none before the directory exists.
    #[track_caller]
    pub(crate) fn wait_for_session(&self) -> String {
        wait_for("the editor's session to be registered", || {
            self.status()["session"]["session_id"].as_str().map(str::to_owned)
        })
    }

    /// Waits until all that was sent so far has had its effect: until a claim that is made only now is on disk.
    #[track_caller]
    pub(crate) fn settle(&self, workspace: &Workspace) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let later = format!("settled-{}-{id}.txt", self.server_id());
        workspace.write(&later, format!("{later}\n"));
        let document = self.open(&later);
        document.type_text("even ");
        workspace.coordination().wait_for_claim(&later);
        document.undo_to_saved();
        workspace.coordination().wait_for_no_claim(&later);
        document.close();
        workspace.remove(&later);
    }

    /// Sends a message as it is.
    pub(crate) fn send(&self, message: &Value) {
        self.shared.view().traffic.record("->", &message.to_string());
        self.outgoing.send(message);
    }

    /// Sends a message byte by byte, with a header that few editors send.
    pub(crate) fn send_in_pieces(&self, message: &Value) {
        self.shared.view().traffic.record("->", &message.to_string());
        let body = message.to_string();
        let header = "Content-Type: application/vscode-jsonrpc; charset=utf-8";
        let frame = format!("{header}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.outgoing.send_pieces(frame.bytes().map(|byte| vec![byte]).collect());
    }

    /// Sends bytes that are no proper message. The server may answer with an error to nobody.
    pub(crate) fn send_malformed(&self, bytes: &[u8]) {
        let mut view = self.shared.view();
        view.accepts_parse_errors = true;
        view.traffic.record("->", &String::from_utf8_lossy(bytes));
        drop(view);
        self.outgoing.send_bytes(bytes.to_vec());
    }
}

/// What the user sees.
impl Editor {
    /// Waits until `probe` finds something in what the server has told. The test fails after [`DEADLINE`], with all
    /// that passed.
    #[track_caller]
    pub(crate) fn wait_until<T>(&self, what: &str, probe: impl FnMut(&mut View) -> Option<T>) -> T {
        self.wait_until_within(DEADLINE, what, probe)
    }

    /// The same with a deadline of its own.
    #[track_caller]
    pub(crate) fn wait_until_within<T>(
        &self,
        limit: Duration,
        what: &str,
        mut probe: impl FnMut(&mut View) -> Option<T>,
    ) -> T {
        let start = Instant::now();
        let mut view = self.shared.view();
        loop {
            if let Some(found) = probe(&mut view) {
                return found;
            }
            let rest = limit.saturating_sub(start.elapsed());
            if rest.is_zero() || view.output_ended {
                let why = if view.output_ended { "the server ended before" } else { "waited in vain for" };
                drop(view);
                self.fail(&format!("{why} {what} ({:?})", start.elapsed()));
            }
            view = match self.shared.changed.wait_timeout(view, rest) {
                Ok((view, _)) => view,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Waits for a message that contains this text, and takes it: the next call looks only behind it.
    #[track_caller]
    pub(crate) fn wait_for_message(&self, text: &str) -> Value {
        self.wait_until(&format!("a message with {text:?}"), |view| {
            let from = view.messages_taken;
            let found = view.messages[from..]
                .iter()
                .position(|message| message["message"].as_str().is_some_and(|shown| shown.contains(text)))?;
            view.messages_taken = from + found + 1;
            Some(view.messages[from + found].clone())
        })
    }

    /// The texts of all messages shown so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        let view = self.shared.view();
        view.messages.iter().map(|message| message["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How often the server asked for new inlay hints so far.
    pub(crate) fn hint_refreshes(&self) -> usize {
        self.shared.view().hint_refreshes
    }

    /// Looks at all that the server has told so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.shared.view())
    }

    /// Fails the test, and tells all that passed.
    #[track_caller]
    pub(crate) fn fail(&self, why: &str) -> ! {
        let traffic = self.shared.view().traffic.tell();
        let place = Location::caller();
        panic!("{why} (at {place})\nBetween {} and its server passed:\n{traffic}", self.setup.name)
    }
}

/// Ends.
impl Editor {
    /// Asks the server to shut down, tells it to exit, and returns its exit code.
    #[track_caller]
    pub(crate) fn quit(self) -> i32 {
        self.request("shutdown", Value::Null);
        self.exit();
        self.exit_code()
    }

    /// Sends `exit`.
    pub(crate) fn exit(&self) {
        self.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
    }

    /// Closes the server's input, as the system does when an editor dies.
    pub(crate) fn close_input(&self) {
        self.outgoing.close();
    }

    /// Kills the editor's process and nothing else: its pipe stays open, as if something had inherited it.
    pub(crate) fn kill_process(&self) {
        let mut process = self.process.lock().unwrap();
        let process = process.as_mut().expect("an editor with a process of its own");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Kills the editor, as `kill -9` does: its process is gone and its pipes are closed.
    pub(crate) fn kill(&self) {
        self.kill_process();
        self.close_input();
    }

    /// Kills the server, as `kill -9` does.
    pub(crate) fn kill_server(&self) {
        let mut server = self.server.lock().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Sends a signal to the server.
    #[cfg(unix)]
    pub(crate) fn signal_server(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.server_id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) fn server_id(&self) -> u32 {
        self.server.lock().unwrap().id()
    }

    /// The id of the editor's own process.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.lock().unwrap().as_ref().map(Child::id)
    }

    /// Waits for the server's end and returns its exit code, or -1 when a signal ended it.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        self.exit_code_within(DEADLINE)
    }

    /// The same with a deadline of its own.
    #[track_caller]
    pub(crate) fn exit_code_within(&self, limit: Duration) -> i32 {
        let status = wait_within(limit, "the server to end", || self.server.lock().unwrap().try_wait().unwrap());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = server.kill();
        let _ = server.wait();
        if let Ok(Some(process)) = self.process.get_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
        // With the server gone its output ends, so that what it said last has been seen when the reader is done.
        if let Ok(Some(reader)) = self.reader.get_mut().map(Option::take) {
            let _ = reader.join();
        }
        let violations = self.shared.view().violations.clone();
        if thread::panicking() {
            if !violations.is_empty() {
                eprintln!("Besides, the server of {} broke the protocol: {violations:#?}", self.setup.name);
            }
            return;
        }
        if !violations.is_empty() {
            self.fail(&format!("the server broke the protocol: {violations:#?}"));
        }
    }
}

fn folder_value(folder: &Path) -> Value {
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    json!({ "uri": file_uri(folder), "name": name })
}

/// The JSON pointer of a dotted name.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('.', "/"))
}

/// Sets a value by its dotted name.
fn set(target: &mut Value, name: &str, value: Value) {
    let mut place = target;
    for part in name.split('.') {
        place = &mut place[part];
    }
    *place = value;
}
