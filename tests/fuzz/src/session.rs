//! Whole sessions of an editor with the real server: sequences of messages, and of what is none.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A server has to end within this time after its editor went, whatever came before.
const PATIENCE: Duration = Duration::from_secs(30);

/// The name of the thread that a server runs on here.
const SERVER: &str = "fuzzed server";

/// Panics of a server's threads.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Makes messages of the bytes and sends them: the server answers each request once, writes nothing but messages, ends
/// when its input does, and no part of it panics.
pub fn session(data: &[u8]) {
    notice_panics();
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("COORDINATION");
    std::fs::create_dir_all(directory.join("claims")).unwrap();
    std::fs::write(scratch.path().join("a.txt"), "one\ntwo\n").unwrap();
    let mut script = Script::new(scratch.path().to_str().unwrap(), data);
    let (bytes, requests) = script.write();

    let (from_editor, mut to_server) = std::io::pipe().unwrap();
    let (mut from_server, to_editor) = std::io::pipe().unwrap();
    let (ended, has_ended) = mpsc::channel();
    let before = PANICS.load(Ordering::SeqCst);
    let server = thread::Builder::new().name(SERVER.to_owned()).spawn(move || {
        let code = deconflict_lsp::run_on(from_editor, to_editor, Some(directory)).unwrap();
        let _ = ended.send(code);
    });
    let reading = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = from_server.read_to_end(&mut said);
        said
    });
    // A server that has been told to exit reads no more.
    let _ = to_server.write_all(&bytes);
    drop(to_server);
    has_ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the server does not end: {script:?}"));
    server.unwrap().join().unwrap();
    let said = reading.join().unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), before, "a part of the server panicked: {script:?}");
    expect_answers(&said, &requests, &script);
}

/// Counts panics of the server's threads, which it survives itself.
fn notice_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let inherited = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let name = thread::current().name().unwrap_or_default().to_owned();
            if ["registry", "watch", "housekeeping", "input", "output", SERVER].contains(&name.as_str()) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            inherited(panic);
        }));
    });
}

/// The messages, by the bytes of the case.
#[derive(Debug)]
struct Script<'a> {
    root: String,
    data: std::slice::Iter<'a, u8>,
    told: Vec<String>,
    requests: Vec<i64>,
}

impl<'a> Script<'a> {
    fn new(root: &str, data: &'a [u8]) -> Self {
        Self { root: format!("file://{root}"), data: data.iter(), told: Vec::new(), requests: Vec::new() }
    }

    fn write(&mut self) -> (Vec<u8>, Vec<i64>) {
        let mut bytes = Vec::new();
        let folder = json!({ "uri": self.root, "name": "w" });
        let full = json!({
            "workspace": { "inlayHint": { "refreshSupport": true }, "workspaceFolders": true },
            "textDocument": { "publishDiagnostics": { "relatedInformation": true, "dataSupport": true } },
        });
        let parameters = json!({
            "processId": null, "rootUri": self.root, "workspaceFolders": [folder], "capabilities": full,
            "initializationOptions": { "statusNotifications": true },
        });
        // Some sessions begin as they should not.
        if self.byte() % 16 != 15 {
            self.request(&mut bytes, "initialize", parameters);
            self.notify(&mut bytes, "initialized", json!({}));
        }
        while self.data.len() > 0 && self.told.len() < 200 {
            self.step(&mut bytes);
        }
        (bytes, self.requests.clone())
    }

    fn step(&mut self, bytes: &mut Vec<u8>) {
        let kind = self.byte() % 20;
        let uri = self.uri();
        let document = json!({ "uri": uri });
        match kind {
            0 | 1 => {
                let opened = json!({ "uri": uri, "languageId": "x", "version": 1, "text": self.text() });
                self.notify(bytes, "textDocument/didOpen", json!({ "textDocument": opened }));
            }
            2..=5 => {
                let range = json!({ "start": self.position(), "end": self.position() });
                let whole = self.byte().is_multiple_of(4);
                let change =
                    if whole { json!({ "text": self.text() }) } else { json!({ "range": range, "text": self.text() }) };
                let versioned = json!({ "uri": uri, "version": 2 });
                self.notify(
                    bytes,
                    "textDocument/didChange",
                    json!({ "textDocument": versioned, "contentChanges": [change] }),
                );
            }
            6 => self.notify(bytes, "textDocument/didSave", json!({ "textDocument": document })),
            7 => self.notify(bytes, "textDocument/didClose", json!({ "textDocument": document })),
            8 => {
                let position = self.position();
                self.request(bytes, "textDocument/hover", json!({ "textDocument": document, "position": position }));
            }
            9 => {
                let range = json!({ "start": self.position(), "end": self.position() });
                self.request(bytes, "textDocument/inlayHint", json!({ "textDocument": document, "range": range }));
            }
            10 => {
                let range = json!({ "start": self.position(), "end": self.position() });
                let diagnostic = json!({ "range": range, "message": self.text(), "code": "claimed", "source": "deconflict", "data": self.json() });
                let context = json!({ "diagnostics": [diagnostic], "triggerKind": 1 });
                self.request(
                    bytes,
                    "textDocument/codeAction",
                    json!({ "textDocument": document, "range": range, "context": context }),
                );
            }
            11..=13 => {
                const COMMANDS: [&str; 13] = [
                    "claim",
                    "release",
                    "releaseAll",
                    "takeOver",
                    "requestRelease",
                    "sendMessage",
                    "messages",
                    "markRead",
                    "handOff",
                    "setWork",
                    "heartbeat",
                    "status",
                    "showBoard",
                ];
                let command = format!("deconflict.{}", COMMANDS[self.byte() % COMMANDS.len()]);
                let mut argument =
                    json!({ "uri": uri, "to": "broadcast", "subject": self.text(), "message": self.text() });
                if self.byte().is_multiple_of(3) {
                    argument = self.json();
                }
                self.request(bytes, "workspace/executeCommand", json!({ "command": command, "arguments": [argument] }));
            }
            14 => {
                let settings = json!({ "deconflict": { "claims": self.json(), "directory": self.json(), "messages": { "show": self.text() } } });
                self.notify(bytes, "workspace/didChangeConfiguration", json!({ "settings": settings }));
            }
            15 => {
                let new_uri = self.uri();
                self.notify(
                    bytes,
                    "workspace/didRenameFiles",
                    json!({ "files": [{ "oldUri": uri, "newUri": new_uri }] }),
                );
            }
            16 => {
                let (method, parameters) = (format!("textDocument/{}", self.text()), self.json());
                self.request(bytes, &method, parameters);
            }
            17 => {
                let folders =
                    json!({ "added": [{ "uri": uri, "name": "x" }], "removed": [{ "uri": self.uri(), "name": "y" }] });
                self.notify(bytes, "workspace/didChangeWorkspaceFolders", json!({ "event": folders }));
            }
            18 => {
                let parameters = self.json();
                self.notify(bytes, "textDocument/didChange", parameters);
            }
            _ => {
                let body = self.text();
                self.told.push(format!("as it is: {body:?}"));
                bytes.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
            }
        }
    }

    fn byte(&mut self) -> usize {
        self.data.next().copied().unwrap_or_default().into()
    }

    fn uri(&mut self) -> String {
        match self.byte() % 8 {
            0..=3 => format!("{}/a.txt", self.root),
            4 => format!("{}/b%20%C3%A4.txt", self.root),
            5 => format!("{}/COORDINATION/claims/x.claim", self.root),
            6 => {
                let name = self.text().replace(char::is_whitespace, "%0A");
                format!("{}/{name}", self.root)
            }
            _ => format!("untitled:{}", self.byte()),
        }
    }

    fn position(&mut self) -> Value {
        let number = |byte: usize| if byte == 255 { u64::from(u32::MAX) } else { u64::try_from(byte % 9).unwrap() };
        json!({ "line": number(self.byte()), "character": number(self.byte()) })
    }

    fn text(&mut self) -> String {
        let length = self.byte() % 24;
        let bytes: Vec<u8> = self.data.by_ref().take(length).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn json(&mut self) -> Value {
        match self.byte() % 8 {
            0 => Value::Null,
            1 => json!(self.byte() > 100),
            2 => json!(self.byte()),
            3 => json!(self.text()),
            4 => json!([self.json()]),
            5 => json!({ "uri": self.json(), "to": self.json(), "ids": self.json() }),
            6 => json!({ "force": true, "uri": self.uri() }),
            _ => serde_json::from_str(&self.text()).unwrap_or_default(),
        }
    }

    fn request(&mut self, bytes: &mut Vec<u8>, method: &str, parameters: Value) {
        let id = 1_000_000 + i64::try_from(self.requests.len()).unwrap();
        self.requests.push(id);
        self.send(bytes, json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
    }

    fn notify(&mut self, bytes: &mut Vec<u8>, method: &str, parameters: Value) {
        self.send(bytes, json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    fn send(&mut self, bytes: &mut Vec<u8>, message: Value) {
        let body = message.to_string();
        bytes.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
        self.told.push(body);
    }
}

/// Reads what the server said: nothing but messages, and no request is answered twice. The last ones
/// may be left open by the end of the session.
fn expect_answers(mut said: &[u8], requests: &[i64], script: &Script) {
    let mut answers: BTreeMap<i64, usize> = BTreeMap::new();
    while !said.is_empty() {
        let header = said.windows(4).position(|window| window == b"\r\n\r\n").expect("a header ends");
        let length = std::str::from_utf8(&said[..header]).unwrap().strip_prefix("Content-Length: ").expect("a length");
        let (start, length) = (header + 4, length.parse::<usize>().unwrap());
        // A server that ends may be cut off.
        let Some(body) = said.get(start..start + length) else { break };
        let message: Value = serde_json::from_slice(body).expect("a message is JSON");
        let is_answer = message.get("method").is_none();
        if let Some(id) = message["id"].as_i64().filter(|_| is_answer) {
            *answers.entry(id).or_default() += 1;
        }
        said = &said[start + length..];
    }
    for (id, count) in answers {
        // What is no message may have any number in it, and is answered too.
        assert!(count == 1 || !requests.contains(&id), "{count} answers to request {id}: {script:?}");
    }
}
