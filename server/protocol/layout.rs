//! How a coordination directory is told from another one.

/// What the coordination directory is called.
pub const DIRECTORY_NAME: &str = "COORDINATION";

/// True if a directory, of which the caller tells whether it has a folder of some name, is a coordination directory.
pub fn is_coordination_directory(has_folder: impl Fn(&str) -> bool) -> bool {
    ["sessions", "claims"].into_iter().any(has_folder)
}
