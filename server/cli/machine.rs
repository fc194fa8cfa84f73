//! What the machine has once, for all clones: sessions that stand for those of clones, and messages to them.

use deconflict_protocol::{SessionId, SessionOfClone, is_broadcast};
use deconflict_registry::{Completion, Draft, Message, Recipient, Registry, Session};

use super::context::Context;
use super::failure::Failure;
use super::{identity, standing_in, upkeep, words};

/// The machine's registry, and the session in it that stands for the caller's.
pub(super) fn enter(context: &Context) -> Result<(Registry, Session), Failure> {
    let (_, own) = identity::enter(context)?;
    let registry = context.machine_registry()?;
    let session = standing_in::enter(&registry, &own.id, &own, context)?;
    Ok((registry, session))
}

/// Ends what stands for a session that ends, with all that it holds of the machine.
pub(super) fn end(context: &Context, session: &SessionId) -> Result<(), Failure> {
    if let Some(registry) = context.existing_machine_registry()?
        && registry.session(session)?.is_some_and(|session| session.is_live())
    {
        registry.complete(session, &Completion::default())?;
        upkeep::clean_up_when_due(&registry);
    }
    Ok(())
}

/// Sends to a session that has something of the machine, or waits for it, in whichever clone it works; or to all of these.
/// Each gets it where it reads its messages.
pub(super) fn send(to: &str, draft: &Draft, own: &Session, context: &Context) -> Result<Vec<Message>, Failure> {
    let registry = context.machine_registry()?;
    let recipients = if is_broadcast(to) {
        let mut others = identity::live_sessions(&registry)?;
        others.retain(|session| session.record.stands_for.as_ref().is_none_or(|it| it.session != own.id));
        others
    } else {
        vec![identity::named(context, &registry, to)?]
    };
    let mut to: Vec<SessionOfClone> = Vec::new();
    for stands_for in recipients.into_iter().filter_map(|session| session.record.stands_for) {
        if !to.contains(&stands_for) {
            to.push(stands_for);
        }
    }
    if to.is_empty() {
        return Err(Failure::usage("Nobody who could read it holds or waits for anything of this machine.")
            .reason("unknown-session")
            .advise("See who has what: deconflict status --scope machine"));
    }
    let draft = Draft { message: signed(&draft.message, own, context)?, ..draft.clone() };
    let deliver = |to: SessionOfClone| {
        let registry = Registry::open(&to.directory, context.clock())?;
        Ok(registry.send(&own.id, &Recipient::Session(to.session), &draft)?)
    };
    to.into_iter().map(deliver).collect()
}

/// In another clone nobody knows the sender's session.
fn signed(message: &str, own: &Session, context: &Context) -> Result<String, Failure> {
    let place = words::shell_word(&context.location()?.parent().display().to_string());
    Ok(format!("{message}\n({}, who works in {place})", own.label_for_all()))
}
