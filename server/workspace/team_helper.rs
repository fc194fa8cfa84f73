//! The process that shares what is done in a clone with its team.

use std::env;
use std::process::Command;

use deconflict_platform::start_apart;

use super::{Location, TeamSettings};

/// The variable that names a team, in place of the user's settings.
pub const TEAM_VARIABLE: &str = "DECONFLICT_TEAM";

/// False where this user names no team at all, so that nobody need look further.
pub fn may_have_team() -> bool {
    env::var_os(TEAM_VARIABLE).is_some_and(|words| !words.is_empty())
        || TeamSettings::path().is_some_and(|path| path.exists())
}

/// Starts the process that shares what is done in a clone with its team, where one is named; where one runs, the new one ends
/// at once. Nobody waits for it.
pub fn start_team_helper(location: &Location) {
    let Some(repository) = &location.repository else { return };
    let is_named = env::var_os(TEAM_VARIABLE).is_some_and(|words| !words.is_empty())
        || TeamSettings::read(repository).is_ok_and(|settings| settings.is_some());
    let Ok(program) = env::current_exe() else { return };
    if is_named {
        let mut command = Command::new(program);
        command.arg("--dir").arg(&location.directory).args(["team", "keep"]).current_dir(repository.root());
        start_apart(command);
    }
}
