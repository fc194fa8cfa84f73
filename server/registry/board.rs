//! The status board: the overview as a page that people read, `STATUS_BOARD.md`.
//!
//! Everything on it changes only when something happens: times are absolute, and neither keepalives nor renewals of
//! automatic claims show. So it is rewritten only where it has something new to tell.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::board_rows::{BoardRows, SHOWN};
use super::claims::Claim;
use super::concerns::{Concern, minute};
use super::messages::{Message, Recipient};
use super::overview::Overview;
use super::queue::PlaceInLine;
use super::records::{position_of_claim, position_of_session};
use super::session::Session;
use super::store::files::directory::{Directory, Durability};
use super::store::files::folder::Folder;
use super::store::files::lock::lock_file;
use super::{Error, Registry, SeenBy};
use deconflict_protocol::text::{markdown, one_line};
use deconflict_protocol::{BROADCAST, SessionId, time};

const BOARD: &str = "STATUS_BOARD.md";

/// Whoever keeps the board holds this file locked.
pub(super) const BOARD_KEEPER: &str = ".board-keeper";

/// Whoever writes the board for a verb holds this file locked.
const BOARD_LOCK: &str = ".board-lock";

/// How the only line starts that says when the board was written.
const LAST_UPDATED: &str = "**Last Updated:**";

/// Names and single facts are cut after so many characters, messages after more, and concerns, which are our own words
/// around names that are cut already, after more still.
pub(super) const LONGEST_FACT: usize = 120;
pub(super) const LONGEST_MESSAGE: usize = 240;
const LONGEST_CONCERN: usize = 1_000;

/// The board's file in a directory.
pub fn board_below(directory: &Path) -> PathBuf {
    directory.join(BOARD)
}

impl Registry {
    /// The board as it would be written now, from all records.
    pub fn board_text(&self) -> Result<String, Error> {
        Ok(self.render(self.all_board_rows(&self.directory()?)?))
    }

    pub(super) fn all_board_rows(&self, directory: &Directory) -> Result<BoardRows, Error> {
        let mut rows = BoardRows { records: self.records(directory)?, ..BoardRows::default() };
        rows.shorten(self.now());
        Ok(rows)
    }

    /// Brings the board up to date for a verb that changed something, unless a server keeps it.
    pub fn refresh_board(&self) -> Result<(), Error> {
        let directory = self.directory_to_write()?;
        if is_kept(&directory)? {
            // It sees the changes by itself.
            drop(self.store.changes.take());
            return Ok(());
        }
        let _lock = lock_file(&directory, BOARD_LOCK)?;
        let rows = self.board_rows(&directory)?;
        // A board that a power loss has torn is mended by the next verb: none waits for the disk.
        self.write_board(&directory, rows, Durability::Process).map(drop)
    }

    /// Writes the board unless nothing but "Last Updated" would differ. Returns whether it was written.
    pub(super) fn write_board(
        &self,
        directory: &Directory,
        rows: BoardRows,
        durability: Durability,
    ) -> Result<bool, Error> {
        let text = self.render(rows);
        let before = match directory.read(&Folder::Root, BOARD) {
            Ok(stored) => stored.and_then(|stored| String::from_utf8(stored.bytes).ok()),
            // Something else has the board's name. A link or an overlong file is replaced, not followed.
            Err(Error::Unsafe { .. }) => None,
            Err(error) => return Err(error),
        };
        if before.is_some_and(|before| says_the_same(&before, &text)) {
            return Ok(false);
        }
        directory.replace_file(&Folder::Root, BOARD, text.as_bytes(), durability)?;
        Ok(true)
    }

    fn render(&self, rows: BoardRows) -> String {
        // Few wait, so their tickets are read anew each time.
        let waiting = self.places_in_line().unwrap_or_default();
        render(rows, &waiting, &self.findings(self.now()), self.now())
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
    // Nothing of others stands before that line.
    let around = |page| {
        let (above, rest) = str::split_once(page, LAST_UPDATED)?;
        Some((above, rest.split_once('\n')?.1))
    };
    around(before) == around(after)
}

fn render(mut rows: BoardRows, waiting: &[PlaceInLine], findings: &[String], now: DateTime<Utc>) -> String {
    // Everybody reads the board, whoever writes it.
    rows.records.sessions.iter_mut().for_each(|session| session.viewer = SeenBy::default());
    let left_out = rows.left_out;
    let overview = &Overview::of(rows.records, now);
    // Not in the order of their last signs, which keepalives change.
    let mut live: Vec<&Session> = overview.sessions.iter().filter(|session| overview.is_alive(session)).collect();
    live.sort_by_cached_key(|session| position_of_session(session));
    let mut claims: Vec<&Claim> = overview.claims.iter().filter(|claim| !claim.can_be_taken_over()).collect();
    claims.sort_by_cached_key(|claim| position_of_claim(claim));
    let messages = &overview.recent_messages;
    let concerns = overview.coordination_needed.iter().map(Concern::to_string);
    let concerns: Vec<String> = findings.iter().cloned().chain(concerns).collect();
    let mut sections = vec![
        ("🟢 Active Sessions", section(live.iter(), left_out.live.count, |session| session_entry(overview, session))),
        ("🔒 Active Claims", section(claims.iter(), left_out.active.count, |claim| claim_entry(overview, claim))),
        (
            "📬 Recent Messages (Last Hour)",
            section(messages.iter(), left_out.messages.count, |message| message_entry(overview, message)),
        ),
        (
            "⚠️ Coordination Needed",
            section(concerns.iter(), left_out.stale.count + left_out.silent.count, |concern| {
                format!("- {}\n", cut(concern, LONGEST_CONCERN))
            }),
        ),
    ];
    if !waiting.is_empty() {
        sections.insert(2, ("⏳ Waiting", section(waiting.iter(), 0, |place| place_entry(place, now))));
    }
    let mut page = format!(
        "# 🤝 Multi-Session Status Board\n\n{LAST_UPDATED} {}\n**Active Sessions:** {}\n",
        minute(now),
        live.len() + left_out.live.count
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

/// The entries of a section. `omitted` more are only counted.
fn section<T>(items: impl ExactSizeIterator<Item = T>, omitted: usize, entry: impl Fn(T) -> String) -> Vec<String> {
    let more = items.len().saturating_sub(SHOWN) + omitted;
    let mut entries: Vec<String> = items.take(SHOWN).map(entry).collect();
    if more > 0 {
        entries.push(format!("- … and {more} more: `deconflict status` shows them\n"));
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
            entry.extend(["- **", name, ":** ", &fact(value), "\n"]);
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

/// Who waits for what, in which place.
fn place_entry(place: &PlaceInLine, now: DateTime<Utc>) -> String {
    let who = match (&place.session, place.id()) {
        (Some(session), _) => fact(&session.label_for_all()),
        (None, Some(id)) => fact(id.as_str()),
        (None, None) => "somebody".to_owned(),
    };
    let (number, since) = (place.number, minute(place.since(now)));
    format!("- **{}** - number {number} in line: {who} (since {since})\n", fact(&place.what))
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
