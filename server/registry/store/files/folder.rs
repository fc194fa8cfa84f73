//! The folders of the coordination directory, by what they hold.

use deconflict_protocol::SessionId;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Folder {
    Root,
    Sessions,
    Heartbeats,
    Claims,
    /// Holds the folders of messages.
    Messages,
    Broadcasts,
    /// Holds a folder for each recipient.
    Recipients,
    Direct(SessionId),
    HandOffs,
    Scripts,
    /// Files that are being written. Nobody watches it, so that a record wakes others only once it has its name.
    Unfinished,
    /// Damaged claims that were taken over: kept, so that nothing is silently deleted.
    Damaged,
    /// Tickets of those who wait.
    Queue,
    /// Read marks of each session.
    ReadMarks,
    /// What agents' hooks remembered in earlier versions.
    EarlierHookState,
}

impl Folder {
    /// The folders of the original document, made together with the directory.
    pub(crate) const ORIGINALS: [Self; 6] =
        [Self::Sessions, Self::Heartbeats, Self::Claims, Self::Broadcasts, Self::Recipients, Self::HandOffs];

    /// True if a change in it may have to be shown on the status board.
    pub(crate) fn is_on_the_board(&self) -> bool {
        matches!(
            self,
            Self::Sessions | Self::Heartbeats | Self::Claims | Self::Broadcasts | Self::Recipients | Self::Direct(_)
        )
    }

    /// The folder that it lies in.
    pub(crate) fn above(&self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::Broadcasts | Self::Recipients => Some(Self::Messages),
            Self::Direct(_) => Some(Self::Recipients),
            _ => Some(Self::Root),
        }
    }

    pub(crate) fn components(&self) -> Vec<&str> {
        match self {
            Self::Root => vec![],
            Self::Sessions => vec!["sessions"],
            Self::Heartbeats => vec!["heartbeats"],
            Self::Claims => vec!["claims"],
            Self::Messages => vec!["messages"],
            Self::Broadcasts => vec!["messages", "broadcast"],
            Self::Recipients => vec!["messages", "direct"],
            Self::Direct(session) => vec!["messages", "direct", session.as_str()],
            Self::HandOffs => vec!["handoffs"],
            Self::Scripts => vec!["scripts"],
            Self::Unfinished => vec![".unfinished"],
            Self::Damaged => vec![".damaged"],
            Self::Queue => vec![".queue"],
            Self::ReadMarks => vec![".read"],
            Self::EarlierHookState => vec![".notebooks"],
        }
    }
}
