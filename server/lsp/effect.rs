//! What the loop wants done. It never does any of it itself.

use std::path::PathBuf;

use serde_json::Value;
use tower_lsp::ls_types::{MessageType, PublishDiagnosticsParams, TextEdit, Uri};

use super::event::DirectoryId;
use super::job::{Job, Profile};
use super::present::messages::Notice;
use deconflict_registry::MessageId;
use deconflict_workspace::Location;

#[derive(Debug)]
pub(super) enum Effect {
    /// Find out where a folder's directory is.
    Locate { uri: Uri, folder: PathBuf, document: Option<PathBuf>, named: Option<PathBuf> },
    /// Start the worker of a directory.
    Start { id: DirectoryId, location: Box<Location>, profile: Profile, may_make: bool },
    /// Give a job to a directory's worker.
    Job(DirectoryId, Job),
    /// Say when all is known that the editor has said by now.
    Hear(DirectoryId),
    /// Tell the editor the diagnostics of a document.
    Publish(PublishDiagnosticsParams),
    /// Show a message, and say when the editor has taken it if it is one of others. An editor that shows it by itself is
    /// also told what it is about.
    Show { notice: Notice, about: Option<Value>, told: Option<(DirectoryId, Vec<MessageId>)> },
    /// Write a line into the editor's log.
    Log(MessageType, String),
    /// Ask the editor to ask for inlay hints again.
    RefreshHints,
    /// Ask the editor for its settings.
    AskConfiguration,
    /// Ask the editor to tell when its settings change.
    RegisterConfiguration,
    /// Ask the editor to let a document have another text in place of what stands there.
    Edit(Uri, TextEdit),
    /// Ask the editor to show a file.
    ShowDocument(PathBuf),
    /// Tell the editor how things stand.
    Status(Value),
    /// Tell the editor that something is not as it was.
    Changed,
    /// Watch whether the editor's process is still there.
    WatchEditor(u32),
    /// End the process with this exit code, once everything was written.
    Exit(u8),
}
