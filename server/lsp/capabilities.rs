//! What the editor can do, resolved once into plain answers, and what this server offers it.

use serde_json::Value;
use tower_lsp::ls_types::{
    ClientCapabilities, CodeActionKind, CodeActionOptions, CodeActionProviderCapability, ExecuteCommandOptions,
    FileOperationFilter, FileOperationPattern, FileOperationRegistrationOptions, HoverProviderCapability,
    InitializeParams, MarkupKind, Notebook, NotebookDocumentSyncOptions, NotebookSelector, OneOf, SaveOptions,
    ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, WorkspaceFileOperationsClientCapabilities, WorkspaceFileOperationsServerCapabilities,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use super::command::EditorCommand;
use super::present::code_actions::KINDS;
use super::snapshot::Client;

/// What the editor declared, and what it wants by `initializationOptions`. All of it is false until it says so.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent capability of the protocol")]
pub(super) struct EditorCapabilities {
    /// What matters to how things are put into words.
    pub(super) client: Client,
    /// `workspace.configuration`: settings can be asked for.
    pub(super) configuration: bool,
    /// `workspace.didChangeConfiguration.dynamicRegistration`.
    pub(super) registers_configuration: bool,
    /// `workspace.inlayHint.refreshSupport`.
    pub(super) refreshes_hints: bool,
    /// `workspace.fileOperations`: what it tells of files that are moved and deleted.
    pub(super) file_operations: FileOperations,
    /// `window.showDocument.support`.
    pub(super) shows_documents: bool,
    /// `notebookDocument.synchronization` is there.
    pub(super) notebooks: bool,
    /// `initializationOptions.statusNotifications`.
    pub(super) wants_status: bool,
    /// `initializationOptions.changeNotifications`.
    pub(super) wants_changes: bool,
    /// `initializationOptions.notices`.
    pub(super) wants_notices: bool,
}

impl EditorCapabilities {
    /// Resolves what the editor said in `initialize`.
    pub(super) fn resolve(parameters: &InitializeParams) -> Self {
        let option = |name: &str| parameters.initialization_options.as_ref().and_then(|options| options.get(name));
        let wants = |name: &str| option(name) == Some(&Value::Bool(true));
        let declared = &parameters.capabilities;
        let workspace = declared.workspace.as_ref();
        Self {
            client: Client { asks_for_text: option("commands") == Some(&Value::Bool(false)), ..client(declared) },
            configuration: workspace.and_then(|it| it.configuration).unwrap_or(false),
            registers_configuration: workspace
                .and_then(|it| it.did_change_configuration.as_ref()?.dynamic_registration)
                .unwrap_or(false),
            refreshes_hints: workspace.and_then(|it| it.inlay_hint.as_ref()?.refresh_support).unwrap_or(false),
            file_operations: FileOperations::of(workspace.and_then(|it| it.file_operations.as_ref())),
            shows_documents: declared
                .window
                .as_ref()
                .and_then(|it| it.show_document.as_ref())
                .is_some_and(|it| it.support),
            notebooks: declared.notebook_document.is_some(),
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

fn client(declared: &ClientCapabilities) -> Client {
    let documents = declared.text_document.as_ref();
    let diagnostics = documents.and_then(|it| it.publish_diagnostics.as_ref());
    Client {
        related_information: diagnostics.and_then(|it| it.related_information).unwrap_or(false),
        diagnostic_data: diagnostics.and_then(|it| it.data_support).unwrap_or(false),
        code_action_literals: documents
            .and_then(|it| it.code_action.as_ref())
            .is_some_and(|it| it.code_action_literal_support.is_some()),
        markdown_hover: documents
            .and_then(|it| it.hover.as_ref()?.content_format.as_ref())
            .is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
        applies_edits: declared.workspace.as_ref().and_then(|it| it.apply_edit).unwrap_or(false),
        hint_commands: documents
            .and_then(|it| it.inlay_hint.as_ref()?.resolve_support.as_ref())
            .is_some_and(|it| it.properties.iter().any(|property| property == "label.command")),
        ..Client::default()
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
    fn of(declared: Option<&WorkspaceFileOperationsClientCapabilities>) -> Self {
        let Some(declared) = declared else { return Self::default() };
        Self {
            will_rename: declared.will_rename.unwrap_or(false),
            did_rename: declared.did_rename.unwrap_or(false),
            will_delete: declared.will_delete.unwrap_or(false),
            did_delete: declared.did_delete.unwrap_or(false),
        }
    }

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
