//! How a file stands on disk, so that most unchanged files need not be read.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Times of files move on in steps: a file that is written twice within one looks the same. This is longer than the
/// steps of every system's own disks.
const STEP: Duration = Duration::from_millis(50);

/// The same where a file system counts whole seconds, or two.
const COARSE_STEP: Duration = Duration::from_secs(2);

/// Device, number, length, times in nanoseconds and mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Stamp {
    device: u64,
    number: u64,
    length: u64,
    modified: i64,
    changed: i64,
    mode: u32,
    /// False if a later change could have left the same stamp.
    is_certain: bool,
}

/// As it is written: a short list.
type Fields = (u64, u64, u64, i64, i64, u32, bool);

impl From<Fields> for Stamp {
    fn from((device, number, length, modified, changed, mode, is_certain): Fields) -> Self {
        Self { device, number, length, modified, changed, mode, is_certain }
    }
}

impl From<Stamp> for Fields {
    fn from(stamp: Stamp) -> Self {
        (stamp.device, stamp.number, stamp.length, stamp.modified, stamp.changed, stamp.mode, stamp.is_certain)
    }
}

impl Stamp {
    /// The stamp of what stands at a path, which is not followed if it is a link; `None` if nothing can be told.
    pub fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|found| Self::from_metadata(&found))
    }

    pub(super) fn from_metadata(found: &Metadata) -> Self {
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        };
        let modified = found.modified().map_or(0, nanoseconds);
        #[cfg(unix)]
        let (device, number, changed, mode) = {
            use std::os::unix::fs::MetadataExt;
            let changed = found.ctime().saturating_mul(1_000_000_000).saturating_add(found.ctime_nsec());
            (found.dev(), found.ino(), changed, found.mode())
        };
        #[cfg(not(unix))]
        let (device, number, changed, mode) = (0, 0, found.created().map_or(0, nanoseconds), 0);
        let newest = modified.max(changed);
        let step = if newest % 1_000_000_000 == 0 { COARSE_STEP } else { STEP };
        let now = nanoseconds(SystemTime::now());
        let is_certain = now.saturating_sub(newest) > i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
        Self { device, number, length: found.len(), modified, changed, mode, is_certain }
    }

    /// True if the file looks as it did. Only of a [certain](Self::is_certain) stamp it follows that it is unchanged.
    pub fn looks_like(&self, other: &Self) -> bool {
        Self { is_certain: true, ..*self } == Self { is_certain: true, ..*other }
    }

    /// A number that is another one, almost certainly, for what does not [look like](Self::looks_like) it.
    pub fn fingerprint(&self) -> u64 {
        let Self { device, number, length, modified, changed, mode, is_certain: _ } = *self;
        let fields = [device, number, length, modified.cast_unsigned(), changed.cast_unsigned(), mode.into()];
        let mut hasher = DefaultHasher::new();
        // All at once: there may be hundreds of files.
        hasher.write(fields.map(u64::to_le_bytes).as_flattened());
        hasher.finish()
    }

    /// True if the file was not written just before the stamp was taken.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// When the file changed last, its mode and name included.
    pub fn changed_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.modified.max(self.changed))
    }

    /// The length and the time of the content, which a mere change of mode or name leaves.
    pub(super) fn content(&self) -> (u64, i64) {
        (self.length, self.modified)
    }
}
