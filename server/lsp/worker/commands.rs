//! What users ask for by commands. Every fact is looked up when the command runs, never taken from the menu that it
//! came from.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use serde_json::{Value, json};

use super::answers;
use super::desk::{Desk, refused};
use super::job::{InTheWay, Purpose, Refusal};
use deconflict_platform::cache_directory;
use deconflict_protocol::{MessageKind, Resource, SessionId, text};
use deconflict_registry::{
    Activity, Claim, ClaimOutcome, Draft, Error, HandOffOutcome, Message, MessageId, Recipient, Registry,
    ReleaseOutcome, Session, Terms,
};
use deconflict_words::documents;
use deconflict_workspace::{Kind, committed};

/// What a command is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// The file or folder at this path.
    Path(PathBuf),
    /// Whatever is called so in the directory.
    Resource(Resource),
}

/// A command with its arguments. `expected` is the claim that its menu was about.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Claims by hand.
    Claim { subject: Subject },
    /// Releases.
    Release { subject: Subject, expected: Option<Expected> },
    /// Releases all.
    ReleaseAll,
    /// Takes over.
    TakeOver { subject: Subject, force: bool, expected: Option<Expected> },
    /// Asks the holder to release.
    RequestRelease { subject: Subject, message: Option<String>, expected: Option<Expected> },
    /// Writes to a session or to everyone.
    Send { to: String, subject: String, message: String, path: Option<PathBuf>, in_reply_to: Option<String> },
    /// Lists messages.
    Messages { unread_only: bool },
    /// Marks messages as read.
    MarkRead { ids: Vec<String> },
    /// Gives a claim away.
    HandOff { subject: Subject, to: String, notes: Option<String>, expected: Option<Expected> },
    /// Says what the session does.
    Heartbeat(Activity),
    /// Lists everything.
    Status,
    /// Brings the status board up to date and returns it.
    ShowBoard,
    /// Compares the saved text with the last commit.
    ShowChanges { subject: Subject },
    /// Tells once it comes free.
    TellWhenFree { subject: Subject },
    /// Refuses, and lists to whom something can be sent or given.
    ListSessions(Purpose),
}

/// A claim as it was when a menu was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Expected {
    session: Option<String>,
    resource: Option<String>,
    id: Option<String>,
    generation: Option<String>,
}

impl Expected {
    /// True if the claim is still this one.
    pub(crate) fn is(&self, claim: &Claim) -> bool {
        claim.holder().map(SessionId::as_str) == self.session.as_deref()
            && claim.record.id == self.id
            && claim.record.generation.map(|generation| generation.to_string()) == self.generation
    }

    /// What it was a claim of.
    pub(crate) fn resource(&self) -> Option<Resource> {
        Resource::parse(self.resource.as_deref()?)
    }
}

/// What a command changed, for the loop to know.
#[derive(Debug, Clone)]
pub(crate) enum Consequence {
    /// The session holds this now.
    Holds(Claim),
    /// The session gave this up.
    Freed(Claim),
    /// The session gave this to another.
    HandedOff(Resource),
    /// These messages are read.
    Read(Vec<MessageId>),
    /// The user asked for the messages, and these are unread.
    Unread(Vec<Message>),
    /// This file is to be shown.
    Show(PathBuf),
    /// The user wants to know when this is free.
    Awaits(Resource),
}

type Answer = Result<Value, Refusal>;

impl Desk {
    /// Does what a command says.
    pub(super) fn execute(&mut self, command: Command) -> (Answer, Vec<Consequence>) {
        let mut changed = Vec::new();
        let answer = match command {
            Command::Claim { subject } => self.claim_by_hand(&subject, false, &mut changed),
            Command::Release { subject, expected } => self.release(&subject, expected.as_ref(), &mut changed),
            Command::ReleaseAll => self.release_all(&mut changed),
            Command::TakeOver { subject, force, expected } => {
                self.take_over(&subject, force, expected.as_ref(), &mut changed)
            }
            Command::RequestRelease { subject, message, expected } => {
                self.request_release(&subject, message, expected.as_ref())
            }
            Command::Send { to, subject, message, path, in_reply_to } => {
                self.send(&to, Draft { subject, message, in_reply_to, ..Draft::new(MessageKind::Note) }, path)
            }
            Command::Messages { unread_only } => self.messages(unread_only, &mut changed),
            Command::MarkRead { ids } => self.mark_read(&ids, &mut changed),
            Command::HandOff { subject, to, notes, expected } => {
                self.hand_off(&subject, &to, notes.as_deref(), expected.as_ref(), &mut changed)
            }
            Command::Heartbeat(activity) => self
                .with_session(true, |registry, session| registry.heartbeat(session, &activity))
                .map(|()| json!({ "ok": true })),
            Command::Status => self.status(),
            Command::ShowBoard => self.show_board(&mut changed),
            Command::ShowChanges { subject } => {
                self.path_of(&subject).and_then(|path| show_changes(&path, &mut changed))
            }
            Command::TellWhenFree { subject } => self.named(&subject).map(|resource| {
                changed.push(Consequence::Awaits(resource));
                json!({ "ok": true })
            }),
            Command::ListSessions(purpose) => {
                self.live_sessions().and_then(|live| Err(Refusal::WhichSession(purpose, live)))
            }
        };
        (answer, changed)
    }

    fn claim_by_hand(&mut self, subject: &Subject, force: bool, changed: &mut Vec<Consequence>) -> Answer {
        let resource = self.named(subject)?;
        let path = self.path_of(subject).unwrap_or_else(|_| self.location.workspace.clone());
        let terms = Terms { force, ..Self::terms(&resource, &path) };
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

    fn release(&mut self, subject: &Subject, expected: Option<&Expected>, changed: &mut Vec<Consequence>) -> Answer {
        let named = self.named(subject)?;
        // What a menu calls the claim of this document may be one of a folder above it.
        let resource = expected.and_then(Expected::resource).unwrap_or(named);
        self.check_unchanged(&resource, expected)?;
        match self.with_session(false, |registry, session| registry.release(session, &resource))? {
            ReleaseOutcome::Released(claim) => {
                changed.push(Consequence::Freed(claim.clone()));
                Ok(json!({ "ok": true, "claim": documents::claim(&claim, None) }))
            }
            ReleaseOutcome::NotHolder(claim) => Err(Refusal::NotHolder(resource, self.in_the_way(claim))),
            ReleaseOutcome::NotFound => Err(Refusal::NotHeld(resource)),
        }
    }

    fn release_all(&mut self, changed: &mut Vec<Consequence>) -> Answer {
        if self.awaits_directory() {
            return Ok(json!({ "ok": true, "released": [] }));
        }
        let released = self.with_session(false, Registry::release_all)?;
        changed.extend(released.iter().cloned().map(Consequence::Freed));
        let released: Vec<Value> = released.iter().map(|claim| documents::claim(claim, None)).collect();
        Ok(json!({ "ok": true, "released": released }))
    }

    fn take_over(
        &mut self,
        subject: &Subject,
        force: bool,
        expected: Option<&Expected>,
        changed: &mut Vec<Consequence>,
    ) -> Answer {
        let resource = self.named(subject)?;
        if let Some(expected) = expected {
            let obstacles = self.with_session(false, |registry, session| registry.obstacles(session, &resource))?;
            if let Some(other) = obstacles.into_iter().find(|claim| claim.is_active() && !expected.is(claim)) {
                return Err(Refusal::Claimed(resource, self.in_the_way(other)));
            }
        }
        self.claim_by_hand(subject, force, changed)
    }

    fn request_release(&mut self, subject: &Subject, message: Option<String>, expected: Option<&Expected>) -> Answer {
        let resource = self.named(subject)?;
        let (own, others): (Vec<Claim>, Vec<Claim>) = self.with_session(false, |registry, session| {
            Ok(registry.claims_on(&resource)?.into_iter().partition(|claim| claim.held_by(session)))
        })?;
        let found = others.into_iter().find_map(|claim| claim.holder().cloned().map(|holder| (claim, holder)));
        let Some((claim, holder)) = found else {
            return Err(if own.is_empty() { Refusal::NotHeld(resource) } else { Refusal::HeldByAsker(resource) });
        };
        if expected.is_some_and(|expected| !expected.is(&claim)) {
            return Err(Refusal::Changed(resource));
        }
        if !claim.allows_coordination() {
            return Err(Refusal::NoCoordination(resource, self.in_the_way(claim)));
        }
        let name = text::one_line(&claim.resource.display_name(), 120);
        let text = message.unwrap_or_else(|| format!("I would like to edit {name}."));
        let draft = Draft::release_request(&claim.resource, text, None);
        self.send_draft(&Recipient::Session(holder), &draft)
    }

    fn send(&mut self, to: &str, draft: Draft, path: Option<PathBuf>) -> Answer {
        let recipient = if to.eq_ignore_ascii_case(deconflict_protocol::BROADCAST) {
            Recipient::Everyone
        } else {
            Recipient::Session(self.known_id(to)?)
        };
        // A message about a file elsewhere is still a message.
        let resource = path.and_then(|path| self.named(&Subject::Path(path)).ok());
        self.send_draft(&recipient, &Draft { resource, ..draft })
    }

    fn send_draft(&mut self, to: &Recipient, draft: &Draft) -> Answer {
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

    fn messages(&mut self, unread_only: bool, changed: &mut Vec<Consequence>) -> Answer {
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
                answers::listed_message(message, &sessions, path.as_deref())
            })
            .collect();
        changed.push(Consequence::Unread(messages.into_iter().filter(|message| message.unread).collect()));
        Ok(json!({ "ok": true, "messages": listed }))
    }

    fn mark_read(&mut self, ids: &[String], changed: &mut Vec<Consequence>) -> Answer {
        let ids: Vec<MessageId> = ids.iter().map(MessageId::new).collect();
        let marked = self.with_session(false, |registry, session| registry.mark_read(session, &ids))?;
        changed.push(Consequence::Read(ids));
        Ok(json!({ "ok": true, "marked": marked }))
    }

    fn hand_off(
        &mut self,
        subject: &Subject,
        to: &str,
        notes: Option<&str>,
        expected: Option<&Expected>,
        changed: &mut Vec<Consequence>,
    ) -> Answer {
        let named = self.named(subject)?;
        let resource = expected.and_then(Expected::resource).unwrap_or(named);
        self.check_unchanged(&resource, expected)?;
        let to = self.known_id(to)?;
        if self.membership.as_ref().is_some_and(|membership| membership.session == to) {
            return Err(Refusal::WhichSession(Purpose::HandOff, self.live_sessions()?));
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

    fn status(&mut self) -> Answer {
        if self.awaits_directory() {
            self.look_for_directory();
        }
        let Some(membership) = &self.membership else { return Ok(answers::no_status()) };
        let overview = match membership.registry.overview() {
            Ok(overview) => overview.as_seen_by(&membership.session, self.clock.now()),
            Err(Error::Missing { .. }) => return Ok(answers::no_status()),
            Err(error) => return Err(refused(&error)),
        };
        let own = overview.sessions.iter().find(|session| session.id == membership.session).map(documents::session);
        let unread = if membership.is_writable {
            let messages = membership.registry.messages(&membership.session).map_err(|error| refused(&error))?;
            messages.iter().filter(|message| message.unread).count()
        } else {
            0
        };
        Ok(json!({
            "ok": true,
            "session": own,
            "sessions": overview
                .sessions
                .iter()
                .map(|session| answers::listed_session(session, &membership.session))
                .collect::<Vec<_>>(),
            "claims": overview
                .claims
                .iter()
                .map(|claim| {
                    let path = self.namer.path_of(&claim.resource);
                    answers::listed_claim(claim, &overview.sessions, &membership.session, path.as_deref())
                })
                .collect::<Vec<_>>(),
            "messages": { "unread": unread },
            "coordinationNeeded": overview.coordination_needed.iter().map(documents::finding).collect::<Vec<_>>(),
        }))
    }

    fn show_board(&mut self, changed: &mut Vec<Consequence>) -> Answer {
        let text = self.with_session(false, |registry, _| {
            registry.refresh_board()?;
            registry.board_text()
        })?;
        let path = self.directory().join("STATUS_BOARD.md");
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

    fn known_id(&mut self, id: &str) -> Result<SessionId, Refusal> {
        SessionId::foreign(id)
            .map_err(|_| Refusal::UnknownSession(id.to_owned(), self.live_sessions().unwrap_or_default()))
    }

    fn check_unchanged(&mut self, resource: &Resource, expected: Option<&Expected>) -> Result<(), Refusal> {
        let Some(expected) = expected else { return Ok(()) };
        let claim = self.with_session(false, |registry, _| registry.claim_of(resource))?;
        match claim {
            Some(claim) if !expected.is(&claim) => Err(Refusal::Changed(resource.clone())),
            _ => Ok(()),
        }
    }

    fn named(&self, subject: &Subject) -> Result<Resource, Refusal> {
        match subject {
            Subject::Path(path) => {
                self.namer.resource(path, Kind::at(path)).map_err(|error| Refusal::Outside(error.to_string()))
            }
            Subject::Resource(resource) => Ok(resource.clone()),
        }
    }

    fn path_of(&self, subject: &Subject) -> Result<PathBuf, Refusal> {
        match subject {
            Subject::Path(path) => Ok(path.clone()),
            Subject::Resource(resource) => self.namer.path_of(resource).ok_or_else(|| {
                Refusal::Outside(format!("{} is no file or folder on this disk.", resource.display_name()))
            }),
        }
    }

    fn in_the_way(&self, claim: Claim) -> Box<InTheWay> {
        let registry = self.membership.as_ref().map(|membership| &membership.registry);
        let holder = claim.holder().and_then(|id| registry?.session(id).ok().flatten());
        Box::new(InTheWay { claim, holder })
    }
}

fn show_changes(path: &Path, changed: &mut Vec<Consequence>) -> Answer {
    let difference = committed::changes(path).map_err(|error| Refusal::Failed("not-found", error.to_string()))?;
    if !difference.is_empty() {
        let written = write_difference(path, &difference)
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
