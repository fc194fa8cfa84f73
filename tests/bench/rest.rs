//! What a server costs while nothing happens: the memory that it keeps, and its share of a processor.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::figures::{Figure, Goal, in_milliseconds};
use crate::pipe::Server;
use crate::populate::{CLAIMED, Size, populate};
use crate::support::Workspace;

/// How long the servers are watched. Their first clean-up comes a minute after the start, and then one an hour.
const REST: Duration = Duration::from_secs(50);
const UNTIL_AFTER_CLEAN_UP: Duration = Duration::from_secs(80);

/// One server for each size, all at once: none does anything, so none disturbs the others.
pub(crate) fn measure() -> Vec<Figure> {
    let start = Instant::now();
    let workspaces = Size::ALL.map(|size| {
        let workspace = Workspace::small();
        populate(&workspace.path("COORDINATION"), size);
        workspace.write(CLAIMED, "");
        workspace
    });
    let servers = workspaces.each_ref().map(|workspace| {
        let mut server = Server::start(workspace, "anna");
        server.open(&workspace.uri(CLAIMED), "");
        server.wait_for_diagnostics(&workspace.uri(CLAIMED), true);
        server
    });
    // What follows the start is no rest yet.
    sleep(Duration::from_secs(4));
    let processes = servers.each_ref().map(Server::id);
    let (begin, before) = (Instant::now(), processes.map(processor_time));
    // What is measured here is what a server does while nothing happens, so nothing is waited for.
    sleep(REST.saturating_sub(start.elapsed()));
    let (rested, after, resident) = (begin.elapsed(), processes.map(processor_time), processes.map(resident_memory));
    sleep(UNTIL_AFTER_CLEAN_UP.saturating_sub(start.elapsed()));
    let cleaned = processes.map(processor_time);
    let mut figures = Vec::new();
    for (index, size) in Size::ALL.into_iter().enumerate() {
        let (Some(before), Some(after), Some(cleaned), Some(resident)) =
            (before[index], after[index], cleaned[index], resident[index])
        else {
            eprintln!("the idle server's cost cannot be read on this system");
            break;
        };
        let clean_up = cleaned.saturating_sub(after);
        let share = after.saturating_sub(before).as_secs_f64() / rested.as_secs_f64() + clean_up.as_secs_f64() / 3600.0;
        let row = |name, unit, value, goal| Figure { name, size, unit, value, floor: None, goal };
        figures.push(row("idle server, share of a core", "%", share * 100.0, Goal::AtMost(0.1)));
        figures.push(row("hourly clean-up, processor time", "ms", in_milliseconds(clean_up), Goal::None));
        figures.push(row("idle server, resident", "MB", resident, Goal::AtMost(30.0)));
    }
    figures
}

/// The time that all threads of a process spent on a processor.
fn processor_time(process: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let nanoseconds = |folder: &Path| -> Option<u64> {
        std::fs::read_to_string(folder.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    Some(Duration::from_nanos(threads.filter_map(|thread| nanoseconds(&thread.ok()?.path())).sum()))
}

fn resident_memory(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1024.0)
}
