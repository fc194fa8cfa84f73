//! The person who looks.

use std::fmt;
use std::sync::{Arc, LazyLock};

use deconflict_platform as platform;
use deconflict_protocol::SessionRecord;

/// Who looks at sessions, and to whom their own are `your Neovim`: a user of this machine, and what they are called.
pub struct Viewer {
    user: Option<String>,
    host: String,
    called: LazyLock<Called, Box<dyn FnOnce() -> Called + Send>>,
}

/// What a person is called, who may have no name; `None` for whoever is no person.
type Called = Option<Option<String>>;

impl Viewer {
    /// The user of this process. What they are called is asked when it first matters; with `None` nothing is theirs.
    pub fn here(called: impl FnOnce() -> Called + Send + 'static) -> Self {
        Self { user: platform::user_name(), host: platform::host_name(), called: LazyLock::new(Box::new(called)) }
    }

    /// True for a session of this person.
    pub(super) fn is_person_of(&self, session: &SessionRecord) -> bool {
        // Asking what people are called reads git's settings.
        let may_be = self.user.is_some() && self.user == session.user && session.host.as_ref() == Some(&self.host);
        may_be && self.called.as_ref().is_some_and(|person| *person == session.person)
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer").field("user", &self.user).field("host", &self.host).finish_non_exhaustive()
    }
}

/// The person who looks at a session, if one does.
#[derive(Debug, Clone, Default)]
pub struct SeenBy(pub(super) Option<Arc<Viewer>>);

/// Sessions are the same whoever looks at them.
impl PartialEq for SeenBy {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
