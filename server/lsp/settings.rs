//! What the user wants: settings from `initializationOptions` and from the editor's configuration.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tower_lsp::ls_types::DiagnosticSeverity;

use super::snapshot::Preferences;
use deconflict_journal::EditorSettings;
use deconflict_protocol::LONGEST_LEASE;
use deconflict_workspace::{DEFAULT_EXCLUSIONS, Exclusions, UserSettings};

/// The section that the settings are in.
pub(super) const SECTION: &str = "deconflict";

/// One setting, as the manifests and manuals of the editors tell it too.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name below the section, with dots between its groups.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: SettingKind,
    /// The value that counts where none is given, as JSON.
    pub default: &'static str,
    /// What it is for.
    pub description: &'static str,
}

/// Which values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// True or false.
    Flag,
    /// A text; an empty one is as good as none.
    Text,
    /// A number of minutes.
    Minutes,
    /// A number above 0.
    Number,
    /// A list of globs; null stands for the default ones.
    Globs,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What is taken from `initializationOptions` alone: an editor's configuration may come from the workspace, and what a
/// clone brings along must not decide where records are written.
pub const NEVER_FROM_WORKSPACE: [&str; 2] = ["directory", "activation"];

/// What others than the editor need to know too. The user says it for all of them in `settings.toml`, and an editor adds
/// to that.
const SHARED: [&str; 6] =
    ["claims.exclude", "claims.exclusive", "journal.exclude", "journal.days", "journal.megabytes", "merge.automatic"];

/// Every setting.
pub const SETTINGS: [Setting; 18] = [
    Setting {
        name: "directory",
        kind: SettingKind::Text,
        default: r#""""#,
        description: "The coordination directory, if it can't be found automatically. Read from your user settings only, never from a workspace's.",
    },
    Setting {
        name: "activation",
        kind: SettingKind::Choice(&["auto", "always", "never"]),
        default: r#""auto""#,
        description: "Where Deconflict works. Read from your user settings only, never from a workspace's.",
    },
    Setting {
        name: "sessionName",
        kind: SettingKind::Text,
        default: r#""""#,
        description: "The name that others see, such as `Ada · login form`. If empty, your name in git.",
    },
    Setting {
        name: "claims.automatic",
        kind: SettingKind::Flag,
        default: "true",
        description: "Claim a file with your first unsaved change.",
    },
    Setting {
        name: "claims.leaseMinutes",
        kind: SettingKind::Minutes,
        default: "15",
        description: "How many minutes an automatic claim lasts without being renewed. It is renewed while you edit.",
    },
    Setting {
        name: "claims.idleMinutes",
        kind: SettingKind::Minutes,
        default: "15",
        description: "After how many minutes a saved file that you no longer edit is released.",
    },
    Setting {
        name: "claims.exclude",
        kind: SettingKind::Globs,
        default: "null",
        description: "Globs of files that are never claimed automatically. `null` means the lock files of package managers.",
    },
    Setting {
        name: "claims.exclusive",
        kind: SettingKind::Globs,
        default: "null",
        description: "Globs of files that can't be merged, besides those with git's attribute `lockable`. `null` means none.",
    },
    Setting {
        name: "diagnostics.enable",
        kind: SettingKind::Flag,
        default: "true",
        description: "Show a notice on the first line of a file that somebody else holds.",
    },
    Setting {
        name: "diagnostics.severity",
        kind: SettingKind::Choice(&["default", "error", "warning", "information", "hint"]),
        default: r#""default""#,
        description: "One severity for all of these notices.",
    },
    Setting {
        name: "inlayHints.enable",
        kind: SettingKind::Flag,
        default: "true",
        description: "Show who holds a file at the end of its first line.",
    },
    Setting {
        name: "inlayHints.own",
        kind: SettingKind::Flag,
        default: "false",
        description: "Show this for your own claims too.",
    },
    Setting {
        name: "messages.show",
        kind: SettingKind::Choice(&["direct", "all", "none"]),
        default: r#""direct""#,
        description: "Which new messages pop up.",
    },
    Setting {
        name: "journal.exclude",
        kind: SettingKind::Globs,
        default: "null",
        description: "Globs of files that the journal never keeps. `null` means none.",
    },
    Setting {
        name: "journal.days",
        kind: SettingKind::Number,
        default: "7",
        description: "How many days earlier versions of changed files are kept.",
    },
    Setting {
        name: "journal.megabytes",
        kind: SettingKind::Number,
        default: "1024",
        description: "How many megabytes of them are kept at most.",
    },
    Setting {
        name: "merge.automatic",
        kind: SettingKind::Choice(&["never", "disjoint"]),
        default: r#""never""#,
        description: "Whether to merge others' saved changes into your unsaved text automatically when you changed different lines.",
    },
    Setting {
        name: "quiet",
        kind: SettingKind::Flag,
        default: "false",
        description: "Don't pop anything up. Everything stays visible where you look for it.",
    },
];

impl SettingKind {
    /// What a value has to be, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Minutes => "a number of minutes above 0".to_owned(),
            Self::Number => "a number above 0".to_owned(),
            Self::Globs => "a list of globs".to_owned(),
            Self::Choice([first @ .., last]) => format!("\"{}\" or \"{last}\"", first.join("\", \"")),
            Self::Choice([]) => "nothing".to_owned(),
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Flag => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::Minutes => minutes(value).is_some(),
            Self::Number => value.as_f64().is_some_and(|number| number > 0.0),
            Self::Globs => globs(value).is_some(),
            Self::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        }
    }
}

/// What the settings say.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The coordination directory that the user names.
    pub(super) directory: Option<PathBuf>,
    pub(super) activation: Activation,
    pub(super) session_name: Option<String>,
    /// An edit claims.
    pub(super) automatic: bool,
    pub(super) lease: TimeDelta,
    pub(super) idle: Duration,
    pub(super) exclude: Vec<String>,
    /// What this editor says of what others than it need to know too.
    pub(super) shared: Map<String, Value>,
    /// What somebody else wrote is merged by itself where both changed other lines.
    pub(super) merges: bool,
    pub(super) preferences: Preferences,
    pub(super) show: Show,
    /// Nothing pops up.
    pub(super) is_quiet: bool,
}

/// Where the server works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    #[default]
    /// In git repositories, and wherever a directory exists.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Which messages are shown by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Show {
    #[default]
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
        Self::read(&Value::Null, &Value::Null, &UserSettings::default()).0
    }
}

impl Settings {
    /// Reads the settings: `configured` is what the editor's configuration says and counts most, `initial` came with
    /// `initializationOptions`; `user` says what counts in all programs of the user's.
    pub(super) fn read(initial: &Value, configured: &Value, user: &UserSettings) -> (Self, Vec<Problem>) {
        let (values, problems) = Values::read(initial, configured, user);
        let minutes_of = |name| values.usable.get(name).and_then(minutes).unwrap_or_default();
        let settings = Self {
            directory: values.text("directory").map(PathBuf::from),
            activation: values.get("activation"),
            session_name: values.text("sessionName"),
            automatic: values.get("claims.automatic"),
            lease: TimeDelta::from_std(minutes_of("claims.leaseMinutes")).unwrap_or_default(),
            idle: minutes_of("claims.idleMinutes"),
            exclude: values
                .get::<Option<Vec<String>>>("claims.exclude")
                .unwrap_or_else(|| DEFAULT_EXCLUSIONS.iter().map(|pattern| (*pattern).to_owned()).collect()),
            merges: values.get::<String>("merge.automatic") == "disjoint",
            shared: values.shared.clone(),
            preferences: Preferences {
                diagnostics: values.get("diagnostics.enable"),
                severity: severity(&values.get::<String>("diagnostics.severity")),
                hints: values.get("inlayHints.enable"),
                own_hints: values.get("inlayHints.own"),
            },
            show: values.get("messages.show"),
            is_quiet: values.get("quiet"),
        };
        (settings, problems)
    }
}

/// A usable value for each setting: what was given, else what the user says for all programs, else its default.
struct Values {
    usable: Map<String, Value>,
    /// What the editor gave of what others need to know too.
    shared: Map<String, Value>,
}

impl Values {
    fn read(initial: &Value, configured: &Value, user: &UserSettings) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut report = |name, value: &Value, expected: &str| {
            let given = deconflict_protocol::text::one_line(&value.to_string(), 60);
            problems.push(Problem { name, problem: format!("is {given} but should be {expected}") });
        };
        // A group of settings that is none would otherwise be passed over, with all that was meant by it.
        let mut groups: Vec<&str> = SETTINGS.iter().filter_map(|row| Some(row.name.split_once('.')?.0)).collect();
        groups.dedup();
        for group in groups {
            let given = [configured, initial].into_iter().filter_map(|settings| settings.get(group));
            given
                .filter(|value| !value.is_object() && !value.is_null())
                .for_each(|value| report(group, value, "a group of settings"));
        }
        let (mut values, mut shared) = (Map::new(), Map::new());
        for Setting { name, kind, default, .. } in SETTINGS {
            let sources: &[&Value] =
                if NEVER_FROM_WORKSPACE.contains(&name) { &[initial] } else { &[configured, initial] };
            let given = sources.iter().find_map(|settings| find(settings, name));
            if let Some(wrong) = given.filter(|value| !kind.takes(value)) {
                report(name, wrong, &kind.expected());
            }
            let given = given.filter(|value| kind.takes(value)).cloned();
            let usable = if SHARED.contains(&name) {
                // Some editors give what was never set, too.
                let given = given.filter(|given| !is_default(name, default, given));
                shared.extend(given.clone().map(|given| (name.to_owned(), given)));
                together(said_for_all(user, name), given)
            } else {
                given
            };
            let value = usable.unwrap_or_else(|| serde_json::from_str(default).unwrap_or_default());
            values.insert(name.to_owned(), value);
        }
        (Self { usable: values, shared }, problems)
    }

    /// The value in the form in which it is used.
    fn get<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        self.usable.get(name).cloned().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
    }

    /// A text that may be left empty.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.get::<String>(name).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Finds a setting by its dotted name, nested or written flat. Null is as good as nothing.
fn find<'a>(settings: &'a Value, name: &str) -> Option<&'a Value> {
    let nested = name.split('.').try_fold(settings, |group, key| group.get(key));
    nested.or_else(|| settings.get(name)).filter(|value| !value.is_null())
}

fn minutes(value: &Value) -> Option<Duration> {
    let longest = LONGEST_LEASE.to_std().unwrap_or_default();
    let minutes = value.as_f64().filter(|minutes| *minutes > 0.0)?;
    let duration = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(longest);
    Some(duration.min(longest)).filter(|duration| !duration.is_zero())
}

/// True for a value that counts where none is given: a list of globs that some editors show as such from the beginning, or
/// what the table says.
fn is_default(name: &str, default: &str, value: &Value) -> bool {
    match name {
        "claims.exclude" => *value == Value::from(DEFAULT_EXCLUSIONS),
        "claims.exclusive" | "journal.exclude" => value.as_array().is_some_and(Vec::is_empty),
        _ => serde_json::from_str::<Value>(default).is_ok_and(|default| default == *value),
    }
}

/// What the user says of a setting for all programs.
fn said_for_all(user: &UserSettings, name: &str) -> Option<Value> {
    let globs = |globs: &Option<Vec<String>>| globs.clone().map(Value::from);
    match name {
        "claims.exclude" => globs(&user.claims_exclude),
        "claims.exclusive" => globs(&user.claims_exclusive),
        "journal.exclude" => globs(&user.journal_exclude),
        "journal.days" => user.journal_days.map(Value::from),
        "journal.megabytes" => user.journal_megabytes.map(Value::from),
        "merge.automatic" => user.merge_automatic.clone().map(Value::from),
        _ => None,
    }
}

/// What counts where both the user and the editor say something: an editor's globs add to the user's.
fn together(user: Option<Value>, editor: Option<Value>) -> Option<Value> {
    match (user, editor) {
        (Some(Value::Array(mut all)), Some(Value::Array(more))) => {
            all.extend(more);
            Some(all.into())
        }
        (user, editor) => editor.or(user),
    }
}

/// What an editor adds that others go by, from what it shares.
pub(super) fn journal_settings(shared: &Map<String, Value>) -> EditorSettings {
    EditorSettings {
        exclude: shared.get("journal.exclude").and_then(globs).unwrap_or_default(),
        exclusive: shared.get("claims.exclusive").and_then(globs).unwrap_or_default(),
        days: shared.get("journal.days").and_then(Value::as_f64),
        megabytes: shared.get("journal.megabytes").and_then(Value::as_f64),
    }
}

fn globs(value: &Value) -> Option<Vec<String>> {
    let patterns: Vec<String> =
        value.as_array()?.iter().map(|pattern| pattern.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    Exclusions::new(&patterns).is_some().then_some(patterns)
}

/// None where each notice keeps its own.
fn severity(word: &str) -> Option<DiagnosticSeverity> {
    match word {
        "error" => Some(DiagnosticSeverity::ERROR),
        "warning" => Some(DiagnosticSeverity::WARNING),
        "information" => Some(DiagnosticSeverity::INFORMATION),
        "hint" => Some(DiagnosticSeverity::HINT),
        _ => None,
    }
}
