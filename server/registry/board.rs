//! The status board: the overview as a page that people read, `STATUS_BOARD.md`. It is rewritten only where it has something
//! new to tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board_entries::{finding_entry, place_entry};
use super::board_rows::{BoardRows, SHOWN};
use super::board_state::{BoardState, LastReading, Row};
use super::concerns::minute;
use super::queue::PlaceInLine;
use super::store::files::directory::{Directory, Durability};
use super::store::files::folder::Folder;
use super::store::files::lock::lock_file;
use super::{Error, Registry};

const BOARD: &str = "STATUS_BOARD.md";

/// Whoever keeps the board holds this file locked.
pub(super) const BOARD_KEEPER: &str = ".board-keeper";

/// Whoever writes the board for a verb holds this file locked.
const BOARD_LOCK: &str = ".board-lock";

/// How the only line starts that says when the board was written.
const LAST_UPDATED: &str = "**Last Updated:**";

/// The board's file in a directory.
pub fn board_below(directory: &Path) -> PathBuf {
    directory.join(BOARD)
}

impl Registry {
    /// The board as it would be written now, from all records.
    pub fn board_text(&self) -> Result<String, Error> {
        Ok(self.page_of(self.all_board_rows(&self.directory()?)?))
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
        let text = self.with_board_state(&directory, |state| self.page(state))?;
        // A board that a power loss has torn is mended by the next verb: none waits for the disk.
        write(&directory, &text, Durability::Process).map(drop)
    }

    /// Writes the board with these rows. Returns whether it was written.
    pub(super) fn write_board(&self, directory: &Directory, rows: BoardRows) -> Result<bool, Error> {
        write(directory, &self.page_of(rows), Durability::Whole)
    }

    fn page_of(&self, rows: BoardRows) -> String {
        let now = self.now();
        self.page(&BoardState::of(rows, LastReading { at: now, took: Duration::ZERO }, None, now))
    }

    fn page(&self, state: &BoardState) -> String {
        // Few wait, so their tickets are read anew each time.
        let waiting = self.places_in_line().unwrap_or_default();
        page(state, &waiting, &self.findings(self.now()), self.now())
    }
}

/// True if a server keeps the board: it holds a lock on a file of its own for as long as it lives.
pub(super) fn is_kept(directory: &Directory) -> Result<bool, Error> {
    if directory.file_stamp(&Folder::Root, BOARD_KEEPER)?.is_none() {
        return Ok(false);
    }
    let keeper = directory.open_lock(BOARD_KEEPER)?;
    // Where files cannot be locked, nobody keeps the board.
    Ok(matches!(keeper.file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Writes the board unless nothing but "Last Updated" would differ. Returns whether it was written.
fn write(directory: &Directory, text: &str, durability: Durability) -> Result<bool, Error> {
    let before = match directory.read(&Folder::Root, BOARD) {
        Ok(stored) => stored.and_then(|stored| String::from_utf8(stored.bytes).ok()),
        // Something else has the board's name. A link or an overlong file is replaced, not followed.
        Err(Error::Unsafe { .. }) => None,
        Err(error) => return Err(error),
    };
    if before.is_some_and(|before| says_the_same(&before, text)) {
        return Ok(false);
    }
    directory.replace_file(&Folder::Root, BOARD, text.as_bytes(), durability)?;
    Ok(true)
}

fn says_the_same(before: &str, after: &str) -> bool {
    // Nothing of others stands before that line.
    let around = |page| {
        let (above, rest) = str::split_once(page, LAST_UPDATED)?;
        Some((above, rest.split_once('\n')?.1))
    };
    around(before) == around(after)
}

/// The page with the first rows of each list.
fn page(state: &BoardState, waiting: &[PlaceInLine], findings: &[String], now: DateTime<Utc>) -> String {
    let left_out = &state.left_out;
    let (sessions, claims) = (listed(&state.sessions), listed(&state.claims));
    let waiting: Vec<String> = waiting.iter().map(|place| place_entry(place, now)).collect();
    let waiting: Vec<&str> = waiting.iter().map(String::as_str).collect();
    let messages: Vec<&str> = state.messages.iter().map(|entry| &*entry.0).collect();
    let findings: Vec<String> = findings.iter().map(|finding| finding_entry(finding)).collect();
    let findings = findings.iter().map(String::as_str).chain(state.concerns.iter().map(|entry| &*entry.0));
    let live = (sessions.len() + left_out.live.count).to_string();
    let mut page = String::new();
    page.extend(["# 🤝 Multi-Session Status Board\n\n", LAST_UPDATED, " ", &minute(now)]);
    // Two blanks, so that the two stay on lines of their own where the page is rendered.
    page.extend(["  \n**Active Sessions:** ", &live, "\n"]);
    section(&mut page, "🟢 Active Sessions", "- None\n", &sessions, left_out.live.count);
    section(&mut page, "🔒 Active Claims", "- None\n", &claims, left_out.active.count);
    if !waiting.is_empty() {
        section(&mut page, "⏳ Waiting", "- None\n", &waiting, 0);
    }
    section(&mut page, "📬 Recent Messages (Last Hour)", "- None\n", &messages, left_out.messages.count);
    let omitted = left_out.stale.count + left_out.silent.count;
    section(&mut page, "⚠️ Coordination Needed", "- None detected\n", &findings.collect::<Vec<_>>(), omitted);
    page.push_str("\n---\n\n**Refreshed:** whenever something changes\n**View:** `cat COORDINATION/STATUS_BOARD.md`\n");
    page
}

fn listed<'a>(rows: &'a [Row]) -> Vec<&'a str> {
    rows.iter().filter(|row| row.is_listed()).map(|row| &*row.entry).collect()
}

/// A list of the page. `omitted` more than these are only counted.
fn section(page: &mut String, title: &str, nothing: &str, entries: &[&str], omitted: usize) {
    page.extend(["\n---\n\n## ", title, "\n\n"]);
    page.extend(entries.iter().take(SHOWN).copied());
    let more = entries.len().saturating_sub(SHOWN) + omitted;
    if more > 0 {
        page.extend(["- … and ", &more.to_string(), " more: `deconflict status` shows them\n"]);
    } else if entries.is_empty() {
        page.push_str(nothing);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
}
