//! A clone that a group shares: what one makes there, the others may use.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use deconflict_workspace::{locate, make_shared};

use crate::support::{CodingAgent, Editor, Terminal, Workspace};

/// Mode and group of a folder and of all that is in it.
fn permissions(folder: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path, metadata.mode() & 0o7777, metadata.gid()));
    }
    found
}

/// A repository as `git init --shared` makes it; root gives it a group of its own.
fn shared(how: &str) -> (Workspace, u32) {
    let workspace = Workspace::plain();
    workspace.git(&["init", "--quiet", &format!("--shared={how}")]);
    let _ = chown(workspace.root(), None, Some(65_533));
    fs::set_permissions(workspace.root(), fs::Permissions::from_mode(0o2775)).unwrap();
    workspace.write("src/main.rs", "fn main() {}\n");
    let group = fs::metadata(workspace.root()).unwrap().gid();
    (workspace, group)
}

#[track_caller]
fn expect(workspace: &Workspace, group: u32, folders: u32, files: u32) {
    let found = permissions(workspace.coordination().directory());
    assert!(found.iter().any(|(path, ..)| path.ends_with(".lock")) && found.len() > 8, "{found:#?}");
    for (path, mode, owner) in &found {
        let expected = if path.is_dir() { folders } else { files };
        assert_eq!((*mode, *owner), (expected, group), "{}: {mode:o}", path.display());
    }
}

#[test]
fn what_one_makes_in_a_groups_clone_is_the_groups() {
    for (how, folders, files) in [("group", 0o2775, 0o664), ("all", 0o2775, 0o664), ("0660", 0o2770, 0o660)] {
        let (workspace, group) = shared(how);
        let (terminal, _) = Terminal::with_new_session(&workspace);
        terminal.run(["claim", "file", "src/main.rs"]).expect_code(0);
        terminal.run(["send", "broadcast", "Hello", "all"]).expect_code(0);
        terminal.run(["messages"]).expect_code(0);
        expect(&workspace, group, folders, files);

        workspace.coordination().delete();
        let editor = Editor::start(&workspace, "alice");
        editor.open("src/main.rs").type_text("x");
        workspace.coordination().wait_for_claim("src/main.rs");
        editor.quit();
        expect(&workspace, group, folders, files);

        workspace.coordination().delete();
        CodingAgent::on(&workspace, "one").edit("src/main.rs", "fn main() { }\n").expect_no_denial();
        expect(&workspace, group, folders, files);
    }
}

#[test]
fn what_one_makes_in_ones_own_clone_is_ones_own() {
    let workspace = Workspace::small();
    let (terminal, _) = Terminal::with_new_session(&workspace);
    terminal.run(["claim", "file", "src/main.rs"]).expect_code(0);
    let group = fs::metadata(workspace.path("src/main.rs")).unwrap().gid();
    let plain = fs::metadata(workspace.path("src")).unwrap().mode() & 0o7777;
    expect(&workspace, group, plain, plain & 0o666);
}

#[test]
fn modes_are_those_that_git_gives() {
    let cases = [
        ("group", Some(0o2775)),
        ("true", Some(0o2775)),
        ("all", Some(0o2775)),
        ("0640", Some(0o2750)),
        ("0600", Some(0o700)),
        ("0666", Some(0o2775)),
        ("0060", None),
        ("umask", None),
        ("false", None),
        ("0", None),
    ];
    for (value, expected) in cases {
        let workspace = Workspace::plain();
        workspace.git(&["init", "--quiet"]);
        let config = workspace.read(".git/config");
        workspace.write(".git/config", format!("{config}[core]\n\tsharedRepository = {value}\n"));
        make_shared(&locate(workspace.root(), None, None).unwrap());
        let made = fs::metadata(workspace.coordination().directory()).ok();
        assert_eq!(made.map(|found| found.mode() & 0o7777), expected, "{value}");
    }
}
