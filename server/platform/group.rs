//! Whether a command, or anything that it started and left behind, still runs.

use super::{Life, life, process};

/// Whether a process or any other of its process group still runs; of [`ScopeRelation::Same`](super::ScopeRelation) only.
/// Processes that have ended and were not collected yet do not run.
pub fn group_life(pid: u32, started: Option<&str>, group: Option<u32>) -> Life {
    let leader = life(pid, started);
    match (leader, group) {
        (Life::Alive, _) | (_, None) => leader,
        // The system gives no process the number of a group that has somebody in it, so the group is gone too.
        (Life::Gone, Some(_)) if process(pid).is_some() => Life::Gone,
        (Life::Gone | Life::Unknown, Some(group)) => life_of_members(group),
    }
}

#[cfg(unix)]
fn life_of_members(group: u32) -> Life {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process_group};
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return Life::Unknown };
    if test_kill_process_group(group) == Err(Errno::SRCH) {
        return Life::Gone;
    }
    match super::system::has_running_member(group.as_raw_nonzero().get().unsigned_abs()) {
        Some(false) => Life::Gone,
        Some(true) | None => Life::Alive,
    }
}

/// There are no process groups here.
#[cfg(not(unix))]
fn life_of_members(_: u32) -> Life {
    Life::Gone
}
