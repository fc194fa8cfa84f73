//! Which file of the journal a path means where something else stands there now.

use std::fs;
use std::path::Path;

use deconflict_journal::FileState;
use deconflict_protocol::Resource;
use deconflict_workspace::{Kind, link_above};

use super::{Error, Recorder};

impl Recorder<'_> {
    /// A link itself, if it was ever seen as a file of its own, though it leads elsewhere; the file that stood where a
    /// folder stands, until something in the folder is known; and the file that was in a folder where a link stands. `None`
    /// where a path means what it leads to.
    pub fn kept_at(&self, path: &Path) -> Result<Option<Resource>, Error> {
        if let Some(kept) = self.kept_behind_link(path)? {
            return Ok(Some(kept));
        }
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(None) };
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        if !found.is_symlink() && !found.is_dir() {
            return Ok(None);
        }
        let itself = self.namer.real_path(above).map(|above| above.join(name));
        let itself = itself.and_then(|path| self.namer.resource_as_spelled(&path, Kind::File));
        let Ok(itself) = itself else { return Ok(None) };
        let Some(tip) = self.journal.tip(&itself)? else { return Ok(None) };
        if found.is_symlink() {
            return Ok(Some(itself));
        }
        let Ok(folder) = Resource::directory(itself.name()) else { return Ok(None) };
        let is_file = tip.state != FileState::Absent && !self.journal.files()?.iter().any(|file| folder.covers(file));
        Ok(Some(itself).filter(|_| is_file))
    }

    /// The file that was in a folder where a link stands now.
    fn kept_behind_link(&self, path: &Path) -> Result<Option<Resource>, Error> {
        let Ok(named) = self.namer.resource_as_spelled(path, Kind::File) else { return Ok(None) };
        let is_kept = link_above(&named, path).is_some() && self.journal.tip(&named)?.is_some();
        Ok(Some(named).filter(|_| is_kept))
    }
}
