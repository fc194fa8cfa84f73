//! Which processes belong to one terminal.

/// True if this process has a terminal and that one is in the same session of it (`credentials(7)`).
#[cfg(target_os = "linux")]
pub fn shares_terminal(pid: u32) -> bool {
    let own = super::system::terminal_of(std::process::id());
    own.is_some() && own == super::system::terminal_of(pid)
}

/// True if this process has a terminal and the one with this number is in the same session of it.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn shares_terminal(pid: u32) -> bool {
    use rustix::process::{Pid, getsid};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let has_terminal = || std::fs::File::open("/dev/tty").is_ok();
    pid.is_some_and(|pid| getsid(Some(pid)).is_ok_and(|theirs| getsid(None) == Ok(theirs))) && has_terminal()
}

/// True if this process has a console: Windows keeps no sessions of them, so that the chain of parents has to tell.
#[cfg(not(unix))]
pub fn shares_terminal(_: u32) -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}
