//! What users ask for by commands. Every fact is looked up when the command runs, never taken from the menu that it
//! came from.

use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::session_context::{SessionContext, refused};
use crate::command::{About, EditorCommand, HandOff, MessageToSend, Mute, Target, WaitToEnd, Work};
use crate::job::{Consequence, InTheWay, Purpose, Refusal};
use crate::{convert, json as forms};
use deconflict_platform::cache_directory;
use deconflict_protocol::{MessageKind, Resource, SessionId, text, time};
use deconflict_registry::{
    Activity, Claim, ClaimOutcome, Draft, Error, HandOffOutcome, MessageId, Recipient, Registry, ReleaseOutcome,
    Session, Taken, Terms, TicketKey, Turn, board_below,
};
use deconflict_words::documents;
use deconflict_workspace::Kind;

/// What is answered to a command.
pub(super) type CommandResult = Result<Value, Refusal>;

impl SessionContext {
    /// Runs a command.
    pub(super) fn execute(&mut self, command: EditorCommand) -> (CommandResult, Vec<Consequence>) {
        let mut changed = Vec::new();
        let answer = match command {
            EditorCommand::Claim(about) => self.claim_by_hand(&about, false, &mut changed),
            EditorCommand::Release(about) => self.release(&about, &mut changed),
            EditorCommand::ReleaseAll(_) => self.release_all(&mut changed),
            EditorCommand::TakeOver(it) => self.take_over(&it.about, it.force.unwrap_or(false), &mut changed),
            EditorCommand::RequestRelease(it) => self.request_release(&it.about, it.message, &mut changed),
            EditorCommand::SendMessage(Some(message)) => self.send(*message),
            EditorCommand::Messages(filter) => match &filter.with {
                Some(session) => self.conversation(session),
                None => self.messages(filter.unread_only.unwrap_or(false), &mut changed),
            },
            EditorCommand::MarkRead(read) => self.mark_read(&read.ids, &mut changed),
            EditorCommand::HandOff(Some(hand_off)) => self.hand_off(&hand_off, &mut changed),
            EditorCommand::SetWork(work) => self.heartbeat(&activity(work.as_deref())),
            EditorCommand::Heartbeat(it) => {
                self.heartbeat(&Activity::new(it.action.as_deref().unwrap_or("working"), None))
            }
            EditorCommand::LeaveQueue(wait) => self.end_wait(&wait),
            EditorCommand::Status(_) => self.status(),
            EditorCommand::ShowBoard(_) => self.show_board(&mut changed),
            EditorCommand::Restore(it) => self.restore(&it, &mut changed),
            EditorCommand::Merge(it) => self.merge(it, &mut changed),
            EditorCommand::History(it) => match (it.uri, it.entry, it.session) {
                (Some(uri), Some(entry), _) => self.change_with_texts(uri, &entry),
                (Some(uri), None, Some(session)) => self.changes_of(uri, &session),
                (uri, ..) => self.history(uri),
            },
            EditorCommand::Blame(it) => self.blame(&it),
            EditorCommand::ShowChanges(it) => self.show_changes(&it, &mut changed),
            EditorCommand::TellWhenFree(it) => self.named(&it.about.target).map(|resource| {
                let awaits = if it.machine { Consequence::AwaitsOfMachine } else { Consequence::Awaits };
                changed.push(awaits(resource));
                json!({ "ok": true })
            }),
            EditorCommand::SendMessage(None) => self.which_session(Purpose::Message),
            EditorCommand::HandOff(None) => self.which_session(Purpose::HandOff),
            EditorCommand::Mute(Some(mute)) => self.mute(&mute, &mut changed),
            EditorCommand::Mute(None) => self.which_session(Purpose::Mute),
            // What a diagnostic says is known to the state alone.
            EditorCommand::Acknowledge(_) => Err(Refusal::NotThere),
        };
        (answer, changed)
    }

    fn which_session(&mut self, purpose: Purpose) -> CommandResult {
        let live = self.live_sessions()?;
        Err(Refusal::WhichSession(purpose, live))
    }

    fn heartbeat(&mut self, activity: &Activity) -> CommandResult {
        self.with_session(true, |registry, session| registry.heartbeat(session, activity))?;
        Ok(json!({ "ok": true }))
    }

    fn claim_by_hand(&mut self, about: &About, force: bool, changed: &mut Vec<Consequence>) -> CommandResult {
        let resource = self.named(&about.target)?;
        let path = self.path_of(&about.target).unwrap_or_else(|_| self.location.workspace.clone());
        let terms = Terms { force, ..Self::terms(&resource, &path) };
        if !force {
            return self.claim_in_turn(resource, &terms, changed);
        }
        match self.claim(&resource, &terms)? {
            ClaimOutcome::Granted { claim, took_over } => {
                changed.push(Consequence::Holds(claim.clone()));
                let took_over = took_over.as_ref().map(|claim| documents::claim(claim, None));
                Ok(json!({ "ok": true, "claim": documents::claim(&claim, None), "tookOver": took_over }))
            }
            ClaimOutcome::AlreadyHeld { claim } => {
                changed.push(Consequence::Holds(claim.clone()));
                Ok(json!({ "ok": true, "claim": documents::claim(&claim, None) }))
            }
            ClaimOutcome::Refused { by } => Err(Refusal::Claimed(resource, self.in_the_way(by))),
        }
    }

    /// Claims what nobody holds, unless somebody waits for it.
    fn claim_in_turn(&mut self, resource: Resource, terms: &Terms, changed: &mut Vec<Consequence>) -> CommandResult {
        match self.take(&resource, terms)? {
            Turn::Taken(got) => {
                let Some(Taken::Granted(one)) = got.into_iter().flatten().next() else {
                    return Err(Refusal::NotHeld(resource));
                };
                changed.push(Consequence::Holds(one.claim.clone()));
                let mut answer = json!({ "ok": true, "claim": documents::claim(&one.claim, None) });
                if one.is_new {
                    answer["tookOver"] = one.took_over.as_ref().map(|claim| documents::claim(claim, None)).into();
                }
                Ok(answer)
            }
            Turn::Queued(mut queued) if !queued.obstacles.is_empty() => {
                Err(Refusal::Claimed(resource, self.in_the_way(queued.obstacles.remove(0).by)))
            }
            Turn::Queued(queued) => {
                let ahead = self.with_session(false, |registry, _| {
                    let name = |id| Ok(registry.session(id)?.map_or_else(|| id.to_string(), |it| it.label()));
                    queued.ahead.iter().map(name).collect::<Result<Vec<String>, Error>>()
                })?;
                Err(Refusal::Queued(resource, ahead))
            }
            // Only of those who wait.
            Turn::Circle(_) | Turn::GivenUp => Err(Refusal::NotWaiting),
        }
    }

    /// Ends a wait of the user's own: in a terminal, or of an agent.
    fn end_wait(&mut self, wait: &WaitToEnd) -> CommandResult {
        let key = TicketKey::parse(&wait.ticket).ok_or(Refusal::NotWaiting)?;
        let end = |registry: &Registry| -> Result<bool, Error> {
            let places = registry.places_in_line()?;
            let place = places.iter().find(|place| *place.key() == key);
            let is_own = place.and_then(|place| place.session.as_ref()).is_some_and(Session::is_own);
            Ok(is_own && registry.end_wait(&key)?)
        };
        let is_ended = match self.machine_registry().filter(|_| wait.machine) {
            Some(machine) => end(&machine).map_err(|error| refused(&error))?,
            None => self.with_session(false, |registry, _| end(registry))?,
        };
        if is_ended { Ok(json!({ "ok": true })) } else { Err(Refusal::NotWaiting) }
    }

    fn release(&mut self, about: &About, changed: &mut Vec<Consequence>) -> CommandResult {
        let resource = self.unchanged(about)?;
        match self.with_session(false, |registry, session| registry.release(session, &resource))? {
            ReleaseOutcome::Released(claim) => {
                changed.push(Consequence::Freed(claim.clone()));
                Ok(json!({ "ok": true, "claim": documents::claim(&claim, None) }))
            }
            ReleaseOutcome::NotHolder(claim) => Err(Refusal::NotHolder(resource, self.in_the_way(claim))),
            ReleaseOutcome::NotFound => Err(Refusal::NotHeld(resource)),
        }
    }

    fn release_all(&mut self, changed: &mut Vec<Consequence>) -> CommandResult {
        if self.awaits_directory() {
            return Ok(json!({ "ok": true, "released": [] }));
        }
        let released = self.with_session(false, Registry::release_all)?;
        changed.extend(released.iter().cloned().map(Consequence::Freed));
        let released: Vec<Value> = released.iter().map(|claim| documents::claim(claim, None)).collect();
        Ok(json!({ "ok": true, "released": released }))
    }

    fn take_over(&mut self, about: &About, force: bool, changed: &mut Vec<Consequence>) -> CommandResult {
        if let Some(expected) = &about.expected {
            let resource = self.named(&about.target)?;
            let obstacles = self.with_session(false, |registry, session| registry.obstacles(session, &resource))?;
            if let Some(other) = obstacles.into_iter().find(|claim| claim.is_active() && !expected.is(claim)) {
                return Err(Refusal::Claimed(resource, self.in_the_way(other)));
            }
        }
        self.claim_by_hand(about, force, changed)
    }

    fn request_release(
        &mut self,
        about: &About,
        message: Option<String>,
        changed: &mut Vec<Consequence>,
    ) -> CommandResult {
        let resource = self.named(&about.target)?;
        let (own, others): (Vec<Claim>, Vec<Claim>) = self.with_session(false, |registry, session| {
            Ok(registry.claims_on(&resource)?.into_iter().partition(|claim| claim.held_by(session)))
        })?;
        let found = others.into_iter().find_map(|claim| claim.holder().cloned().map(|holder| (claim, holder)));
        let Some((claim, holder)) = found else {
            return Err(if own.is_empty() { Refusal::NotHeld(resource) } else { Refusal::HeldByAsker(resource) });
        };
        if about.expected.as_ref().is_some_and(|expected| !expected.is(&claim)) {
            return Err(Refusal::Changed(resource));
        }
        // Nobody would read what is asked of an agent whose turn is over, and its user may have it anyway.
        if let Some(name) = self.yields(&claim)? {
            changed.push(Consequence::Yielded(claim.resource.clone(), name));
            return Ok(json!({ "ok": true, "yielded": true }));
        }
        if !claim.allows_coordination() {
            return Err(Refusal::NoCoordination(resource, self.in_the_way(claim)));
        }
        let name = text::one_line(&claim.resource.display_name(), 120);
        let text = message.unwrap_or_else(|| format!("I would like to edit {name}."));
        let draft = Draft::release_request(&claim.resource, text, None);
        self.send_draft(&Recipient::Session(holder), &draft)
    }

    /// Has an agent of the user's give something up if its turn is over. Returns what it is called.
    fn yields(&mut self, claim: &Claim) -> Result<Option<String>, Refusal> {
        self.with_session(false, |registry, session| {
            let Some(agent) = deconflict_changes::who_gives_way(registry, session, claim)? else { return Ok(None) };
            match registry.release_of_waiting(&agent, &claim.resource)? {
                ReleaseOutcome::Released(_) => Ok(registry.session(&agent)?.map(|agent| agent.label())),
                ReleaseOutcome::NotHolder(_) | ReleaseOutcome::NotFound => Ok(None),
            }
        })
    }

    fn send(&mut self, message: MessageToSend) -> CommandResult {
        let recipient = if deconflict_protocol::is_broadcast(&message.to) {
            Recipient::Everyone
        } else {
            Recipient::Session(self.known_id(&message.to)?)
        };
        // A message about a file elsewhere is still a message.
        let resource = message.uri.and_then(|uri| self.named(&Target::Uri(uri)).ok());
        let draft = Draft {
            subject: message.subject,
            message: message.message,
            in_reply_to: message.in_reply_to,
            resource,
            ..Draft::new(MessageKind::Note)
        };
        self.send_draft(&recipient, &draft)
    }

    fn send_draft(&mut self, to: &Recipient, draft: &Draft) -> CommandResult {
        let sent = self.with_session(true, |registry, session| {
            registry.send(session, to, draft).map(Ok).or_else(|error| match (&error, to) {
                // The recipient's, not the sender's own session.
                (Error::UnknownSession { id } | Error::EndedSession { id }, Recipient::Session(to)) if id == to => {
                    Ok(Err(id.to_string()))
                }
                _ => Err(error),
            })
        })?;
        match sent {
            Ok(message) => Ok(json!({ "ok": true, "message": documents::message(&message) })),
            Err(id) => Err(Refusal::UnknownSession(id, self.live_sessions().unwrap_or_default())),
        }
    }

    fn messages(&mut self, unread_only: bool, changed: &mut Vec<Consequence>) -> CommandResult {
        if self.awaits_directory() {
            return Ok(json!({ "ok": true, "messages": [] }));
        }
        let (messages, sessions) =
            self.with_session(false, |registry, session| Ok((registry.messages(session)?, registry.sessions()?)))?;
        let listed: Vec<Value> = messages
            .iter()
            .filter(|message| message.unread || !unread_only)
            .map(|message| {
                let path = message.resource().and_then(|resource| self.namer.path_of(&resource));
                forms::listed_message(message, &sessions, path.as_deref())
            })
            .collect();
        changed.push(Consequence::Unread(messages.into_iter().filter(|message| message.unread).collect()));
        Ok(json!({ "ok": true, "messages": listed }))
    }

    /// What this session and another wrote to each other, oldest first.
    fn conversation(&mut self, with: &str) -> CommandResult {
        if self.awaits_directory() {
            return Ok(json!({ "ok": true, "messages": [] }));
        }
        let other = self.known_id(with)?;
        let (messages, sessions) = self.with_session(false, |registry, session| {
            Ok((registry.conversation(session, &other)?, registry.sessions()?))
        })?;
        let listed = messages.iter().map(|message| {
            let path = message.resource().and_then(|resource| self.namer.path_of(&resource));
            forms::listed_message(message, &sessions, path.as_deref())
        });
        Ok(json!({ "ok": true, "messages": listed.collect::<Vec<_>>() }))
    }

    fn mark_read(&mut self, ids: &[String], changed: &mut Vec<Consequence>) -> CommandResult {
        let ids: Vec<MessageId> = ids.iter().map(MessageId::new).collect();
        let marked = self.with_session(false, |registry, session| registry.mark_read(session, &ids))?;
        changed.push(Consequence::Read(ids));
        Ok(json!({ "ok": true, "marked": marked }))
    }

    /// Mutes a live session for so many minutes; for none ends it.
    fn mute(&mut self, mute: &Mute, changed: &mut Vec<Consequence>) -> CommandResult {
        let other = self.known_id(&mute.session)?;
        let is_live = self
            .with_session(true, |registry, _| Ok(registry.session(&other)?.is_some_and(|session| session.is_live())))?;
        if !is_live {
            return Err(Refusal::UnknownSession(mute.session.clone(), self.live_sessions().unwrap_or_default()));
        }
        let until = self.clock.now() + TimeDelta::minutes(i64::from(mute.minutes));
        let muted = self.with_session(true, |registry, session| match mute.minutes {
            0 => registry.unmute(session, Some(&other)),
            _ => registry.mute(session, &other, until),
        })?;
        changed.push(Consequence::Muted(muted));
        Ok(json!({ "ok": true, "until": time::format(until) }))
    }

    fn hand_off(&mut self, hand_off: &HandOff, changed: &mut Vec<Consequence>) -> CommandResult {
        let resource = self.unchanged(&hand_off.about)?;
        let to = self.known_id(&hand_off.to)?;
        let notes = hand_off.notes.as_deref();
        if self.membership.as_ref().is_some_and(|membership| membership.session == to) {
            return self.which_session(Purpose::HandOff);
        }
        match self.with_session(false, |registry, session| registry.hand_off(session, &resource, &to, notes))? {
            HandOffOutcome::HandedOff(claim) => {
                changed.push(Consequence::HandedOff(claim.resource.clone()));
                Ok(json!({ "ok": true, "claim": documents::claim(&claim, None) }))
            }
            HandOffOutcome::NotHolder(claim) => Err(Refusal::NotHolder(resource, self.in_the_way(claim))),
            HandOffOutcome::NotFound => Err(Refusal::NotHeld(resource)),
            HandOffOutcome::Refused { by } => Err(Refusal::KeepsOverlapping(resource, self.in_the_way(by))),
            HandOffOutcome::RecipientNotLive(Some(session)) => Err(Refusal::NotLive(Box::new(session))),
            HandOffOutcome::RecipientNotLive(None) => {
                Err(Refusal::UnknownSession(to.to_string(), self.live_sessions().unwrap_or_default()))
            }
        }
    }

    fn status(&mut self) -> CommandResult {
        if self.awaits_directory() {
            self.find_directory();
        }
        let Some(membership) = &self.membership else { return Ok(forms::no_status()) };
        let overview = match membership.registry.overview() {
            Ok(overview) => overview.as_seen_by(&membership.session, self.clock.now()),
            Err(Error::Missing { .. }) => return Ok(forms::no_status()),
            Err(error) => return Err(refused(&error)),
        };
        let own = overview.sessions.iter().find(|session| session.id == membership.session).map(documents::session);
        let unread = if membership.is_writable {
            let messages = membership.registry.messages(&membership.session).map_err(|error| refused(&error))?;
            messages.iter().filter(|message| message.unread).count()
        } else {
            0
        };
        let places = membership.registry.places_in_line().map_err(|error| refused(&error))?;
        let now = self.clock.now();
        let mut findings: Vec<Value> =
            overview.coordination_needed.iter().map(|concern| forms::listed_finding(concern, now)).collect();
        findings.extend(membership.access.iter().flat_map(|access| access.unsettled(self.clock.now())));
        Ok(json!({
            "ok": true,
            "session": own,
            "sessions": overview
                .sessions
                .iter()
                .map(|session| forms::in_repository(forms::listed_session(session, &membership.session), self.directory()))
                .collect::<Vec<_>>(),
            "claims": overview
                .claims
                .iter()
                .map(|claim| {
                    let path = self.namer.path_of(&claim.resource);
                    let listed = forms::listed_claim(claim, &overview.sessions, &membership.session, path.as_deref());
                    forms::in_repository(listed, self.directory())
                })
                .collect::<Vec<_>>(),
            "waiting": places
                .iter()
                .map(|place| forms::in_repository(forms::listed_place(place, self.clock.now()), self.directory()))
                .collect::<Vec<_>>(),
            "machine": self.of_machine(),
            "messages": { "unread": unread },
            "coordinationNeeded": findings,
        }))
    }

    /// Who has what of what the machine has once, for all clones, and who waits for it. What cannot be read is left out.
    fn of_machine(&self) -> Value {
        let Some(registry) = self.machine_registry() else { return json!({ "claims": [], "waiting": [] }) };
        let (claims, sessions) = (registry.claims().unwrap_or_default(), registry.sessions().unwrap_or_default());
        let places = registry.places_in_line().unwrap_or_default();
        let held = claims.iter().filter(|claim| claim.stands_against(None)).map(|claim| {
            let holder = sessions.iter().find(|session| claim.held_by(&session.id));
            forms::of_machine(forms::told_claim(claim, holder))
        });
        let waiting = places.iter().map(|place| forms::of_machine(forms::listed_place(place, self.clock.now())));
        json!({ "claims": held.collect::<Vec<_>>(), "waiting": waiting.collect::<Vec<_>>() })
    }

    fn show_board(&mut self, changed: &mut Vec<Consequence>) -> CommandResult {
        let text = self.with_session(false, |registry, _| {
            registry.refresh_board()?;
            registry.board_text()
        })?;
        let path = board_below(self.directory());
        changed.push(Consequence::Show(path.clone()));
        Ok(json!({ "ok": true, "path": path, "text": text }))
    }

    fn live_sessions(&mut self) -> Result<Vec<String>, Refusal> {
        self.with_session(false, |registry, own| {
            let sessions = registry.live_sessions()?;
            let others = sessions.iter().filter(|session| session.id != *own);
            Ok(others.map(Session::label_and_id).collect())
        })
    }

    pub(super) fn known_id(&mut self, id: &str) -> Result<SessionId, Refusal> {
        let meant = self.with_session(false, |registry, _| registry.sessions_called(id))?;
        match &meant[..] {
            [one] => Ok(one.id.clone()),
            [] => SessionId::foreign(id)
                .map_err(|_| Refusal::UnknownSession(id.to_owned(), self.live_sessions().unwrap_or_default())),
            several => Err(Refusal::UnknownSession(id.to_owned(), several.iter().map(Session::label_and_id).collect())),
        }
    }

    /// What a command is about, unless it changed hands since the menu was made. What the menu of a document calls its
    /// claim may be that of a folder above it.
    fn unchanged(&mut self, about: &About) -> Result<Resource, Refusal> {
        let named = self.named(&about.target)?;
        let Some(expected) = &about.expected else { return Ok(named) };
        let resource = expected.resource().unwrap_or(named);
        match self.with_session(false, |registry, _| registry.claim_of(&resource))? {
            Some(claim) if !expected.is(&claim) => Err(Refusal::Changed(resource)),
            _ => Ok(resource),
        }
    }

    pub(super) fn named(&self, target: &Target) -> Result<Resource, Refusal> {
        if let Target::Resource(resource) = target {
            return Ok(resource.clone());
        }
        let path = self.path_of(target)?;
        self.namer.resource(&path, Kind::at(&path)).map_err(|error| Refusal::Outside(error.to_string()))
    }

    pub(super) fn path_of(&self, target: &Target) -> Result<PathBuf, Refusal> {
        let (path, name) = match target {
            Target::Uri(uri) => (convert::path_of(uri), uri.to_string()),
            Target::Resource(resource) => (self.namer.path_of(resource), resource.display_name()),
            Target::OnlyDocument => (None, "what no document is open for".to_owned()),
        };
        path.ok_or_else(|| Refusal::Outside(format!("{name} is not a file or folder on this disk.")))
    }

    pub(super) fn in_the_way(&self, claim: Claim) -> Box<InTheWay> {
        let registry = self.membership.as_ref().map(|membership| &membership.registry);
        let holder = claim.holder().and_then(|id| registry?.session(id).ok().flatten());
        Box::new(InTheWay { claim, holder })
    }
}

fn activity(work: Option<&Work>) -> Activity {
    let Some(work) = work.cloned() else { return Activity::new("working", None) };
    Activity {
        phase: work.phase,
        progress: work.progress,
        next_action: work.next_action,
        estimated_completion: work.estimated_completion,
        is_said: true,
        ..Activity::new("working", Some(work.target))
    }
}

/// Shows how a file was changed, if it was.
pub(super) fn show_difference(path: &Path, difference: &str, changed: &mut Vec<Consequence>) -> CommandResult {
    if !difference.is_empty() {
        let written = write_difference(path, difference)
            .map_err(|error| Refusal::Failed("failed", format!("the changes could not be written down: {error}")))?;
        changed.push(Consequence::Show(written));
    }
    Ok(json!({ "ok": true, "path": path, "text": difference }))
}

/// Writes a difference where an editor can show it: into the user's cache, always under the same name.
fn write_difference(path: &Path, difference: &str) -> io::Result<PathBuf> {
    let folder = cache_directory().unwrap_or_else(std::env::temp_dir).join("deconflict").join("changes");
    fs::create_dir_all(&folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let written = folder.join(format!("{name}.diff"));
    fs::write(&written, difference)?;
    Ok(written)
}
