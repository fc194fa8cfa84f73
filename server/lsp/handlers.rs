//! The methods of the protocol. Each only turns its message into an event and queues it before it waits for anything,
//! so that the loop sees everything in the order of the pipe.

use serde_json::Value;
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, DeleteFilesParams, DidChangeConfigurationParams,
    DidChangeNotebookDocumentParams, DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams,
    DidCloseNotebookDocumentParams, DidCloseTextDocumentParams, DidOpenNotebookDocumentParams,
    DidOpenTextDocumentParams, DidSaveNotebookDocumentParams, DidSaveTextDocumentParams, ExecuteCommandParams, Hover,
    HoverParams, InitializeParams, InitializeResult, InitializedParams, InlayHint, InlayHintParams, RenameFilesParams,
    WillSaveTextDocumentParams, WorkspaceEdit,
};

use super::event::{Event, Request};
use super::event_loop::Events;
use super::reply::Reply;

/// The language server as tower-lsp calls it.
#[derive(Debug)]
pub(super) struct Handlers {
    events: Events,
}

impl Handlers {
    /// Handlers that queue their events here.
    pub(super) fn new(events: Events) -> Self {
        Self { events }
    }

    fn tell(&self, event: Event) {
        self.events.send(event);
    }

    async fn ask<T>(&self, event: impl FnOnce(Reply<T>) -> Event) -> Result<T> {
        let (reply, answer) = Reply::new();
        self.tell(event(reply));
        answer.await.unwrap_or_else(|_| Err(Error::internal_error()))
    }
}

impl LanguageServer for Handlers {
    async fn initialize(&self, parameters: InitializeParams) -> Result<InitializeResult> {
        self.ask(|reply| Event::Initialize(Box::new(parameters), reply)).await
    }

    async fn initialized(&self, _: InitializedParams) {
        self.tell(Event::Initialized);
    }

    async fn shutdown(&self) -> Result<()> {
        self.ask(Event::Shutdown).await
    }

    async fn did_open(&self, parameters: DidOpenTextDocumentParams) {
        let document = parameters.text_document;
        self.tell(Event::Opened { uri: document.uri, text: Some(document.text) });
    }

    async fn did_change(&self, parameters: DidChangeTextDocumentParams) {
        let uri = parameters.text_document.uri;
        self.tell(Event::DocumentChanged { uri, edits: parameters.content_changes });
    }

    async fn will_save(&self, parameters: WillSaveTextDocumentParams) {
        self.tell(Event::Saving(parameters.text_document.uri));
    }

    async fn did_save(&self, parameters: DidSaveTextDocumentParams) {
        self.tell(Event::Saved(parameters.text_document.uri));
    }

    async fn did_close(&self, parameters: DidCloseTextDocumentParams) {
        self.tell(Event::Closed(parameters.text_document.uri));
    }

    async fn notebook_did_open(&self, parameters: DidOpenNotebookDocumentParams) {
        self.tell(Event::Opened { uri: parameters.notebook_document.uri, text: None });
    }

    async fn notebook_did_change(&self, parameters: DidChangeNotebookDocumentParams) {
        let change = &parameters.change;
        // What a run printed, or how long it took, is no edit of a person.
        if change.cells.is_some() || change.metadata.is_some() {
            let uri = parameters.notebook_document.uri;
            self.tell(Event::DocumentChanged { uri, edits: Vec::new() });
        }
    }

    async fn notebook_did_save(&self, parameters: DidSaveNotebookDocumentParams) {
        self.tell(Event::Saved(parameters.notebook_document.uri));
    }

    async fn notebook_did_close(&self, parameters: DidCloseNotebookDocumentParams) {
        self.tell(Event::Closed(parameters.notebook_document.uri));
    }

    async fn hover(&self, parameters: HoverParams) -> Result<Option<Hover>> {
        self.ask(|reply| Event::Request(Request::Hover(Box::new(parameters), reply))).await
    }

    async fn inlay_hint(&self, parameters: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        self.ask(|reply| Event::Request(Request::Hints(Box::new(parameters), reply))).await
    }

    async fn code_action(&self, parameters: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        self.ask(|reply| Event::Request(Request::Actions(Box::new(parameters), reply))).await
    }

    async fn execute_command(&self, parameters: ExecuteCommandParams) -> Result<Option<Value>> {
        self.ask(|reply| Event::Execute(parameters, reply)).await
    }

    async fn did_change_configuration(&self, parameters: DidChangeConfigurationParams) {
        self.tell(Event::ConfigurationChanged(parameters.settings));
    }

    async fn did_change_workspace_folders(&self, parameters: DidChangeWorkspaceFoldersParams) {
        self.tell(Event::FoldersChanged { added: parameters.event.added, removed: parameters.event.removed });
    }

    async fn will_rename_files(&self, parameters: RenameFilesParams) -> Result<Option<WorkspaceEdit>> {
        let going = parameters.files.into_iter().map(|file| file.old_uri).collect();
        self.ask(|reply| Event::FilesGoing(going, reply)).await
    }

    async fn will_delete_files(&self, parameters: DeleteFilesParams) -> Result<Option<WorkspaceEdit>> {
        let going = parameters.files.into_iter().map(|file| file.uri).collect();
        self.ask(|reply| Event::FilesGoing(going, reply)).await
    }

    async fn did_delete_files(&self, parameters: DeleteFilesParams) {
        self.tell(Event::FilesDeleted(parameters.files.into_iter().map(|file| file.uri).collect()));
    }

    async fn did_rename_files(&self, parameters: RenameFilesParams) {
        let names = parameters.files.into_iter().map(|file| (file.old_uri, file.new_uri)).collect();
        self.tell(Event::FilesRenamed(names));
    }
}
