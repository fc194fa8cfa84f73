//! The session that the tools act for: it begins when a tool first needs one, and ends with the server.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use deconflict_platform::{self as platform, Ancestor};
use deconflict_protocol::SessionId;
use deconflict_registry::{Completion, NewSession, Registry, Session};
use deconflict_workspace::Location;

use crate::cli::context::{Context, Shared};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{identity, processes, upkeep};

/// What a session says that it can do if its tools are these, so that everybody knows it for an agent's.
pub(crate) const CAPABILITY: &str = "mcp";

#[derive(Debug)]
pub(super) struct McpSession {
    directory: Option<PathBuf>,
    wanted: Option<SessionId>,
    current: Mutex<Option<Current>>,
}

#[derive(Debug, Clone)]
struct Current {
    session: SessionId,
    /// False for a session that the agent's hooks keep.
    is_own: bool,
}

impl McpSession {
    pub(super) fn new(directory: Option<PathBuf>, wanted: Option<SessionId>) -> Self {
        Self { directory, wanted, current: Mutex::new(None) }
    }

    pub(super) fn session(&self) -> Result<Option<SessionId>, Failure> {
        let current = self.lock();
        if let Some(current) = current.as_ref() {
            return Ok(Some(current.session.clone()));
        }
        let Some(registry) = self.context_of_nobody()?.existing_registry()? else { return Ok(None) };
        let by_hooks = hooks_sessions(&registry, find_agent().as_ref().map(|(process, _)| process))?;
        Ok(if let [only] = &by_hooks[..] { Some(only.id.clone()) } else { None })
    }

    /// The session, which begins if there is none, and begins again if somebody ended it or took its record away.
    pub(super) fn begin_or_go_on(&self, client: Option<&str>) -> Result<SessionId, Failure> {
        let mut current = self.lock();
        let context = self.context_of_nobody()?;
        let location = context.location()?;
        if !location.exists() && !location.named && !location.may_be_made_unasked() {
            return Err(nobody_here(location));
        }
        let registry = context.registry_or_create()?;
        let (agent, called) = find_agent().unzip();
        let by_hooks = hooks_sessions(&registry, agent.as_ref())?;
        // What the agent runs in a shell acts for the same session, unless that would be one of several.
        let client_pid = agent.filter(|_| by_hooks.is_empty()).map(|agent| agent.pid);
        let new = NewSession {
            client: called.or(client).map(str::to_owned),
            agent: called.map(str::to_owned),
            keeper: Some(platform::current_process()),
            client_pid,
            capabilities: vec![CAPABILITY.to_owned()],
            ..context.new_session()?
        };
        if let Some(now) = current.as_ref() {
            match registry.session(&now.session)? {
                Some(session) if session.is_live() => return Ok(session.id),
                None if now.is_own => {
                    if let Some(session) = registry.resume(&now.session, &new)? {
                        return Ok(session.id);
                    }
                }
                Some(_) | None => {}
            }
        }
        let next = match &by_hooks[..] {
            [only] if self.wanted.is_none() => Current { session: only.id.clone(), is_own: false },
            _ => Current { session: self.begin(&context, &registry, new)?.id, is_own: true },
        };
        *current = Some(next.clone());
        Ok(next.session)
    }

    pub(super) fn end(&self) -> Result<(), Failure> {
        let Some(current) = self.lock().take().filter(|current| current.is_own) else { return Ok(()) };
        let context = self.context_of_nobody()?;
        let Some(registry) = context.existing_registry()? else { return Ok(()) };
        let is_live = registry.session(&current.session)?.is_some_and(|session| session.is_live());
        if is_live {
            registry.complete(&current.session, &Completion::default())?;
            upkeep::tidy_up(&context, &registry);
        }
        Ok(())
    }

    fn begin(&self, context: &Context, registry: &Registry, new: NewSession) -> Result<Session, Failure> {
        let new = NewSession { id: self.wanted.clone(), ..new };
        let advise = |failure: Failure, _: &SessionId| failure.advise("Choose another name, or none: deconflict mcp");
        let session = identity::register(registry, new, advise)?;
        upkeep::clean_up(context, registry);
        Ok(session)
    }

    pub(super) fn context(&self, session: Option<SessionId>, output: Output) -> Result<Context, Failure> {
        let shared = Shared { session, dir: self.directory.clone(), json: true, original: false };
        Context::new(shared, output)
    }

    fn context_of_nobody(&self) -> Result<Context, Failure> {
        self.context(None, Output::kept())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The coding agent that runs this server, and what people call it.
fn find_agent() -> Option<(Ancestor, &'static str)> {
    platform::ancestors().find_map(|ancestor| {
        let called = processes::coding_agent(&ancestor)?;
        Some((ancestor, called))
    })
}

/// The sessions that hooks of the same agent registered: one, or with sub-agents several of which none is meant.
fn hooks_sessions(registry: &Registry, agent: Option<&Ancestor>) -> Result<Vec<Session>, Failure> {
    let Some(agent) = agent else { return Ok(Vec::new()) };
    let own = platform::current_process();
    let mut found = registry.sessions()?;
    found.retain(|session| {
        session.is_live()
            && !session.is_kept_by(own.pid, &own.started)
            && (session.is_kept_by(agent.pid, &agent.started) || session.serves(agent.pid))
            && session.client().is_some_and(deconflict_agents::is_agent_name)
    });
    Ok(found)
}

/// Programs start their servers anywhere, and a directory is not made where no repository is.
fn nobody_here(location: &Location) -> Failure {
    let message = format!("Nobody coordinates in {}, which is no git repository.", location.workspace.display());
    Failure::failed("inactive", message)
        .advise("Name the folder that you work in where this server is configured: deconflict mcp --workspace DIR")
        .advise("Or begin to coordinate there: deconflict init")
}
