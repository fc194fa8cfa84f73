//! What the loop is told, by the editor and by its own threads.

use serde_json::Value;
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, ExecuteCommandParams, Hover, HoverParams, InitializeParams, InitializeResult,
    InlayHint, InlayHintParams, TextDocumentContentChangeEvent, Uri, WorkspaceEdit, WorkspaceFolder,
};

use super::job::JobResult;
use super::reply::Reply;
use deconflict_registry::{Change, MessageId};
use deconflict_workspace::{DiscoveryError, Location};

/// One coordination directory of this window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DirectoryId(pub(super) u32);

#[derive(Debug)]
pub(super) enum Event {
    Initialize(Box<InitializeParams>, Reply<InitializeResult>),
    Initialized,
    Shutdown(Reply<()>),
    /// The server has to end.
    End(EndReason),
    /// A document was opened; a notebook counts as its file, and has no text.
    Opened {
        uri: Uri,
        text: Option<String>,
    },
    /// It was changed by these edits in their order; by none if it is a notebook.
    DocumentChanged {
        uri: Uri,
        edits: Vec<TextDocumentContentChangeEvent>,
    },
    /// It is about to be saved.
    Saving(Uri),
    Saved(Uri),
    Closed(Uri),
    Request(Request),
    Execute(ExecuteCommandParams, Reply<Option<Value>>),
    /// `workspace/didChangeConfiguration`, with what came with it.
    ConfigurationChanged(Value),
    /// The answer to `workspace/configuration`; `None` if there was none in time.
    Configured(Option<Value>),
    FoldersChanged {
        added: Vec<WorkspaceFolder>,
        removed: Vec<WorkspaceFolder>,
    },
    /// `workspace/willRenameFiles` and `workspace/willDeleteFiles`: files and folders that will be gone.
    FilesGoing(Vec<String>, Reply<Option<WorkspaceEdit>>),
    /// `workspace/didDeleteFiles`.
    FilesDeleted(Vec<String>),
    /// `workspace/didRenameFiles`: old and new names of files and folders.
    FilesRenamed(Vec<(String, String)>),
    /// It was found out where a folder's directory is.
    Located(Uri, Box<Result<Location, DiscoveryError>>),
    /// Coordination directories were found that are not used, below or beside the one that is.
    Unused(Vec<String>),
    JobResult(DirectoryId, Box<JobResult>),
    Changed(DirectoryId, Vec<Change>),
    /// All that the editor had said when this was asked for has been handled.
    Heard(DirectoryId),
    /// The editor has been told of these messages.
    Told(DirectoryId, Vec<MessageId>),
    Tick,
}

/// Why the server has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The editor sent `exit`, closed the pipe, or its process is gone.
    Editor,
    /// A signal with this number.
    Signal(u8),
}

/// A question about one document.
#[derive(Debug)]
pub(super) enum Request {
    Hover(Box<HoverParams>, Reply<Option<Hover>>),
    Hints(Box<InlayHintParams>, Reply<Option<Vec<InlayHint>>>),
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
        match self {
            Self::Hover(_, reply) => reply.send(Ok(None)),
            Self::Hints(_, reply) => reply.send(Ok(None)),
            Self::Actions(_, reply) => reply.send(Ok(None)),
        }
    }
}
