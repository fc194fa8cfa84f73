//! What sessions of many machines are called in one registry.

use std::path::Path;

use deconflict_platform as platform;
use deconflict_protocol::SessionId;
use deconflict_protocol::text::hex;
use sha2::{Digest, Sha256};

/// So much of a session's own id is kept.
const LONGEST: usize = 50;

/// The id of what stands, among all machines, for a session of this machine's clone: two clones may each have one that its
/// user calls `ada`.
pub fn id_in_team(own: &SessionId, directory: &Path) -> SessionId {
    let beginning: String = own.as_str().chars().take(LONGEST).collect();
    let id = format!("{beginning}.{}", digest(directory, own.as_str(), 6));
    // Whatever an id begins with, another may begin with too.
    SessionId::foreign(&id).unwrap_or_else(|_| own.clone())
}

/// What tells a clone of this machine, or a linked worktree of it, from all others that are called alike.
pub fn clone_digest(directory: &Path, worktree: Option<&str>) -> String {
    digest(directory, worktree.unwrap_or_default(), 3)
}

fn digest(directory: &Path, what: &str, bytes: usize) -> String {
    let scope = platform::pid_scope();
    // Machine and host. What follows is another after each boot.
    let machine = scope.split('/').next().unwrap_or_default();
    let digest = Sha256::digest(format!("{machine}\n{}\n{what}", directory.display()));
    hex(&digest[..bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_tell_their_sessions_apart() {
        let ada = SessionId::new("ada").unwrap();
        let here = id_in_team(&ada, Path::new("/home/ada/a/COORDINATION"));
        assert_eq!(here, id_in_team(&ada, Path::new("/home/ada/a/COORDINATION")));
        assert_ne!(here, id_in_team(&ada, Path::new("/home/ada/b/COORDINATION")));
        let long = SessionId::new(&"x".repeat(64)).unwrap();
        let other = SessionId::new(&format!("{}y", "x".repeat(63))).unwrap();
        let [long, other] = [long, other].map(|id| id_in_team(&id, Path::new("/a/COORDINATION")));
        assert!(long != other && SessionId::new(long.as_str()).is_ok(), "{long}");
    }
}
