//! The messages that this program writes by itself.

use serde_json::{Map, Value};

use super::messages::Draft;
use deconflict_protocol::text::{count, one_line};
use deconflict_protocol::{MessageKind, Resource, SessionId};

/// A resource's name in a message is cut after so many characters.
const LONGEST_NAME: usize = 120;

impl Draft {
    /// Asks a holder for a release. Of several with one `id`, a reader sees one.
    pub fn release_request(resource: &Resource, message: String, id: Option<String>) -> Self {
        let subject = format!("Please release {}", named(resource));
        Self { id, ..Self::about(MessageKind::ReleaseRequest, resource, subject, message) }
    }

    /// Tells whoever asked for it that something is free.
    pub(super) fn released(resource: &Resource, claim_id: Option<&str>, asker: &SessionId) -> Self {
        let name = named(resource);
        let id = claim_id.map(|id| format!("released-{id}-{asker}"));
        Self {
            id,
            ..Self::about(MessageKind::Released, resource, format!("Released {name}"), format!("{name} is free now."))
        }
    }

    pub(super) fn taken_over(resource: &Resource, claim_id: Option<&str>, displaced: &SessionId) -> Self {
        let name = named(resource);
        let text = format!("Your claim of {name} was taken over; look at the file before you go on.");
        let id = claim_id.map(|id| format!("taken-over-{id}-{displaced}"));
        Self { id, ..Self::about(MessageKind::TakenOver, resource, format!("{name} was taken over"), text) }
    }

    pub(super) fn handed_off(resource: &Resource, notes: Option<&str>) -> Self {
        let subject = format!("{} is yours now", named(resource));
        Self::about(MessageKind::HandOff, resource, subject, notes.unwrap_or("You hold it now.").to_owned())
    }

    /// Tells a session that it wrote over a claim without asking, so that it can look before it goes on.
    pub fn overwritten(resource: &Resource, claim_id: Option<&str>) -> Self {
        let name = named(resource);
        let text = format!(
            "Your claim of {name} was written over mine, and I was not asked. Please talk to me before you edit it."
        );
        let id = claim_id.map(|id| format!("overwritten-{id}"));
        Self { id, ..Self::about(MessageKind::Note, resource, format!("{name} was already claimed"), text) }
    }

    fn about(kind: MessageKind, resource: &Resource, subject: String, message: String) -> Self {
        Self { subject, message, resource: Some(resource.clone()), ..Self::new(kind) }
    }
}

/// Work that is done, of which the original tells every session.
#[derive(Debug, Clone, Default)]
pub struct CompletedWork {
    /// What it was done on.
    pub resources: Vec<Resource>,
    /// The phase that is completed.
    pub phase: Option<String>,
    /// The phase that comes next.
    pub next_phase: Option<String>,
    /// The files that were modified.
    pub files: Vec<String>,
    /// Whether the tests pass.
    pub tests_passing: Option<bool>,
}

impl CompletedWork {
    /// The message that tells of it.
    pub fn draft(self) -> Draft {
        let names: Vec<&str> = self.resources.iter().map(Resource::name).collect();
        let what = match &names[..] {
            [one] => (*one).to_owned(),
            several => count(several.len(), "resource"),
        };
        let subject = match &self.phase {
            Some(phase) => format!("{what} {phase} phase complete"),
            None => format!("{what} complete"),
        };
        let next = self.next_phase.as_ref().map_or_else(String::new, |next| format!(" Next phase: {next}."));
        let tests = match self.tests_passing {
            Some(true) => " The tests pass.",
            Some(false) => " The tests do not pass.",
            None => "",
        };
        let facts = [
            ("resource", Some(names.join(", ").into())),
            ("phase_completed", self.phase.map(Value::from)),
            ("next_phase", self.next_phase.map(Value::from)),
            ("files_modified", Some(self.files).filter(|files| !files.is_empty()).map(Value::from)),
            ("tests_passing", self.tests_passing.map(Value::from)),
        ];
        let details: Map<String, Value> =
            facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect();
        Draft {
            message: format!("{subject}.{next}{tests}"),
            subject,
            details: details.into(),
            resource: match <[Resource; 1]>::try_from(self.resources) {
                Ok([one]) => Some(one),
                Err(_) => None,
            },
            ..Draft::new(MessageKind::WorkCompleted)
        }
    }
}

fn named(resource: &Resource) -> String {
    one_line(&resource.display_name(), LONGEST_NAME)
}
