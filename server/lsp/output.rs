//! What goes to the editor, in the order of the calls.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::{self, Id, Response};

use super::frame;
use deconflict_platform as platform;

/// How long the editor may take to read what was said last.
const FLUSH_TIME: Duration = Duration::from_millis(150);

/// Called on the writing thread once a message has been handed to the system.
pub(super) type OnWritten = Box<dyn FnOnce() + Send>;

/// The server's end of the pipe to the editor. What the pipe has room for is written at once, because somebody waits
/// for it. The rest is left to a thread of its own, so that an editor that doesn't read blocks nothing.
#[derive(Clone)]
pub(super) struct Outgoing {
    writer: Arc<Mutex<Writer>>,
    open_requests: Arc<OpenRequests>,
}

/// Writes what it can without making anybody wait, and returns how many bytes that was.
type WriteAtOnce = fn(&[u8]) -> usize;

struct Writer {
    at_once: WriteAtOnce,
    queue: blocking::Sender<(Vec<u8>, Option<OnWritten>)>,
    /// How many messages the thread has not written yet. While there are any, all that follow have to wait.
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    /// Writes a message, or what is left of it after the pipe is full, now or on the thread.
    fn write(&self, mut message: Vec<u8>, on_written: Option<OnWritten>) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            let written = (self.at_once)(&message);
            message.drain(..written);
            if message.is_empty() {
                if let Some(call) = on_written {
                    call();
                }
                return;
            }
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The thread is gone only after the editor closed its end.
        let _ = self.queue.send((message, on_written));
    }
}

/// A notification, or a request if it has an id.
#[derive(Serialize)]
struct Message<'a, Parameters> {
    jsonrpc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    method: &'a str,
    params: &'a Parameters,
}

#[derive(Default)]
struct OpenRequests {
    next_id: AtomicI64,
    waiting: Mutex<HashMap<i64, oneshot::Sender<jsonrpc::Result<Value>>>>,
}

impl Outgoing {
    /// Starts the thread that writes to standard output.
    pub(super) fn to_standard_output() -> io::Result<Self> {
        Self::to(io::stdout(), platform::write_without_waiting)
    }

    /// Starts the thread that writes to anything else.
    pub(super) fn to_output(output: impl Write + Send + 'static) -> io::Result<Self> {
        Self::to(output, |_| 0)
    }

    fn to(mut output: impl Write + Send + 'static, at_once: WriteAtOnce) -> io::Result<Self> {
        let (queue, messages) = blocking::channel::<(Vec<u8>, Option<OnWritten>)>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer { at_once, queue, waiting: Arc::clone(&waiting) };
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            for (message, on_written) in messages {
                if let Err(error) = output.write_all(&message).and_then(|()| output.flush()) {
                    // The end of the input says so too, and more reliably.
                    tracing::info!("the editor reads no more: {error}");
                    return;
                }
                if let Some(call) = on_written {
                    call();
                }
                waiting.fetch_sub(1, Ordering::AcqRel);
            }
        })?;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), open_requests: Arc::default() })
    }

    /// Sends a notification.
    pub(super) fn notify(&self, method: &str, parameters: &impl Serialize) {
        self.notify_then(method, parameters, None);
    }

    /// Sends a notification, and calls back when it was handed to the system.
    pub(super) fn notify_then(&self, method: &str, parameters: &impl Serialize, on_written: Option<OnWritten>) {
        self.send(&Message { jsonrpc: "2.0", id: None, method, params: parameters }, on_written);
    }

    /// Sends a request; the answer comes through the channel, if ever.
    pub(super) fn request(
        &self,
        method: &str,
        parameters: &impl Serialize,
    ) -> oneshot::Receiver<jsonrpc::Result<Value>> {
        let id = self.open_requests.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.open_requests.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, answer| !answer.is_closed());
        waiting.insert(id, answer);
        drop(waiting);
        self.send(&Message { jsonrpc: "2.0", id: Some(id), method, params: parameters }, None);
        receiver
    }

    /// Lets the editor get what was said last, if it reads.
    pub(super) async fn flush(&self) {
        // Tasks of their own give the answers to requests.
        tokio::task::yield_now().await;
        let (written, all_written) = oneshot::channel();
        let on_written = move || {
            let _ = written.send(());
        };
        self.writer().write(Vec::new(), Some(Box::new(on_written)));
        let _ = tokio::time::timeout(FLUSH_TIME, all_written).await;
    }

    fn send(&self, message: &impl Serialize, on_written: Option<OnWritten>) {
        match serde_json::to_vec(message) {
            Ok(body) => self.writer().write(frame::framed(&body), on_written),
            Err(error) => tracing::error!("a message could not be written as JSON: {error}"),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request of the editor.
    pub(super) fn send_response(&self, response: &Response) {
        self.send(response, None);
    }

    /// Takes the editor's answer to a request of the server's own.
    pub(super) fn take_response(&self, response: Response) {
        let (id, result) = response.into_parts();
        let Id::Number(id) = id else { return };
        let waiting = self.open_requests.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(result);
        }
    }
}
