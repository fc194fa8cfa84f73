//! What was found out, and how it is told.

use anstyle::Style;
use deconflict_registry::Error;
use serde_json::{Value, json};

use super::super::style::{FAINT, GOOD, HEADING, WARNING};
use super::super::table::{Cell, aligned};
use super::super::{failure, words};
use deconflict_words::remedy;

#[derive(Default)]
pub(super) struct Report {
    /// What is neither good nor bad: its name, its title, and what it is.
    facts: Vec<(&'static str, &'static str, String)>,
    checks: Vec<Check>,
    /// How each editor and agent is wired.
    pub(super) editors: Vec<Value>,
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

impl Severity {
    fn told(self) -> (&'static str, &'static str, Style) {
        match self {
            Self::Good => ("good", "✓", GOOD),
            Self::Note => ("note", "·", FAINT),
            Self::Problem => ("problem", "!", WARNING),
        }
    }
}

impl Report {
    pub(super) fn fact(&mut self, name: &'static str, title: &'static str, value: impl Into<String>) {
        self.facts.push((name, title, value.into()));
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
        result.map_err(|error| self.problem(code, failure::sentence(&error.to_string()), mend(&error))).ok()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.severity != Severity::Problem)
    }

    pub(super) fn document(&self) -> Value {
        let mut document = json!({});
        for (name, _, value) in &self.facts {
            document[name] = value.clone().into();
        }
        let findings = self.checks.iter().map(|check| {
            let (severity, ..) = check.severity.told();
            json!({"code": check.code, "severity": severity, "message": check.message, "mend": check.mend})
        });
        document["editors"] = self.editors.clone().into();
        document["findings"] = findings.collect();
        document
    }

    pub(super) fn in_words(&self) -> String {
        let rows = self.facts.iter().map(|(_, title, value)| vec![Cell::new(*title, HEADING), Cell::plain(value)]);
        let mut text = aligned(&rows.collect::<Vec<_>>(), "") + "\n";
        for check in &self.checks {
            let (_, mark, style) = check.severity.told();
            text.push_str(&format!("{style}{mark}{style:#} {}\n", check.message));
            if let Some(mend) = &check.mend {
                text.push_str(&format!("  {FAINT}{mend}{FAINT:#}\n"));
            }
        }
        let problems = self.checks.iter().filter(|check| check.severity == Severity::Problem).count();
        text.push_str(&match problems {
            0 => format!("\n{GOOD}All is well.{GOOD:#}\n"),
            _ => format!("\n{WARNING}{} to fix.{WARNING:#}\n", words::count(problems, "thing")),
        });
        text
    }
}

fn mend(error: &Error) -> &'static str {
    match error {
        Error::Unwatchable { .. } => "Raise the limit on watches: sysctl fs.inotify.max_user_watches=524288",
        _ => remedy(error).unwrap_or("Check the permissions of the directory and of what is in it."),
    }
}
