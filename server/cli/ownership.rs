//! Uncommitted changes that go from one session to another, with a claim. What fails here hinders nobody: the claim counts.

use deconflict_changes::{author_of, is_same_person};
use deconflict_journal::Author;
use deconflict_protocol::Resource;
use deconflict_protocol::text::one_line;
use deconflict_registry::{Registry, Session};

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::recording::Recording;

/// Takes over what the same person's agents left in a file, whose turn has ended, or who ended or are gone.
pub(super) fn take_over(context: &Context, registry: &Registry, session: &Session, file: &Resource) -> Vec<Author> {
    let to = author_of(session);
    let is_left = |owner: &Author| {
        let left_it = |agent: &Session| !agent.is_live() || registry.is_waiting(agent).unwrap_or(false);
        owner.agent.is_some()
            && is_same_person(owner, &to)
            && registry.session(&owner.session).is_ok_and(|agent| agent.as_ref().is_none_or(left_it))
    };
    give(context, file, &to, &is_left)
}

/// Gives a session's changes in a file to another one.
pub(super) fn hand_over(context: &Context, from: &Session, to: &Session, file: &Resource) -> Vec<Author> {
    give(context, file, &author_of(to), &|owner| owner.session == from.id)
}

/// Whose uncommitted changes else a file has that the session claims, of which it was not told yet.
pub(super) fn others_beside(context: &Context, session: &Session, file: &Resource) -> Vec<Author> {
    let find =
        |recording: Recording| Ok(recording.recorder().others_beside(&author_of(session), &[], file, context.now())?);
    Recording::open(context).and_then(find).unwrap_or_default()
}

fn give(context: &Context, file: &Resource, to: &Author, is_given: &dyn Fn(&Author) -> bool) -> Vec<Author> {
    if !file.is_file() {
        return Vec::new();
    }
    let give = |recording: Recording| Ok(recording.recorder().give(file, to, is_given, context.now())?);
    Recording::open(context).and_then(give).unwrap_or_else(|failure: Failure| {
        Output::remark(&format!("Whose the uncommitted changes are could not be noted. {}", failure.message));
        Vec::new()
    })
}

/// Whose changes were given, in a sentence.
pub(super) fn named(owners: &[Author]) -> String {
    owners.iter().map(|owner| one_line(&owner.label, 60)).collect::<Vec<_>>().join(" and ")
}
