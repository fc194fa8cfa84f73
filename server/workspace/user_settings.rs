//! What the user says for everything that runs on their behalf: `deconflict/settings.toml` among their own settings, never
//! in a workspace.

use std::path::PathBuf;

use deconflict_platform::{Links, configuration_directory, read_regular};
use toml::{Table, Value};

use super::Exclusions;

/// No longer file is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What the user says. What they don't say, or say wrongly, is `None`.
#[derive(Debug, Clone, Default)]
pub struct UserSettings {
    /// The files of which nothing is kept in the journal.
    pub journal_exclude: Option<Exclusions>,
    /// For how many days it keeps changes.
    pub journal_days: Option<f64>,
    /// How many megabytes it keeps at most.
    pub journal_megabytes: Option<f64>,
    /// What is wrong in the file, a sentence each.
    pub problems: Vec<String>,
}

impl UserSettings {
    /// Where they are. The file need not exist.
    pub fn path() -> Option<PathBuf> {
        Some(configuration_directory()?.join("deconflict").join("settings.toml"))
    }

    /// Reads them. Where there are none the user says nothing.
    pub fn read() -> Self {
        let Some(path) = Self::path() else { return Self::default() };
        match read_regular(&path, Links::Followed, LARGEST) {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => Self { problems: vec![format!("It could not be read: {error}.")], ..Self::default() },
        }
    }

    fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                settings.problems.push(format!("It is no TOML: {}.", error.message()));
                return settings;
            }
        };
        let journal = match table.get("journal") {
            Some(Value::Table(journal)) => journal,
            Some(_) => {
                settings.problems.push("journal should be a table.".to_owned());
                return settings;
            }
            None => return settings,
        };
        if let Some(value) = journal.get("exclude") {
            settings.journal_exclude = globs(value);
            settings.expect(settings.journal_exclude.is_some(), "journal.exclude", "a list of globs");
        }
        if let Some(value) = journal.get("days") {
            settings.journal_days = number(value);
            settings.expect(settings.journal_days.is_some(), "journal.days", "a number above 0");
        }
        if let Some(value) = journal.get("megabytes") {
            settings.journal_megabytes = number(value);
            settings.expect(settings.journal_megabytes.is_some(), "journal.megabytes", "a number above 0");
        }
        settings
    }

    fn expect(&mut self, is_right: bool, name: &str, what: &str) {
        if !is_right {
            self.problems.push(format!("{name} should be {what}; the default is used."));
        }
    }
}

fn globs(value: &Value) -> Option<Exclusions> {
    let patterns: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
    Exclusions::new(&patterns?)
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        Value::Integer(number) => f64::from(i32::try_from(*number).ok()?),
        _ => return None,
    };
    (number > 0.0 && number.is_finite()).then_some(number)
}
