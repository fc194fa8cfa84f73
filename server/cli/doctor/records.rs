//! The records in the directory, and the scripts beside them.

use deconflict_protocol::text::{one_line, quoted};
use deconflict_registry::{Claim, ClaimState, DamagedRecord, Registry, ScriptState};

use super::super::context::Context;
use super::super::{init, status, words};
use super::report::Report;

impl Report {
    pub(super) fn check_records(&mut self, context: &Context, registry: &Registry) {
        if let Some(overview) = self.told("records", registry.overview()) {
            let damaged: Vec<&DamagedRecord> = status::damaged(&overview).collect();
            for record in &damaged {
                let message =
                    format!("The record {} is damaged: {}.", quoted(&record.file, 300), quoted(&record.reason, 300));
                let mend = "Fix the JSON by hand, or delete the file if nobody needs it.";
                self.problem("damaged", one_line(&message, 400), mend);
            }
            for claim in &overview.claims {
                self.check_claim(context, claim);
            }
            if damaged.is_empty() {
                self.good(
                    "records",
                    format!("All records can be read: {}.", words::count(overview.claims.len(), "claim")),
                );
            }
        }
        for leftover in self.told("leftovers", registry.leftovers()).unwrap_or_default() {
            self.note(
                "leftover",
                format!("{leftover} was left behind by a process that died."),
                "It does no harm; you can delete it.",
            );
        }
    }

    fn check_claim(&mut self, context: &Context, claim: &Claim) {
        let what = claim.resource.in_a_sentence();
        if claim.says_something_else() {
            let said = claim.recorded_name().unwrap_or_default();
            self.problem(
                "says-something-else",
                format!(
                    "{} is for {what}, but says {} inside. The file's name counts.",
                    claim.record_path(),
                    quoted(said, words::PHRASE)
                ),
                "Release it, and claim what you meant.",
            );
        }
        if matches!(claim.standing, ClaimState::Expired | ClaimState::Abandoned) {
            let typed = words::typed(context, &claim.resource);
            self.note(
                "stale-claim",
                format!("The claim on {what} is over: {}.", words::term(claim, context.now())),
                format!("Anyone who needs it can take it over: deconflict claim {typed}"),
            );
        }
    }

    pub(super) fn check_scripts(&mut self, registry: &Registry) {
        for (name, text) in init::SCRIPTS {
            if self.told("scripts", registry.script_state(name, text)) == Some(ScriptState::Different) {
                self.note(
                    "other-script",
                    format!("scripts/{name} is not deconflict's. The original scripts take no lock and ask nobody."),
                    "To use deconflict's, move it away and run: deconflict init --scripts",
                );
            }
        }
    }
}
