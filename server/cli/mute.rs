//! `deconflict mute SESSION`

use chrono::TimeDelta;
use deconflict_protocol::time;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::{candidates, identity, values, words};

/// Mute a session for an hour; its messages wait unread
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The session, by its name or the beginning of its id
    #[arg(value_name = "SESSION", add = candidates::sessions())]
    other: String,
    /// How long, such as `30m` or `4h`
    #[arg(id = "for", long = "for", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    lasts: TimeDelta,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let other = identity::named(context, &registry, &arguments.other)?;
    if session.id == other.id {
        return Err(Failure::usage("You can't mute yourself.").advise("Who is here: deconflict status"));
    }
    let until = context.now() + arguments.lasts;
    registry.mute(&session.id, &other.id, until)?;
    context.output.answer(
        || json!({"muted": other.id, "until": time::format(until)}),
        || {
            let who = words::who(Some(&other), &other.id);
            let until = words::moment(until, context.now());
            format!("{GOOD}Muted{GOOD:#} {who} until {until}. Their messages wait unread: deconflict messages --all")
        },
    )?;
    Ok(Exit::Done)
}

/// Nobody means to mute a session for ever.
fn duration(text: &str) -> Result<TimeDelta, String> {
    let lasts = values::duration(text)?;
    if lasts > TimeDelta::weeks(1) {
        return Err("a mute lasts a week at most".to_owned());
    }
    Ok(lasts)
}
