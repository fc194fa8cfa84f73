//! `deconflict unmute [SESSION]`

use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::{candidates, identity, words};

/// Unmute a session, or all that you muted
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The session, by its name or the beginning of its id [default: all that you muted]
    #[arg(value_name = "SESSION", add = candidates::muted())]
    other: Option<String>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let other = arguments.other.as_deref().map(|name| identity::named(context, &registry, name)).transpose()?;
    let now = context.now();
    let was_muted = match &other {
        Some(other) => session.mutes(&other.id, now),
        None => registry.sessions()?.iter().any(|other| session.mutes(&other.id, now)),
    };
    let still_muted = registry.unmute(&session.id, other.as_ref().map(|other| &other.id))?;
    context.output.answer(
        || json!({"unmuted": other.as_ref().map(|other| &other.id), "muted": still_muted}),
        || match (&other, was_muted) {
            (Some(other), true) => format!("{GOOD}Unmuted{GOOD:#} {}.", words::who(Some(other), &other.id)),
            (Some(other), false) => format!("{} was not muted.", words::who(Some(other), &other.id)),
            (None, true) => format!("{GOOD}Unmuted{GOOD:#} everyone."),
            (None, false) => "You haven't muted anyone.".to_owned(),
        },
    )?;
    Ok(Exit::Done)
}
