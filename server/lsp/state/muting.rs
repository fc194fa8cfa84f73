//! Sessions that the user wants to hear nothing of for a while. Their messages stay unread and listed, and diagnostics
//! still say what they hold: only nothing pops up.

use super::directory::Participation;
use super::server_state::ServerState;
use crate::event::DirectoryId;
use deconflict_protocol::SessionId;
use deconflict_registry::Muted;

impl ServerState {
    /// Takes in whom the session's record says that it mutes, whoever wrote so: a command, or a terminal that acts for it.
    pub(super) fn note_muted(&mut self, id: DirectoryId, muted: Option<Muted>) {
        if let Some(directory) = self.directories.get_mut(&id)
            && let Participation::Joined(session) = &mut directory.participation
        {
            session.record.muted = muted;
        }
    }

    /// True if nothing of this session is to be shown now.
    pub(super) fn is_muted(&self, id: DirectoryId, session: Option<&SessionId>) -> bool {
        let own = self.directories.get(&id).and_then(|directory| directory.session());
        own.zip(session).is_some_and(|(own, session)| own.mutes(session, self.clock.now()))
    }
}
