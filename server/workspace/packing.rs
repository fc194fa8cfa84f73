//! Packing a bare repository of our own with git, which knows best how.

use std::io;
use std::path::Path;

use super::git::{NOTHING, Surroundings, answer, command};

/// Packs objects into one more pack of the repository, and returns its name. The input names them, one a line, each
/// perhaps followed by a space and a path by which git finds what resembles it. Nobody's configuration counts.
pub fn pack_objects(repository: &Path, objects: &[u8]) -> io::Result<String> {
    let mut git = command(Surroundings::Own);
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", NOTHING).env("GIT_DIR", repository);
    git.current_dir(repository).args(["-c", "pack.threads=1", "pack-objects", "-q", "objects/pack/pack"]);
    let name = answer(git, "how to pack what was kept", objects).map_err(io::Error::other)?;
    let name = String::from_utf8_lossy(&name).trim().to_owned();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then_some(name).ok_or_else(|| io::Error::other("git pack-objects named no pack"))
}
