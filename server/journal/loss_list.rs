//! In which files something was lost that is not settled, so that nobody reads all logs to say what needs a word.

use deconflict_protocol::Resource;
use deconflict_workspace::PrivateFolder;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::file_list::{FileLine, FileList};

/// What the list is called in the journal's folder.
pub(super) const NAME: &str = "losses.jsonl";

#[derive(Debug, Serialize, Deserialize)]
struct LossLine {
    file: String,
    /// Nothing lost in it is left to settle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
}

impl FileLine for LossLine {
    fn is_dropped(&self) -> bool {
        self.settled
    }
}

/// The list of such files.
#[derive(Debug, Clone)]
pub(super) struct LossList {
    list: FileList,
}

impl LossList {
    pub(super) fn new(journal: &PrivateFolder) -> Self {
        Self { list: FileList::new(journal, NAME) }
    }

    pub(super) fn read(&self) -> Result<Vec<Resource>, Error> {
        Ok(self.list.read::<LossLine>()?.iter().filter_map(|line| Resource::parse(&line.file)).collect())
    }

    pub(super) fn add(&self, resource: &Resource) -> Result<(), Error> {
        self.list.append(&LossLine { file: resource.spelled(), settled: false })
    }

    pub(super) fn drop(&self, resource: &Resource) -> Result<(), Error> {
        self.list.append(&LossLine { file: resource.spelled(), settled: true })
    }
}
