//! A list of files beside the logs, so that one read tells which of thousands are meant. Each line is about one file, and
//! the newest one about a file counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use deconflict_workspace::{Lock, PrivateFolder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Error, failed};

/// The list is written anew, one line for each file, whenever it has grown by so many bytes.
const GROWTH: u64 = 64 << 10;

/// No more of it is read, in bytes: tens of thousands of files.
const LONGEST: u64 = 16 << 20;

/// Whoever writes it needs no time for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// One line of a list.
pub(super) trait FileLine: Serialize + DeserializeOwned {
    /// The file that it is about.
    fn file(&self) -> &str;

    /// True if the file is in the list no more.
    fn is_dropped(&self) -> bool;
}

/// A list with a name of its own in the journal's folder.
#[derive(Debug, Clone)]
pub(super) struct FileList {
    journal: PrivateFolder,
    name: &'static str,
}

impl FileList {
    pub(super) fn new(journal: &PrivateFolder, name: &'static str) -> Self {
        Self { journal: journal.clone(), name }
    }

    /// The newest line of each file that is in the list, in the order in which the files were first seen.
    pub(super) fn read<L: FileLine>(&self) -> Result<Vec<L>, Error> {
        let read = self.journal.read_end(self.name, LONGEST).map_err(failed("read", &self.path()))?;
        Ok(fold(&read.unwrap_or_default().1))
    }

    pub(super) fn append<L: FileLine>(&self, line: &L) -> Result<(), Error> {
        let path = self.path();
        // A line that was torn before costs only itself.
        let mut bytes = vec![b'\n'];
        serde_json::to_writer(&mut bytes, line).map_err(|error| failed("write", &path)(error.into()))?;
        bytes.push(b'\n');
        let write = || {
            let file = self.journal.lock(self.name, Lock::Exclusive, PATIENCE)?;
            let length = file.length()?;
            let has_grown = length / GROWTH != (length + bytes.len() as u64) / GROWTH;
            if !has_grown || !file.is_locked() {
                return file.append(&bytes);
            }
            let (_, mut whole) = file.read_end(LONGEST)?;
            whole.extend_from_slice(&bytes);
            let mut anew = Vec::new();
            for line in fold::<L>(&whole) {
                serde_json::to_writer(&mut anew, &line)?;
                anew.push(b'\n');
            }
            file.replace(&anew)
        };
        write().map_err(failed("write", &path))
    }

    fn path(&self) -> PathBuf {
        self.journal.path().join(self.name)
    }
}

fn fold<L: FileLine>(bytes: &[u8]) -> Vec<L> {
    let mut lines: Vec<L> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<L>(line).ok()) {
        if let Some(position) = positions.get(line.file()) {
            lines[*position] = line;
        } else {
            positions.insert(line.file().to_owned(), lines.len());
            lines.push(line);
        }
    }
    lines.retain(|line| !line.is_dropped());
    lines
}
