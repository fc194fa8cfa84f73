//! Who works here, and where their own files are kept.

use std::env;
use std::path::PathBuf;
#[cfg(unix)]
use std::sync::OnceLock;

/// The machine's name; empty if it tells none.
pub fn host_name() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return sysinfo::System::host_name().unwrap_or_default();
}

/// The user's login name.
pub fn user_name() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .or_else(name_in_user_database)
}

/// What the user is called in full, as the system knows it.
pub fn full_name() -> Option<String> {
    #[cfg(unix)]
    {
        // What follows the first comma is a room or a telephone number.
        let name = fields_in_user_database()?.get(4)?;
        let name = name.split(',').next().unwrap_or_default().trim().to_owned();
        Some(name).filter(|name| !name.is_empty())
    }
    #[cfg(not(unix))]
    None
}

/// What tells this user from others of the machine, as one component of a path.
pub fn user_id() -> String {
    #[cfg(unix)]
    return rustix::process::geteuid().as_raw().to_string();
    #[cfg(not(unix))]
    return user_name()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect::<String>()
        + "_";
}

/// The user's home directory.
pub fn home_directory() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Where programs keep what they remember about this user between runs. It may not exist yet.
pub fn state_directory() -> Option<PathBuf> {
    users_folder("XDG_STATE_HOME", "Library/Application Support", ".local/state")
}

/// Where programs look for this user's settings. It may not exist.
pub fn configuration_directory() -> Option<PathBuf> {
    users_folder("XDG_CONFIG_HOME", ".config", ".config")
}

/// Where programs keep what they can work out again. It may not exist yet.
pub fn cache_directory() -> Option<PathBuf> {
    users_folder("XDG_CACHE_HOME", "Library/Caches", ".cache")
}

/// The folder that a variable names, else what the system has for it; the last two are below the home directory.
fn users_folder(variable: &str, on_macos: &str, elsewhere: &str) -> Option<PathBuf> {
    let by_default = || match std::env::consts::OS {
        "windows" => folder_named_by("LOCALAPPDATA"),
        "macos" => Some(home_directory()?.join(on_macos)),
        _ => Some(home_directory()?.join(elsewhere)),
    };
    folder_named_by(variable).or_else(by_default)
}

/// A relative path in such a variable is to be ignored (XDG Base Directory Specification).
fn folder_named_by(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn name_in_user_database() -> Option<String> {
    #[cfg(unix)]
    return fields_in_user_database()?.first().filter(|name| !name.is_empty()).cloned();
    #[cfg(not(unix))]
    None
}

/// The user's line in the system's list of users (passwd(5)).
#[cfg(unix)]
fn fields_in_user_database() -> Option<&'static Vec<String>> {
    static FIELDS: OnceLock<Option<Vec<String>>> = OnceLock::new();
    let read = || {
        let user = rustix::process::getuid().as_raw().to_string();
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let mut lines = users.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.get(2) == Some(&user))
    };
    FIELDS.get_or_init(read).as_ref()
}
