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
    /// Globs of files that are never claimed by themselves.
    pub claims_exclude: Option<Vec<String>>,
    /// Globs of files that cannot be merged.
    pub claims_exclusive: Option<Vec<String>>,
    /// Globs of files of which nothing is kept in the journal.
    pub journal_exclude: Option<Vec<String>>,
    /// For how many days it keeps changes.
    pub journal_days: Option<f64>,
    /// How many megabytes it keeps at most.
    pub journal_megabytes: Option<f64>,
    /// Whether others' changes are merged into unsaved text by themselves, as a word.
    pub merge_automatic: Option<String>,
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
                settings.problems.push(format!("It is not valid TOML: {}.", error.message()));
                return settings;
            }
        };
        settings.claims_exclude = settings.value(&table, "claims", "exclude", "a list of globs", globs);
        settings.claims_exclusive = settings.value(&table, "claims", "exclusive", "a list of globs", globs);
        settings.journal_exclude = settings.value(&table, "journal", "exclude", "a list of globs", globs);
        settings.journal_days = settings.value(&table, "journal", "days", "a number above 0", number);
        settings.journal_megabytes = settings.value(&table, "journal", "megabytes", "a number above 0", number);
        settings.merge_automatic =
            settings.value(&table, "merge", "automatic", "\"never\" or \"disjoint\"", merge_word);
        settings
    }

    /// A value in a group, if there is one and it can be used.
    fn value<T>(
        &mut self,
        table: &Table,
        group: &str,
        name: &str,
        expected: &str,
        usable: fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let Value::Table(values) = table.get(group)? else {
            let problem = format!("{group} should be a table.");
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
            return None;
        };
        let value = usable(values.get(name)?);
        if value.is_none() {
            self.problems.push(format!("{group}.{name} should be {expected}; the default is used."));
        }
        value
    }
}

fn globs(value: &Value) -> Option<Vec<String>> {
    let patterns: Vec<String> =
        value.as_array()?.iter().map(|it| it.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    Exclusions::new(&patterns).is_some().then_some(patterns)
}

fn merge_word(value: &Value) -> Option<String> {
    value.as_str().filter(|word| matches!(*word, "never" | "disjoint")).map(str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        Value::Integer(number) => f64::from(i32::try_from(*number).ok()?),
        _ => return None,
    };
    (number > 0.0 && number.is_finite()).then_some(number)
}
