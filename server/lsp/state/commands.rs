//! Commands: who has to answer them, and what the answers change.

use std::path::PathBuf;

use serde_json::{Value, json};
use tower_lsp::jsonrpc;
use tower_lsp::ls_types::{ExecuteCommandParams, MessageType, Uri};

use super::directory::{DirectoryContext, Participation};
use super::document::{OpenDocument, Unsaved};
use super::server_state::{CommandReply, FolderState, Question, ServerState};
use crate::command::{About, Acknowledgement, EditorCommand, Expected, Target, Work};
use crate::convert;
use crate::diagnostic_code::Code;
use crate::effect::Effect;
use crate::event::DirectoryId;
use crate::job::{Consequence, InTheWay, Job, Purpose, Refusal};
use crate::present::messages::{self, Notice};
use deconflict_protocol::{Resource, SessionId, text};
use deconflict_registry::{Message, View};
use deconflict_words::{documents, sentence};

/// A cause is cut after so many characters.
const LONGEST_CAUSE: usize = 400;

impl ServerState {
    pub(super) fn execute(&mut self, parameters: ExecuteCommandParams, reply: CommandReply) {
        if self.is_locating() {
            self.early_commands.push((parameters, reply));
            return;
        }
        let (command, is_interactive) = match EditorCommand::parse(&parameters.command, &parameters.arguments) {
            Ok(parsed) => parsed,
            Err(problem) => return reply.send(Err(jsonrpc::Error::invalid_params(problem))),
        };
        match self.directed(command) {
            Ok(Directed::Ask(questions)) => self.ask(questions, reply, is_interactive),
            Ok(Directed::Answered(answer)) => reply.send(Ok(Some(answer))),
            Err(Refused { reason, message }) => {
                let answer = json!({ "ok": false, "reason": reason, "message": message });
                self.refuse(answer, &message, is_interactive, reply);
            }
        }
    }

    /// Runs the commands that came before it was known where the directories are.
    pub(super) fn run_early_commands(&mut self) {
        if !self.is_locating() {
            for (parameters, reply) in std::mem::take(&mut self.early_commands) {
                self.execute(parameters, reply);
            }
        }
    }

    fn ask(&mut self, questions: Vec<(DirectoryId, EditorCommand)>, reply: CommandReply, is_interactive: bool) {
        self.last_question += 1;
        let number = self.last_question;
        let question = Question { reply, is_interactive, waiting: questions.len(), answer: None };
        self.questions.insert(number, question);
        for (id, command) in questions {
            self.job(id, Job::Command(number, Box::new(command)));
        }
    }

    pub(super) fn commanded(
        &mut self,
        id: DirectoryId,
        number: u64,
        answer: Result<Value, Refusal>,
        consequences: Vec<Consequence>,
    ) {
        let is_interactive = self.questions.get(&number).is_some_and(|question| question.is_interactive);
        for consequence in consequences {
            self.follow(id, consequence, is_interactive);
        }
        let Some(question) = self.questions.get_mut(&number) else { return };
        question.waiting = question.waiting.saturating_sub(1);
        question.answer = Some(match (question.answer.take(), answer.map_err(|refusal| (id, refusal))) {
            (Some(Ok(before)), Ok(answer)) => Ok(merged(before, answer)),
            (Some(Ok(before)), Err(_)) => Ok(before),
            (_, answer) => answer,
        });
        if question.waiting > 0 {
            return;
        }
        let Some(Question { reply, is_interactive, answer, .. }) = self.questions.remove(&number) else { return };
        match answer {
            Some(Ok(answer)) => reply.send(Ok(Some(answer))),
            Some(Err((id, refusal))) => {
                let claim = claim_of(&refusal)
                    .map(|in_the_way| documents::claim(&in_the_way.claim, in_the_way.holder.as_ref()));
                let Refused { reason, message } = self.words(id, refusal);
                let mut answer = json!({ "ok": false, "reason": reason, "message": message });
                if let (Some(claim), Some(fields)) = (claim, answer.as_object_mut()) {
                    fields.insert("claim".to_owned(), claim);
                }
                self.refuse(answer, &message, is_interactive, reply);
            }
            None => {}
        }
    }

    fn refuse(&mut self, answer: Value, message: &str, is_interactive: bool, reply: CommandReply) {
        if is_interactive {
            self.show(Notice { level: MessageType::WARNING, text: message.to_owned() });
        }
        reply.send(Ok(Some(answer)));
    }

    fn follow(&mut self, id: DirectoryId, consequence: Consequence, is_interactive: bool) {
        match consequence {
            Consequence::Holds(claim) => {
                let resource = claim.resource.clone();
                self.holds(id, claim, None);
                for document in self.documents_held_by_mut(id, &resource) {
                    document.clear_obstacles();
                    document.hands_off = false;
                }
            }
            Consequence::Freed(claim) => {
                self.given_up(id, &claim.resource);
                self.freed(id, &claim);
            }
            Consequence::HandedOff(resource) => {
                self.given_up(id, &resource);
                if let Some(directory) = self.directories.get_mut(&id) {
                    directory.requests.remove(&resource);
                }
            }
            Consequence::Yielded(resource, name) => self.show(messages::yielded(&resource, &name)),
            Consequence::Read(ids) => self.messages_read(id, &ids),
            Consequence::Muted(muted) => return self.note_muted(id, Some(muted)),
            Consequence::Unread(messages) => return self.list_unread(id, messages, is_interactive),
            Consequence::Show(path) => return self.show_file(path, is_interactive),
            Consequence::Edit(uri, text) => return self.edit(&uri, &text),
            Consequence::Merged { uri, text, theirs, is_by_itself } => {
                return self.merged(&uri, &text, theirs, is_by_itself);
            }
            Consequence::Awaits(resource) => {
                if let Some(directory) = self.directories.get_mut(&id) {
                    directory.awaited.insert(resource);
                }
                self.tell_what_came_free(id);
            }
            Consequence::AwaitsOfMachine(resource) => {
                if let Some(directory) = self.directories.get_mut(&id) {
                    directory.awaited_of_machine.insert(resource);
                }
                return self.look_what_came_free_of_machine(id);
            }
        }
        self.touch_all_at(id);
    }

    /// An editor that asks for what is missing shows the answer itself. Listing changes nothing: an editor that lists
    /// again whenever something changed would otherwise do so for ever.
    fn list_unread(&mut self, id: DirectoryId, messages: Vec<Message>, is_interactive: bool) {
        if is_interactive && !self.editor.client.asks_for_text {
            self.show_unread(id, messages);
        }
    }

    fn show_file(&mut self, path: PathBuf, is_interactive: bool) {
        if self.editor.shows_documents {
            self.effects.push(Effect::ShowDocument(path));
        } else if is_interactive {
            let text = format!("See {}.", text::one_line(&path.display().to_string(), 300));
            self.show(Notice { level: MessageType::INFO, text });
        }
    }

    /// The user gave something up by hand: typing on doesn't take it back.
    fn given_up(&mut self, id: DirectoryId, resource: &Resource) {
        for document in self.documents_held_by_mut(id, resource) {
            document.hands_off = document.unsaved != Unsaved::No;
        }
        if let Some(directory) = self.directories.get_mut(&id) {
            directory.own.remove(resource);
        }
    }

    /// Finds out which directories a command is for.
    fn directed(&mut self, mut command: EditorCommand) -> Result<Directed, Refused> {
        let id = match &mut command {
            EditorCommand::Claim(about) | EditorCommand::Release(about) => self.directory_about(about)?,
            EditorCommand::TellWhenFree(it) => self.directory_about(&mut it.about)?,
            EditorCommand::TakeOver(it) => self.directory_about(&mut it.about)?,
            EditorCommand::Restore(it) => {
                let id = self.directory_about(&mut it.about)?;
                it.unsaved = self.unsaved_text(&it.about);
                id
            }
            EditorCommand::ShowChanges(it) => self.directory_about(&mut it.about)?,
            EditorCommand::Merge(it) => {
                let id = self.directory_about(&mut it.about)?;
                it.texts = Some(self.text_to_merge(&it.about)?);
                id
            }
            EditorCommand::History(it) => match &it.uri {
                Some(uri) => self.directory_of_uri(uri)?,
                None => self.main_directory()?,
            },
            EditorCommand::Blame(it) => self.directory_about(&mut it.about)?,
            EditorCommand::RequestRelease(it) => self.directory_about(&mut it.about)?,
            EditorCommand::HandOff(Some(it)) => self.directory_about(&mut it.about)?,
            EditorCommand::SendMessage(Some(message)) => {
                let of_document = message.uri.as_ref().and_then(|uri| self.directory_of_uri(uri).ok());
                let known = of_document.or_else(|| self.directory_that_knows(&message.to));
                known.map_or_else(|| self.main_directory(), Ok)?
            }
            EditorCommand::SetWork(work) => {
                if work.is_none() {
                    *work = Some(Box::new(Work { target: self.only_file_name()?, ..Work::default() }));
                }
                let id = self.main_directory()?;
                if let Some(directory) = self.directories.get_mut(&id) {
                    directory.is_work_told = true;
                }
                id
            }
            EditorCommand::SendMessage(None)
            | EditorCommand::HandOff(None)
            | EditorCommand::Mute(None)
            | EditorCommand::Heartbeat(_)
            | EditorCommand::ShowBoard(_) => self.main_directory()?,
            EditorCommand::ReleaseAll(_)
            | EditorCommand::Messages(_)
            | EditorCommand::MarkRead(_)
            | EditorCommand::Status(_) => {
                let everywhere: Vec<_> = self.live_directories().map(|(id, _)| (id, command.clone())).collect();
                if everywhere.is_empty() {
                    return empty_answer(&command).map(Directed::Answered).ok_or_else(inactive);
                }
                return Ok(Directed::Ask(everywhere));
            }
            EditorCommand::LeaveQueue(wait) => {
                let is_meant =
                    |it: &&(DirectoryId, &DirectoryContext)| it.1.path.parent() == wait.repository.as_deref();
                let meant = self.live_directories().find(|it| is_meant(&it)).map(|(id, _)| id);
                meant.map_or_else(|| self.main_directory(), Ok)?
            }
            EditorCommand::Mute(Some(mute)) => {
                self.directory_that_knows(&mute.session).map_or_else(|| self.main_directory(), Ok)?
            }
            EditorCommand::Acknowledge(it) => {
                self.acknowledge(it)?;
                return Ok(Directed::Answered(json!({ "ok": true })));
            }
        };
        Ok(Directed::Ask(vec![(id, command)]))
    }

    /// The directory of what a command is about.
    fn directory_about(&self, about: &mut About) -> Result<DirectoryId, Refused> {
        if let Target::OnlyDocument = about.target {
            about.target = Target::Uri(self.only_document()?.uri.clone());
        }
        match &about.target {
            Target::Resource(resource) => {
                self.directory_where(|view| view.claim_of(resource).is_some()).map_or_else(|| self.main_directory(), Ok)
            }
            Target::Uri(uri) => self.directory_of_uri(uri),
            Target::OnlyDocument => self.main_directory(),
        }
    }

    fn acknowledge(&mut self, acknowledged: &Acknowledgement) -> Result<(), Refused> {
        let Acknowledgement { uri, code, expected } = acknowledged;
        if let Some(code) = code {
            return self.acknowledge_one(uri, *code, expected.as_ref());
        }
        let all = [Code::Overwritten, Code::ClaimLost, Code::Contended, Code::Claimed];
        let results = all.map(|code| self.acknowledge_one(uri, code, expected.as_ref()));
        // What the document does not have need not be taken note of.
        results.into_iter().reduce(|found, next| if found.is_ok() { found } else { next }).unwrap_or(Ok(()))
    }

    fn acknowledge_one(&mut self, uri: &Uri, code: Code, expected: Option<&Expected>) -> Result<(), Refused> {
        if matches!(code, Code::Overwritten | Code::Deleted) && self.acknowledge_losses(uri) {
            self.touched.insert(uri.clone());
            return Ok(());
        }
        let snapshot = self.snapshot(uri);
        let (Some(snapshot), Some(document)) = (snapshot, self.documents.get_mut(uri)) else {
            return Err(Refused { reason: "not-found", message: messages::refused_which_document(&[]) });
        };
        let id = document.directory;
        let is_there = match code {
            Code::ClaimLost => {
                if let Some(lost) = &mut document.lost {
                    lost.is_acknowledged = true;
                }
                true
            }
            Code::Overwritten | Code::Deleted => false,
            Code::Contended => {
                document.acknowledged.extend(snapshot.contenders.into_iter().map(|contender| contender.session.id));
                true
            }
            _ => {
                let meant = snapshot.others.iter().chain(&snapshot.elsewhere).map(|others| &others.claim);
                let meant = meant.filter(|claim| expected.is_none_or(|expected| expected.is(claim)));
                let keys: Vec<_> = meant.map(|claim| (uri.clone(), claim.holding())).collect();
                let is_there = !keys.is_empty();
                if let Some(directory) = id.and_then(|id| self.directories.get_mut(&id)) {
                    directory.muted.extend(keys);
                }
                is_there
            }
        };
        if !is_there {
            return Err(Refused { reason: "changed", message: messages::refused_changed(&snapshot.resource) });
        }
        self.touched.insert(uri.clone());
        Ok(())
    }

    fn only_document(&self) -> Result<&OpenDocument, Refused> {
        let mut open = self.documents.values();
        if let (Some(only), None) = (open.next(), open.next()) {
            return Ok(only);
        }
        // Where a document was opened a moment ago need not be known yet.
        let named = |document: &OpenDocument| {
            document.resource().cloned().or_else(|| Resource::file(&document.path.to_string_lossy()).ok())
        };
        let open: Vec<Resource> = self.documents.values().filter_map(named).collect();
        Err(Refused { reason: "ambiguous", message: messages::refused_which_document(&open) })
    }

    fn only_file_name(&self) -> Result<String, Refused> {
        let path = &self.only_document()?.path;
        Ok(path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
    }

    fn directory_of_uri(&self, uri: &Uri) -> Result<DirectoryId, Refused> {
        let outside = || Refused { reason: "outside-workspace", message: messages::refused_outside(uri.as_str()) };
        let path = convert::path_of(uri).ok_or_else(outside)?;
        if let Some(id) = self.directory_of(&path) {
            return Ok(id);
        }
        let is_inside =
            self.folders.iter().any(|folder| folder.state == FolderState::Inactive && path.starts_with(&folder.path));
        Err(if is_inside { inactive() } else { outside() })
    }

    fn live_directories(&self) -> impl Iterator<Item = (DirectoryId, &DirectoryContext)> {
        self.directories.iter().filter(|(_, directory)| !directory.is_ending).map(|(id, directory)| (*id, directory))
    }

    /// The directory of a command that names none: the first with a session, else the first.
    pub(super) fn main_directory(&self) -> Result<DirectoryId, Refused> {
        let joined = self.live_directories().find(|(_, directory)| directory.session().is_some());
        joined.or_else(|| self.live_directories().next()).map(|(id, _)| id).ok_or_else(inactive)
    }

    fn directory_where(&self, is_meant: impl Fn(&View) -> bool) -> Option<DirectoryId> {
        let mut live = self.live_directories();
        live.find(|(_, directory)| directory.view.as_ref().is_some_and(&is_meant)).map(|(id, _)| id)
    }

    fn directory_that_knows(&self, session: &str) -> Option<DirectoryId> {
        let session = SessionId::foreign(session).ok()?;
        self.directory_where(|view| view.session(&session).is_some())
    }

    fn words(&self, id: DirectoryId, refusal: Refusal) -> Refused {
        let audience = self.audience();
        let others = |in_the_way: InTheWay| crate::snapshot::OthersClaim {
            is_own_window: in_the_way.holder.as_ref().is_some_and(|holder| self.is_own_window(holder)),
            gives_way: false,
            may_be_typing: false,
            is_muted: false,
            holder: in_the_way.holder,
            claim: in_the_way.claim,
        };
        let (reason, message) = match refusal {
            Refusal::Claimed(resource, by) => ("claimed", messages::refused_held(&resource, &others(*by), &audience)),
            Refusal::Queued(resource, ahead) => ("queued", messages::refused_queued(&resource, &ahead)),
            Refusal::NotWaiting => ("not-found", messages::refused_not_waiting()),
            Refusal::NotHolder(resource, by) => {
                ("not-holder", messages::refused_not_holder(&resource, &others(*by), &audience))
            }
            Refusal::KeepsOverlapping(resource, kept) => {
                ("claimed", messages::refused_keeps_overlapping(&resource, &kept.claim.resource))
            }
            Refusal::NotHeld(resource) => ("not-found", messages::refused_not_held(&resource)),
            Refusal::HeldByAsker(resource) => ("not-found", messages::refused_held_by_asker(&resource)),
            Refusal::Changed(resource) => ("changed", messages::refused_changed(&resource)),
            Refusal::NoCoordination(resource, by) => {
                ("no-coordination", messages::refused_held(&resource, &others(*by), &audience))
            }
            Refusal::Outside(reason) => ("outside-workspace", sentence(&text::one_line(&reason, LONGEST_CAUSE))),
            Refusal::UnknownSession(id, live) => ("not-found", messages::refused_unknown_session(&id, &live)),
            Refusal::NotLive(session) => ("not-live", messages::refused_not_live(&session, &audience)),
            Refusal::WhichSession(Purpose::Mute, live) => ("ambiguous", messages::refused_whom_to_mute(&live)),
            Refusal::WhichSession(purpose, live) => {
                ("ambiguous", messages::refused_which_session(purpose == Purpose::Message, &live))
            }
            Refusal::NotThere => ("inactive", messages::refused_inactive()),
            Refusal::Inactive(cause) => {
                let directory = self.directories.get(&id);
                let message = match directory.map(|it| (&it.path, &it.participation)) {
                    Some((path, Participation::NotAdopted)) => messages::not_adopted(path).text,
                    Some((path, Participation::Observing)) => messages::read_only(path).text,
                    _ => sentence(&text::one_line(&cause, LONGEST_CAUSE)),
                };
                ("inactive", message)
            }
            Refusal::Failed(reason, cause) => (reason, messages::failed(&cause).text),
        };
        Refused { reason, message }
    }
}

enum Directed {
    Ask(Vec<(DirectoryId, EditorCommand)>),
    Answered(Value),
}

pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

fn inactive() -> Refused {
    Refused { reason: "inactive", message: messages::refused_inactive() }
}

fn claim_of(refusal: &Refusal) -> Option<&InTheWay> {
    match refusal {
        Refusal::Claimed(_, by)
        | Refusal::NotHolder(_, by)
        | Refusal::KeepsOverlapping(_, by)
        | Refusal::NoCoordination(_, by) => Some(by),
        _ => None,
    }
}

/// What is answered where there is nothing to ask; `None` for what makes no sense there.
fn empty_answer(command: &EditorCommand) -> Option<Value> {
    match command {
        EditorCommand::Status(_) => Some(crate::json::no_status()),
        EditorCommand::Messages(_) => Some(json!({ "ok": true, "messages": [] })),
        _ => None,
    }
}

/// Puts the answers of two directories together: lists are joined, numbers added, and the first word counts.
fn merged(mut before: Value, answer: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut before, answer) else { return before };
    for (name, value) in more {
        match (fields.get_mut(&name), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (Some(old @ Value::Object(_)), value @ Value::Object(_)) if name == "messages" => {
                *old = merged(std::mem::take(old), value);
            }
            (Some(Value::Number(number)), Value::Number(more)) => {
                *number = (number.as_u64().unwrap_or(0) + more.as_u64().unwrap_or(0)).into();
            }
            (Some(old), value) if old.is_null() => *old = value,
            (Some(_), _) => {}
            (None, value) => {
                fields.insert(name, value);
            }
        }
    }
    before
}
