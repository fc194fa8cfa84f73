//! The files that hold the logs, one for each file that was seen. Each line of it is one event.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deconflict_platform::in_shares;
use deconflict_protocol::text::hex;
use deconflict_protocol::{Resource, SessionId};
use deconflict_workspace::{FolderEntry, Lock, LockedFile, PrivateFolder};
use memchr::memmem;
use sha2::{Digest, Sha256};

use super::entry::{Entry, Line};
use super::error::{Error, failed};
use super::file_log::{FileLog, Tip};

/// What is read of one log, in bytes: the events of weeks. What comes before is as good as removed.
const LONGEST: u64 = 64 << 20;

/// What is read of a log at first to find its newest lines, in bytes.
const END: u64 = 16 << 10;

/// How long a log's lock is waited for. After that a line is added without it: what is kept counts more than that two
/// who saw the same change make one entry of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many logs or fewer are not worth a thread to read them.
const SHARE: usize = 200;

const SUFFIX: &str = ".jsonl";

/// The logs of all files.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    folder: PrivateFolder,
}

/// The newest lines of a log: the newest that says what stands there, and what follows it.
#[derive(Debug, Default)]
pub(super) struct End {
    lines: Vec<Line>,
}

/// A log whose lock is held.
pub(super) struct OpenLog<'a> {
    file: LockedFile<'a>,
    path: PathBuf,
    /// What its end says.
    pub(super) end: End,
    ends_in_line_end: bool,
}

impl Logs {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { folder: journal.below("files") }
    }

    /// Reads a log; an empty one if there is none.
    pub(super) fn read(&self, resource: &Resource) -> Result<FileLog, Error> {
        self.read_named(&name_of(resource))
    }

    pub(super) fn read_named(&self, name: &str) -> Result<FileLog, Error> {
        Ok(FileLog::parse(&self.bytes(name)?))
    }

    /// True if there is such a log file.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.folder.contains(name)
    }

    /// Which file a log is about; `None` if no line of it says so.
    pub(super) fn resource_of(&self, name: &str) -> Result<Option<Resource>, Error> {
        // The newest line says it as well as the first, unless the newest ones only speak of other lines.
        let path = self.path(name);
        let read = self.folder.read_end(name, END).map_err(failed("read", &path))?;
        let (start, bytes) = read.unwrap_or_default();
        match resource_of(&whole_lines(start, bytes)) {
            None if start > 0 => Ok(resource_of(&self.bytes(name)?)),
            found => Ok(found),
        }
    }

    /// The newest changes since a time that a log speaks of, at most so many, newest first. It reads no more lines than
    /// it needs.
    pub(super) fn newest(&self, name: &str, since: DateTime<Utc>, limit: usize) -> Result<Vec<Entry>, Error> {
        let path = self.path(name);
        let mut longest = END;
        loop {
            let (start, bytes) =
                self.folder.read_end(name, longest).map_err(failed("read", &path))?.unwrap_or_default();
            let (mut entries, mut authors, mut is_enough) = (Vec::new(), HashMap::new(), false);
            for line in whole_lines(start, bytes).rsplit(|byte| *byte == b'\n') {
                match serde_json::from_slice(line) {
                    // What somebody noticed later may have been added a moment before.
                    Ok(Line::Change(entry)) if entry.at + TimeDelta::seconds(10) < since => is_enough = true,
                    Ok(Line::Change(mut entry)) => {
                        if let Some((author, cause)) = authors.remove(&entry.id) {
                            entry.attribute(&author, &cause);
                        }
                        entries.extend(Some(entry).filter(|entry| entry.at >= since));
                        is_enough = entries.len() >= limit;
                    }
                    Ok(Line::Attributed { entry, author, cause }) => {
                        authors.entry(entry).or_insert((author, cause));
                    }
                    _ => {}
                }
                if is_enough {
                    break;
                }
            }
            if is_enough || start == 0 || longest >= LONGEST {
                return Ok(entries);
            }
            longest *= 4;
        }
    }

    /// What a log file holds; nothing if there is none.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, Error> {
        let read = self.folder.read_end(name, LONGEST).map_err(failed("read", &self.path(name)))?;
        Ok(read.map_or_else(Vec::new, |(start, bytes)| whole_lines(start, bytes)))
    }

    /// True for each log in which no line names another session than these. So it is where there is no log.
    pub(super) fn name_only(&self, resources: &[&Resource], sessions: &[&SessionId]) -> Result<Vec<bool>, Error> {
        let is_of_them = |resource: &&Resource| Ok(names_only(&self.bytes(&name_of(resource))?, sessions));
        in_shares(resources, SHARE, is_of_them).into_iter().collect()
    }

    /// The end of a log, read without its lock.
    pub(super) fn end(&self, resource: &Resource) -> Result<End, Error> {
        let name = name_of(resource);
        let read = |longest| Ok(self.folder.read_end(&name, longest)?.unwrap_or_default());
        End::find(read).map_err(failed("read", &self.path(&name)))
    }

    /// Opens a log, made if it is missing, and reads its end once nobody else can write it.
    pub(super) fn open(&self, resource: &Resource) -> Result<OpenLog<'_>, Error> {
        self.open_named(&name_of(resource))
    }

    pub(super) fn open_named(&self, name: &str) -> Result<OpenLog<'_>, Error> {
        let (file, path) = (self.lock(name)?, self.path(name));
        let mut ends_in_line_end = true;
        let read = |longest| {
            let (start, bytes) = file.read_end(longest)?;
            ends_in_line_end = bytes.last().is_none_or(|last| *last == b'\n');
            Ok((start, bytes))
        };
        let end = End::find(read).map_err(failed("read", &path))?;
        Ok(OpenLog { file, path, end, ends_in_line_end })
    }

    /// Adds lines to a log.
    pub(super) fn append(&self, resource: &Resource, lines: &[Line]) -> Result<(), Error> {
        let name = name_of(resource);
        let (file, path) = (self.lock(&name)?, self.path(&name));
        let (_, last) = file.read_end(1).map_err(failed("read", &path))?;
        let ends_in_line_end = last.first().is_none_or(|last| *last == b'\n');
        OpenLog { file, path, end: End::default(), ends_in_line_end }.append(lines)
    }

    fn lock(&self, name: &str) -> Result<LockedFile<'_>, Error> {
        self.folder.lock(name, Lock::Exclusive, PATIENCE).map_err(failed("open", &self.path(name)))
    }

    /// Every log's file; the newest first.
    pub(super) fn list(&self) -> Result<Vec<FolderEntry>, Error> {
        let mut logs = self.folder.entries().map_err(failed("list", &self.folder.path()))?;
        logs.retain(|log| log.is_file && log.name.ends_with(SUFFIX) && !log.name.starts_with('.'));
        logs.sort_by_key(|log| std::cmp::Reverse(log.written));
        Ok(logs)
    }

    /// What is left of those who died while they wrote a log anew, since some minutes ago at least.
    pub(super) fn remove_unfinished(&self) {
        super::objects::remove_unfinished(&self.folder);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// How the log of a file is called.
pub(super) fn name_of(resource: &Resource) -> String {
    format!("{}{SUFFIX}", hex(&Sha256::digest(resource.spelled())[..16]))
}

/// Which file a log is about, by the first of its lines that says so.
pub(super) fn resource_of(bytes: &[u8]) -> Option<Resource> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.find_map(|line| match line {
        Line::Change(Entry { resource, .. }) | Line::Seen { resource, .. } => Some(resource),
        _ => None,
    })
}

/// True if the lines of a log name no other session than these. They are not taken apart for that.
fn names_only(lines: &[u8], sessions: &[&SessionId]) -> bool {
    const FIELD: &[u8] = b"\"session\":\"";
    memmem::find_iter(lines, FIELD).all(|position| {
        let rest = &lines[position + FIELD.len()..];
        let is_named = |session: &&SessionId| {
            rest.strip_prefix(session.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b"\""))
        };
        sessions.iter().any(is_named)
    })
}

/// Without the line that was begun before what was read.
fn whole_lines(start: u64, mut bytes: Vec<u8>) -> Vec<u8> {
    if start > 0 {
        let line_end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |position| position + 1);
        bytes.drain(..line_end);
    }
    bytes
}

impl End {
    /// Reads more and more of a log's end, until it says what stands in the file.
    fn find(mut read: impl FnMut(u64) -> io::Result<(u64, Vec<u8>)>) -> io::Result<Self> {
        let mut longest = END;
        loop {
            let (start, bytes) = read(longest)?;
            let bytes = whole_lines(start, bytes);
            let mut lines: Vec<Line> = Vec::new();
            for line in bytes.rsplit(|byte| *byte == b'\n') {
                let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
                let is_change = matches!(line, Line::Change(_));
                lines.push(line);
                if is_change {
                    break;
                }
            }
            let has_change = lines.last().is_some_and(|line| matches!(line, Line::Change(_)));
            if has_change || start == 0 || longest >= LONGEST {
                lines.reverse();
                return Ok(Self { lines });
            }
            longest *= 8;
        }
    }

    pub(super) fn tip(&self) -> Option<Tip> {
        Tip::after(&self.lines)
    }

    /// True if nobody knows whose the newest change is, and it was not found out who lost by it.
    pub(super) fn is_unsettled(&self) -> bool {
        let newest = self.newest_change().filter(|newest| newest.author.is_none());
        newest.is_some_and(|newest| {
            let is_judged = |line: &Line| matches!(line, Line::Judged { entry, .. } if *entry == newest.id);
            !self.lines.iter().any(is_judged)
        })
    }

    /// The newest change, with the author that was found since.
    pub(super) fn newest_change(&self) -> Option<Entry> {
        let Some(Line::Change(entry)) = self.lines.first() else { return None };
        let mut entry = entry.clone();
        for line in &self.lines {
            if let Line::Attributed { entry: id, author, cause } = line
                && *id == entry.id
            {
                entry.attribute(author, cause);
            }
        }
        Some(entry)
    }
}

impl OpenLog<'_> {
    /// Adds lines at the end. A line that was torn there costs only itself.
    pub(super) fn append(&mut self, lines: &[Line]) -> Result<(), Error> {
        let mut bytes = if self.ends_in_line_end { Vec::new() } else { vec![b'\n'] };
        for line in lines {
            write_line(&mut bytes, line).map_err(failed("write", &self.path))?;
        }
        self.file.append(&bytes).map_err(failed("write", &self.path))?;
        self.ends_in_line_end = true;
        Ok(())
    }

    /// True unless it was removed or replaced by somebody who did not wait.
    pub(super) fn is_current(&self) -> bool {
        self.file.is_current()
    }

    /// True if nobody else can write it.
    pub(super) fn is_locked(&self) -> bool {
        self.file.is_locked()
    }

    /// All that it holds.
    pub(super) fn read(&self) -> Result<Vec<u8>, Error> {
        let (start, bytes) = self.file.read_end(LONGEST).map_err(failed("read", &self.path))?;
        Ok(whole_lines(start, bytes))
    }

    /// Leaves nothing but these lines; without any, the log goes.
    pub(super) fn replace(self, lines: &[&Line]) -> Result<(), Error> {
        let path = self.path;
        if lines.is_empty() {
            return self.file.remove().map_err(failed("remove", &path));
        }
        let mut bytes = Vec::new();
        for line in lines {
            write_line(&mut bytes, line).map_err(failed("write", &path))?;
        }
        self.file.replace(&bytes).map_err(failed("write", &path))
    }
}

fn write_line(bytes: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *bytes, line)?;
    bytes.push(b'\n');
    Ok(())
}

/// Finds changes whose name begins so, in what a log holds, without reading every line.
pub(super) fn changes_beginning(bytes: &[u8], prefix: &str) -> Vec<String> {
    const BEGIN: &str = "{\"change\":{\"id\":\"";
    let text = String::from_utf8_lossy(bytes);
    let begins = format!("{BEGIN}{prefix}");
    let named = text.match_indices(&begins).map(|(position, _)| position + BEGIN.len());
    named.filter_map(|start| Some(text[start..].split_once('"')?.0.to_owned())).collect()
}
