//! Which folders are watched.

use std::path::{Path, PathBuf};

use crate::store::files::folder::Folder;
use deconflict_protocol::SessionId;

/// A folder that is watched for one session. The tree is never watched as a whole: others' messages, heartbeats and
/// hand-offs would wake everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Watched {
    Directory,
    Sessions,
    Claims,
    Messages,
    Broadcasts,
    Recipients,
    /// The folder of messages to this session.
    Direct,
}

impl Watched {
    pub(super) const ALL: [Self; 7] = [
        Self::Directory,
        Self::Sessions,
        Self::Claims,
        Self::Messages,
        Self::Broadcasts,
        Self::Recipients,
        Self::Direct,
    ];

    /// Those with records in them; sessions first, because claims are judged by them.
    pub(super) const WITH_RECORDS: [Self; 4] = [Self::Sessions, Self::Claims, Self::Broadcasts, Self::Direct];

    /// What the folder is in the directory, for a session that watches.
    pub(super) fn name_for(self, session: &SessionId) -> Folder {
        match self {
            Self::Directory => Folder::Root,
            Self::Sessions => Folder::Sessions,
            Self::Claims => Folder::Claims,
            Self::Messages => Folder::Messages,
            Self::Broadcasts => Folder::Broadcasts,
            Self::Recipients => Folder::Recipients,
            Self::Direct => Folder::Direct(session.clone()),
        }
    }
}

/// Makes the path of a folder absolute from the directory's.
pub(super) fn path_of(directory: &Path, folder: &Folder) -> PathBuf {
    folder.components().iter().fold(directory.to_owned(), |path, component| path.join(component))
}
