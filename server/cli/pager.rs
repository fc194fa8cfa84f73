//! Long answers on a terminal, shown by the program that the user reads with.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use anstream::{AutoStream, ColorChoice};

use super::failure::Failure;

/// Shows words through `PAGER` on a terminal. False everywhere else, and where there is no pager.
pub(super) fn show(words: &str) -> Result<bool, Failure> {
    let stdout = io::stdout();
    let Some(mut pager) = stdout.is_terminal().then(start).flatten() else { return Ok(false) };
    let is_coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
    if let Some(mut input) = pager.stdin.take() {
        let plain = || anstream::adapter::strip_str(words).to_string();
        // Whoever has read enough closes the pager.
        let _ = if is_coloured { input.write_all(words.as_bytes()) } else { input.write_all(plain().as_bytes()) };
    }
    match pager.wait().map(|status| status.code()) {
        // The shell found no such program.
        Ok(Some(126 | 127)) => Ok(false),
        Ok(_) => Ok(true),
        Err(error) => Err(Failure::could_not("wait for the pager", &error)),
    }
}

fn start() -> Option<Child> {
    let named = env::var("PAGER").ok();
    let mut command = match named.as_deref().map(str::trim) {
        Some("" | "cat") => return None,
        Some(named) if cfg!(unix) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", named]);
            shell
        }
        Some(named) => Command::new(named),
        None => Command::new("less"),
    };
    // As git has it: colours as they are, and nothing to be closed where all fits the screen.
    if env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    command.stdin(Stdio::piped()).spawn().ok()
}
