//! Whether what `deconflict.toml` says can be understood.

use super::super::asked;
use super::report::Report;
use crate::cli::context::Context;

impl Report {
    pub(super) fn check_declared(&mut self, context: &Context) {
        for wrong in asked::declared(context).unwrap_or_default().wrong {
            self.note("declared", asked::wrong_line(&wrong), "Correct it there; the rest of the file is used.");
        }
    }
}
