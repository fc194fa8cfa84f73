//! Which files are worth a look: those in which somebody had something uncommitted or which somebody held, with how they
//! stood when somebody looked last. One read tells which of them may have changed.

use chrono::{DateTime, Utc};
use deconflict_protocol::Resource;
use deconflict_workspace::PrivateFolder;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::file_list::{FileLine, FileList};
use super::stamp::Stamp;

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
struct WatchLine {
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

impl FileLine for WatchLine {
    fn is_dropped(&self) -> bool {
        self.dropped
    }
}

/// The list of such files.
#[derive(Debug, Clone)]
pub(super) struct WatchList {
    list: FileList,
}

impl WatchList {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { list: FileList::new(journal, "watched.jsonl") }
    }

    pub(super) fn read(&self) -> Result<Vec<Watched>, Error> {
        let lines = self.list.read::<WatchLine>()?.into_iter();
        Ok(lines
            .filter_map(|line| {
                let resource = Resource::parse(&line.file)?;
                Some(Watched { resource, stamp: line.stamp, at: line.at, is_unsettled: line.unsettled })
            })
            .collect())
    }

    pub(super) fn add(&self, watched: &Watched) -> Result<(), Error> {
        let Watched { resource, stamp, at, is_unsettled } = watched;
        let line =
            WatchLine { file: resource.spelled(), stamp: *stamp, at: *at, unsettled: *is_unsettled, dropped: false };
        self.list.append(&line)
    }

    pub(super) fn drop(&self, resource: &Resource) -> Result<(), Error> {
        let at = DateTime::UNIX_EPOCH;
        self.list.append(&WatchLine { file: resource.spelled(), stamp: None, at, unsettled: false, dropped: true })
    }
}
