//! File systems that are not like a local disk, where this machine has them.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Terminal, Workspace};

/// Something that is mounted in a scratch folder. It is unmounted with the value.
struct Mounted(PathBuf);

impl Mounted {
    /// Runs a program that mounts something there; `None` where it is missing or may not.
    fn by(program: &str, arguments: &[&str], at: &Path) -> Option<Self> {
        let ended = Command::new(program).args(arguments).arg(at).output();
        if ended.as_ref().is_ok_and(|ended| ended.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("SKIPPED: {program} mounts nothing here: {ended:?}");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for unmount in [&["fusermount", "-u", "-z"][..], &["umount", "-l"]] {
            let ended = Command::new(unmount[0]).args(&unmount[1..]).arg(&self.0).output();
            if ended.is_ok_and(|ended| ended.status.success()) {
                return;
            }
        }
    }
}

/// A folder that is mounted once more through FUSE, as Docker Desktop does it, has locks of its own in either view.
#[test]
fn claims_are_only_advice_in_a_view_whose_locks_do_not_meet_the_folders() {
    let workspace = Workspace::small();
    let view = workspace.beside("view");
    std::fs::create_dir(&view).unwrap();
    let Some(_mounted) = Mounted::by("bindfs", &[workspace.root().to_str().unwrap()], &view) else { return };

    let terminal = Terminal::on(&workspace).in_folder(&view);
    let session = terminal.run(["start"]).expect_code(0).stdout.trim().to_owned();
    let terminal = terminal.session(&session);
    let claimed = terminal.run(["claim", "file", "src/main.rs", "--json"]).expect_code(0).json();
    assert_eq!(claimed["only_advice"], true, "{claimed}");
    let told = terminal.run(["claim", "file", "src/lib.rs"]).expect_code(0);
    assert!(told.stderr.contains("only advice"), "{told:?}");
    let doctor = terminal.run(["doctor"]);
    assert!(doctor.stdout.contains("claims are only advice here"), "{doctor:?}");

    let outside = Terminal::on(&workspace).session(&session);
    let claimed = outside.run(["claim", "file", "README.md", "--json"]).expect_code(0).json();
    assert_eq!(claimed["only_advice"], false, "a local disk has one view: {claimed}");
}
