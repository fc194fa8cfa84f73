//! Who makes a commit or a push, and what of what is held is therefore in nobody's way.
//!
//! - A session, as every verb takes it: named, or that of a process above. What it holds is its own.
//! - A coding agent without a session: nothing is its own.
//! - Else a person. People commit from a plain terminal what they edited in their editors, and most editors are no
//!   process above that terminal, so all editors of the same user on this machine are that person's own. It is so too
//!   for a person who has a session, in a terminal or in one of the editors.
//!
//! So a person's own editor never stands in the person's way, an agent's claim always does, and a person's editor
//! always stands in an agent's.

use deconflict_journal::Author;
use deconflict_platform as platform;
use deconflict_protocol::{Resource, SessionId};
use deconflict_registry::{Claim, Registry, Session};
use deconflict_workspace as workspace;

use crate::cli::context::{Context, SESSION_VARIABLE};
use crate::cli::failure::Failure;
use crate::cli::identity::{self, Unknown};
use crate::cli::mcp;
use crate::cli::{processes, words};

#[derive(Debug)]
pub(super) struct Committer {
    sessions: Vec<Session>,
    is_person: bool,
    /// What the person is called.
    person: Option<String>,
    /// The session that was named and is not here.
    unknown: Option<SessionId>,
}

impl Committer {
    pub(super) fn find(context: &Context, registry: &Registry) -> Result<Self, Failure> {
        let sessions = match identity::caller(context, registry)? {
            Ok(session) => vec![session],
            Err(Unknown::Several(sessions)) => sessions,
            Err(Unknown::Agent(_)) => return Ok(Self::nobody()),
            // Whoever names a session that is not here may be an agent of elsewhere as well as a person.
            Err(Unknown::NoSession) if let Some(unknown) = context.named_session()? => {
                return Ok(Self { unknown: Some(unknown), ..Self::nobody() });
            }
            Err(Unknown::NoSession) => Vec::new(),
        };
        let is_agents = |session: &Session| {
            session.client().is_some_and(deconflict_agents::is_agent_name) || session.has_capability(mcp::CAPABILITY)
        };
        let is_person = match &sessions[..] {
            [] => !processes::run_by_an_agent(),
            // An editor of one's own says of itself that a person uses it, whatever started it.
            some if some.iter().all(is_editor_of_this_user) => true,
            some => !some.iter().any(is_agents) && !processes::run_by_an_agent(),
        };
        let called = sessions.iter().find_map(Session::person).map(str::to_owned);
        let person = match called {
            None if is_person => workspace::person(context.location()?.repository.as_ref()),
            called => called,
        };
        Ok(Self { sessions, is_person, person, unknown: None })
    }

    /// Somebody to whom nothing is their own.
    fn nobody() -> Self {
        Self { sessions: Vec::new(), is_person: false, person: None, unknown: None }
    }

    /// What to do for whoever named a session that is not here.
    pub(super) fn advice(&self) -> Option<String> {
        let unknown = words::shell_word(self.unknown.as_ref()?.as_str());
        Some(format!(
            "{SESSION_VARIABLE} names {unknown}, which is not a session here. To go without it: unset {SESSION_VARIABLE}"
        ))
    }

    /// The committer's sessions.
    pub(super) fn session_ids(&self) -> Vec<&SessionId> {
        self.sessions.iter().map(|session| &session.id).collect()
    }

    /// The session that commits, if it is known which.
    pub(super) fn session(&self) -> Option<&Session> {
        if let [only] = &self.sessions[..] { Some(only) } else { None }
    }

    /// The files with others' uncommitted changes that their commands staged by their own names, as their hooks saw.
    pub(super) fn staged_by_name(&self, registry: &Registry) -> Vec<Resource> {
        let state_folder = platform::state_directory();
        let of = |session: &Session| deconflict_agents::staged_by_name(registry, state_folder.as_deref(), &session.id);
        self.sessions.iter().flat_map(of).collect()
    }

    /// True if what is held by this session is the committer's own: to a person it is also what their editors hold, and
    /// what an edit of their agents claimed that wait for them.
    pub(super) fn owns(&self, claim: &Claim, holder: Option<&Session>, registry: &Registry) -> bool {
        let has_left = |holder: &Session| {
            claim.is_automatic()
                && holder.is_own()
                && self.person.as_deref() == holder.person()
                && registry.is_waiting(holder).unwrap_or(false)
        };
        self.sessions.iter().any(|own| claim.held_by(&own.id))
            || (self.is_person && holder.is_some_and(|holder| is_editor_of_this_user(holder) || has_left(holder)))
    }

    /// True if what an author changed and nobody committed is the committer's own: to a person it is also what their
    /// editors saved, and what their agents left.
    pub(super) fn owns_changes(&self, author: &Author, registry: &Registry) -> bool {
        if self.sessions.iter().any(|own| own.id == author.session) {
            return true;
        }
        let session = registry.session(&author.session).ok().flatten();
        let is_same = self.person.is_some() && self.person == author.person;
        let has_left =
            || session.as_ref().is_none_or(|agent| !agent.is_live() || registry.is_waiting(agent).unwrap_or(false));
        self.is_person
            && (session.as_ref().is_some_and(is_editor_of_this_user)
                || (is_same && (author.agent.is_none() || has_left())))
    }
}

/// True for a language server that serves an editor of the user of this process, on this machine. Agents run language
/// servers too; those are no editors.
fn is_editor_of_this_user(session: &Session) -> bool {
    let serves_an_agent = || {
        let client = session.client_pid().and_then(platform::look_at);
        client.is_some_and(|client| processes::coding_agent(&client).is_some())
    };
    session.is_editor_of_user(platform::user_name().as_deref()) && !serves_an_agent()
}
