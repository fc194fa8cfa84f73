//! Claiming as somebody, in whose way their own agents are not once they wait.

use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{
    Claim, ClaimAllOutcome, ClaimOutcome, Error, Predecessor, Registry, Session, Store, Taker, Terms, Turn,
};

use super::people::{author_of, is_same_person};

/// Claims all of these for a session, or none. An agent whose turn has ended gives way to its own user.
pub fn claim_all<S: Store>(
    registry: &Registry<S>,
    session: &SessionId,
    resources: &[Resource],
    terms: &Terms,
) -> Result<ClaimAllOutcome, Error> {
    let outcome = registry.claim_all(session, None, resources, terms)?;
    let ClaimAllOutcome::Refused(obstacles) = &outcome else { return Ok(outcome) };
    let Some(first) = obstacles.first() else { return Ok(outcome) };
    let Some(holder) = who_gives_way(registry, session, &first.by)? else { return Ok(outcome) };
    registry.claim_all(session, Some(Predecessor::WhileWaiting(&holder)), resources, terms)
}

/// Takes something by hand if it is the taker's turn. An agent whose turn has ended gives way to its own user, but not to a
/// command, whose holding is its own.
pub fn take_in_turn<S: Store>(registry: &Registry<S>, taker: &Taker<'_>) -> Result<Turn, Error> {
    let turn = registry.take(taker)?;
    let Turn::Queued(queued) = &turn else { return Ok(turn) };
    let Some(first) = queued.obstacles.first().filter(|_| taker.terms.process.is_none()) else { return Ok(turn) };
    let Some(holder) = who_gives_way(registry, taker.session, &first.by)? else { return Ok(turn) };
    registry.take(&Taker { predecessor: Some(Predecessor::WhileWaiting(&holder)), ..*taker })
}

/// The session in whose way this one's own claim is not: its user's, whose turn has ended.
pub fn who_gives_way<S: Store>(
    registry: &Registry<S>,
    session: &SessionId,
    claim: &Claim,
) -> Result<Option<SessionId>, Error> {
    let (Some(holder), Some(claimant)) = (claim.holder(), registry.session(session)?) else { return Ok(None) };
    let holder = registry.session(holder)?;
    Ok(holder.filter(|holder| gives_way(holder, &claimant)).map(|holder| holder.id))
}

/// Claims something for a session. An agent whose turn has ended gives way to its own user.
pub fn claim(
    registry: &Registry,
    session: &SessionId,
    resource: &Resource,
    terms: &Terms,
) -> Result<ClaimOutcome, Error> {
    let outcome = registry.claim(session, resource, terms)?;
    let ClaimOutcome::Refused { by } = &outcome else { return Ok(outcome) };
    let Some(holder) = who_gives_way(registry, session, by)? else { return Ok(outcome) };
    let predecessor = Some(Predecessor::WhileWaiting(&holder));
    let all = registry.claim_all(session, predecessor, std::slice::from_ref(resource), terms)?;
    Ok(match all {
        ClaimAllOutcome::Granted(mut granted) => match granted.pop() {
            Some(one) => ClaimOutcome::Granted { claim: one.claim, took_over: one.took_over },
            None => outcome,
        },
        ClaimAllOutcome::Refused(_) => outcome,
    })
}

/// True for an agent that says that its turn has ended, and its own user. Whether it really waits is decided with the claim.
pub fn gives_way(agent: &Session, user: &Session) -> bool {
    agent.record.is_waiting() && user.agent().is_none() && is_same_person(&author_of(agent), &author_of(user))
}
