//! What one user keeps about a clone: out of everybody's reach, and never through a link.

#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};

use deconflict_platform::user_id;
use deconflict_workspace::PrivateFolder;

fn clone() -> (tempfile::TempDir, PrivateFolder) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join(".git/objects")).unwrap();
    fs::create_dir_all(root.path().join(".git/refs")).unwrap();
    fs::write(root.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let folder = PrivateFolder::of(&root.path().join("COORDINATION"), "hooks", None).unwrap();
    (root, folder)
}

fn append(folder: &PrivateFolder, text: &str) -> io::Result<()> {
    folder.append("a", text.as_bytes(), 16, |whole| whole[whole.len() - 4..].to_vec())
}

#[test]
fn what_is_added_is_read_again_and_nobody_else_can() {
    let (root, folder) = clone();
    assert_eq!(folder.read("a", 16).unwrap(), None);
    append(&folder, "one\n").unwrap();
    append(&folder, "two\n").unwrap();
    assert_eq!(folder.read("a", 16).unwrap().unwrap(), b"one\ntwo\n");
    append(&folder, "long enough\n").unwrap();
    assert_eq!(folder.read("a", 16).unwrap().unwrap(), b"ugh\n");
    let own = root.path().join(".git/deconflict").join(user_id());
    assert_eq!(fs::metadata(own).unwrap().permissions().mode() & 0o777, 0o700);
    folder.remove("a").unwrap();
    assert_eq!(folder.read("a", 16).unwrap(), None);
}

#[test]
fn no_link_is_followed_and_nothing_but_files_is_read() {
    let (root, folder) = clone();
    append(&folder, "one\n").unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "mine\n").unwrap();
    symlink(&victim, folder.path().join("b")).unwrap();
    assert_eq!(folder.read("b", 16).unwrap(), None);
    assert!(folder.append("b", b"x", 16, |whole| whole).is_err());
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("c"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(folder.read("c", 16).unwrap(), None);
    let elsewhere = tempfile::tempdir().unwrap();
    let ours = root.path().join(".git/deconflict");
    fs::remove_dir_all(&ours).unwrap();
    symlink(elsewhere.path(), &ours).unwrap();
    assert!(append(&folder, "one\n").is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_root, folder) = clone();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                for number in 0..50 {
                    let line = format!("{writer}-{number}\n");
                    folder.append("a", line.as_bytes(), 600, |whole| whole).unwrap();
                }
            });
        }
    });
    let whole = String::from_utf8(folder.read("a", 1 << 16).unwrap().unwrap()).unwrap();
    assert_eq!(whole.lines().collect::<std::collections::BTreeSet<_>>().len(), 200, "{whole}");
}
