//! What the machine has once, for all clones: sessions that stand for those of clones, and messages to them.

use deconflict_platform::{self as platform, Life, Process, ScopeRelation};
use deconflict_protocol::{SessionId, SessionOfClone, is_broadcast};
use deconflict_registry::{Completion, Draft, Message, NewSession, Recipient, Registry, Session};

use super::context::Context;
use super::failure::Failure;
use super::{identity, upkeep, words};

/// The machine's registry, and the session in it that stands for the caller's. It lasts as long as that.
pub(super) fn enter(context: &Context) -> Result<(Registry, Session), Failure> {
    let (_, own) = identity::enter(context)?;
    let registry = context.machine_registry()?;
    let new = NewSession {
        id: Some(own.id.clone()),
        keeper: keeper_of(&own),
        turn: own.record.turn.clone(),
        ..for_session(&own, context)?
    };
    let session = match registry.session(&own.id)? {
        Some(known) if known.is_live() => known,
        Some(known) => registry.resume(&own.id, &new)?.unwrap_or(known),
        None => registry.register(new)?,
    };
    Ok((registry, session))
}

/// What a session of the machine's registry says of itself that stands for one of the clone.
pub(super) fn for_session(own: &Session, context: &Context) -> Result<NewSession, Failure> {
    let directory = context.location()?.directory.clone();
    Ok(NewSession {
        client: own.record.client.clone().or_else(|| Some("terminal".to_owned())),
        name: own.record.name.clone(),
        agent: own.record.agent.clone(),
        stands_for: Some(SessionOfClone { directory, session: own.id.clone() }),
        ..context.new_session()?
    })
}

/// The process on which the session depends, if that can be seen from here.
fn keeper_of(session: &Session) -> Option<Process> {
    let record = &session.record;
    let is_here = platform::relation_to(record.pid_scope.as_deref()?) == ScopeRelation::Same;
    let keeper = Process { pid: record.pid?, started: record.process_started.clone().unwrap_or_default() };
    (is_here && platform::life(keeper.pid, Some(&keeper.started)) == Life::Alive).then_some(keeper)
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
