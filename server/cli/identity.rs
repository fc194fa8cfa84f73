//! Who the caller is: which session a verb acts as.
//!
//! What the caller says (`--session`, then `DECONFLICT_SESSION`) wins. Below a coding agent the agent's own session comes
//! before a variable that its user exported: that counts only if it names a session of the same agent. Otherwise the
//! processes above the caller tell: the nearest one that keeps a session, or that a session serves. Never is another
//! session's identity taken by guess, so two sessions on one process, or a coding agent between the caller and the process,
//! are no answer.

use chrono::TimeDelta;
use deconflict_platform as platform;
use deconflict_protocol::text::quoted;
use deconflict_protocol::{SessionId, time};
use deconflict_registry::{Error, NewSession, Registry, Session, SessionState, Store};
use deconflict_words::documents;

use super::context::Context;
use super::failure::Failure;
use super::output::Output;
use super::{keeper, processes, words};

/// Why nobody can tell which session the caller's is.
pub(super) enum Unknown {
    /// Nothing points to any session.
    NoSession,
    /// Several sessions belong to one process.
    Several(Vec<Session>),
    /// A coding agent runs the caller, and started no session of its own.
    Agent(&'static str),
}

/// The registry and the session that a verb acts as, or an error that lists the choices. A session that its user names
/// is in use, even if the process that kept it has ended: it goes on with a new keeper.
pub(super) fn enter(context: &Context) -> Result<(Registry, Session), Failure> {
    let registry = context.registry()?;
    let session = find_required(context, &registry)?;
    if let Some(ahead) = session.ahead_of(context.now()).filter(|_| !context.output.is_json()) {
        Output::remark(&clock_went_back(ahead));
    }
    Ok((registry, session))
}

/// The same for a verb that a person may use without a session: outside of any agent there is `None` then.
pub(super) fn enter_or_person(context: &Context) -> Result<(Registry, Option<Session>), Failure> {
    if said(context, &context.registry()?)?.is_some() {
        return enter(context).map(|(registry, session)| (registry, Some(session)));
    }
    let registry = context.registry()?;
    let session = match infer(&registry, None)? {
        Ok(session) => Some(session),
        Err(Unknown::NoSession) if !processes::run_by_an_agent() => None,
        Err(unknown) => return Err(explain(context, &registry, unknown)?),
    };
    Ok((registry, session))
}

/// Registers the session of the coding agent that runs the caller, where its hooks or the agent itself name it in the
/// environment and nothing made them register it yet: its first command may come before its first edit.
pub(super) fn register_agents_own(context: &Context, registry: &Registry) -> Result<(), Failure> {
    let own = deconflict_agents::session_of_variable(|name| std::env::var(name).ok());
    let named = if context.shared.session.is_some() { None } else { own.or(Context::variable_session()?) };
    let Some(id) = named else { return Ok(()) };
    if registry.session(&id)?.is_some() {
        return Ok(());
    }
    let keeper = keeper::find();
    let agent = keeper.as_ref().and_then(|keeper| keeper.agent).or_else(processes::agent_in_environment);
    let Some(agent) = agent.filter(|agent| deconflict_agents::is_session_of(agent, &id)) else { return Ok(()) };
    let new = NewSession {
        id: Some(id),
        client: Some(agent.to_owned()),
        agent: Some(agent.to_owned()),
        keeper: keeper.map(|keeper| keeper.process),
        ..context.new_session()?
    };
    match registry.register(new) {
        // Another command or hook of the same agent was faster.
        Ok(_) | Err(Error::SessionTaken { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The caller's session where `--session` names another's work.
pub(super) fn besides_flag(registry: &Registry) -> Result<Option<Session>, Failure> {
    let by_variable = by_variable(registry)?.map(|id| registry.session(&id)).transpose()?.flatten();
    match by_variable.filter(Session::is_live) {
        Some(session) => Ok(Some(session)),
        None => Ok(infer(registry, None)?.ok()),
    }
}

/// Registers a session, or goes on with the one that had its id before, unless that is in use.
pub(super) fn register(
    registry: &Registry,
    new: NewSession,
    advise: impl Fn(Failure, &SessionId) -> Failure,
) -> Result<Session, Failure> {
    let Some(id) = new.id.clone() else { return Ok(registry.register(new)?) };
    let Some(before) = registry.session(&id)? else { return Ok(registry.register(new)?) };
    let is_in_use = !before.is_damaged() && live_sessions(registry)?.iter().any(|live| live.id == id);
    let again = if is_in_use { None } else { registry.resume(&id, &NewSession { id: None, ..new })? };
    again.ok_or_else(|| {
        let failure = Failure::refused("session-taken", format!("A live session is already called {id}."));
        advise(failure, &id).fact("session", documents::session(&before))
    })
}

fn find_required(context: &Context, registry: &Registry) -> Result<Session, Failure> {
    if let Some(id) = said(context, registry)? {
        let session = find_named(context, registry, &id)?;
        return match session.state {
            SessionState::Completed => Err(Failure::usage(format!("Session {id} has ended."))
                .reason("ended-session")
                .advise("Begin a new one: deconflict start")),
            SessionState::Gone => go_on(context, registry, session),
            // Its owner puts a damaged record right.
            SessionState::Live | SessionState::Silent if session.is_damaged() => go_on(context, registry, session),
            SessionState::Live | SessionState::Silent => Ok(session),
        };
    }
    infer(registry, None)?.or_else(|unknown| Err(explain(context, registry, unknown)?))
}

/// The session that a verb would act as; `None` if none can be told, or a variable names one of elsewhere.
pub(super) fn find(context: &Context, registry: &Registry) -> Result<Option<Session>, Failure> {
    find_among(context, registry, None)
}

/// The same, where the live sessions may be known already.
pub(super) fn find_among(
    context: &Context,
    registry: &Registry,
    live: Option<&[Session]>,
) -> Result<Option<Session>, Failure> {
    if context.output.is_kept() && context.shared.session.is_none() {
        // The variable and the processes above are those of the program that this runs in, and say nothing of who asks.
        return Ok(None);
    }
    match asked_for(context, registry)? {
        (true, session) => Ok(session),
        (false, _) => Ok(infer(registry, live)?.ok()),
    }
}

/// Whoever calls, for a verb that has an answer for everybody.
pub(super) fn caller(context: &Context, registry: &Registry) -> Result<Result<Session, Unknown>, Failure> {
    match asked_for(context, registry)? {
        (_, Some(session)) => Ok(Ok(session)),
        (_, None) => infer(registry, None),
    }
}

/// Whether the caller names a session, and which. A variable may name one of another workspace, which is nobody here.
fn asked_for(context: &Context, registry: &Registry) -> Result<(bool, Option<Session>), Failure> {
    if let Some(id) = &context.shared.session {
        return Ok((true, Some(find_named(context, registry, id)?)));
    }
    let named = by_variable(registry)?;
    Ok((named.is_some(), named.map(|id| registry.session(&id)).transpose()?.flatten()))
}

/// The session that the caller says it is.
fn said(context: &Context, registry: &Registry) -> Result<Option<SessionId>, Failure> {
    match &context.shared.session {
        Some(id) => Ok(Some(id.clone())),
        None => by_variable(registry),
    }
}

/// The session that the environment names.
fn by_variable(registry: &Registry) -> Result<Option<SessionId>, Failure> {
    let named = Context::variable_session()?;
    let own = deconflict_agents::session_of_variable(|name| std::env::var(name).ok());
    if named.is_none() && own.is_none() {
        return Ok(None);
    }
    let session = named.as_ref().and_then(|id| registry.session(id).ok().flatten());
    let Some(agent) = agent_below(session.as_ref()) else { return Ok(named) };
    if let Some(own) = own.filter(|own| registry.session(own).is_ok_and(|session| session.is_some())) {
        return Ok(Some(own));
    }
    // What its user exported before is the user's.
    let is_agents = session.is_none_or(|session| session.client().is_none_or(|client| client == agent));
    Ok(named.filter(|_| is_agents))
}

/// What people call the coding agent that stands between the caller and the process of a session.
fn agent_below(session: Option<&Session>) -> Option<&'static str> {
    for process in processes::above() {
        let agent = processes::coding_agent(process);
        if agent.is_some() {
            return agent;
        }
        if session.is_some_and(|session| belongs_to(session, process)) {
            return None;
        }
    }
    processes::agent_in_environment()
}

fn find_named(context: &Context, registry: &Registry, id: &SessionId) -> Result<Session, Failure> {
    if let Some(session) = meant(context, registry, id.as_str())? {
        return Ok(session);
    }
    let live = live_sessions(registry)?;
    let register = match SessionId::new(id.as_str()) {
        Ok(_) => format!("Begin it: deconflict start --session {id}"),
        Err(_) => "Begin one: deconflict start".to_owned(),
    };
    let message = format!("No session is called {} in {}.", quoted(id.as_str(), 64), registry.path().display());
    Err(list_choices(Failure::usage(message).reason("unknown-session").advise(register), &live, context))
}

/// The session that somebody names, by its name or by the beginning of its id; `None` if there is none.
pub(super) fn meant<S: Store>(
    context: &Context,
    registry: &Registry<S>,
    name: &str,
) -> Result<Option<Session>, Failure> {
    let mut meant = registry.sessions_called(name)?;
    if meant.len() > 1 {
        let message = format!("{} sessions are called {}. Which one?", meant.len(), quoted(name, words::PHRASE));
        let failure = Failure::usage(message).reason("ambiguous-session").advise("Use its id:");
        return Err(list_choices(failure, &meant, context));
    }
    Ok(meant.pop())
}

/// The same of another session. Of a name of several words the first will do.
pub(super) fn other<S: Store>(
    context: &Context,
    registry: &Registry<S>,
    name: &str,
) -> Result<Option<Session>, Failure> {
    if let Some(session) = meant(context, registry, name)? {
        return Ok(Some(session));
    }
    let first_words = format!("{} ", name.trim().to_lowercase());
    let mut live = live_sessions(registry)?;
    live.retain(|session| session.label_for_all().to_lowercase().starts_with(&first_words));
    Ok(live.pop().filter(|_| live.is_empty()))
}

/// The other session that somebody names and that has to be there.
pub(super) fn named(context: &Context, registry: &Registry, name: &str) -> Result<Session, Failure> {
    if let Some(session) = other(context, registry, name)? {
        return Ok(session);
    }
    let message = format!("No session is called {}.", quoted(name, words::PHRASE));
    let failure = Failure::usage(message).reason("unknown-session").advise("Name one of these:");
    Err(list_choices(failure, &live_sessions(registry)?, context))
}

fn go_on(context: &Context, registry: &Registry, session: Session) -> Result<Session, Failure> {
    let again = NewSession { keeper: keeper::find().map(|keeper| keeper.process), ..context.new_session()? };
    Ok(registry.resume(&session.id, &again)?.unwrap_or(session))
}

/// What the processes above the caller tell, and after them the original's `.current_session`. Where the live sessions are
/// not known, only those that name one of these processes are judged.
fn infer(registry: &Registry, live: Option<&[Session]>) -> Result<Result<Session, Unknown>, Failure> {
    let naming;
    let sessions = if let Some(live) = live {
        live
    } else {
        let pids: Vec<u32> = processes::above().iter().map(|process| process.pid).collect();
        naming = registry.live_sessions_naming(&pids)?;
        &naming
    };
    for process in processes::above() {
        let mut own: Vec<Session> = sessions.iter().filter(|session| belongs_to(session, process)).cloned().collect();
        match own.len() {
            0 => {
                if let Some(agent) = processes::coding_agent(process) {
                    let is_alone = sessions.is_empty() && (live.is_some() || live_sessions(registry)?.is_empty());
                    return Ok(Err(if is_alone { Unknown::NoSession } else { Unknown::Agent(agent) }));
                }
            }
            1 => return Ok(own.pop().ok_or(Unknown::NoSession)),
            _ => return Ok(Err(Unknown::Several(own))),
        }
    }
    if let Some(current) = registry.current_session()? {
        let live = live.map_or_else(|| live_sessions(registry), |live| Ok(live.to_vec()))?;
        if let [only] = &live[..]
            && only.id == current
        {
            return Ok(Ok(only.clone()));
        }
    }
    Ok(Err(Unknown::NoSession))
}

/// True if the process keeps the session, or is the editor or agent that it serves. An agent's session also names the
/// editor that the agent runs in; who types in that editor is not the agent, which makes no promise to the editor.
fn belongs_to(session: &Session, process: &platform::Ancestor) -> bool {
    session.is_kept_by(process.pid, &process.started) || (session.is_kept_alive() && session.serves(process.pid))
}

/// That the clock is behind the one that wrote the session's record.
fn clock_went_back(by: TimeDelta) -> String {
    format!(
        "This session's record is {} ahead of this computer's clock, which went back or is wrong, so claims last that much longer. Set the clock if the time is wrong now.",
        time::duration_in_words(by)
    )
}

fn explain(context: &Context, registry: &Registry, unknown: Unknown) -> Result<Failure, Failure> {
    let name_it = "Name one with --session ID or DECONFLICT_SESSION.";
    let no_session = |message: &str| Failure::usage(message).reason("no-session");
    let (failure, choices) = match unknown {
        Unknown::Several(own) => {
            let message = "Several sessions belong to the program that runs this. Which one is yours?";
            (no_session(message).advise(name_it), own)
        }
        Unknown::Agent(agent) => {
            let message = format!("The coding agent that runs this ({agent}) has no session of its own yet.");
            let failure = no_session(&message)
                .advise("Begin one: deconflict start")
                .advise("If one of these is yours, name it with --session ID or DECONFLICT_SESSION.");
            (failure, live_sessions(registry)?)
        }
        Unknown::NoSession => {
            let live = live_sessions(registry)?;
            let failure =
                no_session("You have no session here yet.").advise("Begin one: eval \"$(deconflict start --export)\"");
            let ask = (!live.is_empty()).then(|| format!("Or use one of these, if it is yours: {name_it}"));
            (ask.into_iter().fold(failure, Failure::advise), live)
        }
    };
    Ok(list_choices(failure, &choices, context))
}

pub(super) fn list_choices(failure: Failure, sessions: &[Session], context: &Context) -> Failure {
    /// More would push the advice off the screen.
    const LONGEST_LIST: usize = 20;
    let shown = &sessions[..sessions.len().min(LONGEST_LIST)];
    let documents: Vec<_> = sessions.iter().map(documents::session).collect();
    let failure = failure.fact("sessions", documents);
    let lines = words::choices(shown, context.now());
    let mut failure = lines.iter().map(|line| format!("  {line}")).fold(failure, Failure::advise);
    if sessions.len() > shown.len() {
        failure = failure.advise(format!("  and {} more: deconflict status", sessions.len() - shown.len()));
    }
    failure
}

pub(super) fn live_sessions<S: Store>(registry: &Registry<S>) -> Result<Vec<Session>, Failure> {
    Ok(registry.live_sessions()?)
}
