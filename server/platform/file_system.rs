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

/// True where locks keep out only those who see an existing folder as this process does, though others may see it in
/// another way: through the host of a container or virtual machine, through another mount, or from another machine.
#[cfg(target_os = "linux")]
pub fn locks_stay_here(folder: &Path) -> bool {
    // Only these and unknown ones may be such, and asking for more than their number takes long.
    let may_be = file_system(folder).is_none_or(|found| found.is_shared);
    may_be && mount_of(folder).is_some_and(|mount| mount.keeps_locks_to_itself())
}

/// False: only Linux tells in which way a folder is seen.
#[cfg(not(target_os = "linux"))]
pub fn locks_stay_here(_: &Path) -> bool {
    false
}

/// A line of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).
#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: (u32, u32),
    kind: String,
    options: String,
}

#[cfg(target_os = "linux")]
fn mount_of(folder: &Path) -> Option<Mount> {
    let device = rustix::fs::stat(folder).ok()?.st_dev;
    let device = (rustix::fs::major(device), rustix::fs::minor(device));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().filter_map(Mount::parse).find(|mount| mount.device == device)
}

#[cfg(target_os = "linux")]
impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let (major, minor) = before.split(' ').nth(2)?.split_once(':')?;
        let mut after = after.split(' ');
        let kind = after.next()?.to_owned();
        let options = after.nth(1)?.to_owned();
        Some(Self { device: (major.parse().ok()?, minor.parse().ok()?), kind, options })
    }

    fn keeps_locks_to_itself(&self) -> bool {
        /// Their files can be had in no other way, or their locks are everybody's.
        const EXCEPTIONS: [&str; 8] = [
            "fuse.ceph-fuse",
            "fuse.cryfs",
            "fuse.encfs",
            "fuse.fuse-overlayfs",
            "fuse.glusterfs",
            "fuse.gocryptfs",
            "fuse.juicefs",
            "fuse.moosefs",
        ];
        let has = |option: &str| self.options.split(',').any(|set| set == option);
        match self.kind.as_str() {
            "9p" | "fakeowner" | "fuse" | "prl_fs" | "vboxsf" | "virtiofs" | "vmhgfs" => true,
            "nfs" | "nfs4" => has("nolock") || has("local_lock=all") || has("local_lock=flock"),
            "cifs" | "smb3" => has("nobrl"),
            kind => kind.starts_with("fuse.") && !EXCEPTIONS.contains(&kind),
        }
    }
}

/// The file system of an existing folder; only Linux tells it in a way that needs no configured program.
#[cfg(not(target_os = "linux"))]
pub fn file_system(_: &Path) -> Option<FileSystem> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn mounts_tell_whether_their_locks_are_everybodys() {
        let cases = [
            ("36 35 0:54 / /work rw,relatime shared:1 - fuse.grpcfuse grpcfuse rw,user_id=0", true),
            ("36 35 0:54 / /work rw - fakeowner /run/host_mark/Users rw,fakeowner", true),
            ("36 35 0:54 / /work rw master:1 propagate_from:2 - virtiofs work rw", true),
            ("36 35 0:54 / /work rw - fuse.bindfs /home/a rw", true),
            ("36 35 0:54 / /mnt/c rw - 9p drvfs rw,aname=drvfs", true),
            ("36 35 0:54 / /work rw - fuse.gocryptfs /home/a rw", false),
            ("36 35 0:54 / /work rw - fuseblk /dev/sdb1 rw", false),
            ("36 35 0:54 / /work rw - nfs4 host:/a rw,vers=4.2,local_lock=none", false),
            ("36 35 0:54 / /work rw - nfs host:/a rw,vers=3,local_lock=all", true),
            ("36 35 0:54 / /work rw - cifs //host/a rw,nobrl", true),
            ("36 35 0:54 / /work rw - ext4 /dev/sda1 rw", false),
        ];
        for (line, expected) in cases {
            let mount = Mount::parse(line).unwrap();
            assert_eq!((mount.device, mount.keeps_locks_to_itself()), ((0, 54), expected), "{line}");
        }
        for broken in ["", "36 35 0:54 / /work rw", "36 35 054 / /work rw - ext4 a b", "1 2 a:b / / rw - ext4 a b"] {
            assert_eq!(Mount::parse(broken), None, "{broken}");
        }
    }
}
