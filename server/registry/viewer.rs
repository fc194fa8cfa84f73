//! The person who looks.

use deconflict_platform as platform;
use deconflict_protocol::SessionRecord;

/// Who looks at sessions, and to whom their own are `your Neovim`: a user of this machine, and what they are called.
#[derive(Debug, Clone, PartialEq)]
pub struct Viewer {
    record: SessionRecord,
}

impl Viewer {
    /// The user of this process, who is called so.
    pub fn here(person: Option<String>) -> Self {
        let record = SessionRecord {
            user: platform::user_name(),
            host: Some(platform::host_name()),
            person,
            ..SessionRecord::default()
        };
        Self { record }
    }

    /// True for a session of this person.
    pub(super) fn is_person_of(&self, session: &SessionRecord) -> bool {
        self.record.is_of_same_person(session)
    }
}
