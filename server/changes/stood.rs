//! How a file stood when somebody looked at it, and whether it stands otherwise by now.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use deconflict_journal::Stamp;

/// How a file stood, as far as it has to be known to see that it stands otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

const MISSING: &str = "-";
const UNCERTAIN: &str = "?";

impl fmt::Display for Stood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(MISSING),
            Self::Uncertain => f.write_str(UNCERTAIN),
            Self::Fingerprint(fingerprint) => write!(f, "{fingerprint:x}"),
        }
    }
}

impl FromStr for Stood {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        match text {
            MISSING => Ok(Self::Missing),
            UNCERTAIN => Ok(Self::Uncertain),
            fingerprint => u64::from_str_radix(fingerprint, 16).map(Self::Fingerprint),
        }
    }
}
