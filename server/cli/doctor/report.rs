//! What was found out, and how it is told.

use deconflict_registry::Error;
use serde_json::{Value, json};

use super::super::style::{FAINT, GOOD, HEADING, WARNING};
use super::super::table::{Cell, aligned};
use super::super::{failure, words};
use deconflict_words::remedy;

/// What was found out so far.
#[derive(Default)]
pub(super) struct Report {
    facts: Vec<Fact>,
    checks: Vec<Check>,
    editors: Vec<Value>,
}

/// Something that is neither good nor bad.
struct Fact {
    name: &'static str,
    title: &'static str,
    value: String,
}

/// Something that is well, or worth knowing, or to be mended.
struct Check {
    code: &'static str,
    severity: Severity,
    message: String,
    mend: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Good,
    Note,
    Problem,
}

impl Report {
    pub(super) fn fact(&mut self, name: &'static str, title: &'static str, value: impl Into<String>) {
        self.facts.push(Fact { name, title, value: value.into() });
    }

    pub(super) fn good(&mut self, code: &'static str, message: impl Into<String>) {
        self.checks.push(Check { code, severity: Severity::Good, message: message.into(), mend: None });
    }

    pub(super) fn note(&mut self, code: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        let (message, mend) = (message.into(), Some(mend.into()));
        self.checks.push(Check { code, severity: Severity::Note, message, mend });
    }

    pub(super) fn problem(&mut self, code: &'static str, message: impl Into<String>, mend: impl Into<String>) {
        let (message, mend) = (message.into(), Some(mend.into()));
        self.checks.push(Check { code, severity: Severity::Problem, message, mend });
    }

    /// What could be found out, or the problem that kept it from being found out.
    pub(super) fn told<T>(&mut self, code: &'static str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let message = failure::sentence(&error.to_string());
                self.problem(code, message, mend(&error));
                None
            }
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.severity != Severity::Problem)
    }

    /// How an editor or agent is wired, for programs.
    pub(super) fn editor(&mut self, facts: Value) {
        self.editors.push(facts);
    }

    pub(super) fn document(&self) -> Value {
        let mut document = json!({});
        for fact in &self.facts {
            document[fact.name] = fact.value.clone().into();
        }
        let findings = self.checks.iter().map(|check| {
            let severity = match check.severity {
                Severity::Good => "good",
                Severity::Note => "note",
                Severity::Problem => "problem",
            };
            json!({"code": check.code, "severity": severity, "message": check.message, "mend": check.mend})
        });
        document["editors"] = self.editors.clone().into();
        document["findings"] = findings.collect();
        document
    }

    pub(super) fn in_words(&self) -> String {
        let row = |fact: &Fact| vec![Cell::new(fact.title, HEADING), Cell::plain(fact.value.clone())];
        let rows: Vec<Vec<Cell>> = self.facts.iter().map(row).collect();
        let mut text = aligned(&rows, "");
        text.push('\n');
        for check in &self.checks {
            let (mark, style) = match check.severity {
                Severity::Good => ("✓", GOOD),
                Severity::Note => ("·", FAINT),
                Severity::Problem => ("!", WARNING),
            };
            text.push_str(&format!("{style}{mark}{style:#} {}\n", check.message));
            if let Some(mend) = &check.mend {
                text.push_str(&format!("  {FAINT}{mend}{FAINT:#}\n"));
            }
        }
        let problems = self.checks.iter().filter(|check| check.severity == Severity::Problem).count();
        text.push_str(&match problems {
            0 => format!("\n{GOOD}All is well.{GOOD:#}\n"),
            _ => format!("\n{WARNING}{} to mend.{WARNING:#}\n", words::count(problems, "thing")),
        });
        text
    }
}

/// What to do when something could not be found out.
fn mend(error: &Error) -> &'static str {
    match error {
        Error::Unwatchable { .. } => "Raise the limit of watches: sysctl fs.inotify.max_user_watches=524288",
        _ => remedy(error).unwrap_or("Check the permissions of the directory and of what is in it."),
    }
}
