//! Telling both sides of a loss.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deconflict_journal::{Author, Cause, Entry, FileState};
use deconflict_protocol::text::{one_line, quoted, shell_word, without_tags};
use deconflict_protocol::{MessageKind, Resource, SessionId};
use deconflict_registry::{Draft, Recipient, Registry, Session};
use deconflict_words::local_clock;

use super::people::{author_of, is_same_person, label_for};
use super::{Error, Lost, Noticed, Recorder};

/// What anybody is called in a sentence is cut after so many characters.
const LONGEST_NAME: usize = 100;

/// A file's name is cut after so many characters.
const LONGEST_PATH: usize = 200;

/// A command is told of with at most so many characters.
const LONGEST_COMMAND: usize = 120;

/// Who reads a sentence.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The person, to whom an agent of theirs is `your Claude Code`; `None` if that is an agent or anybody.
    person: Option<&'a str>,
    /// True where no model reads, so that nothing has to be quoted.
    is_in_editor: bool,
}

impl<'a> Reader<'a> {
    /// Nobody in particular.
    pub const ANYBODY: Self = Self { person: None, is_in_editor: false };

    /// A person at a terminal, or one whose agents read it too.
    pub fn person(name: Option<&'a str>) -> Self {
        Self { person: name, is_in_editor: false }
    }

    /// A person before a notice of their editor.
    pub fn in_editor(name: Option<&'a str>) -> Self {
        Self { person: name, is_in_editor: true }
    }

    /// Who changed something, as the first word of a sentence.
    fn author(self, author: Option<&Author>) -> String {
        let Some(author) = author else { return "Somebody unknown".to_owned() };
        let label = label_for(author, self.person);
        match label.strip_prefix("your ").filter(|_| label != author.label) {
            Some(agent) => format!("Your {}", without_tags(agent)),
            None if self.is_in_editor => one_line(&label, LONGEST_NAME),
            None => quoted(&label, LONGEST_NAME),
        }
    }

    fn file(self, resource: &Resource) -> String {
        if self.is_in_editor { one_line(&resource.display_name(), LONGEST_PATH) } else { resource.in_a_sentence() }
    }
}

/// Who tells.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// What is noticed with.
    pub recorder: Recorder<'a>,
    /// The session that noticed it, which needs no message: its front end says it.
    pub by: Option<&'a SessionId>,
}

impl Telling<'_> {
    /// Sends a message to everybody who lost something by a change, once. One whose session is over is told through
    /// another session of the same person, if there is one; else it stays where it is looked for.
    pub fn tell(&self, noticed: &Noticed, now: DateTime<Utc>) -> Result<(), Error> {
        let registry = self.recorder.present_registry();
        let mut recipients = HashSet::new();
        for lost in noticed.lost.iter().filter(|lost| self.by != Some(&lost.owner.session)) {
            let owner = &lost.owner.session;
            let Some(registry) = registry else { continue };
            // Their own server knows that best, and has nothing to say of it. Whoever claims at a terminal has none, and a stash
            // in their name may be a script's.
            let has_server = registry.session(owner)?.is_some_and(|owner| owner.is_live() && owner.is_kept_alive());
            if has_server && self.recorder.is_stashed_by(&lost.owner, &noticed.entry)? {
                continue;
            }
            let Some(recipient) = recipient(registry, lost)? else { continue };
            let reader = Reader::person(recipient.person().filter(|_| recipient.agent().is_none()));
            // Several may find the same at the same time.
            if !self.recorder.journal.told(&noticed.entry, owner, now)? {
                continue;
            }
            // A person and their agent that is gone may both have lost by it.
            if !recipients.insert(recipient.id.clone()) {
                continue;
            }
            let author = noticed.entry.author.as_ref().map(|author| &author.session);
            let live =
                |id: &&SessionId| registry.session(id).is_ok_and(|found| found.is_some_and(|found| found.is_live()));
            let from = author.filter(live).or(self.by.filter(live)).unwrap_or(&recipient.id);
            registry.send(from, &Recipient::Session(recipient.id.clone()), &self.draft(noticed, lost, reader, now))?;
        }
        Ok(())
    }

    fn draft(&self, noticed: &Noticed, lost: &Lost, reader: Reader, now: DateTime<Utc>) -> Draft {
        let entry = &noticed.entry;
        let is_deleted = entry.after == FileState::Absent;
        let kind = if is_deleted { "deleted" } else { "overwritten" };
        let name = entry.resource.in_a_sentence();
        let subject = if is_deleted { format!("{name} was deleted") } else { format!("{name} was overwritten") };
        // Nobody knows from where it will be read.
        let path = self.recorder.namer.path_of(&entry.resource);
        let typed = path.map(|path| shell_word(&path.display().to_string()));
        let told = sentence(entry, &entry.resource, Some(lost), reader, now);
        let message = format!("{told} {}", way_back(typed.as_deref()));
        Draft {
            subject,
            message,
            id: Some(format!("{kind}-{}-{}", entry.id, lost.owner.session)),
            resource: Some(entry.resource.clone()),
            details: serde_json::json!({ "entry": entry.id.as_str(), "owner": lost.owner.session.as_str() }),
            ..Draft::new(MessageKind::Other(kind.to_owned()))
        }
    }
}

/// How what stood in a file can be had back, which is typed so.
pub fn way_back(typed: Option<&str>) -> String {
    match typed {
        Some(typed) => format!("To get back what was there: deconflict restore {typed}"),
        None => {
            "Its worktree is gone. Once that is there again (git worktree add), deconflict restore brings back what was there."
                .to_owned()
        }
    }
}

/// The session itself, or the one that its person used last.
fn recipient(registry: &Registry, lost: &Lost) -> Result<Option<Session>, Error> {
    if let Some(owner) = registry.session(&lost.owner.session)?.filter(Session::is_live) {
        return Ok(Some(owner));
    }
    let live = registry.live_sessions()?.into_iter();
    let own = live.filter(|session| is_same_person(&author_of(session), &lost.owner));
    // A person before their agents.
    Ok(own.max_by_key(|session| (session.agent().is_none(), session.last_sign)))
}

/// What happened, in one sentence: who changed or deleted a file, when and by what, and what is missing by it.
pub fn sentence(entry: &Entry, resource: &Resource, lost: Option<&Lost>, reader: Reader, now: DateTime<Utc>) -> String {
    sentence_at(entry, resource, lost, reader, &local_clock(entry.at, now))
}

/// The same with the time as it is to be told.
pub(super) fn sentence_at(entry: &Entry, resource: &Resource, lost: Option<&Lost>, reader: Reader, at: &str) -> String {
    let who = reader.author(entry.author.as_ref());
    let what = reader.file(resource);
    let deed = match (&entry.after, &entry.cause) {
        (FileState::Absent, Cause::Edit | Cause::Unknown) => "deleted or moved away",
        (FileState::Absent, _) => "deleted",
        _ => "changed",
    };
    let how = match &entry.cause {
        Cause::Command { command: Some(command) } => format!(" by the command {}", quoted(command, LONGEST_COMMAND)),
        Cause::Command { command: None } => " by a command".to_owned(),
        Cause::Save => " by a save".to_owned(),
        Cause::Restore => " by a restore".to_owned(),
        Cause::Edit | Cause::Unknown => String::new(),
    };
    match lost {
        Some(lost) if !lost.is_work() => format!("{who} {deed} {what}, which you hold,{how} at {at}."),
        Some(_) => format!("{who} {deed} {what}{how} at {at}, and your uncommitted changes in it are gone."),
        None => format!("{who} {deed} {what}{how} at {at}."),
    }
}
