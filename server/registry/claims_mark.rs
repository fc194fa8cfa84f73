//! Whether claims were made, renewed or ended since somebody looked, without listing them.

use serde::{Deserialize, Serialize};

use super::store::files::folder::Folder;
use super::{Error, Registry};

/// A mark of the claims that there are. It is another one once one was made, written anew or ended; two changes within one
/// step of the file system's clock may leave the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimsMark(Option<i64>);

impl Registry {
    /// The mark now.
    pub fn claims_mark(&self) -> Result<ClaimsMark, Error> {
        let modified = self.directory()?.folder_stamp(&Folder::Claims)?.map(|stamp| stamp.modified);
        Ok(ClaimsMark(modified.and_then(|modified| modified.timestamp_nanos_opt())))
    }

    /// The marks before and after what this process changed itself since it last brought the status board up to date, if
    /// nobody else changed anything in between.
    pub fn own_claims_marks(&self) -> Option<(ClaimsMark, ClaimsMark)> {
        let (before, after) = self.store.changes.times(&Folder::Claims)?;
        Some((ClaimsMark(before.timestamp_nanos_opt()), ClaimsMark(after.timestamp_nanos_opt())))
    }
}
