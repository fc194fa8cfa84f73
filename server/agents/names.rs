//! The session ids of coding agents: their own, in a form that can be a file's name.

use sha2::{Digest, Sha256};

use super::agent::{AGENTS, Agent};
use super::event::SubAgent;
use deconflict_protocol::text::hex;
use deconflict_protocol::{NameError, SessionId};

/// No longer id is written, in bytes.
const LONGEST: usize = 64;

/// The id of an agent's session, or of a sub-agent in it: `claude-code-{session}` and `claude-code-{session}-{sub_agent}`.
///
/// What an id cannot hold becomes `-`, and an id that would be too long is cut; both then end with a hash of the whole,
/// so that two sessions of an agent never share an id.
pub fn session_id(agent: &Agent, session: &str, sub_agent: Option<&SubAgent>) -> Result<SessionId, NameError> {
    let own = match sub_agent {
        Some(sub_agent) => format!("{session}-{}", sub_agent.id),
        None => session.to_owned(),
    };
    let whole = format!("{}-{own}", agent.name);
    let plain: String = whole.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    if plain == whole && plain.len() <= LONGEST && !plain.ends_with('.') {
        return SessionId::new(&plain);
    }
    let digest = Sha256::digest(whole.as_bytes());
    let hash = hex(&digest[..8]);
    let beginning: String = plain.chars().take(LONGEST - 1 - hash.len()).collect();
    SessionId::new(&format!("{}-{hash}", beginning.trim_end_matches(['.', '-'])))
}

/// The session whose agent says in its variable which of its sessions runs this.
pub fn session_of_variable(value: impl Fn(&str) -> Option<String>) -> Option<SessionId> {
    AGENTS.iter().find_map(|agent| {
        let session = value(agent.session_variable()?).filter(|session| !session.is_empty())?;
        session_id(agent, &session, None).ok()
    })
}

/// True for the id of a session of the agent with this name.
pub fn is_session_of(agent: &str, id: &SessionId) -> bool {
    id.as_str().strip_prefix(agent).is_some_and(|own| own.starts_with('-'))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}
