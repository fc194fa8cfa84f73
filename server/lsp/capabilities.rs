//! What the editor can do, resolved once into plain answers, and what this server offers it.

use serde_json::Value;
use tower_lsp::ls_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, ExecuteCommandOptions, FileOperationFilter,
    FileOperationPattern, FileOperationRegistrationOptions, HoverProviderCapability, InitializeParams, Notebook,
    NotebookDocumentSyncOptions, NotebookSelector, OneOf, SaveOptions, ServerCapabilities, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
    WorkspaceFileOperationsServerCapabilities, WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use super::command::EditorCommand;
use super::present::code_actions::KINDS;
use super::snapshot::Client;

/// What the editor declared, and what it wants by `initializationOptions`: see [`EditorCapabilities::resolve`]. All of it
/// is false until it says so.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent capability of the protocol")]
pub(super) struct EditorCapabilities {
    /// What matters to how things are put into words.
    pub(super) client: Client,
    pub(super) configuration: bool,
    pub(super) registers_configuration: bool,
    pub(super) refreshes_hints: bool,
    /// What it tells of files that are moved and deleted.
    pub(super) file_operations: FileOperations,
    pub(super) shows_documents: bool,
    pub(super) tells_of_saving: bool,
    pub(super) notebooks: bool,
    pub(super) wants_status: bool,
    pub(super) wants_changes: bool,
    pub(super) wants_notices: bool,
}

impl EditorCapabilities {
    /// Resolves what the editor said in `initialize`.
    pub(super) fn resolve(parameters: &InitializeParams) -> Self {
        let declared = serde_json::to_value(&parameters.capabilities).unwrap_or_default();
        let can = |pointer: &str| declared.pointer(pointer) == Some(&Value::Bool(true));
        let has = |pointer: &str| declared.pointer(pointer).is_some();
        let lists = |pointer: &str, item: &str| {
            declared.pointer(pointer).and_then(Value::as_array).is_some_and(|items| items.iter().any(|it| it == item))
        };
        let option = |name: &str| parameters.initialization_options.as_ref().and_then(|options| options.get(name));
        let wants = |name: &str| option(name) == Some(&Value::Bool(true));
        Self {
            client: Client {
                related_information: can("/textDocument/publishDiagnostics/relatedInformation"),
                diagnostic_data: can("/textDocument/publishDiagnostics/dataSupport"),
                code_action_literals: has("/textDocument/codeAction/codeActionLiteralSupport"),
                markdown_hover: lists("/textDocument/hover/contentFormat", "markdown"),
                applies_edits: can("/workspace/applyEdit"),
                hint_commands: lists("/textDocument/inlayHint/resolveSupport/properties", "label.command"),
                asks_for_text: option("commands") == Some(&Value::Bool(false)),
                has_colon_commands: wants("colonCommands"),
                is_brief: wants("notices"),
            },
            configuration: can("/workspace/configuration"),
            registers_configuration: can("/workspace/didChangeConfiguration/dynamicRegistration"),
            refreshes_hints: can("/workspace/inlayHint/refreshSupport"),
            file_operations: FileOperations {
                will_rename: can("/workspace/fileOperations/willRename"),
                did_rename: can("/workspace/fileOperations/didRename"),
                will_delete: can("/workspace/fileOperations/willDelete"),
                did_delete: can("/workspace/fileOperations/didDelete"),
            },
            shows_documents: can("/window/showDocument/support"),
            tells_of_saving: can("/textDocument/synchronization/willSave"),
            notebooks: has("/notebookDocument"),
            wants_status: wants("statusNotifications"),
            wants_changes: wants("changeNotifications"),
            wants_notices: wants("notices"),
        }
    }

    /// What the server offers to this editor.
    pub(super) fn offer(&self) -> ServerCapabilities {
        let commands = if self.client.asks_for_text { Vec::new() } else { EditorCommand::names() };
        ServerCapabilities {
            text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                will_save: self.tells_of_saving.then_some(true),
                save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
                ..TextDocumentSyncOptions::default()
            })),
            notebook_document_sync: self.notebooks.then(|| OneOf::Left(every_notebook())),
            hover_provider: Some(HoverProviderCapability::Simple(true)),
            // An editor that cannot be told to ask again would go on showing a holder that has released.
            inlay_hint_provider: self.refreshes_hints.then_some(OneOf::Left(true)),
            code_action_provider: Some(self.code_actions()),
            execute_command_provider: Some(ExecuteCommandOptions { commands, ..ExecuteCommandOptions::default() }),
            workspace: Some(WorkspaceServerCapabilities {
                workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                    supported: Some(true),
                    change_notifications: Some(OneOf::Left(true)),
                }),
                file_operations: self.file_operations.wanted(),
            }),
            ..ServerCapabilities::default()
        }
    }

    fn code_actions(&self) -> CodeActionProviderCapability {
        if !self.client.code_action_literals {
            return CodeActionProviderCapability::Simple(true);
        }
        CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(KINDS.iter().map(|kind| CodeActionKind::from(*kind)).collect()),
            ..CodeActionOptions::default()
        })
    }
}

fn every_notebook() -> NotebookDocumentSyncOptions {
    NotebookDocumentSyncOptions {
        notebook_selector: vec![NotebookSelector::ByNotebook {
            notebook: Notebook::String("*".to_owned()),
            cells: None,
        }],
        save: Some(true),
    }
}

/// What an editor tells of files that are moved and deleted, before and after.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent capability of the protocol")]
pub(super) struct FileOperations {
    will_rename: bool,
    did_rename: bool,
    will_delete: bool,
    did_delete: bool,
}

impl FileOperations {
    /// What this server wants to be told of.
    fn wanted(self) -> Option<WorkspaceFileOperationsServerCapabilities> {
        let Self { will_rename, did_rename, will_delete, did_delete } = self;
        let every_file = |is_told: bool| {
            is_told.then(|| FileOperationRegistrationOptions {
                filters: vec![FileOperationFilter {
                    scheme: Some("file".to_owned()),
                    pattern: FileOperationPattern { glob: "**/*".to_owned(), ..FileOperationPattern::default() },
                }],
            })
        };
        let is_any = will_rename || did_rename || will_delete || did_delete;
        is_any.then(|| WorkspaceFileOperationsServerCapabilities {
            will_rename: every_file(will_rename),
            did_rename: every_file(did_rename),
            will_delete: every_file(will_delete),
            did_delete: every_file(did_delete),
            ..WorkspaceFileOperationsServerCapabilities::default()
        })
    }
}
