//! Writing to a program that may not be reading.

/// Writes to standard output what the system takes without making this thread wait, and returns how many bytes that
/// was: all, some or none. It knows only pipes and sockets; for anything else, and for more than a page, it is none.
#[cfg(unix)]
pub fn write_without_waiting(bytes: &[u8]) -> usize {
    use std::sync::OnceLock;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};

    /// So many bytes go whole into a pipe or socket that says it can be written to (`pipe(7)`, `PIPE_BUF` on Linux).
    const AT_ONCE: usize = 4096;

    static TAKES_PAGES: OnceLock<bool> = OnceLock::new();
    let output = std::io::stdout();
    let takes_pages = *TAKES_PAGES.get_or_init(|| {
        let kind = fstat(&output).map(|stat| FileType::from_raw_mode(stat.st_mode));
        cfg!(target_os = "linux") && matches!(kind, Ok(FileType::Fifo | FileType::Socket))
    });
    if !takes_pages || bytes.len() > AT_ONCE {
        return 0;
    }
    let mut can_write = [PollFd::new(&output, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut can_write, Some(&at_once)) != Ok(1) || can_write[0].revents() != PollFlags::OUT {
        return 0;
    }
    rustix::io::write(&output, bytes).unwrap_or(0)
}

/// Other systems say only by making this thread wait that nobody reads, so nothing is written.
#[cfg(not(unix))]
pub fn write_without_waiting(_: &[u8]) -> usize {
    0
}
