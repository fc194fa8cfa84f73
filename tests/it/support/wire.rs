//! The pipe to a language server: frames in and out, and the record of all that passed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

/// What goes to the server: writing has a thread of its own, so that a server that is slow to read never keeps the
/// editor from reading, as in a real editor.
pub(crate) struct Outgoing {
    sender: Sender<Option<Vec<Vec<u8>>>>,
}

impl Outgoing {
    pub(crate) fn into_pipe(pipe: ChildStdin) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || write_all(pipe, &receiver));
        Self { sender }
    }

    pub(crate) fn send(&self, message: &Value) {
        let body = message.to_string();
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
    }

    pub(crate) fn send_bytes(&self, bytes: Vec<u8>) {
        self.send_pieces(vec![bytes]);
    }

    /// Sends bytes piece by piece, with nothing else between them.
    pub(crate) fn send_pieces(&self, pieces: Vec<Vec<u8>>) {
        // When the server has ended, the pipe's thread has too. What the test waits for says so better than a panic.
        let _ = self.sender.send(Some(pieces));
    }

    /// Closes the server's input, after everything that was sent before.
    pub(crate) fn close(&self) {
        let _ = self.sender.send(None);
    }
}

fn write_all(mut pipe: ChildStdin, receiver: &Receiver<Option<Vec<Vec<u8>>>>) {
    while let Ok(Some(pieces)) = receiver.recv() {
        for piece in pieces {
            if pipe.write_all(&piece).and_then(|()| pipe.flush()).is_err() {
                return;
            }
        }
    }
}

/// Reads frames until the pipe ends, and gives each to `receive`. What is not a frame goes to `receive` as an error.
pub(crate) fn read_frames(pipe: ChildStdout, mut receive: impl FnMut(Result<Value, String>)) {
    let mut pipe = BufReader::new(pipe);
    loop {
        match read_frame(&mut pipe) {
            Ok(None) => return,
            Ok(Some(message)) => receive(Ok(message)),
            Err(noise) => {
                receive(Err(noise));
                return;
            }
        }
    }
}

fn read_frame(pipe: &mut impl BufRead) -> Result<Option<Value>, String> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        let count = pipe.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.strip_suffix("\r\n") {
            None if count == 0 && length.is_none() => return Ok(None),
            None => return Err(format!("stdout has something that is no header: {line:?}")),
            Some("") => break,
            Some(header) => match header.split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse::<usize>().ok(),
                Some(("Content-Type", _)) => {}
                _ => {
                    return Err(format!("stdout has something that is no header: {header:?}"));
                }
            },
        }
    }
    let length = length.ok_or("a frame without Content-Length")?;
    let mut body = vec![0; length];
    // A process that is killed may be cut off in the middle of a frame; that is no fault of it.
    if pipe.read_exact(&mut body).is_err() {
        return Ok(None);
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| format!("a body that is not JSON ({error}): {}", String::from_utf8_lossy(&body)))
}

/// Everything that passed between editor and server, told when a test fails.
pub(crate) struct Traffic {
    start: Instant,
    lines: VecDeque<String>,
    dropped: usize,
    log: Arc<Mutex<String>>,
}

/// How much of one message is worth telling.
const LONGEST: usize = 1_500;
/// How many messages are worth telling; of more, the last.
const MOST: usize = 2_000;

impl Traffic {
    pub(crate) fn new(stderr: ChildStderr) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { start: Instant::now(), lines: VecDeque::new(), dropped: 0, log }
    }

    pub(crate) fn record(&mut self, direction: &str, message: &str) {
        let mut line = format!("{:>9.3} s {direction} ", self.start.elapsed().as_secs_f64());
        line.extend(message.chars().take(LONGEST));
        if self.lines.len() == MOST {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }

    /// All of it as text.
    pub(crate) fn tell(&self) -> String {
        let mut told = String::new();
        if self.dropped > 0 {
            writeln!(told, "({} earlier messages)", self.dropped).unwrap();
        }
        for line in &self.lines {
            writeln!(told, "{line}").unwrap();
        }
        let log = self.log.lock().unwrap();
        if !log.is_empty() {
            writeln!(told, "The server's own log:\n{log}").unwrap();
        }
        told
    }
}
