//! `deconflict doctor`: one file for each thing that is checked.

mod directory;
mod editors;
mod guard;
mod journal;
mod program;
mod records;
mod report;
mod sessions;

use super::context::Context;
use super::failure::{Exit, Failure};
use report::Report;

/// Check the set-up and the coordination directory, and say how to mend what is wrong
///
/// Exits with 0 if all is well, 1 if something needs mending, 3 if it could not be told.
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
        }
        Err(failure) => report.problem(failure.reason, &failure.message, "Name another directory with --dir."),
    }
    context.output.answer_with(report.is_healthy(), || report.document(), || report.in_words())?;
    Ok(if report.is_healthy() { Exit::Done } else { Exit::Refused })
}
