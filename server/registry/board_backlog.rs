//! What hooks changed without bringing the status board up to date, for which an agent would wait: they leave it in a file,
//! and the next verb need not read all records to find it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use deconflict_protocol::SessionId;
use serde::{Deserialize, Serialize};

use super::board_state::{Times, WATCHED, nanoseconds};
use super::changes::FolderChanges;
use super::store::files::directory::Directory;
use super::store::files::folder::Folder;
use super::{Error, Registry, board};

/// Not JSON: each verb reads it.
const BACKLOG: &str = ".board-backlog";

/// Who changed more than this reads everything once, in bytes.
const LONGEST: u64 = 512 * 1024;

/// Before each of its parts stand its length and its sum, in bytes.
const HEAD: usize = 8;

/// What was changed in one folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    place: ChangedFolder,
    changes: FolderChanges,
}

#[derive(Debug, Serialize, Deserialize)]
enum ChangedFolder {
    /// One of the watched folders, by its position among them.
    Watched(usize),
    /// That of the messages to a session.
    Direct(SessionId),
}

impl ChangedFolder {
    fn of(folder: &Folder) -> Option<Self> {
        if let Folder::Direct(session) = folder {
            return Some(Self::Direct(session.clone()));
        }
        WATCHED.iter().position(|watched| watched == folder).map(Self::Watched)
    }
}

impl Registry {
    /// Leaves what was changed to whoever brings the status board up to date next, unless a server keeps it.
    pub fn leave_board(&self) -> Result<(), Error> {
        let changes = self.store.changes.take();
        let parts = changes.into_iter().filter_map(|(folder, changes)| {
            let place = ChangedFolder::of(&folder)?;
            changes.records.is_some().then_some(Part { place, changes })
        });
        let parts: Vec<Part> = parts.collect();
        if parts.is_empty() {
            return Ok(());
        }
        let directory = self.directory()?;
        if board::is_kept(&directory)? {
            return Ok(());
        }
        let body = postcard::to_allocvec(&parts).unwrap_or_default();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        let bytes = [&length[..], &crc32fast::hash(&body).to_le_bytes(), &body].concat();
        let known = directory.file_stamp(&Folder::Root, BACKLOG)?.map_or(0, |stamp| stamp.size);
        if known + bytes.len() as u64 > LONGEST {
            // What is missing in it is missed by the folders' times.
            return directory.remove_file(&Folder::Root, BACKLOG).map(drop);
        }
        directory.append(&Folder::Root, BACKLOG, &bytes)
    }
}

/// What was left so far, as far as it was written whole.
pub(super) fn read(directory: &Directory) -> Vec<Part> {
    let stored = directory.read(&Folder::Root, BACKLOG).ok().flatten();
    let bytes = stored.map(|stored| stored.bytes).unwrap_or_default();
    let mut rest = &bytes[..];
    let mut parts = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let (length, sum) = head.split_at(HEAD / 2);
        let [length, sum] = [length, sum].map(|it| it.try_into().map_or(u32::MAX, u32::from_le_bytes));
        let Some((body, after)) = after.split_at_checked(length as usize) else { break };
        let understood = postcard::from_bytes::<Vec<Part>>(body).ok().filter(|_| crc32fast::hash(body) == sum);
        let Some(understood) = understood else { break };
        parts.extend(understood);
        rest = after;
    }
    parts
}

/// To be called once all of it is in what is kept beside the board.
pub(super) fn clear(directory: &Directory) -> Result<(), Error> {
    directory.remove_file(&Folder::Root, BACKLOG).map(drop)
}

/// A process's own changes with those that were left before, in each watched folder as far as they explain together its times
/// from when the board was made until now.
pub(super) fn with_backlog(
    mut own: HashMap<Folder, FolderChanges>,
    backlog: Vec<Part>,
    (then, now): (&Times, &Times),
) -> HashMap<Folder, FolderChanges> {
    let mut of_folders: [Vec<FolderChanges>; WATCHED.len()] = std::array::from_fn(|_| Vec::new());
    for Part { place, changes } in backlog {
        match place {
            ChangedFolder::Watched(position) => {
                if let Some(of_folder) = of_folders.get_mut(position) {
                    of_folder.push(changes);
                }
            }
            ChangedFolder::Direct(session) => match own.entry(Folder::Direct(session)) {
                Entry::Vacant(none) => {
                    none.insert(changes);
                }
                Entry::Occupied(mut own) => {
                    if let (Some(all), Some(more)) = (&mut own.get_mut().records, changes.records) {
                        all.extend(more);
                    }
                }
            },
        }
    }
    for (position, left) in of_folders.into_iter().enumerate().filter(|(_, left)| !left.is_empty()) {
        let folder = &WATCHED[position];
        let parts: Vec<&FolderChanges> = left.iter().chain(own.get(folder)).collect();
        if let Some(all) =
            then[position].zip(now[position]).and_then(|(then, now)| one_after_the_other(&parts, then, now))
        {
            own.insert(folder.clone(), all);
        }
    }
    own
}

/// Changes as one, if the times of a folder tell that there were no others between two times.
fn one_after_the_other(parts: &[&FolderChanges], then: i64, now: i64) -> Option<FolderChanges> {
    let begins = |part: &&FolderChanges, at: i64| nanoseconds(part.before) == at;
    let (mut at, mut records, mut ends) = (then, Vec::new(), None);
    loop {
        let (same, next): (Vec<&FolderChanges>, Vec<&FolderChanges>) =
            parts.iter().filter(|part| begins(part, at)).partition(|part| part.before == part.after);
        for part in same {
            let same = part.records.as_ref()?;
            // Whoever made the board within the same step of the clock may have seen it already.
            if same.iter().any(|record| record.before.is_some()) {
                return None;
            }
            ends = Some(part);
            records.extend(same.iter().cloned());
        }
        if at == now && next.is_empty() {
            break;
        }
        let [part] = next[..] else { return None };
        records.extend(part.records.as_ref()?.iter().cloned());
        at = nanoseconds(part.after);
        ends = Some(part);
    }
    let first = parts.iter().find(|part| begins(part, then))?;
    Some(FolderChanges { before: first.before, after: ends?.after, records: Some(records) })
}
