//! Which long-lived process keeps a session that is started from a terminal or by a coding agent's hook.
//!
//! A session whose recorded process has ended counts as gone, and its claims as abandoned, so a process may only be
//! recorded if the session's user cannot go on without it. `deconflict start` itself ends at once. What stands above
//! it differs:
//!
//! - In a shell that a person types into, `eval "$(deconflict start --export)"` runs in a subshell, perhaps of a
//!   nested shell, or of a tool such as direnv that evaluates it and ends. The outermost interactive shell of the
//!   terminal outlives all of these, and nobody types into the terminal after it.
//! - In a script, the same shell keeps the session if a person started the script in a terminal: the script may only
//!   have been the way to start it. Without a terminal (a scheduler, a pipeline) nothing is known to last.
//! - A coding agent gives each command a shell of its own, which lasts for that command; the agent's process lasts
//!   for its whole conversation, so that keeps it.
//!
//! In doubt no process is recorded: the session then lives on its heartbeats, and its claims on their leases.
//! A session that is named by its user after its process ended is in use again, and gets a new keeper
//! (see [`identity`](super::identity)).

use deconflict_agents::{Agent, AgentWindow, Processes};
use deconflict_platform::{self as platform, Ancestor, Process};

use super::processes;

pub(super) struct Keeper {
    pub(super) process: Process,
    /// What people call it, if it is a coding agent.
    pub(super) agent: Option<&'static str>,
}

/// The process that keeps a session started here, if one is known to last as long as its user.
pub(super) fn find() -> Option<Keeper> {
    let ancestors = processes::above();
    let agent = ancestors.iter().find_map(|process| Some((process, processes::coding_agent(process)?)));
    let (ancestor, agent) = match agent {
        Some((process, agent)) => (process, Some(agent)),
        None => (outermost_shell_of_the_terminal(ancestors)?, None),
    };
    Some(Keeper { process: ancestor.process()?, agent })
}

/// The processes behind a hook: the agent that started it, whose session lasts as long as that process, and the editor
/// in which the agent runs. A program that nobody here knows is not taken for either: if it ended before its user does,
/// others would take the session for gone.
pub(super) fn behind_a_hook(agent: &Agent) -> Processes {
    let ancestors = processes::above();
    let is_agent = |process: &Ancestor| {
        // The agent of an editor runs in the editor's own processes.
        processes::coding_agent(process).is_some() || (agent.runs_in_editor && processes::is_editor(process))
    };
    let position = ancestors.iter().position(is_agent);
    let found = position.and_then(|position| ancestors.get(position));
    let above = ancestors.iter().skip(position.unwrap_or(0));
    let is_daemon = found.is_some_and(|process| agent.is_daemon(process.command()));
    Processes {
        windows: if is_daemon { windows(agent) } else { Vec::new() },
        agent: found.and_then(Ancestor::process),
        editor: above.into_iter().find(|process| processes::is_editor(process)).map(|process| process.pid),
    }
}

fn windows(agent: &Agent) -> Vec<AgentWindow> {
    let windowed = agent.window_program().map(platform::windowed).unwrap_or_default();
    let windows = windowed.into_iter().filter(|window| agent.is_window(window.process.command()));
    let window = |window: platform::Windowed| {
        let (folder, is_typed_into) = (window.folder, window.is_typed_into);
        Some(AgentWindow { process: window.process.process()?, folder, is_typed_into })
    };
    windows.filter_map(window).collect()
}

fn outermost_shell_of_the_terminal(ancestors: &[Ancestor]) -> Option<&Ancestor> {
    ancestors
        .iter()
        .take_while(|process| platform::shares_terminal(process.pid))
        .filter(|process| processes::is_interactive_shell(process))
        .last()
}
