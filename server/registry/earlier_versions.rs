//! What earlier versions kept in the directory and this one keeps elsewhere.

use super::store::files::folder::Folder;
use super::{Error, Registry};
use deconflict_protocol::SessionId;

impl Registry {
    /// What an agent's hook remembered for a session; `None` if nothing is left of it.
    pub fn earlier_hook_state(&self, session: &SessionId) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.directory()?.read(&Folder::EarlierHookState, session.as_str())?.map(|stored| stored.bytes))
    }

    /// Removes it, once it is kept elsewhere.
    pub fn remove_earlier_hook_state(&self, session: &SessionId) -> Result<(), Error> {
        self.directory()?.remove_file(&Folder::EarlierHookState, session.as_str()).map(drop)
    }
}
