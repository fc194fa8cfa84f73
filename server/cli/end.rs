//! `deconflict end`

use deconflict_protocol::time;
use deconflict_registry::Completion;
use deconflict_words::documents;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::{identity, machine, team_session, upkeep, words};

/// End your session and release everything it holds
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Notes for whoever continues, kept as a hand-off
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    /// Something you completed; may be given several times
    #[arg(long, value_name = "TEXT")]
    completed: Vec<String>,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let completion = Completion { work_completed: arguments.completed, notes: arguments.notes };
    let released = words::in_order(registry.complete(&session.id, &completion)?);
    machine::end(context, &session.id)?;
    team_session::end(context, &session);
    let ended = registry.session(&session.id)?.unwrap_or(session);
    context.output.answer(
        || {
            json!({
                "session": documents::session(&ended),
                "released": released.iter().map(|claim| documents::claim(claim, Some(&ended))).collect::<Vec<_>>(),
            })
        },
        || {
            let lasted = time::duration_in_words(context.now() - ended.started_at());
            let released = match &released[..] {
                [] => String::new(),
                claims => format!(" Released {}.", words::list_of_resources(claims)),
            };
            format!("{GOOD}Ended{GOOD:#} {} after {lasted}.{released}", words::who(Some(&ended), &ended.id))
        },
    )?;
    upkeep::tidy_up(context, &registry);
    Ok(Exit::Done)
}
