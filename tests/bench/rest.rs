//! What a server costs while nothing happens: the memory that it keeps, and its share of a processor; and what one
//! clean-up takes where a lot is left.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use deconflict_platform::clock::ManualClock;
use deconflict_protocol::time;
use deconflict_registry::{CleanUp, Registry};

use crate::figures::{Figure, Goal, in_milliseconds, milliseconds};
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
        figures.push(row("idle server, share of a core", "%", share * 100.0, Goal::AtMost(0.05)));
        figures.push(row("hourly clean-up, processor time", "ms", in_milliseconds(clean_up), Goal::None));
        figures.push(row("idle server, resident", "MB", resident, Goal::AtMost(30.0)));
    }
    figures
}

/// How many heartbeats wait to be cleaned up.
const HEARTBEATS: i64 = 50_000;

/// The first clean-up after two days of a directory that is as full as any.
pub(crate) fn measure_clean_up() -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("COORDINATION");
    populate(&directory, Size::MOST);
    let now = Utc::now();
    for number in 0..HEARTBEATS {
        let stamp = time::stamp(now + TimeDelta::milliseconds(number));
        std::fs::write(directory.join(format!("heartbeats/{stamp}-session-{}.json", number % 1000)), "{}").unwrap();
    }
    let registry = Registry::open(&directory, Arc::new(ManualClock::new(now + TimeDelta::days(2)))).unwrap();
    let mut done = CleanUp::default();
    let value = milliseconds(|| done = registry.clean_up().unwrap());
    assert_eq!((done.claims, done.heartbeats), (10_000, 50_000), "{done:?}");
    let name = "clean-up of all claims and 50,000 heartbeats";
    vec![Figure { name, size: Size::MOST, unit: "ms", value, floor: None, goal: Goal::AtMost(5000.0) }]
}

/// The time that all threads of a process spent on a processor.
pub(crate) fn processor_time(process: u32) -> Option<Duration> {
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
