//! An editor with as little of its own as can be: what it sends goes straight into the server's pipe, and what it waits
//! for is read by the thread that waits. So what is timed is the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::programs;
use crate::support::{Workspace, clean_environment};

pub(crate) struct Server {
    process: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: u64,
}

/// A process that doesn't outlive its value.
struct Running(Child);

impl Server {
    /// Starts a server on the workspace and shakes hands.
    pub(crate) fn start(workspace: &Workspace, name: &str) -> Self {
        let mut command = Command::new(programs::deconflict());
        clean_environment(&mut command, workspace.home());
        command.arg("lsp").current_dir(workspace.root());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process: Running(process), input, output, next_id: 0 };
        server.ask(
            "initialize",
            json!({
                "processId": null,
                "rootUri": workspace.uri(""),
                "capabilities": {},
                "initializationOptions": { "sessionName": name },
            }),
        );
        server.notify("initialized", json!({}));
        server
    }

    /// The number of the server's process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "text", "version": 0, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Puts `text` in place of so many characters of a line.
    pub(crate) fn edit(&mut self, uri: &str, line: usize, column: usize, replaced: usize, text: &str) {
        let message = Self::edit_message(uri, line, column, replaced, text);
        self.send(&message);
    }

    /// What [`Self::edit`] sends.
    pub(crate) fn edit_message(uri: &str, line: usize, column: usize, replaced: usize, text: &str) -> Vec<u8> {
        let range = json!({
            "start": { "line": line, "character": column }, "end": { "line": line, "character": column + replaced },
        });
        let parameters = json!({
            "textDocument": { "uri": uri, "version": 1 }, "contentChanges": [{ "range": range, "text": text }],
        });
        framed(&json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": parameters }))
    }

    pub(crate) fn close(&mut self, uri: &str) {
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }

    /// Waits until everything that was sent before has been taken in.
    pub(crate) fn catch_up(&mut self, uri: &str) {
        self.ask(
            "textDocument/hover",
            json!({ "textDocument": { "uri": uri }, "position": { "line": 5, "character": 0 } }),
        );
    }

    /// Waits until it has done whatever it does by itself for what was sent before, as when a user has looked at a
    /// document for a moment: until none of its threads runs.
    #[cfg(target_os = "linux")]
    pub(crate) fn rest(&self) {
        let tasks = format!("/proc/{}/task", self.id());
        let is_at_rest = || {
            let mut tasks = std::fs::read_dir(&tasks).unwrap();
            tasks.all(|task| {
                let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
                // The state follows the name in brackets.
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'))
            })
        };
        // A thread that another is about to wake looks at rest for a moment.
        let mut looks = 0;
        while looks < 3 {
            looks = if is_at_rest() { looks + 1 } else { 0 };
        }
    }

    /// Waits for so long as it takes by any measure.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn rest(&self) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    /// Waits for diagnostics of a document: for some, or for there being none.
    pub(crate) fn wait_for_diagnostics(&mut self, uri: &str, some: bool) {
        let (of, none) = (format!("\"uri\":\"{uri}\""), "\"diagnostics\":[]");
        loop {
            let message = self.read();
            let is_about_it = message.contains("textDocument/publishDiagnostics") && message.contains(&of);
            if is_about_it && message.contains(none) != some {
                return;
            }
        }
    }

    fn ask(&mut self, method: &str, parameters: Value) {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&framed(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters })));
        let answer = format!("\"id\":{id}");
        while !self.read().contains(&answer) {}
    }

    fn notify(&mut self, method: &str, parameters: Value) {
        self.send(&framed(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters })));
    }

    fn send(&mut self, message: &[u8]) {
        self.input.write_all(message).unwrap();
    }

    /// Reads one message. The server is told that this editor answers no requests, so there are only these.
    fn read(&mut self) -> String {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server has ended");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn framed(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
