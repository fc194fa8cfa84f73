//! The faults of a test build, read before every call from the file that `DECONFLICT_FAULTS` names, so that a test can
//! let a cause come and go while a process runs. One order a line:
//!
//! - `fail WHAT ERRNO [PART]`: a kind of call fails with an error number of the system, perhaps only where the path
//!   contains a part. Kinds are the variants of [`DiskChange`] and [`Call`] in lower case; a full disk fails `write`.
//! - `kill-after N`: the process is killed after its Nth call that changed something.
//! - `tear N`: the process is killed in the middle of its Nth write.
//! - `slow WHAT MICROSECONDS`: a kind of change waits before it is made, so that others can come between.
//! - `no-lock`: locks keep nobody out.
//! - `clock SECONDS`: the time of day is off by so much.
//!
//! Every change is appended, as JSON, to the file that `DECONFLICT_CHANGES` names.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::{Call, DiskChange};

#[cfg(not(debug_assertions))]
compile_error!("fault-injection is for tests: it has no place in an optimized build");

/// Counts the changes of this process.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Counts the writes among them.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Makes a call that changes something.
pub fn change<T>(describe: impl FnOnce() -> DiskChange, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(orders) = Orders::read() else { return call() };
    let change = describe();
    orders.fail(&change.kind(), Some(change.path()))?;
    if let Some(pause) = orders.number(&format!("slow {}", change.kind())) {
        std::thread::sleep(Duration::from_micros(pause));
    }
    let result = call()?;
    orders.note(&change, &[]);
    Ok(result)
}

/// Writes into a file, from an offset that the file stands at already.
pub fn write(
    mut file: &File,
    path: impl FnOnce() -> PathBuf,
    offset: impl FnOnce() -> u64,
    bytes: &[u8],
) -> io::Result<()> {
    let Some(orders) = Orders::read() else { return file.write_all(bytes) };
    let change = DiskChange::Write(path(), offset());
    orders.fail(&change.kind(), Some(change.path()))?;
    if orders.number("tear") == Some(WRITES.fetch_add(1, Ordering::SeqCst) + 1) {
        file.write_all(&bytes[..bytes.len() / 2])?;
        die();
    }
    file.write_all(bytes)?;
    orders.note(&change, bytes);
    Ok(())
}

/// Fails if a call shall fail.
pub fn check(call: Call) -> io::Result<()> {
    let kind = format!("{call:?}").to_lowercase();
    Orders::read().map_or(Ok(()), |orders| orders.fail(&kind, None))
}

/// True if locks shall keep nobody out.
pub fn are_locks_broken() -> bool {
    Orders::read().is_some_and(|orders| orders.0.lines().any(|order| order == "no-lock"))
}

/// How far the time of day shall be off.
pub fn clock_error() -> TimeDelta {
    let seconds = Orders::read().and_then(|orders| orders.word("clock")?.parse().ok());
    TimeDelta::seconds(seconds.unwrap_or(0))
}

impl DiskChange {
    /// The variant's name in lower case.
    fn kind(&self) -> String {
        let described = format!("{self:?}");
        described.split('(').next().unwrap_or_default().to_lowercase()
    }

    /// What is changed; of two names, the new one.
    fn path(&self) -> &Path {
        match self {
            Self::Write(path, _)
            | Self::Link(_, path)
            | Self::Rename(_, path)
            | Self::Exchange(_, path)
            | Self::Create(path)
            | Self::Sync(path)
            | Self::SyncFolder(path)
            | Self::Remove(path)
            | Self::MakeFolder(path)
            | Self::RemoveFolder(path)
            | Self::Attributes(path) => path,
        }
    }
}

/// What a test ordered, as it stands in the file now.
struct Orders(String);

impl Orders {
    /// `None` where nothing shall go wrong and nobody wants to know what changes.
    fn read() -> Option<Self> {
        let orders = std::env::var_os("DECONFLICT_FAULTS").map(std::fs::read_to_string);
        match orders {
            Some(Ok(orders)) => Some(Self(orders)),
            _ if std::env::var_os("DECONFLICT_CHANGES").is_some() => Some(Self(String::new())),
            _ => None,
        }
    }

    fn word(&self, order: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(order)?.strip_prefix(' '))
    }

    fn number(&self, order: &str) -> Option<u64> {
        self.word(order)?.parse().ok()
    }

    fn fail(&self, kind: &str, path: Option<&Path>) -> io::Result<()> {
        for order in self.0.lines() {
            let mut words = order.split(' ');
            if words.next() == Some("fail")
                && words.next() == Some(kind)
                && let Some(number) = words.next().and_then(|number| number.parse().ok())
                && words.next().is_none_or(|part| path.is_some_and(|path| path.to_string_lossy().contains(part)))
            {
                return Err(io::Error::from_raw_os_error(number));
            }
        }
        Ok(())
    }

    /// Records a change, and ends the process if that was its last.
    fn note(&self, change: &DiskChange, bytes: &[u8]) {
        if let Some(log) = std::env::var_os("DECONFLICT_CHANGES") {
            let mut entry = json!({ "kind": change.kind(), "path": change.path() });
            match change {
                DiskChange::Write(_, offset) => {
                    entry["offset"] = json!(offset);
                    entry["text"] = json!(String::from_utf8_lossy(bytes));
                }
                DiskChange::Link(from, _) | DiskChange::Rename(from, _) | DiskChange::Exchange(from, _) => {
                    entry["from"] = json!(from);
                }
                _ => {}
            }
            let log = OpenOptions::new().append(true).create(true).open(log);
            let _ = log.and_then(|mut log| log.write_all(format!("{entry}\n").as_bytes()));
        }
        let count = CHANGES.fetch_add(1, Ordering::SeqCst) + 1;
        if self.number("kill-after") == Some(count) {
            die();
        }
    }
}

/// Ends this process at once, as `kill -9` does.
fn die() -> ! {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}
