//! `deconflict doctor`: one file for each thing that is examined.

mod directory;
mod editors;
mod examination;
mod guard;
mod program;
mod records;
mod sessions;

use super::context::Context;
use super::failure::{Exit, Failure};
use examination::Examination;

/// Check the set-up and the coordination directory, and say how to mend what is wrong
///
/// Exits with 0 if all is well, 1 if something needs mending, 3 if it could not be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(super) fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut examination = Examination::default();
    examination.fact("version", "Version", env!("CARGO_PKG_VERSION"));
    examination.examine_program();
    examination.examine_editors();
    match context.location() {
        Ok(location) => examination.examine_directory(context, location),
        Err(failure) => examination.problem(failure.reason, &failure.message, "Name another directory with --dir."),
    }
    context.output.answer_with(examination.is_healthy(), || examination.document(), || examination.in_words())?;
    Ok(if examination.is_healthy() { Exit::Done } else { Exit::Refused })
}
