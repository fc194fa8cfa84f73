//! What stands in the working tree under a name, read whole.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use deconflict_platform::{Links, open_regular, read_at_most};

use super::content_id::ContentId;
use super::entry::FileState;
use super::objects::{LARGEST, id_of};
use super::stamp::Stamp;

/// A file as it was read.
pub(super) struct WorkingFile {
    pub(super) state: FileState,
    /// `None` where nothing stands.
    pub(super) stamp: Option<Stamp>,
    /// What is to be kept.
    pub(super) kept: Option<(ContentId, Vec<u8>)>,
}

impl WorkingFile {
    /// Reads what stands at a path. A link is not followed.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if is_absence(&error) => return Ok(Self { state: FileState::Absent, stamp: None, kept: None }),
            Err(error) => return Err(error),
        };
        if found.is_symlink() {
            let target = fs::read_link(path)?.into_os_string().into_encoded_bytes();
            let kept = id_of(&target).map(|id| (id, target));
            let state = kept.as_ref().map_or(not_kept(0), |(content, _)| FileState::Link { content: *content });
            return Ok(Self { state, stamp: Some(Stamp::from_metadata(&found)), kept });
        }
        // Somebody may have taken away the right to read it, though root could read it all the same.
        if !found.is_file() || found.len() > LARGEST || !is_readable(&found) {
            let length = if found.is_file() { found.len() } else { 0 };
            return Ok(Self { state: not_kept(length), stamp: Some(Stamp::from_metadata(&found)), kept: None });
        }
        let file = match open_regular(path, Links::Refused) {
            // It may belong to another.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let stamp = Some(Stamp::from_metadata(&found));
                return Ok(Self { state: not_kept(found.len()), stamp, kept: None });
            }
            file => file?,
        };
        // What is written while it is read has another stamp after that.
        let found = file.metadata()?;
        let stamp = Some(Stamp::from_metadata(&found));
        let bytes = read_at_most(file, LARGEST)?;
        let length = bytes.len() as u64;
        let kept = id_of(&bytes).map(|id| (id, bytes));
        let state = kept.as_ref().map_or(not_kept(length), |(content, _)| FileState::File {
            content: *content,
            executable: is_executable(&found),
            length,
        });
        Ok(Self { state, stamp, kept })
    }
}

/// The stamp of what stands at a path; `None` where nothing stands.
pub(super) fn look(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(Stamp::from_metadata(&found))),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn not_kept(length: u64) -> FileState {
    FileState::NotKept { length, content: None }
}

#[cfg(unix)]
fn is_executable(found: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o100 != 0
}

/// True if its owner may read it.
#[cfg(unix)]
fn is_readable(found: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o400 != 0
}

#[cfg(not(unix))]
fn is_readable(_: &Metadata) -> bool {
    true
}

/// False: Windows tells it by the name.
#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}
