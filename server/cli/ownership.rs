//! Uncommitted changes that go from one session to another, with a claim. What fails here hinders nobody: the claim counts.

use deconflict_changes::{author_of, is_same_person, named_for};
use deconflict_journal::Author;
use deconflict_protocol::Resource;
use deconflict_registry::{Registry, Session};

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::recording::Recording;

/// Whose uncommitted changes there are in a file that a session claims.
#[derive(Debug, Default)]
pub(super) struct OthersChanges {
    /// Those that go over with the claim: what the same person's agents left whose turn has ended, who ended or are gone.
    pub(super) taken_over: Vec<Author>,
    /// Those that stay others', as far as the session was not told of them yet.
    pub(super) beside: Vec<Author>,
}

impl OthersChanges {
    /// Takes over what goes over with the claim of a file.
    pub(super) fn taking_over(context: &Context, registry: &Registry, session: &Session, file: &Resource) -> Self {
        let to = author_of(session);
        let is_left = |owner: &Author| {
            let left_it = |agent: &Session| !agent.is_live() || registry.is_waiting(agent).unwrap_or(false);
            owner.agent.is_some()
                && is_same_person(owner, &to)
                && registry.session(&owner.session).is_ok_and(|agent| agent.as_ref().is_none_or(left_it))
        };
        with_recording(context, file, |recording| {
            let taken_over = recording.recorder().give(file, &to, &is_left, context.now())?;
            let beside = recording.recorder().others_beside(&to, &[], file, context.now())?;
            Ok(Self { taken_over, beside })
        })
    }
}

/// Gives a session's changes in a file to another one, and returns whose they were.
pub(super) fn hand_over(context: &Context, from: &Session, to: &Session, file: &Resource) -> Vec<Author> {
    let is_given = |owner: &Author| owner.session == from.id;
    with_recording(context, file, |recording| {
        Ok(recording.recorder().give(file, &author_of(to), &is_given, context.now())?)
    })
}

fn with_recording<T: Default>(
    context: &Context,
    file: &Resource,
    find: impl FnOnce(&Recording) -> Result<T, Failure>,
) -> T {
    if !file.is_file() {
        return T::default();
    }
    context.recording().and_then(|recording| find(&recording)).unwrap_or_else(|failure| {
        Output::remark(&format!("Could not record whose the uncommitted changes are. {}", failure.message));
        T::default()
    })
}

/// Whose changes were given, in a sentence.
pub(super) fn named(owners: &[Author], person: Option<&str>) -> String {
    owners.iter().map(|owner| named_for(owner, person)).collect::<Vec<_>>().join(" and ")
}
