//! What a running process keeps, as the system counts it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Counts of one process. Only Linux tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) descriptors: usize,
    pub(crate) watches: usize,
    pub(crate) threads: usize,
    /// In kibibytes.
    pub(crate) resident: usize,
}

impl Kept {
    /// Counts what a process has now.
    pub(crate) fn by(process: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let number_in = |name: &str| fs::read_dir(folder.join(name)).unwrap().count();
        let open = fs::read_dir(folder.join("fdinfo")).unwrap();
        let told = open.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
        let watches = told.map(|text| text.lines().filter(|line| line.starts_with("inotify ")).count()).sum();
        let status = fs::read_to_string(folder.join("status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident = resident.split_whitespace().next().unwrap().parse().unwrap();
        Self { descriptors: number_in("fd"), watches, threads: number_in("task"), resident }
    }
}

/// The time that this thread has spent on a processor.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
