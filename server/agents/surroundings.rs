//! What an answer depends on besides the event.

use std::path::PathBuf;
use std::sync::Arc;

use deconflict_changes::TeamFiles;
use deconflict_platform::Process;
use deconflict_platform::clock::Clock;

use super::agent::Agent;

/// What is done where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookPolicy {
    /// A shell command that would touch what another session holds.
    pub shell: ShellPolicy,
    /// An edit of which nobody can tell whether it touches what another session holds.
    pub when_unsure: UnsurePolicy,
}

/// What becomes of a shell command that would touch what another session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellPolicy {
    /// Refuse it.
    Deny,
    /// It runs, and the model and the user are told.
    Warn,
    /// Don't look at commands.
    Off,
}

/// What to do with an edit when it is unclear whether somebody holds the file. It is never silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsurePolicy {
    /// Make it, with a warning.
    Allow,
    /// Refuse it.
    Deny,
}

/// The processes behind an agent's hook.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// The agent's own process, whose end is the end of its session. `None` if it cannot be told for sure.
    pub agent: Option<Process>,
    /// The editor in which the agent runs.
    pub editor: Option<u32>,
    /// Where one process serves several windows: those that may be the session's.
    pub windows: Vec<AgentWindow>,
}

/// A window in which people talk to an agent, and which may be closed while the agent's own process goes on.
#[derive(Debug, Clone)]
pub struct AgentWindow {
    /// The window's process.
    pub process: Process,
    /// Where it was opened.
    pub folder: PathBuf,
    /// Its user typed something just now.
    pub is_typed_into: bool,
}

/// What an answer depends on besides the event.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Which agent it is.
    pub agent: &'static Agent,
    /// What is done where there is a choice.
    pub policy: HookPolicy,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The coordination directory that the caller names.
    pub named_directory: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Where the user's programs keep what they remember, for a clone without git.
    pub state_folder: Option<PathBuf>,
    /// Asked about files that cannot be merged.
    pub team: Arc<dyn TeamFiles>,
    /// Looks for the processes behind the hook. It is asked only where a session begins or goes on.
    pub processes: fn(&Agent) -> Processes,
}
