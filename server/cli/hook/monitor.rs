//! `deconflict hook AGENT --monitor`: a line for each message, for agents that can be woken by one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use deconflict_agents::{self as agents, Agent};
use deconflict_platform::clock::SystemClock;
use deconflict_platform::{self as platform, Process};
use deconflict_protocol::SessionId;
use deconflict_registry::{Change, Message, Registry, Session, Watch, watch};
use deconflict_workspace as workspace;

use super::super::context::Context;
use super::super::failure::{Exit, Failure};
use super::super::keeper;
use super::super::output::{Output, Printed};

/// How often it is looked whether the agent still runs, and whether its session is still the same.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints what comes in until the agent's process ends, or nobody listens.
pub(super) fn run(agent: &Agent, context: &Context) -> Result<Exit, Failure> {
    let Some(process) = keeper::behind_a_hook(agent).agent else {
        return Err(Failure::failed("no-agent", format!("No process above this one is {}.", agent.name))
            .advise("It is started by the agent itself: see `editors/` for how."));
    };
    let mut followed: Option<Followed> = None;
    loop {
        let is_over = followed.as_ref().is_some_and(|it| !it.goes_on());
        if is_over || followed.is_none() {
            followed = Followed::begin(agent, &process, context);
        }
        if let Some(followed) = &followed
            && followed.print_new()? == Printed::Cut
        {
            return Ok(Exit::Done);
        }
        if platform::ends_within(&process, PAUSE) {
            return Ok(Exit::Done);
        }
    }
}

/// The agent's session while it is followed.
struct Followed {
    registry: Registry,
    session: SessionId,
    messages: Receiver<Message>,
    _watch: Watch,
}

impl Followed {
    /// Follows the session that the agent's process keeps now, if there is one already.
    fn begin(agent: &Agent, process: &Process, context: &Context) -> Option<Self> {
        let home = platform::home_directory();
        let named = context.named_directory();
        let location = workspace::locate(context.folder(), named.as_deref(), home.as_deref()).ok()?;
        if !location.exists() || !location.may_be_joined() {
            return None;
        }
        let registry = Registry::open(&location.directory, Arc::new(SystemClock::new())).ok()?;
        let is_own = |session: &Session| {
            // Sub-agents have names; their messages come with the answers to their own events.
            let is_agents = session.client() == Some(agent.name) && !session.is_named();
            is_agents && session.is_kept_by(process.pid, &process.started)
        };
        let sessions = registry.sessions().ok()?;
        let newest = sessions.into_iter().filter(|session| session.is_live() && is_own(session));
        let session = newest.max_by_key(Session::started_at)?.id;
        let (sender, messages) = channel();
        let deliver = move |changes: Vec<Change>| {
            for change in changes {
                if let Change::Message(message) = change {
                    // Nobody receives any more only while this ends.
                    let _ = sender.send(*message);
                }
            }
        };
        let watch = watch(&registry, &session, deliver).ok()?;
        Some(Self { registry, session, messages, _watch: watch })
    }

    fn goes_on(&self) -> bool {
        self.registry.session(&self.session).ok().flatten().is_some_and(|session| session.is_live())
    }

    /// Prints what has come in and is unread still: a hook may have brought it meanwhile.
    fn print_new(&self) -> Result<Printed, Failure> {
        let came: Vec<Message> = self.messages.try_iter().collect();
        if came.is_empty() {
            return Ok(Printed::Whole);
        }
        let mut unread = self.registry.unread_messages(&self.session)?;
        let (own, now) = (self.registry.session(&self.session)?, self.registry.clock().now());
        unread.retain(|message| own.as_ref().is_none_or(|own| own.wants_to_hear(message, now)));
        for message in came.iter().filter(|message| unread.iter().any(|other| other.id == message.id)) {
            let sender = message.from.as_ref().and_then(|id| self.registry.session(id).ok().flatten());
            let line = agents::message_line(message, sender.as_ref(), self.registry.clock().now());
            if Output::text(&line)? == Printed::Cut {
                return Ok(Printed::Cut);
            }
            self.registry.mark_read(&self.session, std::slice::from_ref(&message.id))?;
        }
        Ok(Printed::Whole)
    }
}
