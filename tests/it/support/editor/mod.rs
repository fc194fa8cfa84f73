//! An editor: it starts the real language server, speaks LSP with it over its pipe, and watches that the server
//! keeps to the protocol and to what the editor declared.

mod builder;
mod view;

use std::collections::BTreeMap;
use std::panic::Location;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) use self::builder::EditorBuilder;
use self::builder::ProcessId;
use self::view::Shared;
pub(crate) use self::view::View;
use super::capabilities::full_capabilities;
use super::documents::{Buffer, Document, read_text};
use super::wait::{DEADLINE, wait_for, wait_within};
use super::wire::Outgoing;
use super::workspace::{Workspace, file_uri};

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
        if !self.server_capability("/workspace/fileOperations/willRename").is_null() {
            let files = json!([{ "oldUri": file_uri(&from), "newUri": file_uri(&to) }]);
            assert_eq!(self.request("workspace/willRenameFiles", json!({ "files": files })), Value::Null);
        }
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

    /// Deletes a file or folder, and does what editors do about it.
    pub(crate) fn delete(&self, path: &str) {
        let path = self.setup.root.join(path);
        let files = json!({ "files": [{ "uri": file_uri(&path) }] });
        if !self.server_capability("/workspace/fileOperations/willDelete").is_null() {
            assert_eq!(self.request("workspace/willDeleteFiles", files), Value::Null);
        }
        self.delete_untold(path);
    }

    /// The same without asking the server before.
    pub(crate) fn delete_untold(&self, path: impl AsRef<Path>) {
        let path = self.setup.root.join(path);
        let files = json!({ "files": [{ "uri": file_uri(&path) }] });
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        if !self.server_capability("/workspace/fileOperations/didDelete").is_null() {
            self.notify("workspace/didDeleteFiles", files);
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
