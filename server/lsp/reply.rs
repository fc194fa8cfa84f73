//! The answer to a request, which is given exactly once.

use tokio::sync::oneshot;
use tower_lsp::jsonrpc;

/// Where the answer to a request goes. It is answered exactly once: by [`Self::send`], which uses it up, or when it is
/// dropped, with the error that the server is ending.
#[derive(Debug)]
pub(super) struct Reply<T>(Option<oneshot::Sender<jsonrpc::Result<T>>>);

impl<T> Reply<T> {
    /// A reply, and where its answer arrives.
    pub(super) fn new() -> (Self, oneshot::Receiver<jsonrpc::Result<T>>) {
        let (reply, answer) = oneshot::channel();
        (Self(Some(reply)), answer)
    }

    /// Answers. Whoever cancelled the request doesn't wait for it.
    pub(super) fn send(mut self, answer: jsonrpc::Result<T>) {
        if let Some(reply) = self.0.take() {
            let _ = reply.send(answer);
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            let error = jsonrpc::Error {
                code: jsonrpc::ErrorCode::ServerError(SERVER_CANCELLED),
                message: "the server is ending".into(),
                data: None,
            };
            let _ = reply.send(Err(error));
        }
    }
}

/// `ServerCancelled` of the protocol.
const SERVER_CANCELLED: i64 = -32802;
