//! What the user wants: settings from `initializationOptions` and from the editor's configuration.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tower_lsp::ls_types::DiagnosticSeverity;

use super::situation::Preferences;
use deconflict_workspace::{DEFAULT_EXCLUSIONS, Exclusions};

/// The section that the settings are in.
pub(super) const SECTION: &str = "deconflict";

/// Every setting, with its default where nothing usable was given.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// `directory`: the coordination directory that the user names.
    pub(super) directory: Option<PathBuf>,
    /// `activation`.
    pub(super) activation: Activation,
    /// `sessionName`.
    pub(super) session_name: Option<String>,
    /// `claims.automatic`: an edit claims.
    pub(super) automatic: bool,
    /// `claims.leaseMinutes`.
    pub(super) lease: TimeDelta,
    /// `claims.idleMinutes`.
    pub(super) idle: Duration,
    /// `claims.exclude`.
    pub(super) exclude: Vec<String>,
    /// `diagnostics.*` and `inlayHints.*`.
    pub(super) preferences: Preferences,
    /// `messages.show`.
    pub(super) show: Show,
}

/// Where the server works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// In git repositories, and wherever a directory exists.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Which messages are shown by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Those to this session.
    Direct,
    /// Those to everyone too.
    All,
    /// None.
    None,
}

/// A setting that was given and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The setting's name.
    pub(super) name: &'static str,
    /// What is wrong with it, to follow the setting's name.
    pub(super) problem: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directory: None,
            activation: Activation::Auto,
            session_name: None,
            automatic: true,
            lease: TimeDelta::minutes(15),
            idle: Duration::from_mins(15),
            exclude: DEFAULT_EXCLUSIONS.iter().map(|pattern| (*pattern).to_owned()).collect(),
            preferences: Preferences::default(),
            show: Show::Direct,
        }
    }
}

impl Settings {
    /// Reads the settings: `configured` is what the editor's configuration says and counts most, `initial` came with
    /// `initializationOptions`. `directory` and `activation` are taken from `initial` only, because a configuration
    /// may come from the workspace, and what a clone brings along must not decide where records are written.
    pub(super) fn read(initial: &Value, configured: &Value) -> (Self, Vec<Problem>) {
        let mut reader = Reader { initial, configured, problems: Vec::new() };
        reader.check_groups();
        let default = Self::default();
        let settings = Self {
            directory: reader.user("directory", "a path", text).and_then(Given::into_option).map(PathBuf::from),
            activation: reader
                .user("activation", "\"auto\", \"always\" or \"never\"", activation)
                .unwrap_or(default.activation),
            session_name: reader.any("sessionName", "a text", text).and_then(Given::into_option),
            automatic: reader.any("claims.automatic", "true or false", Value::as_bool).unwrap_or(default.automatic),
            lease: reader
                .any("claims.leaseMinutes", "a number of minutes above 0", minutes)
                .and_then(|lease| TimeDelta::from_std(lease).ok())
                .unwrap_or(default.lease),
            idle: reader.any("claims.idleMinutes", "a number of minutes above 0", minutes).unwrap_or(default.idle),
            exclude: reader.any("claims.exclude", "a list of globs", globs).unwrap_or(default.exclude),
            preferences: Preferences {
                diagnostics: reader.any("diagnostics.enable", "true or false", Value::as_bool).unwrap_or(true),
                severity: reader
                    .any("diagnostics.severity", "\"error\", \"warning\", \"information\" or \"hint\"", severity)
                    .and_then(Given::into_option),
                hints: reader.any("inlayHints.enable", "true or false", Value::as_bool).unwrap_or(true),
                own_hints: reader.any("inlayHints.own", "true or false", Value::as_bool).unwrap_or(false),
            },
            show: reader.any("messages.show", "\"direct\", \"all\" or \"none\"", show).unwrap_or(default.show),
        };
        (settings, reader.problems)
    }
}

struct Reader<'a> {
    initial: &'a Value,
    configured: &'a Value,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// A group of settings that is none would otherwise be passed over, with all that was meant by it.
    fn check_groups(&mut self) {
        for name in ["claims", "diagnostics", "inlayHints", "messages"] {
            for settings in [self.configured, self.initial] {
                if let Some(value) = settings.get(name).filter(|value| !value.is_object() && !value.is_null()) {
                    self.parse(name, "a group of settings", &value.clone(), |_| None::<()>);
                }
            }
        }
    }

    fn any<T>(&mut self, name: &'static str, expected: &str, parse: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = find(self.configured, name).or_else(|| find(self.initial, name))?.clone();
        self.parse(name, expected, &value, parse)
    }

    fn user<T>(&mut self, name: &'static str, expected: &str, parse: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = find(self.initial, name)?.clone();
        self.parse(name, expected, &value, parse)
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        value: &Value,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(value);
        if parsed.is_none() {
            let given = deconflict_protocol::text::one_line(&value.to_string(), 60);
            self.problems.push(Problem { name, problem: format!("is {given}, but should be {expected}") });
        }
        parsed
    }
}

/// Finds a setting by its dotted name, nested or written flat. Null is as good as nothing.
fn find<'a>(settings: &'a Value, name: &str) -> Option<&'a Value> {
    let nested = name.split('.').try_fold(settings, |place, part| place.get(part));
    nested.or_else(|| settings.get(name)).filter(|value| !value.is_null())
}

/// A value of a setting that may also be left empty.
enum Given<T> {
    Empty,
    Value(T),
}

impl<T> Given<T> {
    fn into_option(self) -> Option<T> {
        match self {
            Self::Empty => None,
            Self::Value(value) => Some(value),
        }
    }
}

fn text(value: &Value) -> Option<Given<String>> {
    let text = value.as_str()?.trim();
    Some(if text.is_empty() { Given::Empty } else { Given::Value(text.to_owned()) })
}

fn minutes(value: &Value) -> Option<Duration> {
    /// No lease is believed for longer than this.
    const MOST: f64 = 7.0 * 24.0 * 60.0;
    let minutes = value.as_f64().filter(|minutes| *minutes > 0.0)?;
    Duration::try_from_secs_f64(minutes.min(MOST) * 60.0).ok().filter(|duration| !duration.is_zero())
}

fn globs(value: &Value) -> Option<Vec<String>> {
    let patterns: Vec<String> =
        value.as_array()?.iter().map(|pattern| pattern.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    Exclusions::new(&patterns).is_ok().then_some(patterns)
}

fn activation(value: &Value) -> Option<Activation> {
    match value.as_str()? {
        "auto" => Some(Activation::Auto),
        "always" => Some(Activation::Always),
        "never" => Some(Activation::Never),
        _ => None,
    }
}

/// Empty where each notice keeps its own severity.
fn severity(value: &Value) -> Option<Given<DiagnosticSeverity>> {
    match value.as_str()? {
        "error" => Some(Given::Value(DiagnosticSeverity::ERROR)),
        "warning" => Some(Given::Value(DiagnosticSeverity::WARNING)),
        "information" => Some(Given::Value(DiagnosticSeverity::INFORMATION)),
        "hint" => Some(Given::Value(DiagnosticSeverity::HINT)),
        "" | "default" => Some(Given::Empty),
        _ => None,
    }
}

fn show(value: &Value) -> Option<Show> {
    match value.as_str()? {
        "direct" => Some(Show::Direct),
        "all" => Some(Show::All),
        "none" => Some(Show::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_configuration_counts_more_than_the_initial_options() {
        let initial = json!({ "claims": { "automatic": false, "idleMinutes": 3 }, "sessionName": "Ada" });
        let configured = json!({ "claims": { "automatic": true, "leaseMinutes": 0.5 }, "sessionName": "" });
        let (settings, problems) = Settings::read(&initial, &configured);
        assert_eq!(problems, []);
        assert!(settings.automatic);
        assert_eq!(settings.idle, Duration::from_mins(3));
        assert_eq!(settings.lease, TimeDelta::seconds(30));
        assert_eq!(settings.session_name, None);
        let (settings, _) = Settings::read(&json!({ "claims.idleMinutes": 2 }), &Value::Null);
        assert_eq!(settings.idle, Duration::from_mins(2), "written flat");
    }

    #[test]
    fn where_records_go_is_not_taken_from_the_configuration() {
        let settings = json!({ "directory": "/x/COORDINATION", "activation": "always" });
        let (read, _) = Settings::read(&Value::Null, &settings);
        assert_eq!((read.directory, read.activation), (None, Activation::Auto));
        let (read, _) = Settings::read(&settings, &Value::Null);
        assert_eq!(read.directory, Some(PathBuf::from("/x/COORDINATION")));
        assert_eq!(read.activation, Activation::Always);
    }

    #[test]
    fn what_cannot_be_used_is_reported_by_name() {
        let given = json!({
            "claims": { "leaseMinutes": -1, "idleMinutes": "a while", "exclude": ["a["] },
            "messages": { "show": "some" }, "diagnostics": { "severity": 1 },
        });
        let (settings, problems) = Settings::read(&given, &Value::Null);
        let names: Vec<&str> = problems.iter().map(|problem| problem.name).collect();
        let expected =
            ["claims.leaseMinutes", "claims.idleMinutes", "claims.exclude", "diagnostics.severity", "messages.show"];
        assert_eq!(names, expected);
        assert_eq!(settings.lease, TimeDelta::minutes(15));
        assert!(problems[0].problem.contains("-1"), "{problems:?}");
        let (_, problems) = Settings::read(&json!({ "claims": false, "messages": ["all"] }), &Value::Null);
        assert_eq!(problems.iter().map(|problem| problem.name).collect::<Vec<_>>(), ["claims", "messages"]);
    }
}
