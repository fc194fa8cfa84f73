//! Putting one file in the place of another.

use std::io;

use cap_std::fs::Dir;

/// Lets two names change their files, in one step; both must exist. Not every system and file system can.
///
/// Ext4 begins to write a file to disk when it is renamed over another one, and whoever replaces it again meanwhile has
/// to wait for that, for milliseconds. Of files that change their names it demands no such thing.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can"))]
pub fn exchange((folder, name): (&Dir, &str), (other_folder, other_name): (&Dir, &str)) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::renameat_with(folder, name, other_folder, other_name, rustix::fs::RenameFlags::EXCHANGE)?);
    #[cfg(not(target_os = "linux"))]
    return Err(io::ErrorKind::Unsupported.into());
}
