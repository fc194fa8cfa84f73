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
use tower_lsp::{LanguageServer, LspService};
use tower_service::Service;

use super::frame::{self, Frame};
use super::output::Outgoing;
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
    outgoing: Outgoing,
    spellings: Spellings,
    runtime: Handle,
    ended: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let serve = move || {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        while let Ok(Some(frame)) = frame::read(&mut input) {
            let message = match frame {
                Frame::Body(body) => parse(&body, &spellings),
                Frame::Malformed(what) => malformed(Id::Null, ErrorCode::ParseError, what.to_owned()),
            };
            match message {
                Incoming::Request(request) if request.method() == "exit" => break,
                Incoming::Request(request) => call(&mut service, request, &outgoing, &runtime),
                Incoming::Response(response) => outgoing.take_response(response),
                Incoming::Malformed(id, error) => outgoing.send_response(&Response::from_error(id, error)),
            }
        }
        ended();
    };
    thread::Builder::new().name("input".to_owned()).spawn(serve).map(drop)
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
        serde_json::from_value(value).map(Incoming::Request)
    } else {
        serde_json::from_value(value).map(Incoming::Response)
    };
    parsed.unwrap_or_else(|error| {
        malformed(id, ErrorCode::InvalidRequest, format!("the message is neither a request nor a response: {error}"))
    })
}
