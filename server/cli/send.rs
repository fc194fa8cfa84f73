//! `deconflict send TO [SUBJECT] MESSAGE`

use deconflict_protocol::text::{one_line, quoted};
use deconflict_protocol::{MessageKind, Resource, is_broadcast};
use deconflict_registry::{Draft, Recipient, Registry, Session, SessionState};
use deconflict_words::documents;
use serde_json::json;

use super::context::{Context, standard_input};
use super::failure::{Exit, Failure};
use super::kept_in::KeptIn;
use super::scope::ScopeWord;
use super::style::GOOD;
use super::{candidates, identity, machine, team_session, upkeep, values, words};

/// Send a message to one session or to everyone
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A session, by its name or the beginning of its id, or `broadcast` for everyone
    #[arg(add = candidates::recipients())]
    to: String,
    /// One line about it; without MESSAGE, this is the text
    #[arg(allow_hyphen_values = true)]
    subject: String,
    /// The text; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    message: Option<String>,
    /// What kind of message it is, such as `release_request`
    #[arg(id = "type", long = "type", value_name = "WORD", default_value = "note")]
    kind: String,
    /// The id of the message that this answers
    #[arg(long, value_name = "MESSAGE", add = candidates::messages())]
    reply_to: Option<String>,
    /// What it is about, named as for `claim`; with `--type release_request`, what you ask for
    #[arg(long, num_args = 2, value_names = ["TYPE", "NAME"], allow_hyphen_values = true)]
    resource: Vec<String>,
    /// Send it to those who share something of this machine, in any clone, or of the team, on any machine
    #[arg(long, value_name = "SCOPE")]
    scope: Option<ScopeWord>,
}

/// More than any message may have, in bytes, so that a longer one is refused as too long and not cut.
const LONGEST_INPUT: u64 = 2 << 20;

pub(super) fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.scope == Some(ScopeWord::Team) {
        let (registry, session) = team_session::enter(context)?;
        return send_in(&registry, &session, arguments, context);
    }
    let (registry, session) = identity::enter(context)?;
    if arguments.scope != Some(ScopeWord::Machine) {
        return send_in(&registry, &session, arguments, context);
    }
    let to = arguments.to.clone();
    let sent = machine::send(&to, &draft(arguments, context, &registry)?, &session, context)?;
    context.output.answer(
        || json!({"sent": sent.iter().map(documents::message).collect::<Vec<_>>()}),
        || format!("{GOOD}Sent{GOOD:#} to {}.", words::count(sent.len(), "session")),
    )?;
    Ok(Exit::Done)
}

/// The message, about what is claimed in this registry.
fn draft<S: KeptIn>(arguments: Arguments, context: &Context, registry: &Registry<S>) -> Result<Draft, Failure> {
    let resource = match &arguments.resource[..] {
        [resource_type, name] => Some(meant(context, registry, resource_type, name)?),
        _ => None,
    };
    let (subject, message) = match arguments.message {
        Some(message) => (arguments.subject, message),
        None => (String::new(), arguments.subject),
    };
    Ok(Draft {
        subject,
        message: match message {
            // What a tool is called with stands in its request.
            text if text == "-" && !context.output.is_kept() => {
                standard_input(LONGEST_INPUT, "read the message from standard input")?
            }
            text => text,
        },
        in_reply_to: arguments.reply_to,
        resource,
        ..Draft::new(MessageKind::parse(&arguments.kind))
    })
}

/// Sends it to sessions of one registry.
fn send_in<S: KeptIn>(
    registry: &Registry<S>,
    session: &Session,
    arguments: Arguments,
    context: &Context,
) -> Result<Exit, Failure> {
    let named = arguments.to.clone();
    let (to, recipient) = recipient(&named, context, registry)?;
    let sent = registry.send(&session.id, &to, &draft(arguments, context, registry)?)?;
    context.output.answer(
        || json!({"sent": documents::message(&sent)}),
        || match (&to, &recipient) {
            _ if context.shared.original => format!("✅ Message sent to {}", one_line(&named, words::PHRASE)),
            (Recipient::Session(id), recipient) => {
                let is_gone = recipient.as_ref().is_some_and(|session| !session.is_live());
                let note =
                    if is_gone { " It is not running now; whoever continues its work gets the message." } else { "" };
                format!("{GOOD}Sent{GOOD:#} to {}.{note}", words::who(recipient.as_ref(), id))
            }
            (Recipient::Everyone, _) => format!("{GOOD}Sent{GOOD:#} to everyone."),
        },
    )?;
    if let Some(registry) = S::in_directory(registry) {
        upkeep::refresh_board(registry);
    }
    Ok(Exit::Done)
}

/// Whom the message is for. A session that is unknown or has ended gets none.
fn recipient<S: KeptIn>(
    to: &str,
    context: &Context,
    registry: &Registry<S>,
) -> Result<(Recipient, Option<Session>), Failure> {
    if is_broadcast(to) {
        return Ok((Recipient::Everyone, None));
    }
    match identity::other(context, registry, to)? {
        Some(session) if session.state == SessionState::Completed => Err(Failure::usage(format!(
            "{} has ended and no longer reads messages.",
            words::who(Some(&session), &session.id)
        ))
        .reason("ended-session")
        .advise("To write to everyone: deconflict send broadcast MESSAGE")),
        Some(session) => Ok((Recipient::Session(session.id.clone()), Some(session))),
        None => {
            let message = format!("No session is called {}.", quoted(to, words::PHRASE));
            let live = identity::live_sessions(registry)?;
            let advice = "To write to everyone: deconflict send broadcast MESSAGE";
            let failure = Failure::usage(message).reason("unknown-session").advise(advice);
            let failure = if live.is_empty() { failure } else { failure.advise("Or name one of these:") };
            Err(identity::list_choices(failure, &live, context))
        }
    }
}

/// What a message is about: the one that is claimed of those that may be meant, else the likeliest.
fn meant<S: KeptIn>(
    context: &Context,
    registry: &Registry<S>,
    resource_type: &str,
    name: &str,
) -> Result<Resource, Failure> {
    let resource_type = values::any_resource_type(resource_type).map_err(Failure::usage)?;
    let mut likeliest = None;
    for candidate in context.claimed_resources(&resource_type, name)? {
        if registry.claim_of(&candidate)?.is_some() {
            return Ok(candidate);
        }
        likeliest = likeliest.or(Some(candidate));
    }
    likeliest.ok_or_else(|| Failure::usage(format!("A message can't be about \"{name}\".")))
}
