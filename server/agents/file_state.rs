//! How a file stands, as a short text by which a later change is told.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use deconflict_protocol::text::hex;
use sha2::{Digest, Sha256};

/// Larger files are told by size and time alone, in bytes.
const LARGEST_READ: u64 = 1 << 20;

const MISSING: &str = "missing";

/// How a file stands now; `None` if nobody can tell.
pub(super) fn state_of(path: &Path) -> Option<String> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(MISSING.to_owned()),
        Err(_) => return None,
    };
    if !found.is_file() {
        return None;
    }
    let time = nanoseconds(found.modified().ok()?);
    let digest = if found.len() <= LARGEST_READ {
        // Room for all of it, so that it is not read in small steps.
        let mut content = Vec::with_capacity(usize::try_from(found.len() + 1).unwrap_or_default());
        File::open(path).ok()?.take(LARGEST_READ + 1).read_to_end(&mut content).ok()?;
        hex(&Sha256::digest(&content)[..8])
    } else {
        String::new()
    };
    Some(format!("{time}:{}:{digest}", found.len()))
}

/// True if a file's content is no longer what it was in that state. The text alone decides where it was read: a file
/// that was only touched has not changed.
pub(super) fn has_changed(path: &Path, state: &str) -> bool {
    // Most files have not been written since, which their size and time tell without reading them.
    let is_as_it_was = fs::metadata(path).is_ok_and(|found| {
        let time = found.modified().map_or(0, nanoseconds);
        state.starts_with(&format!("{time}:{}:", found.len()))
    });
    if is_as_it_was {
        return false;
    }
    let Some(now) = state_of(path) else { return false };
    match (state.split_once(':'), now.split_once(':')) {
        (Some((_, before)), Some((_, after))) if !before.ends_with(':') => before != after,
        _ => state != now,
    }
}

pub(super) fn written_at(path: &Path) -> Option<DateTime<Utc>> {
    Some(fs::metadata(path).ok()?.modified().ok()?.into())
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_text_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let missing = state_of(&path).unwrap();
        assert!(!has_changed(&path, &missing));
        fs::write(&path, "one").unwrap();
        assert!(has_changed(&path, &missing));
        let written = state_of(&path).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
        assert!(!has_changed(&path, &written), "it was only touched");
        fs::write(&path, "two").unwrap();
        assert!(has_changed(&path, &written));
        fs::remove_file(&path).unwrap();
        assert!(has_changed(&path, &written));
        assert_eq!(state_of(folder.path()), None, "a folder has no text");
    }
}
