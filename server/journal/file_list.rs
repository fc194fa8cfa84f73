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
const GROWTH: u64 = 16 << 10;

/// No more of it is read, in bytes: tens of thousands of files.
const LONGEST: u64 = 16 << 20;

/// Whoever writes it needs no time for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// One line of a list, of which the first field is the file that it is about.
pub(super) trait FileLine: Serialize + DeserializeOwned {
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
            if !file.is_locked() || !file.passes(GROWTH, bytes.len())? {
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

/// The newest line of each file. Older ones are not taken apart.
fn fold<L: FileLine>(bytes: &[u8]) -> Vec<L> {
    let mut files: Vec<Vec<&[u8]>> = Vec::new();
    let mut positions: HashMap<&[u8], usize> = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let position = *positions.entry(beginning(line)).or_insert_with(|| {
            files.push(Vec::new());
            files.len() - 1
        });
        files[position].push(line);
    }
    // A line that was torn counts for nothing.
    let newest = |lines: Vec<&[u8]>| lines.iter().rev().find_map(|line| serde_json::from_slice::<L>(line).ok());
    files.into_iter().filter_map(newest).filter(|line| !line.is_dropped()).collect()
}

/// What a line begins with, which is its file: the same for all lines of that file, as they are written here.
fn beginning(line: &[u8]) -> &[u8] {
    const FILE: &[u8] = b"{\"file\":\"";
    let Some(name) = line.strip_prefix(FILE) else { return line };
    let mut is_escaped = false;
    let end = name.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(line, |end| &line[..FILE.len() + end])
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Numbered {
        file: String,
        number: u32,
        #[serde(default)]
        dropped: bool,
    }

    impl FileLine for Numbered {
        fn is_dropped(&self) -> bool {
            self.dropped
        }
    }

    #[test]
    fn the_newest_whole_line_of_each_file_counts_whatever_the_file_is_called() {
        let names = ["a\",b", "a\",c", "a\\", "a\\\"", "ä\nb", ""];
        let mut text = Vec::new();
        for number in 0..3 {
            for name in names {
                let line = Numbered { file: name.to_owned(), number, dropped: name == "a\\" && number == 2 };
                serde_json::to_writer(&mut text, &line).unwrap();
                text.push(b'\n');
            }
        }
        text.extend_from_slice(b"{\"file\":\"a\\\",b\",\"num\n\n{\"file\":\"a\\\",c");
        let found: Vec<(String, u32)> = fold::<Numbered>(&text).into_iter().map(|it| (it.file, it.number)).collect();
        let expected = names.iter().filter(|name| **name != "a\\").map(|name| ((*name).to_owned(), 2));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
