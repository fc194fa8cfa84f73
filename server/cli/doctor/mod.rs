//! `deconflict doctor`: one file for each thing that is checked.

mod declared;
mod directory;
mod editors;
mod guard;
mod journal;
mod records;
mod report;
mod sessions;
mod team;

use super::context::Context;
use super::failure::{Exit, Failure};
use report::Report;

/// Check the setup and the coordination directory, and say how to fix what is wrong
///
/// Exits with 0 if all is well, 1 if something needs fixing, 3 if it could not tell.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut report = Report::default();
    report.fact("version", "Version", env!("CARGO_PKG_VERSION"));
    report.check_program();
    report.check_editors();
    match context.location() {
        Ok(location) => {
            report.check_directory(context, location);
            report.check_journal(context);
            report.check_declared(context);
            report.check_team(context);
        }
        Err(failure) => report.problem(failure.reason, &failure.message, "Name another directory with --dir."),
    }
    context.output.answer_with(report.is_healthy(), || report.document(), || report.in_words())?;
    Ok(if report.is_healthy() { Exit::Done } else { Exit::Refused })
}

impl Report {
    /// Editors, agents, hooks and scripts call the program by its name.
    pub(super) fn check_program(&mut self) {
        let name = format!("deconflict{}", std::env::consts::EXE_SUFFIX);
        let folders = std::env::var_os("PATH").unwrap_or_default();
        match std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|program| program.is_file()) {
            Some(program) => self.fact("program", "Program", program.display().to_string()),
            None => self.note(
                "not-on-path",
                "The program deconflict is not on the PATH, so editors and scripts don't find it by name.",
                if cfg!(windows) {
                    "Setup installs it, and says which folder to add to the PATH: deconflict setup"
                } else {
                    "Setup installs it in ~/.local/bin, which has to be on the PATH: deconflict setup"
                },
            ),
        }
    }
}
