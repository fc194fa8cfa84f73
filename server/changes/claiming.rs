//! Claiming as somebody, in whose way their own agents are not once they wait.

use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{ClaimAllOutcome, ClaimOutcome, Error, Predecessor, Registry, Session, Terms};

use super::people::{author_of, is_same_person};

/// Claims something for a session. An agent whose turn has ended gives way to its own user.
pub fn claim(
    registry: &Registry,
    session: &SessionId,
    resource: &Resource,
    terms: &Terms,
) -> Result<ClaimOutcome, Error> {
    let outcome = registry.claim(session, resource, terms)?;
    let ClaimOutcome::Refused { by } = &outcome else { return Ok(outcome) };
    let (Some(holder), Some(claimant)) = (by.holder(), registry.session(session)?) else { return Ok(outcome) };
    let Some(holder) = registry.session(holder)?.filter(|holder| gives_way(holder, &claimant)) else {
        return Ok(outcome);
    };
    let predecessor = Some(Predecessor::WhileWaiting(&holder.id));
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
