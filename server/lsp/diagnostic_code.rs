//! The codes of the diagnostics, by which editors and menus name them.

use serde::Deserialize;

/// What a diagnostic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    /// Another session holds the document.
    Claimed,
    /// Another session's claim of it lies there, expired or abandoned.
    ClaimStale,
    /// The same path is held in another worktree.
    ClaimedElsewhere,
    /// Another session edits what is held here.
    Contended,
    /// It was held here, with unsaved changes, and another session has it now.
    ClaimLost,
    /// Somebody else changed what this session holds, or took its uncommitted changes away.
    Overwritten,
    /// Somebody else deleted it or moved it away.
    Deleted,
}

impl Code {
    /// The code as it stands in a diagnostic.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::ClaimStale => "claim-stale",
            Self::ClaimedElsewhere => "claimed-elsewhere",
            Self::Contended => "contended",
            Self::ClaimLost => "claim-lost",
            Self::Overwritten => "overwritten",
            Self::Deleted => "deleted",
        }
    }
}
