//! macOS, Windows and the rest, through `sysinfo`.
//!
//! Start tokens are absolute times here, so a process of an earlier boot never matches one of this boot:
//! the scope needs no boot, which these systems don't name reliably.

use std::ffi::OsStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Product, System, UpdateKind};

use super::{Ancestor, Process, ScopeRelation};

pub(super) fn started_of_current_process() -> Option<String> {
    look_at(std::process::id()).map(|seen| seen.started)
}

/// Nobody tells here.
#[cfg(unix)]
pub(super) fn is_ignored(_: i32) -> bool {
    false
}

/// Only a thread of its own can wait for them here.
#[cfg(unix)]
pub(super) fn next_signal(_: &nix::sys::signal::SigSet, _: Duration) -> Option<std::io::Result<Option<i32>>> {
    None
}

pub(super) fn parent_of_current_process() -> Option<u32> {
    look_at(std::process::id())?.parent
}

pub(super) fn process(pid: u32) -> Option<Process> {
    seen(pid).map(|(seen, _)| Process { pid, started: seen.started })
}

/// What can be seen of the process with this number, as of the ones above this one; `None` if there is none.
pub fn look_at(pid: u32) -> Option<Ancestor> {
    let (mut found, start) = seen(pid)?;
    if cfg!(windows) {
        // Windows goes on naming a parent that has ended, and another process may have got its number since.
        found.parent = found.parent.filter(|parent| seen(*parent).is_some_and(|(_, its)| start == 0 || its <= start));
    }
    Some(found)
}

/// A process, and when it was started, in seconds; zero if the system hides that.
fn seen(pid: u32) -> Option<(Ancestor, u64)> {
    with_process(pid, ProcessRefreshKind::nothing(), |process| {
        let ended = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
        let start = process.start_time();
        (!ended).then(|| {
            let seen = Ancestor {
                pid,
                started: if start == 0 { String::new() } else { start.to_string() },
                name: text(process.name()),
                parent: process.parent().map(Pid::as_u32),
                command: OnceLock::new(),
            };
            (seen, start)
        })
    })
    .flatten()
}

pub(super) fn command(pid: u32) -> Vec<String> {
    let what = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    with_process(pid, what, |process| process.cmd().iter().map(|argument| text(argument)).collect()).unwrap_or_default()
}

pub(super) fn lock_holder(_: u64, _: u64) -> Option<u32> {
    None
}

pub(super) fn pid_scope() -> String {
    let machine = Product::uuid().unwrap_or_default();
    format!("{machine}@{}", super::host_name())
}

pub(super) fn relation(own: &str, recorded: &str) -> ScopeRelation {
    if own == recorded { ScopeRelation::Same } else { ScopeRelation::Elsewhere }
}

#[cfg(unix)]
pub(super) fn has_running_member(_: u32) -> Option<bool> {
    None
}

pub(super) fn ends_within(_: u32, _: Duration) -> Option<bool> {
    None
}

/// Zero: nothing here tells how long this machine has slept.
pub fn time_asleep() -> Duration {
    Duration::ZERO
}

/// When this machine was started, if it tells.
pub fn booted_at() -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(System::boot_time().ok().filter(|seconds| *seconds != 0)?))
}

fn with_process<T>(pid: u32, what: ProcessRefreshKind, use_it: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
    if pid == 0 {
        return None;
    }
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    system.process(pid).map(use_it)
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
