//! What the team shares: sessions that stand for those of clones on all its machines.

use deconflict_protocol::SessionId;
use deconflict_registry::{Claim, Completion, Registry, Session};
use deconflict_team::{Etcd, id_in_team};

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::{identity, standing_in};

/// The team's registry, and the session in it that stands for the caller's.
pub(super) fn enter(context: &Context) -> Result<(Registry<Etcd>, Session), Failure> {
    let (_, own) = identity::enter(context)?;
    let registry = context.team_registry()?;
    let id = id_in_team(&own.id, &context.location()?.directory);
    let session = standing_in::enter(&registry, &id, &own, context)?;
    Ok((registry, session))
}

/// Releases all that a session holds of the team.
pub(super) fn release_all(context: &Context, own: &Session) -> Vec<Claim> {
    with_session_in_team(context, own, |registry, id| Ok(registry.release_all(id)?))
}

/// Ends what stands for a session that ends, with all that it holds of the team.
pub(super) fn end(context: &Context, own: &Session) {
    with_session_in_team(context, own, |registry, id| Ok(registry.complete(id, &Completion::default())?));
}

/// The team's registry, and what stands in it for a session, if anything does.
pub(super) fn session_in_team(context: &Context, own: &Session) -> Result<Option<(Registry<Etcd>, Session)>, Failure> {
    let Some(registry) = context.existing_team_registry()? else { return Ok(None) };
    let session = registry.session(&id_in_team(&own.id, &context.location()?.directory))?;
    Ok(session.filter(Session::is_live).map(|session| (registry, session)))
}

/// Does something as what stands for a session, if anything does. Where the team cannot be reached what the session holds there
/// ends by itself, with its time.
fn with_session_in_team(
    context: &Context,
    own: &Session,
    act: impl FnOnce(&Registry<Etcd>, &SessionId) -> Result<Vec<Claim>, Failure>,
) -> Vec<Claim> {
    let acted = session_in_team(context, own).and_then(|session| match session {
        Some((registry, session)) => act(&registry, &session.id),
        None => Ok(Vec::new()),
    });
    acted.unwrap_or_else(|failure| {
        Output::remark(&format!(
            "What you hold of the team, if anything, stays yours until its time ends. {}",
            failure.message
        ));
        Vec::new()
    })
}
