//! The smallest editor that is one: it starts a real language server, talks with it over its pipe, and notes when what
//! arrived.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use lsp_server::{Message, Notification, Request, Response};
use serde_json::{Value, json};
use tower_lsp::ls_types::Uri;

use super::problem::{DEADLINE, Problem, poll};
use super::scene::{Scene, is_interrupted};

/// How often a waiting editor looks whether the user gave up.
const LOOK_FOR_INTERRUPTION: Duration = Duration::from_millis(100);

pub(super) struct Editor {
    name: &'static str,
    root: PathBuf,
    server: Child,
    input: ChildStdin,
    incoming: Receiver<(Instant, Message)>,
    /// What came so far, with the time of its arrival.
    arrived: Vec<(Instant, Message)>,
    has_ended: bool,
    next_id: i32,
    texts: BTreeMap<&'static str, String>,
}

/// Something that an editor showed, and how long after its cause.
pub(super) struct Sight {
    pub(super) text: String,
    pub(super) took: Duration,
}

impl Editor {
    /// Starts an editor in the scene's repository, under a user of the same name.
    pub(super) fn start(scene: &Scene, name: &'static str) -> Result<Self, Problem> {
        let mut command = scene.command(name, &["lsp"]);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let (server, input, output) = started
            .and_then(|mut server| match (server.stdin.take(), server.stdout.take()) {
                (Some(input), Some(output)) => Ok((server, input, output)),
                _ => Err(io::Error::other("it has no pipes")),
            })
            .map_err(|cause| Problem::Io("start a language server", cause))?;
        let (sender, incoming) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Ok(Some(message)) = Message::read(&mut output) {
                if sender.send((Instant::now(), message)).is_err() {
                    break;
                }
            }
        });
        let root = scene.repository();
        let folder = uri(&root);
        let (arrived, texts) = (Vec::new(), BTreeMap::new());
        let mut editor = Self { name, root, server, input, incoming, arrived, has_ended: false, next_id: 1, texts };
        editor.request(
            "initialize",
            json!({
                // Two editors in one process would count as one person's.
                "processId": null,
                "clientInfo": { "name": "demo" },
                "rootUri": folder,
                "workspaceFolders": [{ "uri": folder, "name": "demo" }],
                "capabilities": {
                    "textDocument": { "publishDiagnostics": {}, "inlayHint": {}, "synchronization": { "didSave": true } },
                },
                "initializationOptions": { "sessionName": name },
            }),
        )?;
        editor.notify("initialized", json!({}));
        Ok(editor)
    }

    pub(super) fn wait_for_session(&mut self) -> Result<(), Problem> {
        let status = json!({ "command": "deconflict.status", "arguments": [{}] });
        let begun = poll(|| {
            let told = self.request("workspace/executeCommand", status.clone())?;
            Ok((!told["session"]["session_id"].is_null()).then_some(()))
        })?;
        begun.ok_or_else(|| self.unseen("a session of its own"))
    }

    pub(super) fn open(&mut self, file: &'static str) -> Result<(), Problem> {
        let text = self.text_on_disk(file)?;
        let document = json!({ "uri": self.uri(file), "languageId": "rust", "version": 0, "text": text });
        self.texts.insert(file, text);
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
        Ok(())
    }

    /// Types at the beginning of an open file. Returns the moment of the keystroke.
    pub(super) fn type_text(&mut self, file: &'static str, typed: &str) -> Instant {
        self.texts.entry(file).or_default().insert_str(0, typed);
        let beginning = json!({ "line": 0, "character": 0 });
        self.change(file, &json!({ "range": { "start": beginning, "end": beginning }, "text": typed }))
    }

    /// Makes the file's text what it is on disk: undoes what was typed, or takes over what another saved.
    pub(super) fn reload(&mut self, file: &'static str) -> Result<Instant, Problem> {
        let text = self.text_on_disk(file)?;
        let moment = self.change(file, &json!({ "text": text }));
        self.texts.insert(file, text);
        Ok(moment)
    }

    pub(super) fn save(&mut self, file: &'static str) -> Result<(), Problem> {
        let text = self.texts.get(file).cloned().unwrap_or_default();
        std::fs::write(self.root.join(file), text).map_err(|cause| Problem::Io("save a file", cause))?;
        self.notify("textDocument/didSave", json!({ "textDocument": { "uri": self.uri(file) } }));
        Ok(())
    }

    /// Runs a command of the server on a file, which must succeed.
    pub(super) fn execute(&mut self, command: &str, file: &str, message: Option<&str>) -> Result<(), Problem> {
        let argument = json!({ "uri": self.uri(file), "message": message });
        let answer =
            self.request("workspace/executeCommand", json!({ "command": command, "arguments": [argument] }))?;
        if answer["ok"] == true {
            return Ok(());
        }
        let message = answer["message"].as_str().unwrap_or("no reason was given").to_owned();
        Err(Problem::Refused { who: self.name, what: command.to_owned(), message })
    }

    /// The first line of a file, and the inlay hint behind it.
    pub(super) fn first_line_with_hint(&mut self, file: &'static str) -> Result<(String, String), Problem> {
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 1, "character": 0 } });
        let parameters = json!({ "textDocument": { "uri": self.uri(file) }, "range": range });
        let hints = self.request("textDocument/inlayHint", parameters)?;
        let label = match &hints[0]["label"] {
            Value::String(label) => label.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["value"].as_str()).collect(),
            _ => return Err(self.unseen("an inlay hint")),
        };
        let line = self.texts.get(file).and_then(|text| text.lines().next()).unwrap_or_default();
        Ok((line.to_owned(), label))
    }

    /// Waits for a diagnostic with a code, published after `cause`.
    pub(super) fn diagnostic(&mut self, cause: Instant, file: &str, code: &str) -> Result<Sight, Problem> {
        let uri = self.uri(file);
        self.wait_for(cause, &format!("the notice \"{code}\""), |told| {
            let diagnostic = published(told, &uri)?.iter().find(|diagnostic| diagnostic["code"] == code)?;
            diagnostic["message"].as_str().map(str::to_owned)
        })
    }

    /// Waits until a file has no diagnostics any more.
    pub(super) fn all_clear(&mut self, cause: Instant, file: &str) -> Result<Sight, Problem> {
        let uri = self.uri(file);
        self.wait_for(cause, "the notice going away", |told| published(told, &uri)?.is_empty().then(String::new))
    }

    /// Waits for a message to the user that has these words in it.
    pub(super) fn message(&mut self, cause: Instant, words: &str) -> Result<Sight, Problem> {
        self.wait_for(cause, &format!("a message about \"{words}\""), |told| {
            let text = told.params["message"].as_str().filter(|_| told.method == "window/showMessage")?;
            text.contains(words).then(|| text.to_owned())
        })
    }

    /// Ends the server as no program can prepare for. Returns the moment.
    pub(super) fn kill_server(mut self) -> Result<Instant, Problem> {
        let moment = Instant::now();
        self.server.kill().map_err(|cause| Problem::Io("kill a language server", cause))?;
        Ok(moment)
    }

    /// Quits as editors do.
    pub(super) fn quit(mut self) -> Result<(), Problem> {
        self.request("shutdown", Value::Null)?;
        self.notify("exit", Value::Null);
        let ended = poll(|| self.server.try_wait().map_err(|cause| Problem::Io("wait for a language server", cause)))?;
        match ended {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(self.unseen("an orderly end of the server")),
            None => Err(self.unseen("the end of the server")),
        }
    }

    fn change(&mut self, file: &str, change: &Value) -> Instant {
        let version = self.next_id;
        self.next_id += 1;
        let document = json!({ "uri": self.uri(file), "version": version });
        let moment = Instant::now();
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
        moment
    }

    fn text_on_disk(&self, file: &str) -> Result<String, Problem> {
        std::fs::read_to_string(self.root.join(file)).map_err(|cause| Problem::Io("read a file", cause))
    }

    fn uri(&self, file: &str) -> String {
        uri(&self.root.join(file))
    }

    fn request(&mut self, method: &str, parameters: Value) -> Result<Value, Problem> {
        let id = self.next_id;
        self.next_id += 1;
        let asked = Instant::now();
        self.send(&Request::new(id.into(), method.to_owned(), parameters).into());
        let (_, answer) = self.find(asked, &format!("an answer to {method}"), |message| match message {
            Message::Response(answer) if answer.id == id.into() => Some(answer.clone()),
            _ => None,
        })?;
        answer.response_result.map_err(|error| Problem::Refused {
            who: self.name,
            what: method.to_owned(),
            message: error.message,
        })
    }

    fn notify(&mut self, method: &str, parameters: Value) {
        self.send(&Notification::new(method.to_owned(), parameters).into());
    }

    /// Sends a message. That nobody reads it any more shows in the answer that never comes.
    fn send(&mut self, message: &Message) {
        let _ = message.write(&mut self.input);
    }

    fn wait_for(
        &mut self,
        cause: Instant,
        what: &str,
        look: impl Fn(&Notification) -> Option<String>,
    ) -> Result<Sight, Problem> {
        let (arrived, text) = self.find(cause, what, |message| match message {
            Message::Notification(told) => look(told),
            _ => None,
        })?;
        Ok(Sight { text, took: arrived.duration_since(cause) })
    }

    /// The first thing that arrived at `since` or later and is looked for, with its time.
    fn find<T>(
        &mut self,
        since: Instant,
        what: &str,
        look: impl Fn(&Message) -> Option<T>,
    ) -> Result<(Instant, T), Problem> {
        let start = Instant::now();
        let mut looked_at = 0;
        loop {
            for (arrived, message) in &self.arrived[looked_at..] {
                if let Some(found) = (*arrived >= since).then(|| look(message)).flatten() {
                    return Ok((*arrived, found));
                }
            }
            looked_at = self.arrived.len();
            if is_interrupted() {
                return Err(Problem::Interrupted);
            }
            if start.elapsed() > DEADLINE || self.has_ended {
                return Err(self.unseen(what));
            }
            match self.incoming.recv_timeout(LOOK_FOR_INTERRUPTION) {
                // It has not a word to say to what the server asks.
                Ok((_, Message::Request(asked))) => self.send(&Response::new_ok(asked.id, Value::Null).into()),
                Ok(came) => self.arrived.push(came),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.has_ended = true,
            }
        }
    }

    fn unseen(&self, what: &str) -> Problem {
        Problem::Unseen { who: self.name, what: what.to_owned(), ended: self.has_ended }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may have ended already; that is as well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn published<'a>(told: &'a Notification, uri: &str) -> Option<&'a Vec<Value>> {
    let is_about_it = told.method == "textDocument/publishDiagnostics" && told.params["uri"] == uri;
    told.params["diagnostics"].as_array().filter(|_| is_about_it)
}

fn uri(path: &Path) -> String {
    Uri::from_file_path(path).map(|uri| uri.as_str().to_owned()).unwrap_or_default()
}
