//! A registry whose time stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use deconflict_platform::clock::ManualClock;
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{ClaimOutcome, Draft, Message, NewSession, Recipient, Registry, Session, Terms};

use super::{Coordination, Workspace};

/// A workspace's registry, reached through its verbs. What a test asks of it beyond this stands in that test's file.
pub(crate) struct Office {
    pub(crate) workspace: Workspace,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
}

impl Office {
    pub(crate) fn new() -> Self {
        let workspace = Workspace::plain();
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let registry = Registry::create(&workspace.root().join("COORDINATION"), clock.clone()).unwrap();
        Self { workspace, registry, clock }
    }

    /// The directory as its files, past the verbs.
    pub(crate) fn coordination(&self) -> Coordination {
        self.workspace.coordination()
    }

    pub(crate) fn register(&self, new: NewSession) -> Session {
        self.registry.register(new).unwrap()
    }

    pub(crate) fn session(&self, id: &str) -> SessionId {
        let name = Some(id.to_owned());
        self.register(NewSession { id: Some(SessionId::new(id).unwrap()), name, ..NewSession::default() }).id
    }

    /// Claims a file that nobody else holds.
    pub(crate) fn claim(&self, session: &SessionId, path: &str, terms: &Terms) {
        let outcome = self.registry.claim(session, &Resource::file(path).unwrap(), terms).unwrap();
        assert!(matches!(outcome, ClaimOutcome::Granted { .. }), "{outcome:?}");
    }

    /// Sends a note. The next one is sent a moment later, so that they have an order.
    pub(crate) fn send(&self, from: &SessionId, to: &Recipient, text: &str) -> Message {
        let draft = Draft { message: text.to_owned(), ..Draft::new(MessageKind::Note) };
        let message = self.registry.send(from, to, &draft).unwrap();
        self.clock.advance(Duration::from_millis(1));
        message
    }
}
