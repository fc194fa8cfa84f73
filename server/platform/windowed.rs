//! Programs that have a window in a terminal.

use std::path::PathBuf;

use super::Ancestor;

/// A process with a terminal of its own, and where it works.
#[derive(Debug, Clone)]
pub struct Windowed {
    /// The process.
    pub process: Ancestor,
    /// The folder that it works in.
    pub folder: PathBuf,
    /// Its user typed something just now.
    pub is_typed_into: bool,
}

/// The processes of this name that have a terminal, as far as the system tells of them.
#[cfg(target_os = "linux")]
pub fn windowed(name: &str) -> Vec<Windowed> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let named = pids.filter_map(super::look_at).filter(|process| process.name == name);
    named
        .filter_map(|process| {
            super::system::terminal_of(process.pid)?;
            let folder = std::fs::read_link(format!("/proc/{}/cwd", process.pid)).ok()?;
            let is_typed_into = is_read_just_now(&format!("/proc/{}/fd/0", process.pid));
            Some(Windowed { process, folder, is_typed_into })
        })
        .collect()
}

/// True if something was read from a terminal in the last seconds. The kernel notes that once in a span of eight seconds, and
/// not more often, so that nobody learns when which key was pressed.
#[cfg(target_os = "linux")]
fn is_read_just_now(terminal: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};
    const JUST_NOW: Duration = Duration::from_secs(2);
    let Ok(noted) = std::fs::metadata(terminal).map(|metadata| metadata.atime()) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let begin = now.saturating_sub(JUST_NOW).as_secs() & !7;
    u64::try_from(noted).is_ok_and(|noted| noted >= begin)
}

/// The processes of this name that have a terminal: here nothing tells them apart.
#[cfg(not(target_os = "linux"))]
pub fn windowed(_: &str) -> Vec<Windowed> {
    Vec::new()
}
