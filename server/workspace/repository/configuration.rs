//! Values of one or several of git's configuration files.

use gix_config::Boolean;
use gix_config::parse::{EventRef, Events};
use gix_config::value::normalize;

/// Values in the order in which git reads them.
#[derive(Debug, Default)]
pub(crate) struct Configuration(Vec<KeyValue>);

/// One value. Names are in small letters, except a subsection's.
#[derive(Debug)]
pub(crate) struct KeyValue {
    pub(crate) section: String,
    pub(crate) subsection: Option<String>,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Configuration {
    /// Reads a file; one that git would not accept says nothing. Includes are followed elsewhere, within limits.
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(events) = Events::from_str(text) else { return Self::default() };
        let mut entries = Vec::new();
        let (mut section, mut subsection) = (String::new(), None);
        let (mut key, mut value, mut is_implied) = (String::new(), String::new(), false);
        for event in events.iter() {
            match event {
                EventRef::SectionHeader { name, subsection_name, .. } => {
                    section = name.to_string().to_ascii_lowercase();
                    subsection = subsection_name.map(ToString::to_string);
                }
                EventRef::SectionValueName(name) => {
                    (key, value, is_implied) = (name.to_string().to_ascii_lowercase(), String::new(), true);
                }
                EventRef::KeyValueSeparator => is_implied = false,
                EventRef::ValueNotDone(part) => value += &part.to_string(),
                EventRef::Value(part) | EventRef::ValueDone(part) => {
                    value += &part.to_string();
                    let value = if is_implied { "true".to_owned() } else { normalize(value.as_str()).to_string() };
                    entries.push(KeyValue {
                        section: section.clone(),
                        subsection: subsection.clone(),
                        key: key.clone(),
                        value,
                    });
                }
                EventRef::Whitespace(_) | EventRef::Newline(_) | EventRef::Comment { .. } => {}
            }
        }
        Self(entries)
    }

    /// Adds a value, which counts more than those before it.
    pub(crate) fn push(&mut self, entry: KeyValue) {
        self.0.push(entry);
    }

    /// The last value of a key, which is the one that counts. Names are in small letters.
    pub(crate) fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).last()
    }

    /// All values of a key, in whichever subsection.
    pub(crate) fn values(&self, section: &str, key: &str) -> impl Iterator<Item = &str> {
        let meant = move |entry: &&KeyValue| entry.section == section && entry.key == key;
        self.0.iter().filter(meant).map(|entry| entry.value.as_str())
    }

    /// True if a key has a value that git takes for true.
    pub(crate) fn is_true(&self, section: &str, key: &str) -> bool {
        self.value(section, key).is_some_and(|value| Boolean::try_from(value).is_ok_and(bool::from))
    }
}

impl FromIterator<KeyValue> for Configuration {
    fn from_iter<Entries: IntoIterator<Item = KeyValue>>(entries: Entries) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl IntoIterator for Configuration {
    type Item = KeyValue;
    type IntoIter = std::vec::IntoIter<KeyValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
