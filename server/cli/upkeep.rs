//! What a verb does once it has answered. What fails here is only said.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use deconflict_changes::end_removed_worktrees;
use deconflict_platform::start_apart;
use deconflict_registry::{Activity, Registry, Session};

use super::context::Context;
use super::failure::{Exit, Failure};
use super::kept_in::KeptIn;
use super::output::Output;
use super::recording::Recording;

/// Keep the journal of this directory small
///
/// What nobody needs any more is dropped from it, once in an hour. Whoever cannot wait for that starts this.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    context.recording()?.recorder().maintain_when_due(context.now())?;
    Ok(Exit::Done)
}

/// Keeps the journal of a directory small in a process of its own, for which nobody waits.
pub(super) fn start_beside(directory: &Path) {
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.arg("--dir").arg(directory).arg("upkeep").current_dir(directory.parent().unwrap_or(directory));
    start_apart(command);
}

/// A sign of life and the status board, if there is one, after a verb has answered.
pub(super) fn sign_of_life<S: KeptIn>(registry: &Registry<S>, session: &Session, activity: &Activity) {
    if let Err(error) = registry.heartbeat(&session.id, activity) {
        Output::remark(&format!("The heartbeat could not be written: {error}."));
    }
    if let Some(registry) = S::in_directory(registry) {
        refresh_board(registry);
    }
}

/// Does what a server would, where none runs: removes what nobody needs any more, and refreshes the board.
pub(super) fn tidy_up(context: &Context, registry: &Registry) {
    clean_up(context, registry);
    refresh_board(registry);
}

/// Removes what nobody needs any more. It reads everything, but sessions come and go rarely.
pub(super) fn clean_up(context: &Context, registry: &Registry) {
    clean_up_when_due(registry);
    if let Ok(namer) = context.namer()
        && let Err(error) = end_removed_worktrees(registry, &namer)
    {
        Output::remark(&format!("What was claimed in removed worktrees could not be released: {error}."));
    }
    let maintain = |recording: Rc<Recording>| Ok(recording.recorder().maintain_when_due(context.now())?);
    if let Err(failure) = context.recording().and_then(maintain) {
        Output::remark(&format!("What the journal keeps too long could not be removed. {}", failure.message));
    }
}

/// Removes records that nobody needs any more, once in an hour.
pub(super) fn clean_up_when_due(registry: &Registry) {
    if let Err(error) = registry.clean_up_when_due() {
        Output::remark(&format!("Old records could not be removed: {error}."));
    }
}

/// Brings the status board up to date, if nobody else does.
pub(super) fn refresh_board(registry: &Registry) {
    if let Err(error) = registry.refresh_board() {
        Output::remark(&format!("The status board could not be refreshed: {error}."));
    }
}
