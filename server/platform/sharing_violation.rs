//! Files that another program keeps from being renamed or removed for a moment.

use std::io;

/// Retries a call for at most 200 ms while another program has its file open.
///
/// Scanners for viruses and indexers open what was just written, and on Windows may keep everybody else from renaming
/// or removing it meanwhile. A folder that may not be written to answers in the same way, only for longer.
#[cfg(windows)]
pub fn retry_while_in_use<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    use std::time::{Duration, Instant};
    /// `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`, `ERROR_LOCK_VIOLATION`.
    const KEPT: [i32; 3] = [5, 32, 33];
    const PATIENCE: Duration = Duration::from_millis(200);
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match call() {
            Err(error)
                if error.raw_os_error().is_some_and(|code| KEPT.contains(&code)) && start.elapsed() < PATIENCE =>
            {
                std::thread::sleep(pause);
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// Makes the call once: here nobody can keep a file from others by having it open.
#[cfg(not(windows))]
pub fn retry_while_in_use<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    call()
}
