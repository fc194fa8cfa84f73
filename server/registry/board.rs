//! The status board: the overview as a page that people read, `STATUS_BOARD.md`.
//!
//! Everything on it changes only when something happens: times are absolute, and neither keepalives nor renewals of
//! automatic claims show. So it is rewritten only where it has something new to tell.

use std::borrow::Cow;
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
use deconflict_protocol::text::markdown_line;
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

/// An entry is seldom longer than this, in bytes.
const ROOM_FOR_AN_ENTRY: usize = 256;

const SOMEBODY: Cow<'static, str> = Cow::Borrowed("somebody");

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
        (
            "🟢 Active Sessions",
            section(live.iter(), left_out.live.count, |to, session| write_session(to, overview, session)),
        ),
        (
            "🔒 Active Claims",
            section(claims.iter(), left_out.active.count, |to, claim| write_claim(to, overview, claim)),
        ),
        (
            "📬 Recent Messages (Last Hour)",
            section(messages.iter(), left_out.messages.count, |to, message| write_message(to, overview, message)),
        ),
        (
            "⚠️ Coordination Needed",
            section(concerns.iter(), left_out.stale.count + left_out.silent.count, |to, concern| {
                to.extend(["- ", &markdown_line(concern, LONGEST_CONCERN), "\n"]);
            }),
        ),
    ];
    if !waiting.is_empty() {
        sections.insert(2, ("⏳ Waiting", section(waiting.iter(), 0, |to, place| write_place(to, place, now))));
    }
    let mut page = format!(
        "# 🤝 Multi-Session Status Board\n\n{LAST_UPDATED} {}\n**Active Sessions:** {}\n",
        minute(now),
        live.len() + left_out.live.count
    );
    for (title, entries) in sections {
        let nothing = if title.starts_with('⚠') { "- None detected\n" } else { "- None\n" };
        let entries = if entries.is_empty() { nothing } else { &entries };
        page.extend(["\n---\n\n## ", title, "\n\n", entries.trim_end(), "\n"]);
    }
    page.push_str("\n---\n\n**Refreshed:** whenever something changes\n**View:** `cat COORDINATION/STATUS_BOARD.md`\n");
    page
}

/// The entries of a section. `omitted` more are only counted.
fn section<T>(items: impl ExactSizeIterator<Item = T>, omitted: usize, write: impl Fn(&mut String, T)) -> String {
    let more = items.len().saturating_sub(SHOWN) + omitted;
    let mut entries = String::with_capacity(items.len().min(SHOWN) * ROOM_FOR_AN_ENTRY);
    items.take(SHOWN).for_each(|item| write(&mut entries, item));
    if more > 0 {
        entries.extend(["- … and ", &more.to_string(), " more: `deconflict status` shows them\n"]);
    }
    entries
}

fn write_session(entry: &mut String, overview: &Overview, session: &Session) {
    let record = &session.record;
    let last = overview.last_activities.get(&session.id);
    let action = last.and_then(|last| last.record.action.as_deref()).filter(|action| !action.trim().is_empty());
    let (label, id) = (session.label(), session.id.as_str());
    entry.extend(["### ", &fact(&label)]);
    if label != id {
        entry.extend([" · ", &fact(id)]);
    }
    let started = minute(session.started_at());
    entry.extend([" (Started: ", &started, ")\n"]);
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
    add("Last Update", Some(&last.map_or(started, |last| minute(last.at))));
    add("Next", record.next_action.as_deref());
    let estimated = record.estimated_completion.as_deref();
    let estimated = estimated.map(|text| time::parse(text).map_or_else(|| text.to_owned(), minute));
    add("Est. Complete", estimated.as_deref());
    entry.push('\n');
}

/// A claim by hand says until when; an automatic one, which is renewed for as long as its document is edited, says
/// since when.
fn write_claim(entry: &mut String, overview: &Overview, claim: &Claim) {
    let resource = [claim.resource.resource_type().as_str(), "/", &claim.resource.display_name()].concat();
    let holder = claim.holder().map_or(Cow::Borrowed("cannot be read"), |id| named(overview, id));
    let (word, when) =
        if claim.is_automatic() { (" (since ", claim.claimed_at) } else { (" (expires ", claim.expires_at) };
    entry.extend(["- **", &fact(&resource), "** - ", &holder, word, &minute(when), ")"]);
    if let Some(phase) = claim.record.phase.as_deref().filter(|phase| !phase.trim().is_empty()) {
        entry.extend([": ", &fact(phase)]);
    }
    entry.push('\n');
}

/// Who waits for what, in which place.
fn write_place(entry: &mut String, place: &PlaceInLine, now: DateTime<Utc>) {
    let who = match (&place.session, place.id()) {
        (Some(session), _) => fact(&session.label_for_all()).into_owned().into(),
        (None, Some(id)) => fact(id.as_str()),
        (None, None) => SOMEBODY,
    };
    let (what, number, since) = (fact(&place.what), place.number.to_string(), minute(place.since(now)));
    entry.extend(["- **", &what, "** - number ", &number, " in line: ", &who, " (since ", &since, ")\n"]);
}

fn write_message(entry: &mut String, overview: &Overview, message: &Message) {
    let from = match (&message.from, &message.record.from) {
        (Some(id), _) => named(overview, id),
        (None, Some(from)) => fact(from),
        (None, None) => SOMEBODY,
    };
    let to = match &message.to {
        Recipient::Everyone => Cow::Borrowed(BROADCAST),
        Recipient::Session(id) => named(overview, id),
    };
    let text = message.record.text();
    let subject = message.record.subject.as_deref().filter(|subject| !subject.trim().is_empty());
    let (subject, separator, text) = match subject {
        Some(subject) if text.trim().is_empty() => (markdown_line(subject, LONGEST_MESSAGE), "", Cow::default()),
        Some(subject) => (markdown_line(subject, LONGEST_FACT), ": ", markdown_line(&text, LONGEST_MESSAGE)),
        None => (Cow::default(), "", markdown_line(&text, LONGEST_MESSAGE)),
    };
    let when = minute(message.sent_at);
    entry.extend(["- **", &when, "** - ", &from, " → ", &to, ": \"", &subject, separator, &text, "\"\n"]);
}

fn named<'a>(overview: &Overview, id: &'a SessionId) -> Cow<'a, str> {
    overview.session(id).map_or_else(|| fact(id.as_str()), |session| fact(&session.label()).into_owned().into())
}

/// Foreign text as it can stand on the page: escaped, on one line and cut.
fn fact(text: &str) -> Cow<'_, str> {
    markdown_line(text, LONGEST_FACT)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.trim().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
