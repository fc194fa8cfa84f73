//! A ticket: who waits for what, in which place.

use serde::{Deserialize, Serialize};

use super::name::PORT;
use super::record::{lenient, lenient_list, lenient_text, typed};
use super::{Naming, ProcessRecord, RecordError, Resource, ResourceType, SessionId};

/// A ticket as it stands in `.queue/{number}-{session}.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketRecord {
    /// Its place in the order of all tickets; the file's name decides.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Who waits.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Since when.
    #[serde(deserialize_with = "lenient_text", skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What for: all of it, or nothing.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<Want>>,
    /// The process that waits.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessRecord>,
    /// True if what the session holds already does not do: each command is a holding of its own.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub apart: Option<bool>,
    /// The ids of the holdings that cannot end before it, because it waits inside of them.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// True if its turn came and it did not take it, so that others go first until it looks again.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// True if its user ended the wait from elsewhere. Whoever waits with it then gives up.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub given_up: Option<bool>,
}

/// So many places of one resource, of several that are as good as each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// What kind of thing it is.
    #[serde(rename = "resource_type")]
    kind: String,
    /// Names that are as good as each other. Of ports `3000-3010` is each of them.
    names: Vec<String>,
    /// How many of them.
    count: usize,
}

impl TicketRecord {
    /// Reads a ticket; one without a session or anything that it waits for is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = typed(bytes)?;
        if record.session.is_none() {
            return Err(RecordError::Missing("session"));
        }
        if record.wants().is_empty() {
            return Err(RecordError::Missing("resources"));
        }
        Ok(record)
    }

    /// What it waits for.
    pub fn wants(&self) -> &[Want] {
        self.resources.as_deref().unwrap_or_default()
    }
}

impl Want {
    /// This very thing.
    pub fn one(resource: &Resource) -> Self {
        Self::some(resource.resource_type(), vec![resource.name().to_owned()], 1)
    }

    /// So many of these.
    pub fn some(kind: &ResourceType, names: Vec<String>, count: usize) -> Self {
        Self { kind: kind.to_string(), names, count }
    }

    /// So many places of a resource that has that many: the first has its own name, the others a number.
    pub fn places(resource: &Resource, places: usize, count: usize) -> Self {
        let name = resource.name();
        let others = (2..=places).map(|place| format!("{name}#{place}"));
        Self::some(resource.resource_type(), std::iter::once(name.to_owned()).chain(others).collect(), count)
    }

    /// So many ports of a range.
    pub fn ports(kind: &ResourceType, from: u16, to: u16, count: usize) -> Self {
        let name = if from == to { from.to_string() } else { format!("{from}-{to}") };
        Self::some(kind, vec![name], count)
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// How many it takes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Each of those that are as good as each other. What no program can name is left out.
    pub fn candidates(&self) -> impl Iterator<Item = Resource> + '_ {
        let kind = ResourceType::foreign(&self.kind).ok();
        let resource = move |name: String| Resource::new(kind.clone()?, &name).ok();
        self.names
            .iter()
            .flat_map(|name| self.range(name).map_or_else(|| Names::One(name), Names::Range))
            .filter_map(resource)
    }

    /// What it is called by those who wait: the resource without the numbers of its places.
    pub fn called(&self) -> String {
        let name = self.names.first().map_or("", String::as_str);
        if self.kind == "resource" { name.to_owned() } else { format!("{} {name}", self.kind) }
    }

    /// True if something would do for both.
    pub fn overlaps(&self, other: &Self, naming: Naming) -> bool {
        if self.kind == PORT && other.kind == PORT {
            let ranges = |want: &Self| want.names.iter().filter_map(|name| want.range(name)).collect::<Vec<_>>();
            let theirs = ranges(other);
            return ranges(self).iter().any(|(from, to)| theirs.iter().any(|(a, b)| from <= b && a <= to));
        }
        self.candidates().any(|mine| {
            other.candidates().any(|theirs| naming.overlap(&mine, &theirs) || naming.key(&mine) == naming.key(&theirs))
        })
    }

    fn range(&self, name: &str) -> Option<(u16, u16)> {
        if self.kind != PORT {
            return None;
        }
        let (from, to) = name.split_once('-').unwrap_or((name, name));
        Some((from.parse().ok()?, to.parse().ok()?)).filter(|(from, to)| from <= to)
    }
}

enum Names<'a> {
    One(&'a str),
    Range((u16, u16)),
}

impl IntoIterator for Names<'_> {
    type Item = String;
    type IntoIter = Box<dyn Iterator<Item = String>>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::One(name) => Box::new(std::iter::once(name.to_owned())),
            Self::Range((from, to)) => Box::new((from..=to).map(|port| port.to_string())),
        }
    }
}
