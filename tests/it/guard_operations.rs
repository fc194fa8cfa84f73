//! The guard where a commit is no plain one: an operation is under way, or only a part of what changed is committed.

#![cfg(target_os = "linux")]

use std::fs;

use serde_json::json;

use crate::support::{Committer, Editor, Terminal, Workspace};

/// A repository with the guard in its hooks, in which another session holds `src/lib.rs`.
fn guarded() -> Workspace {
    let workspace = Workspace::small();
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    hold(&workspace, "src/lib.rs");
    fs::write(workspace.root().join(".git/info/exclude"), "COORDINATION/\n").unwrap();
    workspace
}

fn hold(workspace: &Workspace, file: &str) {
    let coordination = workspace.coordination();
    coordination.write_session("agent", json!({"name": "Robin", "client": "claude-code"}));
    coordination.write_claim("agent", "file", file, json!({}));
}

fn commit(workspace: &Workspace, message: &str) {
    workspace.git(&["commit", "--quiet", "--no-verify", "--all", "--message", message]);
}

/// The branch `topic` and `main` changed `README.md` each in its own way; `topic` changed `src/lib.rs` too.
fn diverged() -> Workspace {
    let workspace = guarded();
    workspace.git(&["checkout", "--quiet", "-b", "topic"]);
    workspace.write("src/lib.rs", "topic\n");
    workspace.write("README.md", "# Topic\n");
    commit(&workspace, "Topic");
    workspace.git(&["checkout", "--quiet", "main"]);
    workspace.write("README.md", "# Main\n");
    commit(&workspace, "Main");
    workspace
}

fn committed(workspace: &Workspace) -> Vec<String> {
    let names = workspace.git(&["show", "--pretty=format:", "--name-only", "--no-renames", "HEAD"]);
    names.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Solves the conflict in `README.md`. What the operation brings is nobody's, and what was swept in is held.
#[track_caller]
fn go_on(workspace: &Workspace, give_up: &str) {
    let person = Committer::person(workspace);
    workspace.write("README.md", "# Both\n");
    workspace.git(&["add", "README.md"]);
    hold(workspace, "Cargo.lock");
    workspace.write("Cargo.lock", "half done\n");
    let refused = person.git(&["commit", "--all", "-m", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("\"Cargo.lock\" has been claimed by \"Robin\""), "{refused:?}");
    assert!(!refused.stderr.contains("src/lib.rs"), "{refused:?}");
    assert!(refused.stderr.contains(give_up), "{refused:?}");
    person.git(&["commit", "-m", "Both"]).expect_code(0);
    assert_eq!(committed(workspace), ["README.md", "src/lib.rs"]);
}

#[test]
fn a_squashed_merge_brings_what_others_committed() {
    let workspace = diverged();
    Committer::person(&workspace).git(&["merge", "--squash", "topic"]).expect_code(1);
    go_on(&workspace, "git reset --merge");
}

#[test]
fn a_cherry_pick_brings_what_others_committed() {
    let workspace = diverged();
    Committer::person(&workspace).git(&["cherry-pick", "topic"]).expect_code(1);
    go_on(&workspace, "git cherry-pick --abort");
}

#[test]
fn a_revert_brings_back_what_was_committed_before() {
    let workspace = guarded();
    workspace.write("src/lib.rs", "topic\n");
    workspace.write("README.md", "# Topic\n");
    commit(&workspace, "Topic");
    workspace.write("README.md", "# Main\n");
    commit(&workspace, "Main");
    Committer::person(&workspace).git(&["revert", "--no-edit", "HEAD~1"]).expect_code(1);
    go_on(&workspace, "git revert --abort");
}

#[test]
fn a_commit_that_a_rebase_executes_is_a_commit() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.write("README.md", "# Mine\n");
    commit(&workspace, "Mine");
    let execute = |line: &str| person.git(&["rebase", "--exec", line, "HEAD~1"]);
    execute("echo more >> README.md && git commit -am More").expect_code(0);
    assert_eq!(committed(&workspace), ["README.md"]);
    let refused = execute("echo half done > src/lib.rs && git commit -am Sweep").expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by \"Robin\""), "{refused:?}");
    assert!(refused.stderr.contains("git rebase --abort"), "{refused:?}");
    person.git(&["checkout", "--", "src/lib.rs"]).expect_code(0);
    person.git(&["rebase", "--continue"]).expect_code(0);
}

#[test]
fn an_interactive_rebase_may_change_a_commit_but_not_sweep_anything_into_it() {
    let workspace = guarded();
    workspace.write("README.md", "# Mine\n");
    commit(&workspace, "Mine");
    let person = Committer::person(&workspace).env("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/");
    person.git(&["rebase", "--interactive", "HEAD~1"]).expect_code(0);
    workspace.write("README.md", "# Better\n");
    workspace.write("src/lib.rs", "half done\n");
    person.git(&["commit", "--all", "--amend", "--no-edit"]).expect_code(1);
    person.git(&["commit", "--amend", "--no-edit", "README.md"]).expect_code(0);
    assert_eq!(committed(&workspace), ["README.md"]);
    workspace.git(&["checkout", "--quiet", "src/lib.rs"]);
    person.git(&["rebase", "--continue"]).expect_code(0);
}

#[test]
fn only_what_is_committed_counts() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.write("src/lib.rs", "half done\n");
    workspace.write("README.md", "mine\n");
    // Also where the held file is staged already.
    workspace.git(&["add", "--all"]);
    person.git(&["commit", "--only", "README.md", "-m", "Mine"]).expect_code(0);
    assert_eq!(committed(&workspace), ["README.md"]);
    let refused = person.git(&["commit", "--only", "src/lib.rs", "-m", "Theirs"]).expect_code(1);
    assert!(refused.stderr.contains("name the other files only"), "{refused:?}");
    workspace.write("README.md", "more\n");
    let refused = person.git(&["commit", "--include", "README.md", "-m", "Both"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by \"Robin\""), "{refused:?}");
    person.git(&["commit", "--all", "-m", "Sweep"]).expect_code(1);
    assert_eq!(workspace.git(&["log", "-1", "--format=%s"]).trim(), "Mine");
}

#[test]
fn a_commit_may_be_amended_without_what_others_hold() {
    let workspace = guarded();
    let person = Committer::person(&workspace);
    workspace.write("src/lib.rs", "theirs, as they committed it\n");
    workspace.write("README.md", "mine\n");
    commit(&workspace, "Both");
    // The message alone, and what is one's own: what is held was in the commit before.
    person.git(&["commit", "--amend", "-m", "Better said"]).expect_code(0);
    workspace.write("README.md", "better\n");
    person.git(&["commit", "--all", "--amend", "--no-edit"]).expect_code(0);
    workspace.write("src/lib.rs", "half done\n");
    let refused = person.git(&["commit", "--all", "--amend", "--no-edit"]).expect_code(1);
    assert!(refused.stderr.contains("\"src/lib.rs\" has been claimed by \"Robin\""), "{refused:?}");
}

#[test]
fn a_commit_in_the_terminal_of_an_editor_is_by_the_editors_session() {
    let workspace = Workspace::small();
    Committer::person(&workspace).deconflict(&["guard", "--install"]).expect_code(0);
    let coordination = workspace.coordination();
    let editor = Editor::start(&workspace, "Ada");
    let document = editor.open("src/lib.rs");
    document.type_text("// mine\n");
    let session = coordination.wait_for_claim("src/lib.rs")["claimed_by"].as_str().unwrap().to_owned();
    document.save();
    editor.settle(&workspace);
    // Its terminal says whose it is, whoever the user of the terminal is.
    let elsewhere = Committer::person(&workspace).env("USER", "somebody").env("LOGNAME", "somebody");
    elsewhere.git(&["commit", "-am", "Not mine"]).expect_code(1);
    let inside = elsewhere.session(&session);
    let (other, _) = Terminal::with_named_session(&workspace, "Robin");
    other.run(["claim", "file", "README.md"]).expect_code(0);
    workspace.write("README.md", "half done\n");
    let refused = inside.git(&["commit", "-am", "Sweep"]).expect_code(1);
    assert!(refused.stderr.contains("\"README.md\" has been claimed by \"Robin\""), "{refused:?}");
    assert!(!refused.stderr.contains("\"src/lib.rs\" is claimed"), "{refused:?}");
    inside.git(&["commit", "-m", "Mine", "src/lib.rs"]).expect_code(0);
    coordination.wait_for_no_claim("src/lib.rs");
    editor.quit();
}
