//! A surrounding in which no test meets the set-up of whoever runs it.

use std::path::Path;
use std::process::Command;

/// What a process needs from the machine to run at all.
const KEPT: &[&str] = &["PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PATHEXT", "LLVM_PROFILE_FILE"];

/// Gives `command` an environment of its own: a scratch home, and nothing of the caller's settings.
pub(crate) fn clean_environment(command: &mut Command, home: &Path) {
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("USER", "tester")
        .env("LOGNAME", "tester")
        .env("LANG", "C.UTF-8")
        .env("RUST_BACKTRACE", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
}
