//! Everything that differs between operating systems, behind one plain interface.
//!
//! Processes ([`process`], [`life`], [`ancestors`]) identify who keeps a session and whether it still runs;
//! [`pid_scope`] says where such a process id means anything at all; files have an owner and an identity.
//! Nothing here panics: what a system doesn't tell is left out, and callers are told that it is unknown.
//!
//! Nothing is read before it is asked for, and what cannot change while this process runs is read once,
//! because a one-shot command should take no longer than an empty program.

mod apart;
mod below;
pub mod clock;
mod exchange;
pub mod faults;
mod file;
mod file_system;
mod folder_watch;
mod glance;
mod group;
mod input;
mod job;
mod output;
mod regular_file;
mod shares;
mod sharing;
mod sharing_violation;
mod signal;
mod terminal;
mod user;
mod windowed;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod system;

use std::sync::OnceLock;
use std::time::Duration;

pub use apart::{Split, split_off, start_apart};
pub use below::open_folder_below;
pub use exchange::exchange;
pub use file::{
    canonical, is_found_in_other_letters, is_spelled_so, means_no_locks, means_not_possible_here, means_too_many_files,
    owned_by_user, writable_by_everyone,
};
pub use file_system::{FileSystem, file_system, locks_stay_here};
pub use folder_watch::{FolderChange, FolderWatch, WatchId};
pub use glance::{Glance, GlancedFolder};
pub use group::group_life;
pub use input::InputGlance;
pub use job::{Ending, Job, Signals, TakenSignals, end_by_signal};
pub use output::write_without_waiting;
pub use regular_file::{Links, check_regular, open_regular, read_at_most, read_regular};
pub use shares::{in_shares, threads};
pub use sharing::{Sharing, make_folder_of_group};
pub use sharing_violation::retry_while_in_use;
pub use signal::{ending_signal, suspend, suspending_signal};
pub use system::{booted_at, look_at, time_asleep};
pub use terminal::{UnseenKeys, shares_terminal};
pub use user::{
    cache_directory, configuration_directory, full_name, home_directory, host_name, state_directory, user_id, user_name,
};
pub use windowed::{Windowed, windowed};

/// A process, told apart from any later one that gets the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    /// The number that the operating system gave it. It means something only in its [`pid_scope`].
    pub pid: u32,
    /// An opaque token of when it started: compared for equality, never read. Empty if the system hides it.
    pub started: String,
}

/// A process above this one: its parent, the parent's parent and so on.
#[derive(Debug, Clone)]
pub struct Ancestor {
    /// The number that the operating system gave it.
    pub pid: u32,
    /// The same token as [`Process::started`].
    pub started: String,
    /// The program's short name as the system keeps it; Linux cuts it at 15 bytes.
    pub name: String,
    parent: Option<u32>,
    command: OnceLock<Vec<String>>,
}

impl Ancestor {
    /// What it was started with, the program first; empty if the system doesn't tell. Read when first asked for.
    pub fn command(&self) -> &[String] {
        self.command.get_or_init(|| system::command(self.pid))
    }

    /// It, to be told apart from any later one; `None` if the system hides when it started.
    pub fn process(&self) -> Option<Process> {
        (!self.started.is_empty()).then(|| Process { pid: self.pid, started: self.started.clone() })
    }
}

/// Whether a recorded process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// There is no such process, or another one has its number now.
    Gone,
    /// The system hides too much to tell.
    Unknown,
}

/// How a recorded [`pid_scope`] relates to this process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRelation {
    /// Its process ids are ours: [`life`] can be asked about them.
    Same,
    /// This machine before it was started again: none of those processes runs any more.
    OtherBootOfThisMachine,
    /// Another machine, container or an unknown one: nothing can be said about its processes.
    Elsewhere,
}

/// This process. Its `started` is empty where the system doesn't tell it.
pub fn current_process() -> Process {
    static CURRENT: OnceLock<Process> = OnceLock::new();
    CURRENT
        .get_or_init(|| Process {
            pid: std::process::id(),
            started: system::started_of_current_process().unwrap_or_default(),
        })
        .clone()
}

/// The process with this number; `None` if there is none, or one that has ended and was not collected yet.
pub fn process(pid: u32) -> Option<Process> {
    if pid == std::process::id() {
        return Some(current_process());
    }
    system::process(pid)
}

/// Whether the process of this number and recorded start token still runs; of [`ScopeRelation::Same`] only.
pub fn life(pid: u32, started: Option<&str>) -> Life {
    let Some(found) = process(pid) else { return Life::Gone };
    match started.filter(|token| !token.is_empty()) {
        Some(_) if found.started.is_empty() => Life::Unknown,
        Some(token) if token != found.started => Life::Gone,
        Some(_) | None => Life::Alive,
    }
}

/// Waits until a process has ended, for at most so long. Returns true if it has.
pub fn ends_within(process: &Process, limit: Duration) -> bool {
    /// How often it is looked where the system does not say it by itself.
    const PAUSE: Duration = Duration::from_millis(250);
    if let Some(has_ended) = system::ends_within(process.pid, limit) {
        return has_ended || life(process.pid, Some(&process.started)) == Life::Gone;
    }
    std::thread::sleep(PAUSE.min(limit));
    life(process.pid, Some(&process.started)) == Life::Gone
}

/// The processes above this one, nearest first, as far as they can be seen. Each is looked at when it is asked for.
pub fn ancestors() -> impl Iterator<Item = Ancestor> {
    /// Far more than any real chain has; it ends a chain that changes while it is read.
    const LONGEST_CHAIN: usize = 128;
    let parent = |pid: Option<u32>| pid.filter(|pid| *pid != 0).and_then(look_at);
    let nearest = parent(system::parent_of_current_process());
    std::iter::successors(nearest, move |process| parent(process.parent)).take(LONGEST_CHAIN)
}

/// Where a process id and a start token mean something, as one opaque text: machine, boot and namespaces.
pub fn pid_scope() -> String {
    own_scope().to_owned()
}

/// Compares the scope that another process recorded with this process's own.
pub fn relation_to(scope: &str) -> ScopeRelation {
    system::relation(own_scope(), scope)
}

/// Who holds the lock of a file of this device and number: `deconflict, 4711`; `None` where nobody tells.
pub fn lock_holder(device: u64, inode: u64) -> Option<String> {
    let pid = system::lock_holder(device, inode)?;
    let name = look_at(pid).map(|process| process.name);
    Some(name.map_or_else(|| pid.to_string(), |name| format!("{name}, {pid}")))
}

fn own_scope() -> &'static str {
    static SCOPE: OnceLock<String> = OnceLock::new();
    SCOPE.get_or_init(system::pid_scope)
}
