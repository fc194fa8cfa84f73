//! Processes for which nobody waits.

use std::process::{Command, Stdio};

/// Starts a command that goes on by itself, and says nothing.
pub fn start_apart(mut command: Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    // What ends the processes of whoever starts it need not end this one.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Where it cannot be started, the next one sees to it.
    drop(command.spawn());
}

/// Which of two processes this is after [`split_off`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The one that was there before.
    Original,
    /// Its copy, for which nobody waits.
    Copy,
    /// There is no copy: it could not be made, or this system makes none.
    Alone,
}

/// Lets a copy of this process go on apart from it, which says nothing and stays where whoever started this one ends its
/// processes. To be called while this process has no thread but its caller's: the copy has no other, and one could hold a lock
/// at that moment.
pub fn split_off() -> Split {
    #[cfg(unix)]
    match fork::fork() {
        Ok(fork::Fork::Child) => {
            // In a session of its own it has no terminal. Whoever reads what this process says reads on to the copy's end.
            let _ = fork::setsid();
            let _ = fork::redirect_stdio();
            return Split::Copy;
        }
        Ok(fork::Fork::Parent(_)) => return Split::Original,
        Err(_) => {}
    }
    Split::Alone
}
