//! The status board: the overview as a page that people read, `STATUS_BOARD.md`.
//!
//! Everything on it changes only when something happens: times are absolute, and neither keepalives nor renewals of
//! automatic claims show. So it is rewritten only where it has something new to tell.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::claims::Claim;
use super::messages::{Message, Recipient};
use super::overview::{Overview, minute};
use super::sessions::Session;
use super::store::files::directory::{Directory, Durability, Folder};
use super::{Error, Registry};
use deconflict_protocol::text::{markdown, one_line};
use deconflict_protocol::{BROADCAST, SessionId, time};

/// The board's file.
pub(super) const BOARD: &str = "STATUS_BOARD.md";

/// Whoever keeps the board holds this file locked.
pub(super) const BOARD_KEEPER: &str = ".board-keeper";

/// How the only line starts that says when the board was written.
const LAST_UPDATED: &str = "**Last Updated:**";

/// A verb refreshes the board only if it is older than this.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// A section has so many entries and then says how many more there are: nobody reads a page of thousands.
pub(super) const LONGEST_SECTION: usize = 200;

/// Names and single facts are cut after so many characters, messages after more, and findings, which are our own words
/// around names that are cut already, after more still.
const LONGEST_FACT: usize = 120;
const LONGEST_MESSAGE: usize = 240;
const LONGEST_FINDING: usize = 1_000;

impl Registry {
    /// The board as it would be written now.
    pub fn board_text(&self) -> Result<String, Error> {
        Ok(render(&self.overview()?, self.now()))
    }

    /// Brings the board up to date for a verb that changed something, if no server keeps it and it is over a second
    /// old.
    pub fn refresh_board(&self) -> Result<(), Error> {
        let directory = self.directory_to_write()?;
        let stamp = directory.file_stamp(&Folder::Root, BOARD)?;
        let is_fresh = stamp.is_some_and(|stamp| (self.now() - stamp.modified).abs() < FRESH);
        if is_fresh || is_kept(&directory)? {
            return Ok(());
        }
        if !self.write_board(&directory, &self.overview()?)? {
            // It tells what is: it is as good as new, and the next verb need not look at everything again.
            directory.touch(&Folder::Root, BOARD, self.now())?;
        }
        Ok(())
    }

    /// Writes the board unless nothing but "Last Updated" would differ. Returns whether it was written.
    pub(super) fn write_board(&self, directory: &Directory, overview: &Overview) -> Result<bool, Error> {
        let text = render(overview, self.now());
        let before = match directory.read(&Folder::Root, BOARD) {
            Ok(stored) => stored.and_then(|stored| String::from_utf8(stored.bytes).ok()),
            // Something else has the board's name. A link or an overlong file is replaced, not followed.
            Err(Error::Unsafe { .. }) => None,
            Err(error) => return Err(error),
        };
        if before.is_some_and(|before| says_the_same(&before, &text)) {
            return Ok(false);
        }
        directory.replace_file(&Folder::Root, BOARD, text.as_bytes(), Durability::Whole)?;
        Ok(true)
    }
}

/// True if a server keeps the board: it holds a lock on a file of its own for as long as it lives.
fn is_kept(directory: &Directory) -> Result<bool, Error> {
    if directory.file_stamp(&Folder::Root, BOARD_KEEPER)?.is_none() {
        return Ok(false);
    }
    let keeper = directory.open_lock(BOARD_KEEPER)?;
    // Where files cannot be locked, nobody keeps the board.
    Ok(matches!(keeper.file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

fn says_the_same(before: &str, after: &str) -> bool {
    let told = |line: &&str| !line.starts_with(LAST_UPDATED);
    before.lines().filter(told).eq(after.lines().filter(told))
}

/// Puts the overview on one page.
pub(super) fn render(overview: &Overview, now: DateTime<Utc>) -> String {
    let mut live: Vec<&Session> = overview.sessions.iter().filter(|session| overview.is_alive(session)).collect();
    // Not in the order of their last signs, which keepalives change.
    live.sort_by_key(|session| (session.started_at(), &session.id));
    let claims: Vec<&Claim> = overview.claims.iter().filter(|claim| !claim.can_be_taken_over()).collect();
    let (messages, findings) = (&overview.recent_messages, &overview.coordination_needed);
    let sections = [
        ("🟢 Active Sessions", section(live.iter(), 0, |session| session_entry(overview, session))),
        ("🔒 Active Claims", section(claims.iter(), overview.omitted.active, |claim| claim_entry(overview, claim))),
        ("📬 Recent Messages (Last Hour)", section(messages.iter(), 0, |message| message_entry(overview, message))),
        (
            "⚠️ Coordination Needed",
            section(findings.iter(), overview.omitted.stale, |finding| {
                format!("- {}\n", cut(&finding.to_string(), LONGEST_FINDING))
            }),
        ),
    ];
    let mut page = format!(
        "# 🤝 Multi-Session Status Board\n\n{LAST_UPDATED} {}\n**Active Sessions:** {}\n",
        minute(now),
        live.len()
    );
    for (title, entries) in sections {
        let nothing = if title.starts_with('⚠') { "- None detected\n" } else { "- None\n" };
        let entries = if entries.is_empty() { nothing.to_owned() } else { entries.concat() };
        // Writing into a text cannot fail.
        let _ = write!(page, "\n---\n\n## {title}\n\n{}\n", entries.trim_end());
    }
    page.push_str("\n---\n\n**Refreshed:** whenever something changes\n**View:** `cat COORDINATION/STATUS_BOARD.md`\n");
    page
}

/// The entries of a section. `omitted` more are not even in the overview.
fn section<T>(items: impl ExactSizeIterator<Item = T>, omitted: usize, entry: impl Fn(T) -> String) -> Vec<String> {
    let more = items.len().saturating_sub(LONGEST_SECTION) + omitted;
    let mut entries: Vec<String> = items.take(LONGEST_SECTION).map(entry).collect();
    if more > 0 {
        entries.push(format!("- … and {more} more: `deconflict status` shows all\n"));
    }
    entries
}

fn session_entry(overview: &Overview, session: &Session) -> String {
    let record = &session.record;
    let last = overview.last_activities.get(&session.id);
    let action = last.and_then(|last| last.record.action.as_deref()).filter(|action| !action.trim().is_empty());
    let title = match session.label() {
        label if label == session.id.as_str() => fact(&label),
        label => format!("{} · {}", fact(&label), fact(session.id.as_str())),
    };
    let mut entry = format!("### {title} (Started: {})\n", minute(session.started_at()));
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            let _ = writeln!(entry, "- **{name}:** {}", fact(value));
        }
    };
    add("Status", Some(&capitalised(action.unwrap_or("active"))));
    add("Working On", record.current_work.as_deref());
    add("Phase", record.phase.as_deref());
    add("Progress", record.progress.as_deref());
    add("Branch", record.branch.as_deref());
    add("Last Update", Some(&minute(last.map_or_else(|| session.started_at(), |last| last.at))));
    add("Next", record.next_action.as_deref());
    let estimated = record.estimated_completion.as_deref();
    let estimated = estimated.map(|text| time::parse(text).map_or_else(|| text.to_owned(), minute));
    add("Est. Complete", estimated.as_deref());
    entry.push('\n');
    entry
}

/// A claim by hand says until when; an automatic one, which is renewed for as long as its document is edited, says
/// since when.
fn claim_entry(overview: &Overview, claim: &Claim) -> String {
    let resource = format!("{}/{}", claim.resource.resource_type(), claim.resource.display_name());
    let holder = claim.holder().map_or_else(|| "cannot be read".to_owned(), |id| named(overview, id));
    let when = if claim.is_automatic() {
        format!("since {}", minute(claim.claimed_at))
    } else {
        format!("expires {}", minute(claim.expires_at))
    };
    let phase = claim.record.phase.as_deref().filter(|phase| !phase.trim().is_empty());
    let phase = phase.map_or_else(String::new, |phase| format!(": {}", fact(phase)));
    format!("- **{}** - {holder} ({when}){phase}\n", fact(&resource))
}

fn message_entry(overview: &Overview, message: &Message) -> String {
    let from = match (&message.from, &message.record.from) {
        (Some(id), _) => named(overview, id),
        (None, Some(from)) => fact(from),
        (None, None) => "somebody".to_owned(),
    };
    let to = match &message.to {
        Recipient::Everyone => BROADCAST.to_owned(),
        Recipient::Session(id) => named(overview, id),
    };
    let text = message.record.text();
    let subject = message.record.subject.as_deref().filter(|subject| !subject.trim().is_empty());
    let said = match subject {
        Some(subject) if text.trim().is_empty() => cut(subject, LONGEST_MESSAGE),
        Some(subject) => format!("{}: {}", cut(subject, LONGEST_FACT), cut(&text, LONGEST_MESSAGE)),
        None => cut(&text, LONGEST_MESSAGE),
    };
    format!("- **{}** - {from} → {to}: \"{said}\"\n", minute(message.sent_at))
}

/// A session by its name, else by its id.
fn named(overview: &Overview, id: &SessionId) -> String {
    overview.session(id).map_or_else(|| fact(id.as_str()), |session| fact(&session.label()))
}

/// Foreign text as it can stand on the page: escaped, on one line and cut.
fn fact(text: &str) -> String {
    cut(text, LONGEST_FACT)
}

fn cut(text: &str, limit: usize) -> String {
    markdown(&one_line(text, limit))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.trim().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
