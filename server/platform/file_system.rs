//! What kind of file system a folder is on.

use std::path::Path;

/// A file system, as far as it matters to those who lock and watch files on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// What people call it.
    pub name: &'static str,
    /// Other machines may change it, and locks and notices of changes may not reach from one to the other.
    pub is_shared: bool,
}

/// The file system of an existing folder; `None` where the system doesn't tell, or an unknown one.
#[cfg(target_os = "linux")]
pub fn file_system(folder: &Path) -> Option<FileSystem> {
    /// Magic numbers of `statfs(2)`, the file system's name, and whether other machines share it.
    const KNOWN: &[(u32, &str, bool)] = &[
        (0xef53, "ext4", false),
        (0x9123_683e, "btrfs", false),
        (0x5846_5342, "xfs", false),
        (0x2fc1_2fc1, "zfs", false),
        (0xf2f5_2010, "f2fs", false),
        (0xca45_1a4e, "bcachefs", false),
        (0x0102_1994, "tmpfs", false),
        (0x794c_7630, "overlay", false),
        (0x4d44, "FAT", false),
        (0x2011_bab0, "exFAT", false),
        (0x7366_746e, "NTFS", false),
        (0x6969, "NFS", true),
        (0x517b, "SMB", true),
        (0xff53_4d42, "CIFS", true),
        (0xfe53_4d42, "SMB", true),
        (0x5346_414f, "AFS", true),
        (0x00c3_6400, "Ceph", true),
        (0x0bd0_0bd0, "Lustre", true),
        (0x0116_1970, "GFS2", true),
        (0x7461_636f, "OCFS2", true),
        (0x6573_5546, "FUSE", true),
        (0x0102_1997, "9P", true),
        (0x786f_4256, "VirtualBox folder", true),
    ];
    // The field's type differs between architectures, and the number has 32 bits in all of them.
    let magic = u32::try_from(i128::from(rustix::fs::statfs(folder).ok()?.f_type) & 0xffff_ffff).ok()?;
    KNOWN.iter().find(|known| known.0 == magic).map(|(_, name, is_shared)| FileSystem { name, is_shared: *is_shared })
}

/// The file system of an existing folder; only Linux tells it in a way that needs no configured program.
#[cfg(not(target_os = "linux"))]
pub fn file_system(_: &Path) -> Option<FileSystem> {
    None
}
