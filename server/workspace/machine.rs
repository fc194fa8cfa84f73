//! Where the registry is of what a machine has once, for all clones of a user.

use std::path::PathBuf;

use deconflict_platform as platform;

/// The directory of the machine's registry, in the user's state folder; `None` for a user without a home.
pub fn machine_directory() -> Option<PathBuf> {
    Some(platform::state_directory()?.join("deconflict").join("machine"))
}
