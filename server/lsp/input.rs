//! What the editor sends: read, parsed and given to the handlers on a thread of its own.
//!
//! tower-lsp knows the methods and their parameters; reading is ours, because its own server ends at the first
//! malformed body, leaves the exit to the closing of the pipe, and holds notifications up behind requests.

use std::io::{self, BufReader, Read};
use std::task::{Context, Poll, Waker};
use std::thread;

use serde_json::Value;
use tokio::runtime::Handle;
use tower_lsp::jsonrpc::{self, ErrorCode, Id, Request, Response};
use tower_lsp::ls_types::ExecuteCommandParams;
use tower_lsp::{LanguageServer, LspService};
use tower_service::Service;

use super::event::Event;
use super::event_loop::Events;
use super::frame::{self, Frame};
use super::hearing::Hearing;
use super::lenient;
use super::output::Outgoing;
use super::reply::Reply;
use super::spelling::Spellings;

/// A message of the editor.
enum Incoming {
    /// A request or a notification.
    Request(Request),
    /// The answer to one of the server's own requests.
    Response(Response),
    /// Something else, with what is to be answered.
    Malformed(Id, jsonrpc::Error),
}

/// Starts the thread. It calls `ended` when the editor sends `exit` or closes the pipe.
///
/// Each handler runs to its first `await` before the next message is read, so that everything reaches the loop in the
/// order of the pipe. A request that waits longer goes on as a task of the runtime and holds nothing up.
pub(super) fn serve<S: LanguageServer>(
    input: impl Read + Send + 'static,
    mut service: LspService<S>,
    (events, hearing): (Events, Hearing),
    outgoing: Outgoing,
    spellings: Spellings,
    runtime: Handle,
    ended: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let serve = move || {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let mut phase = Phase::Before;
        loop {
            if input.buffer().is_empty() {
                hearing.wait_for_message();
            }
            let Ok(Some(frame)) = frame::read(&mut input) else { break };
            let message = match frame {
                Frame::Body(body) => parse(&body, &spellings),
                Frame::Malformed(what) => malformed(Id::Null, ErrorCode::ParseError, what.to_owned()),
            };
            match message {
                Incoming::Request(request) if request.method() == "exit" => break,
                // A notification of this kind may be passed over; a request may not.
                Incoming::Request(request) if is_unknown_extension(&request) => refuse_unknown(&request, &outgoing),
                Incoming::Request(request) if phase == Phase::Running && request.method() == EXECUTE => {
                    execute(request, &events, &outgoing, &runtime);
                }
                Incoming::Request(request) => {
                    phase = phase.after(request.method());
                    call(&mut service, request, &outgoing, &runtime);
                }
                Incoming::Response(response) => outgoing.take_response(response),
                Incoming::Malformed(id, error) => outgoing.send_response(&Response::from_error(id, error)),
            }
        }
        ended();
    };
    thread::Builder::new().name("input".to_owned()).spawn(serve).map(drop)
}

/// Where the life of the server is, as far as the editor has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Running,
    EndReason,
}

impl Phase {
    fn after(self, method: &str) -> Self {
        match (self, method) {
            (Self::Before, "initialize") => Self::Running,
            (Self::Running, "shutdown") => Self::EndReason,
            (phase, _) => phase,
        }
    }
}

const EXECUTE: &str = "workspace/executeCommand";

fn is_unknown_extension(request: &Request) -> bool {
    request.id().is_some() && request.method().starts_with("$/")
}

fn refuse_unknown(request: &Request, outgoing: &Outgoing) {
    let id = request.id().cloned().unwrap_or_default();
    outgoing.send_response(&Response::from_error(id, jsonrpc::Error::method_not_found()));
}

/// Has a command executed. It is done even if the editor cancels it, so that the answer says what it did.
fn execute(request: Request, events: &Events, outgoing: &Outgoing, runtime: &Handle) {
    let (_, id, parameters) = request.into_parts();
    let Some(id) = id else { return };
    let parameters: ExecuteCommandParams = match serde_json::from_value(parameters.unwrap_or_default()) {
        Ok(parameters) => parameters,
        Err(error) => {
            let error = jsonrpc::Error::invalid_params(error.to_string());
            return outgoing.send_response(&Response::from_error(id, error));
        }
    };
    let (reply, answer) = Reply::new();
    events.send(Event::Execute(parameters, reply));
    let outgoing = outgoing.clone();
    runtime.spawn(async move {
        let answer = answer.await.unwrap_or_else(|_| Err(jsonrpc::Error::internal_error()));
        let answer = answer.map(Option::unwrap_or_default);
        outgoing.send_response(&Response::from_parts(id, answer));
    });
}

fn call<S: LanguageServer>(service: &mut LspService<S>, request: Request, outgoing: &Outgoing, runtime: &Handle) {
    // What comes behind `initialize` without waiting for the answer would be refused as too early.
    let is_handshake = request.method() == "initialize";
    let mut call = service.call(request);
    let outgoing = outgoing.clone();
    let answer = move |answer| {
        if let Ok(Some(response)) = answer {
            outgoing.send_response(&response);
        }
    };
    if is_handshake {
        answer(runtime.block_on(call));
    } else if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        answer(result);
    } else {
        runtime.spawn(async move { answer(call.await) });
    }
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
        lenient::mend(&mut value);
        serde_json::from_value(value).map(Incoming::Request)
    } else {
        serde_json::from_value(value).map(Incoming::Response)
    };
    parsed.unwrap_or_else(|error| {
        malformed(id, ErrorCode::InvalidRequest, format!("the message is neither a request nor a response: {error}"))
    })
}
