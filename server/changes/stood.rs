//! How a file stood when somebody looked at it, and whether it stands otherwise by now.

use deconflict_journal::Stamp;
use serde::{Deserialize, Serialize};

/// How a file stood, as far as it has to be known to see that it stands otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stood {
    /// Nothing could be told of it.
    Missing,
    /// It had just been written, so that it may have been changed without looking different.
    Uncertain,
    /// It looked like this.
    Fingerprint(u64),
}

impl Stood {
    pub(super) fn of(stamp: Option<Stamp>) -> Self {
        match stamp {
            None => Self::Missing,
            Some(stamp) if !stamp.is_certain() => Self::Uncertain,
            Some(stamp) => Self::Fingerprint(stamp.fingerprint()),
        }
    }

    /// False if a file that stood in this way certainly is as it was, by how it stands now.
    pub(super) fn is_other(self, now: Option<Stamp>) -> bool {
        match self {
            Self::Missing => now.is_some(),
            Self::Uncertain => true,
            Self::Fingerprint(then) => now.map(|now| now.fingerprint()) != Some(then),
        }
    }
}
