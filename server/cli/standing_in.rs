//! Sessions of the machine's and the team's registry, each of which stands for one of a clone and lasts as long as that.

use deconflict_platform::{self as platform, Life, Process, ScopeRelation};
use deconflict_protocol::{SessionId, SessionOfClone};
use deconflict_registry::{Error, NewSession, Registry, Session, Store};

use super::context::Context;
use super::failure::Failure;

/// The session of a wider registry that stands for one of the clone, under this id there.
pub(super) fn enter<S: Store>(
    registry: &Registry<S>,
    id: &SessionId,
    own: &Session,
    context: &Context,
) -> Result<Session, Failure> {
    let new = NewSession {
        id: Some(id.clone()),
        keeper: keeper_of(own),
        turn: own.record.turn.clone(),
        ..describe(own, context)?
    };
    Ok(match registry.session(id)? {
        Some(known) if known.is_live() => known,
        Some(known) => registry.resume(id, &new)?.unwrap_or(known),
        None => match registry.register(new) {
            // What shares this clone with the team was faster.
            Err(Error::SessionTaken { .. }) => registry.session(id)?.ok_or(Error::UnknownSession { id: id.clone() })?,
            registered => registered?,
        },
    })
}

/// What a session says of itself that stands for one of the clone.
pub(super) fn describe(own: &Session, context: &Context) -> Result<NewSession, Failure> {
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
