//! Questions about a document: hover, inlay hints and code actions.

use tower_lsp::ls_types::Uri;

use super::server_state::ServerState;
use crate::convert;
use crate::event::Request;
use crate::present::{code_actions, hover, inlay_hints};
use crate::snapshot::ActionRequest;
use deconflict_registry::{Session, SessionState};

impl ServerState {
    pub(super) fn answer(&mut self, request: Request) {
        let is_locating = self.is_locating();
        match self.documents.get_mut(request.uri()) {
            None => request.answer_nothing(),
            Some(document) if document.place.is_none() && (document.directory.is_some() || is_locating) => {
                document.waiting.push(request);
            }
            Some(_) => self.answer_now(request),
        }
    }

    /// Answers what waited until it was known where a document is.
    pub(super) fn answer_waiting(&mut self, uri: &Uri) {
        let waiting = self.documents.get_mut(uri).map(|document| std::mem::take(&mut document.waiting));
        for request in waiting.unwrap_or_default() {
            self.answer_now(request);
        }
    }

    fn answer_now(&self, request: Request) {
        let Some(snapshot) = self.snapshot(request.uri()) else { return request.answer_nothing() };
        let audience = self.audience();
        match request {
            Request::Hover(parameters, reply) => {
                let position = parameters.text_document_position_params.position;
                reply.send(Ok(hover::hover(&snapshot, &audience, position)));
            }
            Request::Hints(parameters, reply) => {
                reply.send(Ok(Some(inlay_hints::inlay_hints(&snapshot, &audience, parameters.range))));
            }
            Request::Actions(parameters, reply) => {
                let uri = &parameters.text_document.uri;
                let mut request = ActionRequest {
                    range: parameters.range,
                    selected_text: self.selected_text(uri, parameters.range),
                    context: parameters.context,
                    live_sessions: Vec::new(),
                };
                if code_actions::wants_sources(&request) {
                    request.live_sessions = self.other_live_sessions(uri);
                }
                reply.send(Ok(Some(code_actions::code_actions(&snapshot, &audience, &request))));
            }
        }
    }

    fn selected_text(&self, uri: &Uri, range: tower_lsp::ls_types::Range) -> Option<String> {
        /// A quotation is cut anyway; a selection of a whole huge document is not copied for it.
        const LONGEST: usize = 10_000;
        let text = &self.documents.get(uri)?.text;
        let characters = convert::offsets_of(text, range);
        let end = characters.end.min(characters.start + LONGEST);
        // In some editors the cursor is a selection of the character below it.
        (characters.start + 1 < end).then(|| text.slice(characters.start..end).to_string())
    }

    fn other_live_sessions(&self, uri: &Uri) -> Vec<Session> {
        let directory = self.documents.get(uri).and_then(|it| self.directories.get(&it.directory?));
        let Some((directory, view)) = directory.and_then(|it| Some((it, it.view.as_ref()?))) else { return Vec::new() };
        let own = directory.session().map(|session| &session.id);
        // Nothing is handed to a session of which nobody knows whether it is still there.
        view.sessions().filter(|it| it.state == SessionState::Live && Some(&it.id) != own).collect()
    }
}
