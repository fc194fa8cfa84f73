//! Claims that others hold, and how a verb tells of one that is in its way.

use std::collections::HashMap;

use deconflict_protocol::text::one_line;
use deconflict_protocol::{Resource, ResourceType, SessionId};
use deconflict_registry::{Claim, Registry, Session, Store};
use deconflict_words::documents;
use serde_json::Value;

use super::context::Context;
use super::failure::Failure;
use super::kept_in::KeptIn;
use super::words;

/// The holders of many claims, each of which is read once.
pub(super) struct Holders<'a> {
    registry: &'a Registry,
    known: HashMap<SessionId, Option<Session>>,
}

impl<'a> Holders<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self { registry, known: HashMap::new() }
    }

    pub(super) fn of(&mut self, claim: &Claim) -> Option<&Session> {
        let id = claim.holder()?;
        if !self.known.contains_key(id) {
            self.known.insert(id.clone(), holder_of(self.registry, claim));
        }
        self.known.get(id)?.as_ref()
    }
}

/// A claim that another session's claim stands against, told to whoever wanted it.
pub(super) fn refusal<S: KeptIn>(context: &Context, registry: &Registry<S>, wanted: &Resource, by: &Claim) -> Failure {
    let holder = holder_of(registry, by);
    let failure = Failure::refused("claimed", words::held(by, holder.as_ref(), wanted, context.now()))
        .fact("claim", documents::claim(by, holder.as_ref()))
        .fact("holder", holder.as_ref().map_or(Value::Null, documents::session));
    // A claim may outlive the record of its session; then nobody would read the message.
    if by.holder().is_none() || holder.is_none() {
        return failure;
    }
    failure.advise(match words::ask_command(by, holder.as_ref()) {
        Some(command) => match S::scope(registry) {
            Some(scope) => format!("Ask for it: {command} --scope {scope}"),
            None => format!("Ask for it: {command}"),
        },
        None => "Its holder doesn't want messages about it.".to_owned(),
    })
}

/// What is meant is claimed by another session, so that only that one can do something with it.
pub(super) fn not_holder<S: Store>(context: &Context, registry: &Registry<S>, claim: &Claim, what: &str) -> Failure {
    let holder = holder_of(registry, claim);
    let message = words::held(claim, holder.as_ref(), &claim.resource, context.now());
    Failure::refused("not-holder", format!("{message} Only its holder can {what}."))
        .fact("claim", documents::claim(claim, holder.as_ref()))
}

/// There is no such claim.
pub(super) fn not_found(resource_type: &ResourceType, name: &str) -> Failure {
    let message = format!("Nobody holds the {resource_type} {}.", one_line(name, 200));
    Failure::usage(message).reason("not-found").advise("See what is claimed: deconflict status")
}

/// Who holds it, as people call them.
pub(super) fn holder_in_words<S: Store>(registry: &Registry<S>, claim: &Claim) -> String {
    let holder = holder_of(registry, claim);
    claim.holder().map_or_else(|| "somebody".to_owned(), |id| words::who(holder.as_ref(), id))
}

/// The holder's session, if it has a record.
pub(super) fn holder_of<S: Store>(registry: &Registry<S>, claim: &Claim) -> Option<Session> {
    registry.session(claim.holder()?).ok().flatten()
}
