//! The pipe to the editor: messages in and out, with this program as the owner of its own end.
//!
//! tower-lsp knows the methods and their parameters; reading and writing is ours, because its own server ends at the
//! first malformed body, leaves the exit to the closing of the pipe, and holds notifications up behind requests.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tower_lsp::jsonrpc::{self, ErrorCode, Id, Request, Response};
use tower_lsp::ls_types::{notification, request};
use tower_lsp::{LanguageServer, LspService};
use tower_service::Service;

use super::frame::{self, Frame};
use super::spelling::Spellings;
use deconflict_platform as platform;

/// How many messages wait between the pipe and the service before the editor has to wait.
const WAITING_MESSAGES: usize = 256;

/// Why no more messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputEnd {
    /// The editor sent `exit`.
    Exit,
    /// The pipe was closed.
    Closed,
}

/// What came through the pipe.
pub(super) enum Incoming {
    /// A request or a notification.
    Request(Request),
    /// The answer to one of our own requests.
    Response(Response),
    /// Something else, with what is to be answered.
    Malformed(Id, jsonrpc::Error),
}

/// Starts the thread that reads what the editor sends. The channel ends when the input does.
pub(super) fn read_messages(
    input: impl Read + Send + 'static,
    spellings: &Spellings,
) -> io::Result<mpsc::Receiver<Incoming>> {
    let spellings = spellings.clone();
    let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
    thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        while let Ok(Some(frame)) = frame::read(&mut input) {
            let incoming = match frame {
                Frame::Body(body) => parse(&body, &spellings),
                Frame::Malformed(what) => malformed(Id::Null, ErrorCode::ParseError, what.to_owned()),
            };
            if sender.blocking_send(incoming).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn malformed(id: Id, code: ErrorCode, what: String) -> Incoming {
    Incoming::Malformed(id, jsonrpc::Error { code, message: what.into(), data: None })
}

fn parse(body: &[u8], spellings: &Spellings) -> Incoming {
    let mut value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return malformed(Id::Null, ErrorCode::ParseError, format!("the message is not JSON: {error}")),
    };
    let id = value.get("id").and_then(|id| serde_json::from_value(id.clone()).ok()).unwrap_or_default();
    let parsed = if value.get("method").is_some() {
        spellings.mend(&mut value);
        serde_json::from_value(value).map(Incoming::Request)
    } else {
        serde_json::from_value(value).map(Incoming::Response)
    };
    parsed.unwrap_or_else(|error| {
        malformed(id, ErrorCode::InvalidRequest, format!("the message is neither a request nor a response: {error}"))
    })
}

/// Feeds the service with what comes in until the editor ends it.
///
/// The part of a handler before its first `await` has run before the next message is looked at, so that everything
/// reaches the loop in the order of the pipe. What waits longer goes on beside it and holds nothing up.
pub(super) async fn serve<S: LanguageServer>(
    mut service: LspService<S>,
    mut incoming: mpsc::Receiver<Incoming>,
    outgoing: &Outgoing,
) -> InputEnd {
    while let Some(message) = incoming.recv().await {
        match message {
            Incoming::Request(request) if request.method() == "exit" => return InputEnd::Exit,
            // What comes behind it without waiting for the answer would be refused as too early.
            Incoming::Request(request) if request.method() == "initialize" => {
                outgoing.answer(service.call(request).await);
            }
            Incoming::Request(request) => {
                let mut call = service.call(request);
                if let Poll::Ready(answer) = poll_once(&mut call).await {
                    outgoing.answer(answer);
                } else {
                    let outgoing = outgoing.clone();
                    tokio::spawn(async move { outgoing.answer(call.await) });
                }
            }
            Incoming::Response(response) => outgoing.take_response(response),
            Incoming::Malformed(id, error) => outgoing.send_response(&Response::from_error(id, error)),
        }
    }
    InputEnd::Closed
}

async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Called on the writing thread once a message has been handed to the system.
type OnWritten = Box<dyn FnOnce() + Send>;

/// What goes to the editor, in the order of the calls. What the pipe has room for is written at once, because somebody
/// waits for it. The rest is left to a thread of its own, so that an editor that doesn't read blocks nothing.
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
    pub(super) fn notify<N: notification::Notification>(&self, parameters: &N::Params) {
        self.send(&json!({ "jsonrpc": "2.0", "method": N::METHOD, "params": parameters }), None);
    }

    /// Sends a notification whose parameters were put into their form already.
    pub(super) fn notify_value(&self, method: &str, parameters: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }), None);
    }

    /// Sends a notification, and calls back when it was handed to the system.
    pub(super) fn notify_then<N: notification::Notification>(&self, parameters: &N::Params, on_written: OnWritten) {
        self.send(&json!({ "jsonrpc": "2.0", "method": N::METHOD, "params": parameters }), Some(on_written));
    }

    /// Sends a request; the answer comes through the channel, if ever.
    pub(super) fn request<R: request::Request>(
        &self,
        parameters: &R::Params,
    ) -> oneshot::Receiver<jsonrpc::Result<Value>> {
        let id = self.open_requests.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.open_requests.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, answer| !answer.is_closed());
        waiting.insert(id, answer);
        drop(waiting);
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": R::METHOD, "params": parameters }), None);
        receiver
    }

    /// Calls back when everything sent before was handed to the system.
    pub(super) fn when_written(&self, on_written: OnWritten) {
        self.writer().write(Vec::new(), Some(on_written));
    }

    fn send(&self, message: &Value, on_written: Option<OnWritten>) {
        match serde_json::to_vec(message) {
            Ok(body) => self.writer().write(frame::framed(&body), on_written),
            Err(error) => tracing::error!("a message could not be written as JSON: {error}"),
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_response(&self, response: &Response) {
        match serde_json::to_value(response) {
            Ok(message) => self.send(&message, None),
            Err(error) => tracing::error!("an answer could not be written as JSON: {error}"),
        }
    }

    fn answer<E>(&self, answer: Result<Option<Response>, E>) {
        if let Ok(Some(response)) = answer {
            self.send_response(&response);
        }
    }

    fn take_response(&self, response: Response) {
        let (id, result) = response.into_parts();
        let Id::Number(id) = id else { return };
        let waiting = self.open_requests.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(result);
        }
    }
}
