//! Editors in a clone where nobody has claimed anything yet, so that there is no directory to meet in: they meet beside
//! git's own files, and the second one makes the directory.

use std::path::Path;

use deconflict_platform as platform;
use deconflict_workspace::PrivateFolder;

/// No token of a process is longer, in bytes.
const LONGEST_TOKEN: u64 = 256;

/// A server that waits for the directory, as others of the same user see it for as long as this lives.
pub(super) struct Waiting {
    folder: PrivateFolder,
    name: String,
}

impl Waiting {
    /// Says that this process waits. `None` where that cannot be said.
    pub(super) fn begin(directory: &Path) -> Option<Self> {
        let folder = PrivateFolder::of(directory, "waiting", platform::state_directory().as_deref())?;
        let own = platform::current_process();
        let name = own.pid.to_string();
        folder.put(&name, own.started.as_bytes()).ok()?;
        Some(Self { folder, name })
    }

    /// True if another server waits too.
    pub(super) fn has_company(&self) -> bool {
        let others = self.folder.entries().unwrap_or_default().into_iter().filter(|entry| entry.name != self.name);
        others.into_iter().any(|entry| self.is_alive(&entry.name))
    }

    /// True for a process that still runs. What one left behind that was killed is removed.
    fn is_alive(&self, name: &str) -> bool {
        let Ok(pid) = name.parse() else { return false };
        let started = self.folder.read(name, LONGEST_TOKEN).ok().flatten();
        let is_alive = platform::process(pid).is_some_and(|process| started == Some(process.started.into_bytes()));
        if !is_alive {
            // Whoever cannot remove it finds it dead again.
            let _ = self.folder.remove(name);
        }
        is_alive
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // The next one to wait removes what stays.
        let _ = self.folder.remove(&self.name);
    }
}
