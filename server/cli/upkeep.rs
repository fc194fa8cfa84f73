//! What a verb does once it has answered. What fails here is only said.

use deconflict_registry::{Activity, Registry, Session};

use super::context::Context;
use super::output::Output;
use super::recording::Recording;

/// A sign of life and the status board, after a verb has answered.
pub(super) fn sign_of_life(registry: &Registry, session: &Session, activity: &Activity) {
    if let Err(error) = registry.heartbeat(&session.id, activity) {
        Output::remark(&format!("The heartbeat could not be written: {error}."));
    }
    refresh_board(registry);
}

/// Does what a server would, where none runs: removes what nobody needs any more, and refreshes the board.
pub(super) fn tidy_up(context: &Context, registry: &Registry) {
    clean_up(context, registry);
    refresh_board(registry);
}

/// Removes what nobody needs any more. It reads everything, but sessions come and go rarely.
pub(super) fn clean_up(context: &Context, registry: &Registry) {
    if let Err(error) = registry.clean_up_when_due() {
        Output::remark(&format!("Old records could not be removed: {error}."));
    }
    let maintain = |recording: Recording| Ok(recording.recorder().maintain_when_due(context.now())?);
    if let Err(failure) = Recording::open(context).and_then(maintain) {
        Output::remark(&format!("What the journal keeps too long could not be removed. {}", failure.message));
    }
}

/// Brings the status board up to date, if nobody else does.
pub(super) fn refresh_board(registry: &Registry) {
    if let Err(error) = registry.refresh_board() {
        Output::remark(&format!("The status board could not be refreshed: {error}."));
    }
}
