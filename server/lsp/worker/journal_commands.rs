//! What users ask of the journal by commands: bringing back what stood in a file, and looking at what was changed.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use diffy::DiffOptions;
use ropey::Rope;
use serde_json::{Value, json};
use tower_lsp::ls_types::Uri;

use super::commands::{CommandResult, show_difference};
use super::journal_access::JournalAccess;
use super::journal_keeper::News;
use super::session_context::SessionContext;
use crate::command::{AboutEntry, AboutLine, AboutText, Target};
use crate::job::{Consequence, Refusal};
use crate::text::with_line_ends_of;
use deconflict_changes::{Error, FileHistory, before_others, blamed_line_document, entry_document, is_same_person};
use deconflict_journal::{Author, Entry, FileState, Settlement, text};
use deconflict_protocol::Resource;
use deconflict_registry::{ClaimOutcome, EDIT_LEASE, Terms};
use deconflict_workspace::committed;

/// At most so many changes are listed, and so many lines.
const MOST_CHANGES: usize = 500;
const MOST_LINES: usize = 20_000;

impl SessionContext {
    /// Brings back what stood in a file. It is claimed as by an edit.
    pub(super) fn restore(&mut self, wanted: &AboutEntry, changed: &mut Vec<Consequence>) -> CommandResult {
        // The directory may have been deleted together with what is to be brought back.
        self.with_session(true, |registry, session| registry.session(session).map(|_| ()))?;
        let resource = self.kept_at(&wanted.about.target)?;
        let entry = self.entry_of(&resource, wanted.entry.as_deref())?;
        if !self.takes_back_own_deletion(&entry)? {
            self.claim_to_write(&resource, changed)?;
        }
        let now = self.clock.now();
        let access = self.journal_access()?;
        let before = match (&wanted.unsaved, &entry.before) {
            (Some(unsaved), FileState::File { content, .. }) => {
                let content = access.journal.content(*content).map_err(|error| failed(&error.into()))?;
                String::from_utf8(content)
                    .ok()
                    .map(|text| with_line_ends_of(unsaved, text.trim_start_matches('\u{feff}')))
            }
            _ => None,
        };
        if let (Some(text), Target::Uri(uri)) = (before, &wanted.about.target) {
            changed.push(Consequence::Edit(uri.clone(), text));
            settle_since(access, &entry, Settlement::Restored, now).map_err(|error| failed(&error))?;
        } else {
            let author = access.author().ok_or(Refusal::NotThere)?;
            let restored = access.recorder().restore(&author, &entry, now).map_err(|error| failed(&error))?;
            if let Some(noticed) = restored.noticed {
                access.tell_others(&noticed, now);
            }
        }
        self.tell_journal(News::Losses(resource.clone()));
        Ok(json!({ "ok": true, "restored": [{ "path": resource.name(), "entry": entry.id }] }))
    }

    /// Puts what stands on disk and what is unsaved together, from the last text that both had.
    pub(super) fn merge(&mut self, wanted: AboutText, changed: &mut Vec<Consequence>) -> CommandResult {
        let AboutText { about, texts, only_if_clean } = wanted;
        let (resource, path) = (self.named(&about.target)?, self.path_of(&about.target)?);
        let refused = |why: &str| Refusal::Failed("not-found", format!("{} {why}", resource.in_a_sentence()));
        let (Some((ours, base)), Target::Uri(uri)) = (texts, about.target) else {
            return Err(refused("is not open"));
        };
        let theirs = fs::read(&path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
        let theirs = String::from_utf8(theirs).map_err(|_| refused("is no text"))?;
        let theirs = with_line_ends_of(&ours, theirs.trim_start_matches('\u{feff}'));
        let (base, our_text) = (base.to_string(), ours.to_string());
        let merged = text::merge(base.as_bytes(), our_text.as_bytes(), theirs.as_bytes());
        let merged = merged.ok_or_else(|| refused("is no text"))?;
        let answer = json!({ "ok": true, "conflicts": !merged.is_clean });
        if only_if_clean && !merged.is_clean {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&merged.text).into_owned();
        let theirs = Rope::from_str(&theirs);
        changed.push(Consequence::Merged { uri, text, theirs, is_by_itself: only_if_clean });
        let now = self.clock.now();
        if let Ok(access) = self.journal_access() {
            let losses = access.own_losses(&resource, None, now);
            let losses = losses.into_iter().map(|loss| (loss.entry, loss.owner)).collect();
            self.tell_journal(News::Settled(losses, Settlement::Merged));
        }
        Ok(answer)
    }

    /// Lists changes, newest first.
    pub(super) fn history(&mut self, uri: Option<Uri>) -> CommandResult {
        if self.awaits_directory() {
            return Ok(json!({ "ok": true, "entries": [] }));
        }
        let resource = uri.map(|uri| self.kept_at(&Target::Uri(uri))).transpose()?;
        let access = self.journal_access()?;
        let entries = match resource {
            None => access.journal.recent(DateTime::<Utc>::MIN_UTC, MOST_CHANGES),
            Some(resource) => access.journal.log(&resource).map(|log| log.entries().into_iter().rev().collect()),
        };
        let entries = entries.map_err(|error| failed(&error.into()))?;
        let person = access.person();
        let listed = entries.iter().take(MOST_CHANGES).map(|entry| entry_document(entry, person.as_deref()));
        let listed: Vec<Value> = listed.collect();
        Ok(json!({ "ok": true, "entries": listed }))
    }

    /// Says whose each line of a saved file is.
    pub(super) fn blame(&mut self, wanted: &AboutLine) -> CommandResult {
        let resource = self.named(&wanted.about.target)?;
        let now = self.clock.now();
        let access = self.journal_access()?;
        let lines = access.recorder().blame(&resource, now).map_err(|error| failed(&error))?;
        let person = access.person();
        let numbered = lines.iter().enumerate().map(|(index, line)| (index + 1, line));
        let meant = numbered.filter(|(number, _)| wanted.line.is_none_or(|line| line == *number));
        let listed: Vec<Value> = meant
            .take(MOST_LINES)
            .map(|(number, line)| blamed_line_document(number, line, person.as_deref()))
            .collect();
        Ok(json!({ "ok": true, "lines": listed }))
    }

    /// One change, with what stood in the file before and after it, as far as that is kept and is text.
    pub(super) fn change_with_texts(&mut self, uri: Uri, entry: &str) -> CommandResult {
        let resource = self.kept_at(&Target::Uri(uri))?;
        let entry = self.entry_of(&resource, Some(entry))?;
        let access = self.journal_access()?;
        let text = |state: &FileState| match state {
            FileState::Absent => Some(String::new()),
            state => String::from_utf8(access.journal.content(state.kept()?).ok()?).ok(),
        };
        let texts = json!({ "before": text(&entry.before), "after": text(&entry.after) });
        Ok(json!({ "ok": true, "entries": [entry_document(&entry, access.person().as_deref())], "texts": texts }))
    }

    /// What one session has in a file that is not committed, with the last commit's text without and with it alone. The
    /// texts are missing where it has nothing there.
    pub(super) fn changes_of(&mut self, uri: Uri, session: &str) -> CommandResult {
        let resource = self.named(&Target::Uri(uri))?;
        let session = self.known_id(session)?;
        let access = self.journal_access()?;
        let nothing = json!({ "ok": true, "entries": [] });
        let Some(history) = FileHistory::read(&access.journal, &resource).map_err(|error| failed(&error))? else {
            return Ok(nothing);
        };
        let committed = access.recorder().committed(&history, "HEAD").map_err(|error| failed(&error))?;
        let committed = committed.unwrap_or_default();
        let theirs = history.uncommitted(&committed).only(history.is_of(&session));
        if theirs == committed {
            return Ok(nothing);
        }
        let made = history.changes().filter(|(change, _)| history.is_of(&session)(Some(*change)));
        let person = access.person();
        let mut entries: Vec<Value> = made.map(|(_, entry)| entry_document(entry, person.as_deref())).collect();
        entries.reverse();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        Ok(json!({ "ok": true, "entries": entries, "texts": { "before": text(committed), "after": text(theirs) } }))
    }

    /// Shows what one change changed, or how a file differs from the last commit.
    pub(super) fn show_changes(&mut self, wanted: &AboutEntry, changed: &mut Vec<Consequence>) -> CommandResult {
        let path = self.path_of(&wanted.about.target)?;
        let not_compared = |error: committed::CommittedError| Refusal::Failed("not-found", error.to_string());
        if wanted.texts == Some(true) {
            let (before, after) = committed::texts(&path).map_err(not_compared)?;
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
            return Ok(json!({ "ok": true, "texts": { "before": text(before), "after": text(after) } }));
        }
        let difference = match &wanted.entry {
            None => committed::changes(&path).map_err(not_compared)?,
            Some(entry) => {
                let resource = self.named(&wanted.about.target)?;
                let entry = self.entry_of(&resource, Some(entry))?;
                self.difference_by(&entry, &path)?
            }
        };
        show_difference(&path, &difference, changed)
    }

    /// What a change changed, as a unified diff.
    fn difference_by(&mut self, entry: &Entry, path: &Path) -> Result<String, Refusal> {
        let access = self.journal_access()?;
        let content = |state: &FileState| match state.kept() {
            Some(content) => access.journal.content(content).map_err(|error| failed(&error.into())),
            None => Ok(Vec::new()),
        };
        let (before, after) = (content(&entry.before)?, content(&entry.after)?);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if [&before, &after].iter().any(|bytes| bytes.contains(&0)) {
            return Ok(format!("Binary file {name} was changed.\n"));
        }
        let mut options = DiffOptions::new();
        options.set_original_filename(format!("{name} (before)")).set_modified_filename(format!("{name} (after)"));
        let (before, after) = (String::from_utf8_lossy(&before), String::from_utf8_lossy(&after));
        Ok(options.create_patch(&before, &after).to_string())
    }

    /// The file that is meant, also where a link or a folder stands now.
    fn kept_at(&mut self, target: &Target) -> Result<Resource, Refusal> {
        let Ok(path) = self.path_of(target) else { return self.named(target) };
        match self.journal_access()?.recorder().kept_at(&path).map_err(|error| failed(&error))? {
            Some(kept) => Ok(kept),
            // It may have been in a folder where a file stands now.
            None => self.namer.resource_at(&path).map_err(|error| Refusal::Outside(error.to_string())),
        }
    }

    /// The change that is meant by the beginning of its name, or the newest that was not the person's own.
    fn entry_of(&mut self, resource: &Resource, named: Option<&str>) -> Result<Entry, Refusal> {
        let access = self.journal_access()?;
        let nothing = || Refusal::Failed("not-found", format!("the journal has no such change of {}", resource.name()));
        if let Some(named) = named {
            let found = access.journal.entry(named).map_err(|error| failed(&error.into()))?;
            return found.filter(|entry| entry.resource == *resource).ok_or_else(nothing);
        }
        let author = access.author().ok_or(Refusal::NotThere)?;
        let history = FileHistory::read(&access.journal, resource).map_err(|error| failed(&error))?;
        let losses = access.journal.log(resource).map_err(|error| failed(&error.into()))?.losses();
        let is_own = |other: &Author| is_same_person(other, &author);
        let found = history.as_ref().and_then(|history| before_others(history, &losses, is_own));
        found.cloned().ok_or_else(nothing)
    }

    fn claim_to_write(&mut self, resource: &Resource, changed: &mut Vec<Consequence>) -> Result<(), Refusal> {
        let path = self.namer.path_of(resource).unwrap_or_else(|| self.location.workspace.clone());
        let terms = Terms { lease: EDIT_LEASE, automatic: true, ..Self::terms(resource, &path) };
        match self.claim(resource, &terms)? {
            ClaimOutcome::Granted { claim, .. } | ClaimOutcome::AlreadyHeld { claim } => {
                changed.push(Consequence::Holds(claim));
                Ok(())
            }
            ClaimOutcome::Refused { by } => Err(Refusal::Claimed(resource.clone(), self.in_the_way(by))),
        }
    }

    /// True where the user deleted or moved away a file, whoever holds it, and nobody has put anything there since: it may be
    /// put back without a claim.
    fn takes_back_own_deletion(&mut self, entry: &Entry) -> Result<bool, Refusal> {
        let access = self.journal_access()?;
        let is_own = entry.author.as_ref().is_some_and(|author| author.session == access.session);
        if !is_own || entry.after != FileState::Absent {
            return Ok(false);
        }
        let looked = access.recorder().look(&entry.resource, Utc::now()).map_err(|error| failed(&error))?;
        let log = access.journal.log(&entry.resource).map_err(|error| failed(&error.into()))?;
        Ok(looked.is_none() && log.entries().last().is_some_and(|newest| newest.id == entry.id))
    }

    /// The journal, for a session that takes part.
    fn journal_access(&mut self) -> Result<&JournalAccess, Refusal> {
        self.with_session(false, |registry, session| registry.session(session).map(|_| ()))?;
        self.membership.as_ref().and_then(|membership| membership.access.as_ref()).ok_or(Refusal::NotThere)
    }
}

/// Ends every loss by a change and by those that came after it.
fn settle_since(access: &JournalAccess, entry: &Entry, how: Settlement, now: DateTime<Utc>) -> Result<(), Error> {
    for loss in access.journal.log(&entry.resource)?.losses() {
        if loss.settled.is_none() && loss.entry.at >= entry.at {
            access.journal.settle(&loss.entry, None, how, now)?;
        }
    }
    Ok(())
}

fn failed(error: &Error) -> Refusal {
    match error {
        Error::NotKept { .. } => Refusal::Failed("not-found", error.to_string()),
        _ => Refusal::Failed("failed", error.to_string()),
    }
}
