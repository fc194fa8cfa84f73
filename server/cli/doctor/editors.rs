//! Which editors and agents are wired, and with which program.

use std::path::Path;
use std::process::{Command, Stdio};

use deconflict_protocol::text::one_line;
use deconflict_setup::{Places, Setup, Wiring};
use serde_json::json;

use super::super::setup;
use super::report::Report;

const VERSION: &str = concat!("deconflict ", env!("CARGO_PKG_VERSION"));

impl Report {
    /// How the editors and agents on this machine start the program.
    pub(super) fn check_editors(&mut self) {
        match Setup::of_this_user(setup::assets(Vec::new())) {
            Ok(setup) => setup.wirings().iter().for_each(|wiring| self.check_wiring(wiring, setup.places())),
            Err(error) => self.problem(
                "setup",
                super::super::failure::sentence(&error.to_string()),
                "Fix that, or move the file away and run: deconflict setup",
            ),
        }
    }

    fn check_wiring(&mut self, wiring: &Wiring, places: &Places) {
        let (name, title) = (wiring.target.name, wiring.target.title);
        let version = wiring.program.as_deref().and_then(version_of);
        self.editors.push(json!({
            "name": name,
            "wired": wiring.is_wired,
            "outdated": wiring.is_outdated,
            "trusted": wiring.is_trusted,
            "program": wiring.program,
            "version": version.as_deref().map(|told| told.trim_start_matches("deconflict ")),
        }));
        let again = format!("deconflict setup {name}");
        let Some(program) = &wiring.program else {
            self.note(
                "not-wired",
                format!("{title} is installed, but not set up."),
                format!("Unless you set it up yourself: {again}"),
            );
            return;
        };
        let path = places.shortened(program);
        match version {
            None => self.problem("no-program", format!("{title} starts {path}, which does not run."), again),
            Some(other) if other != VERSION => self.problem(
                "other-version",
                format!("{title} starts {path}, which is {other}; this is {VERSION}."),
                again,
            ),
            Some(_) if wiring.is_outdated => self.problem(
                "outdated",
                format!("{title} is set up, but not the way this version does it. {}", wiring.remarks.join(" ")),
                again,
            ),
            Some(_) if !wiring.is_trusted => self.problem(
                "untrusted",
                format!("{title} may not run the hooks yet, so its edits are neither claimed nor checked."),
                format!("Start {name}, type /hooks, and trust deconflict's."),
            ),
            Some(version) => self.good("wired", format!("{title} is set up with {version}, {path}.")),
        }
    }
}

/// What a program says that it is; `None` if it doesn't run.
fn version_of(program: &Path) -> Option<String> {
    let run = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&run.stdout);
    run.status.success().then(|| one_line(said.trim(), 80))
}
