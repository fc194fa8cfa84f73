//! What is known of each open document, put together for the presentation, and told to the editor where it changed.

use std::collections::BTreeSet;

use chrono::{Local, Offset};
use tower_lsp::ls_types::{PublishDiagnosticsParams, Uri};

use super::announcing::SAME_EDITOR_TIME;
use super::directory::DirectoryContext;
use super::document::{OpenDocument, Unsaved};
use super::server_state::ServerState;
use super::timers::Timer;
use crate::convert;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::Job;
use crate::present::{diagnostics, inlay_hints};
use crate::snapshot::{Audience, Contender, DocumentSnapshot, LostClaim, OthersClaim};
use deconflict_protocol::SessionId;
use deconflict_registry::{Claim, Session};

impl ServerState {
    /// For whom things are put into words, and when.
    pub(super) fn audience(&self) -> Audience {
        Audience {
            now: self.clock.now(),
            local_offset: Local::now().offset().fix(),
            client: self.editor.client,
            preferences: self.settings.preferences,
        }
    }

    /// Tells the editor what reads differently by now.
    pub(super) fn show_what_changed(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        let now = self.now();
        let audience = self.audience();
        let mut hints_differ = false;
        for uri in std::mem::take(&mut self.touched) {
            let limit = self.documents.get(&uri).map(|document| document.publications);
            if let Some(later) = limit.and_then(|limit| limit.delayed_until(now)) {
                self.timers.set_by(Timer::Show(uri), later);
                continue;
            }
            let snapshot = self.snapshot(&uri);
            let snapshot = snapshot.as_ref();
            let diagnostics = snapshot.map(|it| diagnostics::diagnostics(it, &audience)).unwrap_or_default();
            let hint = snapshot.and_then(|it| inlay_hints::reading(it, &audience));
            let Some(document) = self.documents.get_mut(&uri) else { continue };
            document.concerned = snapshot.map(concerned).unwrap_or_default();
            // Whoever ceased to edit it and begins again is news.
            document.acknowledged.retain(|session| document.concerned.contains(session));
            if document.hint != hint || document.published != diagnostics {
                document.publications.count(now);
            }
            if document.hint != hint {
                document.hint = hint;
                hints_differ = true;
            }
            if document.published != diagnostics {
                document.published.clone_from(&diagnostics);
                self.effects.push(Effect::Publish(PublishDiagnosticsParams { uri, diagnostics, version: None }));
            }
        }
        if hints_differ {
            self.refresh_hints();
        }
        self.tell_interest();
    }

    /// Lets the editor ask for inlay hints again, now or as soon as it was not asked too often.
    pub(super) fn refresh_hints(&mut self) {
        let now = self.now();
        if !self.editor.refreshes_hints {
            return;
        }
        if let Some(later) = self.hint_refreshes.delayed_until(now) {
            self.timers.set_by(Timer::RefreshHints, later);
        } else {
            self.hint_refreshes.count(now);
            self.effects.push(Effect::RefreshHints);
        }
    }

    /// Lets the processes of those be watched most closely who are told of in open documents.
    fn tell_interest(&mut self) {
        for (id, directory) in &mut self.directories {
            let here = self.documents.values().filter(|document| document.directory == Some(*id));
            let interest: BTreeSet<SessionId> = here.flat_map(|document| document.concerned.iter().cloned()).collect();
            if directory.interest != interest {
                directory.interest.clone_from(&interest);
                self.effects.push(Effect::Job(*id, Job::Interest(interest.into_iter().collect())));
            }
        }
    }

    /// What is known of a document; `None` where nothing can be.
    pub(super) fn snapshot(&self, uri: &Uri) -> Option<DocumentSnapshot> {
        let document = self.documents.get(uri)?;
        let (id, resource) = document.location()?;
        let directory = self.directories.get(&id)?;
        let resource = resource.clone();
        let is_edited = document.unsaved == Unsaved::Yes;
        let view = directory.view.as_ref();
        let own = directory.own_claim(&resource, self.clock.now());
        let others = view.map(|view| view.obstacles(&resource)).unwrap_or_default();
        let others = others
            .into_iter()
            // The view still shows what was just taken over.
            .filter(|claim| own.is_none_or(|own| own.claim.resource != claim.resource))
            .filter(|claim| !self.is_of_same_window(id, claim))
            .map(|claim| self.others_claim(id, claim, Some(document)))
            .collect();
        let elsewhere = view.map(|view| view.claims_in_other_worktrees(&resource)).unwrap_or_default();
        let elsewhere = elsewhere
            .into_iter()
            .filter(|claim| !directory.is_own(claim))
            .map(|claim| self.others_claim(id, claim, Some(document)))
            .collect();
        let contenders = own.map(|_| self.contenders(directory, document)).unwrap_or_default();
        let lost = document.lost.as_ref().map(|lost| LostClaim {
            successor: view
                .and_then(|view| view.claim_of(&resource))
                // Of a record that was read while a script wrote it, nobody knows whose it is.
                .filter(|claim| claim.holder().is_some() && !directory.is_own(claim))
                .or_else(|| document.blocked.as_ref().map(|blocked| blocked.by.clone()))
                .map(|claim| self.others_claim(id, claim, None)),
            is_acknowledged: lost.is_acknowledged,
        });
        Some(DocumentSnapshot {
            uri: document.uri.clone(),
            coordination_directory: directory.path.clone(),
            first_line_length: convert::first_line_length(&document.text),
            is_edited,
            own_claim: own.map(|own| own.claim.clone()),
            others,
            elsewhere,
            contenders,
            lost,
            losses: directory.losses_in(&resource),
            resource,
        })
    }

    /// A claim by another with what is known of its holder.
    pub(super) fn others_claim(&self, id: DirectoryId, claim: Claim, document: Option<&OpenDocument>) -> OthersClaim {
        let directory = self.directories.get(&id);
        let holder = claim.holder().and_then(|holder| self.session_at(id, holder));
        OthersClaim {
            is_own_window: holder.as_ref().is_some_and(|holder| self.is_own_window(holder)),
            gives_way: directory.is_some_and(|directory| directory.gives_way(&claim)),
            may_be_typing: document.is_some_and(|document| self.may_be_typing(id, &claim, document)),
            is_muted: document.zip(directory).is_some_and(|(document, directory)| {
                directory.muted.contains(&(document.uri.clone(), claim.holding()))
            }),
            holder,
            claim,
        }
    }

    /// True for another editor window of the same person on this machine.
    pub(super) fn is_own_window(&self, session: &Session) -> bool {
        session.is_own() && session.is_editor_of_user(self.user.as_deref())
    }

    fn may_be_typing(&self, id: DirectoryId, claim: &Claim, document: &OpenDocument) -> bool {
        let lasts = self.now().saturating_sub(document.unsaved_since);
        document.unsaved == Unsaved::Yes && lasts < SAME_EDITOR_TIME && self.is_in_same_editor(id, claim)
    }

    fn contenders(&self, directory: &DirectoryContext, document: &OpenDocument) -> Vec<Contender> {
        let (Some(view), Some(resource)) = (&directory.view, document.resource()) else { return Vec::new() };
        view.editors_of(resource)
            .into_iter()
            .filter(|session| !self.works_in_same_editor(session))
            .map(|session| Contender {
                is_own_window: self.is_own_window(&session),
                is_acknowledged: document.acknowledged.contains(&session.id),
                session,
            })
            .collect()
    }
}

/// The sessions that are told of in a document.
fn concerned(snapshot: &DocumentSnapshot) -> Vec<SessionId> {
    let claims = snapshot.others.iter().chain(&snapshot.elsewhere).filter_map(|others| others.claim.holder());
    claims.chain(snapshot.contenders.iter().map(|contender| &contender.session.id)).cloned().collect()
}
