//! The guard beside the real Git LFS, in both orders.

#![cfg(target_os = "linux")]

use std::path::Path;

use crate::support::{Committer, Outcome, Workspace, say_skipped};

/// A repository with a bare remote, and whoever works in it with Git LFS on the `PATH`.
fn with_lfs() -> Option<(Workspace, Committer)> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".editors/git-tools/usr/bin");
    if !tools.join("git-lfs").is_file() {
        say_skipped("git-lfs is not here; tests/git-tools/fetch fetches it");
        return None;
    }
    let workspace = Workspace::small();
    workspace.add_remote("origin");
    let path = std::env::join_paths(
        [tools].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let person = Committer::person(&workspace).env("PATH", path.unwrap());
    // What it does once for a user, without hooks.
    person.git(&["lfs", "install", "--skip-repo"]).expect_code(0);
    Some((workspace, person))
}

/// Commits a file that LFS keeps, pushes it, and looks whether it arrived.
#[track_caller]
fn push_a_picture(workspace: &Workspace, person: &Committer, name: &str) {
    workspace.write(name, format!("the bytes of {name}"));
    person.git(&["add", name, ".gitattributes"]).expect_code(0);
    person.git(&["commit", "-qm", name]).expect_code(0);
    let pushed = person.git(&["push", "--quiet", "origin", "main"]).expect_code(0);
    let clone = workspace.beside(&format!("clone of {name}"));
    let remote = workspace.beside("origin.git");
    let cloned: Outcome = person.git(&["clone", "--quiet", remote.to_str().unwrap(), clone.to_str().unwrap()]);
    assert_eq!(cloned.exit_code, 0, "{cloned:?} {pushed:?}");
    assert_eq!(workspace.read(clone.join(name)), format!("the bytes of {name}"), "{pushed:?}");
}

#[track_caller]
fn refuses(workspace: &Workspace, person: &Committer) {
    workspace.coordination().write_session("agent", serde_json::json!({"name": "Robin", "client": "claude-code"}));
    workspace.coordination().write_claim("agent", "file", "README.md", serde_json::json!({}));
    workspace.write("README.md", "half done\n");
    person.git(&["commit", "-qm", "Sweep", "README.md"]).expect_code(1);
}

#[test]
fn a_guard_that_was_there_first_keeps_nothing_from_being_uploaded() {
    let Some((workspace, person)) = with_lfs() else { return };
    person.deconflict(&["guard", "--install"]).expect_code(0);
    // It finds other hooks in its place, says so, and goes on.
    person.git(&["lfs", "install"]);
    person.git(&["lfs", "track", "*.png"]).expect_code(0);
    push_a_picture(&workspace, &person, "first.png");
    refuses(&workspace, &person);
}

#[test]
fn hooks_of_git_lfs_that_were_there_first_go_on() {
    let Some((workspace, person)) = with_lfs() else { return };
    person.git(&["lfs", "install", "--local"]).expect_code(0);
    person.git(&["lfs", "track", "*.png"]).expect_code(0);
    person.deconflict(&["guard", "--install"]).expect_code(0);
    push_a_picture(&workspace, &person, "first.png");
    refuses(&workspace, &person);
}

#[test]
fn a_guard_that_git_lfs_wrote_over_is_missed_and_comes_back_beside_it() {
    let Some((workspace, person)) = with_lfs() else { return };
    person.deconflict(&["guard", "--install"]).expect_code(0);
    person.git(&["lfs", "install", "--local"]);
    person.git(&["lfs", "track", "*.png"]).expect_code(0);
    person.git(&["lfs", "update", "--force"]).expect_code(0);
    let told = person.deconflict(&["doctor"]);
    assert!(told.stdout.contains("pre-push") && told.stdout.contains("deconflict guard --install"), "{told:?}");
    person.deconflict(&["guard", "--install"]).expect_code(0);
    assert!(!person.deconflict(&["doctor"]).stdout.contains("not in pre-push"));
    push_a_picture(&workspace, &person, "first.png");
    refuses(&workspace, &person);
}
