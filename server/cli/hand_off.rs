//! `deconflict hand-off TYPE NAME TO`

use deconflict_protocol::{ResourceType, SessionId};
use deconflict_registry::{Activity, Claim, HandOffOutcome, Registry, Session};
use deconflict_words::documents;
use serde_json::json;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::style::GOOD;
use super::{candidates, held, identity, ownership, upkeep, values, words};

/// Give a claim to another session, along with your uncommitted changes in the file
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `file`, `directory`, or a word of your own such as `task`
    #[arg(id = "type", value_name = "TYPE", index = 1, value_parser = values::any_resource_type)]
    resource_type: ResourceType,
    /// Its name; for a file or directory, its path
    #[arg(index = 2)]
    name: String,
    /// The session to give it to, by its name or the beginning of its id
    #[arg(index = 3, add = candidates::sessions())]
    to: String,
    /// Notes for that session
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (registry, session) = identity::enter(context)?;
    let to = identity::named(context, &registry, &arguments.to)?;
    if session.id == to.id {
        return Err(Failure::usage("You can't hand off to yourself.").advise("Who is here: deconflict status"));
    }
    let claim = give(arguments, &to.id, context, &registry, &session)?;
    let changes = ownership::hand_over(context, &session, &to, &claim.resource).len();
    context.output.answer(
        || json!({"claim": documents::claim(&claim, Some(&to)), "from": session.id, "to": to.id, "changes": changes > 0}),
        || {
            format!(
                "{GOOD}Handed{GOOD:#} {}{} to {}, until {}.",
                claim.resource.in_a_sentence(),
                if changes > 0 { " with your uncommitted changes in it" } else { "" },
                words::who(Some(&to), &to.id),
                words::moment(claim.expires_at, context.now())
            )
        },
    )?;
    let activity = Activity {
        action: "handed off".to_owned(),
        files_touched: vec![claim.resource.name().to_owned()],
        ..Activity::default()
    };
    upkeep::sign_of_life(&registry, &session, &activity);
    Ok(Exit::Done)
}

fn give(
    arguments: &Arguments,
    to: &SessionId,
    context: &Context,
    registry: &Registry,
    session: &Session,
) -> Result<Claim, Failure> {
    let now = context.now();
    let mut others = None;
    for resource in context.claimed_resources(&arguments.resource_type, &arguments.name)? {
        match registry.hand_off(&session.id, &resource, to, arguments.notes.as_deref())? {
            HandOffOutcome::HandedOff(claim) => return Ok(claim),
            HandOffOutcome::NotFound => {}
            HandOffOutcome::NotHolder(claim) => others = others.or(Some(claim)),
            HandOffOutcome::Refused { by } => {
                let (wanted, kept) = (resource.in_a_sentence(), by.resource.in_a_sentence());
                let message =
                    format!("You also hold {kept}, which overlaps {wanted}, so {wanted} cannot be handed off.");
                return Err(Failure::refused("claimed", message)
                    .advise(format!("Release that first: deconflict release {}", words::typed(context, &by.resource)))
                    .fact("claim", documents::claim(&by, Some(session))));
            }
            HandOffOutcome::RecipientNotLive(Some(to)) => {
                let message = format!(
                    "{} is {} since {}, so nothing can be handed to it.",
                    words::who(Some(&to), &to.id),
                    to.state.as_str(),
                    words::moment(to.last_sign, now)
                );
                return Err(Failure::usage(message)
                    .reason("not-live")
                    .advise("Who is here: deconflict status")
                    .fact("session", documents::session(&to)));
            }
            HandOffOutcome::RecipientNotLive(None) => {
                return Err(deconflict_registry::Error::UnknownSession { id: to.clone() }.into());
            }
        }
    }
    Err(others.map_or_else(
        || held::not_found(&arguments.resource_type, &arguments.name),
        |claim| held::not_holder(context, registry, &claim, "hand it off"),
    ))
}
