//! The smallest editor that is one: it starts a real language server, speaks the language server protocol with it over
//! its pipe, and notes when what arrived.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tower_lsp::ls_types::Uri;

use super::Problem;
use super::scene::Scene;

/// Nothing in the demonstration should take longer; what does was not seen.
const DEADLINE: Duration = Duration::from_secs(10);

/// How often a waiting editor looks whether the user gave up.
const LOOK_FOR_INTERRUPTION: Duration = Duration::from_millis(100);

/// An editor with its language server.
pub(super) struct Editor {
    name: &'static str,
    root: PathBuf,
    server: Child,
    pipe: Arc<Mutex<ChildStdin>>,
    arrivals: Arc<Arrivals>,
    interrupted: Arc<AtomicBool>,
    next_id: i64,
    texts: BTreeMap<&'static str, String>,
}

/// Something that an editor showed, and how long after its cause.
pub(super) struct Sight {
    pub(super) text: String,
    pub(super) took: Duration,
}

/// Everything that the server sent, with the time of its arrival.
#[derive(Default)]
struct Arrivals {
    messages: Mutex<Vec<(Instant, Value)>>,
    grew: Condvar,
    has_ended: AtomicBool,
}

impl Editor {
    /// Starts an editor in the scene's repository, under a user of the same name.
    pub(super) fn start(scene: &Scene, name: &'static str) -> Result<Self, Problem> {
        let started = scene
            .command(name, &["lsp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .and_then(|mut server| match (server.stdin.take(), server.stdout.take()) {
                (Some(input), Some(output)) => Ok((server, input, output)),
                _ => Err(io::Error::other("it has no pipes")),
            });
        let (server, input, output) = started.map_err(|cause| Problem::io("start a language server", cause))?;
        let pipe = Arc::new(Mutex::new(input));
        let arrivals = Arc::new(Arrivals::default());
        {
            let (pipe, arrivals) = (Arc::clone(&pipe), Arc::clone(&arrivals));
            thread::spawn(move || listen(output, &pipe, &arrivals));
        }
        let mut editor = Self {
            name,
            root: scene.repository(),
            server,
            pipe,
            arrivals,
            interrupted: scene.interrupted(),
            next_id: 1,
            texts: BTreeMap::new(),
        };
        let root = uri(&scene.repository());
        editor.request(
            "initialize",
            &json!({
                // Two editors in one process would count as one person's.
                "processId": null,
                "clientInfo": { "name": "demo" },
                "rootUri": root,
                "workspaceFolders": [{ "uri": root, "name": "demo" }],
                "capabilities": {
                    "textDocument": { "publishDiagnostics": {}, "inlayHint": {}, "synchronization": { "didSave": true } },
                },
                "initializationOptions": { "sessionName": name },
            }),
        )?;
        editor.notify("initialized", &json!({}));
        Ok(editor)
    }

    /// Waits until the server has its session.
    pub(super) fn wait_for_session(&mut self) -> Result<(), Problem> {
        let start = Instant::now();
        let status = json!({ "command": "deconflict.status", "arguments": [{}] });
        while self.request("workspace/executeCommand", &status)?["session"]["session_id"].is_null() {
            if start.elapsed() > DEADLINE {
                return Err(self.unseen("a session of its own"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Opens a file.
    pub(super) fn open(&mut self, file: &'static str) -> Result<(), Problem> {
        let text = self.text_on_disk(file)?;
        let document = json!({ "uri": self.uri(file), "languageId": "rust", "version": 0, "text": text });
        self.texts.insert(file, text);
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        Ok(())
    }

    /// Types at the beginning of an open file. Returns the moment of the keystroke.
    pub(super) fn type_text(&mut self, file: &'static str, typed: &str) -> Instant {
        let text = self.texts.entry(file).or_default();
        text.insert_str(0, typed);
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

    /// Saves an open file.
    pub(super) fn save(&mut self, file: &'static str) -> Result<(), Problem> {
        let text = self.texts.get(file).cloned().unwrap_or_default();
        std::fs::write(self.root.join(file), text).map_err(|cause| Problem::io("save a file", cause))?;
        self.notify("textDocument/didSave", &json!({ "textDocument": { "uri": self.uri(file) } }));
        Ok(())
    }

    /// Runs a command of the server, which must succeed.
    pub(super) fn execute(&mut self, command: &str, argument: &Value) -> Result<Value, Problem> {
        let answer =
            self.request("workspace/executeCommand", &json!({ "command": command, "arguments": [argument] }))?;
        if answer["ok"] == true {
            Ok(answer)
        } else {
            let message = answer["message"].as_str().unwrap_or("no reason was given").to_owned();
            Err(Problem::Refused { who: self.name, what: command.to_owned(), message })
        }
    }

    /// A document's URI.
    pub(super) fn uri(&self, file: &str) -> String {
        uri(&self.root.join(file))
    }

    /// The first line of a file, and the inlay hint behind it.
    pub(super) fn first_line_with_hint(&mut self, file: &'static str) -> Result<(String, String), Problem> {
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 1, "character": 0 } });
        let parameters = json!({ "textDocument": { "uri": self.uri(file) }, "range": range });
        let hints = self.request("textDocument/inlayHint", &parameters)?;
        let label = match &hints[0]["label"] {
            Value::String(label) => label.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["value"].as_str()).collect(),
            _ => return Err(self.unseen("an inlay hint")),
        };
        let line = self.texts.get(file).and_then(|text| text.lines().next()).unwrap_or_default();
        Ok((line.to_owned(), label))
    }

    /// Waits for a diagnostic with a code, published after `cause`.
    pub(super) fn diagnostic(&self, cause: Instant, file: &str, code: &str) -> Result<Sight, Problem> {
        let uri = self.uri(file);
        self.wait_for(cause, &format!("the notice \"{code}\""), |message| {
            let published = published(message, &uri)?;
            let diagnostic = published.iter().find(|diagnostic| diagnostic["code"] == code)?;
            diagnostic["message"].as_str().map(str::to_owned)
        })
    }

    /// Waits until a file has no diagnostics any more.
    pub(super) fn all_clear(&self, cause: Instant, file: &str) -> Result<Sight, Problem> {
        let uri = self.uri(file);
        self.wait_for(cause, "the notice going away", |message| published(message, &uri)?.is_empty().then(String::new))
    }

    /// Waits for a message to the user that has these words in it.
    pub(super) fn message(&self, cause: Instant, words: &str) -> Result<Sight, Problem> {
        self.wait_for(cause, &format!("a message about \"{words}\""), |message| {
            let text = message["params"]["message"].as_str().filter(|_| message["method"] == "window/showMessage")?;
            text.contains(words).then(|| text.to_owned())
        })
    }

    /// Ends the server as no program can prepare for. Returns the moment.
    pub(super) fn kill_server(mut self) -> Result<Instant, Problem> {
        let moment = Instant::now();
        self.server.kill().map_err(|cause| Problem::io("kill a language server", cause))?;
        Ok(moment)
    }

    /// Quits as editors do.
    pub(super) fn quit(mut self) -> Result<(), Problem> {
        self.request("shutdown", &Value::Null)?;
        self.notify("exit", &Value::Null);
        let start = Instant::now();
        loop {
            match self.server.try_wait().map_err(|cause| Problem::io("wait for a language server", cause))? {
                Some(status) if status.success() => return Ok(()),
                Some(_) => return Err(self.unseen("an orderly end of the server")),
                None if start.elapsed() > DEADLINE => return Err(self.unseen("the end of the server")),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn change(&mut self, file: &str, change: &Value) -> Instant {
        let version = self.next_id;
        self.next_id += 1;
        let document = json!({ "uri": self.uri(file), "version": version });
        let moment = Instant::now();
        self.notify("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": [change] }));
        moment
    }

    fn text_on_disk(&self, file: &str) -> Result<String, Problem> {
        std::fs::read_to_string(self.root.join(file)).map_err(|cause| Problem::io("read a file", cause))
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Result<Value, Problem> {
        let id = self.next_id;
        self.next_id += 1;
        let asked = Instant::now();
        send(&self.pipe, &with_parameters(json!({ "jsonrpc": "2.0", "id": id, "method": method }), parameters));
        let answer = self.find(asked, &format!("an answer to {method}"), |message| {
            (message["id"] == id && message.get("method").is_none()).then(|| message.clone())
        })?;
        match answer.1.get("error") {
            Some(error) => {
                Err(Problem::Refused { who: self.name, what: method.to_owned(), message: error.to_string() })
            }
            None => Ok(answer.1["result"].clone()),
        }
    }

    fn notify(&self, method: &str, parameters: &Value) {
        send(&self.pipe, &with_parameters(json!({ "jsonrpc": "2.0", "method": method }), parameters));
    }

    fn wait_for(&self, cause: Instant, what: &str, look: impl Fn(&Value) -> Option<String>) -> Result<Sight, Problem> {
        let (arrived, text) = self.find(cause, what, look)?;
        Ok(Sight { text, took: arrived.duration_since(cause) })
    }

    /// The first thing that arrived at `since` or later and is looked for, with its time.
    fn find<T>(&self, since: Instant, what: &str, look: impl Fn(&Value) -> Option<T>) -> Result<(Instant, T), Problem> {
        let start = Instant::now();
        let mut messages = lock(&self.arrivals.messages);
        let mut looked_at = 0;
        loop {
            for (arrived, message) in &messages[looked_at..] {
                if let Some(found) = (*arrived >= since).then(|| look(message)).flatten() {
                    return Ok((*arrived, found));
                }
            }
            looked_at = messages.len();
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Problem::Interrupted);
            }
            if start.elapsed() > DEADLINE || self.arrivals.has_ended.load(Ordering::Relaxed) {
                return Err(self.unseen(what));
            }
            let waited = self.arrivals.grew.wait_timeout(messages, LOOK_FOR_INTERRUPTION);
            messages = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn unseen(&self, what: &str) -> Problem {
        let ended = self.arrivals.has_ended.load(Ordering::Relaxed);
        Problem::Unseen { who: self.name, what: what.to_owned(), ended }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may have ended already; that is as well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Notes whatever arrives until the pipe ends, and answers the server's own requests: an editor without a word to say.
fn listen(output: ChildStdout, pipe: &Mutex<ChildStdin>, arrivals: &Arrivals) {
    let mut output = BufReader::new(output);
    while let Some(message) = read_message(&mut output) {
        let arrived = Instant::now();
        if message.get("method").is_some() && message.get("id").is_some() {
            let result = match message["params"]["items"].as_array() {
                Some(items) => items.iter().map(|_| Value::Null).collect(),
                None => Value::Null,
            };
            send(pipe, &json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
        }
        lock(&arrivals.messages).push((arrived, message));
        arrivals.grew.notify_all();
    }
    arrivals.has_ended.store(true, Ordering::Relaxed);
    arrivals.grew.notify_all();
}

fn read_message(output: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => length = header.strip_prefix("Content-Length: ").and_then(|count| count.parse().ok()).or(length),
        }
    }
    let mut body = vec![0; length?];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// JSON-RPC knows no parameters that are null: they are left out.
fn with_parameters(mut message: Value, parameters: &Value) -> Value {
    if !parameters.is_null() {
        message["params"] = parameters.clone();
    }
    message
}

/// Sends a message. That nobody reads it any more shows in the answer that never comes.
fn send(pipe: &Mutex<ChildStdin>, message: &Value) {
    let body = message.to_string();
    let mut pipe = lock(pipe);
    let _ = write!(pipe, "Content-Length: {}\r\n\r\n{body}", body.len()).and_then(|()| pipe.flush());
}

fn published<'a>(message: &'a Value, uri: &str) -> Option<&'a Vec<Value>> {
    let is_about_it = message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri;
    message["params"]["diagnostics"].as_array().filter(|_| is_about_it)
}

fn uri(path: &Path) -> String {
    Uri::from_file_path(path).map(|uri| uri.as_str().to_owned()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
