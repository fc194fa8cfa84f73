//! What the loop is told, by the editor and by its own threads.

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc;
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, ExecuteCommandParams, Hover, HoverParams, InitializeParams, InitializeResult,
    InlayHint, InlayHintParams, TextDocumentContentChangeEvent, Uri, WorkspaceFolder,
};

use super::worker::Done;
use deconflict_registry::{Change, MessageId};
use deconflict_workspace::{DiscoveryError, Location};

/// Where the answer to a request goes. Dropping it answers with an internal error.
pub(super) type Reply<T> = oneshot::Sender<jsonrpc::Result<T>>;

/// One coordination directory of this window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DirectoryId(pub(super) u32);

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// `initialize`.
    Initialize(Box<InitializeParams>, Reply<InitializeResult>),
    /// `initialized`.
    Initialized,
    /// `shutdown`.
    Shutdown(Reply<()>),
    /// The server has to end.
    End(Ending),
    /// A document changed its state in the editor.
    Document(DocumentEvent),
    /// The editor wants something shown.
    Request(Request),
    /// `workspace/executeCommand`.
    Execute(ExecuteCommandParams, Reply<Option<Value>>),
    /// `workspace/didChangeConfiguration`, with what came with it.
    ConfigurationChanged(Value),
    /// The answer to `workspace/configuration`; `None` if there was none in time.
    Configured(Option<Value>),
    /// `workspace/didChangeWorkspaceFolders`.
    FoldersChanged {
        /// New ones.
        added: Vec<WorkspaceFolder>,
        /// Gone ones.
        removed: Vec<WorkspaceFolder>,
    },
    /// `workspace/didRenameFiles`: old and new names of files and folders.
    FilesRenamed(Vec<(String, String)>),
    /// It was found out where a folder's directory is.
    Located(Uri, Box<Result<Location, DiscoveryError>>),
    /// Coordination directories were found that are not used, below or beside the one that is.
    Unused(Vec<String>),
    /// A worker has done a job.
    Done(DirectoryId, Box<Done>),
    /// A directory changed.
    Changed(DirectoryId, Vec<Change>),
    /// The editor has been told of these messages.
    Told(DirectoryId, Vec<MessageId>),
    /// Time has passed.
    Tick,
}

/// Why the server has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The editor sent `exit`, closed the pipe, or its process is gone.
    Editor,
    /// A signal with this number.
    Signal(u8),
}

/// What the editor tells of a document. Notebooks count as their file.
#[derive(Debug)]
pub(super) enum DocumentEvent {
    /// It was opened.
    Opened {
        /// Which.
        uri: Uri,
        /// Its text; `None` for a notebook.
        text: Option<String>,
    },
    /// It was changed.
    Changed {
        /// Which.
        uri: Uri,
        /// The edits in their order; empty for a notebook.
        edits: Vec<TextDocumentContentChangeEvent>,
    },
    /// It was saved.
    Saved(Uri),
    /// It was closed.
    Closed(Uri),
}

/// A question about one document.
#[derive(Debug)]
pub(super) enum Request {
    /// `textDocument/hover`.
    Hover(Box<HoverParams>, Reply<Option<Hover>>),
    /// `textDocument/inlayHint`.
    Hints(Box<InlayHintParams>, Reply<Option<Vec<InlayHint>>>),
    /// `textDocument/codeAction`.
    Actions(Box<CodeActionParams>, Reply<Option<CodeActionResponse>>),
}

impl Request {
    /// The document that it is about.
    pub(super) fn uri(&self) -> &Uri {
        match self {
            Self::Hover(parameters, _) => &parameters.text_document_position_params.text_document.uri,
            Self::Hints(parameters, _) => &parameters.text_document.uri,
            Self::Actions(parameters, _) => &parameters.text_document.uri,
        }
    }

    /// Answers that there is nothing to show.
    pub(super) fn answer_nothing(self) {
        // Whoever cancelled the request doesn't wait for the answer.
        match self {
            Self::Hover(_, reply) => drop(reply.send(Ok(None))),
            Self::Hints(_, reply) => drop(reply.send(Ok(None))),
            Self::Actions(_, reply) => drop(reply.send(Ok(None))),
        }
    }
}
