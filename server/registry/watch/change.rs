//! What a watch tells.

use std::time::Duration;

use crate::{Key, Message, MessageId, StoredClaim, StoredSession};
use deconflict_protocol::{ClaimKey, SessionId};

/// Something that is different in the directory than it was told before.
#[derive(Debug)]
pub enum Change {
    /// A claim was written, or is gone.
    Claim(ClaimKey, Option<StoredClaim>),
    /// A session's record was written, or is gone.
    Session(SessionId, Option<StoredSession>),
    /// Somebody began or ceased to wait in line, or has another place.
    Queue,
    /// A message that this session has not read. Told once.
    Message(Box<Message>),
    /// A message's file that cannot be understood, by its key. It may not be finished yet, and is told again as long
    /// as that is so.
    DamagedMessage(Key),
    /// A message that was told has been read: by this server or by another process of its session.
    MessageRead(MessageId),
    /// Whether the process that keeps a session runs. Told only where that can be seen.
    Process {
        /// The session.
        session: SessionId,
        /// True while it runs.
        alive: bool,
    },
    /// A session's record had not changed for so long when it was first seen.
    Silence {
        /// The session.
        session: SessionId,
        /// How long, by the clock of the file system, without the time that this machine slept.
        lasted: Duration,
    },
    /// This process, or the whole machine, was suspended for a while. What others did meanwhile is told after it.
    Resumed,
    /// The directory was deleted or replaced: nothing that was told before is there any more.
    DirectoryLost,
    /// A directory stands there again. What is in it follows, and then [`Change::Ready`].
    DirectoryBack,
    /// All that is in the directory has been told.
    Ready,
    /// The directory is not watched as it should be. Told once, in words for people.
    Trouble(String),
}
