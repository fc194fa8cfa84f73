//! What serves those who use the original's scripts: `.current_session`, and scripts of the same names.

use super::store::files::directory::Durability;
use super::store::files::folder::Folder;
use super::{Error, Registry};
use deconflict_protocol::SessionId;

/// Where the original's scripts keep the one session that they know.
const CURRENT_SESSION: &str = ".current_session";

/// What became of a script that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptState {
    /// There is none.
    Missing,
    /// It is ours, byte for byte.
    Ours,
    /// Somebody wrote another one under that name.
    Different,
}

impl Registry {
    /// The session that the original's scripts would take for the caller's; `None` where none is named.
    pub fn current_session(&self) -> Result<Option<SessionId>, Error> {
        let stored = match self.directory()?.read(&Folder::Root, CURRENT_SESSION) {
            Ok(Some(stored)) => stored,
            // A link, a pipe or something huge names nobody.
            Ok(None) | Err(Error::Unsafe { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&stored.bytes);
        Ok(SessionId::foreign(text.trim()).ok())
    }

    /// Names a session for the original's scripts.
    pub fn set_current_session(&self, id: &SessionId) -> Result<(), Error> {
        self.directory_to_write()?.replace_file(
            &Folder::Root,
            CURRENT_SESSION,
            format!("{id}\n").as_bytes(),
            Durability::Process,
        )
    }

    /// Compares a script in `scripts/` with ours.
    pub fn script_state(&self, name: &'static str, ours: &str) -> Result<ScriptState, Error> {
        match self.directory()?.read(&Folder::Scripts, name) {
            Ok(None) => Ok(ScriptState::Missing),
            Ok(Some(found)) if found.bytes == ours.as_bytes() => Ok(ScriptState::Ours),
            // A link, or something huge, is not ours either.
            Ok(Some(_)) | Err(Error::Unsafe { .. }) => Ok(ScriptState::Different),
            Err(error) => Err(error),
        }
    }

    /// Writes a script into `scripts/`, ready to be run, unless there is one. Returns what it found there.
    pub fn add_script(&self, name: &'static str, ours: &str) -> Result<ScriptState, Error> {
        let directory = self.directory_to_write()?;
        if directory.create_file(&Folder::Scripts, name, ours.as_bytes(), Durability::Process)? {
            directory.allow_running(&Folder::Scripts, name)?;
            return Ok(ScriptState::Missing);
        }
        let found = self.script_state(name, ours)?;
        if found == ScriptState::Ours {
            directory.allow_running(&Folder::Scripts, name)?;
        }
        Ok(found)
    }
}
