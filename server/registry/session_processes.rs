//! The sessions that name some processes, found without reading all: where there are a thousand, to read them takes longer
//! than anything that a verb of their user does.
//!
//! What each record names is remembered beside them. It only tells which records need not be read: those that count are read
//! anew.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::session::{Session, StoredSession};
use super::store::files::SESSION_PROCESSES;
use super::store::files::directory::{Contents, Directory, Durability};
use super::store::files::folder::Folder;
use super::store::files::names::{file_of, session_of};
use super::store::{Key, Stamp, Stored};
use super::{Error, Registry};
use deconflict_protocol::{SessionId, SessionRecord};

/// Another number means another form.
const FORM: u32 = 1;

/// So few are read each time.
const FEW: usize = 16;

/// For so long a file's number alone tells that it is still the same one. Then each is asked when it was written, because
/// another program may write into a file, and numbers are given away again.
const FRESH: TimeDelta = TimeDelta::seconds(2);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known<'a> {
    form: u32,
    #[serde(borrow)]
    files: HashMap<&'a str, KnownFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownFile {
    /// As the folder lists it.
    number: u64,
    /// Its stamp: when it was written, to the nanosecond, its size and its version.
    stamp: (Option<i64>, u64, u64),
    /// The processes that it names.
    pids: Vec<u32>,
}

impl Registry {
    /// The live sessions that name one of these processes as the one that keeps them or that they serve.
    pub fn live_sessions_naming(&self, pids: &[u32]) -> Result<Vec<Session>, Error> {
        let directory = self.directory()?;
        let Some(contents) = directory.contents(&Folder::Sessions)? else { return Ok(Vec::new()) };
        let listed = contents.numbered_names()?;
        let ids = if listed.len() > FEW {
            self.remembered(&directory, &contents, &listed, pids)?
        } else {
            listed.iter().filter_map(|(name, _)| session_of(name)).collect()
        };
        let mut sessions = Vec::new();
        for id in ids {
            let (_, name) = file_of(&Key::Session(id.clone()));
            let Some((Some(record), stamp)) = read(&contents, &name)? else { continue };
            if processes_in(&record).any(|pid| pids.contains(&pid)) {
                sessions.push(self.judged(&directory, StoredSession::read_as(&id, record, stamp)));
            }
        }
        sessions.retain(Session::is_live);
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_sign));
        Ok(sessions)
    }

    /// Those that may name one of these processes, by what is remembered and by what was written since.
    fn remembered(
        &self,
        directory: &Directory,
        contents: &Contents,
        listed: &[(String, u64)],
        pids: &[u32],
    ) -> Result<Vec<SessionId>, Error> {
        let stored = directory.read(&Folder::Root, SESSION_PROCESSES).ok().flatten();
        let before: Known =
            stored.as_ref().and_then(|stored| postcard::from_bytes(&stored.bytes).ok()).unwrap_or_default();
        let age = stored.as_ref().map(|stored| self.now() - stored.stamp.modified);
        let is_fresh = age.is_some_and(|age| age >= TimeDelta::zero() && age < FRESH);
        let (mut known, mut anew, mut found) = (Known { form: FORM, ..Known::default() }, 0, Vec::new());
        for (name, number) in listed {
            let Some(id) = session_of(name) else { continue };
            let is_same = |file: &&KnownFile| -> Result<bool, Error> {
                let is_listed = before.form == FORM && file.number == *number;
                Ok(is_listed && (is_fresh && *number != 0 || contents.stamp(name)?.map(parts_of) == Some(file.stamp)))
            };
            let file = match before.files.get(name.as_str()) {
                Some(file) if is_same(&file)? => file.clone(),
                _ => {
                    anew += 1;
                    let Some((record, stamp)) = read(contents, name)? else { continue };
                    let pids = record.iter().flat_map(processes_in).collect();
                    KnownFile { number: *number, stamp: parts_of(stamp), pids }
                }
            };
            if file.pids.iter().any(|pid| pids.contains(pid)) {
                found.push(id);
            }
            known.files.insert(name, file);
        }
        if anew > FEW || !is_fresh {
            // Whoever cannot write it reads the records another time, too.
            let bytes = postcard::to_allocvec(&known).unwrap_or_default();
            let _ = directory.replace_file(&Folder::Root, SESSION_PROCESSES, &bytes, Durability::Process);
        }
        Ok(found)
    }
}

/// Reads a record, if it names processes: of thousands of others nothing but the bytes are looked at.
fn read(contents: &Contents, name: &str) -> Result<Option<(Option<SessionRecord>, Stamp)>, Error> {
    match contents.read(name) {
        Ok(stored) => Ok(stored.map(|Stored { bytes, stamp }| {
            let record = may_name_process(&bytes).then(|| SessionRecord::read(&bytes).ok());
            (record.flatten(), stamp)
        })),
        Err(Error::Unsafe { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// False for a record that names no process; `pid` is the end of the fields that do. Only another program would spell them
/// with escapes.
fn may_name_process(record: &[u8]) -> bool {
    record.windows(4).any(|it| it == b"pid\"") || record.contains(&b'\\')
}

fn processes_in(record: &SessionRecord) -> impl Iterator<Item = u32> {
    [record.pid, record.client_pid].into_iter().flatten()
}

fn parts_of(stamp: Stamp) -> (Option<i64>, u64, u64) {
    (stamp.modified.timestamp_nanos_opt(), stamp.size, stamp.version)
}
