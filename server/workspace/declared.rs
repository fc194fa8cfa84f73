//! What `deconflict.toml` at the root of a repository says of things that are shared and are no files.
//!
//! It is data: names, counts, port ranges, scopes. Nothing in it is run, and no address is taken from it. What is wrong in it
//! is reported with its line, and the rest counts.

use std::ops::Range;
use std::path::Path;

use deconflict_platform::{Links, read_regular};
use deconflict_protocol::ResourceType;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Exclusions;

/// The file's name.
pub const DECLARATIONS: &str = "deconflict.toml";

/// No longer file is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// More places of one thing are a slip.
const MOST_PLACES: i64 = 1000;

/// Whose registry a resource belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// That of the clone: the coordination directory.
    Clone,
    /// That of the machine: the user's own, for all clones.
    Machine,
    /// That of the team, on all machines.
    Team,
}

impl Scope {
    /// The scope of a kind of resource, where nothing else is said: what a machine has once, and what a team has once, if
    /// there is one.
    pub fn of_type(kind: &ResourceType, has_team: impl Fn() -> bool) -> Self {
        match kind.as_str() {
            "port" | "gpu" | "device" => Self::Machine,
            "task" | "droplet" | "deploy" if has_team() => Self::Team,
            _ => Self::Clone,
        }
    }

    /// The scope as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Machine => "machine",
            Self::Team => "team",
        }
    }
}

/// Something that is shared.
#[derive(Debug, Clone)]
pub struct DeclaredResource {
    /// What it is called.
    pub name: String,
    /// What kind of thing it is.
    pub kind: ResourceType,
    /// How many places it has.
    pub count: usize,
    /// Any one of these ports is meant.
    pub ports: Option<(u16, u16)>,
    /// Whose registry it belongs to, where that is said.
    pub scope: Option<Scope>,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// How a command begins that needs it.
    pub command: Option<String>,
}

/// Something that is wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongLine {
    /// Where, from 1 on.
    pub line: usize,
    /// What, in a sentence.
    pub message: String,
}

/// What the file says.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// In the order of their names.
    pub resources: Vec<DeclaredResource>,
    /// Globs of files of which nothing is kept in the journal, beside those that the user names.
    pub journal_exclude: Vec<String>,
    /// What is wrong in it.
    pub wrong: Vec<WrongLine>,
}

impl Declared {
    /// Reads the file below this root. Where there is none nothing is said.
    pub fn read(root: &Path) -> Self {
        let path = root.join(DECLARATIONS);
        match read_regular(&path, Links::Refused, LARGEST) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::parse(&text),
                Err(_) => Self::unreadable("it is not UTF-8"),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(_) if path.is_symlink() => Self::unreadable("it is a link, and only a file counts"),
            Err(error) => Self::unreadable(&error.to_string()),
        }
    }

    /// What is said of this name.
    pub fn resource(&self, name: &str) -> Option<&DeclaredResource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    fn unreadable(why: &str) -> Self {
        let wrong = WrongLine { line: 1, message: format!("It could not be read: {why}.") };
        Self { wrong: vec![wrong], ..Self::default() }
    }

    /// Reads what stands in the file.
    pub fn parse(text: &str) -> Self {
        let mut reading = Reading { text, declared: Self::default() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let message = format!("It is not valid TOML: {}.", error.message());
            reading.say(error.span().unwrap_or_default(), message);
        }
        reading.file(table.get_ref());
        let mut declared = reading.declared;
        declared.wrong.sort_by_key(|wrong| wrong.line);
        declared
    }
}

struct Reading<'a> {
    text: &'a str,
    declared: Declared,
}

impl Reading<'_> {
    fn file(&mut self, file: &DeTable<'_>) {
        for (name, value) in file {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("resources", DeValue::Table(resources)) => {
                    for (name, value) in resources {
                        self.resource(name, value);
                    }
                }
                ("journal", DeValue::Table(journal)) => self.journal(journal),
                (known @ ("resources" | "journal"), _) => {
                    self.say(value.span(), format!("{known} should be a table."));
                }
                (unknown, _) => self.say(name.span(), format!("\"{unknown}\" has no meaning here.")),
            }
        }
    }

    fn journal(&mut self, journal: &DeTable<'_>) {
        for (name, value) in journal {
            if name.get_ref() != "exclude" {
                self.say(name.span(), format!("journal has no \"{}\".", name.get_ref()));
                continue;
            }
            let globs = value.get_ref().as_array().and_then(|globs| {
                globs.iter().map(|glob| glob.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            match globs.filter(|globs| Exclusions::new(globs).is_some()) {
                Some(globs) => self.declared.journal_exclude = globs,
                None => self.say(value.span(), "journal.exclude should be a list of globs.".to_owned()),
            }
        }
    }

    fn resource(&mut self, name: &Spanned<toml::de::DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let called = name.get_ref().to_string();
        let DeValue::Table(table) = value.get_ref() else {
            return self.say(value.span(), format!("resources.{called} should be a table: [resources.{called}]."));
        };
        if called.is_empty() || called.contains(['*', ',', '=', ':', '#']) || called.chars().any(char::is_control) {
            return self.say(name.span(), format!("A resource cannot be called \"{called}\"."));
        }
        let mut found = DeclaredResource {
            name: called.clone(),
            kind: ResourceType::resource(),
            count: 1,
            ports: None,
            scope: None,
            description: None,
            command: None,
        };
        for (key, value) in table {
            let text = value.get_ref().as_str();
            let expected = match key.get_ref().as_ref() {
                "type" => match text.map(ResourceType::new) {
                    Some(Ok(kind)) if !matches!(kind.as_str(), "file" | "directory") => {
                        found.kind = kind;
                        None
                    }
                    _ => Some("a word in lower case, and neither file nor directory"),
                },
                "count" => match integer(value.get_ref()).filter(|count| (1..=MOST_PLACES).contains(count)) {
                    Some(count) => {
                        found.count = usize::try_from(count).unwrap_or(1);
                        None
                    }
                    None => Some("a number from 1 to 1000"),
                },
                "ports" => match text.and_then(port_range) {
                    Some(ports) => {
                        found.ports = Some(ports);
                        None
                    }
                    None => Some("a range such as \"3000-3010\""),
                },
                "scope" => match text {
                    Some(word @ ("clone" | "machine" | "team")) => {
                        let scopes = [Scope::Clone, Scope::Machine, Scope::Team];
                        found.scope = scopes.into_iter().find(|scope| scope.as_str() == word);
                        None
                    }
                    _ => Some("\"clone\", \"machine\" or \"team\""),
                },
                "description" => {
                    found.description = text.map(str::to_owned);
                    text.is_none().then_some("a text")
                }
                "match" => {
                    found.command = text.map(str::to_owned).filter(|text| !text.trim().is_empty());
                    found.command.is_none().then_some("the beginning of a command line")
                }
                unknown => {
                    self.say(key.span(), format!("A resource has no \"{unknown}\"."));
                    None
                }
            };
            // Where no value could be read that is told already.
            if let Some(expected) = expected.filter(|_| !value.span().is_empty()) {
                self.say(value.span(), format!("resources.{called}.{} should be {expected}.", key.get_ref()));
            }
        }
        self.check_ports(&mut found, table);
        self.declared.resources.push(found);
    }

    /// A range of ports is a port without saying so, and nothing else, and has as many places as ports.
    fn check_ports(&mut self, found: &mut DeclaredResource, table: &DeTable<'_>) {
        let place = |key: &str| table.get(key).map_or(0..0, Spanned::span);
        if found.ports.is_none() {
            if found.kind == ResourceType::port() && !table.contains_key("ports") {
                found.kind = ResourceType::resource();
                let message = format!("resources.{0} has no ports. For example: ports = \"3000-3010\".", found.name);
                self.say(place("type"), message);
            }
            return;
        }
        if ![ResourceType::resource(), ResourceType::port()].contains(&found.kind) {
            self.say(place("type"), format!("resources.{} has ports, so its type is port.", found.name));
        }
        found.kind = ResourceType::port();
        if table.contains_key("count") {
            let message = format!("resources.{} has as many places as ports, so it takes no count.", found.name);
            self.say(place("count"), message);
            found.count = 1;
        }
    }

    /// What is wrong in a line is said once: whatever cannot be read there also has no meaning.
    fn say(&mut self, at: Range<usize>, message: String) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        if self.declared.wrong.iter().all(|known| known.line != line) {
            self.declared.wrong.push(WrongLine { line, message });
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let DeValue::Integer(number) = value else { return None };
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A port, or all from one to another.
pub fn port_range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from > 0 && from <= to).then_some((from, to))
}
