//! File systems that are not like a local disk, where this machine has them.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use deconflict_workspace::{Kind, Namer, locate};

use crate::support::{CodingAgent, Editor, Terminal, Workspace};

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

/// A folder on a file system that keeps the case of names and ignores it, which only root can mount; the workspace is
/// moved there.
struct IgnoringCase {
    // It is unmounted before its folder is removed.
    _mounted: Mounted,
    _device: Device,
    root: PathBuf,
    workspace: Workspace,
}

/// A file that is a block device for a while.
struct Device(String);

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).output();
    }
}

impl IgnoringCase {
    fn new() -> Option<Self> {
        let workspace = Workspace::plain();
        let image = workspace.beside("image");
        File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let image = image.to_str().unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let ended = Command::new(program).args(arguments).output().ok().filter(|ended| ended.status.success());
            if ended.is_none() {
                eprintln!("SKIPPED: {program} {arguments:?} does not work here");
            }
            ended
        };
        run("mkfs.exfat", &[image])?;
        let device = run("losetup", &["--find", "--show", image])?;
        let device = Device(String::from_utf8(device.stdout).unwrap().trim().to_owned());
        let mounted = Mounted::by("mount.exfat-fuse", &["-o", "umask=022", &device.0], workspace.root())?;
        workspace.git(&["init", "--quiet"]);
        workspace.write("Lib/x.rs", "x\n");
        workspace.commit_all("Start");
        let root = workspace.root().to_owned();
        Some(Self { _mounted: mounted, _device: device, root, workspace })
    }

    fn session(&self, name: &str) -> Terminal {
        Terminal::with_named_session(&self.workspace, name).0
    }
}

#[test]
fn names_in_other_letters_are_the_same_where_the_file_system_ignores_case() {
    let Some(here) = IgnoringCase::new() else { return };
    let (alice, bob) = (here.session("alice"), here.session("bob"));

    // What is not there yet has no spelling on disk.
    alice.run(["claim", "file", "New/a.rs"]).expect_code(0);
    bob.run(["claim", "file", "new/A.rs"]).expect_code(1);
    bob.run(["claim", "directory", "new"]).expect_code(1);
    bob.run(["check", "NEW/a.rs"]).expect_code(1);
    alice.run(["claim", "directory", "Later"]).expect_code(0);
    bob.run(["claim", "file", "later/deep/a.rs"]).expect_code(1);
    alice.run(["release", "file", "new/a.RS"]).expect_code(0);
    bob.run(["claim", "directory", "new"]).expect_code(0);

    // A rename that changes nothing but letters.
    alice.run(["claim", "file", "lib/x.rs"]).expect_code(0);
    assert_eq!(here.workspace.coordination().claim("Lib/x.rs").unwrap()["resource_name"], "Lib/x.rs");
    std::fs::rename(here.root.join("Lib"), here.root.join("LIB")).unwrap();
    bob.run(["claim", "directory", "lib"]).expect_code(1);
    bob.run(["claim", "file", "LIB/x.rs"]).expect_code(1);
    let own = alice.run(["claim", "file", "LIB/X.rs", "--json"]).expect_code(0).json();
    assert_eq!(own["outcome"], "renewed", "{own}");
    alice.run(["release", "file", "lib/x.rs"]).expect_code(0);
    bob.run(["claim", "directory", "lib"]).expect_code(0);
}

#[test]
fn editors_and_agents_meet_in_other_letters_where_the_file_system_ignores_case() {
    let Some(here) = IgnoringCase::new() else { return };
    let alice = here.session("alice");
    alice.run(["claim", "file", "Lib/x.rs"]).expect_code(0);
    std::fs::rename(here.root.join("Lib"), here.root.join("LIB")).unwrap();
    let editor = Editor::start(&here.workspace, "bob");
    editor.open("LIB/x.rs").wait_for_diagnostic("claimed");
    CodingAgent::on(&here.workspace, "one").before_edit("lib/X.rs").expect_denial();
    for internal in ["coordination/claims/a", ".GIT/config"] {
        CodingAgent::on(&here.workspace, "two").before_edit(internal).expect_no_denial();
        assert_eq!(here.workspace.coordination().claims().len(), 1, "{internal}");
    }
    editor.quit();
}

#[test]
fn a_folder_that_was_renamed_to_other_letters_is_still_the_same() {
    let Some(here) = IgnoringCase::new() else { return };
    here.workspace.write("Inner/a.rs", "");
    let directory = here.root.join("Inner/COORDINATION");
    let namer = Namer::new(&locate(&here.root.join("Inner"), Some(&directory), None).unwrap());
    let name = |path: &str| namer.resource_at(&here.root.join(path)).map(|resource| resource.name().to_owned());
    assert_eq!(name("Inner/a.rs").unwrap(), "a.rs");
    std::fs::rename(here.root.join("Inner"), here.root.join("INNER")).unwrap();
    assert_eq!(name("INNER/a.rs").unwrap(), "a.rs");
    assert_eq!(name("inner/new/b.rs").unwrap(), "new/b.rs");
    assert!(name("Lib/x.rs").is_err(), "that is another folder");
    let internal = namer.resource(Path::new("coordination/a"), Kind::File).unwrap();
    assert!(namer.is_internal(&internal), "{internal}");
}
