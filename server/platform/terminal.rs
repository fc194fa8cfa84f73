//! Which processes belong to one terminal, and how it tells keys.

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

/// While it lives, the terminal tells each key at once and shows none. Signals are sent as before.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnseenKeys {
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl UnseenKeys {
    /// `None` where standard input is no terminal, or is one in whose background this process is.
    pub fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};
        let input = std::io::stdin();
        let before = tcgetattr(&input).ok()?;
        if tcgetpgrp(&input).ok()? != rustix::process::getpgrp() {
            return None;
        }
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Now, &unseen).ok()?;
        Some(Self { before })
    }
}

#[cfg(unix)]
impl Drop for UnseenKeys {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// A console is left as it is.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct UnseenKeys;

#[cfg(not(unix))]
impl UnseenKeys {
    /// Keys are not told one by one here.
    pub fn begin() -> Option<Self> {
        None
    }
}
