//! Which files are worth a look: those in which somebody had something uncommitted or which somebody held, with how they
//! stood when somebody looked last. One read tells which of them may have changed.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deconflict_protocol::Resource;
use deconflict_workspace::{Lock, PrivateFolder};
use serde::{Deserialize, Serialize};

use super::error::{Error, failed};
use super::stamp::Stamp;

const NAME: &str = "watched.jsonl";

/// The list is written anew, one line for each file, whenever it has grown by so many bytes.
const GROWTH: u64 = 64 << 10;

/// No more of it is read, in bytes: tens of thousands of files.
const LONGEST: u64 = 16 << 20;

/// Whoever writes it needs no time for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A file that is worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The file.
    pub resource: Resource,
    /// How it stood when somebody looked last; `None` if nothing stood there.
    pub stamp: Option<Stamp>,
    /// When that was.
    pub at: DateTime<Utc>,
    /// True if nobody knows whose its newest change is, and it was not found out yet who lost by it.
    pub is_unsettled: bool,
}

/// One line of the list. The newest one about a file counts.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
    at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsettled: bool,
    /// It is worth no look any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dropped: bool,
}

/// The list of such files.
#[derive(Debug, Clone)]
pub(super) struct WatchList {
    journal: PrivateFolder,
}

impl WatchList {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { journal: journal.clone() }
    }

    pub(super) fn read(&self) -> Result<Vec<Watched>, Error> {
        let read = self.journal.read_end(NAME, LONGEST).map_err(failed("read", &self.journal.path().join(NAME)))?;
        let lines = fold(&read.unwrap_or_default().1).into_iter().filter(|line| !line.dropped);
        Ok(lines
            .filter_map(|line| {
                let resource = Resource::parse(&line.file)?;
                Some(Watched { resource, stamp: line.stamp, at: line.at, is_unsettled: line.unsettled })
            })
            .collect())
    }

    pub(super) fn add(&self, watched: &Watched) -> Result<(), Error> {
        let Watched { resource, stamp, at, is_unsettled } = watched;
        let line = Line { file: resource.spelled(), stamp: *stamp, at: *at, unsettled: *is_unsettled, dropped: false };
        self.append(&line)
    }

    pub(super) fn drop(&self, resource: &Resource) -> Result<(), Error> {
        let at = DateTime::UNIX_EPOCH;
        self.append(&Line { file: resource.spelled(), stamp: None, at, unsettled: false, dropped: true })
    }

    fn append(&self, line: &Line) -> Result<(), Error> {
        let path = self.journal.path().join(NAME);
        // A line that was torn before costs only itself.
        let mut bytes = vec![b'\n'];
        serde_json::to_writer(&mut bytes, line).map_err(|error| failed("write", &path)(error.into()))?;
        bytes.push(b'\n');
        let write = || {
            let file = self.journal.lock(NAME, Lock::Exclusive, PATIENCE)?;
            let length = file.length()?;
            let has_grown = length / GROWTH != (length + bytes.len() as u64) / GROWTH;
            if !has_grown || !file.is_locked() {
                return file.append(&bytes);
            }
            let (_, mut whole) = file.read_end(LONGEST)?;
            whole.extend_from_slice(&bytes);
            let mut anew = Vec::new();
            for line in fold(&whole).iter().filter(|line| !line.dropped) {
                serde_json::to_writer(&mut anew, line)?;
                anew.push(b'\n');
            }
            file.replace(&anew)
        };
        write().map_err(failed("write", &path))
    }
}

/// The newest line of each file, in the order in which the files were first seen.
fn fold(bytes: &[u8]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
        if let Some(position) = positions.get(&line.file) {
            lines[*position] = line;
        } else {
            positions.insert(line.file.clone(), lines.len());
            lines.push(line);
        }
    }
    lines
}
