//! An agent of which one process serves several windows: a session ends with its window, not with that process, which goes
//! on without any. Nothing says which window is whose, so that it is found out.

use deconflict_platform::{Process, canonical};
use deconflict_registry::Session;

use super::context::{SessionContext, Trouble};
use crate::event::EventKind;
use crate::surroundings::{AgentWindow, Processes};

impl SessionContext<'_> {
    /// The process with whose end the session ends: its window where that is known, else the agent's own.
    pub(super) fn keeper_among(&self, processes: &Processes) -> Result<Option<Process>, Trouble> {
        Ok(self.window_among(&processes.windows)?.or_else(|| processes.agent.clone()))
    }

    /// Where it was not known yet which window is the session's, a prompt may tell: somebody typed it.
    pub(super) fn look_for_window(&self, session: &Session) -> Result<(), Trouble> {
        if !self.surroundings.agent.has_windows() {
            return Ok(());
        }
        let processes = (self.surroundings.processes)(self.surroundings.agent);
        let is_known = processes.agent.as_ref().is_none_or(|agent| session.record.pid != Some(agent.pid));
        if let Some(window) = if is_known { None } else { self.window_among(&processes.windows)? } {
            self.registry.set_keeper(&session.id, &window)?;
        }
        Ok(())
    }

    /// The only window of this folder that no other session has; else the only one of these that is typed into.
    fn window_among(&self, windows: &[AgentWindow]) -> Result<Option<Process>, Trouble> {
        if windows.is_empty() {
            return Ok(None);
        }
        let folder = canonical(&self.event.folder).unwrap_or_else(|_| self.event.folder.clone());
        let mut candidates: Vec<&AgentWindow> = windows.iter().filter(|window| window.folder == folder).collect();
        if candidates.is_empty() {
            candidates.extend(windows);
        }
        let sessions = self.registry.live_sessions()?;
        let is_free = |window: &&AgentWindow| {
            let is_other = |session: &&Session| session.id != self.main && session.record.sub_agent.is_none();
            !sessions.iter().filter(is_other).any(|other| other.keeper().as_ref() == Some(&window.process))
        };
        let free: Vec<&AgentWindow> = candidates.iter().copied().filter(is_free).collect();
        // A window that went on to another session may have all of them.
        let candidates = if free.is_empty() { candidates } else { free };
        let is_prompt = matches!(self.event.kind, EventKind::SessionStarted | EventKind::Prompted);
        let typed_into = candidates.iter().copied().filter(|window| is_prompt && window.is_typed_into);
        let only = |windows: Vec<&AgentWindow>| match windows[..] {
            [only] => Some(only.process.clone()),
            _ => None,
        };
        Ok(only(typed_into.collect()).or_else(|| only(candidates)))
    }
}
