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
