//! Bringing back what stood there.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use deconflict_journal::{Author, Cause, Entry, EntryId, FileState, Journal, Loss, Settlement};
use deconflict_protocol::Resource;
use deconflict_workspace::{converted_content, link_above};

use super::recorder::Place;
use super::{Error, FileHistory, Noticed, Recorder, failed};

/// What a file's name begins with as long as it is not written whole.
const UNFINISHED: &str = ".deconflict-";

/// What was brought back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The file.
    pub resource: Resource,
    /// The change before which the file was as it is now.
    pub entry: EntryId,
    /// The restore itself, with who lost something by it; `None` if the file stood so already.
    pub noticed: Option<Noticed>,
}

/// The change before which a restore goes back by default: the newest that took something of the caller's and is not
/// settled, else the newest that was not the caller's.
pub fn before_others<'a>(
    history: &'a FileHistory,
    losses: &[Loss],
    is_own: impl Fn(&Author) -> bool,
) -> Option<&'a Entry> {
    let is_lost = |entry: &&Entry| {
        let of_it = losses.iter().filter(|loss| loss.entry.id == entry.id && loss.settled.is_none());
        of_it.into_iter().any(|loss| is_own(&loss.owner))
    };
    let newest = || history.entries().iter().rev();
    newest().find(is_lost).or_else(|| newest().find(|entry| !entry.author.as_ref().is_some_and(&is_own)))
}

impl Recorder<'_> {
    /// Brings back what stood in a file before a change. What stands there now is kept first, so that this can be taken
    /// back too. The caller holds the file.
    pub fn restore(&self, author: &Author, entry: &Entry, now: DateTime<Utc>) -> Result<Restored, Error> {
        let losses = self.journal.log(&entry.resource)?.losses();
        let before = self.as_it_stood(entry)?;
        let noticed = self.write(author, &entry.resource, &before, now)?;
        for loss in losses {
            if loss.settled.is_none() && loss.entry.at >= entry.at {
                self.journal.settle(&loss.entry, None, Settlement::Restored, now)?;
            }
        }
        if let Some(noticed) = &noticed {
            let of_it = |other: &Author| entry.author.as_ref().is_some_and(|author| author.session == other.session);
            self.settle_what_was_meant(noticed, of_it, now)?;
        }
        Ok(Restored { resource: entry.resource.clone(), entry: entry.id.clone(), noticed })
    }

    /// What stood in a file before a change. Where nobody had looked at it until then, it is known by what git has
    /// committed, which may be other bytes than git writes to the disk.
    fn as_it_stood(&self, entry: &Entry) -> Result<FileState, Error> {
        let FileState::File { content, executable, .. } = entry.before else { return Ok(entry.before.clone()) };
        let was_seen = self.journal.log(&entry.resource)?.was_seen(content);
        if let Place::InWorktree { root, path } = self.place_of(&entry.resource)
            && !was_seen
            && let Some(made) = converted_content(&root, &path, &content.to_string())?
        {
            let length = made.len() as u64;
            return Ok(FileState::File { content: self.journal.keep(&made)?, executable, length });
        }
        Ok(entry.before.clone())
    }

    /// Whoever made what was taken back is told of it, and nothing is left to be settled.
    pub fn settle_what_was_meant(
        &self,
        noticed: &Noticed,
        is_meant: impl Fn(&Author) -> bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        for lost in noticed.lost.iter().filter(|lost| is_meant(&lost.owner)) {
            self.journal.settle(&noticed.entry, Some(&lost.owner.session), Settlement::Restored, now)?;
        }
        Ok(())
    }

    /// Lets a file be so, as a change of the author's.
    pub(super) fn write(
        &self,
        author: &Author,
        resource: &Resource,
        state: &FileState,
        now: DateTime<Utc>,
    ) -> Result<Option<Noticed>, Error> {
        let Some(path) = self.namer.path_of(resource) else { return Ok(None) };
        self.look(resource, now)?;
        match link_above(resource, &path) {
            Some(_) if *state == FileState::Absent => return Ok(None),
            Some(link) => return Err(Error::InTheWay { path: link }),
            None => {}
        }
        put_back(self.journal, &path, state)?;
        self.changed_by(author, Cause::Restore, resource, now, now)
    }
}

/// Lets a file be as it was: its content, whether it may be run, or the link. Another program sees the old one or the new
/// one, whole. A file that is there keeps its other permissions.
pub fn put_back(journal: &Journal, path: &Path, state: &FileState) -> Result<(), Error> {
    let content = match state {
        FileState::NotKept { .. } => return Err(Error::NotKept { path: path.to_owned() }),
        FileState::Absent => {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
                _ => Ok(()),
            };
        }
        FileState::File { content, .. } | FileState::Link { content } => journal.content(*content)?,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    make_way(path)?;
    fs::create_dir_all(folder).map_err(failed("make the folder of", path))?;
    let write = || match state {
        FileState::File { executable, .. } => write_file(folder, path, &content, *executable),
        _ => write_link(folder, path, &content),
    };
    write().map_err(failed("write", path))
}

/// Makes room for a file. A folder with something in it is left alone, and so is a file where a folder was.
fn make_way(path: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) && fs::remove_dir(path).is_err() {
        return Err(Error::InTheWay { path: path.to_owned() });
    }
    let above = path.ancestors().skip(1).find_map(|above| Some((above, fs::metadata(above).ok()?)));
    match above {
        Some((above, found)) if !found.is_dir() => Err(Error::InTheWay { path: above.to_owned() }),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn write_file(folder: &Path, path: &Path, content: &[u8], executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let there = fs::symlink_metadata(path).ok().filter(|there| there.is_file() && is_readable(there));
    let mode = there.as_ref().map_or(0o666, |there| there.permissions().mode() & 0o777 & !0o111);
    // Whoever may read it may run it.
    let mode = if executable { mode | (mode & 0o444) >> 2 } else { mode };
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED).permissions(fs::Permissions::from_mode(mode));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    if there.is_some() {
        // The umask does not count for a file that is there already.
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(not(unix))]
fn write_file(folder: &Path, path: &Path, content: &[u8], _: bool) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// False where somebody took away its owner's right to read it, which is to come back too.
#[cfg(unix)]
fn is_readable(there: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&there.permissions()) & 0o400 != 0
}

#[cfg(unix)]
fn write_link(folder: &Path, path: &Path, target: &[u8]) -> io::Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let make = |link: &Path| std::os::unix::fs::symlink(OsStr::from_bytes(target), link);
    let link = tempfile::Builder::new().prefix(UNFINISHED).make_in(folder, make)?;
    link.persist(path)?;
    Ok(())
}

#[cfg(not(unix))]
fn write_link(_: &Path, _: &Path, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
